"""Answers as a screen of text, as a notebook shows them, as a data frame."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tellapart.model.predictions import SHOWN_LINES, SHOWN_PHOTOS, Prediction, Predictions

HOSTILE = "<img src=x onerror=alert(1)>\"'&\x1b[31m"
PROBS = {HOSTILE: 0.9, "hat": 0.1}


def hat(name="hat.jpg", **more):
    return Prediction(name, "hat", "hat", 0.95, {"hat": 0.95, "dress": 0.05}, 0.25, **more)


def test_a_prediction_in_a_line():
    assert repr(hat()) == '<Prediction "hat.jpg": hat, 95% [hat 95%; dress 5%]>'
    assert repr(Prediction("", None, error="The file does not exist.")) == "<Prediction The file does not exist.>"
    unsure = Prediction("a", "not sure", "hat", 0.5, {"hat": 0.5, "dress": 0.5}, between=("hat", "dress"))
    assert unsure.in_words() == "not sure: hat or dress"
    other = Prediction("a", "none of these", "hat", 0.997, {"hat": 0.997, "dress": 0.003}, looks_like="mug")
    assert repr(other) == '<Prediction "a": none of these (looks more like mug) [hat >99%; dress 0%]>'
    thousand = Prediction("a", "c1", "c1", 0.001, {f"c{i}": 0.001 for i in range(1000)})
    assert len(repr(thousand)) < 120


def test_many_fit_a_screen():
    many = Predictions([hat(f"{i}.jpg") for i in range(900)])
    lines = repr(many).splitlines()
    assert lines[0] == "<Predictions of 900 photos>"
    assert len(lines) == SHOWN_LINES + 2 <= 24
    assert lines[-1] == "… and 885 more"
    assert many._repr_html_().count("<figure") == SHOWN_PHOTOS
    assert "876 more photos" in many._repr_html_()
    assert repr(Predictions()) == "<Predictions of 0 photos>"


def test_names_are_escaped_everywhere():
    odd = Prediction(HOSTILE, HOSTILE, HOSTILE, 0.9, PROBS, looks_like=HOSTILE, between=(HOSTILE,))
    broken = Prediction(HOSTILE, None, error=HOSTILE)
    for value in (odd, broken, Predictions([odd, broken])):
        page = value._repr_html_()
        assert "<img src=x" not in page
        assert "&lt;img src=x" in page
        assert "\x1b" not in page + repr(value)


def test_a_notebook_shows_the_photo_that_was_given_by_its_path_and_no_other(tmp_path):
    path = tmp_path / "hat.png"
    Image.fromarray(np.full((30, 30, 3), 200, np.uint8)).save(path)
    assert hat(str(path), on_disk=True)._repr_html_().count("data:image/webp") == 1
    assert "data:image" not in hat(str(path))._repr_html_(), "the name that somebody gave an upload"
    path.unlink()
    assert "data:image" not in hat(str(path), on_disk=True)._repr_html_()
    assert hat("a", on_disk=True) == hat("a")


def test_a_data_frame_has_a_row_a_photo_and_a_column_a_class():
    pytest.importorskip("pandas")
    odd = Prediction("p.jpg", "error", "error", 0.6, {"error": 0.6, "photo": 0.4})  # classes as columns are called
    frame = Predictions([odd, Prediction("gone.jpg", None, error="The file does not exist.")]).to_pandas()
    assert list(frame.columns) == [
        "photo", "answer", "class_name", "confidence", "unknown_score", "looks_like", "error", "p_error", "p_photo",
    ]  # fmt: skip
    assert frame["p_error"].tolist()[0] == 0.6
    assert frame["p_photo"].isna().tolist() == [False, True]
    assert frame["error"].tolist()[1] == "The file does not exist."
    assert frame["photo"].tolist() == ["p.jpg", "gone.jpg"]
    none = Predictions().to_pandas()
    assert (len(none), list(none.columns)[:2]) == (0, ["photo", "answer"])
    failed = Predictions([Prediction("gone.jpg", None, error="x")]).to_pandas()
    assert failed.shape == (1, 7)


@pytest.mark.slow
def test_without_pandas_it_says_what_to_install():
    code = """
import sys; sys.modules["pandas"] = None
from tellapart import MissingExtraError
from tellapart.model.predictions import Predictions
try:
    Predictions().to_pandas()
except MissingExtraError as error:
    print(error.message, error.hint)
"""
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout == "A data frame needs pandas, which is not installed. Run: pip install pandas\n"

"""An app that is not our server gets the model's own answers, and decodes nothing itself."""

import asyncio

import numpy as np
import pytest

from tellapart.data import photo
from tellapart.model.isolated import ApartPredictor
from tellapart.model.prediction import load


@pytest.fixture(scope="module")
def predictor(model):
    return load(model)


def test_answers_refusals_and_what_the_model_saw(predictor, clothing_folder, tmp_path, monkeypatch):
    photos = sorted((clothing_folder / "hat").iterdir())[:2]
    (tmp_path / "text.jpg").write_text("no photo")
    expected = [predictor.predict(path.read_bytes()) for path in photos]
    pixels = [predictor.pixels(path.read_bytes()) for path in photos]

    async def ask():
        apart = ApartPredictor(predictor, 1)
        said = [await apart.predict(path) for path in (*photos, tmp_path / "text.jpg", tmp_path / "gone.jpg")]
        await apart.close()
        return said

    with monkeypatch.context() as patch:  # from here on, decoding in this process fails
        patch.setattr(photo, "decode", None)
        *good, bad, gone = asyncio.run(ask())
    assert [prediction for prediction, _ in good] == expected
    assert all(np.array_equal(seen, known) for (_, seen), known in zip(good, pixels, strict=True))
    assert bad[0].error == "The file is not a photo in any format that can be read."
    assert gone[0].error == "The file does not exist."
    assert [bad[1], gone[1], bad[0].answer] == [None, None, None]

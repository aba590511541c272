"""`tellapart explain`: a page and its pictures, from the command line."""

import json
from pathlib import Path
from typing import Any

import pytest


def test_a_page_is_written_with_the_training_photos_most_alike(
    tellapart: Any, trained: Path, photos: Path, fresh: Path, tmp_path: Path
) -> None:
    photo = sorted(fresh.rglob("*.jpg"))[0]
    said = tellapart.works("explain", trained, photo, "-o", tmp_path / "why")
    assert f"alike: {photos}" in said
    assert "explanation.html" in said
    (known,) = tellapart.lines("predict", trained, photo)
    again = json.loads(tellapart.works("explain", trained, photo, "-o", tmp_path / "why", "--force", "--json"))
    assert again["probs"] == pytest.approx(known["probs"], abs=1e-6)
    assert again["answer"] == known["answer"]
    assert len(again["neighbours"]) == 8
    written = {path.name for path in (tmp_path / "why").iterdir()}
    assert {"explanation.html", "seen.png", "where-it-looked.png", "covered.png", "filters.png"} <= written


def test_bad_input_is_one_sentence_and_nothing_is_lost(
    tellapart: Any, trained: Path, shared_data: Path, fresh: Path, tmp_path: Path
) -> None:
    photo = sorted(fresh.rglob("*.jpg"))[0]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "holiday.png").write_bytes(b"mine")
    tellapart.refuses("explain", trained, photo, "-o", tmp_path / "mine", says=["exists already"])
    tellapart.refuses("explain", trained, photo, "-o", tmp_path / "mine", "--force", says=["holiday.png"])
    (tmp_path / "mine" / "holiday.png").rename(tmp_path / "mine" / "filters.png")
    tellapart.refuses("explain", trained, photo, "-o", tmp_path / "mine", "--force", says=["filters.png"])
    assert (tmp_path / "mine" / "filters.png").read_bytes() == b"mine"
    tellapart.refuses("explain", trained, tmp_path / "nowhere.jpg", "-o", tmp_path / "a")
    tellapart.refuses("explain", trained, Path(__file__), "-o", tmp_path / "a")
    tellapart.refuses("explain", "nowhere", photo, "-o", tmp_path / "a", says=["no model folder"])
    tellapart.refuses("explain", trained, photo, "-o", tmp_path / "a", "--among", tmp_path / "none")
    assert not (tmp_path / "a").exists()

"""Doubts in a real studio: each planted fault is a question, and an answer is never asked for again."""

import shutil

import pytest
from PIL import Image

N = 60  # photos of a class: enough that a wrong one among them is sure


@pytest.fixture(scope="module")
def garments(shared_data, tmp_path_factory):
    """Hats and shoes; one hat lies among the shoes, one photo is there twice in another form, one is cut off."""
    folder = tmp_path_factory.mktemp("doubts") / "photos"
    for name in ("hat", "shoes"):
        (folder / name).mkdir(parents=True)
        for path in sorted((shared_data / "clothing" / "train" / name).iterdir())[:N]:
            shutil.copy(path, folder / name)
    hats = sorted((shared_data / "clothing" / "train" / "hat").iterdir())
    shutil.copy(hats[N + 1], folder / "shoes" / "planted.jpg")
    with Image.open(hats[0]) as image:
        image.convert("RGB").resize((image.width // 2, image.height // 2)).save(folder / "hat" / "smaller.png")
    (folder / "hat" / "cut.jpg").write_bytes(hats[1].read_bytes()[:300])
    return folder


def questions(one):
    said = one.ended(one.job("doubts"))
    assert said["state"] == "done", said
    return {queue["kind"]: queue["rows"] for queue in said["result"]["queues"]}


def test_what_was_planted_is_asked_and_an_answer_is_for_good(garments, studio):
    one = studio(garments)
    ids = one.ids()
    asked = questions(one)
    (wrong,) = [row for row in asked["mislabelled"] if row["photos"] == [ids["shoes/planted.jpg"]]]
    assert wrong["proposal"] == {"do": "label", "photos": [ids["shoes/planted.jpg"]], "label": "hat"}
    assert [(side["label"], len(side["photos"])) for side in wrong["beside"]] == [("shoes", 4), ("hat", 4)]
    names = {identity: name for name, identity in ids.items()}
    assert all(names[photo].startswith("hat/") for photo in wrong["beside"][1]["photos"])
    (pair,) = [row for row in asked["near_duplicate"] if ids["hat/smaller.png"] in row["photos"]]
    assert len(pair["photos"]) == 2
    assert pair["proposal"]["do"] == "out"
    (broken,) = asked["unusable"]
    assert broken["photos"] == [ids["hat/cut.jpg"]]

    one.do(**wrong["proposal"])
    one.do(do="right", photos=[pair["photos"][0]], doubts=[pair["key"]])
    one.do(**broken["proposal"])
    again = questions(one)
    flat = [row["key"] + row["photos"][0] for rows in again.values() for row in rows]
    assert not {row["key"] + row["photos"][0] for row in (wrong, pair, broken)} & set(flat)
    for _ in range(3):
        one.do(do="undo")
    assert questions(one) == asked


def test_without_labels_there_is_nothing_to_doubt(studio, garments, tmp_path):
    folder = tmp_path / "loose"
    folder.mkdir()
    for path in sorted((garments / "hat").iterdir())[:3]:
        shutil.copy(path, folder)
    one = studio(folder)
    assert "No photo has a label yet" in one.ended(one.job("doubts"))["message"]

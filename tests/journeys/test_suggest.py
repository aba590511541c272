"""`tellapart suggest`: different photos, each once, in a form that people and machines can use."""

import csv
import re
import shutil

import pytest
from PIL import Image, ImageOps

KEYS = ["photo", "reason", "class_name", "confidence"]
REASONS = ("close call: ", "unlike your training photos", "unlike the others in this list")


@pytest.fixture
def pool(fresh, shared_data, tmp_path):
    """Twelve instruments, three copies of them, a garment three times over, and a file that is no photo."""
    folder = tmp_path / "pool"
    folder.mkdir()
    for path in sorted(fresh.rglob("*.jpg")):
        shutil.copy(path, folder / f"{path.parent.name}-{path.name}")
    first, second, third, *_ = sorted(folder.iterdir())
    shutil.copy(first, folder / "=1+1.jpg")
    shutil.copy(second, folder / "@SUM(A1).jpg")
    shutil.copy(third, folder / "ภาพ\nถ่าย.jpg")
    garment = next((shared_data / "clothing" / "train" / "dress").iterdir())
    with Image.open(garment) as image:
        image.convert("RGB").save(folder / "garment.png")
        ImageOps.mirror(image.convert("RGB")).save(folder / "garment mirrored.jpg", quality=92)
        image.convert("RGB").resize((image.width // 2, image.height // 2)).save(folder / "garment small.jpg")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff not much of a JPEG")
    return folder


def test_more_than_there_are_gives_each_different_photo_once(tellapart, trained, pool):
    suggested = tellapart.json("suggest", trained, pool, "-n", 500)
    assert set(suggested) == {"suggestions", "n_looked_at", "n_copies", "skipped"}
    assert suggested["n_looked_at"] == 18
    assert suggested["n_copies"] == 5
    rows = suggested["suggestions"]
    assert len(rows) == 13
    for row in rows:
        assert list(row) == KEYS
        assert row["class_name"] in ("accordion", "banjo", "drum")
        assert 0 < row["confidence"] <= 1
        assert row["reason"].startswith(REASONS)
    named = [row["photo"] for row in rows]
    assert len(set(named)) == 13
    assert sum("garment" in name for name in named) == 1
    contents = {path.read_bytes() for path in pool.iterdir() if str(path) in named}
    assert len(contents) == 13
    [skipped] = suggested["skipped"]
    assert skipped["photo"].endswith("broken.jpg")
    assert skipped["reason"].endswith(".")


def test_fewer_are_the_first_of_more_and_the_same_every_time(tellapart, trained, pool):
    some, more = (tellapart.json("suggest", trained, pool, "-n", n)["suggestions"] for n in (4, 9))
    assert more[:4] == some
    assert len(more) == 9


def test_text_names_the_photos_on_a_line_each_and_the_unreadable_beside_them(tellapart, trained, pool):
    done = tellapart("suggest", trained, pool, "-n", 13)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 13
    assert all(any(reason in line for reason in REASONS) for line in done.stdout.splitlines())
    assert done.stderr.splitlines() == [f"{pool}/broken.jpg: The photo is cut off: part of it is missing."]
    done = tellapart("suggest", trained, pool, "-n", 14)
    last = done.stderr.splitlines()[-1]
    assert re.fullmatch(
        r"That is all: of 18 photos 5 repeat another(, and \d more are unlike your training photos)?\.", last
    )


def test_csv_is_safe_in_a_spreadsheet(tellapart, trained, pool):
    names = ["=1+1.jpg", "@SUM(A1).jpg", "garment.png"]
    done = tellapart("suggest", trained, *names, "-n", 20, "--csv", "label these.csv", cwd=pool)
    assert done.stdout == "3 photos to label: label these.csv\n"
    assert done.stderr == "That is all: of 3 photos 0 repeat another.\n"
    with (pool / "label these.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == KEYS
    assert sorted(row["photo"] for row in rows) == ["'=1+1.jpg", "'@SUM(A1).jpg", "garment.png"]
    assert all(0 < float(row["confidence"]) <= 1 for row in rows)


def test_what_cannot_be_done_is_refused_in_a_sentence(tellapart, trained, pool, photos, tmp_path):
    (tmp_path / "empty").mkdir()
    tellapart.refuses("suggest", trained, tmp_path / "empty", says=["There are no photos in the folder"])
    tellapart.refuses("suggest", trained, tmp_path / "nowhere", says=["There is no photo"])
    tellapart.refuses("suggest", trained, pool / "broken.jpg", says=["Not one of 1 photo can be read"])
    tellapart.refuses("suggest", photos, pool, says=["is not a model folder"])
    tellapart.refuses("suggest", trained, pool, "--csv", "/proc/x.csv", says=["cannot be written"])
    done = tellapart("suggest", trained, pool, "-n", 0)
    assert done.returncode == 2
    assert "x>=1" in done.stderr


def test_an_old_model_suggests_too(tellapart, pool, request):
    old = request.config.rootpath / "tests" / "artifacts" / "format-1"
    suggested = tellapart.json("suggest", old, pool, "-n", 2)
    assert len(suggested["suggestions"]) == 2
    assert {row["class_name"] for row in suggested["suggestions"]} <= {"red", "green", "blue"}

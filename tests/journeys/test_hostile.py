"""The whole hostile corpus inside a person's folder: nothing stops, nothing is dropped without a reason."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image


@pytest.fixture(scope="module")
def corpus(shared_data: Path) -> list[tuple[Path, str]]:
    """(file, what it must do) of every hostile image."""
    folder = shared_data / "hostile"
    with (folder / "INDEX.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
    found = [(folder / row[0], row[1]) for row in rows if row[3] == "image"]
    present = [(path, must) for path, must in found if path.is_file()]
    assert len(present) > 350
    return present


def test_training_on_it_uses_or_explains_each_file(tellapart, shared_data, corpus, tmp_path):
    folder = tmp_path / "photos"
    for name in ("banjo", "drum", "violin", "guitar"):  # so many that most photos can be read
        (folder / name).mkdir(parents=True)
        for path in sorted((shared_data / "instruments" / name).iterdir())[:60]:
            shutil.copy(path, folder / name)
    (folder / "odd").mkdir()
    must_of = {}
    for i, (path, must) in enumerate(corpus):
        name = f"odd/{i:03d} {path.name}"
        shutil.copy(path, folder / name)
        must_of[name] = must
    done = tellapart("train", folder, "-o", tmp_path / "model", "--quality", "fast", "--json")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr  # libtiff, in C, adds words of its own about broken TIFFs
    evaluation = json.loads(done.stdout)
    reasons = {skipped["photo"]: skipped["reason"] for skipped in evaluation["skipped"]}
    assert len(reasons) == len(evaluation["skipped"])
    assert all(reason and "Traceback" not in reason and "/" not in reason for reason in reasons.values())
    n_files = sum(path.is_file() for path in folder.rglob("*"))
    assert evaluation["n_found"] == n_files
    assert evaluation["n_used"] == n_files - len(reasons)
    used = set(must_of) - set(reasons)
    assert not {name for name in used if must_of[name] in ("invalid-must-reject", "bomb-must-reject")}
    assert not {name for name in reasons if must_of.get(name) == "valid-must-decode"}


def test_predicting_it_gives_a_line_of_json_a_file(tellapart, trained, corpus):
    ask = "".join(f"{path}\n" for path, _ in corpus)
    done = tellapart("predict", trained, "-", "--json", stdin=ask)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr  # libtiff, in C, adds words of its own about broken TIFFs
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["photo"] for line in lines] == [str(path) for path, _ in corpus]
    for line, (path, must) in zip(lines, corpus, strict=True):
        assert (line["answer"] is None) == (line["error"] is not None)
        if must == "valid-must-decode":
            assert line["error"] is None, path
        elif must != "either":
            assert line["error"], path


def test_hostile_zips_are_refused_in_a_sentence(tellapart, shared_data, tmp_path):
    folder = shared_data / "hostile" / "zips"
    for name in ("bomb_overlap_2000x8MB", "lying_size_header", "slip_dot_only", "symlink_to_passwd", "one_class"):
        packed = folder / f"{name}.zip"
        tellapart.refuses("train", packed, "-o", "model", "--quality", "fast", cwd=tmp_path, says=["zip"])
    assert not list(tmp_path.iterdir())


def test_class_names_of_any_script_and_sideways_photos(tellapart, photos, tmp_path):
    folder = tmp_path / "ภาพถ่าย"
    shutil.copytree(photos / "banjo", folder / "แบนโจ")
    shutil.copytree(photos / "drum", folder / '<b>กลอง & "drum"</b>')
    for i, path in enumerate(sorted((folder / "แบนโจ").iterdir())):
        with Image.open(path) as image:  # stored sideways, with the tag that says so
            exif = Image.Exif()
            exif[0x0112] = 6
            image.convert("RGB").rotate(90, expand=True).save(path.with_name(f"ภาพ '{i}'\n.jpg"), exif=exif, quality=95)
        path.unlink()
    evaluation = tellapart.json("train", folder, "-o", "โมเดล", "--quality", "fast", cwd=tmp_path)
    assert evaluation["skipped"] == []
    assert evaluation["accuracy"]["n_right"] >= 0.8 * evaluation["n_test"]
    page = (tmp_path / "โมเดล" / "report.html").read_text("utf-8")
    assert "แบนโจ" in page
    assert "<b>กลอง" not in page
    sideways = sorted((folder / "แบนโจ").iterdir())[0]
    upright = sorted((photos / "banjo").iterdir())[0]
    turned, straight = tellapart.lines("predict", "โมเดล", sideways, upright, cwd=tmp_path)
    assert turned["class_name"] == straight["class_name"] == "แบนโจ"
    assert abs(turned["confidence"] - straight["confidence"]) < 0.1  # it was compressed once more

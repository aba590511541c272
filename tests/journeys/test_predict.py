"""`tellapart predict`: every way to name photos, every way to be answered."""

import csv
import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

KEYS = {"photo", "answer", "class_name", "confidence", "probs", "error"}


def assert_contract(line: dict, class_names: set[str] | None = None) -> None:
    assert set(line) >= KEYS
    if line["error"] is not None:
        assert line["answer"] is None
        assert line["class_name"] is None
        assert line["confidence"] is None
        return
    assert line["answer"] in {line["class_name"], "not sure", "none of these"}
    assert line["confidence"] == pytest.approx(max(line["probs"].values()))
    assert sum(line["probs"].values()) == pytest.approx(1, abs=1e-4)
    if class_names:
        assert set(line["probs"]) == class_names


def test_one_photo_is_answered_in_a_line(tellapart, trained, photos):
    said = tellapart.works("predict", trained, photos / "drum" / "0005.jpg")
    assert said.startswith("drum  ")
    assert len(said.splitlines()) == 1


def test_photos_folders_globs_and_stdin_name_the_same_photos(tellapart, trained, fresh):
    paths = sorted(str(p) for p in fresh.rglob("*.jpg"))
    one_by_one = tellapart.lines("predict", trained, *paths)
    assert [line["photo"] for line in one_by_one] == paths
    for line in one_by_one:
        assert_contract(line, {"accordion", "banjo", "drum"})
    assert tellapart.lines("predict", trained, fresh) == one_by_one
    assert tellapart.lines("predict", trained, f"{fresh}/*/*.jpg") == one_by_one
    assert tellapart.lines("predict", trained, "-", stdin="\n".join(paths) + "\n") == one_by_one
    n_right = sum(line["class_name"] == Path(line["photo"]).parent.name for line in one_by_one)
    assert n_right >= 9  # of 12


def test_top_prints_that_many_classes_aligned(tellapart, trained, fresh):
    said = tellapart.works("predict", trained, fresh / "drum", "--top", 3).splitlines()
    assert len(said) == 6 * 4
    assert {len(line) for line in said if line.startswith("  ")} == {2 + len("accordion") + 2 + 20 + 2 + 6}


def test_names_are_padded_so_that_answers_stand_below_each_other(tellapart, trained, fresh, tmp_path):
    shutil.copy(fresh / "drum" / sorted(os.listdir(fresh / "drum"))[0], tmp_path / "a.jpg")
    shutil.copy(tmp_path / "a.jpg", tmp_path / "a longer name.jpg")
    first, second = tellapart.works("predict", trained, "a.jpg", "a longer name.jpg", cwd=tmp_path).splitlines()
    assert first.startswith("a.jpg" + " " * 14)
    assert first[19:] == second[19:]


def test_csv_has_a_row_a_photo_and_quotes_formulas(tellapart, trained, fresh, tmp_path):
    photo = next((fresh / "drum").iterdir())
    for name in ("=cmd().jpg", "+1.jpg", "@x.jpg", "plain.jpg"):
        shutil.copy(photo, tmp_path / name)
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    said = tellapart.works("predict", trained, "=cmd().jpg", "+1.jpg", "@x.jpg", "plain.jpg", "broken.jpg",
                           "--csv", "answers.csv", cwd=tmp_path)  # fmt: skip
    assert said == "5 answers: answers.csv\n"
    with (tmp_path / "answers.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["photo"] for row in rows] == ["'=cmd().jpg", "'+1.jpg", "'@x.jpg", "plain.jpg", "broken.jpg"]
    assert list(rows[0]) == ["photo", "answer", "class_name", "confidence", "error", "accordion", "banjo", "drum",
                             "date", "camera"]  # fmt: skip
    assert rows[3]["class_name"] == "drum"
    assert rows[4]["answer"] == ""
    assert rows[4]["error"]


def test_a_csv_that_cannot_be_written_is_refused_before_the_work(tellapart, trained, photos, tmp_path):
    (tmp_path / "file").write_text("mine")
    photo = photos / "drum" / "0005.jpg"
    tellapart.refuses("predict", trained, photo, "--csv", tmp_path / "file" / "x.csv", says=["cannot be written"])
    tellapart.refuses("predict", trained, photo, "--csv", "/proc/x.csv", says=["cannot be written"])
    assert (tmp_path / "file").read_text() == "mine"


def test_odd_names_are_shown_on_one_line_and_come_back_whole_as_json(tellapart, trained, photos, tmp_path):
    photo = photos / "drum" / "0005.jpg"
    names = ["กลอง ชุด.jpg", "two words.jpg", "quote'and\"quote.jpg", "new\nline.jpg", "\x1b[31mred.jpg"]
    for name in names:
        shutil.copy(photo, tmp_path / name)
    undecodable = os.fsencode(tmp_path) + b"/\xff.jpg"
    shutil.copy(photo, undecodable)
    said = tellapart.works("predict", trained, tmp_path)
    assert len(said.splitlines()) == 6
    assert "\x1b[31mred" not in said
    assert "กลอง ชุด.jpg" in said
    lines = tellapart.lines("predict", trained, tmp_path, LC_ALL="C.UTF-8")
    assert {os.fsencode(line["photo"]) for line in lines} == {
        *(os.fsencode(tmp_path / name) for name in names), undecodable,
    }  # fmt: skip
    assert len({json.dumps(line["probs"]) for line in lines}) == 1


def test_imagenet_needs_no_training(tellapart, shared_data):
    pictures = shared_data / "burger_examples"
    said = tellapart.works("predict", "imagenet", pictures / "hotdog.jpg", "--top", 5)
    assert said.startswith("hotdog")
    assert len(said.splitlines()) == 6
    for line in tellapart.lines("predict", "imagenet", pictures):
        assert_contract(line)
        assert len(line["probs"]) == 1000


def test_photos_that_cannot_be_read_are_said_and_the_rest_is_answered(tellapart, trained, photos, tmp_path):
    shutil.copy(photos / "drum" / "0005.jpg", tmp_path / "good.jpg")
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff not much of a JPEG")
    done = tellapart("predict", trained, "good.jpg", "bad.jpg", cwd=tmp_path)
    assert done.returncode == 0
    assert "drum" in done.stdout
    assert done.stderr.startswith("bad.jpg: ")
    assert len(done.stderr.splitlines()) == 1
    tellapart_of_none = tellapart("predict", trained, "bad.jpg", cwd=tmp_path)
    assert tellapart_of_none.returncode == 2
    assert "None of the photos could be read." in tellapart_of_none.stderr


@pytest.mark.parametrize(
    ("photos_named", "says"),
    [(["nothing.jpg"], "There is no photo"), (["*.jpg"], "No photo matches"), (["."], "There are no photos")],
)
def test_photos_that_are_not_there(tellapart, trained, tmp_path, photos_named, says):
    tellapart.refuses("predict", trained, *photos_named, cwd=tmp_path, says=[says])


def test_photos_are_sorted_into_folders_by_every_way_to_name_them(tellapart, trained, fresh, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    answers = {line["photo"]: line["answer"] for line in tellapart.lines("predict", trained, fresh)}
    wanted = sorted([f"{answer}/{Path(photo).name}" for photo, answer in answers.items()] + ["unreadable/broken.jpg"])
    lines = "\n".join([*answers, str(tmp_path / "broken.jpg")])
    for name, args, stdin in (("folder", [fresh, "broken.jpg"], ""), ("glob", [f"{fresh}/**/*.jpg", "bro*"], ""),
                              ("lines", ["-"], lines), ("folder", ["-"], lines)):  # fmt: skip
        done = tellapart("predict", trained, *args, "--sort-into", name, cwd=tmp_path, stdin=stdin)
        assert done.returncode == 0, done.stderr
        copies = [path.relative_to(tmp_path / name).as_posix() for path in (tmp_path / name).rglob("*.*")]
        assert sorted(copies) == wanted
        assert done.stdout.startswith(f"13 photos sorted into {name}{os.sep}")
        assert f"1  unreadable{os.sep}" in done.stdout
        assert "broken.jpg" in done.stderr
    assert all(Path(photo).is_file() for photo in answers)
    again = tellapart("predict", trained, fresh, "--sort-into", "folder", "--json", cwd=tmp_path)
    assert len([json.loads(line) for line in again.stdout.splitlines()]) == 12
    assert "12 were there already" in again.stderr
    tellapart.refuses("predict", trained, "folder", "--sort-into", "folder", cwd=tmp_path, says=["All of the photos"])
    tellapart.refuses("predict", trained, fresh, "--sort-into", trained, says=["is a model folder"])


def test_csv_and_json_say_the_day_and_the_camera(tellapart, trained, photos, tmp_path):
    exif = Image.Exif()
    exif[0x0110] = "Pocket 7"
    exif.get_ifd(0x8769)[0x9003] = "2024:05:31 10:11:12"
    with Image.open(photos / "drum" / "0005.jpg") as image:
        for kind in ("jpg", "png", "webp", "avif"):
            image.save(tmp_path / f"said.{kind}", exif=exif)
        image.save(tmp_path / "silent.png")
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    tellapart.works("predict", trained, ".", "--csv", "answers.csv", cwd=tmp_path)
    with (tmp_path / "answers.csv").open(newline="", encoding="utf-8") as file:
        rows = {Path(row["photo"]).name: (row["date"], row["camera"]) for row in csv.DictReader(file)}
    assert rows.pop("silent.png") == rows.pop("broken.jpg") == ("", "")
    assert len(rows) == 4
    assert set(rows.values()) == {("2024-05-31", "Pocket 7")}
    line = tellapart.lines("predict", trained, tmp_path / "said.webp")[0]
    assert (line["date"], line["camera"]) == ("2024-05-31", "Pocket 7")

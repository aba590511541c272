"""Photos copied into folders of their answers: nothing is lost, nothing is overwritten, whatever things are called."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.errors import InputError
from tellapart.model.predictions import Prediction
from tellapart.workflow.sorting import folder_names, sorter


def said(path: Path, answer: str | None) -> Prediction:
    return Prediction(str(path), answer, error=None if answer else "The photo is damaged.")


def written(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def held(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def sort(target: Path, *predictions: Prediction) -> list[str]:
    found = sorter(str(target), ("hat", "shoe"))
    for prediction in predictions:
        found.sort(prediction)
    return found.sentences()


def test_photos_of_one_name_are_all_there_and_a_second_run_copies_none(tmp_path):
    photos = [written(tmp_path / folder / "1.jpg", content) for folder, content in
              (("a", b"one"), ("b", b"two"), ("c", b"one"))]  # fmt: skip
    shouting = written(tmp_path / "d" / "1.JPG", b"four")
    all_of_them = [said(path, "hat") for path in (*photos, shouting)]
    first = sort(tmp_path / "sorted", *all_of_them)
    copies = {"hat/1.jpg": b"one", "hat/1 (2).jpg": b"two", "hat/1 (3).jpg": b"one", "hat/1 (4).JPG": b"four"}
    assert held(tmp_path / "sorted") == copies
    assert first == [f"4 photos sorted into {tmp_path / 'sorted'}/", "  4  hat/"]
    again = sort(tmp_path / "sorted", *all_of_them)
    assert held(tmp_path / "sorted") == copies
    assert again[0].endswith("of which 4 were there already")
    assert all(path.read_bytes() for path in photos)  # copied, not moved


def test_what_is_there_is_never_overwritten(tmp_path):
    photo = written(tmp_path / "1.jpg", b"new")
    written(tmp_path / "sorted" / "hat" / "1.jpg", b"mine")
    sort(tmp_path / "sorted", said(photo, "hat"))
    assert held(tmp_path / "sorted") == {"hat/1.jpg": b"mine", "hat/1 (2).jpg": b"new"}


def test_a_link_in_a_copy_s_place_is_not_followed(tmp_path):
    photo, elsewhere = written(tmp_path / "1.jpg", b"new"), tmp_path / "elsewhere"
    (tmp_path / "sorted" / "hat").mkdir(parents=True)
    (tmp_path / "sorted" / "hat" / "1.jpg").symlink_to(elsewhere)
    sort(tmp_path / "sorted", said(photo, "hat"))
    assert not elsewhere.exists()
    assert (tmp_path / "sorted" / "hat" / "1 (2).jpg").read_bytes() == b"new"


def test_answers_that_are_no_class_and_what_cannot_be_read(tmp_path):
    paths = {answer: written(tmp_path / f"{i}.jpg", b"x") for i, answer in enumerate(("not sure", "none of these"))}
    broken, gone = written(tmp_path / "broken.jpg", b"no photo"), tmp_path / "gone.jpg"
    lines = sort(tmp_path / "sorted", *(said(path, answer) for answer, path in paths.items()),
                 said(broken, None), said(gone, None), said(tmp_path, None))  # fmt: skip
    assert set(held(tmp_path / "sorted")) == {"not sure/0.jpg", "none of these/1.jpg", "unreadable/broken.jpg"}
    assert lines[1:4] == ["  1  not sure/", "  1  none of these/", "  1  unreadable/"]
    assert str(gone) in lines[4]
    assert str(tmp_path) in lines[4]


def test_a_photo_named_twice_is_copied_once(tmp_path):
    photo = written(tmp_path / "1.jpg", b"x")
    (tmp_path / "link.jpg").symlink_to(photo)
    sort(tmp_path / "sorted", said(photo, "hat"), said(photo, "hat"), said(tmp_path / "link.jpg", "hat"))
    assert set(held(tmp_path / "sorted")) == {"hat/1.jpg"}


def test_a_copy_keeps_the_time_of_its_photo(tmp_path):
    photo = written(tmp_path / "1.jpg", b"x")
    os.utime(photo, (1_000_000_000, 1_000_000_000))
    sort(tmp_path / "sorted", said(photo, "hat"))
    assert (tmp_path / "sorted" / "hat" / "1.jpg").stat().st_mtime == 1_000_000_000


def test_photos_in_the_folders_themselves_are_left_out(tmp_path):
    inside, outside = written(tmp_path / "hat" / "1.jpg", b"x"), written(tmp_path / "new" / "1.jpg", b"y")
    found = sorter(str(tmp_path), ("hat", "shoe"))
    assert found.outside([str(inside), str(outside)]) == (str(outside),)
    with pytest.raises(InputError, match="All of the photos lie in the folders of"):
        found.outside([str(inside)])


def test_places_that_are_none(tmp_path):
    written(tmp_path / "file", b"mine")
    written(tmp_path / "model" / "manifest.json", b"{}")
    for place, words in (("file", "is not a folder"), ("model", "is a model folder"), ("file/in", "cannot be written")):
        with pytest.raises(InputError, match=words):
            sorter(str(tmp_path / place), ("hat", "shoe"))
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_class_names_that_no_folder_can_have():
    names = ["a/b", "a-b", "A-B", "..", ".", " ", "con", "NUL.txt", "x" * 200, "x" * 199, "猫" * 100, "a:b?", "end.",
             "café", "cafe\u0301", "\n", "not sure"]  # fmt: skip
    found = folder_names(names)
    assert found[:5] == ["a-b", "a-b (2)", "A-B (3)", "_", "_ (2)"]
    assert found[6:8] == ["_con", "_NUL.txt"]
    assert found[-1] == "not sure"
    assert len({name.casefold() for name in found}) == len(names)


@given(st.lists(st.text(max_size=200), max_size=20))
def test_whatever_classes_are_called_they_have_folders_of_their_own(names):
    found = folder_names(names)
    assert len({name.casefold() for name in found}) == len(names)
    for name in found:
        assert 0 < len(name.encode()) <= 130
        assert name not in (".", "..")
        assert not set(name) & set('<>:"/\\|?*\0\n')
        assert name == name.strip()
        assert not name.endswith(".")


COPY = """
import sys
from tellapart.model.predictions import Prediction
from tellapart.workflow.sorting import sorter
found = sorter(sys.argv[1], ("hat", "shoe"))
for n in range(40):
    found.sort(Prediction(f"{sys.argv[2]}/{n}.jpg", "hat"))
    print(n, flush=True)
"""


@pytest.mark.slow
def test_a_run_that_is_killed_leaves_whole_copies_and_is_gone_on_with(tmp_path):
    for n in range(40):
        written(tmp_path / "photos" / f"{n}.jpg", bytes([n]) * 1_000_000)
    run = [sys.executable, "-c", COPY, tmp_path / "sorted", tmp_path / "photos"]
    with subprocess.Popen(run, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(3):
            process.stdout.readline()
        time.sleep(0.005)
        process.kill()
    photos = {f"hat/{n}.jpg": bytes([n]) * 1_000_000 for n in range(40)}
    left = {name: content for name, content in held(tmp_path / "sorted").items() if "partial" not in name}
    assert len(left) >= 3
    assert left.items() <= photos.items()
    subprocess.run(run, check=True, stdout=subprocess.DEVNULL)
    assert held(tmp_path / "sorted") == photos

"""Photos moved into class folders of their own folder, and back: nothing lost, nothing overwritten."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tellapart.data.source import scan
from tellapart.errors import InputError
from tellapart.storage.moves import read_list
from tellapart.studio.heap import read_heap
from tellapart.studio.state import Mark
from tellapart.studio.writing import moving
from tellapart.studio.writing.moving import LIST, move_back, move_into_classes, n_moved


def quiet(*_):
    pass


@pytest.fixture
def state(tmp_path):
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()
    }


def marked(source, state, labels, **more):
    """The marks of a heap: what its folders say, and `labels` by name."""
    photos = read_heap(str(source), state).photos
    marks = {photo.id: Mark(photo.label) for photo in photos}
    return {**marks, **{photo.id: Mark(labels[photo.name], **more) for photo in photos if photo.name in labels}}


def test_into_order_and_back(photos, state):
    (photos / "hat" / "0.jpg").write_bytes((photos / "0.jpg").read_bytes())  # a copy, and its name is taken
    before = tree(photos)
    labels = {"0.jpg": "hat", "1.jpg": "mug", "hat/1.jpg": "shoe", "2.jpg": "a/b"}
    marks = marked(photos, state, labels)
    told = move_into_classes(str(photos), state, marks, quiet)
    now = tree(photos)
    assert sorted(now.values()) == sorted(before.values())
    assert {"hat/0.jpg", "hat/0 (2).jpg", "mug/1.jpg", "shoe/1 (2).jpg", "a_b/2.jpg", "hat/2.jpg"} <= now.keys()
    assert not {"0.jpg", "hat/1.jpg", "2.jpg"} & now.keys()
    assert told["n_photos"] == len(read_list(state / LIST)) == n_moved(str(photos), state)
    again = read_heap(str(photos), state).photos
    assert {photo.id for photo in again} == marks.keys()  # known wherever they are
    assert move_into_classes(str(photos), state, marks, quiet)["n_photos"] in (0, 1)  # "a/b" is no folder's name
    back = move_back(str(photos), state, quiet)
    assert tree(photos) == before
    assert sorted(path.name for path in photos.iterdir() if path.is_dir()) == ["hat", "shoe"]
    assert back["n_photos"] >= told["n_photos"]
    assert not (state / LIST).exists()
    assert n_moved(str(photos), state) == 0


def test_what_is_trained_on_afterwards_is_what_was_said(photos, state):
    marks = marked(photos, state, {f"{n}.jpg": "mug" for n in range(6)} | {"hat/1.jpg": "cap", "hat/2.jpg": "cap"})
    told = move_into_classes(str(photos), state, marks, quiet)
    assert "tellapart train" in told["command"]
    dataset = scan(str(photos))
    assert dataset.class_names == ("cap", "mug", "shoe")
    assert dataset.n == 10


def test_photos_without_a_label_stay_and_are_told(photos, state):
    marks = marked(photos, state, {"hat/1.jpg": "", "hat/2.jpg": "shoe"}, out=True)
    before = tree(photos)
    told = move_into_classes(str(photos), state, marks, quiet)
    assert (told["n_photos"], told["command"], tree(photos)) == (0, "", before)
    assert "2 photos without a label, or left out, stay" in told["notes"][0]


@pytest.mark.parametrize("shape", ["{split}/{name}", "{name}/{split}"])
def test_a_part_for_testing_stays_one(tmp_path, state, shape):
    source = tmp_path / "set"
    for n, (split, name) in enumerate((s, c) for s in ("Training", "valid") for c in ("hat", "shoe") for _ in range(2)):
        path = source / shape.format(split=split, name=name) / f"{n}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 20 + n), "teal").save(path)
    names = {photo.place: photo.name for photo in read_heap(str(source), state).photos}
    of = {int(Path(place).stem): name for place, name in names.items()}
    marks = marked(source, state, {of[0]: "shoe", of[4]: "shoe", of[5]: "mug"})
    move_into_classes(str(source), state, marks, quiet)
    dataset = scan(str(source))
    said = zip(dataset.places, dataset.labels, dataset.splits, strict=True)
    found = {Path(place).stem: (dataset.class_names[label], str(split)) for place, label, split in said}
    assert (found["0"], found["4"], found["5"]) == (("shoe", "train"), ("shoe", "val"), ("mug", "val"))


def test_nothing_is_overwritten_on_the_way_back(photos, state):
    move_into_classes(str(photos), state, marked(photos, state, {"0.jpg": "mug", "1.jpg": "mug"}), quiet)
    (photos / "0.jpg").write_text("new")
    (photos / "mug" / "1.jpg").write_bytes(b"edited since")
    told = move_back(str(photos), state, quiet)
    assert told["n_photos"] == 0
    assert "there is a file of this name again" in told["notes"][0]
    assert (photos / "0.jpg").read_text() == "new"
    assert n_moved(str(photos), state) == 2
    (photos / "0.jpg").unlink()
    assert move_back(str(photos), state, quiet)["n_photos"] == 1


def test_a_list_of_photos_and_a_folder_behind_a_link_are_not_moved(photos, state, tmp_path):
    table = tmp_path / "a.csv"
    table.write_text(f"path,label\n{photos}/0.jpg,hat\n")
    with pytest.raises(InputError, match="a list of photos"):
        move_into_classes(str(table), state, {}, quiet)
    (tmp_path / "away").mkdir()
    os.rename(photos / "hat", tmp_path / "away" / "hat")
    (photos / "hat").symlink_to(tmp_path / "away" / "hat")
    before = tree(tmp_path / "away")
    told = move_into_classes(str(photos), state, marked(photos, state, {"hat/1.jpg": "shoe"}), quiet)
    assert "link" in told["notes"][0]
    assert tree(tmp_path / "away") == before


def test_a_list_of_another_folder_is_refused(photos, state, tmp_path):
    move_into_classes(str(photos), state, marked(photos, state, {"0.jpg": "mug"}), quiet)
    (tmp_path / "other").mkdir()
    other = str(tmp_path / "other")
    with pytest.raises(InputError, match="is about"):
        move_into_classes(other, state, {}, quiet)
    with pytest.raises(InputError, match="is about"):
        move_back(other, state, quiet)


KILLED = """
import os, signal, sys
from pathlib import Path
from tellapart.storage import moves
from tellapart.studio.heap import read_heap
from tellapart.studio.state import Mark
from tellapart.studio.writing.moving import move_into_classes
source, state, where, at = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
whole, n = getattr(moves, where), 0
def once(*given):
    global n
    n += 1
    if n == at:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(*given)
setattr(moves, where, once)
marks = {photo.id: Mark("mug") for photo in read_heap(source, state).photos}
move_into_classes(source, state, marks, lambda *_: None)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kills by a signal")
@pytest.mark.parametrize(("where", "at"), [("append_line", 3), ("move_file", 3)])
def test_a_kill_at_any_moment_can_be_undone(photos, state, where, at):
    before = tree(photos)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(photos), str(state), where, str(at)], check=False)
    assert killed.returncode == -9
    assert n_moved(str(photos), state) == 2
    move_back(str(photos), state, quiet)
    assert tree(photos) == before


def test_a_folder_that_may_not_be_written_moves_nothing(photos, state, monkeypatch):
    def refuse(folders):
        raise InputError(f"Photos cannot be moved out of {min(folders)}: permission denied.")

    monkeypatch.setattr(moving, "refuse_read_only", refuse)
    before = tree(photos)
    with pytest.raises(InputError, match="permission denied"):
        move_into_classes(str(photos), state, marked(photos, state, {"0.jpg": "mug"}), quiet)
    assert tree(photos) == before

"""Copies in class folders and a zip: whole or not at all, nothing overwritten, read again as `train` reads."""

import errno
import os
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from tellapart.data.source import scan
from tellapart.errors import InputError
from tellapart.studio.heap import read_heap
from tellapart.studio.state import Mark
from tellapart.studio.writing import copying
from tellapart.studio.writing.copying import write_folders, write_zip


def quiet(*_):
    pass


@pytest.fixture
def studio(photos, tmp_path):
    """A heap of eleven photos, nine of them labelled, and its marks."""
    Image.new("RGB", (30, 30), "red").save(photos / "shoe" / "0.jpg")
    os.rename(photos / "5.jpg", os.fsencode(photos) + b"/\xff.jpg")
    heap = read_heap(str(photos), tmp_path / "state")
    labels = {"0.jpg": "shoe", "1.jpg": '=hat, "the" 2nd', "2.jpg": '=hat, "the" 2nd', "\ufffd.jpg": "hat"}
    marks = {photo.id: Mark(labels.get(photo.name, photo.label)) for photo in heap.photos}
    return str(photos), heap.photos, marks


@pytest.fixture
def write(studio, tmp_path):
    """Writes a folder or a zip: `write(form, out)`; what was said."""
    (tmp_path / "journal.jsonl").write_text("{}\n")

    def go(form, out, progress=quiet):
        source, photos, marks = studio
        if form == "folder":
            return write_folders(str(out), source, photos, marks, progress)
        return write_zip(str(out), source, photos, marks, tmp_path / "journal.jsonl", progress)

    return go


def contents(dataset):
    """{(class, content)} of a data set."""
    return sorted((dataset.class_names[dataset.labels[i]], dataset.read(i)) for i in range(dataset.n))


def wanted(studio):
    _, photos, marks = studio
    return sorted((marks[photo.id].label, Path(photo.place).read_bytes()) for photo in photos if marks[photo.id].label)


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_it_is_read_again_as_it_was_said(form, studio, write, tmp_path):
    steps = []
    out = tmp_path / "out" / ("set.zip" if form == "zip" else "set")
    told = write(form, out, lambda *step: steps.append(step))
    assert told["n_photos"] == len(steps) == steps[-1][1] == steps[-1][2] == 9
    assert any("Not in it: 2 photos" in note for note in told["notes"])
    unpacked = out
    if form == "zip":
        with zipfile.ZipFile(out) as archive:
            assert archive.testzip() is None
            assert archive.read("journal.jsonl") == b"{}\n"
            unpacked = tmp_path / "unpacked"
            archive.extractall(unpacked)
    assert contents(scan(str(unpacked / "photos.csv"))) == wanted(studio)
    by_folders = {"=hat, _the_ 2nd": '=hat, "the" 2nd'}
    assert sorted((by_folders.get(name, name), data) for name, data in contents(scan(str(out)))) == wanted(studio)
    assert sorted(os.listdir(tmp_path / "out")) == [out.name]


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_nothing_is_overwritten_and_nothing_written_among_the_photos(form, studio, write, tmp_path):
    there = tmp_path / "there"
    there.write_text("mine")
    for out in (there, studio[0] + "/new", studio[0], "", "\0"):
        with pytest.raises(InputError):
            write(form, out)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="nothing is overwritten"):
        write(form, tmp_path / "empty")
    appears = tmp_path / "late"
    with pytest.raises(InputError, match="nothing is overwritten"):
        write(form, appears, lambda _, done, __: appears.write_text("mine"))
    assert (there.read_text(), appears.read_text()) == ("mine", "mine")


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_a_photo_that_has_changed_is_said_and_not_in_it(form, studio, write, tmp_path, photos):
    (photos / "0.jpg").write_bytes(b"another")
    (photos / "hat" / "1.jpg").unlink()
    told = write(form, tmp_path / "out.zip")
    assert told["n_photos"] == 7
    assert any("2 photos were changed or taken away" in note for note in told["notes"])
    assert len(contents(scan(str(tmp_path / "out.zip")))) == 7


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_a_full_disk_leaves_nothing(form, write, tmp_path, monkeypatch):
    n = 0

    def copy(photo, file):
        nonlocal n
        n += 1
        if n > 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        return file.write(Path(photo.place).read_bytes())

    monkeypatch.setattr(copying, "_copy", copy)
    with pytest.raises(InputError, match="no space left") as caught:
        write(form, tmp_path / "out" / "set")
    assert "Nothing was left there" in caught.value.hint
    assert os.listdir(tmp_path / "out") == []


def test_a_zip_that_train_would_refuse_is_told(write, tmp_path, monkeypatch):
    monkeypatch.setattr(copying, "MAX_ENTRIES", 10)
    told = write("zip", tmp_path / "set.zip")
    assert told["command"] == ""
    assert "unpack it" in told["notes"][-1]


def test_what_chance_drew_goes_with_the_copies(studio, tmp_path):
    source, photos, marks = studio
    splits = {
        photo.id: ("crossed", "train")[number % 2] for number, photo in enumerate(photos) if marks[photo.id].label
    }
    groups = dict.fromkeys(list(splits)[:2], "scene")
    told = write_folders(str(tmp_path / "set"), source, photos, marks, quiet, groups=groups, splits=splits)
    assert "photos.csv" in told["command"]  # the folders would say nothing of it
    dataset = scan(tmp_path / "set" / "photos.csv", group_by=None)
    assert sorted(dataset.splits) == sorted(splits.values())
    assert sorted(dataset.groups.names)[-2:] == ["scene", "scene"]

"""Rows find their photo by content, by path, by name; and are never given to one that they might not mean."""

import shutil

import pytest
from PIL import Image

from tellapart.studio.heap import read_heap
from tellapart.studio.labels_in.finding import AMBIGUOUS, UNKNOWN, Finder
from tellapart.studio.labels_in.given import NO_FILE, Given


@pytest.fixture
def found(photos, tmp_path):
    """The names of the photos that rows mean, or why none: `found(row, …, folder="")`."""
    for n, name in enumerate(("deep/a/x.jpg", "deep/b/x.jpg", "My photo (1).jpg", "é.jpg")):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 20 + n), "teal").save(photos / name)
    heap = read_heap(str(photos), tmp_path / "state")
    names = {photo.id: photo.name for photo in heap.photos}

    def run(*rows, folder=""):
        rows = [row if isinstance(row, Given) else Given(row, "hat") for row in rows]
        finder = Finder(heap.photos, rows, str(folder))
        return [why or names[photo] for photo, why in map(finder.find, rows)]

    return run


def test_by_path_from_any_machine(found):
    paths = (
        "hat/1.jpg",
        "./shoe/1.jpg",
        "/home/ada/set/hat/2.jpg",
        "C:/set/deep/b/x.jpg",
        "a/x.jpg",
        "../photos/0.jpg",
    )
    names = ["hat/1.jpg", "shoe/1.jpg", "hat/2.jpg", "deep/b/x.jpg", "deep/a/x.jpg", "0.jpg"]
    assert found(*paths) == names


def test_by_a_name_that_is_one_photos_alone(found):
    assert found("elsewhere/3.jpg", "x.jpg", "other/1.jpg", "e\u0301.jpg", "9.jpg", "", "..") == [
        "3.jpg", AMBIGUOUS, AMBIGUOUS, "é.jpg", UNKNOWN, NO_FILE, NO_FILE,
    ]  # fmt: skip
    assert found("cats/3.jpg", "dogs/3.jpg") == [AMBIGUOUS, AMBIGUOUS]  # of which one is here


def test_by_what_label_studio_and_fiftyone_make_of_names(found):
    def uploaded(path):
        return Given(path, "hat", uploaded=True)

    rows = ("/data/upload/1/3f2a9b1c-3.jpg", "1/00000000-My_photo_1.jpg", "1/11111111-x.jpg", "1/zzzzzzzz-3.jpg")
    assert found(*map(uploaded, rows)) == ["3.jpg", "My photo (1).jpg", AMBIGUOUS, UNKNOWN]
    assert found(uploaded("3f2a9b1c-4.jpg"), uploaded("00000000-4.jpg")) == [AMBIGUOUS, AMBIGUOUS]
    stems = [Given(stem, "hat", stem=True) for stem in ("3", "deep/a/x", "My photo (1)", "1", "3.jpg")]
    assert found(*stems) == ["3.jpg", "deep/a/x.jpg", "My photo (1).jpg", "1.jpg", UNKNOWN]


def test_by_content_where_the_file_is_there(found, photos, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(photos / "hat" / "1.jpg", other / "3.jpg")  # a name that another photo has here
    Image.new("RGB", (9, 9), "red").save(other / "hat.jpg")
    shutil.copy(other / "hat.jpg", other / "4.jpg")  # a photo of this name, and it is another one
    assert found("3.jpg", "4.jpg", str(other / "3.jpg"), folder=other) == ["hat/1.jpg", UNKNOWN, "hat/1.jpg"]
    assert found("3.jpg", str(other / "3.jpg")) == ["3.jpg", "hat/1.jpg"]  # of a page: nothing is relative to anything


def test_nothing_is_opened_that_lies_outside_or_is_no_file(found, tmp_path, photos, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(photos / "hat" / "1.jpg", tmp_path / "3.jpg")
    assert found("../3.jpg", folder=other) == ["3.jpg"]  # by its name, not by what lies there
    opened = []
    monkeypatch.setattr("tellapart.studio.labels_in.finding.identity_of_file", lambda place: opened.append(place) or "")
    assert found("/dev/zero", "/etc/passwd", "//host/share/3.jpg", "\0", "a" * 9_000) == [
        UNKNOWN, UNKNOWN, "3.jpg", UNKNOWN, UNKNOWN,
    ]  # fmt: skip
    assert not opened

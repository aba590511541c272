"""What was said, as a label file: read again by what `train` reads it with."""

import os
import sys

import pytest

from tellapart.data.source import scan
from tellapart.errors import InputError
from tellapart.studio.heap import read_heap
from tellapart.studio.state import Mark
from tellapart.studio.table import label_file


def read_again(tmp_path, photos, marks):
    written = label_file(photos, marks)
    (tmp_path / "photos.csv").write_bytes(written.content)
    dataset = scan(tmp_path / "photos.csv")
    labels = [dataset.class_names[label] for label in dataset.labels]
    assert dataset.n == written.n_photos
    return dict(zip(dataset.places, zip(labels, dataset.splits.tolist(), strict=True), strict=True)), written.left


def test_it_is_what_was_said_and_says_what_is_not_in_it(photos, tmp_path):
    heap = read_heap(str(photos), tmp_path / "state")
    marks = {photo.id: Mark(photo.label) for photo in heap.photos}
    by_name = {photo.name: photo for photo in heap.photos}
    marks[by_name["0.jpg"].id] = Mark('a "b", c')
    marks[by_name["1.jpg"].id] = Mark(none=True)
    marks[by_name["hat/1.jpg"].id] = Mark("hat", out=True)
    said, left = read_again(tmp_path, heap.photos, marks)
    assert said == {
        str(photos / "0.jpg"): ('a "b", c', ""),
        str(photos / "hat" / "2.jpg"): ("hat", ""),
        str(photos / "shoe" / "1.jpg"): ("shoe", ""),
        str(photos / "shoe" / "2.jpg"): ("shoe", ""),
    }
    assert left == "Not in it: 6 photos (1 left out, 1 of none of these, 4 without a label)."


def test_the_split_of_the_source_is_kept_and_the_rest_trains(photos, tmp_path):
    (tmp_path / "split").mkdir()
    (photos / "hat").rename(tmp_path / "split" / "hat")
    for part in ("train", "test"):
        (tmp_path / "set" / part / "hat").mkdir(parents=True)
        (tmp_path / "set" / part / "shoe").mkdir()
    for n, part in ((1, "train"), (2, "test")):
        (photos / "shoe" / f"{n}.jpg").rename(tmp_path / "set" / part / "shoe" / f"{n}.jpg")
        (tmp_path / "split" / "hat" / f"{n}.jpg").rename(tmp_path / "set" / part / "hat" / f"{n}.jpg")
    (photos / "0.jpg").rename(tmp_path / "set" / "0.jpg")
    heap = read_heap(str(tmp_path / "set"), tmp_path / "state")
    marks = {photo.id: Mark(photo.label or "hat") for photo in heap.photos}
    said, left = read_again(tmp_path, heap.photos, marks)
    assert said[str(tmp_path / "set" / "test" / "hat" / "2.jpg")] == ("hat", "test")
    assert said[str(tmp_path / "set" / "0.jpg")] == ("hat", "train")
    assert left == ""


def test_a_spreadsheet_runs_none_of_it_and_train_reads_it_as_it_was(photos, tmp_path):
    (photos / "hat" / "1.jpg").rename(photos / "hat" / "a;=1.jpg")
    heap = read_heap(str(photos), tmp_path / "state")
    written = label_file(heap.photos, {photo.id: Mark(photo.label and "=1+1") for photo in heap.photos})
    assert b",'=1+1," in written.content
    assert b";=" not in written.content
    said, _ = read_again(tmp_path, heap.photos, {photo.id: Mark(photo.label and "=1+1") for photo in heap.photos})
    assert set(said.values()) == {("=1+1", "")}
    assert str(photos / "hat" / "a;=1.jpg") in said


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' names are Unicode")
def test_a_name_that_is_no_text_is_left_and_said(photos, tmp_path):
    os.rename(os.fsencode(photos / "hat" / "1.jpg"), os.fsencode(photos / "hat") + b"/\xff.jpg")
    heap = read_heap(str(photos), tmp_path / "state")
    said, left = read_again(tmp_path, heap.photos, {photo.id: Mark(photo.label) for photo in heap.photos})
    assert len(said) == 3
    assert "1 with names that cannot stand in a table" in left


def test_without_a_label_there_is_nothing_to_write(photos, tmp_path):
    heap = read_heap(str(photos), tmp_path / "state")
    with pytest.raises(InputError, match="No photo has a label yet"):
        label_file(heap.photos, {photo.id: Mark() for photo in heap.photos})

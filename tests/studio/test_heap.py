"""Which photos a source has, whatever form it is in, each known by its content."""

import os
import sys

import pytest

from tellapart.errors import InputError
from tellapart.studio.heap import INDEX, identity, read_heap


def names(heap):
    return {photo.name: photo.label for photo in heap.photos}


def test_a_folder_without_classes_is_a_heap_without_labels(photos, tmp_path):
    for name in ("hat", "shoe"):
        for path in (photos / name).iterdir():
            path.unlink()
        (photos / name).rmdir()
    heap = read_heap(str(photos), tmp_path / "state")
    assert names(heap) == {f"{n}.jpg": "" for n in range(6)}
    assert heap.class_names == ()


def test_class_folders_give_labels_and_loose_photos_have_none(photos, tmp_path):
    (photos / "mug").mkdir()
    (photos / "notes.txt").write_text("x")
    (photos / "hat" / "empty.jpg").touch()
    heap = read_heap(str(photos), tmp_path / "state")
    assert names(heap)["hat/1.jpg"] == "hat"
    assert names(heap)["3.jpg"] == ""
    assert heap.class_names == ("hat", "mug", "shoe")
    assert heap.unusable == (("hat/empty.jpg", "empty file"), ("notes.txt", "not a photo file (.txt)"))


def test_a_label_file_gives_labels_and_splits(photos, tmp_path):
    table = photos / "labels.csv"
    table.write_text("path,label,split\n0.jpg,hat,train\n1.jpg,shoe,test\nhat/1.jpg,hat,train\n")
    heap = read_heap(str(table), tmp_path / "state")
    assert [(os.path.basename(p.name), p.label, p.split) for p in heap.photos] == [
        ("0.jpg", "hat", "train"),
        ("1.jpg", "shoe", "test"),
        ("1.jpg", "hat", "train"),
    ]


def test_a_label_file_gives_groups_and_says_where_they_cannot_be_understood(photos, tmp_path):
    table = photos / "labels.csv"
    table.write_text("path,label,split,group\n0.jpg,hat,crossed,a\n1.jpg,shoe,train,\nhat/1.jpg,hat,train,a\n")
    heap = read_heap(str(table), tmp_path / "state")
    assert [(p.split, p.group) for p in heap.photos] == [("crossed", "a"), ("train", ""), ("train", "a")]
    table.write_text("path,label,lot,patient\n0.jpg,hat,a,1\n1.jpg,shoe,,2\n")
    heap = read_heap(str(table), tmp_path / "state")
    assert [p.group for p in heap.photos] == ["", ""]
    assert any("has several columns" in note and "no photos are kept together" in note for note in heap.notes)


def test_copies_are_one_photo_and_have_no_class_where_they_are_in_two(photos, tmp_path):
    content = (photos / "hat" / "1.jpg").read_bytes()
    (photos / "hat" / "again.jpg").write_bytes(content)
    (photos / "shoe" / "other.jpg").write_bytes((photos / "hat" / "2.jpg").read_bytes())
    heap = read_heap(str(photos), tmp_path / "state")
    by_name = {photo.name: photo for photo in heap.photos}
    assert (by_name["hat/1.jpg"].n_files, by_name["hat/1.jpg"].label) == (2, "hat")
    assert (by_name["hat/2.jpg"].n_files, by_name["hat/2.jpg"].label) == (2, "")
    assert "hat/again.jpg" not in by_name
    assert by_name["hat/1.jpg"].id == identity(content)


def test_a_folder_of_none_of_these_is_what_a_person_says_of_its_photos(photos, tmp_path):
    (photos / "shoe").rename(photos / "None of these")
    heap = read_heap(str(photos), tmp_path / "state")
    assert {(p.label, p.none) for p in heap.photos if p.name.startswith("None")} == {("", True)}
    assert heap.class_names == ("hat",)


def test_what_was_read_is_read_again_only_where_it_changed(photos, tmp_path):
    first = read_heap(str(photos), tmp_path / "state")
    place = photos / "0.jpg"
    before = place.stat()
    place.write_bytes(place.read_bytes() + b"1")
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns + 10**9))
    seen = []
    second = read_heap(str(photos), tmp_path / "state", lambda *told: seen.append(told))
    changed = {a.name for a, b in zip(first.photos, second.photos, strict=True) if a.id != b.id}
    assert changed == {"0.jpg"}
    assert seen[-1] == ("photos", 10, 10)


@pytest.mark.parametrize("spoiled", [b"", b"[1]", b'{"a":1}', b"\xff", b'{"a":["x","y","z"]}'])
def test_a_damaged_index_costs_time_alone(photos, tmp_path, spoiled):
    (tmp_path / "state").mkdir(exist_ok=True)
    (tmp_path / "state" / INDEX).write_bytes(spoiled)
    assert len(read_heap(str(photos), tmp_path / "state").photos) == 10


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' names are Unicode")
def test_names_that_are_not_utf_8(photos, tmp_path):
    os.rename(os.fsencode(photos / "0.jpg"), os.fsencode(photos) + b"/\xff.jpg")
    for _ in range(2):  # the second time from the index
        heap = read_heap(str(photos), tmp_path / "state")
        assert "\ufffd.jpg" in names(heap)


@pytest.mark.parametrize(
    ("name", "sentence"), [("gone", 'There is no "'), ("a.zip", "is neither a folder nor a label")]
)
def test_what_cannot_be_labelled_is_a_sentence(tmp_path, name, sentence):
    (tmp_path / "a.zip").write_bytes(b"PK")
    with pytest.raises(InputError, match=sentence):
        read_heap(str(tmp_path / name), tmp_path)


def test_class_folders_that_look_the_same_are_refused(photos, tmp_path):
    (photos / "shoe").rename(photos / "hat ")
    with pytest.raises(InputError, match="look the same"):
        read_heap(str(photos), tmp_path / "state")

"""Where photos stand below a new folder: names that every system takes, and that are understood as they are meant."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.data.listing import is_stray
from tellapart.errors import InputError
from tellapart.studio.heap import Photo
from tellapart.studio.state import Mark
from tellapart.studio.writing.layout import Names, class_folders, safe_name


def laid(*rows):
    """The layout of photos of (place, label, split), each of its own content."""
    photos = [
        Photo(str(n), place, f"/set/{place}", "", False, split, 0.0, 1) for n, (place, _, split) in enumerate(rows)
    ]
    return class_folders(photos, {str(n): Mark(label) for n, (_, label, _) in enumerate(rows)})


def paths(layout):
    return [path for _, path in layout.places]


def test_class_and_file_and_numbers_where_names_clash():
    layout = laid(("a/1.jpg", "hat", ""), ("b/1.JPG", "hat", ""), ("c/1.jpg", "hat", ""), ("1.jpg", "shoe", ""))
    assert paths(layout) == ["hat/1.jpg", "hat/1 (2).JPG", "hat/1 (3).jpg", "shoe/1.jpg"]
    assert (layout.whole, layout.notes) == (True, ())


def test_splits_are_folders_above():
    layout = laid(("1.jpg", "hat", "test"), ("2.jpg", "hat", ""), ("3.jpg", "shoe", "train"), ("4.jpg", "shoe", "test"))
    assert paths(layout) == ["test/hat/1.jpg", "train/hat/2.jpg", "train/shoe/3.jpg", "test/shoe/4.jpg"]
    assert layout.whole


def test_classes_that_no_folder_can_be_called_are_told():
    rows = [("1.jpg", "a/b", ""), ("2.jpg", "Hat", ""), ("3.jpg", "hat", ""), ("4.jpg", "con", ""), ("5.jpg", "..", "")]
    layout = laid(*rows, ("6.jpg", "photos.csv", ""), ("7.jpg", ".x", ""))
    folders = [path.partition("/")[0] for path in paths(layout)]
    assert folders == ["a_b", "Hat", "hat (2)", "con_", "_", "photos (2).csv", "_.x"]
    assert not layout.whole
    assert '"a/b" is "a_b"' in layout.notes[0] or '".." is' in layout.notes[0]


def test_folders_that_would_be_taken_for_parts_are_told():
    layout = laid(*((f"{n}.jpg", name, "") for n, name in enumerate(["train", "test"])))
    assert not layout.whole
    assert "train on photos.csv" in layout.notes[0]


def test_nothing_labelled():
    with pytest.raises(InputError, match="No photo has a label"):
        laid(("1.jpg", "", ""))


names = st.one_of(
    st.text(st.characters(), max_size=300),
    st.text("ab./\\:~ \udcff\u202e\0", max_size=20),
    st.sampled_from(["NUL.jpg", "con", "Thumbs.db", ".hidden.jpg", "x" * 400 + ".jpg", "x." + "y" * 400]),
)


@given(st.lists(names, max_size=8))
def test_any_name_becomes_one_that_every_system_takes(wanted):
    taken = Names()
    made = [taken.take(safe_name(name)) for name in wanted]
    assert len({name.casefold() for name in made}) == len(made)
    assert [safe_name(safe_name(name)) for name in wanted] == [*map(safe_name, wanted)]
    for name in made:
        assert name.isprintable()
        assert not set('<>:"/\\|?*') & set(name)
        assert len(os.fsencode(name)) < 255
        assert name[-1] not in ". "
        assert not is_stray(name)

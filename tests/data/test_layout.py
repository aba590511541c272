"""Which folders are classes and which are splits; test_source.py has whole sources."""

import pytest

from tellapart.data.layout import NOT_INSIDE_CLASS, arrange
from tellapart.data.listing import Found, Listing
from tellapart.data.meaning.class_names import normal


def arranged(*files, folders=(), prefix=""):
    """What `arrange` makes of these files: {photo: (class, split, reason)}, and the names of classes."""
    parts = [tuple(name.split("/")) for name in files]
    above = {one[:n] for one in parts for n in range(1, len(one))} | {tuple(name.split("/")) for name in folders}
    listing = Listing([Found(one, "/".join(one)) for one in parts], above)
    placed, class_names, _ = arrange(listing, prefix)
    return {one.photo: (one.class_name, one.split, one.reason) for one in placed}, class_names


def test_a_photo_belongs_to_the_uppermost_folder_it_lies_in():
    placed, names = arranged("hat/1.jpg", "hat/old/2.jpg", "shoe/3.jpg", "4.jpg", folders=["cap"], prefix="photos/")
    assert placed == {
        "photos/hat/1.jpg": ("hat", "", ""),
        "photos/hat/old/2.jpg": ("hat", "", ""),
        "photos/shoe/3.jpg": ("shoe", "", ""),
        "photos/4.jpg": ("", "", NOT_INSIDE_CLASS),
    }
    assert names == {"hat", "shoe", "cap"}


@pytest.mark.parametrize("wrapper", ["", "set/"])
def test_splits_by_their_common_names(wrapper):
    files = ("Training/hat/1.jpg", "valid/hat/2.jpg", "test/shoe/3.jpg", "train/4.jpg", "notes/hat/5.jpg")
    placed, names = arranged(*(wrapper + file for file in files))
    assert list(placed.values()) == [
        ("hat", "train", ""),
        ("hat", "val", ""),
        ("shoe", "test", ""),
        ("", "", NOT_INSIDE_CLASS),
        ("", "", "not inside a train, val or test folder"),
    ]
    assert names == {"hat", "shoe"}


def test_a_class_may_be_called_like_a_split():
    placed, names = arranged("train/1.jpg", "bus/2.jpg", "train/old/3.jpg")
    assert {one[:2] for one in placed.values()} == {("train", ""), ("bus", "")}
    assert names == {"train", "bus"}


def test_a_wrapper_that_holds_photos_itself_is_a_class():
    assert arranged("set/1.jpg", "set/hat/2.jpg")[1] == {"set"}
    assert arranged("set/hat/2.jpg", "1.jpg")[0]["1.jpg"] == ("", "", NOT_INSIDE_CLASS)


def test_two_spellings_are_one_class():
    assert normal("cafe\u0301") == "caf\u00e9"
    placed, names = arranged("cafe\u0301/1.jpg", "caf\u00e9/2.jpg")
    assert names == {"caf\u00e9"} == {one[0] for one in placed.values()}

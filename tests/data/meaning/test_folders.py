"""Folders that are splits, folders that hold splits, and folders that could be either; test_layout.py has the rest."""

import pytest

from tellapart.data.layout import Arranged, arrange
from tellapart.data.listing import Found, Listing
from tellapart.errors import InputError


def arranged(*files: str) -> Arranged:
    parts = [tuple(name.split("/")) for name in files]
    folders = {one[:n] for one in parts for n in range(1, len(one))}
    return arrange(Listing([Found(one, "/".join(one)) for one in parts], folders), "photos/")


def grid(tops: str, below: str, extra: str = "") -> list[str]:
    """Two photos in each of the folders `below` in each of `tops`."""
    return [f"{top}/{one}/{extra}{n}.jpg" for top in tops.split() for one in below.split() for n in (1, 2)]


def by_split(made: Arranged) -> dict[str, set[str]]:
    used = [one for one in made.placed if not one.reason]
    return {split: {one.class_name for one in used if one.split == split} for split in sorted({o.split for o in used})}


@pytest.mark.parametrize(
    ("tops", "splits"),
    [
        ("training_set test_set", "test train"),
        ("seg_train seg_test", "test train"),
        ("TRAIN TEST", "test train"),
        ("trn dev holdout", "test train val"),
        ("train eval", "test train"),
        ("train2 test2", "test train"),
        ("训练集 测试集", "test train"),
        ("clothes_train clothes_test", "test train"),  # other words, but the same folders inside
        ("train_summer test_winter", "test train"),
    ],
)
@pytest.mark.parametrize("wrapper", ["", "set/", "a/b/"])
def test_splits_of_any_name_are_taken_and_said(tops: str, splits: str, wrapper: str) -> None:
    made = arranged(*(wrapper + file for file in grid(tops, "hat dress")))
    assert by_split(made) == {split: {"hat", "dress"} for split in splits.split()}
    assert made.class_names == {"hat", "dress"}
    assert any(note.startswith("Folders taken for splits") for note in made.notes) or tops == "TRAIN TEST"


def test_a_split_may_have_a_wrapper_of_its_own() -> None:
    made = arranged(*grid("seg_train/seg_train seg_test/seg_test", "hat dress"), "seg_pred/1.jpg", "seg_pred/2.jpg")
    assert by_split(made) == {"test": {"hat", "dress"}, "train": {"hat", "dress"}}
    assert '"photos/seg_pred/" is no train, val or test folder: 2 photos in it are not used.' in made.notes
    assert by_split(arranged(*grid("train/images test/images", "hat dress")))["test"] == {"hat", "dress"}


def test_a_folder_beside_splits_that_is_none_is_named() -> None:
    made = arranged(*grid("train test", "hat dress"), *grid("extra", "hat dress"))
    assert made.notes == ['"photos/extra/" is no train, val or test folder: 4 photos in it are not used.']


@pytest.mark.parametrize("names", ["train test", "Training_Set Test_Set", "trn eval holdout", "训练 测试"])
@pytest.mark.parametrize("wrapper", ["", "set/"])
def test_splits_inside_class_folders(names: str, wrapper: str) -> None:
    made = arranged(*(wrapper + file for file in grid("hat dress", names)))
    assert by_split(made) == {"test": {"hat", "dress"}, "train": {"hat", "dress"}}
    assert made.class_names == {"hat", "dress"}
    [note] = made.notes
    assert note.startswith("Folders inside the classes taken for splits: ")


def test_splits_inside_classes_that_not_all_photos_lie_in_are_said_not_to_be_used() -> None:
    made = arranged(*grid("hat dress", "train test"), "hat/0.jpg")
    assert by_split(made) == {"": {"hat", "dress"}}
    [note] = made.notes
    assert note.startswith('The folders "test", "train" inside "dress" are not used as a split')


def test_splits_between_two_layers_of_classes_are_refused() -> None:
    with pytest.raises(InputError, match=r'may be "shop1", "shop2", or the folders that lie in their train and test'):
        arranged(*(f"{top}/{file}" for top in ("shop1", "shop2") for file in grid("train test", "hat dress")))


@pytest.mark.parametrize("tops", ["fold1 fold2 fold3", "2023 2024", "fold_a fold_b", "part-01 part-02", "day1 day2"])
def test_parts_of_a_set_are_no_classes(tops: str) -> None:
    with pytest.raises(InputError, match="look like parts of a set, not like classes") as caught:
        arranged(*grid(tops, "hat dress"))
    assert "train, val and test" in caught.value.hint


@pytest.mark.parametrize(
    ("tops", "below"),
    [("berlin paris", "hat dress"), ("hat dress", "front back"), ("class_1 class_2", "front back"), ("3 4", "a b")],
)
def test_classes_that_hold_the_same_folders_are_classes_with_a_word(tops: str, below: str) -> None:
    made = arranged(*grid(tops, below))
    assert made.class_names == set(tops.split())
    [note] = made.notes
    assert "not used as a split" in note or "each holds the same folders" in note


@pytest.mark.parametrize(
    ("tops", "below"),
    [
        (["test tube", "train toy", "ball"], "front back"),
        (["training", "match"], "2022 2023"),
        (["grade 1", "grade 2"], "left right"),
        (["size 36", "size 40"], "front back"),
    ],
)
def test_classes_that_were_photographed_alike_are_classes(tops: list[str], below: str) -> None:
    made = arranged(*(f"{top}/{one}/{n}.jpg" for top in tops for one in below.split() for n in (1, 2)))
    assert (by_split(made), len(made.notes)) == ({"": set(tops)}, 1)


def test_a_class_and_a_split_in_one_name_are_refused() -> None:
    with pytest.raises(InputError, match="name a class and a split at once"):
        arranged("hat_train/1.jpg", "hat_test/1.jpg", "dress-train/1.jpg", "dress-test/1.jpg")
    assert arranged("test tube/1.jpg", "train station/1.jpg").class_names == {"test tube", "train station"}


def test_folds_inside_classes_are_not_used() -> None:
    [note] = arranged(*grid("hat dress", "fold1 fold2")).notes
    assert note == 'The folders "fold1", "fold2" inside each class are not used as a split.'


@pytest.mark.parametrize(
    "files",
    [
        ["train/1.jpg", "bus/2.jpg"],
        ["test tube/1.jpg", "train station/2.jpg"],
        ["test tube/a/1.jpg", "test tube/b/1.jpg", "train station/c/2.jpg", "train station/d/2.jpg"],
        ["trainer/1.jpg", "contest/1.jpg"],
        ["hat/old/1.jpg", "dress/1.jpg"],
        ["hat/train/1.jpg", "dress/1.jpg"],
        ["test 1/1.jpg", "test 2/1.jpg"],
        ["old train/1.jpg", "new train/1.jpg"],
    ],
)
def test_classes_that_only_sound_like_splits(files: list[str]) -> None:
    made = arranged(*files)
    assert made.class_names == {file.split("/")[0] for file in files}
    assert (by_split(made).keys(), made.notes) == ({""}, [])

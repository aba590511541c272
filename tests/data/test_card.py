"""What a data set's card says; test_hub_hostile.py has cards that would reach out."""

import json

import pytest

from tellapart.data.card import Card, Pattern, read_card
from tellapart.errors import InputError

pytest.importorskip("yaml")


def card(head, name="me/set"):
    return read_card(f"---\n{head}\n---\nWords.".encode(), name)


@pytest.mark.parametrize("content", [b"", b"# Words", b"---\n---\n", b"words\n---\na: b\n---\n"])
def test_a_page_without_a_head_says_nothing(content):
    assert read_card(content, "me/set") == Card()


@pytest.mark.parametrize(
    ("files", "splits"),
    [
        ("a.csv", {"train": ("a.csv",)}),
        ("[a.csv, b/*.csv]", {"train": ("a.csv", "b/*.csv")}),
        ("{train: a.csv, test: [b.csv, ./c.csv]}", {"train": ("a.csv",), "test": ("b.csv", "c.csv")}),
        ("[{split: test, path: b.csv}]", {"test": ("b.csv",)}),
    ],
)
def test_files_in_every_form(files, splits):
    said = card(f"configs:\n- config_name: default\n  data_files: {files}").splits
    assert said == {split: tuple(map(Pattern, paths)) for split, paths in splits.items()}


def test_columns_options_and_a_revision_of_its_own():
    said = card(
        "configs:\n- config_name: it\n  data_dir: photos/\n  drop_labels: 'Yes'\n"
        "  data_files: hf://datasets/me/set@refs/convert/parquet/x.parquet\n"
        "dataset_info:\n  features:\n  - name: photo\n    dtype: image\n"
        "  - name: kind\n    dtype:\n      class_label:\n        names:\n          '0': cat\n          '1': dog"
    )
    assert (said.folder, said.options, said.images) == ("photos", {"drop_labels": True}, {"photo"})
    assert said.class_names == {"kind": ("cat", "dog")}
    assert said.splits == {"train": (Pattern("x.parquet", "refs/convert/parquet"),)}


def test_of_several_parts_the_default_is_used():
    parts = "configs:\n- config_name: a\n  data_files: a.csv\n- config_name: b\n  data_files: b.csv"
    assert card(f"{parts}\n  default: true").splits == {"train": (Pattern("b.csv"),)}
    with pytest.raises(InputError, match="has several parts"):
        card(parts)


@pytest.mark.parametrize(
    "path", ["../a.csv", "/a.csv", "~/a.csv", "http://x/a.csv", "zip://a::b", "C:a.csv", "a\\b", ""]
)
def test_a_path_that_is_not_its_own_is_refused(path):
    with pytest.raises(InputError, match="names a file that is not its own"):
        card(f"configs:\n- config_name: default\n  data_files: [{json.dumps(path)}]")


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ("a: [", "is not valid YAML"),
        ("- a", "is not a list of names and values"),
        ("a: &x [1]\nb: *x", "repeats parts of itself by YAML aliases"),
        ("a: " + "[" * 30 + "]" * 30, "has more than 20 lists within lists"),
        ("configs: [a]", 'must give "configs" as a list'),
        ("configs:\n- config_name: d\n  data_files: {'../x': a.csv}", "which cannot be one"),
        ("configs:\n- config_name: d\n  data_files: [{split: a, path: b}, {split: a, path: c}]", "names a split twice"),
    ],
)
def test_a_card_that_cannot_be_understood_says_why(head, reason):
    with pytest.raises(InputError, match=reason):
        card(head)

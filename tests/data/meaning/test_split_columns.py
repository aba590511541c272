"""Splits that tables say by columns of any name, or by their paths; and columns that are not used."""

import json
from pathlib import Path

import pytest

from tellapart.data.meaning.split_columns import columns_said, folders_said
from tellapart.data.source import scan
from tellapart.errors import InputError

HALF = ["train", "train", "test", "test"]


@pytest.mark.parametrize(
    ("column", "cells", "splits"),
    [
        ("is_valid", ["False", "False", "True", "True"], ["train", "train", "val", "val"]),
        ("is_valid", ["0", "0", "1", "1"], ["train", "train", "val", "val"]),
        ("is_test", ["no", "", "yes", "yes"], HALF),
        ("istest", ["0", "0", "1", "1"], None),  # one word that is none
        ("Train", ["TRUE", "TRUE", "FALSE", "FALSE"], HALF),
        ("holdout", ["0.0", "0.0", "1.0", "1.0"], HALF),
        ("Usage", ["Training", "Training", "PublicTest", "PrivateTest"], HALF),
        ("partition", ["TRAIN", "trn", "Test", "holdout"], HALF),
        ("fold", ["train", "train", "test", "test"], HALF),
        ("anything", ["train", "train", "eval", "eval"], HALF),
        ("phase", ["val", "val", "test", "test"], ["val", "val", "test", "test"]),
        ("environment", ["dev", "dev", "test", "test"], None),  # nothing to learn from, and not called like a split
        ("fold", ["0", "1", "2", "3"], None),
        ("is_valid", ["True", "True", "True", "False"], None),  # perhaps whether they are good photos
        ("partition", ["train", "train", "test", "mine"], None),
        ("age", ["1", "0", "1", "0"], None),
        ("vehicle", ["train", "train", "train", "train"], None),
    ],
)
def test_a_column_of_any_name(column: str, cells: list[str], splits: list[str] | None) -> None:
    said = columns_said({"path": list("abcd"), column: cells}, ["path"], "a.csv")
    assert said.splits == splits
    [note] = said.notes
    if splits:
        assert note.startswith(f'The split is that of the column "{column}"')
    else:
        assert f'"{column}"' in note
        assert "ot used" in note


def test_several_columns() -> None:
    flags = {"is_train": ["1", "1", "0", "0"], "is_val": ["0", "0", "1", "0"], "is_test": ["0", "0", "0", "1"]}
    assert columns_said(flags, [], "a.csv").splits == ["train", "train", "val", "test"]
    assert columns_said({"val": ["0", "1", "0", "0"], "test": ["0", "0", "1", "0"]}, [], "a.csv").splits == [
        "train", "val", "test", "train",
    ]  # fmt: skip
    both = {"val": ["0", "1", "0", "0"], "test": ["0", "1", "1", "0"]}
    assert columns_said(both, [], "a.csv").splits is None
    agreeing = {"usage": HALF, "part": ["training", "training", "eval", "eval"]}
    assert columns_said(agreeing, [], "a.csv").splits == HALF
    with pytest.raises(InputError, match=r'columns "usage" and "part" of "a\.csv" say different splits') as caught:
        columns_said({"usage": HALF, "part": HALF[::-1]}, [], "a.csv")
    assert caught.value.hint == "Call the one to go by split."


def test_columns_that_are_not_used_are_named() -> None:
    values = {
        "split": HALF,
        "is_valid": ["0", "1", "0", "1"],
        "age": list("abcd"),
        "Unnamed: 0": list("0123"),
        "": HALF,
    }
    assert columns_said(values, ["split"], "a.csv").notes == [
        'The column "is_valid" of "a.csv" is not used: it does not say train, val or test in each row. If it was meant '
        "for a split, call it split and write these words.",
        'Not used of "a.csv": the columns "age", "Unnamed: 0".',
    ]
    assert columns_said({"age": ["", ""]}, [], "a.csv").notes == []


def test_folders_in_paths() -> None:
    labels = ["hat", "dress"]
    said = folders_said(["x/Training_Set/hat/1.jpg", "x/holdout/dress/1.jpg"], labels)
    assert said.splits == ["train", "test"]
    assert folders_said(["C:\\test\\train\\1.jpg", "C:\\test\\val\\1.jpg"], labels).splits == ["train", "val"]
    assert folders_said(["/test/hat/1.jpg", "/test/dress/1.jpg"], labels) == (None, [])
    assert folders_said(["train/1.jpg", "test/1.jpg"], ["train", "test"]) == (None, [])  # these are the classes
    assert folders_said(["train/1.jpg", "test/1.jpg", "2.jpg"], ["a", "b", "a"]) == (
        None,
        ['The folders "test", "train" are not used as a split, because "2.jpg" lies in none of them.'],
    )


def table(folder: Path, name: str, column: str, cells: list[str]) -> str:
    """A label file of four photos with one more column, as the ending of its name says."""
    rows = []
    for at, cell in enumerate(cells):
        photo = folder / f"{at}.jpg"
        photo.write_bytes(b"photo")
        rows.append({"path": photo.name, "label": ("hat", "dress")[at % 2], column: cell})
    if name.endswith("jsonl"):
        text = "".join(json.dumps(row) + "\n" for row in rows)
    else:
        gap = "\t" if name.endswith("tsv") else ","
        text = "".join(gap.join(row) + "\n" for row in [list(rows[0]), *(list(row.values()) for row in rows)])
    (folder / name).write_text(text)
    return str(folder / name)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
def test_every_kind_of_table(tmp_path: Path, name: str) -> None:
    dataset = scan(table(tmp_path, name, "is_valid", ["False", "False", "True", "True"]))
    assert dataset.splits.tolist() == ["train", "train", "val", "val"]
    assert dataset.notes == ('The split is that of the column "is_valid": 2 train, 2 val.',)


def test_a_data_frame(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    table(tmp_path, "a.csv", "x", [""] * 4)
    paths = [str(tmp_path / f"{at}.jpg") for at in range(4)]
    frame = pandas.DataFrame({"path": paths, "label": list("abab"), "is_valid": [False, False, True, True], "n": 1})
    dataset = scan(frame)
    assert dataset.splits.tolist() == ["train", "train", "val", "val"]
    assert dataset.notes[1] == 'Not used of "the data frame": the column "n".'

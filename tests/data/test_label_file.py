"""Rows of label files; test_source.py has what a source makes of them, and what is refused."""

import pytest

from tellapart.data.label_file import Row, locate, place_rows, read_label_file
from tellapart.data.meaning.split_columns import split_names
from tellapart.errors import InputError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "hat").mkdir()
    for name in ("1.jpg", "2.jpg", "=3.jpg"):
        (tmp_path / "hat" / name).write_bytes(b"photo")
    (tmp_path / "hat" / "empty.jpg").touch()
    return tmp_path


def rows(folder, name, text):
    (folder / name).write_text(text, encoding="utf-8")
    return [row[:4] for row in read_label_file(str(folder / name), name).rows]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "path,label,split\nhat/1.jpg,Hat,test\n\nhat/2.jpg,Hat,\n"),
        ("a.csv", "\ufeffSplit;Class;File\ntest;Hat;hat/1.jpg\n;;\n;Hat;hat\\2.jpg\n"),
        ("a.tsv", "image\tcategory\tset\nhat/1.jpg\tHat\ttest\n\nhat/2.jpg\t Hat \t\n"),
        ("a.csv", "\nhat/1.jpg,Hat,test\n\nhat/2.jpg,Hat\n"),
        (
            "a.jsonl",
            '\n{"Path": "hat/1.jpg", "label": "Hat", "split": "test"}\n\n'
            '{"file": "hat/2.jpg", "class": "Hat", "split": null}\n',
        ),
    ],
)
def test_a_row_names_its_line_photo_class_and_split(folder, name, text):
    assert rows(folder, name, text) == [(2, "hat/1.jpg", "Hat", "test"), (4, "hat/2.jpg", "Hat", "")]


def test_numbers_are_labels_and_other_values_are_none(folder):
    assert rows(folder, "a.jsonl", '{"path": "hat/1.jpg", "label": 7}') == [(1, "hat/1.jpg", "7", "")]
    with pytest.raises(InputError, match=r'Line 1 of "a\.jsonl" has no label'):
        rows(folder, "a.jsonl", '{"path": "hat/1.jpg", "label": true}')


def test_a_photo_is_found_as_windows_and_a_guarded_table_spell_it(folder):
    assert locate(1, "hat\\1.jpg", "", "", str(folder)).size_bytes == 5
    assert locate(1, "'=3.jpg", "", "", str(folder / "hat")).path == "=3.jpg"
    assert [locate(1, path, "", "", str(folder)).size_bytes for path in ("hat", "hat/9.jpg", "\0")] == [-1] * 3


def row(line, path="hat/1.jpg", label="hat", split="", size_bytes=5):
    return Row(line, path, label, split, path, size_bytes)


def test_splits_by_their_common_names_on_all_rows_or_none():
    assert split_names([(1, ""), (2, "")], "It", "line") == ["", ""]
    assert split_names([(1, "Dev"), (2, "training")], "It", "line") == ["val", "train"]
    with pytest.raises(InputError, match=r"It gives line 2 no split\."):
        split_names([(1, "test"), (2, "")], "It", "line")
    with pytest.raises(InputError, match=r'It gives line 1 the split "mine"\.'):
        split_names([(1, "mine")], "It", "line")


def test_a_photo_listed_twice_is_used_once_and_has_one_label():
    placed = place_rows([row(1), row(2, "hat/./1.jpg"), row(3, "hat/2.jpg", size_bytes=0)], "a.csv", "")
    assert [one.reason for one in placed] == ["", "listed already on line 1", "empty file"]
    with pytest.raises(InputError, match=r'two labels: "hat" \(line 1\) and "cap" \(line 2\)'):
        place_rows([row(1), row(2, label="cap")], "a.csv", "")


def test_missing_photos_are_named():
    with pytest.raises(InputError, match=r'"a\.csv" names 1 photo that cannot be found: "hat/9\.jpg" \(line 2\)\.'):
        place_rows([row(1), row(2, "hat/9.jpg", size_bytes=-1)], "a.csv", "")

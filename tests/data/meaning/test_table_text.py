"""What spreadsheets write, and what they write that is no table of text."""

import zipfile
from pathlib import Path

import pytest

from tellapart.data.meaning.table_text import cells_of
from tellapart.data.source import scan
from tellapart.errors import InputError

ROWS = [["path", "label"], ["1.jpg", "hat"], ["2.jpg", "dress"]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("1.jpg", "2.jpg"):
        (tmp_path / name).write_bytes(b"photo")
    return tmp_path


def text(gap: str, before: str = "", quote: str = "", end: str = "\r\n") -> str:
    return before + "".join(f"{quote}{gap.join(row)}{quote}{end}" for row in ROWS)


@pytest.mark.parametrize(
    "content",
    [
        text(",").encode(),
        text(";", "sep=;\r\n").encode("utf-8-sig"),
        text("\t", "SEP=\t\n").encode(),
        text(",", '"sep=,"\n').encode(),
        text("|", "sep=|\n").encode(),
        text(",", quote='"').encode(),
        text(";", quote='"', end="\n").encode("utf-8-sig"),
        text("\t").encode("utf-16"),
        text(";").encode("utf-16-be").join([b"\xfe\xff", b""]),
        text("\t", end="\n").encode("utf-8-sig"),
        text("|").encode(),
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.txt"])
def test_tables_as_programs_write_them(folder: Path, content: bytes, name: str) -> None:
    (folder / name).write_bytes(content)
    dataset = scan(name)
    assert (dataset.class_names, dataset.photos) == (("dress", "hat"), ("1.jpg", "2.jpg"))


def test_lines_are_counted_with_what_excel_puts_before() -> None:
    assert [line for line, _ in cells_of("sep=;\na;b\n\nc;d\n", "a.csv")] == [2, 4]
    assert list(cells_of('"a,b"\n"c,""d"""\n', "a.csv")) == [(1, ["a", "b"]), (2, ["c", "d"])]
    with pytest.raises(InputError, match=r'^Line 3 of "a.csv" is not a valid table row'):
        list(cells_of('sep=,\na,b\n"a"b,c\n', "a.csv"))


INSIDE = [
    ("a.xlsx", "xl/workbook.xml", "an Excel table"),
    ("a.ods", "content.xml", "a LibreOffice table"),
    ("a.zip", "xl/workbook.xml", "an Excel table"),
    ("a.csv", "xl/workbook.xml", "an Excel table"),
    ("a", "xl/workbook.xml", "an Excel table"),
    ("a.docx", "word/document.xml", "a Word document"),
]


@pytest.mark.parametrize(("name", "part", "kind"), INSIDE)
def test_a_spreadsheet_is_called_one(folder: Path, name: str, part: str, kind: str) -> None:
    with zipfile.ZipFile(name, "w") as file:
        file.writestr("[Content_Types].xml", "<x/>")
        file.writestr(part, "<x/>")
    with pytest.raises(InputError, match=f'^"{name}" is {kind}, which cannot be read') as caught:
        scan(name)
    assert "CSV UTF-8" in caught.value.hint


@pytest.mark.parametrize("name", ["a.xls", "a.csv"])
def test_an_old_excel_table(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500))
    with pytest.raises(InputError, match=f'^"{name}" is an Excel table'):
        scan(name)


def test_text_in_no_known_encoding(folder: Path) -> None:
    (folder / "a.csv").write_bytes("path,label\ncafé.jpg,hat".encode("cp1252"))
    with pytest.raises(InputError, match="is not UTF-8 text"):
        scan("a.csv")

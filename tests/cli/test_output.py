"""Tables for spreadsheets: whatever a name is, and wherever a spreadsheet splits, nothing in them runs."""

import csv
import io
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.cli.output import OF_A_PHOTO, class_columns, write_table
from tellapart.data.source import scan
from tellapart.data.spreadsheet import guarded, unguarded

SEPARATORS = ",;\t|"
PIECES = [*"=+-@＝＋－＠﹣\t\r\n;,|\"' aé0", "\r\n", "\ufeff", "\u2028", "\xa0", "=1+1", '""', "cmd|'x'!A0"]
texts = st.lists(st.sampled_from(PIECES), max_size=8).map("".join) | st.text(max_size=20)


def fields(raw: str) -> list[str]:
    """Every field that any common separator makes of the table, with and without regard to quotation marks."""
    made = []
    for separator in SEPARATORS:
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
            lines = io.StringIO(raw, newline="")
            made += [cell for row in csv.reader(lines, delimiter=separator, quoting=quoting) for cell in row]
    return made


def runs(cell: str) -> bool:
    """Whether a spreadsheet would take the field for a formula, also after it dropped blanks and quotation marks."""
    if cell[:1] in {"\t", "\r"}:
        return True
    first = cell.lstrip(' "\xa0\ufeff')[:1]
    return unicodedata.normalize("NFKC", first) in {"=", "+", "-", "@"}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(texts, min_size=3, max_size=3), min_size=1, max_size=4))
def test_no_field_runs_wherever_a_table_is_split(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]):
    path = tmp_path_factory.mktemp("table") / "o.csv"
    rows = [[cell.replace("\0", "").encode("utf-8", "replace").decode() for cell in row] for row in rows]
    write_table(str(path), ["photo", "=answer", "why"], rows)
    raw = path.read_bytes().decode()
    assert [cell for cell in fields(raw) if runs(cell)] == []
    header, *read = csv.reader(io.StringIO(raw, newline=""))
    assert header == ["photo", "'=answer", "why"]
    assert read == [[guarded(cell) for cell in row] for row in rows]  # one cell stays one cell


@given(texts.filter(lambda text: "'" not in text))
def test_what_was_guarded_comes_back(text: str):
    assert unguarded(guarded(text)) == text


def test_numbers_and_ordinary_names_stay_as_they_are():
    for text in ("0.500000", "hat/1.jpg", "a-b.jpg", "1,5 + 2; x = 3 @ home", "it's", "café | bar.jpg", ""):
        assert guarded(text) == text


def test_a_table_of_ours_is_a_label_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    names = ["=1+1.jpg", "-5.jpg", "a;=b,@c.jpg", "'=own.jpg", "plain.jpg", "two\n+lines.jpg"]
    for name in names:
        Path(name).write_bytes(b"x")
    write_table("label these.csv", ["photo", "class_name"], [[name, "hat"] for name in names])
    assert sorted(scan("label these.csv").places) == sorted(names)


ALIKE = ["photo", "answer", "Error", " error", "p_photo", "p_answer", "a;=b", "a;'=b", "=x", "'=x"]


@given(st.lists(st.sampled_from(ALIKE) | texts.filter(bool), min_size=2, max_size=8, unique=True))
def test_no_two_columns_of_a_table_are_called_alike(class_names: list[str]):
    columns = [*OF_A_PHOTO, *class_columns(class_names)]
    assert len({guarded(name).strip().casefold() for name in columns}) == len(columns)


def test_columns_have_the_names_of_classes_unless_one_would_stand_there_twice():
    assert class_columns(["hat", "shoe"]) == ["hat", "shoe"]
    assert class_columns(["drawing", "photo"]) == ["p_drawing", "p_photo"]
    assert class_columns(["ERROR", "ok"]) == ["p_ERROR", "p_ok"]


def test_a_dash_prints_the_table(capsysbinary: pytest.CaptureFixture[bytes]):
    write_table("-", ["photo"], [["caf\u00e9.jpg"]])
    assert capsysbinary.readouterr().out.decode() == '"photo"\r\n"caf\u00e9.jpg"\r\n'
    assert not Path("-").exists()

"""The rows of a table as text: what spreadsheets and programs write for CSV, and what only looks like it."""

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any, Final

from tellapart.data.groups import as_text
from tellapart.errors import InputError
from tellapart.text import quoted

SPREADSHEETS: Final = {
    "xlsx": "an Excel table", "xlsm": "an Excel table", "xlsb": "an Excel table", "xls": "an Excel table",
    "ods": "a LibreOffice table", "numbers": "a Numbers table",
}  # fmt: skip
# Parts of a zip that is no zip of photos, but one of an office program.
_INSIDE: Final = {
    "xl/workbook.xml": "an Excel table", "xl/workbook.bin": "an Excel table", "word/document.xml": "a Word document",
    "ppt/presentation.xml": "PowerPoint slides", "content.xml": "a document of LibreOffice",
    "Index/Document.iwa": "a document of Numbers, Pages or Keynote",
}  # fmt: skip
_OLD_OFFICE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SEPARATOR: Final = re.compile(r'\s*"?sep=(.)"?[ \t]*\r?(?:\n|\Z)', re.IGNORECASE)
_SEPARATORS: Final = ",;|"
_TO_CSV: Final = "Save it as CSV UTF-8 (File, Save as), with the columns path and label, and name that file."


def refuse_spreadsheet(kind: str, name: str) -> None:
    """Refuses what is no table of text and no set of photos.

    Raises:
        InputError: always.
    """
    raise InputError(f"{quoted(name)} is {kind}, which cannot be read.", hint=_TO_CSV)


def office_kind(names: set[str]) -> str:
    """Which program's file a zip of these entries is; "" for one of photos."""
    return next((kind for part, kind in _INSIDE.items() if part in names), "")


def read_text(path: str, name: str) -> str:
    """The text of a table in UTF-8, or in UTF-16 with the mark at its start that Excel writes.

    Raises:
        InputError: it is no such text.
    """
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        raise InputError(f"{quoted(name)} cannot be read: {error.strerror}.") from error
    return text_of(content, name)


def text_of(content: bytes, name: str) -> str:
    """The text that these bytes are, as `read_text` gives it.

    Raises:
        InputError: they are no such text.
    """
    if content.startswith(_OLD_OFFICE):
        refuse_spreadsheet("an Excel table", name)
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(f"{quoted(name)} is not UTF-8 text.", hint="Save it again as UTF-8.") from error


def cells_of(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """The number of each line that is not empty, and its cells without space around them.

    Lines are divided at tabs, or at what the first has most of; a first line `sep=;`, which Excel understands, says
    it. Where a program quoted whole lines, each is divided once more.

    Raises:
        InputError: a line is not a valid row.
    """
    said = _SEPARATOR.match(text)
    first_line = text.lstrip().partition("\n")[0]
    if said:
        delimiter, skipped = said[1], said[0].count("\n")
        text = text[said.end() :]
    else:
        delimiter, skipped = "\t" if "\t" in first_line else max(_SEPARATORS, key=first_line.count), 0
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    whole: bool | None = None
    try:
        for cells in reader:
            row = [cell.strip() for cell in cells]
            if not any(row):
                continue
            if whole is None:
                whole = len(row) == 1 and delimiter in row[0]
            if whole and len(row) == 1:
                row = [cell.strip() for cell in next(csv.reader(row, delimiter=delimiter, strict=True))]
            yield reader.line_num + skipped, row
    except csv.Error as error:
        line = reader.line_num + skipped
        raise InputError(f"Line {line} of {quoted(name)} is not a valid table row: {error}.") from error


def json_lines(text: str, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each line's number from 1, and its object with small letters in its keys."""
    for line, content in enumerate(text.split("\n"), start=1):
        if not content.strip():
            continue
        try:
            value = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise InputError(f"Line {line} of {quoted(name)} is not valid JSON.") from error
        if not isinstance(value, dict):
            raise InputError(
                f"Line {line} of {quoted(name)} must be a JSON object.",
                hint='Write lines like {"path": "hat/1.jpg", "label": "hat"}.',
            )
        yield line, {key.lower(): cell for key, cell in value.items()}


def whole_text(value: object) -> str:
    """Text and whole numbers as text, 1.0 as well; anything else (true, 1.5, null, a list) counts as missing."""
    if isinstance(value, float) and value.is_integer():
        return as_text(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value).strip()


def plain_text(value: object) -> str:
    """Any value as text, of a column that may say a split; a list says none."""
    return "" if isinstance(value, list | dict) else as_text(value)

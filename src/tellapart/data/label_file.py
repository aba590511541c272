"""Label files: tables (CSV, TSV) and JSON lines that name a photo, its class and perhaps its split and its group."""

import csv
import io
import json
import os
import stat
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from tellapart.data.groups import as_text, named_column
from tellapart.data.layout import SPLIT_NAMES, Placed, normal
from tellapart.data.listing import extension
from tellapart.data.spreadsheet import unguarded
from tellapart.errors import InputError
from tellapart.text import counted, quoted, shown, some

TABLE_EXTENSIONS = frozenset({"csv", "tsv", "txt", "tab"})
JSON_EXTENSIONS = frozenset({"jsonl", "ndjson"})

PATH_COLUMNS = ("path", "photo", "file", "filename", "file_name", "filepath", "image")
LABEL_COLUMNS = ("label", "class", "category", "class_name")
SPLIT_COLUMNS = ("split", "set", "subset")
GROUP_COLUMNS = ("group", "scene", "session", "subject", "patient", "lot")

_COLUMN_HINT = (
    "Name the columns path, label and, if you have one, split or group; "
    "or leave the header out and begin with a photo that exists."
)


class Row(NamedTuple):
    """One labelled photo: `path` as written, `place` where it is on disk, `line` counted from 1."""

    line: int
    path: str
    label: str
    split: str
    place: str
    size_bytes: int  # -1 when there is no such photo
    group: str = ""


class Table(NamedTuple):
    """The rows of a table, and which of its columns says their groups, if one does."""

    rows: list[Row]
    grouped_by: str | None


def read_label_file(path: str, name: str, group_by: str | None = None) -> Table:
    """The rows of a label file, in its order; photos that do not exist have `size_bytes` -1.

    Args:
        path: the file; photos are looked up relative to the folder it is in.
        name: how the person called it.
        group_by: which column says the groups; None takes one of the usual names, `none` none.

    Raises:
        InputError: the file is not UTF-8 text, or a line of it, which is named, cannot be understood or names a photo
            that a stranger's file must not name; or there is no such column.
    """
    text = _read_text(path, name)
    read = _json_rows if extension(path) in JSON_EXTENSIONS else _table_rows
    table = read(text, os.path.dirname(path), name, group_by)
    _refuse_outside(table.rows, os.path.dirname(path), name)
    return table


def locate(line: int, path: str, label: str, split: str, folder: str = "") -> Row:
    """The row with its photo looked up in `folder`; a table written on Windows may have backslashes in it.

    A table that `tellapart suggest` wrote may have apostrophes in it, which keep a spreadsheet from running names.
    """
    for spelling in dict.fromkeys((path, path.replace("\\", "/"), unguarded(path))):
        place = os.path.join(folder, spelling)
        try:
            status = os.stat(place)
        except (OSError, ValueError):  # ValueError: a NUL or a lone surrogate, so no file can have this name
            continue
        if stat.S_ISREG(status.st_mode):
            return Row(line, spelling, label, split, place, status.st_size)
    return Row(line, path, label, split, os.path.join(folder, path), -1)


def refuse_missing(rows: Sequence[Row], name: str, line: str, folder: str = "") -> None:
    """Refuses rows whose photos do not exist, rather than training on the rest.

    Args:
        rows: (N,) what was asked for.
        name: what begins the sentence, such as '"labels.csv"' or 'The list'.
        line: what a row is called.
        folder: where photos were looked up.

    Raises:
        InputError: says how many, which, and where they were looked for.
    """
    missing = [f"{quoted(row.path)} ({line} {row.line})" for row in rows if row.size_bytes < 0]
    if missing:
        raise InputError(
            f"{name} names {counted(len(missing), 'photo')} that cannot be found: {some(missing)}.",
            hint=f"Paths are looked up in {quoted(folder or '.')}. Mend the paths, or remove these {line}s.",
        )


def _refuse_outside(rows: Sequence[Row], folder: str, name: str) -> None:
    """Refuses photos outside the label file's folder, unless every path is absolute.

    A stranger's set brings photos of its own, by relative paths; one among them that leads to photos of yours would
    be learned from, shown and shared. A list of absolute paths was made on this machine, of photos that are here.
    """
    if all(os.path.isabs(row.path) for row in rows):
        return
    below = os.path.join(os.path.abspath(folder), "")
    for row in rows:
        if not os.path.abspath(row.place).startswith(below):
            raise InputError(
                f"{quoted(name)} names a photo outside its folder: {quoted(row.path)} (line {row.line}).",
                hint="Put it above its photos. Only a label file with absolute paths alone may name photos anywhere.",
            )


def split_names(rows: Sequence[Row], name: str, line: str) -> list[str]:
    """The split of every row by its normal name; "" everywhere when no row has one.

    Raises:
        InputError: a split has no common name, or only some rows have one.
    """
    if not any(row.split for row in rows):
        return [""] * len(rows)
    for row in rows:
        if row.split.casefold() not in SPLIT_NAMES:
            got = f"the split {quoted(row.split)}" if row.split else "no split"
            raise InputError(
                f"{name} gives {line} {row.line} {got}.",
                hint=f"Write train, val or test on every {line}, or give no splits at all.",
            )
    return [SPLIT_NAMES[row.split.casefold()] for row in rows]


def place_rows(rows: Sequence[Row], name: str, folder: str, line: str = "line") -> list[Placed]:
    """Every row with its class, split and group; a photo listed twice is used once.

    Args:
        rows: (N,) of a table.
        name: how the person called the table.
        folder: what its paths are relative to.
        line: what a row of it is called.

    Raises:
        InputError: photos are missing, splits cannot be understood, or a photo has two labels or two groups.
    """
    refuse_missing(rows, quoted(name), line, folder)
    firsts: dict[str, Row] = {}
    placed = []
    for row, split in zip(rows, split_names(rows, quoted(name), line), strict=True):
        first = firsts.setdefault(os.path.normpath(row.place), row)
        if normal(first.label) != normal(row.label):
            raise InputError(
                f"{quoted(name)} gives {quoted(row.path)} two labels: "
                f"{quoted(first.label)} ({line} {first.line}) and {quoted(row.label)} ({line} {row.line}).",
                hint="A photo belongs to one class: remove one of the two.",
            )
        if first.group != row.group:
            raise InputError(
                f"{quoted(name)} gives {quoted(row.path)} two groups: "
                f"{quoted(first.group)} ({line} {first.line}) and {quoted(row.group)} ({line} {row.line}).",
                hint="A photo belongs to one group: remove one of the two.",
            )
        reason = "" if row.size_bytes else "empty file"
        if first is not row:
            reason = f"listed already {'on line' if line == 'line' else 'in ' + line} {first.line}"
        photo = shown(os.path.join(folder, row.path).replace(os.sep, "/"))
        placed.append(Placed(photo, row.place, normal(row.label), split, reason, normal(row.group)))
    return placed


def _read_text(path: str, name: str) -> str:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            return file.read()
    except UnicodeDecodeError as error:
        raise InputError(f"{quoted(name)} is not UTF-8 text.", hint="Save it again as UTF-8.") from error
    except OSError as error:
        raise InputError(f"{quoted(name)} cannot be read: {error.strerror}.") from error


def _table_rows(text: str, folder: str, name: str, group_by: str | None) -> Table:
    first_line = text.lstrip().partition("\n")[0]
    delimiter = "\t" if "\t" in first_line else max(",;", key=first_line.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns: Sequence[int] = ()
    rows, grouped_by = [], None
    try:
        for cells in reader:
            row = [cell.strip() for cell in cells]
            if not any(row):
                continue
            if not columns:
                columns, is_header = _columns(row, folder, f"Line {reader.line_num} of {quoted(name)}")
                grouped_by = named_column(group_by, row if is_header else (), GROUP_COLUMNS, name)
                columns = (*columns, row.index(grouped_by) if grouped_by is not None else -1)
                if is_header:
                    continue
            path, label, split, group = (row[at] if 0 <= at < len(row) else "" for at in columns)
            rows.append(_complete(reader.line_num, path, label, split, folder, name)._replace(group=unguarded(group)))
    except csv.Error as error:
        raise InputError(f"Line {reader.line_num} of {quoted(name)} is not a valid table row: {error}.") from error
    return Table(rows, grouped_by)


def _columns(row: Sequence[str], folder: str, where: str) -> tuple[tuple[int, int, int], bool]:
    """Where path, label and split stand in the rows (-1 for no split), and whether `row` is a header."""
    names = [cell.lower() for cell in row]
    path, label, split = (
        next((names.index(column) for column in wanted if column in names), -1)
        for wanted in (PATH_COLUMNS, LABEL_COLUMNS, SPLIT_COLUMNS)
    )
    if path >= 0 and label >= 0:
        return (path, label, split), True
    remote = row[0][:2].replace("\\", "/") == "//"
    if len(row) >= 2 and (remote or locate(0, row[0], "", "", folder).size_bytes >= 0):
        return (0, 1, 2), False
    got = ", ".join(quoted(cell, longest=40) for cell in row[:4])
    raise InputError(f"{where} must name a path column and a label column. Got {got}.", hint=_COLUMN_HINT)


def _json_rows(text: str, folder: str, name: str, group_by: str | None) -> Table:
    lines = list(_json_lines(text, name))
    columns = list(dict.fromkeys(key for _, found in lines for key in found))
    grouped_by = named_column(group_by, columns, GROUP_COLUMNS, name)
    rows = []
    for line, found in lines:
        path, label, split = (
            next((_text(found[column]) for column in wanted if column in found), "")
            for wanted in (PATH_COLUMNS, LABEL_COLUMNS, SPLIT_COLUMNS)
        )
        group = "" if grouped_by is None else as_text(found.get(grouped_by))
        rows.append(_complete(line, path, label, split, folder, name)._replace(group=group))
    return Table(rows, grouped_by)


def _json_lines(text: str, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
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


def _text(value: object) -> str:
    """Text and whole numbers as text; anything else (true, 1.5, null, a list) counts as missing."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value).strip()


def _complete(line: int, path: str, label: str, split: str, folder: str, name: str) -> Row:
    """The row with its photo looked up, which nothing on another machine is: Windows would log in there to look."""
    if path[:2].replace("\\", "/") == "//":
        raise InputError(
            f"Line {line} of {quoted(name)} names a photo on another machine: {quoted(path)}.",
            hint="Copy the photos to this one.",
        )
    row = locate(line, path, label, split, folder)
    for column, text in (("path", row.path), ("label", row.label)):
        if not text:
            raise InputError(
                f"Line {row.line} of {quoted(name)} has no {column}.",
                hint="Every line needs a path and a label.",
            )
    return row

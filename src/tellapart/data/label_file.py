"""Label files: tables (CSV, TSV) and JSON lines that name a photo, its class and perhaps its split and its group."""

import json
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from tellapart.data.groups import as_text, named_column
from tellapart.data.layout import Placed
from tellapart.data.listing import extension
from tellapart.data.meaning.class_names import (
    NO_LABEL,
    is_missing,
    normal,
    refuse_list,
    whole_numbers,
    whole_numbers_note,
)
from tellapart.data.meaning.same_look import same_look
from tellapart.data.meaning.split_columns import SPLIT_COLUMNS, columns_said, folders_said, split_names
from tellapart.data.meaning.table_text import cells_of, json_lines, plain_text, read_text, whole_text
from tellapart.data.remote.address import from_table, is_address, refuse_mixed, without_secrets
from tellapart.data.spreadsheet import unguarded
from tellapart.errors import InputError
from tellapart.text import counted, quoted, shown, some

TABLE_EXTENSIONS = frozenset({"csv", "tsv", "txt", "tab"})
JSON_EXTENSIONS = frozenset({"jsonl", "ndjson"})

PATH_COLUMNS = ("path", "photo", "file", "filename", "file_name", "filepath", "image", "uri", "url")
LABEL_COLUMNS = ("label", "class", "category", "class_name")
GROUP_COLUMNS = ("group", "scene", "session", "subject", "patient", "lot")

_COLUMN_HINT = (
    "Name the columns path, label and, if you have one, split or group; "
    "or leave the header out and begin with a photo that exists."
)


class Row(NamedTuple):
    """One labelled photo: `path` as written, `place` where it is on disk, `line` counted from 1.

    Of a photo elsewhere, path and place are its address as it is kept, and `whole` is the one to ask.
    """

    line: int
    path: str
    label: str
    split: str
    place: str
    size_bytes: int  # -1 when there is no such photo
    group: str = ""
    whole: str = ""


class Table(NamedTuple):
    """The rows of a table, which of its columns says their groups, if one does, and sentences about the others."""

    rows: list[Row]
    grouped_by: str | None
    notes: list[str]


class _Raw(NamedTuple):
    """What a table holds: each row's line and texts, and the column of each text that is needed; "" for none."""

    lines: list[int]
    cells: dict[str, list[str]]  # by column
    path: str
    label: str
    split: str
    group: str
    named: bool = True  # whether its first line names the columns


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
    return table_in(read_text(path, name), extension(path), os.path.dirname(path), name, group_by)


def table_in(text: str, kind: str, folder: str, name: str, group_by: str | None = None) -> Table:
    """The same of a label file's text, whose name ends with `kind` and whose paths are relative to `folder`."""
    raw = (_json_cells if kind in JSON_EXTENSIONS else _table_cells)(text, folder, name, group_by)
    return _table(raw, folder, name)


def table_of_cells(cells: dict[str, list[str]], folder: str, name: str, group_by: str | None = None) -> Table:
    """The same of a table {column: (N,) its texts}; its rows are counted from 1.

    Raises:
        InputError: there is no column of paths or of labels, or a row cannot be understood.
    """
    folded = {column.lower(): column for column in reversed(cells)}
    path, label, split = (
        next((folded[usual] for usual in names if usual in folded), "")
        for names in (PATH_COLUMNS, LABEL_COLUMNS, SPLIT_COLUMNS)
    )
    if not path or not label:
        raise InputError(
            f"{quoted(name)} must have a column of paths and one of labels. It has: {some(list(cells))}.",
            hint="Name the columns uri, label and, if you have one, split or group.",
        )
    group = named_column(group_by, list(cells), GROUP_COLUMNS, name) or ""
    lines = list(range(1, len(cells[path]) + 1))
    return _table(_Raw(lines, cells, path, label, split, group), folder, name)


def locate(line: int, path: str, label: str, split: str, folder: str = "") -> Row:
    """The row with its photo looked up in `folder`; a table written on Windows may have backslashes in it.

    A table that `tellapart suggest` wrote may have apostrophes in it, which keep a spreadsheet from running names.
    """
    if is_address(path) or is_address(folder):
        whole = from_table(path, folder)
        kept = without_secrets(whole)
        return Row(line, kept, label, split, kept, 1, whole=whole)
    for spelling in dict.fromkeys((path, path.replace("\\", "/"), unguarded(path))):
        if row := _found(line, spelling, label, split, folder):
            return row
    if not path.isascii():
        same = same_look(path.replace("\\", "/"), folder)
        if same and (row := _found(line, same, label, split, folder)):
            return row
    return Row(line, path, label, split, os.path.join(folder, path), -1)


def _found(line: int, path: str, label: str, split: str, folder: str) -> Row | None:
    place = os.path.join(folder, path)
    try:
        status = os.stat(place)
    except (OSError, ValueError):  # ValueError: a NUL or a lone surrogate, so no file can have this name
        return None
    return Row(line, path, label, split, place, status.st_size) if stat.S_ISREG(status.st_mode) else None


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
    if any(row.whole for row in rows):
        refuse_mixed(((row.path, row.whole, row.line) for row in rows), folder, name)
        return
    if all(os.path.isabs(row.path) for row in rows):
        return
    below = os.path.join(os.path.abspath(folder), "")
    for row in rows:
        if not os.path.abspath(row.place).startswith(below):
            raise InputError(
                f"{quoted(name)} names a photo outside its folder: {quoted(row.path)} (line {row.line}).",
                hint="Put it above its photos. Only a label file with absolute paths alone may name photos anywhere.",
            )


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
    for row, split in zip(rows, split_names([(row.line, row.split) for row in rows], quoted(name), line), strict=True):
        photo = shown(row.path if row.whole else os.path.join(folder, row.path).replace(os.sep, "/"))
        if is_missing(row.label):
            placed.append(Placed(photo, row.place, reason=NO_LABEL))  # "nan", as programs write it
            continue
        first = firsts.setdefault(row.place if row.whole else os.path.normpath(row.place), row)
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
        placed.append(Placed(photo, row.place, normal(row.label), split, reason, normal(row.group)))
    return placed


def told_splits(values: Mapping[str, Sequence[str]], rows: Sequence[Row], used: Iterable[str], name: str) -> Table:
    """The rows with the split that columns say, or the folders in their paths, and sentences about it.

    Where a program wrote "nan" for a missing split or group, there is none.

    Args:
        values: {column: (N,) its texts}, of all columns.
        rows: (N,) rows, with a split where a column called split says it.
        used: columns that the rows were made of.
        name: of the table.

    Raises:
        InputError: two columns say different splits.
    """
    rows = [row._replace(split=_present(row.split), group=_present(row.group)) for row in rows]
    said = columns_said(values, used, name)
    notes = said.notes
    if said.splits is None and not any(row.split for row in rows):
        said = folders_said([row.path for row in rows], [row.label for row in rows])
        notes = [*said.notes, *notes]
    if said.splits is not None:
        rows = [row._replace(split=split) for row, split in zip(rows, said.splits, strict=True)]
    same = whole_numbers(list({row.label for row in rows}))
    if same:
        rows = [row._replace(label=same.get(row.label, row.label)) for row in rows]
        notes = [*notes, whole_numbers_note(same, name)]
    return Table(list(rows), None, notes)


def _present(text: str) -> str:
    return "" if is_missing(text) else text


def _table(raw: _Raw, folder: str, name: str) -> Table:
    n = len(raw.lines)
    empty = [""] * n
    paths, labels, splits, groups = (
        raw.cells.get(column, empty) if column else empty for column in (raw.path, raw.label, raw.split, raw.group)
    )
    rows = [
        _complete(line, path, unguarded(label), split, folder, name)._replace(group=unguarded(group))
        for line, path, label, split, group in zip(raw.lines, paths, labels, splits, groups, strict=True)
    ]
    used = {raw.path, raw.label, raw.split, raw.group}
    _refuse_outside(rows, folder, name)
    table = told_splits(raw.cells if raw.named else {}, rows, used, name)
    return table._replace(grouped_by=raw.group or None)


def _table_cells(text: str, folder: str, name: str, group_by: str | None) -> _Raw:
    lines: list[int] = []
    rows: list[list[str]] = []
    header: list[str] = []
    path = label = split = group = ""
    named = False
    for line, row in cells_of(text, name):
        if not header:
            columns, named = _columns(row, folder, f"Line {line} of {quoted(name)}")
            header = _unique(row) if named else [str(at) for at in range(len(row))]
            grouped_by = named_column(group_by, row if named else (), GROUP_COLUMNS, name)
            path, label, split = (header[at] if 0 <= at < len(header) else "" for at in columns)
            group = "" if grouped_by is None else header[row.index(grouped_by)]
            if named:
                continue
        lines.append(line)
        rows.append(row)
    if not named and split == "" and any(len(row) > 2 for row in rows):  # the first row alone may lack it
        split = "2"
    width = max([len(header), *map(len, rows)] if not named else [len(header)])
    header += [str(at) for at in range(len(header), width)]
    cells = {column: [row[at] if at < len(row) else "" for row in rows] for at, column in enumerate(header)}
    return _Raw(lines, cells, path, label, split, group, named)


def _unique(names: Sequence[str]) -> list[str]:
    """The names of columns, each once: the first of two that are called alike is the one that is meant."""
    return [name if names.index(name) == at else f"{name} ({at + 1})" for at, name in enumerate(names)]


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
    remote = remote or is_address(row[0])
    if len(row) >= 2 and (remote or (not is_address(folder) and locate(0, row[0], "", "", folder).size_bytes >= 0)):
        return (0, 1, 2), False
    got = ", ".join(quoted(without_secrets(cell), longest=40) for cell in row[:4])
    raise InputError(f"{where} must name a path column and a label column. Got {got}.", hint=_COLUMN_HINT)


def _json_cells(text: str, folder: str, name: str, group_by: str | None) -> _Raw:
    found = list(json_lines(text, name))
    columns = list(dict.fromkeys(key for _, row in found for key in row))
    group = named_column(group_by, columns, GROUP_COLUMNS, name) or ""
    cells = {column: [plain_text(row.get(column)) for _, row in found] for column in columns}
    taken: list[str] = []
    for usual in (PATH_COLUMNS, LABEL_COLUMNS, SPLIT_COLUMNS):  # rows of one file may use several names
        those = [column for column in usual if column in cells]
        taken.append(those[0] if those else "")
        if those:
            cells[those[0]] = [
                next((whole_text(row[column]) for column in those if column in row), "") for _, row in found
            ]
        for column in those[1:]:
            del cells[column]
    if group:
        cells[group] = [as_text(row.get(group)) for _, row in found]
    for (line, row), label in zip(found, cells.get(taken[1], ()), strict=False):
        value = next((row[column] for column in LABEL_COLUMNS if column in row), None)
        if not label and isinstance(value, list | dict):
            refuse_list(json.dumps(value), f"Line {line} of {quoted(name)}")
    return _Raw([line for line, _ in found], cells, taken[0], taken[1], taken[2], group)


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
    refuse_list(row.label, f"Line {row.line} of {quoted(name)}")
    return row

"""The bytes of a file of labels -> the labels in it, whichever of the known tools wrote it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tellapart.data.label_file import GROUP_COLUMNS, LABEL_COLUMNS, PATH_COLUMNS
from tellapart.data.meaning.class_names import is_list, is_missing
from tellapart.data.meaning.split_columns import SPLIT_COLUMNS
from tellapart.data.meaning.table_text import cells_of, text_of
from tellapart.data.spreadsheet import unguarded
from tellapart.errors import InputError
from tellapart.studio.labels_in import fiftyone, label_studio
from tellapart.studio.labels_in.given import NO_FILE, NO_LABEL, SEVERAL, Given, Labels, may_be_photo, of_address
from tellapart.text import quoted, some

MAX_ROWS: Final = 500_000
KINDS: Final = (
    "A table (CSV, TSV) or JSON lines with a path and a label; an export of Label Studio (JSON, JSON-MIN, CSV); or of "
    "FiftyOne (samples.json, labels.json)."
)


def read_labels(content: bytes, name: str) -> Labels:
    """The labels in a file.

    Args:
        content: of the file.
        name: how the person called it.

    Raises:
        InputError: it is no text, cut off, none of the known kinds, or larger than a set of photos can be.
    """
    text = text_of(content, name)
    if not text.strip():
        raise InputError(f"{quoted(name)} is empty.", hint=KINDS)
    labels = _of_json(text, name) if text.lstrip()[:1] in "[{" else _of_table(text, name)
    if len(labels.rows) > MAX_ROWS:
        raise InputError(f"{quoted(name)} has more than {MAX_ROWS:,} rows.", hint="Divide it, and take one by one.")
    if not labels.rows:
        raise InputError(f"{quoted(name)} has no labels in it.", hint=KINDS)
    return labels


def _of_json(text: str, name: str) -> Labels:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = _lines(text, name)
    if isinstance(value, dict):
        if fiftyone.is_samples(value):
            return fiftyone.of_samples(value, name)
        if fiftyone.is_labels(value):
            return fiftyone.of_labels(value)
        value = [value]  # one task, or one line
    if not all(isinstance(one, dict) for one in value):
        raise _unknown(name)
    if value and label_studio.is_tasks(value):
        return label_studio.of_tasks(value, name)
    if value and label_studio.is_rows(dict.fromkeys(key for one in value for key in one)):
        return label_studio.of_rows(value, name)
    return _of_objects(value, name)


def _lines(text: str, name: str) -> list[Any]:
    """The values of JSON lines.

    Raises:
        InputError: a line is no JSON, perhaps because the file is cut off.
    """
    values = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            values.append(json.loads(line))
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{quoted(name)} is not valid JSON (line {number}).", hint="Perhaps it is cut off: export it again."
            ) from error
    return values


def _of_objects(values: Sequence[Mapping[str, Any]], name: str) -> Labels:
    """JSON lines as our label files have them."""
    rows, columns = [], dict.fromkeys(key.lower() for one in values for key in one)
    if not (set(PATH_COLUMNS) & set(columns) and set(LABEL_COLUMNS) & set(columns)):
        raise _unknown(name)
    for one in values:
        cells = {key.lower(): value for key, value in one.items()}
        path, label = (next((cells[key] for key in keys if key in cells), "") for keys in (PATH_COLUMNS, LABEL_COLUMNS))
        if isinstance(label, float) and label.is_integer():
            label = int(label)
        if isinstance(label, int) and not isinstance(label, bool):
            label = str(label)
        rows.append(_row(path, label) if isinstance(label, str) else _row(path, "", SEVERAL if label else NO_LABEL))
    return Labels("a label file", rows, _not_taken(columns))


def _of_table(text: str, name: str) -> Labels:
    lines = [cells for _, cells in cells_of(text, name)]
    header = [cell.lower() for cell in lines[0]] if lines else []
    if label_studio.is_rows(header):
        names = lines[0]
        return label_studio.of_rows([dict(zip(names, cells, strict=False)) for cells in lines[1:]], name)
    path, label = (
        next((header.index(column) for column in known if column in header), -1)
        for known in (PATH_COLUMNS, LABEL_COLUMNS)
    )
    if path < 0 or label < 0:
        if not (len(header) >= 2 and may_be_photo(lines[0][0])):
            got = ", ".join(quoted(cell, longest=40) for cell in lines[0][:4]) if lines else "nothing"
            raise InputError(f"{quoted(name)} must name a path column and a label column. Got {got}.", hint=KINDS)
        path, label, header = 0, 1, []
    rows = []
    for cells in lines[1 if header else 0 :]:
        both = (cells[at] if at < len(cells) else "" for at in (path, label))
        rows.append(_row(*both))
    return Labels("a label file", rows, _not_taken(header))


def _row(path: Any, label: str, why: str = "") -> Given:
    word = unguarded(label).strip()
    if not why:
        why = NO_LABEL if not word or is_missing(word) else SEVERAL if is_list(word) else ""
    if not isinstance(path, str) or not path.strip():
        return Given("", "", NO_FILE)
    return of_address(unguarded(path), "" if why else word, why)


def _not_taken(columns: Sequence[str] | Mapping[str, Any]) -> tuple[str, ...]:
    others = [quoted(column) for column in columns if column in (*SPLIT_COLUMNS, *GROUP_COLUMNS)]
    return (f"Labels alone are taken from it, not {some(others)}.",) if others else ()


def _unknown(name: str) -> InputError:
    return InputError(f"{quoted(name)} has no labels in a form that is known.", hint=KINDS)

"""Data frames that name photos: of pandas, of polars, or whatever has columns that are asked for by name.

No library is imported: what a frame is shows in what it can do.
"""

from collections.abc import Iterable
from typing import Any, Protocol

from tellapart.data.groups import as_text, named_column
from tellapart.data.label_file import (
    GROUP_COLUMNS,
    LABEL_COLUMNS,
    PATH_COLUMNS,
    Row,
    Table,
    locate,
    told_splits,
)
from tellapart.data.meaning.class_names import refuse_list
from tellapart.data.meaning.split_columns import SPLIT_COLUMNS
from tellapart.errors import InputError
from tellapart.text import quoted, some

NAME = "the data frame"  # in sentences


class DataFrame(Protocol):
    """What is needed of a data frame."""

    @property
    def columns(self) -> Iterable[Any]:
        """The names of its columns."""

    def __getitem__(self, name: Any, /) -> Iterable[Any]:
        """The values of one column."""


def read_frame(frame: DataFrame, group_by: str | None = None) -> Table:
    """The rows of a data frame, counted from 0; photos that do not exist have `size_bytes` -1.

    Args:
        frame: with columns named as those of a label file; paths as this process would open them.
        group_by: which column says the groups; None takes one of the usual names, `none` none.

    Raises:
        InputError: it is no data frame, has no column of paths or of labels, a row lacks one, or there is no column
            to group by.
    """
    if not hasattr(frame, "columns") or not hasattr(frame, "__getitem__"):
        raise InputError(
            f"Photos are named by a path or by a data frame. Got {type(frame).__name__}.",
            hint="Of lists make a data frame with the columns path and label.",
        )
    columns = {str(column): column for column in frame.columns}
    folded = {name.lower(): name for name in reversed(columns)}
    path, label, split = (
        next((folded[name] for name in usual if name in folded), None)
        for usual in (PATH_COLUMNS, LABEL_COLUMNS, SPLIT_COLUMNS)
    )
    if path is None or label is None:
        raise InputError(
            f"{quoted(NAME)} must have a column of paths and one of labels. It has: {some(list(columns))}.",
            hint="Name the columns path, label and, if you have one, split or group.",
        )
    group = named_column(group_by, list(columns), GROUP_COLUMNS, NAME)
    cells = {name: [_cell(value) for value in frame[column]] for name, column in columns.items()}
    empty = [""] * len(cells[path])
    texts = [empty if name is None else cells[name] for name in (path, label, split, group)]
    if not empty:
        raise InputError(f"{quoted(NAME)} has no rows, so there are no photos in it.")
    rows = [_row(number, *row) for number, row in enumerate(zip(*texts, strict=True))]
    used = [name for name in (path, label, split, group) if name is not None]
    return told_splits(cells, rows, used, NAME)._replace(grouped_by=group)


def _cell(value: object) -> str:
    """A value as text; of several, as lists and arrays have them, what a program would print."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    if isinstance(value, Iterable) and not isinstance(value, str):
        return str(list(value))
    return as_text(value)


def _row(number: int, path: str, label: str, split: str, group: str) -> Row:
    for column, text in (("path", path), ("label", label)):
        if not text:
            raise InputError(
                f"Row {number:,} of {quoted(NAME)} has no {column}.",
                hint="Every row needs a path and a label.",
            )
    refuse_list(label, f"Row {number:,} of {quoted(NAME)}")
    return locate(number, path, label, split)._replace(group=group)

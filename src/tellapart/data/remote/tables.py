"""Tables that name photos by their addresses: CSV and JSON lines from elsewhere, and parquet from anywhere."""

from importlib import import_module
from io import BytesIO
from typing import Any, Final

from tellapart.data.groups import as_text
from tellapart.data.label_file import (
    GROUP_COLUMNS,
    JSON_EXTENSIONS,
    LABEL_COLUMNS,
    PATH_COLUMNS,
    TABLE_EXTENSIONS,
    Table,
    table_in,
    table_of_cells,
)
from tellapart.data.listing import extension
from tellapart.data.meaning.split_columns import SPLIT_COLUMNS
from tellapart.data.meaning.table_text import text_of
from tellapart.data.remote.address import is_address, last_name, parent, without_secrets
from tellapart.data.remote.door import read_file
from tellapart.errors import InputError
from tellapart.extras import require
from tellapart.text import quoted

PARQUET: Final = "parquet"
MAX_TABLE_BYTES: Final = 2_000_000_000  # ten million signed addresses
_USUAL: Final = frozenset({*PATH_COLUMNS, *LABEL_COLUMNS, *SPLIT_COLUMNS, *GROUP_COLUMNS})


def kind_of_table(source: str) -> str:
    """The ending of a table's name, without its query; "" where it is no table's."""
    kind = extension(last_name(source) if is_address(source) else source)
    return kind if kind in TABLE_EXTENSIONS | JSON_EXTENSIONS | {PARQUET} else ""


def read_table(source: str, group_by: str | None = None, *, allow_private: bool = False) -> Table:
    """The rows of a table elsewhere, or of a parquet file on this machine.

    Args:
        source: an address or a path, whose name ends as `kind_of_table` says.
        group_by: which column says the groups; None takes one of the usual names, `none` none.
        allow_private: whether hosts of this network are asked.

    Raises:
        InputError: it cannot be read or understood, or names files of this machine from elsewhere.
        MissingExtraError: what reads it is not installed.
    """
    name = without_secrets(source)
    if not is_address(source):
        folder = source.rpartition("/")[0]
        return table_of_cells(cells_in(source, name, group_by), folder, name, group_by)
    content = read_file(source, MAX_TABLE_BYTES, allow_private=allow_private)
    kind, folder = kind_of_table(source), parent(source)
    if kind == PARQUET:
        return table_of_cells(cells_in(BytesIO(content), name, group_by), folder, name, group_by)
    return table_in(text_of(content, name), kind, folder, name, group_by)


def cells_in(file: Any, name: str, group_by: str | None = None) -> dict[str, list[str]]:
    """{column: its texts} of those columns of a parquet file that may be meant; others are not even read.

    Raises:
        InputError: it is damaged, or no parquet file.
        MissingExtraError: what reads it is not installed.
    """
    require("shards", "Tables in parquet need a part of tellapart that is not installed.")
    parquet = import_module("pyarrow.parquet")
    wanted = _USUAL | {group_by.strip().lower()} if group_by else _USUAL
    try:
        with parquet.ParquetFile(file) as opened:
            columns = [column for column in opened.schema_arrow.names if column.lower() in wanted]
            table = opened.read(columns=columns)
            return {column: [as_text(value) for value in table[column].to_pylist()] for column in columns}
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:  # pyarrow's are kinds of the first two
        raise InputError(f"{quoted(name)} is damaged, or no parquet file.") from error

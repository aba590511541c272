"""Parquet files: the same rows give the same bytes, and what is not whole is known by it. Alone in using pyarrow.

Bytes are the same for one release of pyarrow: row groups have a fixed length, every column is one piece in memory
before it is written, and nothing in the file says when or where it was made.
"""

import json
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from tellapart.data.remote.place import Elsewhere, Place, write_at
from tellapart.errors import InputError
from tellapart.extras import require

ROWS_IN_GROUP: Final = 1024
COMPRESSION_LEVEL: Final = 3
TAIL_BYTES: Final = 1 << 16  # holds the footer of 4,096 photos three times
OURS: Final = b"tellapart"  # the key of what we say about a file, in its footer

Table = Any  # of pyarrow, which says nothing of its types
Json = dict[str, Any]


def arrow() -> Any:
    """The module pyarrow.

    Raises:
        MissingExtraError: it is not installed.
    """
    require("shards", "Shards are parquet files, which need a part of tellapart that is not installed.")
    return import_module("pyarrow")


def _parquet() -> Any:
    arrow()
    return import_module("pyarrow.parquet")


def save(path: Place, table: Table, said: Json, repeating: list[str]) -> None:
    """Write `table` to `path` as a whole, with what is to be said of it in the footer.

    Args:
        path: the file; replaced if it is there.
        table: of pyarrow.
        said: what `about` gives back.
        repeating: columns in which values repeat.

    Raises:
        InputError: the file cannot be written.
    """
    write_at(path, _encoded(table, said, repeating).to_pybytes())


def size(table: Table, repeating: list[str]) -> int:
    """How many bytes `table` would take in a file."""
    return int(_encoded(table, {}, repeating).size)


def _encoded(table: Table, said: Json, repeating: list[str]) -> Any:
    footer = {OURS: json.dumps(said, sort_keys=True, separators=(",", ":")).encode()}
    sink = arrow().BufferOutputStream()
    _parquet().write_table(
        table.combine_chunks().replace_schema_metadata(footer),
        sink,
        row_group_size=ROWS_IN_GROUP,
        version="2.6",
        data_page_version="1.0",
        compression="zstd",
        compression_level=COMPRESSION_LEVEL,
        use_dictionary=repeating,
        write_page_checksum=True,
    )
    return sink.getvalue()


def about(path: Place) -> Json | None:
    """What its footer says of a file, with its number of `rows`; None where there is no whole file of ours."""
    try:
        footer = _parquet().read_metadata(path if isinstance(path, Path) else BytesIO(_tail(path)))
        return {**json.loads((footer.metadata or {})[OURS]), "rows": footer.num_rows}
    except (OSError, ValueError, LookupError, TypeError):  # pyarrow's errors are kinds of the first two
        return None


def _tail(place: Elsewhere) -> bytes:
    """The end of a file elsewhere, with all of its footer; nothing where there is no file."""
    tail = place.read_end(TAIL_BYTES)
    needed = int.from_bytes(tail[-8:-4], "little") + 8
    return tail if needed <= len(tail) or len(tail) < TAIL_BYTES else place.read_end(needed)


def load(path: Place, columns: list[str] | None = None) -> Table:
    """The rows of a file, or some columns of them, each page held against its checksum.

    Raises:
        InputError: the file is gone or damaged.
    """
    try:
        return _parquet().read_table(
            path if isinstance(path, Path) else BytesIO(path.read_bytes()),
            columns=columns,
            partitioning=None,
            page_checksum_verification=True,
            use_threads=False,
        )
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"'{path}' cannot be read: it is gone or damaged.",
            hint="Delete what is left of it and run the same `tellapart embed` again: it makes what is not there.",
        ) from error

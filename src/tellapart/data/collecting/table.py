"""The table of what was collected: a row an address, with where its photo lies and came from, or the reason why not."""

import csv
import io
import os
from pathlib import Path
from typing import Final, NamedTuple

from tellapart.data.spreadsheet import guarded, unguarded
from tellapart.errors import InputError
from tellapart.text import quoted


class Row(NamedTuple):
    """One address. `file` is relative to the folder of photos, and empty where there is a `reason`."""

    file: str
    url: str
    final_url: str
    licence: str
    fetched: str  # the moment, ISO 8601 in UTC
    sha256: str
    bytes: str
    reason: str


COLUMNS: Final = Row._fields


class Table:
    """Rows are added at the end and flushed, one by one; the last row of an address is the one that holds.

    Raises:
        InputError: the file is there and is another table, or cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            content = path.read_bytes() if path.exists() else b""
            whole = content[: content.rfind(b"\n") + 1]
            if len(whole) < len(content):  # cut off by a kill or a power cut: that address is asked again
                os.truncate(path, len(whole))
        except OSError as error:
            raise self._unusable(error) from error
        try:
            rows = list(csv.reader(io.StringIO(whole.decode(), newline=""), strict=True))
        except (UnicodeDecodeError, csv.Error) as error:
            raise self._foreign() from error
        if rows and (tuple(rows[0]) != COLUMNS or any(len(row) != len(COLUMNS) for row in rows)):
            raise self._foreign()
        self.rows = {row.url: row for row in (Row(*map(unguarded, cells)) for cells in rows[1:])}
        if not rows:
            self._append(COLUMNS)

    def add(self, row: Row) -> None:
        """Keep a row for good.

        Raises:
            InputError: it cannot be written.
        """
        self._append(row)
        self.rows[row.url] = row

    def _append(self, cells: tuple[str, ...]) -> None:
        text = io.StringIO()
        csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(guarded(cell) for cell in cells)
        try:
            with self.path.open("ab") as file:
                file.write(text.getvalue().encode("utf-8", "replace"))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise self._unusable(error) from error

    def _foreign(self) -> InputError:
        return InputError(
            f"{quoted(str(self.path))} is not a table that collect wrote.", hint="Move it away, or choose another -o."
        )

    def _unusable(self, error: OSError) -> InputError:
        return InputError(
            f"{quoted(str(self.path))} cannot be written: {(error.strerror or 'the system refused').lower()}.",
            hint="Make room, or choose another place with -o. What was collected is kept.",
        )

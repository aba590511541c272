"""Rows of bytes on the disk, in several temporary files, for what must be read in another order than it comes.

Nothing is mapped into memory: what is held is what was asked for.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from tempfile import TemporaryFile
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import InputError

ROWS_IN_FILE: Final = 1 << 18


class RowFiles:
    """(N, *shape) numbers that lie in files without names, which are gone when they are closed.

    Args:
        shape: of a row.
        dtype: of its numbers.
        rows_in_file: how many rows are in each file.
    """

    def __init__(self, shape: tuple[int, ...], dtype: Any, *, rows_in_file: int = ROWS_IN_FILE) -> None:
        self._shape, self._dtype, self._rows_in_file = shape, np.dtype(dtype), rows_in_file
        self._row_bytes = self._dtype.itemsize * int(np.prod(shape))
        self._files: dict[int, int] = {}
        self._open = ExitStack()

    def __enter__(self) -> "RowFiles":
        return self

    def __exit__(self, *raised: object) -> None:
        self._files.clear()
        self._open.close()

    def write(self, places: NDArray[np.integer], rows: NDArray[Any]) -> None:
        """Put `rows` (n, *shape) at `places` (n,), from one thread at a time.

        Raises:
            InputError: the disk of temporary files is full.
        """
        order = np.argsort(places, kind="stable")
        data = np.ascontiguousarray(rows[order], self._dtype)
        try:
            for file, offset, start, stop in self._runs(np.asarray(places)[order]):
                os.pwrite(self._file(file), data[start:stop].tobytes(), offset)
        except OSError as error:
            raise InputError(
                f"No room for temporary files: {error.strerror}.", hint="Set TMPDIR to a folder on a larger disk."
            ) from error

    def read(self, places: NDArray[np.integer]) -> NDArray[Any]:
        """(n, *shape) the rows at `places` (n,), each of which was written."""
        order = np.argsort(places, kind="stable")
        found = np.empty((len(places), *self._shape), self._dtype)
        for file, offset, start, stop in self._runs(np.asarray(places)[order]):
            data = os.pread(self._files[file], (stop - start) * self._row_bytes, offset)
            found[order[start:stop]] = np.frombuffer(data, self._dtype).reshape(-1, *self._shape)
        return found

    def _runs(self, places: NDArray[np.integer]) -> Iterator[tuple[int, int, int, int]]:
        """(file, offset in it, first, behind the last) of each run of places, ascending, that lie side by side."""
        files = places // self._rows_in_file
        ends = np.flatnonzero((np.diff(places) != 1) | (np.diff(files) != 0)) + 1
        bounds = [0, *ends.tolist(), len(places)] if len(places) else []
        for start, stop in pairwise(bounds):
            file, row = divmod(int(places[start]), self._rows_in_file)
            yield file, row * self._row_bytes, start, stop

    def _file(self, number: int) -> int:
        if number not in self._files:
            made = TemporaryFile(prefix="tellapart-")  # noqa: SIM115  closed with all the others
            self._files[number] = self._open.enter_context(made).fileno()
        return self._files[number]

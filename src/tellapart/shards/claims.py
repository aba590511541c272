"""Who makes which shard: a lock on one byte of a file for each, which the system lets go however its process ends.

Two runs on one folder share its shards so. On a disk without locks both make the same ones, and write the same bytes.
"""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tellapart.data.remote.place import Place
from tellapart.errors import InputError

if sys.platform == "win32":
    fcntl = None
else:
    import fcntl

TAKEN: Final = (errno.EACCES, errno.EAGAIN)  # POSIX allows either


class NoClaims:
    """Of a folder elsewhere, where nothing can be locked: whoever comes makes all that is not done."""

    def close(self) -> None:
        """Nothing to let go of."""

    @contextmanager
    def claimed(self, number: int) -> Iterator[bool]:
        """Always."""
        yield True


class Claims:
    """An open file of locks. One a process: closing a second one would let go of the locks of the first.

    Args:
        path: the file; made if it is not there, never deleted.

    Raises:
        InputError: it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
        except OSError as error:
            raise InputError(
                f"'{path.parent}' cannot be written to: {(error.strerror or 'the system refused').lower()}.",
                hint="Choose another place, or check the folder's permissions.",
            ) from error

    def close(self) -> None:
        """Let go of all."""
        os.close(self._file)

    @contextmanager
    def claimed(self, number: int) -> Iterator[bool]:
        """Whether shard `number` is ours to make, until the end of the `with` block; not if another process has it."""
        mine = self._lock(number)
        try:
            yield mine
        finally:
            if mine and fcntl is not None:
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, number)

    def _lock(self, number: int) -> bool:
        if fcntl is None:
            return True
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        except OSError as error:
            return error.errno not in TAKEN  # a disk without locks
        return True


def claims_at(place: Place) -> Claims | NoClaims:
    """The locks of a folder of shards.

    Raises:
        InputError: they cannot be made.
    """
    return Claims(place) if isinstance(place, Path) else NoClaims()

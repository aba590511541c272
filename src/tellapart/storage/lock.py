"""A file that one process at a time may hold; the system lets go of it when the process ends, however it ends."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


class HeldError(Exception):
    """Another process holds the file."""


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Holds the file at `path`, which is made where there is none and is left there.

    A disk without locks lets everybody in: then nothing is kept apart, as on any other such disk.

    Raises:
        HeldError: another process holds it.
        OSError: it cannot be made or opened.
    """
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o666)
    try:
        _take(handle)
        yield
    finally:
        os.close(handle)


def _take(handle: int) -> None:
    try:
        if sys.platform == "win32":
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError) as error:
        raise HeldError from error
    except OSError:  # a disk without locks
        return

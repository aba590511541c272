"""What a write makes beside its target before it takes the target's place, and what dead processes left of such.

A write holds a lock on what it makes, and the system lets go of it when the process ends, however it ends. So the next
write tells what is in the making from what was left, also across containers and where the number of a process is given
again. Where the disk or the system knows no such locks, only what is a day old is taken for left.
"""

import os
import re
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

if sys.platform == "win32":
    fcntl = None
else:
    import fcntl

MAX_NAME_BYTES: Final = 255  # of a file's name, on all common file systems
ATTEMPTS: Final = 20  # a sweep by another process can take what is not held yet
DAY_S: Final = 86_400
HOUR_S: Final = 3_600
_OURS: Final = re.compile(r"\..+\.partial-tellapart-[0-9a-f]{8}", re.DOTALL)
_FORMER: Final = re.compile(r"\.partial-[a-z0-9_]{8}")  # of releases that held no lock; without its target's name


def beside(target: Path, ending: str) -> Path:
    """A hidden name beside `target` that is made of its name, cut where the two together are too long for a name."""
    whole = Path(os.path.abspath(target))  # "." has no name to build on
    room = MAX_NAME_BYTES - len(os.fsencode(f".{ending}"))
    name = os.fsencode(whole.name)
    if len(name) > room:
        mark = sha256(name).hexdigest()[:8]
        name = os.fsencode(os.fsdecode(name[: room - 12]).encode("utf-8", "ignore").decode() + f"-{mark}")
    return whole.parent / f".{os.fsdecode(name)}{ending}"


@contextmanager
def partial_folder(target: Path) -> Iterator[Path]:
    """An empty folder beside `target`, with the mode that the umask gives; gone at the end, unless it was renamed.

    Raises:
        OSError: it cannot be made.
    """
    sweep(target)
    with _made(target, lambda path: path.mkdir(mode=0o777)) as path:
        yield path


@contextmanager
def partial_file(target: Path, mode: int) -> Iterator[Path]:
    """An empty file beside `target`; gone at the end, unless it was renamed.

    Args:
        target: what it is to become.
        mode: who may read and write it, less what the umask forbids.

    Raises:
        OSError: it cannot be made.
    """
    sweep(target)
    with _made(target, lambda path: os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))) as path:
        yield path


@contextmanager
def _made(target: Path, make: Callable[[Path], None]) -> Iterator[Path]:
    for _ in range(ATTEMPTS):
        path = beside(target, f".partial-tellapart-{secrets.token_hex(4)}")
        make(path)
        held = None
        try:
            with suppress(FileNotFoundError):
                held = _hold(path)
            if not os.path.lexists(path):  # a sweep came before it was held
                continue
            yield path
            return
        finally:
            _remove(path)
            if held is not None:
                os.close(held)
    raise InterruptedError


def _hold(path: Path) -> int | None:
    """An open file with the lock on `path`, or without one where there are none; None where nothing can be held."""
    if fcntl is None:
        return None
    held = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with suppress(OSError):  # a disk without locks
        fcntl.flock(held, fcntl.LOCK_EX)  # a sweep that is at it is soon done, and what it leaves is looked at then
    return held


def sweep(target: Path) -> None:
    """Delete what dead processes left beside `target`, of writes of any name; what a living one holds stays."""
    with suppress(OSError):
        for entry in os.scandir(target.parent):
            former = entry.name.startswith(f".{target.name}") and _FORMER.fullmatch(entry.name[1 + len(target.name) :])
            if _OURS.fullmatch(entry.name) or former:
                with suppress(OSError):
                    _sweep_one(Path(entry.path), least_age_s=HOUR_S if former else 0)


def _sweep_one(path: Path, *, least_age_s: int) -> None:
    """Delete `path` where nobody holds it.

    Raises:
        OSError: somebody does, or it cannot be known.
    """
    found = path.lstat()
    if not (stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)):
        return
    age_s = time.time() - found.st_mtime
    if fcntl is None:
        if age_s > DAY_S:
            _remove(path)
        return
    held = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        except OSError:  # a disk without locks
            least_age_s = DAY_S
        if age_s >= least_age_s:
            _remove(path)
    finally:
        os.close(held)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)

"""Files moved so that no moment loses a byte, and the list on disk that remembers where they were.

inside         the file that a relative path names, unless it leads out of its root
move_file      moves one file or link to a free place, also to another file system
append_line    adds a line to the list; on disk when it returns
move_listed    both: the line first, then the move
put_back       moves a file back where it was
read_list      what the list says
"""

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tellapart.errors import InputError
from tellapart.storage.atomic import flush_folder
from tellapart.text import quoted

PARTIAL = ".partial"  # end of the name of a copy that is not whole yet


class Record(NamedTuple):
    """One line of the list, as far as it is needed to move the file back, and to say why it went.

    Attributes:
        home: where the file was, below the source, with "/".
        held: where it was moved to, below the quarantine, with "/".
        source: the real path of the source.
        why: the reasons, gravest first; none where the list does not say them.
        sha256: of its content when it was moved; "" where the list does not say it.
    """

    home: str
    held: str
    source: str
    why: tuple[str, ...] = ()
    sha256: str = ""


def inside(root: Path, path: str) -> Path | None:
    """The file that `path` names below `root`; None when it leads elsewhere, by its name or through a linked folder.

    Args:
        root: a real path, without links.
        path: relative, with "/"; the file need not exist, and may be a link itself.
    """
    parts = path.split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        return None
    whole = root.joinpath(*parts)
    straight = whole.is_relative_to(root) and Path(os.path.realpath(whole.parent)) == whole.parent
    return whole if straight else None


def move_file(origin: Path, target: Path) -> None:
    """Moves a file, or a link itself, to a free place.

    Raises:
        OSError: it cannot be moved, and is where it was.
    """
    try:
        origin.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _carry(origin, target)


def _carry(origin: Path, target: Path) -> None:
    """Moves between two file systems: the original goes when its copy is whole, on disk and has the same hash."""
    partial = target.with_name(f".{target.name}{PARTIAL}")
    partial.unlink(missing_ok=True)
    try:
        if origin.is_symlink():
            partial.symlink_to(os.readlink(origin))
        else:
            with origin.open("rb") as file, partial.open("xb") as copy:
                shutil.copyfileobj(file, copy)
                copy.flush()
                os.fsync(copy.fileno())
            shutil.copystat(origin, partial)
            if sha256(partial) != sha256(origin):
                raise OSError(errno.EIO, "its copy differs")
        partial.rename(target)
        flush([target.parent])
        _remove_original(origin, target)
    finally:
        partial.unlink(missing_ok=True)


def _remove_original(origin: Path, copy: Path) -> None:
    try:
        origin.unlink()
    except OSError:
        copy.unlink()  # the original stays, so the file has not moved
        raise


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content, also through a link; empty where a link leads to no file."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def append_line(path: Path, record: dict[str, object]) -> None:
    """Adds `record` to the list at `path`, on disk when this returns.

    A line that a kill tore is closed first, and counts no longer.

    Raises:
        OSError: it cannot be written.
    """
    try:
        line = json.dumps(record, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # a name that is no text
        line = json.dumps(record).encode()
    with path.open("a+b") as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            line = line if file.read(1) == b"\n" else b"\n" + line
        file.write(line + b"\n")
        file.flush()
        os.fsync(file.fileno())


def move_listed(
    listed: Path, origin: tuple[Path, str], target: tuple[Path, str], why: Sequence[str] = ()
) -> tuple[Path, Path]:
    """Moves a file to a free place, once the list says so on disk.

    Args:
        listed: the list.
        origin: a real path, and the file's path below it with "/".
        target: a real path, and the path below it that is wanted; where something has it, a number is added.
        why: the reasons, for the list.

    Returns:
        Where it was, and where it is.

    Raises:
        OSError: it cannot be moved, and is where it was.
    """
    whole, free = inside(*origin), free_place(*target)
    if whole is None or free is None:
        raise OSError(errno.ELOOP, "it lies behind a link to another folder")
    record: dict[str, object] = {
        "from": origin[1],
        "to": free.relative_to(target[0]).as_posix(),
        "why": why,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "sha256": sha256(whole),
        "source": str(origin[0]),
    }
    free.parent.mkdir(parents=True, exist_ok=True)
    append_line(listed, record)
    move_file(whole, free)
    return whole, free


def free_place(folder: Path, path: str) -> Path | None:
    """A path below `folder` that nothing has yet; None when it would lead elsewhere."""
    wanted = inside(folder, path)
    free, number = wanted, 1
    while wanted is not None and lies_at(free):
        number += 1
        free = wanted.with_name(f"{wanted.stem} ({number}){wanted.suffix}")
    return free


def put_back(origin: Path, home: Path | None) -> str:
    """Moves a file back to its home, overwriting nothing; or says why it stays."""
    if home is None:
        return "the place where it was is now behind a link to another folder"
    if os.path.lexists(home):
        same = sha256(home) == sha256(origin) != ""
        return "the same file is in its place already" if same else "there is a file of this name again"
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        move_file(origin, home)
    except OSError as error:
        return in_words(error)
    return ""


def read_list(path: Path) -> list[Record]:
    """The list at `path`: of each place in the quarantine the last line, in order; empty when there is none.

    Raises:
        InputError: the system does not let us read it.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise InputError(f"{quoted(str(path))} cannot be read: {in_words(error)}.") from error
    latest: dict[str, Record] = {}
    for record in _understood(lines):
        latest.pop(record.held, None)
        latest[record.held] = record
    return list(latest.values())


def _understood(lines: Iterable[bytes]) -> Iterator[Record]:
    for line in lines:
        with suppress(ValueError, RecursionError):  # torn by a kill, and then its file was never moved
            value = json.loads(line)
            if isinstance(value, dict):
                home, held, source = (value.get(key) for key in ("from", "to", "source"))
                if isinstance(home, str) and isinstance(held, str) and isinstance(source, str):
                    why = value.get("why")
                    reasons = why if isinstance(why, list) else []
                    sha = value.get("sha256")
                    words = tuple(r for r in reasons if isinstance(r, str))
                    yield Record(home, held, source, words, sha if isinstance(sha, str) else "")


def refuse_read_only(folders: Iterable[Path]) -> None:
    """Returns when files can be moved out of each folder; each is tried, because root may be refused as well."""
    for folder in sorted(folders):
        try:
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            raise InputError(
                f"Photos cannot be moved out of {quoted(str(folder))}: {in_words(error)}.",
                hint="Nothing was moved. Check the folder's permissions, or copy the photos and check the copy.",
            ) from error


def lies_at(path: Path | None) -> bool:
    """Whether anything is there, also a link that leads nowhere."""
    return path is not None and os.path.lexists(path)


def flush(folders: Iterable[Path]) -> None:
    """Make what was moved within `folders` survive a power cut, where the system can."""
    for folder in folders:
        with suppress(OSError):
            flush_folder(folder)


def in_words(error: OSError) -> str:
    """The system's reason, as part of a sentence."""
    return (error.strerror or "the system refused").lower()

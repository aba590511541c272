"""Writing so that a kill at any moment leaves the old result or the new one, never a mix.

What replaces something has its mode and owner, what is new the mode that the umask gives. A link stays a link: what it
leads to is replaced. A device, a pipe or this program's own output is written into, for it cannot be replaced.
"""

import os
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Mapping, Set
from contextlib import suppress
from pathlib import Path

from tellapart.errors import InputError
from tellapart.storage.partial import beside, partial_file, partial_folder

PREVIOUS = ".previous"  # end of the name under which the old folder waits during the instant between two renames
NEW_FILE = 0o666  # less what the umask forbids, as everywhere
PRIVATE_FILE = 0o600  # until it has the mode of the one that it replaces
SWAP_ATTEMPTS = 20  # a reader that looks between the two renames puts the old folder back
SWAP_PAUSE_S = 0.002  # more after each attempt, so about 0.4 s in all
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+:/")  # as a path keeps s3://bucket/name: with one slash
LEFT_BY_SYSTEMS = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})  # nobody misses these


def write_folder(target: Path, files: Mapping[str, bytes]) -> None:
    """Make folder `target` hold exactly `files` {relative name: content}, replacing what was there as a whole.

    The new folder is built beside the target, flushed to disk, and moved into place.

    Raises:
        InputError: the folder cannot be written.
    """
    _refuse_address(target)
    try:
        place = _followed(target)
        place.parent.mkdir(parents=True, exist_ok=True)
        restore(place)
        with partial_folder(place) as partial:
            if _exists(place):  # perhaps hidden from others, as what is written into it has to be meanwhile
                partial.chmod(0o700)
            for name, content in files.items():
                _write_durably(partial / name, content)
                _take_after(partial / name, place / name)
            _take_after(partial, place)
            for folder in {partial, *((partial / name).parent for name in files)}:
                flush_folder(folder)
            _swap(partial, place)
    except OSError as error:
        raise _unwritable(target, error) from error


def refuse_unwritable(target: Path, *, force: bool, ours: Set[str] = frozenset(), may_force: bool = True) -> None:
    """Returns when a folder can be written at `target`; asked before the work, not after it.

    Args:
        target: the folder to write.
        force: whether a folder that holds nothing but `ours` may be replaced.
        ours: names of files that tellapart writes into such a folder. Anything else in it is a person's, and a
            replacement would delete it.
        may_force: whether who asks could have said `force`.

    Raises:
        InputError: something is there already and may not be replaced, or the place cannot be written to.
    """
    _refuse_address(target)
    if target.name in ("", "..", "-"):  # which elsewhere means standard output
        raise InputError(f"'{target}' is not a name for a new folder.", hint="Choose a name with -o, such as my-model.")
    restore(target)
    if _exists(target) and not force:
        otherwise = ", or replace it with --force." if may_force else "."
        raise InputError(f"'{target}' exists already.", hint=f"Choose another name with -o{otherwise}")
    if _exists(target):
        _refuse_foreign(target, ours)
    _refuse_unwritable_place(target)


def refuse_unwritable_file(target: Path) -> None:
    """Returns when a file can be written at `target`; asked before the work, not after it.

    Raises:
        InputError: it is a folder, or a disk, or the place cannot be written to.
    """
    _refuse_address(target)
    try:
        if _own_stream(target) is not None:
            return
        if (kind := _special(target)) is not None:
            _refuse_kind(target, kind)
            if not os.access(target, os.W_OK):
                raise PermissionError(0, "permission denied")
            return
        place = _followed(target)
    except OSError as error:
        raise _unwritable(target, error) from error
    if place.is_dir():
        raise InputError(f"'{target}' is a folder.", hint="Name a file.")
    _refuse_unwritable_place(place)


def _refuse_address(target: Path) -> None:
    """Models, reports and exports go to disks; a folder that is called like an address would surprise everybody."""
    if _ADDRESS.match(str(target)) and not target.parent.is_dir():
        bucket = str(target).split("?", 1)[0].replace(":/", "://", 1)
        raise InputError(
            f"'{bucket}' is an address, and this is written to a disk only.",
            hint="Name a folder or file of this machine, and copy it there with the tools of that storage.",
        )


def _refuse_kind(target: Path, kind: int) -> None:
    if stat.S_ISBLK(kind) or stat.S_ISSOCK(kind):
        what = "a disk" if stat.S_ISBLK(kind) else "a socket"
        raise InputError(f"'{target}' is {what}, which no file is written to.", hint="Name a file.")


def _refuse_foreign(target: Path, ours: Set[str]) -> None:
    hint = "Choose another name with -o."
    if not target.is_dir():
        raise InputError(f"'{target}' is not a folder that tellapart wrote, so it is not replaced.", hint=hint)
    foreign = sorted(entry.name for entry in target.iterdir() if entry.name not in ours | LEFT_BY_SYSTEMS)
    if foreign:
        raise InputError(
            f"'{target}' holds '{foreign[0]}', which is not part of what would be written there, "
            "so it is not replaced.",
            hint=hint,
        )


def _refuse_unwritable_place(target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=target.parent).close()
    except OSError as error:
        raise _unwritable(target, error) from error


def _exists(target: Path) -> bool:
    """Also for a link that leads nowhere."""
    return os.path.lexists(target)


def write_file(target: Path, content: bytes) -> None:
    """Make file `target` hold `content`, replacing it as a whole; what is no file is written into.

    Raises:
        InputError: the file cannot be written.
        BrokenPipeError: it is this program's own output, and its reader has gone.
    """
    _refuse_address(target)
    own = None
    try:
        own = _own_stream(target)
        if own is not None:
            _write_all(own, content)
        elif (kind := _special(target)) is not None:
            _refuse_kind(target, kind)
            handle = os.open(target, os.O_WRONLY)
            try:
                _write_all(handle, content)
            finally:
                os.close(handle)
        else:
            _replace_file(_followed(target), content)
    except OSError as error:
        if isinstance(error, BrokenPipeError) and own is not None:
            raise
        raise _unwritable(target, error) from error


def _replace_file(place: Path, content: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with partial_file(place, PRIVATE_FILE if _exists(place) else NEW_FILE) as partial:
        _write_durably(partial, content)
        _take_after(partial, place)
        partial.replace(place)
        flush_folder(place.parent)


def _write_all(handle: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(handle, rest) :]


def _own_stream(target: Path) -> int | None:
    """The number of our standard output or error where `target` is another name of it, such as /dev/stdout.

    What was printed before is then out; what is printed later comes behind. A file that a shell has opened for us must
    not be replaced: whatever we print would go on into the one that has no name any more.
    """
    for stream in filter(None, (sys.__stdout__, sys.__stderr__)):
        same = False
        with suppress(OSError, ValueError):  # it is closed, or no file; or there is no target
            same = os.path.samestat(os.fstat(stream.fileno()), target.stat())
        if same:
            stream.flush()
            return stream.fileno()
    return None


def _special(target: Path) -> int | None:
    """The mode of what `target` leads to, where it is neither file nor folder: a device, a pipe, a socket.

    Raises:
        OSError: the system does not say.
    """
    try:
        kind = target.stat().st_mode
    except FileNotFoundError:
        return None
    return None if stat.S_ISREG(kind) or stat.S_ISDIR(kind) else kind


def _followed(target: Path) -> Path:
    """What a link leads to in the end, there or not; any other path as it is."""
    return Path(os.path.realpath(target)) if target.is_symlink() else target


def _take_after(new: Path, old: Path) -> None:
    """Give `new` the mode and, where we may, the owner of `old`, of the same kind; nothing where there is none."""
    try:
        before, now = old.lstat(), new.lstat()
    except FileNotFoundError:
        return
    if stat.S_IFMT(before.st_mode) != stat.S_IFMT(now.st_mode):
        return
    if os.name == "posix" and (before.st_uid, before.st_gid) != (now.st_uid, now.st_gid):
        with suppress(OSError):
            os.chown(new, before.st_uid, before.st_gid)
    if stat.S_IMODE(before.st_mode) != stat.S_IMODE(now.st_mode):
        with suppress(PermissionError):  # a disk that knows no modes
            new.chmod(stat.S_IMODE(before.st_mode))


def restore(target: Path) -> None:
    """Undo a replacement that was killed half-way: the old folder comes back under its name."""
    previous = _previous(target)
    if previous.exists() and not target.exists():
        with suppress(OSError):  # another process was quicker
            previous.rename(_followed(target))


def _previous(target: Path) -> Path:
    return beside(_followed(target), PREVIOUS)


def _swap(partial: Path, target: Path) -> None:
    previous = _previous(target)
    shutil.rmtree(previous, ignore_errors=True)
    for attempt in range(SWAP_ATTEMPTS):
        try:
            if target.exists():
                target.rename(previous)
            partial.rename(target)
            break
        except OSError:  # a reader put the old one back, or another writer is between its own two renames
            restore(target)
            if attempt == SWAP_ATTEMPTS - 1:
                raise
            time.sleep(SWAP_PAUSE_S * attempt)
    flush_folder(target.parent)
    shutil.rmtree(previous, ignore_errors=True)


def _write_durably(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Make renames within `folder` survive a power cut, where the system can.

    Raises:
        OSError: it should, and did not.
    """
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _unwritable(target: Path, error: OSError) -> InputError:
    reason = error.strerror or "the system refused"
    if isinstance(error, FileExistsError | NotADirectoryError):
        reason = "a part of its path is a file"
    return InputError(
        f"'{target}' cannot be written: {reason.lower()}.",
        hint="Choose another place, or make room and check the folder's permissions.",
    )

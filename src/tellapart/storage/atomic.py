"""Writing so that a kill at any moment leaves the old result or the new one, never a mix."""

import os
import shutil
import tempfile
from collections.abc import Mapping, Set
from contextlib import suppress
from pathlib import Path

from tellapart.errors import InputError

PREVIOUS = ".{name}.previous"  # where the old folder waits during the instant between two renames
SWAP_ATTEMPTS = 20  # a reader that looks between the two renames puts the old folder back
LEFT_BY_SYSTEMS = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})  # nobody misses these


def write_folder(target: Path, files: Mapping[str, bytes]) -> None:
    """Make folder `target` hold exactly `files` {relative name: content}, replacing what was there as a whole.

    The new folder is built beside the target, flushed to disk, and moved into place.

    Raises:
        InputError: the folder cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        restore(target)
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.partial-", dir=target.parent))
    except OSError as error:
        raise _unwritable(target, error) from error
    try:
        for name, content in files.items():
            _write_durably(partial / name, content)
        partial.chmod(0o755)
        for folder in {partial, *((partial / name).parent for name in files)}:
            flush_folder(folder)
        _swap(partial, target)
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def refuse_unwritable(target: Path, *, force: bool, ours: Set[str] = frozenset()) -> None:
    """Returns when a folder can be written at `target`; asked before the work, not after it.

    Args:
        target: the folder to write.
        force: whether a folder that holds nothing but `ours` may be replaced.
        ours: names of files that tellapart writes into such a folder. Anything else in it is a person's, and a
            replacement would delete it.

    Raises:
        InputError: something is there already and may not be replaced, or the place cannot be written to.
    """
    if target.name in ("", ".."):
        raise InputError(f"'{target}' is not a name for a new folder.", hint="Choose a name with -o, such as my-model.")
    restore(target)
    if _exists(target) and not force:
        raise InputError(f"'{target}' exists already.", hint="Choose another name with -o, or replace it with --force.")
    if _exists(target):
        _refuse_foreign(target, ours)
    _refuse_unwritable_place(target)


def refuse_unwritable_file(target: Path) -> None:
    """Returns when a file can be written at `target`; asked before the work, not after it.

    Raises:
        InputError: it is a folder, or the place cannot be written to.
    """
    if target.is_dir():
        raise InputError(f"'{target}' is a folder.", hint="Name a file.")
    _refuse_unwritable_place(target)


def _refuse_foreign(target: Path, ours: Set[str]) -> None:
    hint = "Choose another name with -o."
    if not target.is_dir() or target.is_symlink():
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
    """Make file `target` hold `content`, replacing it as a whole.

    Raises:
        InputError: the file cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.partial-", dir=target.parent)
        os.close(handle)
    except OSError as error:
        raise _unwritable(target, error) from error
    partial = Path(name)
    try:
        _write_durably(partial, content)
        partial.chmod(0o644)
        partial.replace(target)
        flush_folder(target.parent)
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        partial.unlink(missing_ok=True)


def restore(target: Path) -> None:
    """Undo a replacement that was killed half-way: the old folder comes back under its name."""
    previous = _previous(target)
    if previous.exists() and not target.exists():
        with suppress(OSError):  # another process was quicker
            previous.rename(target)


def _previous(target: Path) -> Path:
    whole = Path(os.path.abspath(target))  # "." has no name to build on
    return whole.parent / PREVIOUS.format(name=whole.name)


def _swap(partial: Path, target: Path) -> None:
    previous = _previous(target)
    shutil.rmtree(previous, ignore_errors=True)
    for attempt in range(SWAP_ATTEMPTS):
        if target.exists():
            target.rename(previous)
        try:
            partial.rename(target)
            break
        except OSError:
            restore(target)
            if attempt == SWAP_ATTEMPTS - 1:
                raise
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

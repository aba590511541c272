"""The journal of a studio: a file to which lines are added, each on the disk before it counts.

The first line says what the file is. What was cut off at the end, by a kill or by a full disk, was never said to be
saved, and is dropped. A line in the middle that cannot be understood is refused rather than guessed: what comes behind
it rests on it.
"""

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tellapart.errors import InputError
from tellapart.storage.atomic import flush_folder
from tellapart.storage.lock import HeldError, held
from tellapart.studio.state import Line, State
from tellapart.text import quoted

NAME: Final = "journal.jsonl"
LOCK: Final = "journal.lock"
VERSION: Final = 1
KIND: Final = "tellapart studio"


class Journal:
    """An open journal. One process at a time has it: `open_journal`.

    Args:
        handle: of the file, open for reading and adding.
        name: what people call it.
    """

    def __init__(self, handle: int, name: str) -> None:
        self._handle = handle
        self._name = name
        self._broken = False
        header, lines, self._n_bytes = _read(handle, name)
        os.ftruncate(handle, self._n_bytes)
        if header is None:
            header = {"journal": KIND, "version": VERSION, "seed": secrets.token_hex(8), "made": _now()}
            self._write(header)
        self.seed = str(header["seed"])
        self.state = State()
        for number, line in lines:
            try:
                self.state.apply(Line.from_json(line))
            except ValueError as error:
                raise _not_understood(name, number) from error

    def add(self, line: Line) -> None:
        """Returns when the line is on the disk, and holds.

        Raises:
            InputError: it cannot be written; then nothing has changed.
        """
        if self._broken:
            raise _unwritten(self._name, "an earlier line could not be taken back")
        try:
            self._write({"n": len(self.state.lines), "at": _now(), **line.to_json()})
        except OSError as error:
            self._broken = True
            with suppress(OSError):
                os.ftruncate(self._handle, self._n_bytes)
                self._broken = False
            raise _unwritten(self._name, (error.strerror or "the system refused").lower()) from error
        self.state.apply(line)

    def _write(self, value: Mapping[str, Any]) -> None:
        # Letters beyond ASCII are spelt: names on a disk need not be Unicode, and what is written has to be.
        content = json.dumps(value, separators=(",", ":")).encode() + b"\n"
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(self._handle, rest) :]
        os.fsync(self._handle)
        self._n_bytes += len(content)


class Follower:
    """A journal that another process writes, read along; nothing is ever written to it.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self.state = State()
        self.seed = ""
        self._path = path
        self._n_bytes = 0

    def catch_up(self) -> None:
        """Take the lines that were added since.

        Raises:
            InputError: it cannot be read, or not be understood.
        """
        try:
            with self._path.open("rb") as file:
                file.seek(self._n_bytes)
                content = file.read()
        except OSError as error:
            raise InputError(f"{quoted(str(self._path))} cannot be read.", hint="Start the studio again.") from error
        whole = content[: content.rfind(b"\n") + 1]
        for text in whole.splitlines():
            number = len(self.state.lines) + 2
            try:
                value = json.loads(text)
                if self.seed:
                    self.state.apply(Line.from_json(value))
                else:
                    self.seed = str(value["seed"])
            except (ValueError, RecursionError, TypeError, KeyError) as error:
                raise _not_understood(str(self._path), number) from error
        self._n_bytes += len(whole)


@contextmanager
def open_journal(folder: Path) -> Iterator[Journal]:
    """The journal in `folder`, which is made where there is none.

    Raises:
        InputError: another studio has it, a newer tellapart wrote it, or it is damaged.
        OSError: the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    name = str(path)
    try:
        with held(folder / LOCK):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
            try:
                journal = Journal(handle, name)
                flush_folder(folder)
                flush_folder(folder.parent)
                yield journal
            finally:
                os.close(handle)
    except HeldError as error:
        raise InputError(
            f"Another studio has {quoted(str(folder))} open.", hint="Use its page, or end it with Ctrl-C first."
        ) from error


def _read(handle: int, name: str) -> tuple[dict[str, Any] | None, list[tuple[int, Any]], int]:
    """The header, None for a file without one; the numbered lines behind it; and the bytes that are whole lines."""
    with os.fdopen(os.dup(handle), "rb") as file:
        file.seek(0)
        content = file.read()
    n_bytes = content.rfind(b"\n") + 1
    whole = content[:n_bytes].split(b"\n")[:-1]
    values: list[tuple[int, Any]] = []
    for number, text in enumerate(whole, start=1):
        try:
            values.append((number, json.loads(text)))
        except (ValueError, RecursionError) as error:
            if number == len(whole) > 1:  # a power cut may leave what was never written
                return values[0][1], values[1:], n_bytes - len(text) - 1
            raise _not_understood(name, number) from error
    if not values:
        return None, [], 0
    header = values[0][1]
    if not isinstance(header, dict) or header.get("journal") != KIND or type(header.get("version")) is not int:
        raise _not_understood(name, 1)
    if header["version"] > VERSION:
        raise InputError(
            f"{quoted(name)} was written by a newer tellapart.", hint="Upgrade: pip install --upgrade tellapart"
        )
    if not isinstance(header.get("seed"), str):
        raise _not_understood(name, 1)
    return header, values[1:], n_bytes


def _not_understood(name: str, number: int) -> InputError:
    return InputError(
        f"Line {number} of {quoted(name)} cannot be understood.",
        hint="Nothing was changed. Put back a copy of the file, or move it away to begin anew.",
    )


def _unwritten(name: str, why: str) -> InputError:
    return InputError(
        f"It could not be saved: {quoted(name)} cannot be written, {why}.",
        hint="Make room on the disk, then do it again.",
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

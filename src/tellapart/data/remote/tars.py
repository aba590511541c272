"""Photos in tars, here or elsewhere, read by ranges in the order in which they lie.

    photos.tar   s3://bucket/train-*.tar   s3://bucket/train-{0000..0127}.tar

A request for each photo would cost more than the processors that look at it, so a run of photos is fetched at once
where they are asked for in order, and a single one where not.
"""

import os
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from threading import Lock
from typing import ClassVar, Final

from tellapart.data.meaning.named_photos import nearest
from tellapart.data.remote import door
from tellapart.data.remote.address import STORES, below, is_address, last_name, parent, scheme_of, without_secrets
from tellapart.data.remote.tar_index import Member, members_of
from tellapart.errors import InputError, PhotoError
from tellapart.formats import header
from tellapart.text import quoted

BLOCK_BYTES: Final = 8 << 20  # fetched at once: 80 photos of 100 kB
BLOCKS: Final = 8  # held in memory
MAX_TARS: Final = 100_000
_BRACES: Final = re.compile(r"\{(\d+)\.\.(\d+)\}")


def is_tars(source: str) -> bool:
    """Whether the name is that of tars; a folder of that name is a folder."""
    return last_name(source).lower().endswith(".tar") and (is_address(source) or not os.path.isdir(source))


def tars_of(source: str) -> list[str]:
    """The tars that a name means, in order: one, those that fit `*`, or those of `{0000..0127}`.

    Raises:
        InputError: there is none.
    """
    if is_address(source) and scheme_of(source) not in STORES:
        raise InputError(
            f"{quoted(without_secrets(source), longest=300)} is a tar of the web, which is not read in place.",
            hint="Copy it to this machine or into a store, and name it there.",
        )
    found = _BRACES.search(source)
    if found and not os.path.exists(source):
        first, last = int(found[1]), int(found[2])
        if not 0 <= last - first < MAX_TARS:
            raise InputError(f"{quoted(without_secrets(source))} names no tars, or too many.", hint="Write {000..127}.")
        middle = (f"{number:0{len(found[1])}d}" for number in range(first, last + 1))
        return [f"{source[: found.start()]}{number}{source[found.end() :]}" for number in middle]
    if "*" not in source or os.path.exists(source):
        if not is_address(source) and not os.path.exists(source):
            raise InputError(f"There is no {quoted(source, longest=300)}.", hint=nearest(source))
        return [source]
    folder, pattern = parent(source) if is_address(source) else os.path.dirname(source), last_name(source)
    if is_address(source):
        names = [last_name(str(info["name"])) for info in door.entries(folder)]
    else:
        names = os.listdir(folder or ".") if os.path.isdir(folder or ".") else []
    hits = sorted(name for name in names if fnmatchcase(name, pattern))
    if not hits:
        raise InputError(
            f"No tar fits {quoted(without_secrets(source), longest=300)}.", hint="* stands for any letters."
        )
    return [below(folder, name) if is_address(source) else os.path.join(folder, name) for name in hits]


@dataclass
class _Ahead:
    """Blocks of tars that were just fetched, and how far each tar was read; of one process."""

    lock: Lock = field(default_factory=Lock)
    blocks: "OrderedDict[tuple[str, int], Future[bytes]]" = field(default_factory=OrderedDict)
    reached: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class TarPhotos:
    """The photos of tars, by `name of the tar/name in it`.

    Attributes:
        root: what the person named.
        files: {name of a tar: its path or address}.
        members: {place: (name of its tar, offset, size)}.
        failed: {place: why} of those that could not be had when they were asked for last; filled by `read`.
    """

    kind: ClassVar[str] = "tar"
    root: str
    files: Mapping[str, str] = field(repr=False)
    members: Mapping[str, tuple[str, int, int]] = field(repr=False)
    failed: dict[str, str] = field(default_factory=dict, repr=False, compare=False)
    ahead: _Ahead = field(default_factory=_Ahead, repr=False, compare=False)

    def read(self, place: str) -> bytes:
        """The bytes of one photo; may be called from many threads.

        Raises:
            PhotoError: it cannot be had, or its tar was changed or is gone.
        """
        try:
            data = self._read(place)
        except PhotoError as error:
            self.failed[place] = error.message
            raise
        self.failed.pop(place, None)
        return data

    def _read(self, place: str) -> bytes:
        if place not in self.members:
            raise PhotoError("The photo is no longer in its tar.", code="missing")
        tar, offset, size = self.members[place]
        data = self._range(self.files[tar], offset, offset + size)
        if len(data) != size:
            raise PhotoError("The tar ends before this photo does.", code="truncated", hint="Was it changed?")
        header.refuse_placeholder(data)
        return data

    def _range(self, file: str, start: int, end: int) -> bytes:
        if not is_address(file):
            return _local(file, start, end)
        with self.ahead.lock:
            before = self.ahead.reached.get(file, 0)
            in_order = -BLOCK_BYTES <= start - before <= BLOCK_BYTES
            self.ahead.reached[file] = end
        if not in_order or end - start > BLOCK_BYTES // 4:
            return door.read_range(file, start, end)
        numbers = range(start // BLOCK_BYTES, (end - 1) // BLOCK_BYTES + 1)
        data = b"".join(self._block(file, number) for number in numbers)
        from_first = start - numbers[0] * BLOCK_BYTES
        return data[from_first : from_first + end - start]

    def _block(self, file: str, number: int) -> bytes:
        """One block, fetched by whoever wants it first."""
        ahead, key = self.ahead, (file, number)
        with ahead.lock:
            mine = key not in ahead.blocks
            future = ahead.blocks.setdefault(key, Future())
            ahead.blocks.move_to_end(key)
            while len(ahead.blocks) > BLOCKS:
                ahead.blocks.popitem(last=False)
        if mine:
            try:
                future.set_result(door.read_range(file, number * BLOCK_BYTES, (number + 1) * BLOCK_BYTES))
            except BaseException as error:  # noqa: BLE001  whoever waits gets it
                with ahead.lock:
                    ahead.blocks.pop(key, None)  # the next one asks once more
                future.set_exception(error)
        return future.result()


def open_tars(source: str) -> tuple[TarPhotos, list[tuple[str, Member]]]:
    """What reads the photos of tars, and (place, member) of each file in them, in their order.

    Raises:
        InputError: there is none, or one is damaged.
        MissingExtraError: the driver of this store is not installed.
    """
    files: dict[str, str] = {}
    found: list[tuple[str, Member]] = []
    for file in tars_of(source):
        name = last_name(file)
        files[name] = file
        found += [(f"{name}/{member.name}", member) for member in _members(file)]
    places = {
        place: (place[: len(place) - len(member.name) - 1], member.offset, member.size)
        for place, member in found
        if not member.reason
    }
    return TarPhotos(source, files, places), found


def _members(file: str) -> list[Member]:
    def ask(start: int, end: int) -> bytes:
        try:
            return door.read_range(file, start, end) if is_address(file) else _local(file, start, end)
        except PhotoError as error:
            if error.code == "empty":  # there is nothing behind its end
                return b""
            said = f"{quoted(without_secrets(file), longest=300)} cannot be read: "
            raise InputError(said + error.message[0].lower() + error.message[1:], hint=error.hint) from None

    return members_of(ask, without_secrets(file))


def _local(file: str, start: int, end: int) -> bytes:
    try:
        with open(file, "rb") as opened:
            opened.seek(start)
            return opened.read(end - start)
    except FileNotFoundError as error:
        raise PhotoError("The tar is gone.", code="missing") from error
    except OSError as error:
        raise PhotoError("The tar cannot be read.", code="unreadable") from error


def splits_by_name(names: Sequence[str]) -> dict[str, str]:
    """{name of a tar: the word that it begins with}, such as train of train-000.tar; "" where it is no word."""
    words = {name: re.match(r"[A-Za-z]+(?=[-_.0-9])", name) for name in names}
    return {name: word[0] if word else "" for name, word in words.items()}

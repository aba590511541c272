"""What lies where in a tar, by its headers alone, as far as these can be believed; and the labels beside photos.

WebDataset keeps a photo and what is said of it side by side, under one name with several endings: `000017.jpg`,
`000017.cls`, `000017.json`. Its name up to the first dot is the key of a sample.

Source: webdataset's format, https://github.com/webdataset/webdataset (keys end at the first dot of the file's name).
"""

import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from tellapart.data.groups import as_text
from tellapart.data.label_file import GROUP_COLUMNS, LABEL_COLUMNS
from tellapart.data.listing import extension, is_stray, reason_by_name
from tellapart.data.meaning.split_columns import SPLIT_COLUMNS
from tellapart.data.photo import MAX_FILE_BYTES
from tellapart.errors import InputError
from tellapart.text import quoted

WINDOW_BYTES: Final = 1 << 20  # asked for at once while headers are read; photos in between come along
MAX_SAID_BYTES: Final = 1 << 16  # of a .cls or .json; more is no label
MAX_HEADER_BYTES: Final = 1 << 20  # of one extended header; names are shorter
SAID: Final = frozenset({"cls", "json", "txt", "index", "npy", "npz", "pyd", "pth"})  # endings of what is no photo
_GROUPS: Final = ("group", *GROUP_COLUMNS)


class Member(NamedTuple):
    """A photo in a tar: where its bytes are, and what stands beside it."""

    name: str
    offset: int
    size: int
    label: str = ""
    split: str = ""
    group: str = ""
    reason: str = ""


class Range:
    """A file that is read by asking for ranges of it, as `tarfile` wants one.

    Args:
        ask: `ask(start, end)` gives those bytes, fewer at the end of the file.
    """

    def __init__(self, ask: Callable[[int, int], bytes]) -> None:
        self._ask = ask
        self._at, self._start, self._window = 0, 0, b""

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go there; from the start only."""
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation
        self._at = offset
        return offset

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        if not 0 <= size <= MAX_HEADER_BYTES:  # a header that says it is longer lies
            raise tarfile.ReadError("a header is too long")
        end = self._at + size
        if not self._start <= self._at <= end <= self._start + len(self._window):
            self._window = self._ask(self._at, self._at + max(size, WINDOW_BYTES))
            self._start = self._at
        data = self._window[self._at - self._start : end - self._start]
        self._at += len(data)
        return data


@dataclass
class _Sample:
    photos: list[tuple[str, int, int, str]] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)


def members_of(ask: Callable[[int, int], bytes], name: str) -> list[Member]:
    """The photos of a tar in its order, each with what stands beside it, and other files with a reason.

    Args:
        ask: `ask(start, end)` gives those bytes of the tar.
        name: of the tar, for people.

    Raises:
        InputError: it is no tar, packed, damaged or cut off.
    """
    samples: dict[str, _Sample] = {}
    file: Any = Range(ask)
    try:
        with tarfile.open(fileobj=file, mode="r:", errorlevel=1) as tar:
            while (info := tar.next()) is not None:
                if not info.isdir():
                    _take(info, file, samples)
                tar.members = []  # type: ignore[attr-defined]  # it would keep every one
            file.seek(tar.offset)
            whole = file.read(tarfile.BLOCKSIZE) == bytes(tarfile.BLOCKSIZE)
    except (tarfile.TarError, EOFError, ValueError, OverflowError, UnicodeError) as error:
        if isinstance(error, InputError):
            raise
        raise _damaged(name) from error
    if not whole:
        raise _damaged(name)
    return [member for sample in samples.values() for member in _members(sample)]


def _damaged(name: str) -> InputError:
    return InputError(
        f"{quoted(name, longest=300)} is no tar that can be read: it is packed, damaged or cut off.",
        hint="Tars of photos are not compressed. Copy it once more, or make it again.",
    )


def _take(info: tarfile.TarInfo, file: Range, samples: dict[str, _Sample]) -> None:
    parts = [part for part in info.name.split("/") if part not in ("", ".")]
    if not parts or any(map(is_stray, parts)):
        return
    name, ending = "/".join(parts), extension(info.name)
    key = name[: len(name) - len(parts[-1])] + parts[-1].partition(".")[0]
    sample = samples.setdefault(key, _Sample())
    if ending in SAID and info.isreg() and info.size <= MAX_SAID_BYTES:
        at = file.tell()
        file.seek(info.offset_data)
        sample.said.update(_said(ending, file.read(info.size)))
        file.seek(at)
        sample.others.append(name)
    elif ending in SAID:
        sample.others.append(name)
    else:
        sample.photos.append((name, info.offset_data, info.size, _reason(info, parts[-1])))


def _reason(info: tarfile.TarInfo, name: str) -> str:
    if not info.isreg() or info.sparse is not None:
        return "not a regular file"
    if info.size > MAX_FILE_BYTES:
        return f"larger than {MAX_FILE_BYTES // 1_000_000} MB"
    return reason_by_name(name) or ("" if info.size else "empty file")


def _said(ending: str, content: bytes) -> dict[str, str]:
    """What a file beside a photo says of it: label, split, group."""
    if ending == "cls":
        return {"label": content.decode("utf-8", "replace").strip()}
    if ending != "json":
        return {}
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(value, dict):
        return {}
    cells = {str(key).lower(): as_text(cell) for key, cell in value.items() if not isinstance(cell, list | dict)}
    wanted = {"label": ("cls", *LABEL_COLUMNS), "split": SPLIT_COLUMNS, "group": _GROUPS}
    found = {what: next((cells[name] for name in names if cells.get(name)), "") for what, names in wanted.items()}
    return {what: text for what, text in found.items() if text}


def _members(sample: _Sample) -> list[Member]:
    said = sample.said
    photos = [
        Member(name, offset, size, said.get("label", ""), said.get("split", ""), said.get("group", ""), reason)
        for name, offset, size, reason in sample.photos
    ]
    if photos:
        return photos
    return [Member(name, 0, 0, reason="stands beside no photo") for name in sample.others]

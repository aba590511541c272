"""Photos inside a zip, read in place: nothing is ever written to disk, and no member name is used as a path.

A zip is refused as a whole when it is opened, from its table of contents and the header in front of every
member, before a single byte is unpacked: it lies about its layout, or it is a bomb, or it was made to escape
a folder. One damaged photo in an honest zip is one `PhotoError` later.

Source: Fifield, "A better zip bomb", WOOT 2019 (overlapping members); CVE-2024-0450 (Python's own overlap
check came in 3.11.8, so it cannot be relied upon); Snyk, "Zip Slip", 2018.
"""

import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, ClassVar, NamedTuple, NoReturn

from tellapart.data.listing import (
    ARCHIVE_EXTENSIONS,
    Found,
    Listing,
    extension,
    is_stray,
    reason_by_name,
)
from tellapart.data.meaning.archive_names import UTF8_NAME, Names, in_code_page, read_names
from tellapart.data.photo import MAX_FILE_BYTES
from tellapart.errors import InputError, PhotoError
from tellapart.formats import header
from tellapart.text import quoted

MAX_ENTRIES = 20_000
MAX_TOTAL_BYTES = 2_000_000_000
MAX_RATIO = 100  # bytes out for a byte in; photos are compressed already and stay near 1
RATIO_FREE_BYTES = 1_000_000  # below this size any ratio is harmless
MAX_DEPTH = 32  # folders; real datasets have 2 to 5
MAX_TABLE_BYTES = MAX_ENTRIES * 512  # the table of contents takes 46 bytes and a name for each entry

_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_LOCAL_SIGNATURE = b"PK\x03\x04"
_END_SIGNATURE, _END_BYTES, _LONGEST_COMMENT = b"PK\x05\x06", 22, 65_535
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR64 = struct.Struct("<4sIQI")
_END64_SIGNATURE, _LOCATOR64_SIGNATURE = b"PK\x06\x06", b"PK\x06\x07"
_END64_OWN_BYTES = _END64.size - 12  # what the record says of its length: it counts neither its signature nor itself
_ENTRY_BYTES = 46  # of the table of contents, without the names behind it
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_ROOTED = re.compile(r"/|[A-Za-z]:|~[\w.-]*(/|$)")


class Member(NamedTuple):
    """Where one photo lies inside the zip and what its table of contents promises about it."""

    offset: int  # of the first packed byte, from the start of the file
    packed_bytes: int
    photo_bytes: int
    crc: int
    deflated: bool


@dataclass(frozen=True)
class Archive:
    """A zip that passed every check.

    It holds no open file: many threads can read it at once, and it can be sent to another process.

    Attributes:
        path: the zip on disk.
        listing: its files and folders, as `list_folder` would give them; each `place` is a key of `members`.
        members: what can be read.
        notes: sentences for the person, on how names were read.
    """

    kind: ClassVar[str] = "zip"
    path: str
    listing: Listing = field(repr=False)
    members: Mapping[str, Member] = field(repr=False)
    notes: tuple[str, ...] = ()

    def read(self, place: str) -> bytes:
        """The bytes of one photo.

        Raises:
            PhotoError: `damaged` where the bytes are not those promised, `unreadable` where the zip is
                gone, and `empty`, `placeholder` or `too_large` as for a file on disk.
        """
        member = self.members[place]
        if member.photo_bytes > MAX_FILE_BYTES:
            raise PhotoError(
                f"The file is larger than {MAX_FILE_BYTES // 1_000_000} MB.",
                code="too_large",
                hint="Save a smaller copy.",
            )
        try:
            with open(self.path, "rb") as file:
                file.seek(member.offset)
                packed = file.read(member.packed_bytes)
        except OSError as error:
            raise PhotoError("The zip can no longer be read.", code="unreadable") from error
        photo = _inflate(packed, member) if member.deflated else packed
        if len(photo) != member.photo_bytes or zlib.crc32(photo) != member.crc:
            raise PhotoError(
                "The zip is damaged at this photo.",
                code="damaged",
                hint="Make the zip again from the photos.",
            )
        header.refuse_placeholder(photo)
        return photo


def is_zip(path: str, name: str) -> bool:
    """Whether the file at `path`, which the person called `name`, is called a zip or begins like one."""
    if extension(path) == "zip":
        return True
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError as error:
        raise InputError(f"{quoted(name)} cannot be read: {error.strerror}.") from error


def open_archive(path: str, *, name: str = "") -> Archive:
    """The zip at `path`, once it has passed every check; `name` is how the person called it.

    Raises:
        InputError: it is no zip, it is damaged, or it could do harm.
    """
    name = name or path
    try:
        with open(path, "rb") as file:
            _check_table(file, name)
            infos, table_offset = _table_of_contents(file, name)
            read = read_names(infos, name)
            _check_entries(infos, read.names, name)
            members = _locate(file, infos, table_offset, name)
    except OSError as error:
        raise InputError(f"{quoted(name)} cannot be read: {error.strerror}.") from error
    return _archive(path, infos, members, read)


def _check_table(file: BinaryIO, name: str) -> None:
    """Refuses a table of contents too large to be worth parsing, which `zipfile` would do entry by entry."""
    size = os.fstat(file.fileno()).st_size
    tail_bytes = min(size, _END_BYTES + _LONGEST_COMMENT + _END64.size + _LOCATOR64.size)
    file.seek(size - tail_bytes)
    tail = file.read(tail_bytes)
    at = tail.rfind(_END_SIGNATURE)
    if at < 0 or len(tail) - at < _END_BYTES:
        _refuse_damaged(name)
    entries, table_bytes = struct.unpack_from("<HI", tail, at + 10)
    if tail[max(0, at - _LOCATOR64.size) : at].startswith(_LOCATOR64_SIGNATURE):
        at, entries, table_bytes = _end64(file, tail, at - _LOCATOR64.size, size - tail_bytes, name)
    if entries > MAX_ENTRIES:
        _refuse_crowd(name, entries)
    if table_bytes > MAX_TABLE_BYTES:
        _refuse(name, "its table of contents is far larger than its photos need")
    file.seek(max(0, size - tail_bytes + at - table_bytes))
    entries = _count_entries(file.read(table_bytes))
    if entries > MAX_ENTRIES:  # more than it says: zipfile goes by the table's length and makes an object of each
        _refuse_crowd(name, entries)


def _end64(file: BinaryIO, tail: bytes, at_locator: int, tail_offset: int, name: str) -> tuple[int, int, int]:
    """Where in `tail` the zip64 record begins, and its numbers of entries and of bytes in the table of contents.

    Pythons before the fix of CVE-2025-8291 look for the record only right before its locator, later ones first where
    the locator points. Where the two could differ the zip is refused, so that all see the same table.
    """
    at = at_locator - _END64.size
    if at < 0 or not tail.startswith(_END64_SIGNATURE, at):
        _refuse(name, "its zip64 record is not where it belongs")
    _, disk, points_to, disks = _LOCATOR64.unpack_from(tail, at_locator)
    _, own_bytes, *_, entries, table_bytes, table_offset = _END64.unpack_from(tail, at)
    if points_to != tail_offset + at:  # as in a zip behind other bytes
        file.seek(min(points_to, tail_offset + at))
        if points_to > tail_offset + at or file.read(4) == _END64_SIGNATURE:
            _refuse(name, "its zip64 record is not where it belongs")
    if disk or disks > 1 or own_bytes != _END64_OWN_BYTES or table_offset + table_bytes != points_to:
        _refuse(name, "its zip64 record contradicts itself")
    return at, entries, table_bytes


def _count_entries(table: bytes) -> int:
    """How many entries the table of contents can hold, without making anything of them."""
    at = entries = 0
    while at + _ENTRY_BYTES <= len(table):
        at += _ENTRY_BYTES + sum(struct.unpack_from("<3H", table, at + 28))
        entries += 1
    return entries


def _table_of_contents(file: BinaryIO, name: str) -> tuple[list[zipfile.ZipInfo], int]:
    try:
        with zipfile.ZipFile(file) as opened:
            infos, offset = opened.infolist(), opened.start_dir
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        ValueError,
        OverflowError,
        struct.error,
        EOFError,
    ) as error:
        _refuse_damaged(name, error)
    if len(infos) > MAX_ENTRIES:
        _refuse_crowd(name, len(infos))
    return infos, offset


def _check_entries(infos: Iterable[zipfile.ZipInfo], readable: Sequence[str], name: str) -> None:
    """Refuses what can be seen from the table of contents alone.

    In some code pages the second half of a letter is a backslash, so one counts in a name as it was read alone.
    """
    total = 0
    for info, read in zip(infos, readable, strict=True):
        problem = (
            _name_problem(info.orig_filename.replace("\\", "") if in_code_page(info) else info.orig_filename)
            or _name_problem(read)
            or _kind_problem(info)
            or _size_problem(info)
        )
        if problem:
            _refuse(name, f"its entry {quoted(info.orig_filename)} {problem}")
        total += info.file_size
    if total > MAX_TOTAL_BYTES:
        _refuse(name, f"it unpacks to {total / 1e9:.1f} GB, and {MAX_TOTAL_BYTES / 1e9:.0f} GB is the most")


def _name_problem(name: str) -> str:
    if "\0" in name:
        return "has a name with a NUL character"
    if "\\" in name:
        return "has a name with a backslash"
    parts = name.split("/")
    if _ROOTED.match(name) or ".." in parts:
        return "points to a place outside the zip"
    if len(parts) > MAX_DEPTH:
        return f"lies {len(parts)} folders deep"
    if extension(name) in ARCHIVE_EXTENSIONS and not any(is_stray(part) for part in parts):
        return "is itself an archive"
    return ""


def _kind_problem(info: zipfile.ZipInfo) -> str:
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        return "is a link" if stat.S_ISLNK(mode) else "is a device, not a file"
    if mode & (stat.S_ISUID | stat.S_ISGID) and not info.is_dir():
        return "would run with another person's rights"
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        return "is compressed in a way other than deflate"
    return ""


def _size_problem(info: zipfile.ZipInfo) -> str:
    packed, unpacked = info.compress_size, info.file_size
    if info.compress_type == zipfile.ZIP_STORED and packed != unpacked:
        return "lies about its size"
    if packed > 2 * unpacked + 1024:  # deflate grows what it cannot shrink by an eighth at the very worst
        return "lies about its size"
    if unpacked > RATIO_FREE_BYTES and unpacked > MAX_RATIO * packed:
        return f"unpacks to more than {MAX_RATIO} times its size"
    return ""


def _locate(file: BinaryIO, infos: list[zipfile.ZipInfo], table_offset: int, name: str) -> list[Member]:
    """Where the bytes of every entry are, in the order of `infos`; no two entries may share any.

    Each range counts the header in front of the entry, whose extra field may be longer than the one in the
    table of contents.
    """
    members: dict[int, Member] = {}
    end = 0
    for index in sorted(range(len(infos)), key=lambda index: infos[index].header_offset):
        info = infos[index]
        if info.header_offset < end:
            _refuse(name, f"its entry {quoted(info.orig_filename)} shares bytes with another entry")
        offset = _data_offset(file, info, name)
        end = offset + info.compress_size
        if end > table_offset:
            _refuse(name, f"its entry {quoted(info.orig_filename)} runs into the table of contents")
        deflated = info.compress_type == zipfile.ZIP_DEFLATED
        members[index] = Member(offset, info.compress_size, info.file_size, info.CRC, deflated)
    return [members[index] for index in range(len(infos))]


def _data_offset(file: BinaryIO, info: zipfile.ZipInfo, name: str) -> int:
    file.seek(info.header_offset)
    header = file.read(_LOCAL_HEADER.size)
    if len(header) != _LOCAL_HEADER.size or not header.startswith(_LOCAL_SIGNATURE):
        _refuse_damaged(name)
    _, _, flags, *_, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header)
    own_name = file.read(name_bytes).decode("utf-8" if flags & UTF8_NAME else "cp437", "replace")
    if own_name != info.orig_filename:
        _refuse(name, f"its entry {quoted(info.orig_filename)} has two different names")
    return info.header_offset + _LOCAL_HEADER.size + int(name_bytes) + int(extra_bytes)


def _archive(path: str, infos: list[zipfile.ZipInfo], members: list[Member], read: Names) -> Archive:
    listing = Listing([], set())
    readable: dict[str, Member] = {}
    for info, member, place in zip(infos, members, read.names, strict=True):
        parts = tuple(part for part in place.split("/") if part not in {"", "."})
        if not parts or any(is_stray(part) for part in parts):
            continue
        if info.is_dir():
            listing.folders.update(parts[:depth] for depth in range(1, len(parts) + 1))
            continue
        listing.folders.update(parts[:depth] for depth in range(1, len(parts)))
        reason = reason_by_name(parts[-1]) or ("" if member.photo_bytes else "empty file")
        key = "/".join(parts)
        if key in readable:  # two files of one name: which of them a person means cannot be known
            reason, key = "an earlier entry of the zip has the same name", f"{key}/{len(readable)}"
        readable[key] = member
        listing.files.append(Found(parts, key, reason))
    return Archive(path, listing, readable, tuple(filter(None, [read.note])))


def _inflate(packed: bytes, member: Member) -> bytes:
    """At most one byte more than was promised, so that a lie about the size costs no memory."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        return inflater.decompress(packed, member.photo_bytes + 1)
    except zlib.error:
        return b""


def _refuse(name: str, reason: str) -> NoReturn:
    raise InputError(
        f"The zip {quoted(name)} is refused: {reason}.",
        hint="Make a new zip from the folder of photos, or unpack it yourself and name the folder instead.",
    )


def _refuse_crowd(name: str, entries: int) -> NoReturn:
    _refuse(name, f"it has {entries:,} entries, and {MAX_ENTRIES:,} is the most")


def _refuse_damaged(name: str, error: Exception | None = None) -> NoReturn:
    raise InputError(
        f"{quoted(name)} is not a zip file, or it is damaged.",
        hint="Make a new zip from the folder of photos.",
    ) from error

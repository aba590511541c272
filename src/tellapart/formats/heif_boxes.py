"""The boxes of a HEIC or AVIF photo as values: which items it has, what is said of them, and where their bytes lie.

Nothing is judged here but whether a box is what it says it is. Whatever two readers could take in two ways is damaged:
a box that is there twice, a number that points outside the file, a length that does not fit. What a decoder will see
is then what was looked at here.

Source: ISO/IEC 14496-12:2022, ISO base media file format; ISO/IEC 23008-12:2022, image file format.
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from tellapart.errors import PhotoError
from tellapart.formats import header

MAX_BOXES: Final = 10_000  # side by side; a phone's photo has 300 or fewer
MAX_ITEMS: Final = 1_000  # decoders stop there too; a photo of 48 megapixels with maps has 300
MAX_EXTENTS: Final = 32  # pieces of one item; phones write one
MAX_LINKS: Final = 10_000  # items that items refer to

_SKIPPED: Final = frozenset({b"free", b"skip"})
_META: Final = frozenset(
    {b"hdlr", b"dinf", b"pitm", b"iinf", b"iref", b"iprp", b"idat", b"iloc", b"grpl", b"uuid"} | _SKIPPED
)


class Box(NamedTuple):
    """A box's type and where its content lies."""

    kind: bytes
    start: int
    end: int


class Link(NamedTuple):
    """One item's reference to others: a grid to its tiles, a thumbnail to its photo."""

    kind: bytes
    source: int
    targets: tuple[int, ...]


class Photo(NamedTuple):
    """What the `meta` box says."""

    primary: int
    kinds: dict[int, bytes]  # item: its type
    properties: list[Box]  # shared by items, which count them from 1
    of_item: dict[int, list[int]]  # item: its properties, as places in that list
    places: dict[int, list[tuple[int, int]]]  # item: the pieces of its bytes, as (from, to) in the file
    links: list[Link]


class Fields:
    """Numbers read one after the other; the end of the box is the end."""

    def __init__(self, data: bytes, box: Box, *, full: bool = True) -> None:
        self.data, self.at, self.end = data, box.start, box.end
        self.version = self.number(1) if full else 0
        self.flags = self.number(3) if full else 0

    def number(self, size: int) -> int:
        """The next `size` bytes as an unsigned number; 0 for none."""
        at, self.at = self.at, self.at + size  # not by `take`: this is where the time goes
        if self.at > self.end:
            raise header.damaged()
        return int.from_bytes(self.data[at : self.at])

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        if self.at + size > self.end:
            raise header.damaged()
        self.at += size
        return self.data[self.at - size : self.at]

    def text(self) -> str:
        """The text up to the next zero, which is passed over; the package that reads HEIC crashes where it is none."""
        end = self.data.find(b"\0", self.at, self.end)
        if end < 0:
            raise header.damaged()
        try:
            return self.take(end + 1 - self.at)[:-1].decode()
        except UnicodeDecodeError as error:
            raise header.damaged() from error


def too_complex() -> PhotoError:
    """The error for more parts than a photo has."""
    return PhotoError(
        "It has more parts than a photo does.",
        code="too_complex",
        hint="Open it in a photo viewer and save it again.",
    )


def foreign() -> PhotoError:
    """The error for what is allowed by the standard, and what no phone or camera writes."""
    return PhotoError(
        "The photo is stored in a way that no phone or camera stores photos.", code="unsupported", hint=header.READABLE
    )


def boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    """The boxes that fill the bytes from `start` to `end`, no more and no less.

    Raises:
        PhotoError: `damaged`, or `too_complex` for too many.
    """
    for _ in range(MAX_BOXES):
        if start == end:
            return
        box = box_at(data, start, end)
        if box is None:
            raise header.damaged()
        yield box
        start = box.end
    raise too_complex()


def box_at(data: bytes, start: int, end: int, *, top: bool = False) -> Box | None:
    """The box that begins at `start`; None where there is none, or where it would reach over `end`.

    At the top of a file a box may be as long as the file; inside others readers do not agree what that would mean.
    """
    if start + 8 > end:
        return None
    size, content = int.from_bytes(data[start : start + 4]), start + 8
    if size == 1 and start + 16 <= end:
        size, content = int.from_bytes(data[start + 8 : start + 16]), start + 16
    elif size == 0 and top:
        size = end - start
    if not content <= start + size <= end:
        return None
    return Box(data[start + 4 : start + 8], content, start + size)


def read_meta(data: bytes, meta: Box) -> Photo:
    """What a `meta` box says of a photo.

    Raises:
        PhotoError: `damaged`, `too_complex`, or `unsupported` for a box that phones do not write.
    """
    parts: dict[bytes, Box] = {}
    for box in boxes(data, Fields(data, meta).at, meta.end):
        if box.kind not in _META:
            raise foreign()
        if box.kind not in _SKIPPED and parts.setdefault(box.kind, box) is not box:
            raise header.damaged()
    if not parts.keys() >= {b"hdlr", b"pitm", b"iinf", b"iprp", b"iloc"}:
        raise header.damaged()
    handler = Fields(data, parts[b"hdlr"])
    if handler.take(8)[4:] != b"pict":
        raise foreign()
    _check_sources(data, parts)
    kinds = read_items(data, parts[b"iinf"])
    first = Fields(data, parts[b"pitm"])
    properties, of_item = _read_properties(data, parts[b"iprp"])
    return Photo(
        primary=first.number(4 if first.version else 2),
        kinds=kinds,
        properties=properties,
        of_item=of_item,
        places=_read_places(data, parts[b"iloc"], parts.get(b"idat")),
        links=_read_links(data, parts[b"iref"]) if b"iref" in parts else [],
    )


def _check_sources(data: bytes, parts: dict[bytes, Box]) -> None:
    """Refuses bytes kept in another file, and groups that are not lists of items."""
    if b"dinf" in parts:
        for sources in boxes(data, parts[b"dinf"].start, parts[b"dinf"].end):
            listed = Fields(data, sources)
            listed.number(4)
            for source in boxes(data, listed.at, sources.end):
                if sources.kind != b"dref" or source.kind != b"url " or not Fields(data, source).flags & 1:
                    raise foreign()
    if b"grpl" in parts:
        for group in boxes(data, parts[b"grpl"].start, parts[b"grpl"].end):
            members = Fields(data, group)
            members.number(4)
            if members.number(4) * 4 > group.end - members.at:
                raise header.damaged()
            if group.kind == b"pymd":  # a photo in several sizes, whose list goes on
                raise foreign()


def read_items(data: bytes, iinf: Box) -> dict[int, bytes]:
    """{item: its type}.

    Raises:
        PhotoError: `damaged`, `too_complex`, or `unsupported` for a protected or compressed one.
    """
    said = Fields(data, iinf)
    count = said.number(4 if said.version else 2)
    kinds: dict[int, bytes] = {}
    for box in boxes(data, said.at, iinf.end):
        entry = Fields(data, box)
        if box.kind != b"infe" or entry.version not in (2, 3):
            raise foreign()
        item, protection, kind = entry.number(2 if entry.version == 2 else 4), entry.number(2), entry.take(4)
        entry.text()
        if kind == b"uri ":
            entry.text()
        if kind == b"mime":
            entry.text()
            if entry.at < entry.end and entry.text():  # compressed
                raise foreign()
        if protection:
            raise foreign()
        if item in kinds or item == 0:
            raise header.damaged()
        kinds[item] = kind
        if len(kinds) > MAX_ITEMS:
            raise too_complex()
    if len(kinds) != count:
        raise header.damaged()
    return kinds


def _read_properties(data: bytes, iprp: Box) -> tuple[list[Box], dict[int, list[int]]]:
    parts = [box for box in boxes(data, iprp.start, iprp.end) if box.kind not in _SKIPPED]
    if [box.kind for box in parts] != [b"ipco", b"ipma"]:
        raise header.damaged()
    properties = list(boxes(data, parts[0].start, parts[0].end))
    said = Fields(data, parts[1])
    of_item: dict[int, list[int]] = {}
    for _ in range(said.number(4)):
        item = said.number(4 if said.version else 2)
        count = said.number(1)
        if said.flags & 1:
            raw = [index & 0x7FFF for index in struct.unpack(f">{count}H", said.take(2 * count))]
        else:
            raw = [index & 0x7F for index in said.take(count)]
        chosen = [index - 1 for index in raw if index]  # 0 stands for none
        if item in of_item or len(set(chosen)) != len(chosen) or max(chosen, default=0) >= len(properties):
            raise header.damaged()
        of_item[item] = chosen
    return properties, of_item


def _read_places(data: bytes, iloc: Box, idat: Box | None) -> dict[int, list[tuple[int, int]]]:
    said = Fields(data, iloc)
    sizes = said.number(2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    if said.version > 2 or not {offset_size, length_size, base_size} <= {0, 4, 8}:
        raise header.damaged()
    wide = 4 if said.version == 2 else 2
    places: dict[int, list[tuple[int, int]]] = {}
    for _ in range(said.number(wide)):
        item = said.number(wide)
        method = said.number(2) & 15 if said.version else 0
        if said.number(2) or method > 1:  # in another file, or made of another item's bytes
            raise foreign()
        whole = Box(b"file", 0, len(data)) if method == 0 else idat
        base, count = said.number(base_size), said.number(2)
        if item in places or whole is None:
            raise header.damaged()
        if count > MAX_EXTENTS or len(places) > MAX_ITEMS:
            raise too_complex()
        places[item] = []
        for _ in range(count):
            said.number(index_size if said.version else 0)
            start = whole.start + base + said.number(offset_size)
            end = start + said.number(length_size)
            if end > whole.end:
                raise header.truncated()
            places[item].append((start, end))
    return places


def _read_links(data: bytes, iref: Box) -> list[Link]:
    said = Fields(data, iref)
    wide = 4 if said.version else 2
    links: list[Link] = []
    n_targets = 0
    for box in boxes(data, said.at, iref.end):
        entry = Fields(data, box, full=False)
        source, count = entry.number(wide), entry.number(2)
        n_targets += count
        if n_targets > MAX_LINKS:
            raise too_complex()
        links.append(Link(box.kind, source, tuple(entry.number(wide) for _ in range(count))))
    return links

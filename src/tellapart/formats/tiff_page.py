"""Which of a TIFF's pages is the photo, and what its tags say of how its pixels are stored.

A camera's raw file is a TIFF too: its first page is a small preview, and its photo stands in a form that only its
maker's program can develop. It is refused by name, before any decoder would answer the preview.

Source: TIFF Revision 6.0, 1992; TIFF Technical Note 1, 1995 (SubIFDs); Adobe DNG Specification 1.7, 2023.
"""

from bisect import bisect_right
from typing import Final, NamedTuple, cast

import numpy as np

from tellapart.errors import PhotoError
from tellapart.formats.header import damaged, truncated, unsupported
from tellapart.formats.tiff_tags import TYPE_BYTES, Form, first_block, form_of, places, read_block, value_of

SUBFILE, OLD_SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 254, 255, 256, 257, 258, 259, 262
FILL_ORDER, DESCRIPTION, STRIPS, ORIENTATION, SAMPLES, ROWS, STRIP_BYTES = 266, 270, 273, 274, 277, 278, 279
TOP_LEVEL, PLANAR, PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILES, TILE_BYTES = 281, 284, 317, 322, 323, 324, 325
SUB_BLOCKS, EXTRA, SAMPLE_FORMAT, LOW_SAMPLE, TOP_SAMPLE, PROFILE = 330, 338, 339, 340, 341, 34675
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, MASK, INK, YCBCR = 0, 1, 2, 3, 4, 5, 6
UNSIGNED, SIGNED, FLOAT = 1, 2, 3

MAX_PAGES: Final = 10_000  # looked at for the photo; whole-slide scans have tens
_DNG_VERSION: Final = 50706
_SENSOR: Final = frozenset({32803, 34892})  # kinds of colour that are none yet: a mosaic, and what was made of one
_BLOCKS: Final = frozenset({SUB_BLOCKS, 34665, 34853, 40965})  # EXIF, GPS, interoperability
_REDUCED, _MASK = 1, 4  # bits of `SUBFILE`
_CR2: Final = b"\x10\0\0\0CR\2"  # where its first page stands, and what stands in front of it
_REALS: Final = {5: ("u4", 2), 10: ("i4", 2), 11: ("f4", 1), 12: ("f8", 1)}
_WHOLES: Final = {1: "u1", 3: "u2", 4: "u4", 6: "i1", 8: "i2", 9: "i4", 13: "u4", 16: "u8", 17: "i8", 18: "u8"}


class Page(NamedTuple):
    """One page's tags.

    Args:
        at: where its block stands in the file.
        form: how the file writes numbers.
        tags: {tag: (type, count, value or its place)}, the first of each.
    """

    at: int
    form: Form
    tags: dict[int, tuple[int, int, bytes]]

    def numbers(self, data: bytes, tag: int) -> list[float]:
        """The numbers of a tag, as many as there are in the file; none where it is absent or no numbers."""
        if tag not in self.tags:
            return []
        kind, count, value = self.tags[tag]
        present, _ = value_of(data, kind, count, value, self.form)
        if kind not in _WHOLES and kind not in _REALS:
            return []
        name, per = (_WHOLES[kind], 1) if kind in _WHOLES else _REALS[kind]
        step = TYPE_BYTES[kind]
        order = "<" if self.form.order == "little" else ">"
        found = np.frombuffer(present[: len(present) // step * step], order + name)
        if per == 2:
            top, bottom = found[::2].astype(float), found[1::2].astype(float)
            found = np.divide(top, bottom, out=np.zeros_like(top), where=bottom != 0)
        return cast(list[float], found.tolist())

    def whole(self, data: bytes, tag: int, default: int) -> int:
        """The first whole number of a tag, or `default` where it says none."""
        found = self.numbers(data, tag)[:1] if self.tags.get(tag, (0,))[0] in _WHOLES else []
        return int(found[0]) if found else default

    def content(self, data: bytes, tag: int) -> bytes:
        """A tag's value as bytes; empty where it is absent."""
        if tag not in self.tags:
            return b""
        kind, count, value = self.tags[tag]
        return bytes(value_of(data, kind, count, value, self.form)[0])


def find_photo(data: bytes) -> Page:
    """The first page that is neither a preview nor a mask, of the pages in a row or below one; else the first.

    Args:
        data: a TIFF within the limits of `metadata.check_tiff`.

    Raises:
        PhotoError: `unsupported` for a camera's raw file; `damaged` where there is no page.
    """
    pages, below = _pages(data)
    if not pages:
        raise damaged()
    every = [*pages, *below]
    if data[4:11] == _CR2 or _DNG_VERSION in pages[0].tags or any(_is_of_a_sensor(data, page) for page in every):
        raise unsupported("a camera's raw file")
    return next((page for page in every if _is_whole(data, page)), pages[0])


def page_at(data: bytes, at: int) -> Page:
    """The page whose tags stand at `at`."""
    return _page(data, at, form_of(data))[0]


def with_first(data: bytes, page: Page) -> bytes:
    """The same file with `page` as its first, and a big-endian BigTIFF as a classic one, which is more widely read."""
    if page.form.place.size == 8 and page.form.order == "big":
        return _as_classic(data, page)
    if first_block(data, page.form) == page.at:
        return data
    at = 8 if page.form.place.size == 8 else 4
    return b"".join([data[:at], page.form.place.pack(page.at), data[at + page.form.place.size :]])


def refuse_holes(data: bytes, page: Page) -> None:
    """Refuses a page that names fewer strips or tiles than it has, or some behind the file's end: they would be black.

    Raises:
        PhotoError: `truncated`.
    """
    width, height = page.whole(data, WIDTH, 0), page.whole(data, HEIGHT, 0)
    tiled = TILES in page.tags
    across = page.whole(data, TILE_WIDTH, width) if tiled else width
    down = page.whole(data, TILE_HEIGHT, height) if tiled else page.whole(data, ROWS, height)
    if min(width, height, across, down) <= 0:
        return
    planes = page.whole(data, SAMPLES, 1) if page.whole(data, PLANAR, 1) == 2 else 1
    named = page.numbers(data, TILES if tiled else STRIPS)
    if len(named) < -(-width // across) * -(-height // down) * planes or max(named) >= len(data):
        raise truncated()
    if page.whole(data, COMPRESSION, 1) == 1:
        _refuse_short_parts(data, page, [int(n) for n in named], across, down)


def _refuse_short_parts(data: bytes, page: Page, named: list[int], across: int, down: int) -> None:
    """Refuses raw strips or tiles of which the file does not hold all: they would end in other bytes, or in black.

    Some programs write a byte count that is too small beside a whole strip. So what counts is whether the bytes are
    there and are nobody else's.

    Args:
        named: where the parts stand.
        across, down: pixels of a part.

    Raises:
        PhotoError: `truncated`.
    """
    tiled, planar = TILES in page.tags, page.whole(data, PLANAR, 1) == 2
    sizes = [int(n) for n in page.numbers(data, TILE_BYTES if tiled else STRIP_BYTES)]
    bits = [int(n) for n in page.numbers(data, BITS)] or [1]
    row = -(-across * bits[0] * (1 if planar else page.whole(data, SAMPLES, 1)) // 8)
    if page.whole(data, PHOTOMETRIC, BLACK_IS_ZERO) == YCBCR:  # whose colours are fewer than its pixels
        return
    height = page.whole(data, HEIGHT, 0)
    n_down = -(-height // down)
    others = sorted([*named, page.at])
    for part, (place, size) in enumerate(zip(named, sizes, strict=False)):
        top = part % n_down * down
        needed = row * (down if tiled else min(down, height - top))
        if size < needed:
            following = bisect_right(others, place)
            if place + needed > min([len(data), *others[following : following + 1]]):
                raise truncated()


def refuse_unreadable(data: bytes, page: Page) -> None:
    """Says what it is about a whole TIFF that no reader here reads; nothing where its tags are those of a photo.

    Raises:
        PhotoError: `unsupported`.
    """
    bits = [int(n) for n in page.numbers(data, BITS)] or [1]
    colours = page.whole(data, PHOTOMETRIC, BLACK_IS_ZERO)
    samples = page.whole(data, SAMPLES, len(bits))
    kinds = {int(n) for n in page.numbers(data, SAMPLE_FORMAT)} or {UNSIGNED}
    expected = {RGB: 3, 6: 3, 8: 3, INK: 4}.get(colours, 1)
    said = ""
    if kinds & {5, 6}:
        said = "complex numbers"
    elif FLOAT in kinds and (max(bits) != 32 or expected > 1):
        said = f"{max(bits)}-bit floats" + (" a colour" if expected > 1 else "")
    elif not expected <= samples <= expected + 1:
        said = f"{samples} bands" if samples > 1 else "one band for several colours"
        said += " that are not said to be red, green and blue" if samples == 3 else ""
    elif max(bits) > 32 or len(set(bits[:samples])) > 1:
        said = "channels of " + " and ".join(str(n) for n in sorted(set(bits))) + " bits"
    elif colours not in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, MASK, INK, 6, 8):
        said = "colours of another kind than RGB, grey or CMYK"
    elif page.whole(data, COMPRESSION, 1) not in (1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946, 34925, 50000):
        said = "a rare kind of compression"
    if said:
        raise unsupported_tiff(said)


def unsupported_tiff(what: str) -> PhotoError:
    """The error for a healthy TIFF that holds `what`."""
    return PhotoError(
        f"A TIFF with {what} cannot be read.",
        code="unsupported",
        hint="Save it as grey with 8 or 16 bits, or with three bands (red, green, blue) of 8 bits.",
    )


def _pages(data: bytes) -> tuple[list[Page], list[Page]]:
    """The pages in a row, and those that one of them names as below it."""
    form = form_of(data)
    at, seen = first_block(data, form), set[int]()
    row: list[Page] = []
    below: list[Page] = []
    while 0 < at < len(data) and at not in seen and len(seen) < MAX_PAGES:
        seen.add(at)
        page, following = _page(data, at, form)
        row.append(page)
        kind, count, value = page.tags.get(SUB_BLOCKS, (0, 0, b""))
        named = places(value_of(data, kind, count, value, form)[0], kind, form) if kind in (4, 13, 16, 18) else []
        for place in named:
            if 0 < place < len(data) and place not in seen and len(seen) < MAX_PAGES:
                seen.add(place)
                below.append(_page(data, place, form)[0])
        at = following
    return [page for page in row if page.tags], [page for page in below if page.tags]


def _page(data: bytes, at: int, form: Form) -> tuple[Page, int]:
    tags, following = read_block(data, at, form)
    return Page(at, form, {tag: rest for tag, *rest in reversed(tags)}), following  # type: ignore[misc]


def _is_of_a_sensor(data: bytes, page: Page) -> bool:
    return page.whole(data, PHOTOMETRIC, 0) in _SENSOR


def _is_whole(data: bytes, page: Page) -> bool:
    kind = page.whole(data, SUBFILE, 0)
    preview = kind & _REDUCED or (SUBFILE not in page.tags and page.whole(data, OLD_SUBFILE, 1) == 2)
    return not preview and not kind & _MASK and WIDTH in page.tags


def _as_classic(data: bytes, page: Page) -> bytes:
    """The page's tags once more behind a classic header and the file's own bytes; places within 4 GB stay the same."""
    order = ">" if page.form.order == "big" else "<"
    values, tags, at = [], [], len(data) + len(data) % 2
    for tag, (stored, count, value) in sorted(page.tags.items()):
        kind, content = stored, bytes(value_of(data, stored, count, value, page.form)[0])
        if stored in (16, 18):  # as four bytes a number: nothing in a file of ours lies further off
            kind, content = 4, np.frombuffer(content, f"{order}u8").astype(f"{order}u4").tobytes()
        if len(content) != count * TYPE_BYTES.get(kind, 0) or tag in _BLOCKS:  # these are in the other form
            continue
        if len(content) <= 4:
            tags.append((tag, kind, count, content.ljust(4, b"\0")))
            continue
        tags.append((tag, kind, count, at.to_bytes(4, page.form.order)))
        values.append(content + b"\0" * (len(content) % 2))
        at += len(values[-1])
    head = (b"MM\0*" if page.form.order == "big" else b"II*\0") + at.to_bytes(4, page.form.order)
    block = len(tags).to_bytes(2, page.form.order) + b"".join(
        tag.to_bytes(2, page.form.order)
        + kind.to_bytes(2, page.form.order)
        + count.to_bytes(4, page.form.order)
        + value
        for tag, kind, count, value in tags
    )
    return b"".join([head, data[8:], b"\0" * (len(data) % 2), *values, block, bytes(4)])

"""The strips and tiles of a TIFF's page as numbers, whatever they are packed, compressed and stored as.

A part is unpacked as rows of bytes, whatever these stand for: raw ones as they lie in the file, others by Pillow, from
a TIFF of bytes that is written around them. What the bytes mean is read here. So parts are in memory a few at a time.

Source: TIFF Revision 6.0, 1992; Adobe Photoshop TIFF Technical Notes, 2002 (deflate) and 2005 (predictor of floats).
"""

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.formats import tiff_page as tags
from tellapart.formats.header import damaged, too_complex, truncated
from tellapart.formats.tiff_page import Page, unsupported_tiff

_COMPRESSIONS: Final = frozenset({1, 5, 8, 32773, 32946, 34925, 50000})  # of bytes, whatever they mean
_DEFLATE: Final = (8, 32946)
_BAND_BYTES: Final = 4 << 20  # of parts that are unpacked together
_SPARE_PX: Final = 4_000_000  # that tiles may hold beside the photo


class Plan(NamedTuple):
    """How a page's pixels are stored.

    Args:
        width, height: of the photo as it is stored.
        bits: of a number.
        kind: UNSIGNED, SIGNED or FLOAT.
        channels: colours, then what is beside them.
        colours: how many of the channels are colours.
        alpha: 1 if the channel behind the colours is alpha that they are multiplied by, 2 if not, 0 if none.
        planar: whether each channel lies in parts of its own.
        part_width, part_height: of a strip or tile.
    """

    width: int
    height: int
    bits: int
    kind: int
    channels: int
    colours: int
    alpha: int
    planar: bool
    part_width: int
    part_height: int
    inverted: bool
    predictor: int
    order: str

    @property
    def together(self) -> int:
        """Channels that lie side by side in a part."""
        return 1 if self.planar else self.channels

    @property
    def row_bytes(self) -> int:
        """Bytes of a part's row."""
        return -(-self.part_width * self.together * self.bits // 8)


class Place(NamedTuple):
    """Where some rows of a part belong: the first in the band, and in the photo those that are of it."""

    at: int
    top: int
    left: int
    height: int
    width: int
    channel: int


class Parts:
    """The strips or tiles of a page, unpacked a few at a time."""

    def __init__(self, data: bytes, page: Page, plan: Plan) -> None:
        self._data, self._plan = data, plan
        self._compression = page.whole(data, tags.COMPRESSION, 1)
        self._fill_order = page.whole(data, tags.FILL_ORDER, 1)
        if self._compression not in _COMPRESSIONS:
            raise unsupported_tiff(f"{plan.bits} bits and that kind of compression")
        tiled = tags.TILES in page.tags
        self._across = -(-plan.width // plan.part_width)
        self._down = -(-plan.height // plan.part_height)
        if self._across * self._down * plan.part_width * plan.part_height > 2 * plan.width * plan.height + _SPARE_PX:
            raise too_complex("Its tiles are far larger than the photo.")
        planes = plan.channels if plan.planar else 1
        n_parts = self._across * self._down * planes
        self._places = [int(n) for n in page.numbers(data, tags.TILES if tiled else tags.STRIPS)][:n_parts]
        self._sizes = [int(n) for n in page.numbers(data, tags.TILE_BYTES if tiled else tags.STRIP_BYTES)][:n_parts]
        if len(self._places) < n_parts or (self._compression != 1 and len(self._sizes) < n_parts):
            raise truncated()

    def read(self) -> Iterator[tuple[NDArray[Any], list[Place]]]:
        """Numbers (h, w of a part, channels that lie together) of some parts below each other, and their places.

        The numbers are of the machine's own byte order.
        """
        plan = self._plan
        step = max(1, _BAND_BYTES // (plan.row_bytes * plan.part_height))
        for first in range(0, len(self._places), step):
            # Only the last strip of a plane may be lower than the others, so none is put below one.
            chosen = range(first, min(first + step, len(self._places)))
            for group in self._split_at_planes(chosen):
                yield from self._unpacked(group)

    def _split_at_planes(self, chosen: range) -> list[range]:
        whole = self._across * self._down
        ends = [n for n in range(chosen.start + 1, chosen.stop) if n % whole == 0]
        return [range(a, b) for a, b in zip([chosen.start, *ends], [*ends, chosen.stop], strict=True)]

    def _rows(self, part: int) -> int:
        """Rows that are stored of a part: tiles are whole, the last strip ends with the photo."""
        plan = self._plan
        row = part // self._across % self._down
        tiled = self._across > 1 or plan.part_width != plan.width
        return plan.part_height if tiled else min(plan.part_height, plan.height - row * plan.part_height)

    def _unpacked(self, group: range) -> Iterator[tuple[NDArray[Any], list[Place]]]:
        plan = self._plan
        heights = [self._rows(part) for part in group]
        ends = np.cumsum(heights).tolist()
        at = i = 0
        for band in self._bytes(group, heights):
            places, done = [], 0
            while done < len(band):
                within = at - (ends[i] - heights[i])
                n = min(heights[i] - within, len(band) - done)
                channel, place = divmod(group[i], self._across * self._down)
                top = place // self._across * plan.part_height + within
                left = place % self._across * plan.part_width
                size = max(min(n, plan.height - top), 0), min(plan.part_width, plan.width - left)
                places.append(Place(done, top, left, *size, channel))
                at, done = at + n, done + n
                i += at == ends[i]
            yield _numbers(band, plan), places

    def _bytes(self, group: range, heights: list[int]) -> Iterator[NDArray[np.uint8]]:
        """(h, bytes of a row) uint8 of the group's parts, one below the other, some rows at a time."""
        row, step = self._plan.row_bytes, max(1, _BAND_BYTES // self._plan.row_bytes)
        if self._compression == 1 and self._fill_order == 1:
            for part, height in zip(group, heights, strict=True):
                content = self._content(part, height * row)
                if len(content) < height * row:
                    raise truncated()
                rows = np.frombuffer(content, np.uint8, height * row).reshape(height, row)
                yield from (rows[top : top + step] for top in range(0, height, step))
            return
        contents = [self._content(part, height * row) for part, height in zip(group, heights, strict=True)]
        if len(contents) == 1 and self._compression in _DEFLATE and self._fill_order == 1:
            yield from _inflated(contents[0], heights[0], row, step)
            return
        # As inks of four bytes where that fits: Pillow counts pixels against its limit.
        width, n = (row // 4, 4) if row % 4 == 0 and self._fill_order == 1 else (row, 1)
        file = BytesIO(_byte_tiff(contents, width, n, heights, self._compression, self._fill_order))
        with Image.open(file) as image:
            image.load()
            for top in range(0, image.height, step):
                band = np.asarray(image.crop((0, top, width, min(top + step, image.height))))
                yield band.reshape(len(band), row)

    def _content(self, part: int, n_bytes: int) -> memoryview:
        place = self._places[part]
        size = n_bytes if self._compression == 1 else self._sizes[part]
        if not 0 < place < len(self._data) or place + size > len(self._data) or size <= 0:
            raise truncated()
        return memoryview(self._data)[place : place + size]


def _inflated(content: memoryview, height: int, row: int, step: int) -> Iterator[NDArray[np.uint8]]:
    """(h, bytes of a row) uint8 of a large part, so that it is never held whole."""
    stream, rest = zlib.decompressobj(), bytes(content)
    for top in range(0, height, step):
        wanted = min(step, height - top) * row
        pieces: list[bytes] = []
        while wanted > 0:
            piece = stream.decompress(rest, wanted)
            rest = stream.unconsumed_tail
            if not piece and not rest:
                raise truncated()
            pieces.append(piece)
            wanted -= len(piece)
        yield np.frombuffer(b"".join(pieces), np.uint8).reshape(-1, row)


def _byte_tiff(
    parts: list[memoryview], width: int, channels: int, heights: list[int], compression: int, fill_order: int
) -> bytes:
    """A TIFF of bytes, 1 or 4 a pixel, whose strips are `parts`, each of the first's height but for the last."""
    n, at = len(parts), 8
    places = []
    for part in parts:
        places.append(at)
        at += len(part)
    lists = struct.pack(f"<{2 * n}I4H", *places, *map(len, parts), 8, 8, 8, 8)
    block = at + len(lists)
    bits = at + 8 * n if channels == 4 else 8
    photometric = tags.INK if channels == 4 else tags.BLACK_IS_ZERO
    long, short = 4, 3
    entries = [
        (tags.WIDTH, long, 1, width), (tags.HEIGHT, long, 1, sum(heights)), (tags.BITS, short, channels, bits),
        (tags.COMPRESSION, short, 1, compression), (tags.PHOTOMETRIC, short, 1, photometric),
        (tags.FILL_ORDER, short, 1, fill_order), (tags.STRIPS, long, n, at if n > 1 else places[0]),
        (tags.SAMPLES, short, 1, channels), (tags.ROWS, long, 1, heights[0]),
        (tags.STRIP_BYTES, long, n, at + 4 * n if n > 1 else len(parts[0])),
    ]  # fmt: skip
    tail = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    return b"".join([b"II*\0" + struct.pack("<I", block), *parts, lists, tail])


def _numbers(rows: NDArray[np.uint8], plan: Plan) -> NDArray[Any]:
    """(h, w, channels that lie together) of `rows` (h, bytes of a row), differences added up."""
    height, samples = len(rows), plan.part_width * plan.together
    shape = (height, plan.part_width, plan.together)
    if plan.kind == tags.FLOAT:
        return _floats(rows, plan, shape)
    if plan.bits not in (8, 16, 32):
        if plan.predictor != 1:
            raise unsupported_tiff(f"differences of {plan.bits} bits")
        return _unpacked_bits(rows, plan, samples).reshape(shape)
    n_bytes = plan.bits // 8
    values = np.ascontiguousarray(rows[:, : samples * n_bytes]).view(f"{plan.order}u{n_bytes}").reshape(shape)
    values = values.astype(f"=u{n_bytes}", copy=False)
    if plan.predictor == 2:
        values = np.cumsum(values, axis=1, dtype=values.dtype)
    elif plan.predictor != 1:
        raise damaged()
    return values.view(f"=i{n_bytes}") if plan.kind == tags.SIGNED else values


def _floats(rows: NDArray[np.uint8], plan: Plan, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    if plan.predictor == 3:  # bytes of equal weight side by side, the heaviest first, as differences
        steps = rows[:, : shape[1] * shape[2] * 4].reshape(shape[0], -1, shape[2])
        planes = np.cumsum(steps, axis=1, dtype=np.uint8).reshape(shape[0], 4, -1)
        return np.ascontiguousarray(planes.transpose(0, 2, 1)).view(">f4").reshape(shape).astype(np.float32)
    if plan.predictor != 1:
        raise unsupported_tiff("differences of floats")
    return np.ascontiguousarray(rows).view(f"{plan.order}f4").reshape(shape).astype(np.float32)


def _unpacked_bits(rows: NDArray[np.uint8], plan: Plan, samples: int) -> NDArray[np.integer]:
    """(h, samples) of numbers that begin at any bit, the highest first; up to 16 bits lie within three bytes."""
    if plan.bits > 16:
        if plan.bits != 24 or plan.kind == tags.SIGNED:
            raise unsupported_tiff(f"numbers of {plan.bits} bits")
        each = rows[:, : samples * 3].reshape(len(rows), samples, 3).astype(np.uint32)
        low, middle, high = (each[..., i] for i in ((0, 1, 2) if plan.order == "<" else (2, 1, 0)))
        return low | middle << 8 | high << 16
    begin = np.arange(samples) * plan.bits
    wide = np.pad(rows, ((0, 0), (0, 2))).astype(np.uint32)
    three = (wide[:, begin >> 3] << 16) | (wide[:, (begin >> 3) + 1] << 8) | wide[:, (begin >> 3) + 2]
    values = (three >> (24 - plan.bits - (begin & 7)).astype(np.uint32)) & np.uint32((1 << plan.bits) - 1)
    if plan.kind == tags.SIGNED:
        return ((values.astype(np.int32) ^ (1 << plan.bits - 1)) - (1 << plan.bits - 1)).astype(np.int16)
    return values.astype(np.uint16)

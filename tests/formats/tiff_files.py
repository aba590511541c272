"""TIFFs put together by hand, in every form that a reader has to expect."""

import struct
import zlib
from io import BytesIO

import numpy as np
from PIL import Image

RAW, LZW, DEFLATE, PACKBITS = 1, 5, 8, 32773
SHORT, LONG, LONG8 = 3, 4, 16
_CODES = {1: "B", 2: "B", 3: "H", 4: "I", 7: "B", 12: "d", 13: "I", 16: "Q"}
_PILLOW = {LZW: "tiff_lzw", PACKBITS: "packbits"}


def picture(height=50, width=37):
    """(H, W, 3) uint8 in which no two corners look alike, and whose brightest level is 230."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    return (np.stack([x, y, (1 - x) * y], -1) * 200 + 30).astype(np.uint8)


def grey_picture(height=50, width=37):
    """(H, W, 1) uint8."""
    return picture(height, width)[..., 1:2] // 2 + picture(height, width)[..., :1] // 2


def _packed(part, order, bits):
    """The bytes of a (h, w, c) part, each row from a whole byte on."""
    if bits in (8, 16, 32, 64):
        return part.astype(part.dtype.newbyteorder(order)).tobytes()
    rows = part.reshape(len(part), -1).astype(np.uint32)
    each = (rows[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(each.reshape(len(rows), -1).astype(np.uint8), axis=1).tobytes()


def _differences(part):
    steps = part.copy()
    steps[:, 1:] = part[:, 1:] - part[:, :-1]
    return steps


def _compressed(data, compression, row_bytes):
    if compression == DEFLATE:
        return zlib.compress(data)
    if compression == RAW:
        return data
    image = Image.frombytes("L", (row_bytes, len(data) // row_bytes), data)
    file = BytesIO()
    image.save(file, "TIFF", compression=_PILLOW[compression], strip_size=1 << 30)
    tags = Image.open(BytesIO(file.getvalue())).tag_v2
    assert len(tags[273]) == 1
    return file.getvalue()[tags[273][0] : tags[273][0] + tags[279][0]]


def _parts(values, tile, rows, planar):
    planes = [values[..., i : i + 1] for i in range(values.shape[2])] if planar else [values]
    for plane in planes:
        if tile is None:
            yield from (plane[top : top + rows] for top in range(0, len(plane), rows))
            continue
        down, across = tile
        padded = np.pad(plane, ((0, -plane.shape[0] % down), (0, -plane.shape[1] % across), (0, 0)), mode="edge")
        for top in range(0, padded.shape[0], down):
            yield from (padded[top : top + down, left : left + across] for left in range(0, padded.shape[1], across))


class Page:
    """One page of (H, W, C) `values`; `tags` are {tag: (type, numbers)} beside and above its own."""

    def __init__(self, values, photometric, *, bits=None, compression=RAW, predictor=1, tile=None, rows=16,
                 planar=False, tags=None, below=()):  # fmt: skip
        self.values, self.photometric, self.bits = values, photometric, bits or values.dtype.itemsize * 8
        self.compression, self.predictor, self.tile, self.rows = compression, predictor, tile, rows
        self.planar, self.tags, self.below = planar, tags or {}, below

    def own_tags(self):
        height, width, channels = self.values.shape
        kind = {"u": 1, "i": 2, "f": 3, "c": 6}[self.values.dtype.kind]
        tags = {
            256: (LONG, [width]), 257: (LONG, [height]), 258: (SHORT, [self.bits] * channels),
            259: (SHORT, [self.compression]), 262: (SHORT, [self.photometric]), 277: (SHORT, [channels]),
            284: (SHORT, [2 if self.planar else 1]), 339: (SHORT, [kind] * channels),
        }  # fmt: skip
        if self.predictor != 1:
            tags[317] = (SHORT, [self.predictor])
        if self.tile is None:
            tags[278] = (LONG, [self.rows])
        else:
            tags.update({322: (LONG, [self.tile[1]]), 323: (LONG, [self.tile[0]])})
        return tags


def tiff(*pages, order="<", big=False):
    """The file of some pages."""
    room, count = (8, "Q") if big else (4, "I")
    body = bytearray(16 if big else 8)

    def add(data):
        body.extend(b"\0" * (len(body) % 2))
        body.extend(data)
        return len(body) - len(data)

    def block(page, after):
        pieces = []
        for part in _parts(page.values, page.tile, page.rows, page.planar):
            stored = _differences(part) if page.predictor == 2 else part
            data = _packed(stored, order, page.bits)
            pieces.append(_compressed(data, page.compression, len(data) // len(part)))
        places = [add(piece) for piece in pieces]
        kind = LONG8 if big else LONG
        tags = page.own_tags()
        first = 273 if page.tile is None else 324
        tags.update({first: (kind, places), first + (6 if page.tile is None else 1): (kind, [len(p) for p in pieces])})
        if page.below:
            tags[330] = (kind, [block(each, 0) for each in page.below])
        tags.update(page.tags)
        out = struct.pack(order + ("Q" if big else "H"), len(tags))
        for tag, (form, numbers) in sorted(tags.items()):
            data = struct.pack(f"{order}{len(numbers)}{_CODES[form]}", *numbers)
            out += struct.pack(order + "HH" + count, tag, form, len(numbers))
            out += data.ljust(room, b"\0") if len(data) <= room else struct.pack(order + count, add(data))
        return add(out + struct.pack(order + count, after))

    at = 0
    for page in reversed(pages):
        at = block(page, at)
    start = (b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if big else 42)
    start += struct.pack(order + ("HHQ" if big else "I"), *((8, 0) if big else ()), at)
    body[: len(start)] = start
    return bytes(body)

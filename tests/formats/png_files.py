"""PNGs put together by hand, of 8 and of 16 bits a channel."""

import struct
import zlib

import numpy as np

from .tiff_files import grey_picture, picture

GREY, COLOUR = grey_picture(), picture()
KINDS = {0: GREY, 2: COLOUR, 4: GREY, 6: COLOUR}
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(values, kind, *chunks, interlaced=False, kept=1.0):
    """A PNG of (H, W, C) uint16 or uint8 `values`; `kept` is the share of its pixel data that it holds."""
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    stored = values.astype(values.dtype.newbyteorder(">"))
    rows = [row for x, y, dx, dy in passes for row in stored[y::dy, x::dx] if row.size]
    pixels = b"".join(b"\0" + row.tobytes() for row in rows)
    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 8 * values.dtype.itemsize, kind, 0, 0, interlaced)
    body = zlib.compress(pixels[: int(kept * len(pixels))])
    pieces = [chunk(b"IHDR", head), *(chunk(*each) for each in chunks)]
    pieces += [chunk(b"IDAT", body[: len(body) // 2]), chunk(b"IDAT", body[len(body) // 2 :]), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(pieces)


def deep(kind, step, alpha=65535):
    values = KINDS[kind].astype(np.uint16) * step
    return np.dstack([values, np.full((*values.shape[:2], 1), alpha, np.uint16)]) if kind in (4, 6) else values

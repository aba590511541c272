"""Whether the compressed pixels of a PNG or GIF reach its last row: Pillow leaves black what a short stream lacks.

A photo whose last row is not black has it. Of the others the stream is measured, without keeping what it holds.

Source: PNG Specification, third edition, 2025, section 8 (interlacing) and 10; GIF89a Specification, 1990, appendix F.
"""

import zlib
from collections.abc import Iterator
from typing import Final

import numpy as np
from PIL import Image

from tellapart.formats.header import damaged, truncated

_ADAM7: Final = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_STEP_BYTES: Final = 1 << 20
_MAX_CODE_BITS: Final = 12
_MOST_GIF_BYTES: Final = 2_000_000  # of a frame that is measured: 1 s


def refuse_short_png(data: bytes, image: Image.Image) -> None:
    """Refuses a PNG whose pixel data ends before its last row.

    Args:
        data: the file, which `header.check_png` has walked.
        image: what Pillow loaded of it.

    Raises:
        PhotoError: `truncated` or `damaged`.
    """
    interlaced = data[28] == 1
    if not interlaced and _last_row(image).any():
        return
    width, height = int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    bits = data[24] * _CHANNELS.get(data[25], 1)
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    sizes = ((-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in passes)
    expected = sum(rows * (1 + -(-columns * bits // 8)) for columns, rows in sizes if columns > 0 and rows > 0)
    if _inflated(_chunks(data), expected) < expected:
        raise truncated()


def refuse_short_gif(data: bytes, at: int, image: Image.Image) -> None:
    """Refuses a GIF whose first frame ends before its last row.

    Args:
        data: the file, which `header.check_gif` has walked.
        at: where that found the first frame.
        image: what Pillow loaded of it.

    Raises:
        PhotoError: `truncated`.
    """
    width, height = (int.from_bytes(data[at + n : at + n + 2], "little") for n in (5, 7))
    flags = data[at + 9] if at + 9 < len(data) else 0
    begin = at + 10 + (6 << (flags & 7) if flags & 0x80 else 0)
    stream, ends = _sub_blocks(data, begin + 1)
    if not ends:
        raise truncated()
    if begin >= len(data):
        raise truncated()
    top = int.from_bytes(data[at + 3 : at + 5], "little")
    last = top + (height - 1 if not flags & 0x40 or height < 2 else (height - 2) // 2 * 2 + 1)
    left = int.from_bytes(data[at + 1 : at + 3], "little")
    row = np.asarray(image.crop((left, last, left + width, last + 1)))
    if (
        len(stream) <= _MOST_GIF_BYTES
        and (row == row.flat[0]).all()
        and _gif_pixels(stream, data[begin], width * height) < width * height
    ):
        raise truncated()


def _last_row(image: Image.Image) -> np.ndarray:
    return np.asarray(image.crop((0, image.height - 1, image.width, image.height)))


def _chunks(data: bytes) -> Iterator[memoryview]:
    """The pieces of a PNG's compressed pixels."""
    view, at = memoryview(data), 8
    while (kind := data[at + 4 : at + 8]) not in (b"IEND", b""):
        end = at + 12 + int.from_bytes(data[at : at + 4])
        if kind == b"IDAT":
            yield view[at + 8 : end - 4]
        at = end


def _inflated(chunks: Iterator[memoryview], enough: int) -> int:
    """Bytes that come out of a stream in pieces; no more than a little above `enough` are counted."""
    stream, n = zlib.decompressobj(), 0
    try:
        for chunk in chunks:
            rest: bytes | memoryview = chunk
            while rest and n < enough and not stream.eof:
                n += len(stream.decompress(rest, _STEP_BYTES))
                rest = stream.unconsumed_tail
    except zlib.error as error:
        raise damaged() from error
    while n < enough and not stream.eof and (more := stream.decompress(b"", _STEP_BYTES)):
        n += len(more)
    return n


def _sub_blocks(data: bytes, at: int) -> tuple[bytes, bool]:
    """What a GIF's row of blocks holds, and whether its end is there."""
    pieces: list[bytes] = []
    while at < len(data):
        n = data[at]
        if n == 0:
            return b"".join(pieces), True
        pieces.append(data[at + 1 : at + 1 + n])
        at += 1 + n
    return b"".join(pieces), False


def _gif_pixels(stream: bytes, code_bits: int, enough: int) -> int:
    """Pixels that an LZW stream gives, counted by the length of what each code stands for."""
    if not 1 <= code_bits < _MAX_CODE_BITS:
        return 0
    clear, end = 1 << code_bits, (1 << code_bits) + 1
    bits = n_bits = n = at = 0
    width, lengths, previous = code_bits + 1, [1] * clear + [0, 0], 0
    while n < enough:
        while n_bits < width:
            if at >= len(stream):
                return n
            bits |= stream[at] << n_bits
            n_bits, at = n_bits + 8, at + 1
        code = bits & ((1 << width) - 1)
        bits, n_bits = bits >> width, n_bits - width
        if code == clear:
            width, lengths, previous = code_bits + 1, [1] * clear + [0, 0], 0
        elif code == end or code > len(lengths) or (code == len(lengths) and not previous):
            return n
        else:
            known = lengths[code] if code < len(lengths) else previous + 1
            if previous and len(lengths) < 1 << _MAX_CODE_BITS:
                lengths.append(previous + 1)
                if len(lengths) == 1 << width and width < _MAX_CODE_BITS:
                    width += 1
            n, previous = n + known, known
    return n

"""PNGs of 16 bits a channel whose photo uses fewer: Pillow gives the upper 8 bits of colours, which are then black.

Pillow unpacks such a file once more with the bytes of each number the other way round, which gives the lower 8.

Source: Portable Network Graphics (PNG) Specification, third edition, 2025, section 11: IHDR, tRNS, sBIT.
"""

from collections.abc import Iterator
from io import BytesIO
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.formats.levels import Seen, Span, in_8_bits, look, span_of, together

_MOST_UPPER: Final = 0x3F  # of the upper byte of a photo of 14 bits
_COLOURS: Final = {2: "RGB", 4: "LA", 6: "RGBA"}  # colour types of PNG
_BAND_PX: Final = 1 << 20  # pixels that are put together at a time


def is_deep(data: bytes) -> bool:
    """Whether a PNG stores 16 bits a channel."""
    return data[24:25] == b"\x10"


def stated_span(data: bytes) -> Span | None:
    """Black and white as sBIT says them; None where it is absent.

    A file that keeps to the specification spreads its levels over all bits, and its brightest is above that; one that
    does not is what this is for.
    """
    at = 8
    while (kind := data[at + 4 : at + 8]) not in (b"IDAT", b"IEND", b""):
        n = int.from_bytes(data[at : at + 4])
        if kind == b"sBIT" and n:
            grey = data[25] in (0, 4)
            bits = max(data[at + 8 : at + 8 + (1 if grey else 3)], default=0)
            return Span(0, (1 << bits) - 1) if 1 <= bits <= 16 else None
        at += 12 + n
    return None


def read_deep(data: bytes, image: Image.Image) -> Image.Image:
    """`image` itself, its brightness as `levels` has it, or where a colour is transparent another of mode RGBA.

    Args:
        data: a PNG of colours or alpha, 16 bits a channel.
        image: what Pillow loaded of it.
    """
    mode = _COLOURS.get(data[25])
    if mode is None:
        return image
    clear = image.info.get("transparency")
    n_colours = 1 if mode == "LA" else 3
    upper = max(high for _, high in image.getextrema()[:3])  # type: ignore[misc]
    if upper > _MOST_UPPER and clear is None:
        return image
    both = [_unpacked(data, "RGBA", "RGBA")] if mode == "LA" else [image, _unpacked(data, mode, f"{mode};16L")]
    seen, alpha = Seen(1 << 16, 0, True), Seen(1 << 16, 0, True)
    for _, numbers in _bands(both, mode):
        seen = together(seen, look(numbers[:, :, :n_colours]))
        alpha = together(alpha, look(numbers[:, :, n_colours:]))
    spans = span_of(seen, 16, stated=stated_span(data)), span_of(alpha, 16)
    into = image if clear is None else Image.new("RGBA", image.size)
    for top, numbers in _bands(both, mode):  # in place: two images of the largest photo are all that there is room for
        rows = np.empty((*numbers.shape[:2], len(into.getbands())), np.uint8)
        rows[:, :, :3] = in_8_bits(numbers[:, :, :n_colours], spans[0], upper=True)
        if mode != "RGB":
            rows[:, :, 3:] = in_8_bits(numbers[:, :, n_colours:], spans[1], upper=True)
        elif clear is not None:
            rows[:, :, 3] = np.where((numbers == np.asarray(clear, np.uint16)).all(-1), 0, 255)
        into.paste(Image.fromarray(rows), (0, top))
    return into


def _unpacked(data: bytes, mode: str, raw_mode: str) -> Image.Image:
    image: Any = Image.open(BytesIO(data), formats=["PNG"])
    image._mode = mode
    image.tile = [tile._replace(args=raw_mode) for tile in image.tile]
    image.load()
    unpacked: Image.Image = image
    return unpacked


def _bands(both: list[Image.Image], mode: str) -> Iterator[tuple[int, NDArray[np.uint16]]]:
    """(top, numbers (h, w, channels)) of some rows at a time."""
    width, height = both[0].size
    step = max(1, _BAND_PX // width)
    for top in range(0, height, step):
        box = (0, top, width, min(top + step, height))
        upper: NDArray[np.uint16] = np.asarray(both[0].crop(box)).astype(np.uint16)
        if mode == "LA":
            shifted: NDArray[np.uint16] = np.left_shift(upper[:, :, ::2], 8)
            yield top, shifted | upper[:, :, 1::2]
        else:
            upper <<= 8
            upper |= np.asarray(both[1].crop(box))
            yield top, upper

"""What counts as white: how many of the brightness levels that a file could hold its photo uses.

Microscopes, depth cameras, X-rays and scanners write 8, 10, 12 or 14 bits into files of 16, mostly without saying so.
Divided by 65,535 such a photo is black. So the range is decided, a file at a time and from the file alone:

1. What the file says: its own bits where they are none of a processor's (10, 12, 14), TIFF's SMinSampleValue and
   SMaxSampleValue, MaxSampleValue or OME's SignificantBits (rounded up to whole bits), PNG's sBIT; unless a pixel is
   brighter than that.
2. Where it says nothing: the fewest of 8, 10, 12, 14, 16 … bits that hold its brightest pixel.
3. All of them where every level is a multiple of 257 or of 256: a photo of 8 bits that was stretched to 16.

Levels below zero count from the power of two that holds the lowest. docs/sources.md says it to people.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import PhotoError

STEPS: Final = (8, 10, 12, 14, 16, 24, 32)  # bits that instruments give
FLOAT_STEPS: Final = (1.0, 255.0, 1023.0, 4095.0, 16383.0, 65535.0)  # brightest levels of photos of floats
_TABLE_BITS: Final = 16  # up to which a table of all levels is quicker than arithmetic


class Span(NamedTuple):
    """The levels from black to white; `white` > `black`."""

    black: int
    white: int


class Seen(NamedTuple):
    """What was seen of a photo's levels, over all of its colours.

    Args:
        low: the lowest level.
        top: the highest.
        stretched: whether all of them are multiples of 257, or all of 256.
    """

    low: int
    top: int
    stretched: bool


def look(values: NDArray[np.integer]) -> Seen:
    """What is seen in `values` of any shape and whole type; nothing is all black."""
    if values.size == 0:
        return Seen(0, 0, True)
    low, top = int(values.min()), int(values.max())
    few = top < 1 << 14  # more is white in any case, and looking is dear
    stretched = few and low >= 0 and any(not np.any(values % step) for step in (256, 257))
    return Seen(low, top, stretched)


def together(one: Seen, other: Seen) -> Seen:
    """What is seen of two parts of a photo."""
    return Seen(min(one.low, other.low), max(one.top, other.top), one.stretched and other.stretched)


def span_of(seen: Seen, bits: int, *, signed: bool = False, stated: Span | None = None) -> Span:
    """Black and white of a photo whose levels are stored in `bits` bits, by the rule above."""
    whole = Span(0, (1 << bits - signed) - 1)
    if stated is not None and stated.black <= seen.low and seen.top <= stated.white and stated.black < stated.white:
        return stated
    if seen.low < 0:
        below = 1 << (-seen.low - 1).bit_length()
        return Span(-below, _fewest_bits(seen.top + below, bits) - below)
    if bits % 8 or seen.top == 0 or (bits == 16 and seen.stretched):
        return whole
    return Span(0, min(_fewest_bits(seen.top, bits), whole.white))


def whole_bits(level: int) -> int:
    """The highest level of as many bits as `level` takes: 1023 for 1020."""
    return (1 << level.bit_length()) - 1


def in_8_bits(
    values: NDArray[np.integer], span: Span, *, inverted: bool = False, upper: bool = False
) -> NDArray[np.uint8]:
    """The levels of 0 to 255 nearest to `values` of any shape.

    Args:
        values: levels.
        span: those that are black and white.
        inverted: whether the lowest is white.
        upper: whether all of 16 bits become their upper 8, as Pillow and browsers have it for colours.
    """
    black, white = span
    if values.dtype == np.uint16 and values.size > 1 << _TABLE_BITS:
        every = np.arange(1 << _TABLE_BITS, dtype=np.int64)
        table = in_8_bits(every, span, inverted=inverted, upper=upper)
        looked_up: NDArray[np.uint8] = table[values]
        return looked_up
    if upper and span == (0, 65535):
        return (values >> 8).astype(np.uint8)
    share: NDArray[np.float64] = (values.astype(np.float64).clip(black, white) - black) * (255.0 / (white - black))
    return ((255.0 - share if inverted else share) + 0.5).astype(np.uint8)


def full_of_floats(top: float) -> float:
    """White of a photo of floats whose brightest pixel is `top`.

    Raises:
        PhotoError: `unsupported` where no range is known that holds it.
    """
    full = next((step for step in FLOAT_STEPS if top <= step), None)
    if full is None:
        raise PhotoError(
            "The photo's brightness has no fixed range, as in scientific pictures.",
            code="unsupported",
            hint="Save it with 8 bits a channel.",
        )
    return full


def floats_in_8_bits(values: NDArray[np.floating], full: float, inverted: bool) -> NDArray[np.uint8]:
    """The levels of 0 to 255 nearest to `values` of 0 to `full`; what is no number is taken for 0."""
    light: NDArray[np.float64] = np.nan_to_num(values).clip(0, full) * (255.0 / full)
    return ((255.0 - light if inverted else light) + 0.5).astype(np.uint8)


def _fewest_bits(top: int, bits: int) -> int:
    """The highest level of the fewest bits, of those that instruments give, that hold `top`."""
    return next(((1 << step) - 1 for step in STEPS if top < 1 << step <= 1 << bits), (1 << bits) - 1)

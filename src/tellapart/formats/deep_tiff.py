"""TIFFs of more than 8 bits a channel, which Pillow reads not at all, inverted, or by their upper 8 bits alone.

The photo is unpacked a few parts at a time, and twice where not all of its levels are used, so that it is never held in
more than 8 bits.
"""

import re
from functools import reduce
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.formats import tiff_page as tags
from tellapart.formats.header import damaged, refuse_size
from tellapart.formats.levels import (
    Seen,
    Span,
    floats_in_8_bits,
    full_of_floats,
    in_8_bits,
    look,
    span_of,
    together,
    whole_bits,
)
from tellapart.formats.tiff_page import Page
from tellapart.formats.tiff_parts import Parts, Place, Plan

_CHANNELS: Final = {tags.WHITE_IS_ZERO: 1, tags.BLACK_IS_ZERO: 1, tags.RGB: 3, tags.INK: 4}
_MODES: Final = {(1, 0): "L", (1, 1): "La", (1, 2): "LA", (3, 0): "RGB", (3, 1): "RGBa", (3, 2): "RGBA", (4, 0): "CMYK"}
_DESCRIPTION_BYTES: Final = 1 << 20  # of an OME description that are searched
_SIGNIFICANT: Final = re.compile(rb'SignificantBits="(\d{1,2})"')  # as OME-TIFF says it


class Deep(NamedTuple):
    """A photo of more than 8 bits, in 8: an image of mode L, LA, La, RGB, RGBA, RGBa or CMYK, and how it is turned."""

    image: Image.Image
    orientation: int


def read_deep(data: bytes, page: Page) -> Deep | None:
    """The photo of a page, its brightness as `levels` has it; None where Pillow reads that kind of page as well.

    Args:
        data: a TIFF within our limits.
        page: what `tiff_page.find_photo` found.

    Raises:
        PhotoError: `too_large`, `too_complex`, `truncated`, `damaged` or `unsupported`.
    """
    bits = [int(n) for n in page.numbers(data, tags.BITS)] or [1]
    kinds = {int(n) for n in page.numbers(data, tags.SAMPLE_FORMAT)} or {tags.UNSIGNED}
    if max(bits) <= 8 and kinds <= {tags.UNSIGNED, 4} and page.whole(data, tags.PREDICTOR, 1) in (1, 2):
        return None
    if page.whole(data, tags.PHOTOMETRIC, tags.BLACK_IS_ZERO) not in _CHANNELS:
        return None
    tags.refuse_unreadable(data, page)
    plan = _plan(data, page, bits, kinds)
    refuse_size(plan.width, plan.height)
    parts = Parts(data, page, plan)
    tags.refuse_holes(data, page)
    orientation = page.whole(data, tags.ORIENTATION, 1)
    return Deep(_image(plan, parts, _stated(data, page)), orientation if 1 <= orientation <= 8 else 1)


def _plan(data: bytes, page: Page, bits: list[int], kinds: set[int]) -> Plan:
    width, height = page.whole(data, tags.WIDTH, 0), page.whole(data, tags.HEIGHT, 0)
    photometric = page.whole(data, tags.PHOTOMETRIC, tags.BLACK_IS_ZERO)
    colours, channels = _CHANNELS[photometric], page.whole(data, tags.SAMPLES, len(bits))
    extra = [int(n) for n in page.numbers(data, tags.EXTRA)]
    tiled = tags.TILES in page.tags
    part = (
        (page.whole(data, tags.TILE_WIDTH, 0), page.whole(data, tags.TILE_HEIGHT, 0))
        if tiled
        else (width, min(page.whole(data, tags.ROWS, height), height))
    )
    if min(width, height, *part, bits[0], channels) <= 0:
        raise damaged()
    kind = next(iter(kinds))
    if kind == tags.FLOAT:  # a channel beside them is of no use
        extra = []
    return Plan(
        width=width,
        height=height,
        bits=bits[0],
        kind=tags.UNSIGNED if kind == 4 else kind,
        channels=channels,
        colours=colours,
        alpha=extra[0] if channels > colours and colours < 4 and extra and extra[0] in (1, 2) else 0,
        planar=page.whole(data, tags.PLANAR, 1) == 2 and channels > 1,
        part_width=part[0],
        part_height=part[1],
        inverted=photometric == tags.WHITE_IS_ZERO,
        predictor=page.whole(data, tags.PREDICTOR, 1),
        order="<" if page.form.order == "little" else ">",
    )


def stated_span(low: list[float], top: list[float], level: int, description: bytes) -> Span | None:
    """Black and white as a TIFF says them itself.

    Args:
        low: SMinSampleValue, as many as there are.
        top: SMaxSampleValue.
        level: MaxSampleValue, 0 without. It is a statistic, so it is rounded up to whole bits.
        description: ImageDescription, in which OME-TIFF says SignificantBits.
    """
    if top and np.isfinite(max(top)) and max(top) >= 1:
        return Span(int(min(low)) if low and np.isfinite(min(low)) else 0, int(max(top)))
    if level > 0:
        return Span(0, whole_bits(level))
    said = _SIGNIFICANT.search(description[:_DESCRIPTION_BYTES])
    return Span(0, (1 << int(said[1])) - 1) if said and 1 <= int(said[1]) <= 32 else None


def _stated(data: bytes, page: Page) -> Span | None:
    return stated_span(
        page.numbers(data, tags.LOW_SAMPLE),
        page.numbers(data, tags.TOP_SAMPLE),
        page.whole(data, tags.TOP_LEVEL, 0),
        page.content(data, tags.DESCRIPTION),
    )


def _image(plan: Plan, parts: Parts, stated: Span | None) -> Image.Image:
    """The photo in 8 bits. It is unpacked twice where not all of its levels are used, so as not to be held deep."""
    pixels = np.zeros((plan.height, plan.width, plan.colours + (plan.alpha > 0)), np.uint8)
    if plan.kind == tags.FLOAT:
        _fill_with_floats(pixels, plan, parts)
        return _as_image(pixels, "L")
    spans = [Span(0, (1 << plan.bits) - 1)] * 2
    seen = _fill(pixels, plan, parts, spans)
    signed = plan.kind == tags.SIGNED
    found = [span_of(seen[0], plan.bits, signed=signed, stated=stated), span_of(seen[1], plan.bits, signed=signed)]
    n_kinds = 1 + (plan.alpha > 0)
    if found[:n_kinds] != spans[:n_kinds]:
        _fill(pixels, plan, parts, found)
    return _as_image(pixels, _MODES[plan.colours, plan.alpha])


def _as_image(pixels: NDArray[np.uint8], mode: str) -> Image.Image:
    height, width = pixels.shape[:2]
    return Image.frombuffer(mode, (width, height), pixels.tobytes(), "raw", mode, 0, 1)


def _fill(pixels: NDArray[np.uint8], plan: Plan, parts: Parts, spans: list[Span]) -> list[Seen]:
    """Puts all parts into `pixels`, and says what was seen of the colours and of alpha."""
    nothing = Seen(1 << 40, -(1 << 40), True)
    seen = [nothing, nothing]
    bounds = ((0, plan.colours), (plan.colours, pixels.shape[2]))
    for numbers, places in parts.read():
        for which, (start, stop) in enumerate(bounds):
            first = places[0].channel
            a, b = max(start - first, 0), min(stop - first, numbers.shape[2])
            if a >= b:
                continue
            some = numbers[:, :, a:b]
            # What stands beside the photo in the tiles at its edges is none of it.
            whole = sum(place.height * place.width for place in places) == some.shape[0] * some.shape[1]
            looked = [look(some)] if whole else [look(some[_rows(place)]) for place in places]
            seen[which] = reduce(together, looked, seen[which])
            light = in_8_bits(some, spans[which], inverted=plan.inverted and which == 0, upper=plan.channels > 1)
            for place in places:
                _target(pixels, place)[..., first + a : first + b] = light[_rows(place)]
    return seen


def _fill_with_floats(pixels: NDArray[np.uint8], plan: Plan, parts: Parts) -> None:
    top = 0.0
    for numbers, places in parts.read():
        top = max(top, *(float(np.nan_to_num(numbers[..., 0][_rows(place)]).max(initial=0)) for place in places))
    full = full_of_floats(top)
    for numbers, places in parts.read():
        light = floats_in_8_bits(numbers[:, :, :1], full, plan.inverted)
        for place in places:
            _target(pixels, place)[...] = light[_rows(place)]


def _rows(place: Place) -> tuple[slice, slice]:
    return slice(place.at, place.at + place.height), slice(0, place.width)


def _target(pixels: NDArray[np.uint8], place: Place) -> NDArray[np.uint8]:
    return pixels[place.top : place.top + place.height, place.left : place.left + place.width]

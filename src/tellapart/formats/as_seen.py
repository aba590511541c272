"""What is seen of a photo that Pillow opens: upright sRGB, and what a format needs beside Pillow's own reading.

The limits on what a decoder may be given are checked before, in `data/photo.py`.
"""

from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from tellapart.errors import PhotoError
from tellapart.formats import deep_png, deep_tiff, exif, header, levels, pixels, tiff_page, whole_streams
from tellapart.formats.pixels import DECODER_ERRORS

_PILLOW_SAMPLES: Final = 6  # a pixel; of more it logs a line of its own


def profile_of(image: Image.Image) -> bytes:
    """The colour profile of an image; empty without."""
    icc = image.info.get("icc_profile")
    return icc if isinstance(icc, bytes) else b""


def seen(image: Image.Image, orientation: int | None = None, stated: levels.Span | None = None) -> NDArray[np.uint8]:
    """A loaded image's pixels, turned as EXIF says unless an `orientation` is given."""
    if orientation is None:
        block = image.info.get("exif")
        orientation = exif.orientation(block) if isinstance(block, bytes) else 1
    inverted = isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(tiff_page.PHOTOMETRIC) == 0
    eight = pixels.to_8_bit(image, stated=stated, inverted=inverted)
    return pixels.upright(pixels.srgb(eight, profile_of(image)), orientation)


def tiff_page_seen(data: bytes, page: tiff_page.Page) -> NDArray[np.uint8]:
    """A page of a TIFF whose tags were checked."""
    deep = deep_tiff.read_deep(data, page)
    if deep is not None:
        icc = page.content(data, tiff_page.PROFILE)
        header.refuse_profile(icc)
        return pixels.upright(pixels.srgb(deep.image, icc), deep.orientation)
    if page.whole(data, tiff_page.SAMPLES, 1) > _PILLOW_SAMPLES:
        tiff_page.refuse_unreadable(data, page)
    tiff_page.refuse_holes(data, page)
    try:
        with Image.open(BytesIO(tiff_page.with_first(data, page)), formats=["TIFF"]) as image:
            header.refuse_size(*image.size)
            header.refuse_profile(profile_of(image))
            image.load()
            return seen(image)
    except PhotoError:
        raise
    except DECODER_ERRORS:
        tiff_page.refuse_unreadable(data, page)
        raise


def png_seen(data: bytes, image: Image.Image) -> NDArray[np.uint8]:
    """A loaded PNG whose file is `data`."""
    whole_streams.refuse_short_png(data, image)
    if not deep_png.is_deep(data):
        return seen(image)
    if image.mode.startswith("I"):
        return seen(image, stated=deep_png.stated_span(data))
    read = deep_png.read_deep(data, image)
    read.info.update({key: image.info[key] for key in ("exif", "icc_profile") if key in image.info})
    return seen(read)


def gif_seen(data: bytes, image: Image.Image) -> NDArray[np.uint8]:
    """White where the first frame leaves the screen clear; Pillow has the palette's first colour there."""
    frame = header.check_gif(data)
    whole_streams.refuse_short_gif(data, frame.at, image)
    pixels_seen = seen(image)
    for beside in (
        pixels_seen[: frame.top],
        pixels_seen[frame.bottom :],
        pixels_seen[:, : frame.left],
        pixels_seen[:, frame.right :],
    ):
        beside[...] = 255
    return pixels_seen

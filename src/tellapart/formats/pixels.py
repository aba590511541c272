"""From an image that Pillow holds to upright sRGB: depth, palette, inks, alpha and colour profile.

And what a format needs beside Pillow's own reading. The limits on what a decoder may be given are checked before, in
`data/photo.py`.
"""

import struct
from functools import lru_cache
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile, TiffImagePlugin

from tellapart.errors import PhotoError
from tellapart.formats import deep_png, deep_tiff, exif, header, tiff_page, whole_streams
from tellapart.formats.levels import Span, floats_in_8_bits, full_of_floats, in_8_bits, look, span_of

_STRIP_PX: Final = 1 << 20  # pixels turned into sRGB at a time, so that a large photo is never held three times
_PILLOW_SAMPLES: Final = 6  # a pixel of a TIFF; of more it logs a line of its own
_SAME_COLOURS: Final = 3  # of 255: a profile that moves no colour by more is taken for sRGB itself

# What Pillow and its codecs raise for bad input. Anything else is a fault of ours, and should be seen.
DECODER_ERRORS: Final = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    ArithmeticError,
    LookupError,
    TypeError,
    AttributeError,
    RuntimeError,
    AssertionError,
    MemoryError,
    BufferError,
    struct.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
    ImageCms.PyCMSError,
)


def upright(image: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """The image as it was seen, given EXIF's word on how it is stored."""
    if orientation == 1:
        return image
    if orientation >= 5:
        image = image.transpose(1, 0, 2)
    rows = -1 if orientation in (3, 4, 7, 8) else 1
    columns = -1 if orientation in (2, 3, 6, 7) else 1
    return np.ascontiguousarray(image[::rows, ::columns])


def profile_of(image: Image.Image) -> bytes:
    """The colour profile of an image; empty without."""
    icc = image.info.get("icc_profile")
    return icc if isinstance(icc, bytes) else b""


def seen(image: Image.Image, orientation: int | None = None, stated: Span | None = None) -> NDArray[np.uint8]:
    """A loaded image's pixels, turned as EXIF says unless an `orientation` is given."""
    if orientation is None:
        block = image.info.get("exif")
        orientation = exif.orientation(block) if isinstance(block, bytes) else 1
    inverted = isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(tiff_page.PHOTOMETRIC) == 0
    eight = to_8_bit(image, stated=stated, inverted=inverted)
    return upright(srgb(eight, profile_of(image)), orientation)


def tiff_page_seen(data: bytes, page: tiff_page.Page) -> NDArray[np.uint8]:
    """A page of a TIFF whose tags were checked."""
    deep = deep_tiff.read_deep(data, page)
    if deep is not None:
        icc = page.content(data, tiff_page.PROFILE)
        header.refuse_profile(icc)
        return upright(srgb(deep.image, icc), deep.orientation)
    if page.whole(data, tiff_page.SAMPLES, 1) > _PILLOW_SAMPLES:
        tiff_page.refuse_unreadable(data, page)
    header.refuse_size(page.whole(data, tiff_page.WIDTH, 0), page.whole(data, tiff_page.HEIGHT, 0))
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


def read_plain_inks(image: Image.Image) -> None:
    """Has a JPEG of four inks read as ink, where Pillow takes it for the paper that is left, as Adobe stores it."""
    if image.mode == "CMYK" and isinstance(image, ImageFile.ImageFile):
        image.tile = [tile._replace(args=("CMYK", "")) for tile in image.tile]


def to_8_bit(image: Image.Image, *, stated: Span | None = None, inverted: bool = False) -> Image.Image:
    """The same photo with 8 bits a channel, where Pillow would clip what is above 255 to white.

    Args:
        image: of any mode; others than I, I;16 and F are given back as they are.
        stated: black and white as the file says them.
        inverted: whether the lowest level is white.

    Raises:
        PhotoError: `unsupported` for floats without a range.
    """
    if not image.mode.startswith(("I", "F")):
        return image
    grey = np.asarray(image)
    if image.mode == "F":
        full = full_of_floats(float(np.nan_to_num(grey).max(initial=0)))
        return Image.fromarray(floats_in_8_bits(grey, full, inverted))
    whole = image.mode == "I"
    span = span_of(look(grey), 32 if whole else 16, signed=whole, stated=stated)
    eight = Image.fromarray(in_8_bits(grey.astype("=i4" if whole else "=u2"), span, inverted=inverted))
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        eight.putalpha(Image.fromarray(np.where(grey == clear, 0, 255).astype(np.uint8)))
    return eight


def srgb(image: Image.Image, icc: bytes) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 sRGB, a strip at a time."""
    width, height = image.size
    pixels = np.empty((height, width, 3), np.uint8)
    rows = max(1, _STRIP_PX // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        strip = image if rows >= height else image.crop((0, top, width, bottom))
        pixels[top:bottom] = np.asarray(_to_srgb(_opaque(strip), icc))
    return pixels


def _opaque(image: Image.Image) -> Image.Image:
    """The same picture without alpha: over white, as a page would show it; RGB, CMYK or LAB."""
    if image.has_transparency_data:
        layer = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")  # no other way from La
        page = Image.new("RGB", image.size, "white")
        page.paste(layer, mask=layer.getchannel("A"))
        return page
    return image if image.mode in ("RGB", "CMYK", "LAB") else image.convert("RGB")


def _to_srgb(image: Image.Image, icc: bytes) -> Image.Image:
    change = conversion(icc, image.mode) if icc or image.mode == "LAB" else None
    if change is not None:
        return change.apply(image)
    return image.convert("RGB")


@lru_cache(maxsize=16)
def conversion(icc: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From the profile's colours to sRGB; None where the profile is sRGB already, broken, or of other inks.

    Remembered, because a folder's photos come from a few cameras. NOCACHE keeps a conversion without state,
    so that several threads may use it at once.
    """
    try:
        source = ImageCms.createProfile("LAB") if mode == "LAB" else ImageCms.ImageCmsProfile(BytesIO(icc))
        change = ImageCms.buildTransform(
            source, ImageCms.createProfile("sRGB"), mode, "RGB", flags=ImageCms.Flags.NOCACHE
        )
    except DECODER_ERRORS:
        return None
    if mode != "RGB":
        return change
    levels = np.stack(np.meshgrid(*[np.arange(0, 256, 15).astype(np.uint8)] * 3), axis=-1).reshape(18, -1, 3)
    moved = np.asarray(change.apply(Image.fromarray(levels)), np.int16) - levels
    return change if np.abs(moved).max() > _SAME_COLOURS else None

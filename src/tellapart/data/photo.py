"""From a file's bytes to an upright sRGB image, or a plain sentence saying why not.

Two ways lead there: `decode_fast` for the ordinary JPEGs that most photos are, `decode_careful` for the rest.
Both give the same pixels, and both first hold the file against the limits in `header`.

Codes of the `PhotoError` raised here, stable for programs:

    missing       no such file
    not_a_file    a folder, pipe or device
    unreadable    the system does not let us read the file
    empty         no bytes, or only zeros
    placeholder   stands in for the photo: a Git-LFS pointer, or a cloud drive's file not downloaded yet
    not_a_photo   no photo format that we know
    unsupported   a format or pixel type that we know and do not read
    truncated     the end of the photo is missing
    damaged       the photo breaks its format's rules
    too_large     more bytes or pixels than our limits
    too_complex   would take too long to read: too many scans, segments or texts, or too large a profile
"""

import os
import re
import stat
import struct
import warnings
from functools import lru_cache
from io import BytesIO
from typing import Final, NoReturn

import numpy as np
import pi_heif
from numpy.typing import NDArray
from PIL import AvifImagePlugin, Image, ImageCms, TiffImagePlugin, WebPImagePlugin

from tellapart.data import header
from tellapart.errors import PhotoError

try:
    import simplejpeg
except ImportError:  # no build for this system; Pillow gives the same pixels, and misses some damage
    simplejpeg = None

MAX_FILE_BYTES: Final = 200_000_000  # the largest 16-bit TIFF within the pixel limit is near it

_STRIP_PX: Final = 1 << 20  # pixels turned into sRGB at a time, so that a large photo is never held three times
_SAME_COLOURS: Final = 3  # of 255: a profile that moves no colour by more is taken for sRGB itself
_CLOUD_ONLY: Final = 0x0040_0000 | 0x0004_0000  # Windows: content is fetched when the file is read or opened
_DATALESS: Final = 0x4000_0000  # macOS: the same

# What Pillow and its codecs raise for bad input. Anything else is a fault of ours, and should be seen.
_DECODER_ERRORS: Final = (
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
# libjpeg only warns when part of the photo is lost, and fills the hole with grey.
_LOST: Final = ("premature end", "bad Huffman code", "instead of RST")

_QUIET: Final = ("ignore", None, UserWarning, re.compile(r"PIL\."), 0)  # as `warnings.filters` holds it
_READERS: Final = (AvifImagePlugin, TiffImagePlugin, WebPImagePlugin)  # here, Pillow loads no others
pi_heif.register_heif_opener()


def read(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a photo's file; whether they are a photo is for `decode` to say.

    Raises:
        PhotoError: `missing`, `not_a_file`, `unreadable`, `empty`, `placeholder` or `too_large`.
    """
    try:
        # Without O_NONBLOCK, opening a pipe that nobody writes to would never return.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with open(path, "rb", buffering=0, opener=lambda name, _: os.open(name, flags)) as file:
            status = os.fstat(file.fileno())
            _refuse_file(status)
            data = file.read(MAX_FILE_BYTES + 1)
            while len(data) < status.st_size and (more := file.read(MAX_FILE_BYTES + 1 - len(data))):
                data += more
    except PhotoError:
        raise
    except FileNotFoundError as error:
        raise PhotoError("The file does not exist.", code="missing", hint="Was it moved or renamed?") from error
    except IsADirectoryError as error:
        raise _not_a_file() from error
    except (OSError, ValueError) as error:
        if os.path.isdir(path):
            raise _not_a_file() from error
        raise PhotoError(
            "The file cannot be read.", code="unreadable", hint="May you read it, and is its disk all right?"
        ) from error
    header.refuse_placeholder(data)
    return data


def decode(data: bytes, *, min_side_px: int | None = None) -> NDArray[np.uint8]:
    """An upright (H, W, 3) uint8 sRGB image, alpha laid over white, the first frame of an animation.

    Args:
        data: the content of a file.
        min_side_px: how small the shorter side may become where that is cheaper: a JPEG is then decoded at
            1/2, 1/4 or 1/8 of its size. None gives the photo's own size, as does a smaller photo.

    Raises:
        PhotoError: the photo cannot be trusted; the codes are listed at the top of this module.
    """
    image = decode_fast(data, min_side_px=min_side_px)
    return decode_careful(data, min_side_px=min_side_px) if image is None else image


def decode_fast(data: bytes, *, min_side_px: int | None = None) -> NDArray[np.uint8] | None:
    """Like `decode`, for an ordinary JPEG; None for whatever needs `decode_careful`."""
    if header.sniff(data) != "JPEG":
        return None
    jpeg = header.read_jpeg(data)
    if not jpeg.plain:
        return None
    scale = _jpeg_scale(jpeg, min_side_px)
    try:
        image = _turbo(data, jpeg, scale)
    except _DECODER_ERRORS as error:
        _refuse_lost(error)
        try:  # again, over a blemish such as bytes to spare between segments
            image = _turbo(data, jpeg, scale, strict=False)
        except _DECODER_ERRORS:
            return None
    if jpeg.icc and _conversion(jpeg.icc, "RGB"):
        image = _pixels(Image.fromarray(image), jpeg.icc)
    return _upright(image, jpeg.orientation)


def decode_careful(data: bytes, *, min_side_px: int | None = None) -> NDArray[np.uint8]:
    """Like `decode`, for every format and kind of pixel, at a third of the speed or less."""
    kind = header.sniff(data)
    _check(kind, data)
    _hush()
    try:
        with Image.open(BytesIO(data), formats=[kind]) as image:
            if kind != "JPEG":  # whose limit depends on more than its size, and was checked
                header.refuse_size(*image.size)
            icc = image.info.get("icc_profile") or b""
            header.refuse_profile(icc)
            if min_side_px is not None:
                image.draft(None, (max(min_side_px, 1),) * 2)
            image.load()
            exif = image.info.get("exif") or b""
            return _upright(_pixels(_to_8_bit(image), icc), header.orientation(exif))
    except PhotoError:
        raise
    except _DECODER_ERRORS as error:
        _refuse_broken(error)


def _check(kind: str, data: bytes) -> None:
    """Whatever of our limits can be seen without a decoder."""
    if kind == "PNG":
        header.check_png(data)
    elif kind == "WEBP":
        header.check_webp(data)
    elif kind == "GIF":
        header.check_gif(data)
    elif kind == "TIFF":
        header.check_tiff(data)
    elif kind == "JPEG":
        jpeg = header.read_jpeg(data)
        try:
            _turbo(data, jpeg, 8)  # the decoder used below says nothing when part of a JPEG is lost
        except _DECODER_ERRORS as error:
            _refuse_lost(error)


def _jpeg_scale(jpeg: header.JpegHeader, min_side_px: int | None) -> int:
    """The denominator by which the photo may shrink: 8, 4, 2 or 1, as in Pillow; others are slow."""
    if min_side_px is None:
        return 1
    room = min(jpeg.width_px, jpeg.height_px) // max(min_side_px, 1)
    return next((scale for scale in (8, 4, 2) if room >= scale), 1)


def _turbo(data: bytes, jpeg: header.JpegHeader, scale: int, *, strict: bool = True) -> NDArray[np.uint8]:
    if simplejpeg is None:
        raise RuntimeError("simplejpeg is not installed")
    image: NDArray[np.uint8] = simplejpeg.decode_jpeg(
        data,
        "CMYK" if jpeg.components == 4 else "RGB",
        min_height=-(-jpeg.height_px // scale),
        min_width=-(-jpeg.width_px // scale),
        strict=strict,
    )
    return image


def _upright(image: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """The image as it was seen, given EXIF's word on how it is stored."""
    if orientation == 1:
        return image
    if orientation >= 5:
        image = image.transpose(1, 0, 2)
    rows = -1 if orientation in (3, 4, 7, 8) else 1
    columns = -1 if orientation in (2, 3, 6, 7) else 1
    return np.ascontiguousarray(image[::rows, ::columns])


def _to_8_bit(image: Image.Image) -> Image.Image:
    """The same photo with 8 bits a channel, where Pillow would clip what is above 255 to white."""
    if not image.mode.startswith(("I", "F")):
        return image
    grey = np.nan_to_num(np.asarray(image))
    top = grey.max(initial=0)
    steps = (1.0, 255.0, 65535.0) if image.mode == "F" else (65535.0, 2.0**31 - 1)
    full = next((step for step in steps if top <= step), None)
    if full is None:
        raise PhotoError(
            "The photo's brightness has no fixed range, as in scientific pictures.",
            code="unsupported",
            hint="Save it with 8 bits a channel.",
        )
    eight = Image.fromarray((grey.clip(0) * (255.0 / full) + 0.5).astype(np.uint8))
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        eight.putalpha(Image.fromarray(np.where(grey == clear, 0, 255).astype(np.uint8)))
    return eight


def _pixels(image: Image.Image, icc: bytes) -> NDArray[np.uint8]:
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
        layer = image.convert("RGBA")
        page = Image.new("RGB", image.size, "white")
        page.paste(layer, mask=layer.getchannel("A"))
        return page
    return image if image.mode in ("RGB", "CMYK", "LAB") else image.convert("RGB")


def _to_srgb(image: Image.Image, icc: bytes) -> Image.Image:
    conversion = _conversion(icc, image.mode) if icc or image.mode == "LAB" else None
    if conversion is not None:
        return conversion.apply(image)
    return image.convert("RGB")


@lru_cache(maxsize=16)
def _conversion(icc: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From the profile's colours to sRGB; None where the profile is sRGB already, broken, or of other inks.

    Remembered, because a folder's photos come from a few cameras. NOCACHE keeps a conversion without state,
    so that several threads may use it at once.
    """
    try:
        source = ImageCms.createProfile("LAB") if mode == "LAB" else ImageCms.ImageCmsProfile(BytesIO(icc))
        conversion = ImageCms.buildTransform(
            source, ImageCms.createProfile("sRGB"), mode, "RGB", flags=ImageCms.Flags.NOCACHE
        )
    except _DECODER_ERRORS:
        return None
    if mode != "RGB":
        return conversion
    levels = np.stack(np.meshgrid(*[np.arange(0, 256, 15).astype(np.uint8)] * 3), axis=-1).reshape(18, -1, 3)
    moved = np.asarray(conversion.apply(Image.fromarray(levels)), np.int16) - levels
    return conversion if np.abs(moved).max() > _SAME_COLOURS else None


def _hush() -> None:
    """Keeps Pillow from warning about a broken photo: whether it is usable is said by our errors alone.

    A filter that stays, because `warnings.catch_warnings` swaps a list that all threads share. It silences
    nothing but the `UserWarning`s of Pillow's own modules.
    """
    if _QUIET not in warnings.filters:
        warnings.filterwarnings("ignore", category=UserWarning, module=_QUIET[3].pattern)


def _refuse_lost(error: BaseException) -> None:
    """Refuses the JPEG if the decoder's warning means that a part of it is gone."""
    message = str(error)
    if "remature end" in message:
        raise header.truncated() from error
    if any(sign in message for sign in _LOST):
        raise header.damaged() from error


def _refuse_broken(error: BaseException) -> NoReturn:
    """Puts a decoder's error into our words."""
    if isinstance(error, MemoryError | Image.DecompressionBombError | Image.DecompressionBombWarning):
        raise PhotoError(
            "The photo takes more memory than there is.", code="too_large", hint="Save a smaller copy of it."
        ) from error
    if isinstance(error, EOFError) or "truncated" in str(error):
        raise header.truncated() from error
    raise header.damaged() from error


def _refuse_file(status: os.stat_result) -> None:
    """Refuses what is no ordinary file, not on this computer, or too large, by the system's word alone."""
    if not stat.S_ISREG(status.st_mode):
        raise _not_a_file()
    if getattr(status, "st_file_attributes", 0) & _CLOUD_ONLY or getattr(status, "st_flags", 0) & _DATALESS:
        raise PhotoError(
            "The file has not been downloaded from its cloud drive yet.",
            code="placeholder",
            hint="Ask the cloud drive to keep that folder on this computer.",
        )
    if status.st_size > MAX_FILE_BYTES:
        raise PhotoError(
            f"The file is {status.st_size / 1e6:.0f} MB; at most {MAX_FILE_BYTES // 10**6} can be read.",
            code="too_large",
            hint="Save a smaller copy of it.",
        )


def _not_a_file() -> PhotoError:
    return PhotoError("This is a folder, pipe or device, not a file.", code="not_a_file", hint="Give a photo's file.")

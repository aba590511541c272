"""From a file's bytes to an upright sRGB image, or a plain sentence saying why not.

Two ways lead there: `decode_fast` for the ordinary JPEGs that most photos are, `decode_careful` for the rest.
Both give the same pixels, and both first hold the file against the limits in `header` and `metadata`.

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
    outdated      the library for this format has known holes; the hint says what to upgrade
    too_complex   would take too long to read: too many scans, segments, texts or tags, or too large a profile
"""

import os
import re
import stat
import warnings
from io import BytesIO
from threading import Lock
from typing import Any, Final, NamedTuple, NoReturn, TypeGuard

import numpy as np
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from tellapart.errors import PhotoError
from tellapart.formats import codecs, exif, header, heic, heif_limits, metadata, pixels, tiff_page
from tellapart.formats.pixels import DECODER_ERRORS

try:
    import simplejpeg
except ImportError:  # no build for this system; Pillow gives the same pixels, and misses some damage
    simplejpeg = None

MAX_FILE_BYTES: Final = 200_000_000  # the largest 16-bit TIFF within the pixel limit is near it

_CLOUD_ONLY: Final = 0x0040_0000 | 0x0004_0000  # Windows: content is fetched when the file is read or opened
_DATALESS: Final = 0x4000_0000  # macOS: the same

# libjpeg only warns when part of the photo is lost, and fills the hole with grey.
_LOST: Final = ("premature end", "bad Huffman code", "instead of RST")

_QUIET: Final = ("ignore", None, UserWarning, re.compile(r"PIL\."), 0)  # as `warnings.filters` holds it
# Importing them lets Pillow read these formats; nothing here makes it load its other readers.
_ANIMATED: Final = (
    AvifImagePlugin.AvifImageFile,
    GifImagePlugin.GifImageFile,
    PngImagePlugin.PngImageFile,
    TiffImagePlugin.TiffImageFile,
    WebPImagePlugin.WebPImageFile,
)
# TIFF and PNG of more than 8 bits, white-is-zero, previews in front; GIFs with a frame smaller than their screen; inks
# without Adobe's marker.
_READ_ANEW: Final = ((b"\xff\xd8\xff", "JPEG"), (b"II", "TIFF"), (b"MM", "TIFF"), (b"\x89PNG", "PNG"), (b"GIF8", "GIF"))
_ONE_FILE: Final = Lock()  # two threads may be given the same unread image
heic.register()
codecs.versions()  # asked now: a child that decodes for the server may load nothing later


class StoredAs(NamedTuple):
    """What a photo's file is, whatever it shows."""

    kind: str  # as `header.sniff` says
    width_px: int  # of the upright photo at its own size
    height_px: int
    camera: str  # the model as EXIF of a JPEG names it, or ""
    day: str  # on which it was taken, as 2024-05-31, or ""


def read(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a photo's file; whether they are a photo is for `decode` to say.

    Raises:
        PhotoError: `missing`, `not_a_file`, `unreadable`, `empty`, `placeholder` or `too_large`.
    """
    try:
        # Without O_NONBLOCK, opening a pipe that nobody writes to would never return.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        # No number: the system would take it for the file that this process has open under it, and close that.
        with open(os.fspath(path), "rb", buffering=0, opener=lambda name, _: os.open(name, flags)) as file:
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


def decode_twice(data: bytes, first_px: int, second_px: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """`decode` for each `min_side_px`; where both give the same image, as of all but JPEG, it is decoded once."""
    first = decode(data, min_side_px=first_px)
    jpeg = header.read_jpeg(data) if header.sniff(data) == "JPEG" else None
    again = jpeg is not None and jpeg.scale(first_px) != jpeg.scale(second_px)
    return first, decode(data, min_side_px=second_px) if again else first


def stored_as(data: bytes, image: NDArray[np.uint8]) -> StoredAs:
    """How a photo is stored.

    Args:
        data: the content of its file.
        image: what `decode` made of it, with whatever `min_side_px`.
    """
    kind = header.sniff(data)
    if kind != "JPEG":  # the only format that is decoded at less than its size
        return StoredAs(kind, image.shape[1], image.shape[0], "", "")
    jpeg = header.read_jpeg(data)
    width, height = (jpeg.width_px, jpeg.height_px)[:: -1 if jpeg.orientation >= 5 else 1]
    return StoredAs(kind, width, height, exif.camera_model(jpeg.exif), exif.day_taken(jpeg.exif))


def reading_of(data: bytes) -> str:
    """Names how the photo in `data` is read, where that gives other pixels than it once did; "" for most photos.

    Part of the key under which features are remembered, so that none of wrongly read pixels are used again. Raised
    where the pixels of such photos change once more.

    Raises:
        PhotoError: of a JPEG, as `decode`.
    """
    kind = next((kind for sign, kind in _READ_ANEW if data.startswith(sign)), "")
    if kind == "JPEG":
        jpeg = header.read_jpeg(data)
        return " CMYK-2" if jpeg.components == 4 and not jpeg.adobe else ""
    return f" {kind}-2" if kind and (kind != "PNG" or data[24:25] == b"\x10") else ""


def decode_fast(data: bytes, *, min_side_px: int | None = None) -> NDArray[np.uint8] | None:
    """Like `decode`, for an ordinary JPEG; None for whatever needs `decode_careful`."""
    if _readable_kind(data) != "JPEG":
        return None
    jpeg = header.read_jpeg(data)
    if not jpeg.plain:
        return None
    scale = jpeg.scale(min_side_px)
    _refuse_decoded(jpeg, scale)
    try:
        image = _turbo(data, jpeg, scale)
    except DECODER_ERRORS as error:
        _refuse_lost(error)
        try:  # again, over a blemish such as bytes to spare between segments
            image = _turbo(data, jpeg, scale, strict=False)
        except DECODER_ERRORS:
            return None
    if jpeg.icc and pixels.conversion(jpeg.icc, "RGB"):
        image = pixels.srgb(Image.fromarray(image), jpeg.icc)
    return pixels.upright(image, jpeg.orientation)


def decode_careful(data: bytes, *, min_side_px: int | None = None) -> NDArray[np.uint8]:
    """Like `decode`, for every format and kind of pixel, at a third of the speed or less."""
    kind = _readable_kind(data)
    _hush()
    try:
        if kind == "TIFF":
            metadata.check_tiff(data)
            return pixels.tiff_page_seen(data, tiff_page.find_photo(data))
        prepared, turned = _prepare(kind, data)
        with Image.open(BytesIO(prepared), formats=[kind]) as image:
            if kind != "JPEG":  # whose limit depends on more than its size, and was checked
                header.refuse_size(*image.size)
            header.refuse_profile(pixels.profile_of(image))
            if min_side_px is not None:
                image.draft(None, (max(min_side_px, 1),) * 2)
            if kind == "JPEG" and not header.read_jpeg(data).adobe:
                pixels.read_plain_inks(image)
            image.load()
            if kind == "PNG":
                return pixels.png_seen(data, image)
            if kind == "GIF":
                return pixels.gif_seen(data, image)
            return pixels.seen(image, turned)
    except PhotoError:
        raise
    except DECODER_ERRORS as error:
        _refuse_broken(error)


def decode_image(image: Image.Image, *, min_side_px: int | None = None) -> NDArray[np.uint8]:
    """Like `decode`, for an image of Pillow; nothing is saved to be read again.

    What Pillow has only opened is read as its file is, so that our limits hold before any decoder runs, and no
    reader runs but those of our formats. What it has loaded is taken as it is, with its orientation and profile.

    Raises:
        PhotoError: as in `decode`; `unreadable` if the image was closed before it was loaded.
    """
    _hush()
    try:
        if _is_only_opened(image):
            return _decode_opened(image, min_side_px)
        # More than a file's limit only for what a baseline JPEG gives, as in a file.
        header.refuse_size(*image.size, header.MAX_DECODED_PIXELS if image.mode in ("L", "RGB") else header.MAX_PIXELS)
        header.refuse_profile(pixels.profile_of(image))
        return pixels.seen(image)
    except PhotoError:
        raise
    except DECODER_ERRORS as error:
        _refuse_broken(error)


def opened_file(image: Image.Image) -> bytes | None:
    """The photo's file where Pillow has only opened it and stands at its first frame; None for any other image.

    Raises:
        PhotoError: `unreadable` if it was closed; `too_large`.
    """
    if not _is_only_opened(image) or (type(image) in _ANIMATED and image.tell()):
        return None
    data = _file_of(image)
    return data[image.offset :] if isinstance(image, MpoImagePlugin.MpoImageFile) else data  # a row of JPEGs


def _is_only_opened(image: Image.Image) -> TypeGuard[ImageFile.ImageFile]:
    return isinstance(image, ImageFile.ImageFile) and bool(image.tile or image._im is None)


def _decode_opened(image: ImageFile.ImageFile, min_side_px: int | None) -> NDArray[np.uint8]:
    """The frame that Pillow stands at, of an image that it has opened and not loaded."""
    if (first := opened_file(image)) is not None:
        return decode(first, min_side_px=min_side_px)
    data = _file_of(image)
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        _readable_kind(data)
        metadata.check_tiff(data)
        return pixels.tiff_page_seen(data, tiff_page.page_at(data, image.tag_v2.offset))
    _prepare(_readable_kind(data), data)
    header.refuse_size(*image.size)
    header.refuse_profile(pixels.profile_of(image))
    image.load()
    return pixels.seen(image)


def _file_of(image: ImageFile.ImageFile) -> bytes:
    """All of the file that an image was opened from."""
    try:
        with _ONE_FILE:
            file: Any = image.fp  # None once it is closed
            at = file.tell()
            file.seek(0)
            data: bytes = file.read(MAX_FILE_BYTES + 1)
            file.seek(at)
    except (AttributeError, OSError, ValueError) as error:
        raise PhotoError(
            "The image was closed before it was read.", code="unreadable", hint="Give it while its file is open."
        ) from error
    _refuse_bytes(len(data))
    return data


def _readable_kind(data: bytes) -> str:
    """The format, if what would read it is no danger."""
    kind = header.sniff(data)
    codecs.refuse_outdated(kind)
    return kind


def _prepare(kind: str, data: bytes) -> tuple[bytes, int | None]:
    """What a decoder may be given of the file, and the orientation if that no longer says it.

    Whatever of our limits can be seen without a decoder is checked here.
    """
    if kind == "HEIF":
        return heif_limits.checked(data, kind), None
    if kind == "AVIF":
        return metadata.boxes_without_exif(heif_limits.checked(data, kind)), None
    if kind == "PNG":
        header.check_png(data)
    elif kind == "WEBP":
        header.check_webp(data)
    elif kind == "GIF":
        header.check_gif(data)
    elif kind == "JPEG":
        jpeg = header.read_jpeg(data)
        try:
            _turbo(data, jpeg, 8)  # the decoder used below says nothing when part of a JPEG is lost
        except DECODER_ERRORS as error:
            _refuse_lost(error)
        return metadata.jpeg_without_metadata(data, jpeg.scan_at), jpeg.orientation
    return data, None


def _refuse_decoded(jpeg: header.JpegHeader, scale: int) -> None:
    """Refuses what is still too large at the size that it is decoded at."""
    if jpeg.width_px * jpeg.height_px > header.MAX_DECODED_PIXELS * scale**2:
        header.refuse_size(jpeg.width_px, jpeg.height_px, header.MAX_DECODED_PIXELS)


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
    _refuse_bytes(status.st_size)


def _refuse_bytes(n_bytes: int) -> None:
    if n_bytes > MAX_FILE_BYTES:
        raise PhotoError(
            f"The file is {header.above(n_bytes, MAX_FILE_BYTES)} MB; at most {MAX_FILE_BYTES // 10**6} can be read.",
            code="too_large",
            hint="Save a smaller copy of it.",
        )


def _not_a_file() -> PhotoError:
    return PhotoError("This is a folder, pipe or device, not a file.", code="not_a_file", hint="Give a photo's file.")

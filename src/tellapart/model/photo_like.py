"""What people hand over as a photo, and what of it the model is given.

A path, a file's content, an open file, an image of Pillow or an array: one photo. A list, a generator, an array of
paths or a column of a data frame: many. Everything else is refused by its type. A number above all: the system takes it
for the file that this process has open under it, and closes that.
"""

import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol, TypeAlias, TypeGuard
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.data import photo
from tellapart.data.preprocess import Preprocess, preprocess, read_pixels
from tellapart.errors import PhotoError

TAKEN = "a path, bytes, an open file, a Pillow image or an (H, W, 3) uint8 array"  # as one photo, in a sentence


class OpenFile(Protocol):
    """What is needed of an open file."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most `size`; none at its end."""


PhotoLike: TypeAlias = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | OpenFile | Image.Image | NDArray[np.uint8]
)
Taken: TypeAlias = str | bytes | Image.Image | NDArray[Any]  # of a photo, when its turn comes


def is_one(photos: PhotoLike | Iterable[PhotoLike]) -> TypeGuard[PhotoLike]:
    """Whether this is one photo, and not many."""
    if isinstance(photos, np.ndarray):
        return photos.dtype.kind in "biufc" and photos.ndim != 4  # not of texts or objects, and not many images
    one = (str, os.PathLike, bytes, bytearray, memoryview, Image.Image)
    return isinstance(photos, one) or hasattr(photos, "read")


def each_of(photos: PhotoLike | Iterable[PhotoLike]) -> Iterable[PhotoLike]:
    """The photos one by one.

    Raises:
        TypeError: these are neither a photo nor some.
    """
    if is_one(photos):
        return [photos]
    if isinstance(photos, Mapping) or hasattr(photos, "columns"):
        raise TypeError(f"Photos must be given one by one, not as {_kind(photos)}. Give its column of paths.")
    if isinstance(photos, np.ndarray) and photos.ndim != 4:
        return _flat(photos)
    if not isinstance(photos, Iterable):
        raise TypeError(f"A photo must be {TAKEN}. Got {_kind(photos)}.")
    return photos  # type: ignore[return-value]  # one photo was returned above


def _flat(photos: NDArray[Any]) -> Iterable[Any]:
    """An array of paths, or of whatever is a photo, as a list: a row or a column of them."""
    if photos.ndim > 1 and photos.shape[1:] != (1,) * (photos.ndim - 1):
        raise TypeError(f"An array of paths must be one row, or one column. Got {photos.shape}.")
    flat: list[Any] = photos.ravel().tolist()  # texts of Python, not of numpy
    return flat


def taken(photos: Iterable[PhotoLike]) -> Iterator[tuple[str, Taken | PhotoError]]:
    """(path or name, what there is of it now) of each photo; a path is left to be opened when its turn comes.

    What may be gone or changed by then is copied: a file that is open now, an array into which the next frame goes.

    Raises:
        TypeError: one of them is no photo.
    """
    for item in photos:
        yield take(item)


def take(item: PhotoLike) -> tuple[str, Taken | PhotoError]:
    """The same of one photo."""
    match item:
        case str() | os.PathLike():
            path = os.fsdecode(item)
            return path, path
        case bytes() | bytearray() | memoryview():
            return "", bytes(item)
        case Image.Image():
            return "", _of_image(item)
        case np.ndarray():
            return "", item.copy()
    read = getattr(item, "read", None)
    if not callable(read):
        raise TypeError(f"A photo must be {TAKEN}. Got {_kind(item)}.")
    name = getattr(item, "name", "")
    try:
        content: Taken | PhotoError = _content(item, read)
    except PhotoError as error:
        content = error
    return name if isinstance(name, str) else "", content


def _of_image(image: Image.Image) -> Taken | PhotoError:
    """The file of an image that is only opened, for who gave it may close it before its turn; any other as it is."""
    try:
        content = photo.opened_file(image)
    except PhotoError as error:
        return error
    return image if content is None else content


def _content(file: Any, read: Callable[[int], object]) -> bytes:
    """All of an open file, from its start where it can go back there; it stays open, and where it stood.

    Raises:
        TypeError: it gives no bytes.
        PhotoError: it is closed, cannot be read, or is too large.
    """
    parts, size = [], 0
    try:
        goes_back = bool(getattr(file, "seekable", lambda: hasattr(file, "seek"))())
        stood = file.tell() if goes_back else 0
        if goes_back:
            file.seek(0)
        while size <= photo.MAX_FILE_BYTES and (part := read(photo.MAX_FILE_BYTES + 1 - size)):
            if not isinstance(part, bytes | bytearray | memoryview):
                raise TypeError(f"An open file must give bytes. Got {_kind(part)}. Open it with: open(path, 'rb')")
            parts.append(bytes(part))
            size += len(parts[-1])
        if goes_back:
            file.seek(stood)
    except PhotoError:
        raise
    except (OSError, ValueError, EOFError, BadZipFile, zlib.error) as error:  # of a packed file that is cut off, too
        raise PhotoError(
            "The open file cannot be read, or was closed.", code="unreadable", hint="Give it while it is open."
        ) from error
    if size > photo.MAX_FILE_BYTES:
        raise PhotoError(
            f"The file is larger than the {photo.MAX_FILE_BYTES // 10**6} MB that can be read.",
            code="too_large",
            hint="Save a smaller copy of it.",
        )
    return b"".join(parts)


def pixels_of(item: Taken, preprocessing: Preprocess) -> NDArray[np.uint8]:
    """The (px, px, 3) uint8 that a network gets of a photo.

    Raises:
        PhotoError: it cannot be read, or is an array of another shape or type.
    """
    if isinstance(item, str | bytes):
        return read_pixels(content_of(item), preprocessing)
    return preprocess(image_of(item, preprocessing), preprocessing)


def image_of(item: Image.Image | NDArray[Any], preprocessing: Preprocess) -> NDArray[np.uint8]:
    """The upright (H, W, 3) uint8 of an image or an array, as small as the preprocessing allows.

    Raises:
        PhotoError: as above.
    """
    if isinstance(item, Image.Image):
        return photo.decode_image(item, min_side_px=preprocessing.min_side_px)
    refuse_array(item)
    return item


def content_of(item: str | bytes) -> bytes:
    """A photo's file.

    Raises:
        PhotoError: it cannot be read, or is a path where a photo's content is taken.
    """
    if isinstance(item, str):
        return photo.read(item)
    if 0 < len(item) < 1024 and b"\0" not in item and os.path.exists(item):  # longer than a path, or no path at all
        raise PhotoError(
            "These bytes are a path, not a photo.", code="not_a_photo", hint="Give the path as text: os.fsdecode(path)."
        )
    return item


def refuse_array(image: NDArray[Any]) -> None:
    """Returns when `image` is one as ours are.

    Raises:
        PhotoError: it is of another shape or type; says which, and what to do.
    """
    if image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and 0 not in image.shape:
        return
    ends = f" with values from {image.min():.4g} to {image.max():.4g}" if image.size and image.dtype != bool else ""
    hint = ""
    if image.ndim == 3 and image.shape[0] == 3 and image.shape[2] != 3:
        hint = "Put the colours last: image.transpose(1, 2, 0)."
    elif image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (1, 2, 4)):
        hint = "Grey, or with transparency? Give Image.fromarray(image) of Pillow."
    elif np.issubdtype(image.dtype, np.floating) and image.size and image.min() >= 0 and image.max() <= 1:
        hint = "From 0 to 1? Give (255 * image).round().astype('uint8')."
    raise PhotoError(
        f"An image array must be (H, W, 3) uint8, RGB from 0 to 255. Got {image.shape} {image.dtype}{ends}.",
        code="unsupported",
        hint=hint,
    )


def _kind(thing: object) -> str:
    return type(thing).__name__

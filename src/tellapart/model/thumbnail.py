"""Small copies of photos that stand inside a page or a notebook: no file, no address but their own data."""

import base64
import io
import os

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.photo import decode, read
from tellapart.errors import PhotoError

NOTEBOOK_PX = 160  # the longest side, of what a notebook keeps beside each answer: 3 to 8 kB


def make_thumbnail(image: NDArray[np.uint8], size_px: int = 160) -> str:
    """A small WebP copy of an image as a data URI.

    Args:
        image: (H, W, 3) uint8 RGB.
        size_px: longest side; a smaller image is not enlarged.
    """
    small = Image.fromarray(image)
    small.thumbnail((size_px, size_px), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "WEBP", quality=72, method=4)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def thumbnail_of(path: str | os.PathLike[str]) -> str:
    """A small copy of the photo at `path` as a data URI; empty where it can no longer be read."""
    try:
        return make_thumbnail(decode(read(path), min_side_px=NOTEBOOK_PX), NOTEBOOK_PX)
    except PhotoError:
        return ""

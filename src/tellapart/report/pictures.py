"""Small copies of the user's photos, for the report and for the model's examples."""

import io
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.photo import decode
from tellapart.data.source import Dataset
from tellapart.errors import PhotoError
from tellapart.report.page import make_thumbnail

THUMBNAIL_PX = 160
EXAMPLE_PX = 320
JPEG_QUALITY = 85


def thumbnails(dataset: Dataset, photos: Iterable[str]) -> dict[str, str]:
    """{photo: data URI} of those `photos` of `dataset` that can be read again."""
    index_of = {name: i for i, name in enumerate(dataset.photos)}
    made = {}
    for name in photos:
        image = _decoded(dataset, index_of[name], THUMBNAIL_PX)
        if image is not None:
            made[name] = make_thumbnail(image, THUMBNAIL_PX)
    return made


def example_photo(dataset: Dataset, index: int) -> bytes | None:
    """A small JPEG of photo `index`, without its metadata; None when it can no longer be read."""
    image = _decoded(dataset, index, EXAMPLE_PX)
    if image is None:
        return None
    small = Image.fromarray(image)
    small.thumbnail((EXAMPLE_PX, EXAMPLE_PX), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def _decoded(dataset: Dataset, index: int, side_px: int) -> NDArray[np.uint8] | None:
    try:
        return decode(dataset.read(index), min_side_px=side_px)
    except PhotoError:  # it was readable a moment ago: the person is moving photos about
        return None

"""Small copies of the user's photos, for the report and for the model's examples."""

import io
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.photo import decode
from tellapart.data.remote.door import READERS
from tellapart.data.remote.held import lies_elsewhere
from tellapart.data.source import Dataset
from tellapart.errors import PhotoError
from tellapart.model.thumbnail import make_thumbnail
from tellapart.parallel import map_in_order

THUMBNAIL_PX = 256  # shown at 120 to 160, and enlarged by a click
EXAMPLE_PX = 320
JPEG_QUALITY = 85
MAX_BYTES = 2_500_000  # of all thumbnails as text; a page of 3 MB can still be mailed and opens at once


def thumbnails(dataset: Dataset, photos: Iterable[str]) -> dict[str, str]:
    """{photo: data URI} of those `photos` of `dataset` that can be read again, until a page is full of them.

    Args:
        dataset: where the photos are.
        photos: names, the most important first, each as often as the page shows it.
    """
    wanted = list(photos)
    index_of = {name: i for i, name in enumerate(dataset.photos)}

    def make(name: str) -> str:
        image = _decoded(dataset, index_of[name], THUMBNAIL_PX)
        return "" if image is None else make_thumbnail(image, THUMBNAIL_PX)

    distinct = list(dict.fromkeys(wanted))
    n_workers = READERS if lies_elsewhere(dataset.archive) else None
    uris = dict(zip(distinct, map_in_order(make, distinct, n_workers=n_workers, name="thumbnail"), strict=True))
    made, room = {}, MAX_BYTES
    for name in distinct:
        room -= wanted.count(name) * len(uris[name])
        if uris[name] and room >= 0:
            made[name] = uris[name]
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

"""The photos that a model learned from, as far as this machine still knows what they look like.

A model folder holds hashes of them and nothing that shows them. What copies are found by, their features and small grey
pictures, is in the cache of the machine that trained; or the photos themselves are still where they were.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.data.grey_picture import SIDE_PX
from tellapart.data.preprocess import Preprocess, read_pixels
from tellapart.data.source import Dataset
from tellapart.errors import InputError, PhotoError
from tellapart.features.extract import Extractor, hash_pixels
from tellapart.parallel import map_in_order
from tellapart.timing import Progress, no_progress


@dataclass(frozen=True)
class KnownPhotos:
    """M photos by which copies of them are found.

    Args:
        values: (M, D) float32 features.
        pictures: (M, SIDE_PX, SIDE_PX) uint8, small and grey.
        hashes: (M,) hexadecimal, all different: of their pixels as the model gets them.
    """

    values: NDArray[np.float32]
    pictures: NDArray[np.uint8]
    hashes: tuple[str, ...]


def known_photos(
    hashes: Iterable[str],
    places: Sequence[str],
    extractor: Extractor,
    preprocessing: Preprocess,
    progress: Progress = no_progress,
) -> KnownPhotos:
    """Those of the photos named by `hashes` that the cache knows, and, if it lacks some, those that lie at `places`.

    Args:
        hashes: hexadecimal, of pixels as the model gets them.
        places: where the photos were when the model was trained; other photos may lie there by now.
        extractor: what made the features by which copies were found then, with its cache.
        preprocessing: how the model gets its pixels.
        progress: called with (stage, done, total) if photos are read.
    """
    wanted = sorted(set(hashes))
    found = _remembered(wanted, extractor) if preprocessing.key == extractor.preprocessing.key else {}
    if len(found) < len(wanted) and places:
        lacking = set(wanted) - set(found)
        found |= {own: seen for own, seen in _read(places, extractor, preprocessing, progress) if own in lacking}
    there = [own for own in wanted if own in found]
    values = np.zeros((len(there), extractor.backbone.n_features), np.float32)
    pictures = np.zeros((len(there), SIDE_PX, SIDE_PX), np.uint8)
    for i, own in enumerate(there):
        values[i], pictures[i] = found[own]
    return KnownPhotos(values, pictures, tuple(there))


_Seen = tuple[NDArray[np.float32], NDArray[np.uint8]]


def _remembered(wanted: Sequence[str], extractor: Extractor) -> dict[str, _Seen]:
    found: dict[str, _Seen] = {}
    for own in wanted:
        seen = extractor.cache and extractor.cache.get_by_pixels(bytes.fromhex(own), extractor.extractor_key)
        if seen and seen.picture is not None and len(seen.features) == extractor.backbone.n_features:
            found[own] = seen.features, seen.picture
    return found


def _read(
    places: Sequence[str], extractor: Extractor, preprocessing: Preprocess, progress: Progress
) -> Iterable[tuple[str, _Seen]]:
    """Of each photo at `places` that can be read: the hash of its pixels as the model gets them, and its looks."""
    try:
        photos = Dataset.from_lists(places, ["any"] * len(places))
    except InputError:  # one of them has just gone
        return
    seen = extractor.extract(photos, progress=progress)
    same = preprocessing.key == extractor.preprocessing.key

    def own_hash(index: int) -> str | None:
        if same:
            return str(seen.pixel_hashes[index], "ascii")
        try:
            return hash_pixels(read_pixels(photos.read(index), preprocessing)).hex()
        except PhotoError:
            return None

    usable = seen.usable.tolist()
    for index, own in zip(usable, map_in_order(own_hash, usable, name="hash"), strict=True):
        if own is not None:
            yield own, (seen.values[index], seen.pictures[index])

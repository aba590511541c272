"""From what the person named to photos that can be trained on: readable, with features, copies found."""

import hashlib
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tellapart.data.duplicates import Duplicates, find_duplicates, kept_together
from tellapart.data.preprocess import Preprocess, ResizeMode
from tellapart.data.source import Dataset, Skipped
from tellapart.engine.backbone import Backbone
from tellapart.errors import InputError, PhotoError
from tellapart.features.copies import Looks, find_copies
from tellapart.features.extract import Extractor, Features, cached_extractor, no_longer_held
from tellapart.text import counted, quoted
from tellapart.timing import Progress, Stopwatch

MAX_UNREADABLE = 0.5  # share of the photos; beyond it the folder, not a photo, is the problem


@dataclass(frozen=True)
class Prepared:
    """N readable photos and what is known about them.

    Args:
        dataset: the readable photos.
        values: (N, D) float32 features, memory-mapped where possible.
        pixel_hashes: (N,) of 32 hexadecimal digits; equal hashes look exactly the same to the backbone.
        duplicates: copies and groups among them; groups that a person gave are united with those that were found.
        skipped: every file found but not used, with its reason.
        features: as extracted, with timings and the number that came from the cache.
        backbone: what made the features.
        preprocessing: how a photo becomes the backbone's pixels.
        groups_found: (N,) groups as found by looks alone, where a person gave some too.
        pictures: (N, SIDE_PX, SIDE_PX) uint8, the photos small and grey, by which copies are found; `None` if not read.
    """

    dataset: Dataset
    values: NDArray[np.float32]
    pixel_hashes: NDArray[np.bytes_]
    duplicates: Duplicates
    skipped: tuple[Skipped, ...]
    features: Features
    backbone: Backbone
    preprocessing: Preprocess
    groups_found: NDArray[np.int32] | None = None
    pictures: NDArray[np.uint8] | None = None

    def values_of(self, photos: NDArray[np.integer]) -> NDArray[np.float32]:
        """(n, D) a copy of the features of some photos; of what is memory-mapped nothing stays in memory beside it."""
        values: NDArray[np.float32] = self.values[photos]
        no_longer_held(self.values)
        return values

    def __repr__(self) -> str:
        return f"<Prepared {counted(self.dataset.n, 'photo')} of {self.dataset!r}>"


def prepare(
    dataset: Dataset,
    extractor: Extractor,
    progress: Progress,
    clock: Stopwatch,
    *,
    known: Features | None = None,
    looks: Looks | None = None,
) -> Prepared:
    """Read every photo once, leave out what cannot be read, and find the copies.

    Args:
        dataset: the photos.
        extractor: what makes their features.
        progress: called with (stage, done, total).
        clock: adds up the seconds.
        known: the features that the extractor made of these photos before; none is read then.
        looks: what pairs of photos looked like that were asked about before; those are not looked at again.

    Raises:
        InputError: more than half of the photos cannot be read.
    """
    with clock("features"):
        features = extractor.extract(dataset, progress=progress) if known is None else known
    use = features.usable
    refuse_unreadable(dataset, features.errors)
    unreadable = [Skipped(dataset.photos[i], error.message) for i, error in sorted(features.errors.items())]
    whole = len(use) == dataset.n
    values = features.values if whole else features.values[use]
    hashes = features.pixel_hashes if whole else features.pixel_hashes[use]
    pictures = features.pictures if whole else features.pictures[use]
    skipped, dataset = dataset.skipped, dataset if whole else dataset.subset(use)
    with clock("duplicates"):
        duplicates = find_copies(values, pictures, hashes, looks)
    found = None
    if (bound := dataset.bound) is not None:
        found = duplicates.groups
        duplicates = replace(duplicates, groups=kept_together((found, duplicates.same, duplicates.copies), bound))
    return Prepared(
        dataset=dataset,
        values=values,
        pixel_hashes=hashes,
        duplicates=duplicates,
        skipped=tuple(sorted((*skipped, *unreadable), key=lambda s: s.photo)),
        features=features,
        backbone=extractor.backbone,
        preprocessing=extractor.preprocessing,
        groups_found=found,
        pictures=pictures,
    )


def refuse_unreadable(dataset: Dataset, errors: Mapping[int, PhotoError]) -> None:
    """Returns when enough photos of `dataset` can be read; `errors` says by index why others cannot.

    Raises:
        InputError: more than half of them cannot.
    """
    if len(errors) > dataset.n * MAX_UNREADABLE:
        first, error = min(errors.items())
        raise InputError(
            f"{counted(len(errors), 'photo')} of {dataset.n:,} cannot be read. "
            f"The first is {quoted(dataset.photos[first])}: {error.message}",
            hint="Open a few of them in a photo viewer; perhaps they were not copied completely.",
        )


def part_of(prepared: Prepared, indices: NDArray[np.integer]) -> Prepared:
    """The photos at `indices` alone, with the copies that are found among them."""
    values, hashes = prepared.values[indices], prepared.pixel_hashes[indices]
    pictures = None if prepared.pictures is None else prepared.pictures[indices]
    found = find_duplicates(values, hashes) if pictures is None else find_copies(values, pictures, hashes)
    return replace(
        prepared,
        dataset=prepared.dataset.subset(indices),
        values=values,
        pixel_hashes=hashes,
        duplicates=found,
        pictures=pictures,
    )


def seen_by(
    prepared: Prepared, backbone: Backbone, resize_mode: ResizeMode, progress: Progress, *, keep: bool
) -> Prepared:
    """The same photos with the features of another backbone; what is alike stays what it was.

    Which distance between features makes copies was measured for the bundled backbones alone.

    Args:
        prepared: the photos.
        backbone: whose features they get.
        resize_mode: how a photo becomes square.
        progress: called with (stage, done, total).
        keep: whether the features are remembered between runs.

    Raises:
        PhotoError: a photo can no longer be read.
    """
    preprocessing = Preprocess(backbone.input_px, resize_mode)
    opened = cached_extractor(backbone, preprocessing) if keep else nullcontext(Extractor(backbone, preprocessing))
    with opened as extractor:
        features = extractor.extract(prepared.dataset, progress=progress)
    for error in features.errors.values():
        raise error
    return replace(
        prepared,
        values=features.values,
        pixel_hashes=features.pixel_hashes,
        features=features,
        backbone=backbone,
        preprocessing=preprocessing,
    )


def fingerprint(hashes: NDArray[np.bytes_]) -> str:
    """Names a set of photos whatever their order: hexadecimal SHA-256."""
    return hashlib.sha256(np.sort(hashes).tobytes()).hexdigest()

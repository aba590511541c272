"""The photos that have a label, prepared as `train` and `check` prepare them."""

import numpy as np

from tellapart.data.source import Dataset
from tellapart.errors import InputError
from tellapart.features.extract import Features
from tellapart.features.prepare import Prepared, prepare
from tellapart.studio.work.desk import Desk, Seen
from tellapart.timing import Progress, Stopwatch


def labelled_rows(desk: Desk, seen: Seen) -> list[int]:
    """Rows of `seen` of the photos that have a label and are not left out."""
    marks = desk.state.marks
    return [row for row, photo in enumerate(seen.photos) if marks[photo.id].label and not marks[photo.id].out]


def labelled(desk: Desk, progress: Progress) -> tuple[Prepared, list[str]]:
    """Those photos with their features, and the identity of each.

    Raises:
        InputError: there are none.
    """
    seen, marks = desk.seen(progress), desk.state.marks
    rows = labelled_rows(desk, seen)
    if not rows:
        raise InputError("No photo has a label yet.", hint="Label some first.")
    photos = [seen.photos[row] for row in rows]
    splits = [photo.split or "train" for photo in photos] if any(photo.split for photo in photos) else None
    dataset = Dataset.from_lists([photo.place for photo in photos], [marks[photo.id].label for photo in photos], splits)
    chosen = np.array(rows, np.int64)
    known = Features(seen.values[chosen], seen.pixel_hashes[chosen], seen.pictures[chosen])
    prepared = prepare(dataset, desk.extractor, progress, Stopwatch(), known=known)
    return prepared, [photo.id for photo in photos]

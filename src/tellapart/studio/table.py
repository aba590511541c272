"""What was said of the photos as a label file that `tellapart train` takes."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from tellapart.data.spreadsheet import guarded
from tellapart.errors import InputError
from tellapart.studio.heap import Photo
from tellapart.studio.state import Mark
from tellapart.text import counted

NAME: Final = "photos.csv"


def older_table(n_lines: int) -> str:
    """The name of the label file of what was said after so many lines of the journal."""
    return f"photos-{n_lines}.csv"


class Written(NamedTuple):
    """A label file, and how many photos are in it and how many are not."""

    content: bytes
    n_photos: int
    left: str  # a sentence on those that are not in it; "" where there are none


def label_file(
    photos: Sequence[Photo],
    marks: Mapping[str, Mark],
    groups: Mapping[str, str] | None = None,
    splits: Mapping[str, str] | None = None,
) -> Written:
    """The photos that have a label and are not left out, as path, label, split and group.

    Paths are whole, so that the file may lie anywhere on this machine. What nobody says a split of is for training, if
    others have one. Of files with one content the first is named.

    Args:
        photos: of the heap.
        marks: {id: what was said}, of all of them.
        groups: {id: the name of its group}, where that is not what the source gives.
        splits: {id: train, val, test or crossed}, where that is not what the source gives.

    Raises:
        InputError: there is no such photo.
    """
    labelled = [photo for photo in photos if marks[photo.id].label and not marks[photo.id].out]
    named = [photo for photo in labelled if photo.place.isprintable()]  # others are no text, or two lines of it
    if not named:
        raise InputError("No photo has a label yet.", hint="Label some first.")
    groups, splits = groups or {}, splits or {}
    parts = [splits.get(photo.id, photo.split) for photo in named]
    rest = "train" if any(parts) else ""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("path", "label", "split", "group"))
    for photo, part in zip(named, parts, strict=True):
        cells = (photo.place, marks[photo.id].label, part or rest, groups.get(photo.id, photo.group))
        rows.writerow([guarded(cell) for cell in cells])  # read again without the guard
    return Written(text.getvalue().encode(), len(named), _left(photos, marks, len(labelled) - len(named)))


def _left(photos: Sequence[Photo], marks: Mapping[str, Mark], n_unnamed: int) -> str:
    said = [marks[photo.id] for photo in photos]
    counts = (
        (sum(mark.out for mark in said), "left out"),
        (sum(mark.none and not mark.out for mark in said), "of none of these"),
        (sum(not mark.label and not mark.none and not mark.out for mark in said), "without a label"),
        (n_unnamed, "with names that cannot stand in a table"),
    )
    parts = [f"{number:,} {words}" for number, words in counts if number]
    total = sum(number for number, _ in counts)
    return f"Not in it: {counted(total, 'photo')} ({', '.join(parts)})." if parts else ""

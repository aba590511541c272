"""What is to be moved out of a dataset's folder, what stays and why; and where a folder's quarantine is."""

import os
import stat
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tellapart.checks.finding import Finding
from tellapart.data.listing import list_folder
from tellapart.data.meaning.trainable import MIN_PHOTOS_PER_CLASS
from tellapart.data.source import Dataset
from tellapart.errors import InputError
from tellapart.storage.atomic import LEFT_BY_SYSTEMS
from tellapart.storage.moves import Record, in_words, inside, read_list
from tellapart.text import quoted, shown

LIST = "moved.jsonl"
SUFFIX = ".quarantine"  # photos -> photos.quarantine, beside it

Parts = tuple[str, ...]  # the names that lead to a file, from a root down


@dataclass(frozen=True)
class Move:
    """One photo to move: its name in the dataset, its path below the source with "/", and why."""

    photo: str
    path: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Kept:
    """One photo that stays where it is, and why."""

    photo: str
    reason: str


@dataclass(frozen=True)
class Quarantined:
    """What was moved into `folder`, or would be, in the order of the findings; and what was not."""

    folder: Path
    moves: tuple[Move, ...]
    kept: tuple[Kept, ...]


def plan(dataset: Dataset, findings: Sequence[Finding], folder: str | os.PathLike[str] | None = None) -> Quarantined:
    """What `quarantine` would move; nothing is changed.

    A photo of several findings moves once. A class keeps two photos, and two training photos where it has them; what
    would go below that stays, so give the gravest findings first.

    Args:
        dataset: the readable photos, as scanned from a folder.
        findings: whose `suspects` are to go; names of photos, or of files below the source that are not used.
        folder: the quarantine; beside the source by default.

    Raises:
        InputError: the source is no folder, or the quarantine is inside it or holds something else.
    """
    root, folder = places(_folder_of(dataset), folder)
    _refuse_foreign(root, folder)
    suspects = _suspects(findings)
    paths = _paths(dataset, suspects)
    room = _Room(dataset)
    moves: list[Move] = []
    kept: list[Kept] = []
    for photo, reasons in suspects.items():
        problem = _problem(root, paths.get(photo)) or room.refuses(photo)
        if problem:
            kept.append(Kept(photo, problem))
        else:
            moves.append(Move(photo, "/".join(paths[photo] or ()), reasons))
    return Quarantined(folder, tuple(moves), tuple(kept))


def _folder_of(dataset: Dataset) -> str:
    """The dataset's source, when photos can be moved out of it."""
    if dataset.archive is not None:
        raise InputError(
            f"Photos cannot be moved out of the {dataset.archive.kind} {quoted(dataset.source)}.",
            hint="Unpack it and name the folder instead.",
        )
    if not os.path.isdir(dataset.source):
        raise InputError(
            f"{quoted(dataset.source)} is a list of photos, which may lie anywhere, so none of them is moved.",
            hint="Remove the lines of the photos that you do not want.",
        )
    return dataset.source


def places(source: str | os.PathLike[str], folder: str | os.PathLike[str] | None) -> tuple[Path, Path]:
    """The real paths of the source and of its quarantine, neither inside the other."""
    name = shown(os.fspath(source))
    if not os.path.isdir(source):
        raise InputError(
            f"There is no folder {quoted(name)}.", hint="Photos are moved out of, and back to, folders only."
        )
    root = Path(os.path.realpath(source))
    place = Path(os.path.realpath(os.path.abspath(source) + SUFFIX if folder is None else folder))
    if place.is_relative_to(root) or root.is_relative_to(place):
        raise InputError(
            f"The quarantine {quoted(str(place))} must be outside {quoted(name)}, and not around it.",
            hint="Name another folder for it.",
        )
    return root, place


def _refuse_foreign(root: Path, folder: Path) -> None:
    """Returns when `folder` is free, or is already the quarantine of `root`."""
    if folder.is_dir() and not (folder / LIST).is_file() and set(os.listdir(folder)) - LEFT_BY_SYSTEMS:
        raise InputError(
            f"{quoted(str(folder))} holds something else already, so no photos are moved there.",
            hint="Rename that folder.",
        )
    refuse_other_source(read_list(folder / LIST), root, folder)


def refuse_other_source(records: Sequence[Record], root: Path, folder: Path) -> None:
    """A source that is no longer there was renamed, and its quarantine is believed to have gone with it."""
    for other in {record.source for record in records} - {str(root)}:
        if "\0" not in other and os.path.isdir(other):
            raise InputError(
                f"{quoted(str(folder))} is the quarantine of {quoted(other)}.",
                hint="Name that folder, or another quarantine.",
            )


def _suspects(findings: Sequence[Finding]) -> dict[str, tuple[str, ...]]:
    """{photo: one reason for each finding that suspects it}, in order."""
    suspects: dict[str, tuple[str, ...]] = {}
    for finding in findings:
        rows = {name: row for row in reversed(finding.photos) for name in row}
        for photo in dict.fromkeys(finding.suspects):
            about = ", ".join(word for word in rows.get(photo, ()) if word != photo)
            reason = finding.kind.replace("_", " ") + (f": {about}" if about else "")
            suspects[photo] = (*suspects.get(photo, ()), reason)
    return suspects


def _paths(dataset: Dataset, photos: Iterable[str]) -> dict[str, Parts | None]:
    """Where those `photos` are below the source that can be found there; None where two files share the name."""
    source = Path(dataset.source)
    wanted = set(photos)
    found: dict[str, Parts | None] = {}
    for photo, place in zip(dataset.photos, dataset.places, strict=True):
        if photo in wanted and Path(place).is_relative_to(source):
            found[photo] = None if photo in found else Path(place).relative_to(source).parts
    if wanted - found.keys():  # files that cannot be used have no place in the dataset
        prefix = "" if dataset.source == "." else f"{dataset.source}/"
        others: dict[str, Parts | None] = {}
        for file in list_folder(dataset.source).files:
            name = shown(prefix + "/".join(file.parts))
            if name in wanted and name not in found:
                others[name] = None if name in others else file.parts
        found |= others
    return found


def _problem(root: Path, parts: Parts | None) -> str:
    """Why the file at `parts` below `root` is not moved; empty when it is."""
    if parts is None:
        return "it is not found in the folder under this name, or two files share the name"
    path = inside(root, "/".join(parts))
    if path is None:
        return "it lies behind a link to another folder"
    try:
        mode = path.lstat().st_mode
    except OSError as error:
        return in_words(error)
    return "" if stat.S_ISREG(mode) or stat.S_ISLNK(mode) else "it is neither a file nor a link"


class _Room:
    """How many photos each class can still spare."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._index = {photo: i for i, photo in enumerate(dataset.photos)}
        self._trains = np.isin(dataset.splits, ["", "train"])
        self._all = Counter(dataset.labels.tolist())
        self._training = Counter(dataset.labels[self._trains].tolist())

    def refuses(self, photo: str) -> str:
        """Why `photo` must stay; empty when it may go, and then it counts as gone."""
        index = self._index.get(photo)
        if index is None:
            return ""  # it cannot be used, so no class loses it
        label = int(self._dataset.labels[index])
        counts = [self._all, self._training] if self._trains[index] else [self._all]
        if any(count[label] <= MIN_PHOTOS_PER_CLASS for count in counts):
            name = quoted(self._dataset.class_names[label])
            return f"the class {name} would be left with fewer than {MIN_PHOTOS_PER_CLASS} photos to train on"
        for count in counts:
            count[label] -= 1
        return ""

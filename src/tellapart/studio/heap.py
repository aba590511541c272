"""The photos that a studio is opened on, each known by its content, whatever it is called and wherever it lies.

Photos are opened only to be hashed: what they show is for the processes that decode.
"""

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterable, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from tellapart.data.label_file import JSON_EXTENSIONS, TABLE_EXTENSIONS
from tellapart.data.layout import NOT_INSIDE_CLASS, NOT_INSIDE_SPLIT, Placed, arrange
from tellapart.data.listing import extension, list_folder
from tellapart.data.meaning.class_names import RESERVED_CLASS_NAMES, check_class_names
from tellapart.data.meaning.own_folders import refuse_no_photos, without_own
from tellapart.data.source import Dataset, scan
from tellapart.errors import InputError
from tellapart.parallel import map_in_order
from tellapart.storage.atomic import write_file
from tellapart.text import quoted, shown

ID_LETTERS: Final = 32  # 128 bits of SHA-256: among 100,000 photos two share them by chance once in 10^28 heaps
COLLECTED: Final = "photos"  # below the studio's folder: photos that were handed to the page
INDEX: Final = "photos.json"  # which content a file had when it was last read, so that it need not be read again
NONE_OF_THESE: Final = "none of these"

Progress = Callable[[str, int, int], None]  # told what, how many of it were read, and of how many


class Photo(NamedTuple):
    """One photo of the heap.

    Attributes:
        id: what it is known by: its content.
        name: as people read it, relative to the source.
        place: where it is.
        label: the class that its folder or its table gives; "" for none, or where copies are in two classes.
        none: whether that is "none of these".
        split: "train", "val", "test", "crossed" or "", as the source gives it.
        modified_s: when its file was last changed, in seconds since 1970.
        n_files: how many files have its content.
        group: of what belongs together, as the source gives it; "" for none.
    """

    id: str
    name: str
    place: str
    label: str
    none: bool
    split: str
    modified_s: float
    n_files: int
    group: str = ""


@dataclass(frozen=True)
class Heap:
    """All photos of a source.

    Attributes:
        photos: sorted by name; of several with one content the first.
        class_names: of the source, sorted; also those of empty folders.
        unusable: (name, reason) of each file that is no photo to be labelled.
        notes: sentences on how the source was understood.
    """

    photos: tuple[Photo, ...]
    class_names: tuple[str, ...]
    unusable: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


class _Known(NamedTuple):
    size_bytes: int
    modified_ns: int
    id: str


def read_heap(source: str, state: Path, progress: Progress | None = None) -> Heap:
    """The photos of a folder, with or without class folders, or of a label file.

    Args:
        source: what the person named.
        state: the folder where a studio keeps what it knows.
        progress: told how far it is.

    Raises:
        InputError: it is neither, or it cannot be understood.
    """
    placed, class_names, notes = placed_files(source)
    collected = _collected(state)
    given = [file for own in (placed, collected) for file in sorted(own) if not file.reason]  # the source has the word
    placed = placed + collected
    known = _load(state / INDEX)
    read = _read_all(given, known, progress)
    _save(state / INDEX, {file.place: found for file, found in zip(given, read, strict=True) if found})
    unusable = [(file.photo, file.reason) for file in placed if file.reason]
    unusable += [(file.photo, "cannot be read") for file, found in zip(given, read, strict=True) if not found]
    pairs = [(file, found) for file, found in zip(given, read, strict=True) if found]
    photos = sorted(_photos(pairs, {file.place for file in collected}), key=lambda photo: photo.name)
    return Heap(tuple(photos), class_names, tuple(sorted(unusable)), tuple(notes))


def placed_files(source: str) -> tuple[list[Placed], tuple[str, ...], list[str]]:
    """Every file with its class, "" for none; the classes; and sentences.

    Raises:
        InputError: the source is neither a folder nor a label file, or it cannot be understood.
    """
    name = shown(source.rstrip("/") or source)
    try:
        mode = os.stat(source).st_mode
    except (OSError, ValueError) as error:
        raise InputError(f"There is no {quoted(name)}.", hint="Name a folder of photos.") from error
    if stat.S_ISREG(mode) and extension(source) in TABLE_EXTENSIONS | JSON_EXTENSIONS:
        dataset, notes = _scanned(source)
        if dataset.archive is not None:
            raise InputError(
                f"{quoted(name)} names photos that lie elsewhere.",
                hint="The studio takes photos that are files on this machine: it is a server, and fetches nothing.",
            )
        groups = dataset.groups.names if dataset.groups else [""] * dataset.n
        used = [
            Placed(photo, place, dataset.class_names[label], str(split), group=group)
            for photo, place, label, split, group in zip(
                dataset.photos, dataset.places, dataset.labels, dataset.splits, groups, strict=True
            )
        ]
        rest = [Placed(skipped.photo, "", reason=skipped.reason) for skipped in dataset.skipped]
        return used + rest, dataset.class_names, notes
    if not stat.S_ISDIR(mode):
        raise InputError(
            f"{quoted(name)} is neither a folder nor a label file.",
            hint="The studio takes photos that are files on this machine: unpack a zip first.",
        )
    listing = list_folder(source)
    refuse_no_photos(listing, name)
    listing, left_out = without_own(listing)
    arranged = arrange(listing, "")
    names = {one for one in arranged.class_names if one.casefold() not in RESERVED_CLASS_NAMES}
    check_class_names(names)
    loose = (NOT_INSIDE_CLASS, NOT_INSIDE_SPLIT)  # a person who has not said a class yet
    placed = [file._replace(reason="") if file.reason in loose else file for file in arranged.placed]
    return placed, tuple(sorted(names)), [*left_out, *arranged.notes]


def _collected(state: Path) -> list[Placed]:
    """The photos that were handed to the page, without a class, as if they lay in a folder of the source."""
    folder = state / COLLECTED
    files = list_folder(str(folder)).files if folder.is_dir() else []
    return [Placed("/".join(("collected", *file.parts)), file.place, reason=file.reason) for file in files]


def is_collected(photo: Photo, state: Path) -> bool:
    """Whether all its files are those that were handed to the page."""
    return photo.place.startswith(os.path.join(os.path.abspath(state / COLLECTED), ""))


def _scanned(source: str) -> tuple[Dataset, list[str]]:
    """What the label file says, and sentences; one whose groups cannot be understood has none here."""
    try:
        dataset = scan(source)
    except InputError as error:
        dataset = scan(source, group_by="none")
        return dataset, [*dataset.notes, f"{error} Until then, no photos are kept together."]
    return dataset, list(dataset.notes)


def _photos(pairs: Iterable[tuple[Placed, _Known]], silent: Set[str]) -> tuple[Photo, ...]:
    """One photo for each content; copies in two classes have none until a person says it.

    Copies at the places in `silent` say nothing of it.
    """
    photos: dict[str, Photo] = {}
    for file, found in pairs:
        word = file.class_name.casefold()
        label = "" if word in RESERVED_CLASS_NAMES else file.class_name
        place, modified_s = os.path.abspath(file.place), found.modified_ns / 1e9
        photo = Photo(found.id, file.photo, place, label, word == NONE_OF_THESE, file.split, modified_s, 1, file.group)
        first = photos.setdefault(found.id, photo)
        if first is not photo:
            if file.place in silent:
                photo = first
            same = (first.label, first.none) == (photo.label, photo.none)
            photos[found.id] = first._replace(
                label=first.label if same else "",
                none=first.none and same,
                split=first.split if first.split == photo.split else "",
                n_files=first.n_files + 1,
            )
    return tuple(photos.values())


def _read_all(files: Sequence[Placed], known: dict[str, _Known], progress: Progress | None) -> list[_Known | None]:
    """What each file holds; None for one that cannot be read."""
    read: list[_Known | None] = []
    for found in map_in_order(lambda file: _read(file.place, known.get(file.place)), files, name="hash"):
        read.append(found)
        if progress:
            progress("photos", len(read), len(files))
    return read


def _read(place: str, before: _Known | None) -> _Known | None:
    try:
        status = os.stat(place)
        if before and (before.size_bytes, before.modified_ns) == (status.st_size, status.st_mtime_ns):
            return before
        with open(place, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return None
    return _Known(status.st_size, status.st_mtime_ns, digest[:ID_LETTERS])


def identity(content: bytes) -> str:
    """What a photo of these bytes is known by."""
    return hashlib.sha256(content).hexdigest()[:ID_LETTERS]


def identity_of_file(place: str) -> str:
    """What the photo in a file is known by; "" where it cannot be read."""
    found = _read(place, None)
    return found.id if found else ""


def known_files(state: Path) -> dict[str, str]:
    """{place: identity} of every file that was read last, copies as well."""
    return {place: known.id for place, known in _load(state / INDEX).items()}


def _load(path: Path) -> dict[str, _Known]:
    """What was read before; nothing where it is damaged, for it is only a saving of time."""
    with suppress(OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {
            str(place): _Known(int(size), int(modified), str(photo))
            for place, (size, modified, photo) in json.loads(path.read_bytes()).items()
        }
    return {}


def _save(path: Path, known: dict[str, _Known]) -> None:
    with suppress(InputError):  # the next start reads all photos once more
        write_file(path, json.dumps(known).encode())

"""Where each labelled photo stands below a new folder or in a zip: CLASS/FILE, or SPLIT/CLASS/FILE."""

import os
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from tellapart.data.layout import arrange
from tellapart.data.listing import STRAY_NAMES, Found, Listing, is_stray
from tellapart.data.meaning.class_names import normal
from tellapart.errors import InputError
from tellapart.studio.heap import Photo
from tellapart.studio.state import Mark
from tellapart.text import quoted, some

MAX_NAME_BYTES: Final = 200  # of a file's or a folder's name, so that a number fits behind it on every disk
_FORBIDDEN: Final = frozenset('<>:"/\\|?*')  # by one of the common systems
_DEVICES: Final = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
)  # what Windows takes for no file, whatever extension it has


class Layout(NamedTuple):
    """Where photos stand.

    Attributes:
        places: (photo, its path with "/") in the order of the heap.
        notes: sentences on what folders cannot say.
        whole: whether training on the folders alone gives each photo its label and its split.
    """

    places: tuple[tuple[Photo, str], ...]
    notes: tuple[str, ...]
    whole: bool


class Names:
    """Names within one folder, none of which is another on a disk that does not tell "A" from "a".

    Args:
        taken: names that are there already.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {_look(name) for name in taken}

    def take(self, wanted: str) -> str:
        """A name like the wanted one that is free, and is no other's from now on."""
        stem, ending = os.path.splitext(wanted)
        name, number = wanted, 1
        while _look(name) in self._taken:
            number += 1
            name = f"{stem} ({number}){ending}"
        self._taken.add(_look(name))
        return name


def class_folders(photos: Sequence[Photo], marks: Mapping[str, Mark]) -> Layout:
    """Where the photos stand that have a label and are not left out.

    A photo without a split is for training where others have one, as in the label file.

    Raises:
        InputError: there is no such photo.
    """
    labelled = [photo for photo in photos if marks[photo.id].label and not marks[photo.id].out]
    if not labelled:
        raise InputError("No photo has a label yet.", hint="Label some first.")
    has_split = any(photo.split for photo in labelled)
    folder_names = Names(["photos.csv", "journal.jsonl"])  # which stand beside them
    folders: dict[str, str] = {}
    for label in sorted({marks[photo.id].label for photo in labelled}):
        folders[label] = folder_names.take(safe_name(label))
    names: dict[tuple[str, ...], Names] = {}
    places = []
    for photo in labelled:
        above = ((photo.split or "train"),) if has_split else ()
        folder = (*above, folders[marks[photo.id].label])
        name = names.setdefault(folder, Names()).take(safe_name(os.path.basename(photo.place)))
        places.append((photo, "/".join((*folder, name))))
    whole = _is_read_so(places, marks)
    return Layout(tuple(places), _notes(folders, whole=whole), whole)


def safe_name(name: str) -> str:
    """A name like this one that every common system takes for a file or a folder, and nobody for a hidden one."""
    letters = (c if c.isprintable() and c not in _FORBIDDEN else "_" for c in normal(name))
    stem, ending = os.path.splitext("".join(letters).strip().rstrip(". "))
    while len(stem.encode()) + len(ending.encode()) > MAX_NAME_BYTES:
        stem, ending = (stem[:-1], ending) if len(ending) < 20 else (stem, ending[:-1])
    if stem.partition(".")[0].strip().casefold() in _DEVICES or not stem:
        stem = f"{stem}_"
    whole = stem + ending
    return f"_{whole}" if whole[0] in ".~" or whole.casefold() in STRAY_NAMES else whole


def _look(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())


def _is_read_so(places: Sequence[tuple[Photo, str]], marks: Mapping[str, Mark]) -> bool:
    """Whether the folders are understood as they are meant by what reads them."""
    files = [Found(tuple(path.split("/")), path) for _, path in places]
    if any(is_stray(part) for file in files for part in file.parts):
        return False
    folders = {file.parts[:n] for file in files for n in range(1, len(file.parts))}
    try:
        read = {file.place: (file.class_name, file.split) for file in arrange(Listing(files, folders), "").placed}
    except InputError:
        return False
    has_split = any(photo.split for photo, _ in places)
    wanted = {path: (marks[photo.id].label, (photo.split or "train") if has_split else "") for photo, path in places}
    return read == wanted


def _notes(folders: Mapping[str, str], *, whole: bool) -> tuple[str, ...]:
    other = [f"{quoted(name)} is {quoted(folder)}" for name, folder in folders.items() if name != folder]
    notes = [f"Not every class can be a folder's name: {some(other)}. photos.csv has the names."] if other else []
    if not whole and not other:
        notes.append("By the folders alone these photos would be understood otherwise: train on photos.csv.")
    return tuple(notes)

"""Which folder means what: classes, perhaps inside train, val and test, perhaps all inside one wrapper."""

import unicodedata
from collections.abc import Iterable, Mapping, Set
from typing import NamedTuple

from tellapart.data.listing import Found, Listing
from tellapart.errors import InputError
from tellapart.text import LONGEST_NAME, quoted, shown

RESERVED_CLASS_NAMES = frozenset({"not sure", "none of these"})  # the two answers that name no class
NOT_INSIDE_CLASS = "not inside a class folder"

Folder = tuple[str, ...]  # the names that lead to it, from the source down

# What people call the three splits, in any case.
SPLIT_NAMES: Mapping[str, str] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}


class Placed(NamedTuple):
    """A file found, with its class and split; or with the `reason` why it is not used.

    Attributes:
        photo: its name as shown to the person.
        place: where its bytes are.
        class_name: in Unicode normal form C; empty when it is not used.
        split: "train", "val", "test" or "".
        reason: empty when it is used.
        group: which photos it belongs with; "" when it stands alone, or nothing says it.
    """

    photo: str
    place: str
    class_name: str = ""
    split: str = ""
    reason: str = ""
    group: str = ""


def arrange(listing: Listing, prefix: str) -> tuple[list[Placed], set[str]]:
    """Every file of the listing with its class and split, and all class names, those of empty folders too.

    Photos may lie deeper inside a class folder; they belong to that class.

    Args:
        listing: the files and folders below the source.
        prefix: put before every name that is shown, such as "photos/".
    """
    below = _subfolders(listing.folders)
    with_photos = {file.parts[:-1] for file in listing.files if not file.reason}
    root = _root(below, with_photos)
    splits = _split_folders(root, below, with_photos)
    placed = [_place(file, root, splits, prefix) for file in listing.files]
    depth = len(root) + (2 if splits else 1)
    class_names = {
        normal(folder[-1])
        for folder in listing.folders
        if len(folder) == depth and folder[: len(root)] == root and (not splits or folder[-2] in splits)
    }
    return placed, class_names


def normal(class_name: str) -> str:
    """The class name in Unicode normal form C: macOS and Linux spell "é" in two ways, which look the same."""
    return class_name if class_name.isascii() else unicodedata.normalize("NFC", class_name)


def check_class_names(class_names: Iterable[str]) -> None:
    """Returns when no two people would read two names as one, and none means something else in an answer.

    Raises:
        InputError: names them.
    """
    looks: dict[str, str] = {}
    for name in sorted(class_names):
        visible = "".join(letter for letter in name if unicodedata.category(letter) != "Cf")
        look = " ".join(visible.split())
        if not look or shown(name) != name:
            raise InputError(
                f"The class name {quoted(name)} cannot be shown as text.",
                hint="Rename it with plain letters.",
            )
        if len(name) > LONGEST_NAME:
            raise InputError(
                f"The class name {quoted(name)} has {len(name):,} letters; at most {LONGEST_NAME} can be one.",
                hint="Rename it with fewer.",
            )
        if look.casefold() in RESERVED_CLASS_NAMES:
            raise InputError(
                f"A class cannot be called {quoted(name)}: a model gives this answer itself.",
                hint="Rename the class, or leave these photos out of training.",
            )
        if look in looks:
            raise InputError(
                f"Two classes have names that look the same: {quoted(looks[look])} and {quoted(name)}.",
                hint="They differ in spaces or invisible characters only. Merge them or rename one.",
            )
        looks[look] = name


def _subfolders(folders: Iterable[Folder]) -> dict[Folder, list[str]]:
    below: dict[Folder, list[str]] = {}
    for folder in folders:
        below.setdefault(folder[:-1], []).append(folder[-1])
    return below


def _root(below: Mapping[Folder, list[str]], with_photos: Set[Folder]) -> Folder:
    """The folder that holds the class or split folders: the source, or the only folder in it, its wrapper."""
    tops = below.get((), [])
    if len(tops) != 1 or tops[0].casefold() in SPLIT_NAMES:
        return ()
    only = (tops[0],)
    return only if below.get(only) and only not in with_photos else ()


def _split_folders(root: Folder, below: Mapping[Folder, list[str]], with_photos: Set[Folder]) -> dict[str, str]:
    """The folders that are splits and which; empty when the folders are classes.

    "train" beside "bus" and "car" is a class. So splits are believed when no folder is called anything else,
    when two different ones hold folders, or when one holds several folders and no photos of its own.
    """
    tops = below.get(root, [])
    named = {top: SPLIT_NAMES[top.casefold()] for top in tops if top.casefold() in SPLIT_NAMES}
    holding = {top: len(below[(*root, top)]) for top in named if (*root, top) in below}
    different = len({named[top] for top in holding}) >= 2
    clear = any(n_folders >= 2 and (*root, top) not in with_photos for top, n_folders in holding.items())
    return named if len(named) == len(tops) or different or clear else {}


def _place(file: Found, root: Folder, splits: Mapping[str, str], prefix: str) -> Placed:
    name = shown(prefix + "/".join(file.parts))
    folders = file.parts[len(root) : -1] if file.parts[: len(root)] == root else ()
    if file.reason:
        return Placed(name, file.place, reason=file.reason)
    if splits and folders and folders[0] not in splits:
        return Placed(name, file.place, reason="not inside a train, val or test folder")
    if len(folders) < (2 if splits else 1):
        return Placed(name, file.place, reason=NOT_INSIDE_CLASS)
    if splits:
        return Placed(name, file.place, normal(folders[1]), splits[folders[0]])
    return Placed(name, file.place, normal(folders[0]))

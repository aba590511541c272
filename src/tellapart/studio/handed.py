"""A batch of photos that were handed over at once -> the line that makes them photos of the studio.

The files are there before the line is. What the line says of a new photo before is that it is gone, so that an undo
takes the whole batch back, and a redo finds its files.
"""

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from typing import Any, Final

from tellapart.data.layout import arrange
from tellapart.data.listing import Found, Listing, is_stray
from tellapart.data.meaning.class_names import RESERVED_CLASS_NAMES, check_class_names, normal
from tellapart.errors import InputError
from tellapart.studio.actions import new_name, not_understood, said_of
from tellapart.studio.heap import NONE_OF_THESE
from tellapart.studio.state import ADD, CHOSEN_BY, Line, Mark, Side, State

WITHIN: Final = "//"  # between the path of a zip and that in it
GONE: Final = Mark(gone=True)  # of a photo before it was handed over


@dataclass(frozen=True)
class Batch:
    """What a page says of photos that it has handed over.

    Args:
        paths: {identity: where it lay in what was handed over, folders and all}.
        new: those that were no photos of the studio.
        label: what all of them are; "" for none.
        by_folder: whether folders of classes, as `train` reads them, say it where there is no label.
        burst: whether the new ones are one scene.
        by: what chose them, one of CHOSEN_BY, or "".
        replacing: whether the label is also given to photos that have another one.
    """

    paths: Mapping[str, str]
    new: Set[str]
    label: str = ""
    by_folder: bool = True
    burst: bool = False
    by: str = ""
    replacing: bool = False

    @classmethod
    def from_json(cls, asked: Mapping[str, Any]) -> "Batch":
        """The batch that a page has sent; `photos` is a list of (identity, path, whether it is new).

        Raises:
            InputError: it is none.
        """
        rows, by, label = asked.get("photos"), asked.get("by", ""), asked.get("label", "")
        if not isinstance(rows, list) or not isinstance(label, str):
            raise not_understood()
        if not isinstance(by, str) or by not in {"", *CHOSEN_BY}:
            raise not_understood()
        paths: dict[str, str] = {}
        new: set[str] = set()
        for row in rows:
            if not isinstance(row, list) or [type(value) for value in row] != [str, str, bool]:
                raise not_understood()
            paths.setdefault(row[0], row[1])
            if row[2]:
                new.add(row[0])
        flags = {key: asked.get(key) is True for key in ("by_folder", "burst", "replacing")}
        return cls(paths, new, " ".join(normal(label).split()), by=by, **flags)


@dataclass(frozen=True)
class Words:
    """What the folders of a batch say.

    Attributes:
        labels: {identity: class}, "" for none; of all photos of the batch.
        folder: the one folder that all of them lie in, where there are no several to choose between; "" for none.
        note: a sentence on what is doubtful; "" for none.
    """

    labels: Mapping[str, str]
    folder: str = ""
    note: str = ""


def by_folders(paths: Mapping[str, str]) -> Words:
    """What the folders say of photos: two class folders or more are classes, a single one may be anything.

    Args:
        paths: {identity: its path}. What lay in a zip has the zip's path and "//" in front, and is a set of its own.
    """
    apart: dict[str, dict[str, tuple[str, ...]]] = {}
    for photo, path in paths.items():
        within, _, inner = path.rpartition(WITHIN)
        parts = tuple(part for part in inner.split("/") if part)
        if len(parts) > 1 and not any(map(is_stray, parts[:-1])):
            apart.setdefault(within, {})[photo] = parts
    labels, notes = dict.fromkeys(paths, ""), []
    for parts_of in apart.values():
        try:
            labels |= _classes(parts_of)
        except InputError as error:
            notes.append(f"{error.message} So the folders are not taken for classes.")
    own = {parts[-2] for parts_of in apart.values() for parts in parts_of.values()}
    alone = len(own) == 1 and not notes and not any(labels.values()) and sum(map(len, apart.values())) == len(paths)
    return Words(labels, normal(own.pop()) if alone else "", " ".join(notes))


def _classes(parts_of: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """{identity: class}, where folders are several classes.

    Raises:
        InputError: they can mean two things, or no class can be called so.
    """
    if len({parts[0] for parts in parts_of.values()}) == 1:  # one folder was handed over: the classes are within
        parts_of = {photo: parts[1:] for photo, parts in parts_of.items()}
    files = [Found(parts, photo) for photo, parts in parts_of.items()]
    folders = {parts[:n] for parts in parts_of.values() for n in range(1, len(parts))}
    placed = arrange(Listing(files, folders), "").placed
    found = {one.place: " ".join(one.class_name.split()) for one in placed if one.class_name}
    names = {*found.values()}
    check_class_names({name for name in names if name.casefold() not in RESERVED_CLASS_NAMES})
    return found if len(names) > 1 else {}


def added(state: State, batch: Batch, words: Words, own: Set[str], kept: Set[str]) -> Line | None:
    """The line that makes a batch photos of the studio; None where it changes nothing.

    Args:
        state: what holds now.
        batch: what was handed over.
        words: what its folders say.
        own: photos that have no file but those that were handed to the page.
        kept: photos that one word may not be said of at once.

    Raises:
        InputError: a class cannot be called so.
    """
    classes = list(state.classes)
    before: dict[str, Mark] = {}
    after: dict[str, Mark] = {}
    for photo in batch.paths:
        label, none = _wanted(batch, words, photo)
        if label and label not in classes:
            label = new_name(classes, label)
            classes.append(label)
        mark = state.marks.get(photo, GONE)
        if photo in batch.new and photo in own and mark in (Mark(), GONE):
            mark = GONE  # another page may have looked, and found it, meanwhile
        here = replace(mark, gone=False)
        said = bool(here.label or here.none) and not batch.replacing
        if (label or none) and not said and (mark.gone or photo not in kept):
            here = said_of(here, label, batch.by, none=none)
        if here != mark:
            before[photo], after[photo] = mark, here
    if batch.burst and len(after) > 1:
        after = {photo: replace(mark, stack=next(iter(after))) for photo, mark in after.items()}
    new = (*state.classes, *sorted({mark.label for mark in after.values()} - {"", *state.classes}))
    if not after:
        return None
    if new == state.classes:
        return Line(ADD, Side(before), Side(after))
    return Line(ADD, Side(before, state.classes), Side(after, new))


def _wanted(batch: Batch, words: Words, photo: str) -> tuple[str, bool]:
    """The class that a photo is to have, "" for none; and whether it is to be none of these."""
    word = batch.label or words.labels.get(photo, "")
    none = word.casefold() == NONE_OF_THESE
    return "" if none or (not batch.label and word.casefold() in RESERVED_CLASS_NAMES) else word, none


def told_of(state: State, batch: Batch, words: Words, line: Line | None) -> dict[str, Any]:
    """What a page is told of a batch: how many photos are new, what they are, and how many of the test were left."""
    after = line.after.photos if line else {}
    before = line.before.photos if line else {}
    said = Counter(mark.label or NONE_OF_THESE for mark in after.values() if mark.label or mark.none)
    wanted = {photo: batch.label or words.labels.get(photo, "") for photo in batch.paths}
    here = {photo: state.marks[photo] for photo in batch.paths if photo in state.marks}
    n_new = sum(mark.gone for mark in before.values())
    return {
        "n_new": n_new,
        "n_known": len(here) - n_new,
        "n_kept": sum(_says_else(mark, wanted[photo]) for photo, mark in here.items()),
        "n_left": sum(
            any(_wanted(batch, words, photo)) for photo, mark in here.items() if not (mark.label or mark.none)
        ),
        "classes": dict(sorted(said.items())),
        "by_folder": not batch.label and any(words.labels.values()),
        "folder": words.folder if not batch.label else "",
        "note": words.note,
    }


def _says_else(mark: Mark, word: str) -> bool:
    """Whether another word than the wanted one, if there is one, is said of a photo."""
    if mark.none:
        return word.casefold() not in ("", NONE_OF_THESE)
    return bool(mark.label and word) and mark.label != word

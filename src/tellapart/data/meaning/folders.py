"""What the folders below a source mean: classes, splits of classes, or classes of splits.

    split_above     train/hat, test/hat: the splits hold the classes
    split_inside    hat/train, hat/test: the classes hold the splits
    classes_alone   hat, dress: the folders are classes, and what is doubtful about that

A name is believed only with what stands beside it: "train" beside "bus" is a class.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tellapart.data.listing import Listing
from tellapart.data.meaning.class_names import normal
from tellapart.data.meaning.split_words import PARTS, USUAL, Word, is_plain, plain_split, split_word
from tellapart.errors import InputError
from tellapart.text import quoted, some

Folder = tuple[str, ...]  # the names that lead to it, from the source down

ALIKE: Final = 2  # folder names that two folders share before both are taken to hold the same classes
# What counts classes: "class 1" beside "class 2" are two, as no folds are.
_COUNTS_CLASSES: Final = re.compile(
    "(?:class|cls|categor|label|type|kind|species|person|id|n|c|grade|stage|level|degree|size|score|rank|star|rating|"
    "model|version|breed|variety|style|brand|product|item|object|letter|digit|number|no|code|cluster|defect|shape|color|"
    "colour|pose|sign)(?:e?s)?"
)


@dataclass(frozen=True)
class Tree:
    """The folders below a source: `below` each, the names of those in it; `direct` hold photos themselves."""

    below: Mapping[Folder, Sequence[str]]
    direct: frozenset[Folder]
    photos: Sequence[Folder] = field(repr=False)  # the names that lead to each photo, its own last


@dataclass(frozen=True)
class Layout:
    """What the folders mean.

    Attributes:
        root: the folder that holds classes or splits: the source, or its wrapper.
        bases: {folder: "train", "val", "test" or ""}: photos inside are used.
        splits: whether the bases are splits that hold the classes.
        class_at: which part of a photo's path is its class; below 0, the one behind its base.
        class_names: all of them, as written.
        notes: sentences for the person.
    """

    root: Folder
    bases: Mapping[Folder, str]
    splits: bool
    class_at: int
    class_names: frozenset[str]
    notes: Sequence[str] = ()


def tree_of(listing: Listing) -> Tree:
    """The folders of a listing, each level in the order of names."""
    below: dict[Folder, list[str]] = {}
    for folder in sorted(listing.folders):
        below.setdefault(folder[:-1], []).append(folder[-1])
    photos = [file.parts for file in listing.files if not file.reason]
    return Tree(below, frozenset(parts[:-1] for parts in photos), photos)


def root_of(tree: Tree) -> Folder:
    """The folder that holds the class or split folders: the source, or the only folder in it, and so on."""
    root: Folder = ()
    while len(tops := tree.below.get(root, [])) == 1 and not plain_split(tops[0]):
        only = (*root, tops[0])
        if not tree.below.get(only) or only in tree.direct:
            break
        root = only
    return root


def split_above(tree: Tree) -> Layout | None:
    """The layout of splits that hold classes; None where the folders are something else."""
    root = root_of(tree)
    named = _splits(tree, root)
    if not named:
        return None
    bases = {_unwrapped(tree, (*root, top)): split for top, split in named.items()}
    names = frozenset(name for base in bases for name in tree.below.get(base, ()))
    taken = [top for top in named if top.casefold() not in USUAL]
    notes = [f"Folders taken for splits: {_as(taken, named)}."] if taken else []
    return Layout(root, bases, True, -1, names, notes)


def split_inside(tree: Tree, prefix: str) -> Layout | None:
    """The layout of classes that hold splits, where every photo lies in one; None for anything else.

    Raises:
        InputError: the splits hold folders too, which may be the classes.
    """
    root = root_of(tree)
    depth = len(root)
    classes = tree.below.get(root, ())
    inner = {(top, name): plain_split(name) for top in classes for name in tree.below.get((*root, top), ())}
    inside = all(
        len(photo) > depth + 2 and photo[:depth] == root and inner.get((photo[depth], photo[depth + 1]))
        for photo in tree.photos
    )
    used = {inner[photo[depth], photo[depth + 1]] for photo in tree.photos} if inside else set()
    if len(used) < 2:
        return None
    _refuse_doubtful_splits(tree, root, [(*root, *pair) for pair in inner], prefix)
    bases = {(*root, *pair): split for pair, split in inner.items() if split}
    words = {name: split for (_, name), split in inner.items() if split}
    note = f"Folders inside the classes taken for splits: {_as(list(words), words)}."
    return Layout(root, bases, False, depth, frozenset(classes), [note])


def classes_alone(tree: Tree, prefix: str) -> Layout:
    """The layout of classes without a split.

    Raises:
        InputError: the folders are parts of the data by number or date, such as folds, and hold the same classes.
    """
    root = root_of(tree)
    classes = tree.below.get(root, ())
    _refuse_split_in_class_names(classes, prefix)
    notes = _refuse_or_note_alike(tree, root, prefix) or _split_unused(tree, root)
    return Layout(root, {(*root, top): "" for top in classes}, False, len(root), frozenset(classes), notes)


def _splits(tree: Tree, root: Folder) -> dict[str, str]:
    """The folders that are splits and which; empty when the folders are classes.

    "train" beside "bus" and "car" is a class. So splits are believed when no folder is called anything else,
    when two different ones hold folders, or when one holds several folders and no photos of its own. Where other words
    stand in their names, which may be a class ("test tube"), they are believed when they hold the same folders. Several
    of one split that hold photos alone, such as "test 1" and "test 2", are classes that were called so.
    """
    tops = tree.below.get(root, ())
    words = {top: word for top in tops if (word := split_word(top))}
    named = {top: word.split for top, word in words.items() if not word.rest}
    holding = [top for top in named if tree.below.get((*root, top))]
    clear = any(
        len(tree.below[(*root, top)]) >= 2
        and (*root, top) not in tree.direct
        and (top.casefold() in USUAL or len(set(named.values())) >= 2)
        and not _photographed_alike(tree, root, top)
        for top in holding
    )
    usual = any(top.casefold() in USUAL for top in named)
    alone = len(named) == len(tops) and (holding or usual or len(set(named.values())) >= 2)
    if named and (alone or len({named[top] for top in holding}) >= 2 or clear):
        return named
    return _splits_by_what_they_hold(tree, root, words)


def _photographed_alike(tree: Tree, root: Folder, first: str) -> bool:
    """Whether all hold the same parts by number or date, as classes do: training/2023 beside match/2023."""
    names = _held(tree, (*root, first))
    return _counted(sorted(names)) and all(
        len(names & _held(tree, (*root, top))) >= ALIKE for top in tree.below.get(root, ())
    )


def _splits_by_what_they_hold(tree: Tree, root: Folder, words: Mapping[str, Word]) -> dict[str, str]:
    """Splits with other words in their names, where two different ones hold the same classes.

    Where these words differ and a folder of another name holds the same, as "ball" beside "test tube" and "train toy"
    does, they are classes that were photographed alike.
    """
    held = {top: _held(tree, (*root, top)) for top in tree.below.get(root, ()) if (*root, top) not in tree.direct}
    for first in words:
        names = held.get(first, set())
        alike = [top for top, others in held.items() if len(names & others) >= ALIKE]
        same = [top for top in alike if top in words]
        rests = {words[top].rest for top in same}
        if len({words[top].split for top in same}) >= 2 and (len(rests) == 1 or len(same) == len(alike)):
            return {top: word.split for top, word in words.items() if top in same or word.rest in rests or first == top}
    return {}


def _held(tree: Tree, folder: Folder) -> set[str]:
    """The names of the folders in it, or in its wrapper, as they are compared."""
    return {normal(name).casefold() for name in tree.below.get(_unwrapped(tree, folder), ())}


def _unwrapped(tree: Tree, split: Folder) -> Folder:
    """The folder that holds a split's classes: itself, or one like train/train or train/images within it."""
    while len(inside := tree.below.get(split, ())) == 1 and split not in tree.direct:
        only = (*split, inside[0])
        wraps = plain_split(inside[0]) or is_plain(inside[0]) or inside[0].casefold() == split[-1].casefold()
        if not wraps or only in tree.direct or not tree.below.get(only):
            break
        split = only
    return split


def _refuse_doubtful_splits(tree: Tree, root: Folder, splits: Sequence[Folder], prefix: str) -> None:
    """Refuses shop1/train/hat beside shop2/train/hat: the uppermost folders may be classes, the lowest as well."""
    held = [_held(tree, split) for split in splits if split not in tree.direct and tree.below.get(split)]
    common = set.intersection(*held) if len(held) == len(splits) else set()
    if len(common) >= ALIKE:
        tops = [quoted(top) for top in tree.below.get(root, ())]
        raise InputError(
            f"The classes of {_where(prefix)} may be {some(tops)}, or the folders that lie in their train and test "
            f"folders: {some(sorted(map(quoted, common)))}.",
            hint="Put train and test uppermost, and the classes inside: train/hat, test/hat.",
        )


def _refuse_split_in_class_names(tops: Sequence[str], prefix: str) -> None:
    """Refuses hat_train, hat_test, dress_train and dress_test: two classes, each with a split in its name."""
    words = {top: word for top in tops if (word := split_word(top)) and word.rest}
    splits: dict[tuple[str, ...], set[str]] = {}
    for word in words.values():
        splits.setdefault(word.rest, set()).add(word.split)
    if len(words) == len(tops) and len(splits) >= 2 and all(len(of_one) >= 2 for of_one in splits.values()):
        raise InputError(
            f"The folders {some([quoted(top) for top in tops])} of {_where(prefix)} name a class and a split at once.",
            hint="Make folders train and test, and put the classes inside: train/hat, test/hat.",
        )


def _refuse_or_note_alike(tree: Tree, root: Folder, prefix: str) -> list[str]:
    """What is doubtful where all folders hold the same folders: these may be the classes.

    Raises:
        InputError: they are called by numbers or dates, as no classes are.
    """
    tops = [top for top in tree.below.get(root, ()) if tree.below.get((*root, top)) or (*root, top) in tree.direct]
    if len(tops) < 2 or any((*root, top) in tree.direct for top in tops):
        return []
    held = [_held(tree, (*root, top)) for top in tops]
    common = set.intersection(*held)
    spelt = {normal(name).casefold(): name for top in tops for name in tree.below.get((*root, top), ())}
    if len(common) < ALIKE or all(split_word(spelt.get(name, name)) for name in common):
        return []
    inner = some(sorted(quoted(spelt.get(name, name)) for name in common))
    outer = some([quoted(top) for top in tops])
    if _counted(sorted(common)):
        return [f"The folders {inner} inside each class are not used as a split."]
    if _counted(tops):
        raise InputError(
            f"The folders {outer} of {_where(prefix)} look like parts of a set, not like classes: each holds {inner}.",
            hint="Call them train, val and test to keep them apart, or put the photos of each class into one folder.",
        )
    return [
        f"{outer} are taken for the classes, but each holds the same folders: {inner}. If those are the classes, "
        "put the photos of each into one folder, or call the outer folders train and test."
    ]


def _split_unused(tree: Tree, root: Folder) -> list[str]:
    """What is said where some classes hold a split, and some of the photos lie outside it."""
    for top in tree.below.get(root, ()):
        inner = {name: split for name in tree.below.get((*root, top), ()) if (split := plain_split(name))}
        if len(set(inner.values())) >= 2:
            return [
                f"The folders {some([quoted(name) for name in inner])} inside {quoted(top)} are not used as a split, "
                "because other photos lie in no such folder. Put every photo into one to use it."
            ]
    return []


def _counted(names: Sequence[str]) -> bool:
    """Whether names differ by a number, a date or a letter alone: fold1 and fold2, 2023 and 2024."""
    stems = {re.sub(r"\d+|(?<![^\W\d_])[^\W\d_](?![^\W\d_])", "#", name.casefold()) for name in names}
    stem = stems.pop() if len(stems) == 1 else ""
    if stem == "#" and all(len(name) < 4 for name in names):  # digits and letters are classes in many sets
        return False
    return "#" in stem and not _COUNTS_CLASSES.fullmatch(re.sub(r"[^a-z]", "", stem))


def _where(prefix: str) -> str:
    return quoted(prefix.rstrip("/") or ".")


def _as(names: Sequence[str], splits: Mapping[str, str]) -> str:
    """'"a" and "b" for train, "c" for test'."""
    parts = [part for part in PARTS if any(splits[name] == part for name in names)]
    listed = [" and ".join(quoted(name) for name in names if splits[name] == part) for part in parts]
    return ", ".join(f"{name} for {part}" for name, part in zip(listed, parts, strict=True))

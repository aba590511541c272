"""Which column of a table says what is learned from and what is tested on, whatever it is called; or which folders do.

    columns_said   the split of every row, and sentences about what was taken for it and which columns are not used
    folders_said   the split that the folders in the rows' paths say

A column called split is believed, and refused where it cannot be understood. Of others the values tell: words for
splits, or, in a column that is called like one (`is_valid`), yes and no.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from tellapart.data.meaning.split_words import CROSSED, PARTS, plain_split, split_word
from tellapart.errors import InputError
from tellapart.text import quoted, some

SPLIT_COLUMNS: Final = ("split", "set", "subset")
_YES: Final = frozenset({"true", "t", "yes", "y", "1", "1.0"})
_NO: Final = frozenset({"false", "f", "no", "n", "0", "0.0", ""})
_LIKE_A_SPLIT: Final = (
    "split", "fold", "partition", "usage", "phase", "subset", "kfold", "cv", "purpose", "stage", "traintest",
)  # fmt: skip
_LONGEST_NOTE: Final = 3  # names of columns in a sentence


class Said(NamedTuple):
    """What a table says of its split.

    Attributes:
        splits: (N,) "train", "val" or "test"; None where no column says it.
        notes: sentences for the person.
    """

    splits: list[str] | None
    notes: list[str]


def columns_said(values: Mapping[str, Sequence[str]], used: Iterable[str], name: str) -> Said:
    """The split that columns say, unless one called split is `used` already.

    Args:
        values: {column: (N,) its texts}.
        used: columns that say something else.
        name: of the table, for the sentences.

    Raises:
        InputError: two columns say different splits.
    """
    used = set(used)
    free = {column: cells for column, cells in values.items() if column not in used and any(cells)}
    if any(column.strip().casefold() in SPLIT_COLUMNS for column in used):
        return Said(None, _not_used(list(free), name))
    by_words = {column: splits for column, cells in free.items() if (splits := _by_words(column, cells))}
    first = next(iter(by_words), None)
    if first is not None:
        for column, splits in by_words.items():
            if splits != by_words[first]:
                raise InputError(
                    f"The columns {quoted(first)} and {quoted(column)} of {quoted(name)} say different splits.",
                    hint="Call the one to go by split.",
                )
        rest = [column for column in free if column not in by_words]
        return Said(by_words[first], [_taken(first, free[first], by_words[first]), *_not_used(rest, name)])
    flags = {column: split for column, cells in free.items() if (split := _flag(column, cells))}
    chosen = _by_flags({column: free[column] for column in flags}, flags) if flags else None
    if chosen:
        note = f"The split is that of the column{'s' if len(flags) > 1 else ''} {some(list(map(quoted, flags)))}: "
        rest = [column for column in free if column not in flags]
        return Said(chosen, [note + _counts(chosen), *_not_used(rest, name)])
    return Said(None, _not_used(list(free), name))


def folders_said(paths: Sequence[str], labels: Sequence[str]) -> Said:
    """The split that the paths' folders say: of each path, the one folder whose name is a split's.

    Args:
        paths: (N,) of photos, with "/" or "\\" between folders.
        labels: (N,) class names; a folder that is called like its class says no split.
    """
    above = [path.replace("\\", "/").split("/")[:-1] for path in paths]
    shared = next((at for at, names in enumerate(zip(*above, strict=False)) if len(set(names)) > 1), 0)
    found = [  # what leads to all of them says nothing
        {
            plain_split(folder): folder
            for folder in folders[shared:]
            if folder.casefold() != label.casefold() and plain_split(folder)
        }
        for folders, label in zip(above, labels, strict=True)
    ]
    used = {split for of_one in found for split in of_one}
    if len(used) < 2 or any(len(of_one) > 1 for of_one in found):
        return Said(None, [])
    folders = some(sorted({quoted(folder) for of_one in found for folder in of_one.values()}))
    if not all(found):
        without = next(path for path, of_one in zip(paths, found, strict=True) if not of_one)
        return Said(
            None, [f"The folders {folders} are not used as a split, because {quoted(without)} lies in none of them."]
        )
    splits = [next(iter(of_one)) for of_one in found]
    return Said(splits, [f"The split is that of the folders {folders}: {_counts(splits)}"])


def split_names(rows: Sequence[tuple[int | str, str]], name: str, line: str) -> list[str]:
    """The split of every row by its normal name; "" everywhere when no row has one.

    Args:
        rows: (N,) of each what it is known by, such as its number, and the split that it was given.
        name: of what holds them, as it stands in a sentence.
        line: what a row of it is called.

    Raises:
        InputError: a split has no common name, or only some rows have one.
    """
    if not any(given for _, given in rows):
        return [""] * len(rows)
    names = [CROSSED if given.strip().casefold() == CROSSED else plain_split(given) for _, given in rows]
    wanted = f"{CROSSED} or train" if CROSSED in names else "train, val or test"
    for (number, given), split in zip(rows, names, strict=True):
        if not split:
            got = f"the split {quoted(given)}" if given else "no split"
            raise InputError(
                f"{name} gives {line} {number} {got}.",
                hint=f"Write {wanted} on every {line}, or give no splits at all.",
            )
        if CROSSED in names and split not in (CROSSED, "train"):
            raise InputError(
                f"{name} says {CROSSED} and {split} ({line} {number}). One score is of photos that never train, the "
                "other of photos that are tested in turn, and no number is both.",
                hint=f"Write {CROSSED} and train alone, or train, val and test.",
            )
    return names


def _by_words(column: str, cells: Sequence[str]) -> list[str] | None:
    """(N,) the splits that the cells name, where each names one and there are two or more.

    One of them is for training, unless the column is called like a split: an environment may be "dev" or "test".
    """
    word = {cell: plain_split(cell) for cell in set(cells)}
    splits = set(word.values())
    meant = "train" in splits or looks_like_split(column)
    return [word[cell] for cell in cells] if "" not in splits and len(splits) >= 2 and meant else None


def _flag(column: str, cells: Sequence[str]) -> str:
    """The split of which a column says yes or no, such as "val" of `is_valid`; "" for another column."""
    split = plain_split(column)
    told = {cell.casefold() for cell in cells}
    if not (split and told <= _YES | _NO and told & _YES and told & _NO):
        return ""
    share = sum(cell.casefold() in _YES for cell in cells) / len(cells)
    return split if split == "train" or share <= 0.5 else ""  # `valid` may also mean that most photos are


def _by_flags(cells: Mapping[str, Sequence[str]], flags: Mapping[str, str]) -> list[str] | None:
    """(N,) the split that columns of yes and no say; None where they say two, or of a row nothing.

    What is not for testing or choosing is learned from; what is not learned from, where only that is said, tests.
    """
    rows = zip(*([cell.casefold() in _YES for cell in of_one] for of_one in cells.values()), strict=True)
    otherwise = "test" if set(flags.values()) == {"train"} else "" if "train" in flags.values() else "train"
    chosen = []
    for row in rows:
        said = {flags[column] for column, yes in zip(cells, row, strict=True) if yes}
        if len(said) > 1 or not (said or otherwise):
            return None
        chosen.append(said.pop() if said else otherwise)
    return chosen if len(set(chosen)) >= 2 else None


def _taken(column: str, cells: Sequence[str], splits: Sequence[str]) -> str:
    words = {cell: split for cell, split in zip(cells, splits, strict=True) if cell.casefold() not in PARTS}
    also = ", ".join(f"{quoted(cell)} for {split}" for cell, split in sorted(words.items())[:_LONGEST_NOTE])
    return f"The split is that of the column {quoted(column)}{f' ({also})' if also else ''}: {_counts(splits)}"


def _counts(splits: Sequence[str]) -> str:
    return ", ".join(f"{splits.count(part):,} {part}" for part in PARTS if part in splits) + "."


def _not_used(columns: Sequence[str], name: str) -> list[str]:
    """Sentences about columns that say nothing here; one of its own for each that may have been meant for a split."""
    named = [column for column in columns if column.strip()]
    meant = [column for column in named if looks_like_split(column)]
    notes = [
        f"The column {quoted(column)} of {quoted(name)} is not used: it does not say train, val or test in each row. "
        "If it was meant for a split, call it split and write these words."
        for column in meant
    ]
    rest = [quoted(column) for column in named if column not in meant]
    if rest:
        notes.append(f"Not used of {quoted(name)}: the column{'s' if len(rest) > 1 else ''} {some(rest)}.")
    return notes


def looks_like_split(column: str) -> bool:
    """Whether a column is called as one that may say a split."""
    folded = column.casefold()
    return (
        folded.strip() in SPLIT_COLUMNS
        or split_word(column) is not None
        or any(word in folded for word in _LIKE_A_SPLIT)
    )

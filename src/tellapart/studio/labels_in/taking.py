"""What a file of labels would do to a studio, in numbers and sentences; and the line that does it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from tellapart.data.meaning.class_names import RESERVED_CLASS_NAMES, check_class_names, normal
from tellapart.errors import InputError
from tellapart.studio.heap import NONE_OF_THESE, Photo
from tellapart.studio.labels_in.finding import Finder
from tellapart.studio.labels_in.given import Given, Labels
from tellapart.studio.state import LABELS, Line, Mark, State, changed
from tellapart.text import LONGEST_NAME, N_EXAMPLES, counted, quoted, shown

MAX_NEW_CLASSES: Final = 1_000
NO_NAME: Final = "with a label that is no name for a class"
DISAGREE: Final = "that give one photo two labels"


@dataclass(frozen=True)
class Matched:
    """The labels of a file by the photos of a studio.

    Attributes:
        kind: which tool wrote the file.
        n_rows: how many rows it has.
        labels: {identity: its class, or "none of these"}.
        left: {what is wrong with rows: up to three of them, and how many there are}.
        notes: sentences about what is not taken.
    """

    kind: str
    n_rows: int
    labels: Mapping[str, str]
    left: Mapping[str, tuple[Sequence[str], int]]
    notes: Sequence[str]


class Effect:
    """What the labels do, given what was said already.

    Args:
        state: what holds now.
        matched: the labels.
    """

    def __init__(self, state: State, matched: Matched) -> None:
        self._state = state
        self._matched = matched
        self._new: dict[str, Mark] = {}
        self._other: dict[str, Mark] = {}
        for photo, label in matched.labels.items():
            before = state.marks[photo]
            none = label == NONE_OF_THESE
            after = replace(before, label="" if none else label, none=none)
            if after != before:
                (self._other if before.label or before.none else self._new)[photo] = after
        given = dict.fromkeys(mark.label for mark in (*self._new.values(), *self._other.values()) if mark.label)
        self._new_classes = [name for name in given if name not in state.classes]

    def line(self, *, replacing: bool) -> Line | None:
        """The line that gives them; to photos that have another label already only where `replacing`."""
        after = {**self._new, **(self._other if replacing else {})}
        names = dict.fromkeys([*self._state.classes, *(mark.label for mark in after.values() if mark.label)])
        return changed(self._state, LABELS, after, list(names))

    def told(self) -> dict[str, Any]:
        """It in numbers, with `left` and `notes` as sentences."""
        matched = self._matched
        return {
            "kind": matched.kind,
            "n_rows": matched.n_rows,
            "n_photos": len(matched.labels),
            "n_new": len(self._new),
            "n_other": len(self._other),
            "n_same": len(matched.labels) - len(self._new) - len(self._other),
            "new_classes": self._new_classes,
            "left": [_sentence(why, *of_it) for why, of_it in matched.left.items()],
            "notes": list(matched.notes),
        }


def sentences(told: Mapping[str, Any], name: str) -> list[str]:
    """What taking the labels of a file did, where photos that had another label keep it; as `Effect.told` has it."""
    done = (
        f"{quoted(name)} ({told['kind']}) has labels of {counted(told['n_photos'], 'photo')} here: "
        f"{told['n_new']:,} taken, {told['n_same']:,} as they were."
    )
    other = (
        f"{counted(told['n_other'], 'photo')} with another label already kept it; “Take labels…” on the page can "
        "replace them."
    )
    return [done, *([other] if told["n_other"] else []), *told["left"], *told["notes"]]


def match(labels: Labels, name: str, photos: Sequence[Photo], classes: Sequence[str], folder: str = "") -> Matched:
    """The photos of a studio that the rows of a file mean, each with one label.

    Args:
        labels: what the file says.
        name: how the person called it.
        photos: of the studio.
        classes: that it has.
        folder: where the file lies; "" where that is not known.

    Raises:
        InputError: it has more different labels than there can be classes.
    """
    finder = Finder(photos, labels.rows, folder)
    spelt = _spelt({row.label for row in labels.rows if not row.why}, classes, name)
    left: defaultdict[str, list[Given]] = defaultdict(list)
    said: defaultdict[str, list[Given]] = defaultdict(list)
    for row in labels.rows:
        photo, why = ("", row.why) if row.why else finder.find(row)
        why = why or ("" if row.label in spelt else NO_NAME)
        if why:
            left[why].append(row)
        else:
            said[photo].append(row)
    one: dict[str, str] = {}
    for photo, rows in said.items():
        words = {spelt[row.label] for row in rows}
        if len(words) == 1:
            one[photo] = words.pop()
        else:
            left[DISAGREE] += rows
    counted_left = {why: (_examples(rows, why), len(rows)) for why, rows in left.items()}
    return Matched(labels.kind, len(labels.rows), one, counted_left, labels.notes)


def _spelt(words: Iterable[str], classes: Sequence[str], name: str) -> dict[str, str]:
    """{label as written: the class that it is} of those that can be one."""
    tidy = {word: " ".join(normal(word).split()) for word in words}
    known = {*classes, NONE_OF_THESE}
    new = sorted({word for word in tidy.values() if word not in known and word.casefold() != NONE_OF_THESE})
    if len(new) > MAX_NEW_CLASSES:
        raise InputError(
            f"{quoted(name)} has {len(new):,} different labels, which are hardly classes.",
            hint=f"At most {MAX_NEW_CLASSES:,} can be new at once.",
        )
    new = [word for word in new if word and len(word) <= LONGEST_NAME and shown(word) == word]
    good = _names_beside(new, classes)
    allowed = {*classes, *good}
    spelt = {word: NONE_OF_THESE if name.casefold() == NONE_OF_THESE else name for word, name in tidy.items()}
    return {word: name for word, name in spelt.items() if name in allowed or name == NONE_OF_THESE}


def _names_beside(new: Sequence[str], classes: Sequence[str]) -> list[str]:
    """Those of the new names that can be classes beside the others; of two that look the same, the first."""
    new = [name for name in new if name.casefold() not in RESERVED_CLASS_NAMES]
    try:
        check_class_names([*classes, *new])
    except InputError:
        good: list[str] = []
        for name in new:
            try:
                check_class_names([*classes, *good, name])
            except InputError:
                continue
            good.append(name)
        return good
    return list(new)


def _examples(rows: Sequence[Given], why: str) -> list[str]:
    texts = (row.label if why == NO_NAME else row.path for row in rows)
    return [quoted(text, longest=60) for text in list(dict.fromkeys(filter(None, texts)))[:N_EXAMPLES]]


def _sentence(why: str, examples: Sequence[str], n_rows: int) -> str:
    such_as = f", such as {', '.join(examples)}" if examples else ""
    return f"{counted(n_rows, 'row')} {why}{such_as}."

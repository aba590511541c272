"""What a person has said of their photos, as a pure function of the lines of a journal.

A line says what it changed, before and after, so that any line can be taken back by its own words. An undo is a line
too: nothing in a journal is ever rewritten.

    {"do": "label", "before": {"photos": {ID: {}}}, "after": {"photos": {ID: {"label": "hat"}}}}
    {"do": "undo", "of": 7, "before": …, "after": …}
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

FOUND: Final = "found"  # photos that were not known before; nobody's action, so it is not undone
UNDO, REDO = "undo", "redo"
DRAWN: Final = "drawn"  # which photos chance has given to the test and which to training; never undone
LABELS: Final = "labels"  # of a file
ADD: Final = "add"  # a batch of photos that were handed over
ACTIONS: Final = frozenset(
    {
        *("label", LABELS, ADD, "none", "out", "right", "split", "join"),
        *("class_new", "class_rename", "class_merge", "class_delete", "other"),
    }
)
# What it labelled only trains: the sure photos of a strip are easier than the heap, and close calls are harder.
CHOSEN_BY: Final = frozenset({"strip", "suggest", "like", "try"})


@dataclass(frozen=True)
class Mark:
    """What is said of one photo.

    Attributes:
        label: its class; "" when nobody has said one.
        none: a person said "none of these"; then it has no label.
        out: left out of training and testing; its label is kept.
        right: doubts about it of which a person said that all is right, each by its key, sorted.
        by: what chose it to be labelled, one of CHOSEN_BY; "" where chance or the person did.
        stack: where a person said so, the stack that it is in: the identity of one of its photos.
        gone: it was handed over, and that was taken back; its file is kept for a redo, and is no photo of the studio.
    """

    label: str = ""
    none: bool = False
    out: bool = False
    right: tuple[str, ...] = ()
    by: str = ""
    stack: str = ""
    gone: bool = False

    def to_json(self) -> dict[str, Any]:
        """Only what is said."""
        said = {key: value for key, value in vars(self).items() if value}
        return {**said, "right": list(self.right)} if self.right else said

    @classmethod
    def from_json(cls, value: Any) -> "Mark":
        """The mark that `to_json` wrote.

        Raises:
            ValueError: it wrote no such thing.
        """
        kinds = {"label": str, "none": bool, "out": bool, "right": list, "by": str, "stack": str, "gone": bool}
        if not isinstance(value, dict) or any(type(given) is not kinds.get(key) for key, given in value.items()):
            raise ValueError
        mark = cls(**{**value, "right": tuple(value.get("right", ()))})
        if (mark.label and mark.none) or not all(isinstance(doubt, str) for doubt in mark.right):
            raise ValueError
        return mark


@dataclass(frozen=True)
class Side:
    """What holds before a line, or after it, of all that the line changes.

    Attributes:
        photos: {identity: its mark}.
        classes: all of them in their order; None where the line leaves them as they are.
    """

    photos: Mapping[str, Mark] = field(default_factory=dict)
    classes: tuple[str, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """As it stands in a line."""
        said: dict[str, Any] = {"photos": {photo: mark.to_json() for photo, mark in self.photos.items()}}
        return said if self.classes is None else {**said, "classes": list(self.classes)}

    @classmethod
    def from_json(cls, value: Any) -> "Side":
        """The side that `to_json` wrote.

        Raises:
            ValueError: it wrote no such thing.
        """
        if not isinstance(value, dict) or not isinstance(value.get("photos"), dict):
            raise ValueError  # noqa: TRY004  # one kind of error for all that is no line
        classes = value.get("classes")
        if classes is not None and not (isinstance(classes, list) and all(isinstance(name, str) for name in classes)):
            raise ValueError
        photos = {photo: Mark.from_json(mark) for photo, mark in value["photos"].items()}
        return cls(photos, None if classes is None else tuple(classes))


@dataclass(frozen=True)
class Line:
    """One line of a journal.

    Attributes:
        do: what was done, in one of the words above.
        before: of what it changes.
        after: the same once it is done.
        of: for undo and redo, the number of the line that is taken back or done again.
        drawn: of DRAWN, {identity: whether it is for the test}.
    """

    do: str
    before: Side
    after: Side
    of: int | None = None
    drawn: Mapping[str, bool] | None = None

    def to_json(self) -> dict[str, Any]:
        """As it stands in a journal."""
        said = {"do": self.do, "before": self.before.to_json(), "after": self.after.to_json()}
        if self.drawn is not None:
            parts = ("test", True), ("train", False)
            said |= {name: [photo for photo, test in self.drawn.items() if test is part] for name, part in parts}
        return said if self.of is None else {**said, "of": self.of}

    @classmethod
    def from_json(cls, value: Any) -> "Line":
        """The line that `to_json` wrote.

        Raises:
            ValueError: it wrote no such thing.
        """
        if not isinstance(value, dict) or value.get("do") not in ACTIONS | {FOUND, DRAWN, UNDO, REDO}:
            raise ValueError
        of = value.get("of")
        if (value["do"] in (UNDO, REDO)) != (type(of) is int):
            raise ValueError
        drawn = _drawn(value) if value["do"] == DRAWN else None
        return cls(value["do"], Side.from_json(value.get("before")), Side.from_json(value.get("after")), of, drawn)


def _drawn(value: Mapping[str, Any]) -> dict[str, bool]:
    test, train = value.get("test"), value.get("train")
    if not (isinstance(test, list) and isinstance(train, list) and all(isinstance(one, str) for one in test + train)):
        raise ValueError
    return {**dict.fromkeys(test, True), **dict.fromkeys(train, False)}


class State:
    """What holds after some lines.

    Attributes:
        classes: in the order in which their keys are.
        marks: {identity: what is said of it} of every photo that was ever found.
        drawn: {identity: whether it is for the test} of those of which it was written down.
        lines: all of them.
        done: numbers of the lines that an undo would take back, the next one last.
        undone: numbers of the lines that a redo would do again, the next one last.
    """

    def __init__(self) -> None:
        self.classes: tuple[str, ...] = ()
        self.marks: dict[str, Mark] = {}
        self.drawn: dict[str, bool] = {}
        self.lines: list[Line] = []
        self.done: list[int] = []
        self.undone: list[int] = []

    def apply(self, line: Line) -> None:
        """Do what the line says.

        Raises:
            ValueError: it does not follow from the lines before it.
        """
        if line.do in (UNDO, REDO):
            here, there = (self.done, self.undone) if line.do == UNDO else (self.undone, self.done)
            if not here or here[-1] != line.of:
                raise ValueError
            there.append(here.pop())
        elif line.do in ACTIONS:
            self.done.append(len(self.lines))
            self.undone.clear()
        self.lines.append(line)
        self.marks.update(line.after.photos)
        for photo, test in (line.drawn or {}).items():
            self.drawn.setdefault(photo, test)
        if line.after.classes is not None:
            self.classes = line.after.classes

    def undo(self) -> Line | None:
        """The line that takes back the last action that holds; None where there is none."""
        return self._turned(UNDO, self.done[-1]) if self.done else None

    def redo(self) -> Line | None:
        """The line that does again what was taken back last; None where there is nothing."""
        return self._turned(REDO, self.undone[-1]) if self.undone else None

    def touched_since(self, n_lines: int) -> set[str]:
        """The identities of photos that the lines from number `n_lines` on say something of."""
        return {photo for line in self.lines[n_lines:] for photo in (*line.after.photos, *(line.drawn or {}))}

    def _turned(self, do: str, of: int) -> Line:
        line = self.lines[of]
        wanted = line.before if do == UNDO else line.after
        before = Side({photo: self.marks[photo] for photo in wanted.photos}, self.classes)
        if wanted.classes is None:
            return Line(do, Side(before.photos), Side(wanted.photos), of)
        return Line(do, before, Side(wanted.photos, self._with_found(line, wanted)), of)

    def _with_found(self, line: Line, wanted: Side) -> tuple[str, ...]:
        """The classes that are wanted, and those that photos brought which were found since."""
        classes = wanted.classes or ()
        theirs = {*(line.before.classes or ()), *(line.after.classes or ())}
        used = {mark.label for photo, mark in self.marks.items() if photo not in wanted.photos}
        used |= {mark.label for mark in wanted.photos.values()}
        kept = (name for name in self.classes if name not in classes and (name in used or name not in theirs))
        return (*classes, *kept)


def state_of(lines: Iterable[Line]) -> State:
    """What holds after `lines`.

    Raises:
        ValueError: they are no lines of one journal.
    """
    state = State()
    for line in lines:
        state.apply(line)
    return state


def changed(state: State, do: str, after: Mapping[str, Mark], classes: Sequence[str] | None = None) -> Line | None:
    """The line that makes photos and classes so; None where they are so already."""
    photos = {photo: mark for photo, mark in after.items() if state.marks[photo] != mark}
    new = None if classes is None or tuple(classes) == state.classes else tuple(classes)
    if not photos and new is None:
        return None
    before = Side({photo: state.marks[photo] for photo in photos}, None if new is None else state.classes)
    return Line(do, before, Side(photos, new))

"""What a page asks for -> the line that does it; or a refusal in a sentence."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from tellapart.data.meaning.class_names import check_class_names, normal
from tellapart.errors import InputError
from tellapart.studio.state import CHOSEN_BY, Line, Mark, State, changed
from tellapart.text import LONGEST_NAME, counted, quoted, shown

OTHER: Final = "other"  # the class that photos of "none of these" become when there are enough to learn from
ENOUGH_FOR_OTHER: Final = 20
MAX_DOUBT_LETTERS: Final = 300  # of a doubt's key; it holds a class name at most


def line_for(state: State, asked: Mapping[str, Any]) -> Line | None:
    """The line that does what is asked; None where it is so already, or where there is nothing to undo.

    Args:
        state: what holds now.
        asked: `do`, and what belongs to it: `photos` (identities), `label`, `out`, `name`, `to`, `doubts`,
            `stacks`, and `by`, what chose the photos.

    Raises:
        InputError: it cannot be done.
    """
    do = asked.get("do")
    if do == "undo":
        return state.undo()
    if do == "redo":
        return state.redo()
    for words, doing in _DOINGS:
        if do in words:
            return doing(state, str(do), asked)
    raise not_understood()


def _mark(state: State, do: str, asked: Mapping[str, Any]) -> Line | None:
    photos, by = _photos(state, asked), asked.get("by", "")
    if not isinstance(by, str) or by not in {"", *CHOSEN_BY}:
        raise not_understood()
    if do == "out":
        out = asked.get("out") is True
        return changed(state, do, {photo: replace(state.marks[photo], out=out) for photo in photos})
    if do == "none":
        return changed(state, do, {photo: said_of(state.marks[photo], "", by, none=True) for photo in photos})
    label = _text(asked, "label")
    classes = list(state.classes)
    if label and label not in classes:
        label = new_name(classes, label)
        classes.append(label)
    return changed(state, do, {photo: said_of(state.marks[photo], label, by) for photo in photos}, classes)


def said_of(mark: Mark, label: str, by: str, *, none: bool = False) -> Mark:
    """`mark` once it has that label, or is none of these; what chose it is what chose it when it first got a word."""
    if mark.label or mark.none:
        by = mark.by if label or none else ""
    return replace(mark, label=label, none=none, by=by)


def _stacked(state: State, do: str, asked: Mapping[str, Any]) -> Line | None:
    """Photos are put into stacks by hand: `stacks` has one for each of `photos`, the identity of one of its photos."""
    photos, stacks = _photos(state, asked), asked.get("stacks")
    if not isinstance(stacks, list) or len(stacks) != len(photos):
        raise not_understood()
    if not all(isinstance(stack, str) and stack in state.marks for stack in stacks):
        raise not_understood()
    return changed(
        state,
        do,
        {photo: replace(state.marks[photo], stack=stack) for photo, stack in zip(photos, stacks, strict=True)},
    )


def _all_is_right(state: State, do: str, asked: Mapping[str, Any]) -> Line | None:
    """A doubt about each of some photos is none: `doubts` has one for each of `photos`."""
    photos, doubts = _photos(state, asked), asked.get("doubts")
    if not isinstance(doubts, list) or len(doubts) != len(photos) or not all(isinstance(key, str) for key in doubts):
        raise not_understood()
    after: dict[str, Mark] = {}
    for photo, doubt in zip(photos, doubts, strict=True):
        mark = after.get(photo, state.marks[photo])
        after[photo] = replace(mark, right=tuple(sorted({*mark.right, doubt[:MAX_DOUBT_LETTERS]})))
    return changed(state, do, after)


def not_understood() -> InputError:
    """The refusal of what no page of this version sends."""
    return InputError("The page asks for something that this version does not know.", hint="Reload the page.")


def _change_class(state: State, do: str, asked: Mapping[str, Any]) -> Line | None:
    name = _text(asked, "name")
    if name not in state.classes:
        raise InputError(f"There is no class {quoted(name)}.", hint="Reload the page.")
    to = "" if do == "class_delete" else _text(asked, "to")
    classes = [other for other in state.classes if other != name]
    if do == "class_merge" and (to not in classes):
        raise InputError(f"There is no class {quoted(to)} to merge {quoted(name)} into.")
    if do == "class_rename":
        to = new_name([other for other in state.classes if other != name], to)
        classes = [to if other == name else other for other in state.classes]
    of_class = {photo: mark for photo, mark in state.marks.items() if mark.label == name}
    return changed(state, do, {photo: replace(mark, label=to) for photo, mark in of_class.items()}, classes)


def _new_class(state: State, do: str, asked: Mapping[str, Any]) -> Line | None:
    return changed(state, do, {}, [*state.classes, new_name(state.classes, _text(asked, "name"))])


def _none_to_other(state: State, do: str, _: Mapping[str, Any]) -> Line | None:
    those = [photo for photo, mark in state.marks.items() if mark.none and not mark.out]
    if len(those) < ENOUGH_FOR_OTHER:
        raise InputError(
            f"{counted(len(those), 'photo')} of none of the classes: a class takes {ENOUGH_FOR_OTHER} at least."
        )
    classes = [*state.classes] if OTHER in state.classes else [*state.classes, new_name(state.classes, OTHER)]
    return changed(state, do, {photo: said_of(state.marks[photo], OTHER, "") for photo in those}, classes)


def _photos(state: State, asked: Mapping[str, Any]) -> list[str]:
    photos = asked.get("photos")
    if not isinstance(photos, list) or not photos:
        raise InputError("No photo is chosen.", hint="Choose one first.")
    if not all(isinstance(photo, str) and photo in state.marks and not state.marks[photo].gone for photo in photos):
        raise InputError("A photo is chosen that the studio does not know.", hint="Reload the page.")
    return photos


def _text(asked: Mapping[str, Any], key: str) -> str:
    value = asked.get(key)
    if not isinstance(value, str):
        raise not_understood()
    return normal(value)


def new_name(others: Sequence[str], given: str) -> str:
    """A name that a class can have beside the others.

    Raises:
        InputError: it cannot.
    """
    name = " ".join(given.split())
    if not name:
        raise InputError("A class needs a name.", hint="Type one.")
    if len(name) > LONGEST_NAME or shown(name) != name:
        raise InputError(
            f"{quoted(name)} is no name for a class.", hint=f"Take letters that show, {LONGEST_NAME} at most."
        )
    if name in others:
        raise InputError(f"There is a class {quoted(name)} already.", hint="Merge the two, or take another name.")
    check_class_names([*others, name])
    return name


_Doing = Callable[[State, str, Mapping[str, Any]], Line | None]
_DOINGS: Final[tuple[tuple[tuple[str, ...], _Doing], ...]] = (
    (("label", "none", "out"), _mark),
    (("right",), _all_is_right),
    (("split", "join"), _stacked),
    ((OTHER,), _none_to_other),
    (("class_new",), _new_class),
    (("class_rename", "class_merge", "class_delete"), _change_class),
)

"""What a label is, and what is none: class names that are text, missing labels, numbers written in two ways."""

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from tellapart.errors import InputError
from tellapart.text import LONGEST_NAME, counted, quoted, shown, some

RESERVED_CLASS_NAMES = frozenset({"not sure", "none of these"})  # the two answers that name no class
NO_LABEL: Final = "has no label"
# How programs write that there is no value, in small letters; nothing that a person would call a class.
_MISSING: Final = frozenset(
    {"nan", "-nan", "+nan", "<na>", "#n/a", "#n/a n/a", "#na", "1.#qnan", "-1.#qnan", "1.#ind", "-1.#ind"}
)
# How they write it too, but a class may be called so.
_DOUBTFUL: Final = frozenset(
    ("None", "NONE", "null", "NULL", "Null", "NA", "N/A", "n/a", "(null)", "nil", "\\N", "undefined", "#VALUE!")
)
_NUMBER: Final = re.compile(r"[+-]?\d+(?:[.,]\d*)?")
_LIST: Final = re.compile(r"\[(?:\s*|\s*['\"\d-].*|.*,.*)\]|\{.*[:,].*\}|\(.*,.*\)", re.DOTALL)


def normal(class_name: str) -> str:
    """The class name in Unicode normal form C: macOS and Linux spell "é" in two ways, which look the same."""
    return class_name if class_name.isascii() else unicodedata.normalize("NFC", class_name)


def is_missing(label: str) -> bool:
    """Whether a label in a table is how a program writes that there is none, such as "nan"."""
    label = label.strip()
    return label.casefold() in _MISSING or label == "NaT"  # other letters may be a name


def is_list(label: str) -> bool:
    """Whether a label in a table is a list, as a program writes one."""
    return bool(_LIST.fullmatch(label.strip()))


def refuse_list(label: str, where: str) -> None:
    """Returns when the label is one.

    Args:
        label: as written.
        where: what begins the sentence, such as 'Line 3 of "labels.csv"'.

    Raises:
        InputError: it is a list.
    """
    if is_list(label):
        raise InputError(
            f"{where} gives a list for a label: {quoted(label, longest=40)}.",
            hint="A photo belongs to one class: write its name alone.",
        )


def label_notes(class_names: Sequence[str], n_without: int) -> list[str]:
    """Sentences about photos without a label, and about classes that may be such photos, or one class.

    Args:
        class_names: sorted.
        n_without: how many photos have no label.
    """
    notes = []
    if n_without:
        notes.append(f"{counted(n_without, 'photo')} without a label {'is' if n_without == 1 else 'are'} not used.")
    found = [quoted(name) for name in class_names if name in _DOUBTFUL or is_missing(name)]
    if found:
        notes.append(
            f"The class{'' if len(found) == 1 else 'es'} {some(found)} may stand for photos that have no label. "
            "If so, leave them out: else a model learns to answer that."
        )
    if same := same_numbers(class_names):
        pairs = some([f"{quoted(first)} and {quoted(second)}" for first, second in same])
        notes.append(f"Two classes are one number written in two ways: {pairs}. If they are one, give them one name.")
    return notes


def same_numbers(class_names: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of names, the shorter first, that are one number written in two ways: 1 and 1.0, 1 and 01."""
    by_value: dict[float, str] = {}
    pairs = []
    for name in sorted(class_names, key=lambda name: (len(name), name)):
        value = _number(name)
        if value is not None and by_value.setdefault(value, name) != name:
            pairs.append((by_value[value], name))
    return pairs


def whole_numbers(class_names: Sequence[str]) -> Mapping[str, str]:
    """{"1.0": "1"}: names that a program wrote as fractions because other values were missing, by those meant."""
    return {longer: short for short, longer in same_numbers(class_names) if re.fullmatch(r"[+-]?\d+\.0*", longer)}


def whole_numbers_note(same: Mapping[str, str], where: str) -> str:
    """The sentence that `whole_numbers` were taken for those meant, in what is called `where`."""
    pairs = some([f"{quoted(longer)} is taken for {quoted(short)}" for longer, short in same.items()])
    return f"Labels of {quoted(where)} are whole numbers written in two ways: {pairs}."


def _number(name: str) -> float | None:
    if not _NUMBER.fullmatch(name):
        return None
    value = float(name.replace(",", "."))
    return value if math.isfinite(value) and abs(value) < 2**53 else None  # beyond it, two numbers may be one float


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

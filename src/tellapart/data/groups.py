"""Which photos belong together because the person says so: one patient, plant, day or turn of a camera.

It is said by a column of a table, or by a pattern over paths, which is a glob with `{group}` in it: `{group}_*` for
`cat7_001.jpg`, `{group}/*` for a folder a group. A glob, because whoever has photos has written `*.jpg` before, because
nothing in it must be escaped in a shell but by the quotes around it, and because it cannot fit in the middle of a name
by accident. What a glob cannot say, a column of a label file can.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import InputError
from tellapart.text import counted, did_you_mean, quoted, some

GROUP: Final = "{group}"
NONE: Final = "none"  # says that no group is wanted, though there is a column of them
LONGEST_PATTERN: Final = 1000  # letters; what a person writes has some 20
_TOKENS: Final = re.compile(r"\{group\}|\*\*/|\*\*|\*|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)
_PARTS: Final = {GROUP: "([^/]+)", "**/": "(?:.*?/)??", "**": ".*?", "*": "[^/]*?", "?": "[^/]"}
_PATTERN_HINT: Final = (
    "{group} stands for what photos of one group share in their names: --group-by '{group}_*' puts cat7_1.jpg and "
    "cat7_2.jpg together, '{group}/*' the photos of each folder."
)


@dataclass(frozen=True, eq=False)
class Groups:
    """Which of N photos belong together, as the person says.

    Args:
        names: (N,) the group of each photo; "" for one that belongs to none, and stands alone.
        by: the column, or the pattern.
        kind: whether that is a `column` or a pattern over a `path`.
        asked: whether the person asked for it by name; a column may also just be there.
    """

    names: tuple[str, ...]
    by: str
    kind: Literal["column", "path"]
    asked: bool = False

    @cached_property
    def numbers(self) -> NDArray[np.int32]:
        """(N,) photos of one group share a number; one that stands alone has a number of its own."""
        keys = [(name, 0) if name else ("", i) for i, name in enumerate(self.names)]
        numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        return np.array([numbers[key] for key in keys], np.int32)

    @property
    def n(self) -> int:
        """How many groups there are, photos that stand alone left out."""
        return len(set(self.names) - {""})

    @property
    def n_alone(self) -> int:
        """How many photos belong to no group."""
        return self.names.count("")

    def subset(self, indices: Sequence[int] | NDArray[np.integer]) -> "Groups":
        """Of the photos at `indices`, in that order."""
        return replace(self, names=tuple(self.names[i] for i in indices))

    def can_be_kept(self, labels: NDArray[np.int32]) -> bool:
        """Whether any class has two groups, so that one can learn and the other test."""
        pairs = np.unique(np.stack([labels, self.numbers], axis=1), axis=0)
        return bool((np.bincount(pairs[:, 0], minlength=1) > 1).any())


def said_by(kind: str, by: str) -> str:
    """By what photos were grouped, in words, as after "the": a column and its name, or a pattern."""
    return f"{'pattern' if kind == 'path' else 'column'} {quoted(by)}"


def as_text(value: object) -> str:
    """The value as text; what is missing (None, NaN, NaT, NA) is "", and a whole number is written as one."""
    if is_no_value(value):
        return ""
    if isinstance(value, float) and value.is_integer():  # a column of whole numbers with gaps becomes one of fractions
        return str(int(value))
    return str(value).strip()


def is_no_value(value: object) -> bool:
    """Whether a value is how Python, NumPy or pandas say that there is none: None, NaN, NaT or NA."""
    try:
        return value is None or bool(value != value)  # noqa: PLR0124  NaN and NaT alone are not what they are
    except TypeError:  # pandas' NA is neither equal to itself nor not
        return True
    except ValueError:  # several values are not none
        return False


def is_pattern(group_by: str | None) -> bool:
    """Whether this is a pattern over paths; else it names a column, or no grouping at all.

    Raises:
        InputError: it is neither.
    """
    if group_by is None or GROUP in group_by:
        return group_by is not None
    if not group_by.strip() or any(sign in group_by for sign in "*?{}/"):
        meant = next(iter(re.findall(r"\{[^{}]*\}", group_by)), "")
        instead = f" Write {GROUP} for {quoted(meant)}." if meant else ""
        raise InputError(f"The pattern {quoted(group_by)} does not say what a group is.{instead}", hint=_PATTERN_HINT)
    return False


def by_pattern(pattern: str, paths: Sequence[str], where: str) -> Groups:
    """Groups by a glob with `{group}` in it, fitted to the end of each path, or to all of it where it begins with `/`.

    `*` and `?` stand for letters but no `/`, `**` for any folders, `[ab]` for one of these letters. A `{group}` takes
    as many letters as it can; several count together. Capital letters are as good as small ones, so `Cat7` and `cat7`
    are one group, called as its first photo has it.

    Args:
        pattern: what photos of one group share.
        paths: (N,) of photos, with `/` between folders, from the source down, or absolute ones.
        where: what holds the photos, for the sentence.

    Raises:
        InputError: the pattern cannot be understood, fits no photo, or makes one group of all.
    """
    fits = _compiled(pattern)
    found = [fits.fullmatch(path) for path in paths]
    called: dict[str, str] = {}
    written = ("/".join(match.groups()) if match else "" for match in found)
    names = tuple(called.setdefault(name.casefold(), name) for name in written)
    if not any(names):
        example = f", for example {quoted(paths[0])}" if paths else ""
        raise InputError(
            f"The pattern {quoted(pattern)} fits none of {counted(len(paths), 'photo')} in {quoted(where)}{example}.",
            hint=_PATTERN_HINT,
        )
    groups = Groups(names, pattern, "path", asked=True)
    _refuse_one_for_all(groups, where)
    return groups


def by_column(names: Sequence[str], column: str, where: str, *, asked: bool) -> Groups | None:
    """Groups as a column says them; None where it is empty and nobody asked for it.

    Raises:
        InputError: the column was asked for, and is empty or makes one group of all photos.
    """
    groups = Groups(tuple(names), column, "column", asked)
    if not any(names):
        if not asked:
            return None
        raise InputError(
            f"The column {quoted(column)} of {quoted(where)} is empty, so it groups nothing.",
            hint="Write the same word on every line of one group.",
        )
    if asked:
        _refuse_one_for_all(groups, where)
    return groups


def _refuse_one_for_all(groups: Groups, where: str) -> None:
    """Returns when there are two groups or more, photos that stand alone counted as such.

    Raises:
        InputError: all photos are one group.
    """
    if groups.n + groups.n_alone > 1:
        return
    raise InputError(
        f"The {said_by(groups.kind, groups.by)} puts all {counted(len(groups.names), 'photo')} of {quoted(where)} "
        f"into one group, {quoted(groups.names[0])}, so there is no other to test on.",
        hint="Group by something that differs between photos taken at different times, or leave --group-by out.",
    )


def refuse_unkeepable(groups: Groups, labels: NDArray[np.int32], class_names: Sequence[str]) -> None:
    """Returns when any class has two groups, so that one can learn and the other test.

    Raises:
        InputError: says what is possible.
    """
    if groups.can_be_kept(labels):
        return
    examples = {class_names[c]: groups.names[int(np.flatnonzero(labels == c)[0])] for c in np.unique(labels)}
    listed = some([f"{quoted(name)} is {quoted(group)}" for name, group in examples.items()])
    raise InputError(
        f"The {said_by(groups.kind, groups.by)} makes one group of each class ({listed}), so no class can be tested on "
        "a group that it has not learned from.",
        hint="Group by something finer, of which a class has two or more; "
        "or train without --group-by, and the score is of photos from the same groups.",
    )


def refuse_column(column: str | None, name: str) -> None:
    """Returns unless a column is to say the groups of `name`, which has none.

    Raises:
        InputError: it is.
    """
    if column not in (None, NONE):
        raise InputError(
            f"{quoted(name)} has no columns, so it cannot be grouped by {quoted(str(column))}.",
            hint="Write a pattern over paths, like --group-by '{group}_*', or a label file with such a column.",
        )


def named_column(group_by: str | None, columns: Sequence[str], usual: Sequence[str], where: str) -> str | None:
    """Which of a table's columns says the groups; None for none.

    Args:
        group_by: a column that was asked for, `none`, or None.
        columns: of the table, as written.
        usual: names of columns that are taken for groups unasked, in small letters, the first before the others.
        where: the table, for the sentence.

    Raises:
        InputError: there is no such column, or several of the usual ones.
    """
    if group_by == NONE:
        return None
    folded = {column.lower(): column for column in reversed(columns)}
    if group_by is not None:
        if group_by.strip().lower() in folded:
            return folded[group_by.strip().lower()]
        there = f"It has: {some(columns)}." if columns else "Its first line does not name any."
        hint = f"{did_you_mean(group_by, folded)}{there} A pattern over paths holds {GROUP}."
        raise InputError(f"{quoted(where)} has no column {quoted(group_by)}.", hint=hint)
    known = [folded[name] for name in usual if name in folded]
    if len(known) > 1 and known[0].lower() != usual[0]:
        raise InputError(
            f"{quoted(where)} has several columns that may say which photos belong together: {some(known)}.",
            hint=f"Name the one to go by, like --group-by {known[0]}, or --group-by none to use neither.",
        )
    return known[0] if known else None


def _compiled(pattern: str) -> re.Pattern[str]:
    is_pattern(pattern)
    if len(pattern) > LONGEST_PATTERN:
        raise InputError(f"The pattern has {len(pattern):,} letters; at most {LONGEST_PATTERN:,} can be one.")
    body = pattern.removeprefix("/")
    parts = []
    for sign in _TOKENS.findall(body):
        if sign[0] == "[" and len(sign) > 1:
            others = sign.startswith("[!")
            letters = re.sub(r"[\\\[\]^&~|]", r"\\\g<0>", sign[1 + others : -1])
            parts.append(f"[{'^/' if others else ''}{letters}]")
        elif sign in "{}":
            braced = next(iter(re.findall(r"\{[^{}]*\}", body.replace(GROUP, ""))), sign)
            raise InputError(
                f"The pattern {quoted(pattern)} holds {quoted(braced)}, which stands for nothing.", hint=_PATTERN_HINT
            )
        else:
            parts.append(_PARTS.get(sign, re.escape(sign)))
    start = "/?" if pattern.startswith("/") else "(?:.*?/)??"
    try:
        return re.compile(start + "".join(parts), re.IGNORECASE | re.DOTALL)
    except re.error as error:
        raise InputError(f"The pattern {quoted(pattern)} cannot be understood.", hint=_PATTERN_HINT) from error

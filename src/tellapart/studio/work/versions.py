"""The versions of a score: each is kept, and compared with the one before on photos that both were asked about."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from tellapart.metrics.paired import SIGNIFICANT_P, Comparison, compare_answers
from tellapart.studio.state import Mark
from tellapart.text import counted

NAME: Final = "versions.jsonl"
SHOWN: Final = 30  # versions, the newest first


@dataclass(frozen=True)
class Version:
    """One score.

    Args:
        number: counted from 1.
        at: when it was made.
        n_lines: of the journal then.
        table: fingerprint of the label file that it is of.
        kind: `given` for photos that never train, `crossed` for photos that are tested in turn.
        n_test: photos that were asked about; `n_right` of them were right, between `low` and `high` of all, plausibly.
        n_labelled: photos with a label then.
        answers: {photo: (its label then, the answer)} of heads that had not seen it.
    """

    number: int
    at: str
    n_lines: int
    table: str
    kind: str
    n_test: int
    n_right: int
    low: float
    high: float
    n_labelled: int
    answers: Mapping[str, tuple[str, str]]

    def told(self) -> dict[str, Any]:
        """Without the answers."""
        return {key: value for key, value in vars(self).items() if key not in ("answers", "table")}


def read_versions(folder: Path) -> list[Version]:
    """All that were kept; a line that was cut off, or that another version of this program wrote, is none."""
    try:
        content = (folder / NAME).read_bytes()
    except OSError:
        return []
    return [*_understood(content.split(b"\n")[:-1])]


def _understood(lines: Sequence[bytes]) -> Iterator[Version]:
    for line in lines:
        try:
            value = json.loads(line)
            answers = {str(photo): (str(label), str(answer)) for photo, (label, answer) in value["answers"].items()}
            yield Version(**{**value, "answers": answers})
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            continue


def keep(folder: Path, version: Version) -> None:
    """Add a version.

    Raises:
        OSError: it cannot be written.
    """
    content = json.dumps(asdict(version), separators=(",", ":")).encode() + b"\n"
    handle = os.open(folder / NAME, os.O_RDWR | os.O_CREAT, 0o666)
    with os.fdopen(handle, "r+b") as file:
        whole = file.read().rfind(b"\n") + 1  # what a kill cut off is no line
        file.seek(whole)
        file.truncate()
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def n_right_now(version: Version, marks: Mapping[str, Mark]) -> tuple[int, int]:
    """How many of its answers are right by today's labels, and of how many; photos without a label now are no test."""
    asked = [(marks[photo].label, answer) for photo, (_, answer) in version.answers.items() if _counts(photo, marks)]
    return sum(label == answer for label, answer in asked), len(asked)


def n_relabelled(version: Version, marks: Mapping[str, Mark]) -> int:
    """How many of its test photos have another label today, or none."""
    return sum(
        not _counts(photo, marks) or marks[photo].label != label for photo, (label, _) in version.answers.items()
    )


def _counts(photo: str, marks: Mapping[str, Mark]) -> bool:
    return photo in marks and bool(marks[photo].label) and not marks[photo].out


def compared(
    before: Version, now: Version, marks: Mapping[str, Mark], stacks: Mapping[str, str]
) -> tuple[Comparison, str]:
    """Which of two versions is better on the photos that both were asked about, by today's labels; and in a sentence.

    Args:
        before: the earlier one.
        now: the later one.
        marks: what is said of each photo.
        stacks: {photo: its stack}; photos of one are right or wrong together.
    """
    both = [photo for photo in now.answers if photo in before.answers and _counts(photo, marks)]
    right = [np.array([marks[p].label == one.answers[p][1] for p in both], bool) for one in (before, now)]
    _, groups = np.unique([stacks.get(photo, photo) for photo in both], return_inverse=True)
    comparison = compare_answers(right[0], right[1], groups.astype(np.intp))
    return comparison, _sentence(comparison, before.number)


def _sentence(found: Comparison, number: int) -> str:
    photos = f"the {counted(found.n, 'photo')} that both answered unseen"
    if not found.n:
        return f"It cannot be compared with version {number}: no photo was answered unseen by both."
    if found.p_value >= SIGNIFICANT_P:
        alike = f"{found.n_only_b:,} only this one got right, {found.n_only_a:,} only that one"
        return f"Cannot tell whether it is better than version {number}: of {photos}, {alike}."
    better = found.difference > 0
    ends = (found.low, found.high) if better else (-found.high, -found.low)
    low, high = (max(0, round(100 * end)) for end in ends)
    reach = f"{low} to {high}" if low != high else f"{high}"
    return f"{'Better' if better else 'Worse'} than version {number} by {reach} of 100, on {photos}."

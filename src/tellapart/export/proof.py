"""Whether an exported form answers as the model was tested to, photo by photo."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Protocol

import numpy as np

from tellapart.errors import TrainingError
from tellapart.export.photos import ProofPhoto
from tellapart.text import counted, quoted

FROM_FILES = 0.02  # of a probability: decoders round differently, and shrink a large JPEG differently
FROM_PIXELS = 0.001  # of a probability: runtimes add up in another order


@dataclass(frozen=True)
class Answer:
    """What an exported form says about one photo.

    Args:
        answer: a class name, "not sure", "none of these"; None for a photo that it cannot read.
        probs: {class name: probability}.
        ood_score: distance from the training photos; None where the model has none.
        seconds: that it took.
    """

    answer: str | None
    probs: Mapping[str, float]
    ood_score: float | None
    seconds: float


class ExportRunner(Protocol):
    """An exported form that can be asked."""

    @property
    def through(self) -> str:
        """What runs it, for people."""

    @property
    def bound(self) -> float:
        """The largest difference in probability that is accepted."""

    def __call__(self, photos: Sequence[ProofPhoto]) -> Iterator[Answer]:
        """Answers in the order of `photos`."""


@dataclass(frozen=True)
class Proof:
    """What was compared, and how far apart it was.

    Args:
        n: photos compared.
        n_same: of them, those with the same answer.
        largest_difference: of any probability.
        largest_unknown_difference: of any OOD score.
        bound: the largest difference that would have been accepted.
        ms_a_photo: median milliseconds in the exported form.
        n_unreadable: photos that the exported form cannot read and the model can, such as HEIC in most browsers.
        through: what ran the exported form.
        photos: which photos, in words.
    """

    n: int
    n_same: int
    largest_difference: float
    largest_unknown_difference: float
    bound: float
    ms_a_photo: float
    n_unreadable: int
    through: str
    photos: str

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self)


def prove(photos: Sequence[ProofPhoto], said: Iterable[Answer], form: ExportRunner, origin: str) -> Proof:
    """The proof that a form answers as the model does.

    Raises:
        TrainingError: a probability or an OOD score differs by more than the form's bound, or another class is
            likeliest although the model saw a larger margin between the two; names the photo.
    """
    differences, ood_gaps, seconds, n_same = [], [], [], 0
    for photo, got in zip(photos, said, strict=True):
        if got.answer is None:
            continue
        expected = photo.expected
        differences.append(_difference(photo, got))
        ood_gaps.append(abs((expected.ood_score or 0.0) - (got.ood_score or 0.0)))
        seconds.append(got.seconds)
        n_same += got.answer == expected.answer
        if not (differences[-1] <= form.bound and ood_gaps[-1] <= form.bound) or _flipped(photo, got, form.bound):
            raise _refusal(photo, got, form, float(np.maximum(differences[-1], ood_gaps[-1])))
    if not differences:
        raise TrainingError("The exported form could not read any of the photos.", hint="Nothing was written.")
    return Proof(
        n=len(differences),
        n_same=n_same,
        largest_difference=float(np.max(differences)),
        largest_unknown_difference=float(np.max(ood_gaps)),
        bound=form.bound,
        ms_a_photo=round(1000 * median(seconds), 1),
        n_unreadable=len(photos) - len(differences),
        through=form.through,
        photos=origin,
    )


def _difference(photo: ProofPhoto, got: Answer) -> float:
    """The largest difference of a probability; NaN where one is missing."""
    expected = photo.expected.probs or {}
    return float(np.max([abs(p - got.probs.get(name, np.nan)) for name, p in expected.items()]))


def _flipped(photo: ProofPhoto, got: Answer, bound: float) -> bool:
    """Whether another class is likeliest, although the model saw a clear difference between the two."""
    expected = photo.expected.probs or {}
    winner = max(got.probs, key=lambda name: got.probs[name])
    return max(expected.values()) - expected[winner] >= bound


def _refusal(photo: ProofPhoto, got: Answer, form: ExportRunner, difference: float) -> TrainingError:
    if np.isnan(difference):
        return TrainingError(
            f"The exported form answers {quoted(photo.name)} with numbers that are no probabilities.",
            hint=f"Nothing was written. It ran in {form.through}.",
        )
    return TrainingError(
        f"The exported form answers {quoted(photo.name)} differently: {got.answer} instead of "
        f"{photo.expected.answer}, by {difference:.4f} (at most {form.bound:g}).",
        hint=f"Nothing was written; a form that disagrees is worth nothing. It ran in {form.through}.",
    )


def sentences(proof: Proof) -> list[str]:
    """The proof for people."""
    lines = [
        f"Same answer on {proof.n_same:,} of {counted(proof.n, 'photo')} ({proof.photos}).",
        f"Largest difference in probability: {proof.largest_difference:.4f} (at most {proof.bound:g} is accepted). "
        f"Run in {proof.through}.",
    ]
    if proof.n_unreadable:
        lines.append(f"{counted(proof.n_unreadable, 'photo')} of yours can be read here, but not there.")
    return lines

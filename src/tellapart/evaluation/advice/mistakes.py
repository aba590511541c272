"""Training photos that a head which had not seen them answered wrongly."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.classifier.probe import OutOfFold
from tellapart.classifier.temperature import calibrated


@dataclass(frozen=True)
class Mistake:
    """A training photo that a head which had not seen it answered wrongly."""

    photo: str
    class_name: str
    answer: str
    confidence: float


def out_of_fold_mistakes(
    said: OutOfFold, temperature: float, photos: Sequence[str], class_names: Sequence[str]
) -> tuple[Mistake, ...]:
    """The training photos answered wrongly out-of-fold, most confident first, then by name.

    Args:
        said: what heads said about photos that they had not seen.
        temperature: of the finished model.
        photos: (N,) names of the training photos, as `said.indices` counts them.
        class_names: (C,).
    """
    if not len(said.indices):
        return ()
    probs: NDArray[np.float64] = calibrated(said.logits, temperature)
    answers = probs.argmax(axis=1)
    wrong = [
        Mistake(photos[said.indices[i]], class_names[said.labels[i]], class_names[answers[i]], float(probs[i].max()))
        for i in np.flatnonzero(answers != said.labels)
    ]
    return tuple(sorted(wrong, key=lambda m: (-m.confidence, m.photo)))

"""What a finished model keeps of the answers that its thresholds rest on: numbers, no photo and no name of one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.classifier.ood import ood_scores_of


@dataclass(frozen=True)
class Scored:
    """What was said about N photos.

    Args:
        labels: (N,) in [0, C); of photos of something else, all 0.
        probs: (N, C) calibrated probabilities.
        ood_scores: (N,) OOD scores.
    """

    labels: NDArray[np.int32]
    probs: NDArray[np.float32]
    ood_scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def confidences(self) -> NDArray[np.float64]:
        """(N,) the largest probability of each photo."""
        return np.asarray(self.probs.max(axis=1, initial=0), np.float64)


@dataclass(frozen=True)
class KeptScores:
    """Scores of photos that whoever said them had not seen.

    Args:
        out_of_fold: of the M training photos that took part in choosing; thresholds are ranks among these.
        scenes: (M,) which of them are alike, numbered from 0.
        nearness: (M, C) largest cosine with a centre of each class.
        unseen_confidences: (M,) the confidence of a head that has never seen the class; NaN where none was asked.
        tested: of the test photos.
        reference: of the photos of other things that are counted; None where the backbone has not seen them.
        near_reference: (R, C) as `nearness`, of those that an early threshold may be fitted on; None where there are
            photos enough for a promise, or the backbone has not seen them.
        tested_scenes: which of the test photos are alike, numbered from 0; None where none are, or that is not known.
    """

    out_of_fold: Scored
    scenes: NDArray[np.int32]
    nearness: NDArray[np.float32]
    unseen_confidences: NDArray[np.float32]
    tested: Scored
    reference: Scored | None = None
    near_reference: NDArray[np.float32] | None = None
    tested_scenes: NDArray[np.int32] | None = None

    @property
    def scores_to_fit(self) -> NDArray[np.float32] | None:
        """(R,) OOD scores of the photos of other things that an early threshold may be fitted on, or None."""
        near = self.near_reference
        return None if near is None else ood_scores_of(near)

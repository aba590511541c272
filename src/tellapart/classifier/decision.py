"""When a model gives no class name: thresholds on OOD score and confidence, and the answer they lead to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

NONE_OF_THESE = "none of these"
NOT_SURE = "not sure"
# Of real photos, what may be called "none of these" and "not sure". At 2 and 3 % nearly four times as many garments
# passed a model of hot dogs (16 % against 4 %), but three to four times as many mistakes got "not sure": docs/trust.md
FAR_SHARE = 0.04
DOUBT_SHARE = 0.01
LEAST_PROMISED = round(1 / FAR_SHARE) - 1  # photos that it takes before FAR_SHARE of them is one
# Before that a threshold on the OOD score promises nothing. Chosen among a hundred rules on five sets of training
# photos with 3, 5 and 10 a class, and on the half of the reference that may be fitted on: docs/decisions/0016-early.md
EARLY_SPREADS = 1.5  # standard deviations above the mean of real photos: the far end of what is known of them
EARLY_REFERENCE = 0.1  # share of the reference photos that are nearer than the near end of other things
LEAST_EARLY = 4  # photos out of fold; fewer have no spread to speak of
FADES_FROM = 18  # photos out of fold; up to there the early threshold, at LEAST_PROMISED the promised one
EARLY_SAID = (
    "“None of these” is early here: it learned from few photos, and how many photos of its own classes it will wrongly "
    "refuse is not promised."
)


@dataclass(frozen=True)
class Thresholds:
    """From where on no class name is answered; None promises nothing, and nothing is withheld.

    Args:
        ood_score: photos above it are "none of these".
        confidence: photos below it are "not sure".
        n: out-of-fold photos that both come from.
        early: whether the OOD score's threshold is set by few photos and promises nothing.
    """

    ood_score: float | None
    confidence: float | None
    n: int
    early: bool = False

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Self:
        """What `to_json` gave; the manifest's key of the OOD score is `unknown_score`."""
        return cls(facts["unknown_score"], facts["confidence"], facts["n"], facts.get("early", False))

    def to_json(self) -> dict[str, float | None]:
        """For the manifest of a model; `early` only where it is."""
        facts = {"unknown_score": self.ood_score, "confidence": self.confidence, "n": self.n}
        return facts | ({"early": True} if self.early else {})


def fit_thresholds(
    ood_scores: NDArray[np.floating],
    confidences: NDArray[np.floating],
    of_reference: NDArray[np.floating] | None = None,
) -> Thresholds:
    """Thresholds that leave about 95 % of real photos with an answer.

    Args:
        ood_scores: (N,) out-of-fold OOD scores of real photos.
        confidences: (N,) out-of-fold confidences of the same photos.
        of_reference: (M,) OOD scores of photos of something else, for an early threshold where N is too small for the
            promise; None sets none then.

    Source: Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005, chapter 2: the k-th smallest of n
    exchangeable scores exceeds a new one with probability k / (n + 1).
    """
    far = _lowest(-np.asarray(ood_scores, np.float64), FAR_SHARE)
    doubt = _lowest(np.asarray(confidences, np.float64), DOUBT_SHARE)
    early = far is None and of_reference is not None and len(ood_scores) >= LEAST_EARLY
    if early and of_reference is not None:
        far = -early_threshold(ood_scores, of_reference)
    return Thresholds(None if far is None else -far, doubt, len(ood_scores), early)


def early_threshold(ood_scores: NDArray[np.floating], of_reference: NDArray[np.floating]) -> float:
    """A threshold by few photos: halfway between the far end of one's own and the near end of other things.

    From FADES_FROM photos on it moves, photo by photo, to the furthest of one's own, which is what the promise begins
    with at LEAST_PROMISED: so nothing jumps there.

    Args:
        ood_scores: (N,) out of fold, LEAST_EARLY <= N.
        of_reference: (M,) of photos of something else, at least one.
    """
    own = np.asarray(ood_scores, np.float64)
    far_end = own.mean() + EARLY_SPREADS * own.std(ddof=1)
    near_end = np.quantile(np.asarray(of_reference, np.float64), EARLY_REFERENCE)
    promised = min(max((len(own) - FADES_FROM) / (LEAST_PROMISED - FADES_FROM), 0.0), 1.0)
    return float((1 - promised) * (far_end + near_end) / 2 + promised * own.max())


def _lowest(scores: NDArray[np.float64], share: float) -> float | None:
    """The score that about `share` of exchangeable scores fall below; None with too few scores to say."""
    rank = int(share * (len(scores) + 1))
    return float(np.sort(scores)[rank - 1]) if rank >= 1 else None


def answer(class_names: Sequence[str], probs: NDArray[np.floating], ood_score: float, thresholds: Thresholds) -> str:
    """What to tell a person: a class name, "not sure" or "none of these"."""
    return withheld(probs, ood_score, thresholds) or class_names[int(probs.argmax())]


def withheld(probs: NDArray[np.floating], ood_score: float, thresholds: Thresholds) -> str | None:
    """What is said in place of a class name; None where there is one, whatever the classes are called."""
    if thresholds.ood_score is not None and ood_score > thresholds.ood_score:
        return NONE_OF_THESE
    if thresholds.confidence is not None and float(probs.max()) < thresholds.confidence:
        return NOT_SURE
    return None

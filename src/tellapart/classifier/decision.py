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


@dataclass(frozen=True)
class Thresholds:
    """From where on no class name is answered; None promises nothing, and nothing is withheld.

    Args:
        ood_score: photos above it are "none of these".
        confidence: photos below it are "not sure".
        n: out-of-fold photos that both come from.
    """

    ood_score: float | None
    confidence: float | None
    n: int

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Self:
        """What `to_json` gave; the manifest's key of the OOD score is `unknown_score`."""
        return cls(facts["unknown_score"], facts["confidence"], facts["n"])

    def to_json(self) -> dict[str, float | None]:
        """For the manifest of a model."""
        return {"unknown_score": self.ood_score, "confidence": self.confidence, "n": self.n}


def fit_thresholds(ood_scores: NDArray[np.floating], confidences: NDArray[np.floating]) -> Thresholds:
    """Thresholds that leave about 95 % of real photos with an answer.

    Args:
        ood_scores: (N,) out-of-fold OOD scores of real photos.
        confidences: (N,) out-of-fold confidences of the same photos.

    Source: Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005, chapter 2: the k-th smallest of n
    exchangeable scores exceeds a new one with probability k / (n + 1).
    """
    far = _lowest(-np.asarray(ood_scores, np.float64), FAR_SHARE)
    doubt = _lowest(np.asarray(confidences, np.float64), DOUBT_SHARE)
    return Thresholds(None if far is None else -far, doubt, len(ood_scores))


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

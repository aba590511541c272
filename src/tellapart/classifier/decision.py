"""When a model gives no class name: thresholds on unknown score and confidence, and the answer they lead to."""

from collections.abc import Sequence
from dataclasses import dataclass

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
        unknown_score: photos above it are "none of these".
        confidence: photos below it are "not sure".
        n: out-of-fold photos that both come from.
    """

    unknown_score: float | None
    confidence: float | None
    n: int


def fit_thresholds(unknown: NDArray[np.floating], confidences: NDArray[np.floating]) -> Thresholds:
    """Thresholds that leave about 95 % of real photos with an answer.

    Args:
        unknown: (N,) out-of-fold unknown scores of real photos.
        confidences: (N,) out-of-fold confidences of the same photos.

    Source: Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005, chapter 2: the k-th smallest of n
    exchangeable scores exceeds a new one with probability k / (n + 1).
    """
    far = _lowest(-np.asarray(unknown, np.float64), FAR_SHARE)
    doubt = _lowest(np.asarray(confidences, np.float64), DOUBT_SHARE)
    return Thresholds(None if far is None else -far, doubt, len(unknown))


def _lowest(scores: NDArray[np.float64], share: float) -> float | None:
    """The score that about `share` of exchangeable scores fall below; None with too few scores to say."""
    rank = int(share * (len(scores) + 1))
    return float(np.sort(scores)[rank - 1]) if rank >= 1 else None


def answer(
    class_names: Sequence[str], probs: NDArray[np.floating], unknown_score: float, thresholds: Thresholds
) -> str:
    """What to tell a person: a class name, "not sure" or "none of these"."""
    return withheld(probs, unknown_score, thresholds) or class_names[int(probs.argmax())]


def withheld(probs: NDArray[np.floating], unknown_score: float, thresholds: Thresholds) -> str | None:
    """What is said in place of a class name; None where there is one, whatever the classes are called."""
    if thresholds.unknown_score is not None and unknown_score > thresholds.unknown_score:
        return NONE_OF_THESE
    if thresholds.confidence is not None and float(probs.max()) < thresholds.confidence:
        return NOT_SURE
    return None

"""How well confidence tells right answers from wrong ones."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CURVE_POINTS = 100  # as many as a chart of a report can show


@dataclass(frozen=True, eq=False)
class RiskCoverage:
    """What is wrong among the photos of which a model is most sure, for every share of photos it might answer.

    Args:
        coverage: (K,) shares of photos answered, ascending to 1; K is at most CURVE_POINTS.
        risk: (K,) share wrong among those.
        area: the mean risk over all coverages (AURC), from every photo, not from the K points; lower is better.
        excess: how much of `area` a better order of the same photos would save (E-AURC), at least 0; 0 when every
            wrong photo comes after every right one.
    """

    coverage: NDArray[np.float64]
    risk: NDArray[np.float64]
    area: float
    excess: float


def risk_coverage(confidences: NDArray[np.floating], right: NDArray[np.bool_]) -> RiskCoverage:
    """The risk-coverage curve. Photos of equal confidence are answered together; their order does not matter.

    Args:
        confidences: (N,) how sure the model was; N >= 1.
        right: (N,) whether it was right.

    Source: Geifman and El-Yaniv, Selective classification for deep neural networks, NeurIPS 2017; areas: Geifman,
    Uziel and El-Yaniv, Bias-reduced uncertainty estimation for deep neural classifiers, ICLR 2019. The best order's
    area is summed exactly here, where that paper takes its limit for many photos.
    """
    n = right.size
    answered, wrong = _blocks(confidences, right)
    risk = wrong / answered
    area = float((risk * np.diff(answered, prepend=0)).sum() / n)
    places = np.arange(1, n + 1)
    best = float((np.maximum(0, places - int(right.sum())) / places).sum() / n)
    wanted = np.arange(1, CURVE_POINTS + 1) * n / CURVE_POINTS
    shown = np.unique(np.searchsorted(answered, wanted))
    return RiskCoverage(answered[shown] / n, risk[shown], area, max(0.0, area - best))


def _blocks(confidences: NDArray[np.floating], right: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(B,) photos answered and (B,) wrong ones among them, down to and with each of the B different confidences."""
    order = np.argsort(-confidences, kind="stable")
    ends = np.flatnonzero(np.diff(confidences[order], append=np.inf))
    return ends + 1, np.cumsum(~right[order], dtype=np.intp)[ends]

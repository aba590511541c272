"""How well a score tells one kind of photo from another: real from unknown, right answers from wrong ones."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.metrics.intervals import share_interval

CURVE_POINTS = 100  # as many as a chart of a report can show
_ROUNDING = 1e-9  # 0.1 x 10 photos is one photo, whatever 1 - 0.9 is in floating point


def auroc(real: NDArray[np.floating], unknown: NDArray[np.floating]) -> float:
    """How often an unknown photo scores higher than a real one, in [0, 1]; ties count half, 0.5 is chance.

    Args:
        real: (N,) unknown scores of photos of the model's classes, higher is further; N >= 1.
        unknown: (M,) unknown scores of photos of other things; M >= 1.

    Source: Hanley and McNeil, Radiology 143 (1982): the area under the ROC curve is the Mann-Whitney statistic.
    """
    ordered = np.sort(real)
    below = np.searchsorted(ordered, unknown, side="left")
    not_above = np.searchsorted(ordered, unknown, side="right")
    return float((below + not_above).mean() / (2 * ordered.size))


def let_through(real: NDArray[np.floating], unknown: NDArray[np.floating], kept: float = 0.95) -> float:
    """The share of unknown photos that would be answered at the threshold that keeps the share `kept` of real ones.

    The threshold is the same order statistic as a model's own, the floor((1 - kept) (N + 1))-th largest, and a photo
    at the threshold is answered. With too few real photos there is none, and all unknown photos are answered.

    Args:
        real: (N,) unknown scores of photos of the model's classes, higher is further.
        unknown: (M,) unknown scores of photos of other things; M >= 1.
        kept: share of real photos that should be answered, in (0, 1].

    Source: the false positive rate at 95 % true positives of Liang, Li and Srikant, ICLR 2018, with a conformal
    threshold in place of a quantile.
    """
    rank = math.floor((1 - kept) * (real.size + 1) + _ROUNDING)
    if rank < 1:
        return 1.0
    return float((unknown <= np.sort(real)[-rank]).mean())


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


@dataclass(frozen=True)
class RiskAtCoverage:
    """The share wrong among the photos of which a model is most sure.

    Args:
        n_answered: how many photos those are.
        n_wrong: how many of them are wrong.
        risk: the share of them that is wrong.
        low: low end of its plausible range (Wilson, 95 %).
        high: high end.
    """

    n_answered: int
    n_wrong: int
    risk: float
    low: float
    high: float


def risk_at_coverage(
    confidences: NDArray[np.floating],
    right: NDArray[np.bool_],
    coverage: float,
    groups: NDArray[np.intp] | None = None,
) -> RiskAtCoverage:
    """The risk when at least the share `coverage` of photos is answered, most sure first.

    Photos of equal confidence are answered together, so that more may be answered than asked for. The range takes
    the confidence threshold as given, not as chosen on these photos.

    Args:
        confidences: (N,) how sure the model was; N >= 1.
        right: (N,) whether it was right.
        coverage: share of photos to answer, in (0, 1].
        groups: (N,) which photos belong together; None when each stands alone.
    """
    answered, wrong = _blocks(confidences, right)
    block = int(np.searchsorted(answered, coverage * right.size - _ROUNDING))
    chosen = np.argsort(-confidences, kind="stable")[: answered[block]]
    low, high = share_interval(~right[chosen], None if groups is None else groups[chosen])
    n_answered, n_wrong = int(answered[block]), int(wrong[block])
    return RiskAtCoverage(n_answered, n_wrong, n_wrong / n_answered, low, high)


def _blocks(confidences: NDArray[np.floating], right: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(B,) photos answered and (B,) wrong ones among them, down to and with each of the B different confidences."""
    order = np.argsort(-confidences, kind="stable")
    ends = np.flatnonzero(np.diff(confidences[order], append=np.inf))
    return ends + 1, np.cumsum(~right[order], dtype=np.intp)[ends]

"""Whether a confidence means what it says: reliability bins, ECE beside what chance alone shows, NLL."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.metrics.intervals import wilson

ECE_BINS = 15  # equal-width, the convention of Guo et al. 2017, so that the number compares with published ones
PHOTOS_PER_BIN = 20  # Wilson's bar is then about +-0.2 wide at most: still worth drawing
MAX_BINS = 10
NULL_SIMULATIONS = 1000
_CHUNK = 1_000_000  # simulated outcomes held at once; 8 MB
_SMALLEST_PROB = 1e-12  # a flat zero for the true class would make the NLL infinite


@dataclass(frozen=True)
class ReliabilityBin:
    """Photos of similar confidence: how sure the model was, and how often it was right.

    Attributes:
        confidence: mean confidence of the photos, in [0, 1].
        share_right: share of them that are right.
        low: low end of the plausible range of that share (Wilson, 95 %).
        high: high end.
        n: how many photos; at least 1.
    """

    confidence: float
    share_right: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class NullBand:
    """The ECE that a perfectly calibrated model would show on this many photos.

    Attributes:
        mean: on average.
        p95: what it exceeds once in twenty times.
    """

    mean: float
    p95: float


def n_bins_for(n: int) -> int:
    """How many reliability bins n photos can fill: one per 20, at least 1, at most 10."""
    return min(MAX_BINS, max(1, n // PHOTOS_PER_BIN))


def reliability_bins(
    confidences: NDArray[np.float64], right: NDArray[np.bool_], n_bins: int | None = None
) -> list[ReliabilityBin]:
    """Bins of about equally many photos, least confident first; empty without photos.

    Photos of exactly equal confidence share a bin, so there may be fewer bins than asked for, and the order
    of the photos does not matter.

    Args:
        confidences: (N,) probability of the answered class.
        right: (N,) whether the answer is right.
        n_bins: how many to aim for; None chooses by N (see `n_bins_for`).

    Source: equal-mass bins, Roelofs et al., Mitigating bias in calibration error estimation, AISTATS 2022.
    """
    n = confidences.size
    if n == 0:
        return []
    wanted = n_bins_for(n) if n_bins is None else n_bins
    order = np.argsort(confidences, kind="stable")
    confidences, right = confidences[order], right[order]
    cuts = confidences[np.arange(1, wanted) * n // wanted]
    starts = np.unique(np.append(0, np.searchsorted(confidences, cuts)))
    bins = []
    for start, stop in zip(starts, np.append(starts[1:], n), strict=True):
        n_right, size = int(right[start:stop].sum()), int(stop - start)
        low, high = wilson(n_right, size)
        bins.append(ReliabilityBin(float(confidences[start:stop].mean()), n_right / size, low, high, size))
    return bins


def _bin_of(confidences: NDArray[np.float64], n_bins: int) -> NDArray[np.intp]:
    """The equal-width bin (lower, upper] of each confidence, as an index in [0, n_bins)."""
    return np.clip(np.ceil(confidences * n_bins).astype(np.intp) - 1, 0, n_bins - 1)


def ece(confidences: NDArray[np.float64], right: NDArray[np.bool_], n_bins: int = ECE_BINS) -> float:
    """Expected calibration error in [0, 1]: the gap between confidence and share right, averaged over photos.

    Biased upwards, most for few photos and well-calibrated models: read it beside `ece_null_band`.

    Args:
        confidences: (N,) probability of the answered class; N >= 1.
        right: (N,) whether the answer is right.
        n_bins: equal-width bins (lower, upper].

    Source: Naeini et al., AAAI (2015); Guo et al., On calibration of modern neural networks, ICML 2017.
    """
    gaps = np.bincount(_bin_of(confidences, n_bins), weights=right - confidences)
    return float(np.abs(gaps).sum() / confidences.size)


def ece_null_band(
    confidences: NDArray[np.float64],
    n_bins: int = ECE_BINS,
    *,
    n_simulations: int = NULL_SIMULATIONS,
    seed: int = 0,
) -> NullBand:
    """The ECE of a perfectly calibrated model with exactly these confidences, by simulation.

    Each simulated photo is right with the probability its confidence states.

    Args:
        confidences: (N,) probability of the answered class; N >= 1. Their order does not matter.
        n_bins: as for `ece`.
        n_simulations: how many test sets to simulate.
        seed: the same seed gives the same band.

    Source: consistency resampling, Broecker and Smith, Weather Forecast. 22 (2007).
    """
    confidences = np.sort(confidences)
    rng = np.random.default_rng(seed)
    starts = np.flatnonzero(np.diff(_bin_of(confidences, n_bins), prepend=-1))  # sorted, so bins are runs
    expected = np.add.reduceat(confidences, starts)
    errors = []
    for first in range(0, n_simulations, max(1, _CHUNK // confidences.size)):
        rows = min(n_simulations - first, max(1, _CHUNK // confidences.size))
        right = rng.random((rows, confidences.size)) < confidences
        gaps = np.add.reduceat(right, starts, axis=1, dtype=np.float64) - expected
        errors.append(np.abs(gaps).sum(axis=1) / confidences.size)
    simulated = np.concatenate(errors)
    return NullBand(float(simulated.mean()), float(np.quantile(simulated, 0.95)))


def nll(probs: NDArray[np.float64], labels: NDArray[np.intp]) -> float:
    """Mean negative log-likelihood of the true class, in nats; lower is better, finite always.

    Args:
        probs: (N, C) probabilities; N >= 1.
        labels: (N,) the true class.
    """
    of_true = probs[np.arange(labels.size), labels]
    return float(-np.log(np.maximum(of_true, _SMALLEST_PROB)).mean())


def brier(probs: NDArray[np.float64], labels: NDArray[np.intp]) -> float:
    """Mean squared distance between the probabilities and the truth, in [0, 2]; lower is better.

    Args:
        probs: (N, C) probabilities; N >= 1.
        labels: (N,) the true class.

    Source: Brier, Mon. Weather Rev. 78 (1950), the multi-class form.
    """
    of_true = probs[np.arange(labels.size), labels]
    # sum_c (p_c - y_c)^2 = sum_c p_c^2 - 2 p_true + 1, without building the one-hot matrix
    return float((np.square(probs).sum(axis=1) - 2 * of_true + 1).mean())

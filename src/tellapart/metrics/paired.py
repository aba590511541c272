"""Which of two models is better on the same photos: exact test, range of the difference, photos still needed.

Photos that both get right, or both wrong, cannot tell the two apart. All that counts is the photos that only one of
them gets right. Copies of one group are right or wrong together; `groups` says which photos belong together.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tellapart.metrics.intervals import Interval

SIGNIFICANT_P = 0.05  # below it one model is called better: chance alone does so at most once in twenty times
POWER = 0.8  # how often the photos asked for should suffice; the custom in planning a test
LEAST_DIFFERING = 6  # photos only one model gets right: 2 / 2^5 is above 0.05, so that with 5 no test can say p < 0.05
_BISECTIONS = 60  # halves an interval of length 2 down to the spacing of doubles


@dataclass(frozen=True)
class Comparison:
    """Two models, A and B, on the same photos.

    Args:
        n: photos both answered.
        n_a_right: photos that A got right.
        n_b_right: photos that B got right.
        n_only_a: photos that A alone got right.
        n_only_b: photos that B alone got right.
        difference: share right of B less that of A, in [-1, 1].
        low: low end of its plausible range (95 %).
        high: high end.
        p_value: how often two equally good models would differ at least so much by chance.
        photos_needed: about how many more photos would tell them apart, see `photos_needed`; 0 when these do already,
            None when the same number is right.
    """

    n: int
    n_a_right: int
    n_b_right: int
    n_only_a: int
    n_only_b: int
    difference: float
    low: float
    high: float
    p_value: float
    photos_needed: int | None


def compare_answers(
    right_a: NDArray[np.bool_], right_b: NDArray[np.bool_], groups: NDArray[np.intp] | None = None
) -> Comparison:
    """Everything known about which of two models is better. The order of the photos does not matter.

    The test is exact and so a little stricter than the range: p may be just above 0.05 where the range just leaves
    out 0. Go by the p-value.

    Args:
        right_a: (N,) which photos A got right; N may be 0.
        right_b: (N,) the same for B.
        groups: (N,) which photos belong together; None when each stands alone. They widen the range, raise the
            p-value and the number of photos needed, and never the other way.
    """
    n = right_a.size
    n_only_a, n_only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    p_value, weight = mcnemar_p_value(n_only_a, n_only_b), 1.0
    if groups is not None and n:
        ahead = right_b.astype(np.intp) - right_a.astype(np.intp)
        p_value = max(p_value, grouped_p_value(ahead, groups))
        weight = paired_worth(ahead, groups) / n
    low, high = difference_interval(weight * n_only_a, weight * n_only_b, weight * n)
    more = photos_needed(weight * n_only_a, weight * n_only_b, weight * n)
    if more is not None:
        more = 0 if p_value < SIGNIFICANT_P else max(1, math.ceil(more / weight))
    return Comparison(
        n=n,
        n_a_right=int(right_a.sum()),
        n_b_right=int(right_b.sum()),
        n_only_a=n_only_a,
        n_only_b=n_only_b,
        difference=(n_only_b - n_only_a) / n if n else 0.0,
        low=low,
        high=high,
        p_value=p_value,
        photos_needed=more,
    )


def mcnemar_p_value(n_only_a: int, n_only_b: int) -> float:
    """How often two equally good models would differ at least so much by chance; 1 when they never differ.

    Two-sided exact binomial test: each photo that only one gets right is then A's or B's like the toss of a coin.

    Args:
        n_only_a: photos that A alone gets right.
        n_only_b: photos that B alone gets right.

    Source: McNemar, Psychometrika 12 (1947); the exact form as in Fagerland, Lydersen and Laake, BMC Med. Res.
    Methodol. 13:91 (2013).
    """
    n, fewer = n_only_a + n_only_b, min(n_only_a, n_only_b)
    if n == 0:
        return 1.0
    # P[X <= k] for X ~ Binomial(n, 1/2) is the regularised incomplete beta function I_1/2(n - k, k + 1).
    return min(1.0, 2 * float(special.betainc(n - fewer, fewer + 1, 0.5)))


def grouped_p_value(ahead: NDArray[np.intp], groups: NDArray[np.intp]) -> float:
    """The p-value of McNemar's test where whole groups, not photos, fall to A or B like the toss of a coin.

    Exact over all ways to swap the two models within whole groups; without groups of several photos it is
    `mcnemar_p_value`.

    Args:
        ahead: (N,) 1 where only B is right, -1 where only A is, 0 elsewhere; N >= 1.
        groups: (N,) which photos belong together.

    Source: the randomisation test of matched pairs, Fisher, The Design of Experiments (1935), chapter III.
    """
    _, group_of = np.unique(groups, return_inverse=True)
    leads = np.abs(np.bincount(group_of, weights=ahead).round().astype(np.intp))
    sizes, counts = np.unique(leads[leads > 0], return_counts=True)
    observed, reach = abs(int(ahead.sum())), int(leads.sum())
    if observed == 0:
        return 1.0
    # The sum of independent +-size has the characteristic function prod cos(size t); one transform gives its
    # probabilities, where listing the swaps would take 2^groups steps.
    angles = 2 * np.pi * np.arange(2 * reach + 1) / (2 * reach + 1)
    wave = np.prod(np.cos(np.outer(sizes, angles)) ** counts[:, None], axis=0)
    probs = np.fft.fft(wave).real / wave.size  # of the sums 0, 1, .., reach, -reach, .., -1
    tail = float(probs[observed : wave.size - observed + 1].sum())
    least = 2.0 ** (1 - int(counts.sum()))  # all groups fall one way; rounding must not go below
    return min(1.0, max(least, tail))


def paired_worth(ahead: NDArray[np.intp], groups: NDArray[np.intp]) -> float:
    """How many independent photos these grouped ones are worth for telling two models apart, in (0, N].

    The same design effect as `intervals.worth`, for the difference of two shares. Where all photos say the same,
    nothing can be estimated and each group counts once.

    Args:
        ahead: (N,) 1 where only B is right, -1 where only A is, 0 elsewhere; N >= 1.
        groups: (N,) which photos belong together.

    Source: Kish, Survey Sampling (1965), sec. 8.2; variance of a ratio: Cochran, Sampling Techniques (1977).
    """
    n = ahead.size
    _, group_of = np.unique(groups, return_inverse=True)
    n_groups = int(group_of.max()) + 1
    if n_groups == n:
        return float(n)
    excess = ahead - ahead.mean()
    alone = float(np.square(excess).sum()) / (n - 1)
    if n_groups == 1 or alone == 0:
        return float(n_groups)
    together = n_groups / (n_groups - 1) * float(np.square(np.bincount(group_of, weights=excess)).sum()) / n
    return n / max(1.0, together / alone)


def difference_interval(n_only_a: float, n_only_b: float, n: float, confidence: float = 0.95) -> Interval:
    """The plausible range (low, high) of the difference of two shares right on the same photos, B less A.

    All differences that a score test does not reject. It does not collapse when the models never differ, and stays in
    [-1, 1].

    Args:
        n_only_a: photos that A alone gets right; need not be whole (see `paired_worth`).
        n_only_b: photos that B alone gets right.
        n: all photos; 0 gives (-1, 1), for nothing is known.
        confidence: how often such ranges hold the true difference.

    Source: Tango, Stat. Med. 17 (1998), 891-908: the score interval of a difference of paired proportions.
    """
    if n == 0:
        return -1.0, 1.0
    z = float(special.ndtri(0.5 + confidence / 2))
    observed = (n_only_b - n_only_a) / n
    high = _score_limit(n_only_a, n_only_b, n, z)
    low = -_score_limit(n_only_b, n_only_a, n, z)  # the two models swapped
    return min(low, observed), max(high, observed)  # rounding must not push an end past the difference itself


def _score_limit(n_only_a: float, n_only_b: float, n: float, z: float) -> float:
    """The largest difference that lies no more than z standard errors above the observed one, by bisection."""
    inside, outside = (n_only_b - n_only_a) / n, 1.0
    for _ in range(_BISECTIONS):
        middle = (inside + outside) / 2
        # The likeliest share of photos that only A gets right, were `middle` the true difference: the positive root
        # of 2n q^2 + slope q - n_only_a middle (1 - middle) = 0.
        slope = (2 * n - n_only_b + n_only_a) * middle - n_only_a - n_only_b
        root = math.sqrt(max(0.0, slope * slope + 8 * n * n_only_a * middle * (1 - middle)))
        only_a = max(0.0, root - slope) / (4 * n)
        deviation = math.sqrt(max(0.0, n * (2 * only_a + middle * (1 - middle))))
        if n * middle - (n_only_b - n_only_a) <= z * deviation:
            inside = middle
        else:
            outside = middle
    return inside


def photos_needed(n_only_a: float, n_only_b: float, n: float) -> int | None:
    """About how many more photos would tell the two apart, if they go on differing as they do; None if they are even.

    With so many, McNemar's exact test says p < 0.05 four times in five. An observed difference that is mostly chance
    makes this a guess: the true one may be smaller, and the photos needed many more.

    Args:
        n_only_a: photos that A alone gets right; need not be whole (see `paired_worth`).
        n_only_b: photos that B alone gets right.
        n: all photos so far.

    Source: Connor, Biometrics 43 (1987), 207-211. Its formula is for the test without continuity correction; the
    exact test needs about 1 / difference more (measured against its exact power in the tests).
    """
    if n_only_a == n_only_b or n == 0:
        return None
    differ, difference = (n_only_a + n_only_b) / n, abs(n_only_b - n_only_a) / n
    by_chance = float(special.ndtri(1 - SIGNIFICANT_P / 2)) * math.sqrt(differ)
    truly = float(special.ndtri(POWER)) * math.sqrt(max(0.0, differ - difference**2))
    total = ((by_chance + truly) / difference) ** 2 + 1 / difference
    return max(0, math.ceil(max(total, LEAST_DIFFERING / differ) - n))

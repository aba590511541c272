"""How far a measured share can be from the true one: intervals, and the test against always saying one thing.

A photo is either right or wrong, so everything here starts from a share k / n. Photos of one burst are right
or wrong together; where `groups` says which belong together, n is lowered to what the photos are worth.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import special

BOOTSTRAP_RESAMPLES = 2000  # the 2.5 % point then moves by about a tenth of the interval's width between seeds

# How much more a cross-validated share varies about what the written model gets than a share of a test set of as many
# photos varies about its own: the model learned from one draw of photos, and other draws make better and worse ones.
# Measured by few_photos in benchmarks; the correction of Nadeau and Bengio, Machine Learning 52 (2003), gives 2 for ten
# folds, and ranges that hold the truth more often than they say.
CROSSED_INFLATION = 1.5

Interval: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class Range:
    """The plausible range of a share in [0, 1]; None where there is nothing to take a share of."""

    low: float | None
    high: float | None


@dataclass(frozen=True)
class Share:
    """A share, mostly in [0, 1], and its plausible range; None where there is nothing to take a share of."""

    value: float | None
    low: float | None
    high: float | None


def wilson(n_right: float, n: float, confidence: float = 0.95) -> Interval:
    """The plausible range (low, high) of a share, by Wilson's score interval; for display.

    Args:
        n_right: photos that are right, 0 to `n`; need not be whole (see `worth`).
        n: photos looked at; 0 gives (0, 1), for nothing is known.
        confidence: how often such ranges hold the true share.

    Source: Wilson, J. Am. Stat. Assoc. 22 (1927); Brown, Cai and DasGupta, Stat. Sci. 16 (2001), sec. 3.1.1.
    """
    if n == 0:
        return 0.0, 1.0
    z = float(special.ndtri(0.5 + confidence / 2))
    share = n_right / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # The ends are exact where no or every photo is right; rounding must not push them past the share itself.
    low = 0.0 if n_right == 0 else max(0.0, float(middle - reach))
    high = 1.0 if n_right == n else min(1.0, float(middle + reach))
    return low, high


def no_information_p_value(n_right: int, n: int, baseline_share: float) -> float:
    """How often chance alone would get `n_right` or more of `n` right, knowing only the commonest class.

    Small means better than the baseline. One-sided exact binomial test, P[X >= n_right] for X ~ Binomial(n,
    baseline_share).

    Args:
        n_right: photos that are right, 0 to `n`.
        n: photos looked at.
        baseline_share: what always answering the commonest class would get, in [0, 1].

    Source: the no-information rate of caret's `confusionMatrix`, Kuhn, J. Stat. Softw. 28 (2008).
    """
    if n_right == 0:
        return 1.0
    # P[X >= k] is the regularised incomplete beta function I_share(k, n - k + 1).
    return float(special.betainc(n_right, n - n_right + 1, baseline_share))


def worth(right: NDArray[np.bool_], groups: NDArray[np.intp]) -> float:
    """How many independent photos these grouped ones are worth, in (0, N].

    The ratio of two variances of the share: as if photos were independent, and between whole groups (Kish's
    design effect, never taken below 1). Where no or every photo is right both are 0; each group counts once.

    Args:
        right: (N,) which photos are right; N >= 1.
        groups: (N,) which photos belong together.

    Source: Kish, Survey Sampling (1965), sec. 8.2; variance of a ratio: Cochran, Sampling Techniques (1977).
    """
    n = right.size
    _, group_of = np.unique(groups, return_inverse=True)
    n_groups = int(group_of.max()) + 1
    share = float(right.mean())
    if n_groups == 1 or share in (0.0, 1.0):
        return float(n_groups)
    excess = np.bincount(group_of, weights=right - share)
    between_groups = n_groups / (n_groups - 1) * float(np.square(excess).sum()) / n**2
    return n / max(1.0, between_groups / (share * (1 - share) / n))


def share_interval(
    right: NDArray[np.bool_],
    groups: NDArray[np.intp] | None = None,
    confidence: float = 0.95,
    *,
    inflation: float = 1.0,
) -> Interval:
    """Wilson's range (low, high) of the share that is right, grouped photos counted for what they are worth.

    Args:
        right: (N,) which photos are right; empty gives (0, 1).
        groups: (N,) which photos belong together; None when each stands alone.
        confidence: how often such ranges hold the true share.
        inflation: of the variance, at least 1; CROSSED_INFLATION for answers of a cross-validation.
    """
    if right.size == 0:
        return wilson(0, 0, confidence)
    if groups is None and inflation == 1:
        return wilson(int(right.sum()), right.size, confidence)
    n = (right.size if groups is None else worth(right, groups)) / inflation
    return wilson(float(right.mean()) * n, n, confidence)


def f1_interval(
    found: NDArray[np.bool_],
    groups: NDArray[np.intp] | None = None,
    confidence: float = 0.95,
    *,
    inflation: float = 1.0,
) -> Interval:
    """The range (low, high) of one class's F1.

    F1 = 2 J / (1 + J), where J is the share of photos both of the class and answered so among those that are
    either. J is a share, so Wilson's range of J, sent through the same curve, is the range of F1.

    Args:
        found: (N,) for each photo that is of the class or answered as it: whether it is both.
        groups: (N,) which photos belong together; None when each stands alone.
        confidence: how often such ranges hold the true F1.
        inflation: as in `share_interval`.

    Source: Lam, Gopal and Qian, arXiv 2309.14621 (2023), the Wilson indirect method.
    """
    low, high = share_interval(found, groups, confidence, inflation=inflation)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def mean_interval(values: NDArray[np.float64], intervals: NDArray[np.float64]) -> Interval:
    """The range (low, high) of the mean of independent shares, each with its own range.

    Unlike resampling it does not collapse to a point when no photo is wrong or a class has a single photo.

    Args:
        values: (C,) the shares; C >= 1.
        intervals: (C, 2) low and high of each.

    Source: Zou and Donner, Stat. Med. 27 (2008): the method of variance estimates recovery.
    """
    mean = float(values.mean())
    reach = np.sqrt(np.square(intervals - values[:, None]).sum(axis=0)) / values.size
    return max(0.0, mean - float(reach[0])), min(1.0, mean + float(reach[1]))


def bootstrap(
    labels: NDArray[np.intp],
    answers: NDArray[np.intp],
    *,
    groups: NDArray[np.intp] | None = None,
    n_resamples: int = BOOTSTRAP_RESAMPLES,
    confidence: float = 0.95,
    seed: int = 0,
    inflation: float = 1.0,
) -> tuple[Interval, Interval]:
    """The ranges of balanced accuracy and of macro-F1 over resampled test photos: two pairs (low, high).

    Photos are drawn again within each class, so that every resample has the same class counts; where `groups`
    is given whole groups are drawn instead, and a class may then be absent from a resample. Both means are
    over the classes that `labels` holds. The order of the photos does not matter.

    A resample shows no error that did not happen, so the range is too narrow for few photos (measured: 2
    classes of 5 photos, truly 95 % right: 36 % of the 95 % ranges hold the truth); `mean_interval` is not.

    Args:
        labels: (N,) the true class of each photo; N >= 1.
        answers: (N,) the class answered.
        groups: (N,) which photos belong together; None when each stands alone.
        n_resamples: how often to draw.
        confidence: the share of resamples inside the range.
        seed: the same seed gives the same ranges.
        inflation: as in `share_interval`.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), section 13.3; Field and Welsh,
    J. R. Stat. Soc. B 69 (2007) for whole groups.
    """
    n_classes = int(max(labels.max(), answers.max())) + 1
    confusion = np.bincount(labels * n_classes + answers, minlength=n_classes**2).reshape(n_classes, -1)
    rng = np.random.default_rng(seed)
    if groups is None:
        counts = _resample_classes(confusion, n_resamples, rng)
    else:
        counts = _resample_groups(labels, answers, groups, n_classes=n_classes, n_resamples=n_resamples, rng=rng)
    resampled = np.stack(_recall_and_f1(*counts))
    tail = (1 - confidence) / 2
    middle, ends = resampled.mean(axis=1), np.quantile(resampled, [tail, 1 - tail], axis=1)  # (2 ends, 2 metrics)
    if inflation != 1:
        ends = np.clip(middle + np.sqrt(inflation) * (ends - middle), 0, 1)
    return (float(ends[0, 0]), float(ends[1, 0])), (float(ends[0, 1]), float(ends[1, 1]))


# Photos of each class in each resample, (R, C) each: right, truly of it, answered as it.
_Counts: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def _resample_classes(confusion: NDArray[np.intp], n_resamples: int, rng: np.random.Generator) -> _Counts:
    n_classes = confusion.shape[0]
    right = np.zeros((n_resamples, n_classes))
    answered = np.zeros((n_resamples, n_classes))
    true = np.tile(confusion.sum(axis=1).astype(np.float64), (n_resamples, 1))
    for label, row in enumerate(confusion):
        seen = np.flatnonzero(row)  # drawing photos of one class is drawing its answers, a multinomial
        if seen.size == 0:
            continue
        drawn = rng.multinomial(row.sum(), row[seen] / row.sum(), size=n_resamples)
        answered[:, seen] += drawn
        right[:, label] = drawn[:, seen == label].sum(axis=1)
    return right, true, answered


def _resample_groups(
    labels: NDArray[np.intp],
    answers: NDArray[np.intp],
    groups: NDArray[np.intp],
    *,
    n_classes: int,
    n_resamples: int,
    rng: np.random.Generator,
) -> _Counts:
    _, group_of = np.unique(groups, return_inverse=True)
    n_groups = int(group_of.max()) + 1
    right = np.zeros((n_resamples, n_classes))
    true = np.zeros((n_resamples, n_classes))
    answered = np.zeros((n_resamples, n_classes))
    for i in range(n_resamples):
        weight = np.bincount(rng.integers(n_groups, size=n_groups), minlength=n_groups)[group_of]
        true[i] = np.bincount(labels, weights=weight, minlength=n_classes)
        answered[i] = np.bincount(answers, weights=weight, minlength=n_classes)
        right[i] = np.bincount(labels, weights=weight * (labels == answers), minlength=n_classes)
    return right, true, answered


def _recall_and_f1(
    right: NDArray[np.float64], true: NDArray[np.float64], answered: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean recall and mean F1 of each resample, (R,) each, over the classes it holds."""
    present = true > 0
    n_present = present.sum(axis=1)
    recall = np.where(present, right / np.maximum(true, 1), 0.0).sum(axis=1) / n_present
    f1 = np.where(present, 2 * right / np.maximum(true + answered, 1), 0.0).sum(axis=1) / n_present
    return recall, f1


def kept_intervals(
    clean: NDArray[np.bool_],
    corrupted: NDArray[np.floating],
    *,
    groups: NDArray[np.intp] | None = None,
    n_resamples: int = BOOTSTRAP_RESAMPLES,
    seed: int = 0,
) -> NDArray[np.float64]:
    """(V, 2) plausible range of the accuracy kept, sum(corrupted) / sum(clean), of each variant; 95 %.

    A Bayesian bootstrap of photos, or of whole groups, that keeps the pairs together: each draws a weight at random.
    Four photos that nobody took join in, of half a weight each (both right, only the clean one, only the corrupted one,
    neither), so that the range does not shrink to a point when no answer changed. That is Jeffreys' prior.

    Args:
        clean: (N,) which photos are right as they are; N >= 1.
        corrupted: (V, N) in [0, 1], which are right when corrupted.
        groups: (N,) which photos belong together; None when each stands alone.
        n_resamples: how often weights are drawn; the same draws serve all variants.
        seed: the same seed gives the same ranges.

    Source: Rubin, Ann. Stat. 9 (1981), for the weights.
    """
    n, n_variants = clean.size, len(corrupted)
    group_of = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
    n_groups = int(group_of.max()) + 1
    sums = np.zeros((n_groups, n_variants + 1))
    np.add.at(sums, group_of, np.column_stack([clean, corrupted.T]).astype(np.float64))
    rng = np.random.default_rng(seed)
    drawn = rng.standard_gamma(1.0, (n_resamples, n_groups)) @ sums
    both, lost, gained = rng.standard_gamma(0.5, (3, n_resamples)) * n / n_groups  # "neither" adds to no sum
    ratios = (drawn[:, 1:] + (both + gained)[:, None]) / (drawn[:, 0] + both + lost)[:, None]
    ends: NDArray[np.float64] = np.quantile(ratios, [0.025, 0.975], axis=0).T
    return ends

"""Whether more photos would help: mistakes against photos learned from, and a cautious look ahead.

Heads are fitted on nested shares of the training photos and asked about the photos of the fold left out; the point at
all photos is what `fit_probe` already knows. Errors fall on a nearly straight line in log error against log photos. The
line's level is measured on the person's photos. Its slope is hard to measure on a few hundred photos, so it is drawn
towards the slope that photo sets usually have. `benchmarks/learning_curves.py` says how well that predicts.
"""

import math
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tellapart.classifier.probe import CalibratedHead, fit_heads
from tellapart.data.split import ALWAYS_TRAINS
from tellapart.metrics.intervals import worth
from tellapart.parallel import n_cores
from tellapart.recipe import LinearProbe

SHARES = (1 / 8, 1 / 4, 1 / 2)  # of the photos that a fold's head learns from; all of them were fitted already
TOLERANCE = 1e-3  # of the solver; half the time, and an answer in two hundred differs
LEAST_ASKED = 40  # photos; with fewer, a share of mistakes is known to 30 points at best
LEAST_PER_CLASS = 2  # photos that a head learns from, on average; below it a curve shows which photos were drawn
LEAST_OF_CLASS = 10  # photos of one class that were asked about
USUAL_SLOPE = 0.28  # a fifth fewer mistakes for twice the photos: clothing, instruments and hot dogs, 0.2 to 0.4
USUAL_SLOPE_SD = 0.10
BEND = 0.15  # of log error for each halving: curves are steeper at the start than where they end
DRIFT = 0.05  # of log error for each doubling that is only foretold
FARTHEST = 8.0  # times the photos; foretelling further was never held against what came
Z = 1.96  # 95 % of a normal distribution


@dataclass(frozen=True)
class Estimate:
    """A number and its plausible range."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class PhotosNeeded:
    """How many more photos it takes.

    Args:
        more: the likeliest number.
        low: at the least.
        high: at the most; None where no number of photos up to FARTHEST times as many is sure to do.
    """

    more: int
    low: int
    high: int | None


@dataclass(frozen=True)
class CurveSummary:
    """What a report shows of a curve.

    Args:
        n_photos: learned from, at each point.
        accuracies: the share right at each point.
        n_asked: photos that were asked about.
        n_now: photos there are.
        flat: whether it may well not rise any more.
        error_now: the share of mistakes with all of them.
        gain_of_doubling: the share more that would be right with twice as many; None where nothing is promised.
    """

    n_photos: tuple[int, ...]
    accuracies: tuple[float, ...]
    n_asked: int
    n_now: int
    flat: bool
    error_now: Estimate
    gain_of_doubling: Estimate | None


@dataclass(frozen=True)
class LearningCurveSummary:
    """Of all photos, and of each class in the order of their labels."""

    overall: CurveSummary
    per_class: tuple[CurveSummary | None, ...]


@dataclass(frozen=True)
class Curve:
    """The share of mistakes against the photos learned from, for all photos or for those of one class.

    For one class, `n_photos` counts its own photos, and all other classes grow alongside.

    Args:
        n_photos: learned from at each point, ascending.
        accuracies: the share of out-of-fold photos that were right at each point; for one class, its recall.
        n_asked: photos that the shares are of.
        n_now: photos that the finished head learns from, a little more than at the last point.
        log_error: at the last point, natural logarithm.
        log_error_variance: of it.
        slope: how fast log error falls with log photos, at least 0.
        slope_variance: of it.
    """

    n_photos: tuple[int, ...]
    accuracies: tuple[float, ...]
    n_asked: int
    n_now: int
    log_error: float
    log_error_variance: float
    slope: float
    slope_variance: float

    @property
    def flat(self) -> bool:
        """Whether more photos may well change nothing: the plausible range of the slope holds 0."""
        return self.slope <= Z * math.sqrt(self.slope_variance)

    def error_at(self, n_photos: float) -> Estimate:
        """The share of mistakes of a head that learns from `n_photos` (above 0) like these."""
        ahead = math.log(n_photos / self.n_photos[-1])
        drift = DRIFT**2 * max(0.0, ahead) / math.log(2)
        reach = Z * math.sqrt(self.log_error_variance + self.slope_variance * ahead**2 + drift)
        middle = self.log_error - self.slope * ahead
        value, low, high = (min(1.0, math.exp(middle + off)) for off in (0.0, -reach, reach))
        return Estimate(value, low, high)

    def kept(self, times: float) -> Estimate:
        """The share of today's mistakes that remain with `times` as many photos, in [1, FARTHEST]."""
        ahead = math.log(times)
        reach = Z * math.sqrt(self.slope_variance * ahead**2 + DRIFT**2 * ahead / math.log(2))
        value, low, high = (min(1.0, math.exp(off - self.slope * ahead)) for off in (0.0, -reach, reach))
        return Estimate(value, low, high)

    def gain(self, times: float = 2.0) -> Estimate | None:
        """How much of all photos would be right in addition with `times` as many photos; None where that is not known.

        Args:
            times: in (1, FARTHEST].
        """
        if self.flat or not 1 < times <= FARTHEST:
            return None
        now, kept = self.error_at(self.n_now), self.kept(times)
        value = now.value * (1 - kept.value)
        # The two sources of doubt are independent: the level of the curve, and how steep it is.
        low = value - math.hypot(value * (1 - now.low / now.value), now.value * (kept.high - kept.value))
        high = value + math.hypot(value * (now.high / now.value - 1), now.value * (kept.value - kept.low))
        return Estimate(value, max(0.0, low), min(now.high, high))

    def photos_for(self, kept: float) -> PhotosNeeded | None:
        """How many more photos until only the share `kept` of today's mistakes remains; None where nobody can say.

        That is where the curve is flat, or where it takes more than FARTHEST times the photos there are.

        Args:
            kept: in (0, 1); 0.5 halves the mistakes, and 1 - x / error gains x.
        """
        if self.flat:
            return None
        times = np.geomspace(1, FARTHEST, 400)
        ahead = [self.kept(float(t)) for t in times]

        def more(remaining: list[float]) -> int | None:
            reached = np.flatnonzero(np.array(remaining) <= kept)
            return math.ceil((times[reached[0]] - 1) * self.n_now) if len(reached) else None

        middle, low = more([e.value for e in ahead]), more([e.low for e in ahead])
        if middle is None or low is None:
            return None
        return PhotosNeeded(middle, low, more([e.high for e in ahead]))

    def summary(self) -> CurveSummary:
        """The points, and what is foretold for twice the photos."""
        return CurveSummary(
            self.n_photos,
            self.accuracies,
            self.n_asked,
            self.n_now,
            self.flat,
            self.error_at(self.n_now),
            self.gain(),
        )


@dataclass(frozen=True)
class LearningCurve:
    """What growing the photos has done so far.

    Args:
        overall: of all photos.
        per_class: (C,) of each class; None for one with too few photos.
    """

    overall: Curve
    per_class: tuple[Curve | None, ...]

    def summary(self) -> LearningCurveSummary:
        """What a report shows of it."""
        return LearningCurveSummary(
            self.overall.summary(), tuple(curve.summary() if curve else None for curve in self.per_class)
        )


def learning_curve(
    features: NDArray[np.float32],
    labels: NDArray[np.int32],
    folds: NDArray[np.int32],
    groups: NDArray[np.int32],
    n_classes: int,
    recipe: LinearProbe,
    fitted: CalibratedHead,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> LearningCurve | None:
    """The curve of the training photos; None with too few of them, or with a head that was trained with its network.

    Args:
        features: (N, D) float32 of training photos only, as `fit_probe` had them; may be memory-mapped.
        labels: (N,) int32 in [0, n_classes).
        folds: (N,) as `fit_probe` had them.
        groups: (N,) photos of one group join a share together, as they would join a growing folder.
        n_classes: C.
        recipe: hyper-parameters.
        fitted: its C, and its out-of-fold answers, which are the last point.
        progress: called with (fits done, fits in all).
    """
    said, c = fitted.out_of_fold, fitted.inverse_regularisation
    if c is None or len(said.indices) < LEAST_ASKED:
        return None
    drawn = _Draws(labels, folds, groups, said.indices, recipe)
    present = len(np.unique(labels))
    shares = [share for share in SHARES if drawn.counts(share, n_classes).sum() >= LEAST_PER_CLASS * present]
    if not shares:
        return None
    answers = _answers(features, labels, n_classes, drawn, shares, recipe, c, progress)
    wrong = np.stack([*answers, said.logits.argmax(axis=1)]) != said.labels
    counts = np.stack([drawn.counts(share, n_classes) for share in (*shares, 1.0)])
    now = np.bincount(labels, minlength=n_classes)
    overall = _curve(wrong, counts.sum(axis=1), len(labels), groups[said.indices], None)
    per_class = [
        _curve(wrong[:, own], counts[:, c], int(now[c]), groups[said.indices][own], overall)
        if (own := said.labels == c).sum() >= LEAST_OF_CLASS
        else None
        for c in range(n_classes)
    ]
    return LearningCurve(overall, tuple(per_class))


class _Draws:
    """Which photos a fold's head learns from at each share; smaller shares lie inside larger ones."""

    def __init__(
        self,
        labels: NDArray[np.int32],
        folds: NDArray[np.int32],
        groups: NDArray[np.int32],
        asked: NDArray[np.int64],
        recipe: LinearProbe,
    ) -> None:
        self.labels = labels
        self.rows = [np.flatnonzero(folds[asked] == fold) for fold in np.unique(folds[asked])]
        self.asked = asked
        rng = np.random.default_rng(recipe.seed)
        always = np.flatnonzero(folds == ALWAYS_TRAINS)
        kept = min(1.0, recipe.max_choosing_photos / len(folds))  # as many of them as `fit_probe` used to choose C
        always = always[nested_positions(labels[always], groups[always], rng) < kept]
        self.pools = [np.concatenate([np.delete(asked, rows), always]) for rows in self.rows]
        self.positions = [nested_positions(labels[pool], groups[pool], rng) for pool in self.pools]

    def photos(self, fold: int, share: float) -> NDArray[np.int64]:
        """Indices of the photos that train at `share` in fold number `fold`."""
        return self.pools[fold][self.positions[fold] < share]

    def counts(self, share: float, n_classes: int) -> NDArray[np.float64]:
        """(C,) photos of each class that train at `share`, mean over the folds."""
        drawn = [self.labels[self.photos(fold, share)] for fold in range(len(self.rows))]
        return np.asarray(np.mean([np.bincount(own, minlength=n_classes) for own in drawn], axis=0))


def nested_positions(
    labels: NDArray[np.int32], groups: NDArray[np.int32], rng: np.random.Generator
) -> NDArray[np.float64]:
    """(N,) in [0, 1): the photos below s are about the share s of each class, at least one photo, in whole groups.

    Only the group at the edge is cut. For s ≤ t the photos below s are among those below t.

    Args:
        labels: (N,).
        groups: (N,) photos of one group get neighbouring positions.
        rng: of the order of the groups.
    """
    _, group_of = np.unique(groups, return_inverse=True)
    key = rng.permutation(group_of.max() + 1)[group_of] if len(group_of) else group_of
    order = np.lexsort((key, labels))
    sizes = np.unique(labels, return_counts=True)[1]
    within = np.concatenate([np.arange(size) / size for size in sizes]) if len(sizes) else np.zeros(0)
    positions = np.empty(len(labels))
    positions[order] = within
    return positions


def _answers(
    features: NDArray[np.float32],
    labels: NDArray[np.int32],
    n_classes: int,
    drawn: _Draws,
    shares: list[float],
    recipe: LinearProbe,
    c: float,
    progress: Callable[[int, int], None],
) -> NDArray[np.int64]:
    """(S, M) the label answered at each share to each photo asked about."""
    loose = replace(recipe, tolerance=max(recipe.tolerance, TOLERANCE))

    def ask(fold: int, share: float) -> NDArray[np.int64]:
        train = drawn.photos(fold, share)
        with threadpool_limits(1):  # OpenMP's limit holds for the thread that sets it
            head = fit_heads(features[train], labels[train], n_classes, loose, [c])[c]
            return np.asarray(head.logits(features[drawn.asked[drawn.rows[fold]]]).argmax(axis=1))

    answers = np.empty((len(shares), len(drawn.asked)), np.int64)
    tasks: list[tuple[int, int, Future[NDArray[np.int64]]]] = []
    with threadpool_limits(1), ThreadPoolExecutor(n_cores()) as executor:
        for i in reversed(range(len(shares))):  # long ones first, so that all cores finish together
            tasks += [(i, fold, executor.submit(ask, fold, shares[i])) for fold in range(len(drawn.rows))]
        for done, (i, fold, task) in enumerate(tasks, start=1):
            answers[i, drawn.rows[fold]] = task.result()
            progress(done, len(tasks))
    return answers


def _curve(
    wrong: NDArray[np.bool_],
    n_photos: NDArray[np.float64],
    n_now: int,
    groups: NDArray[np.int32],
    whole: Curve | None,
) -> Curve:
    """The curve through the last point, with the slope of the `whole` set's curve where that is given.

    A class shares the slope of all photos: on three sets, slopes of classes' own foretold worse.

    Args:
        wrong: (S, M) which photos were answered wrongly at each point.
        n_photos: (S,) learned from.
        n_now: learned from by the finished head.
        groups: (M,) photos of one group are right or wrong together.
        whole: the curve of all photos, or None when this is it.
    """
    n = wrong.shape[1]
    errors = (wrong.sum(axis=1) + 0.5) / (n + 1)  # half a mistake more, so that none at all has a logarithm
    last = float(errors[-1])
    slope, variance = (whole.slope, whole.slope_variance) if whole else fit_slope(wrong, n_photos, groups)
    return Curve(
        n_photos=tuple(max(1, round(size)) for size in n_photos),
        accuracies=tuple(float(a) for a in (~wrong).mean(axis=1)),
        n_asked=n,
        n_now=n_now,
        log_error=math.log(last),
        log_error_variance=(1 - last) / (last * worth(wrong[-1], groups.astype(np.intp))),
        slope=max(0.0, slope),
        slope_variance=variance,
    )


def fit_slope(
    wrong: NDArray[np.bool_], n_photos: NDArray[np.float64], groups: NDArray[np.int32]
) -> tuple[float, float]:
    """How fast log error falls with log photos, drawn towards the usual slope, and its variance.

    Least squares through the last point, weighted by what each ratio of errors is worth; the same photos are asked at
    every point, so the variance of a ratio comes from the photos whose answer changed. Then the normal posterior with
    the usual slope as prior.

    Args:
        wrong: (S, M) which photos were answered wrongly at each point, S >= 2.
        n_photos: (S,) learned from, ascending.
        groups: (M,) photos of one group count as one.

    Source: a power law of error in training photos: Hestness et al., arXiv 1712.00409 (2017).
    """
    n = wrong.shape[1]
    mistakes = wrong.sum(axis=1) + 0.5
    ratio = np.log(mistakes[:-1] / mistakes[-1])
    ahead = np.log(n_photos[-1] / n_photos[:-1])
    influence = wrong[:-1] / mistakes[:-1, None] - wrong[-1] / mistakes[-1]
    influence -= influence.sum(axis=1, keepdims=True) / n
    _, group_of = np.unique(groups, return_inverse=True)
    by_group = np.stack([np.bincount(group_of, weights=row) for row in influence])
    noise = by_group @ by_group.T
    noise[np.diag_indices_from(noise)] += (BEND * ahead / np.log(2)) ** 2 + 0.5 / mistakes[-1] ** 2
    pull = ahead / np.diag(noise)
    pull /= pull @ ahead
    measured, variance = float(pull @ ratio), float(pull @ noise @ pull)
    precision = 1 / variance + 1 / USUAL_SLOPE_SD**2
    return (measured / variance + USUAL_SLOPE / USUAL_SLOPE_SD**2) / precision, 1 / precision

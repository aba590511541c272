"""Each score of the report: what it says, and how it is computed from answers about test photos."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tellapart.metrics.calibration import ReliabilityBin, brier, ece, ece_null_band, nll, reliability_bins
from tellapart.metrics.detection import risk_coverage
from tellapart.metrics.intervals import (
    Range,
    Share,
    bootstrap,
    f1_interval,
    mean_interval,
    no_information_p_value,
    share_interval,
)

MOST_WRONG = 24  # photos; a person looks at two screens of them and no more
CONFUSED_PAIRS = 5
NOTHING = Share(None, None, None)

Groups: TypeAlias = NDArray[np.intp] | None


@dataclass(frozen=True)
class Accuracy(Share):
    """The share right, and how many those are."""

    n_right: int


@dataclass(frozen=True)
class AccuracyOf(Accuracy):
    """An accuracy, and of how many photos."""

    n_test: int


@dataclass(frozen=True)
class ClassScores:
    """How well one class is told apart.

    Args:
        class_name: its name.
        n_train: photos of it learned from; None where that is not known.
        n_test: photos of it that were asked about.
        precision: of the answers with its name, those that were right.
        recall: of its photos, those that were named.
        f1: the harmonic mean of both.
    """

    class_name: str
    n_train: int | None
    n_test: int
    precision: Share
    recall: Share
    f1: Share


@dataclass(frozen=True)
class Baseline:
    """What always answering the commonest class would get; `p_value` of doing as well as the model by luck alone."""

    class_name: str | None
    value: float | None
    n_right: int
    p_value: float | None


@dataclass(frozen=True)
class Confusion:
    """(C, C) photos by class (rows) and answer (columns), both in the order of `class_names`."""

    class_names: tuple[str, ...]
    matrix: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class CalibrationBefore:
    """The same measures of calibration before the temperature."""

    ece: float
    nll: float
    brier: float


@dataclass(frozen=True)
class Calibration:
    """How far confidences can be trusted; None throughout where no photo was asked about.

    Args:
        ece: expected calibration error, in [0, 1].
        ece_perfect_mean: what a perfect model would show on as many photos, on average;
        ece_perfect_p95: and what it would exceed one time in twenty.
        nll: mean negative log-likelihood, in nats.
        brier: mean Brier score.
        temperature: that the logits were divided by; None where it is not known.
        before: the measures before that; None where they are not known.
        bins: photos in groups of similar confidence.
    """

    ece: float | None
    ece_perfect_mean: float | None
    ece_perfect_p95: float | None
    nll: float | None
    brier: float | None
    temperature: float | None
    before: CalibrationBefore | None
    bins: tuple[ReliabilityBin, ...]


@dataclass(frozen=True)
class RiskCurve:
    """The share wrong (`risk`) among the share of photos it is surest of (`coverage`), point by point.

    `area` lies under the curve; a perfect order of the same photos would save `excess` of it.
    """

    coverage: tuple[float, ...]
    risk: tuple[float, ...]
    area: float
    excess: float


@dataclass(frozen=True)
class WrongPhoto:
    """A photo that got another class than its own, with the probabilities of both."""

    photo: str
    class_name: str
    answer: str
    confidence: float
    prob_of_class: float


@dataclass(frozen=True)
class ConfusedPair:
    """How often photos of one class got another."""

    class_name: str
    answer: str
    n: int


def _share(right: NDArray[np.bool_], groups: Groups, inflation: float) -> Share:
    """A share and its plausible range; all None when there is nothing to take a share of."""
    if right.size == 0:
        return NOTHING
    low, high = share_interval(right, groups, inflation=inflation)
    return Share(float(right.mean()), low, high)


def confusion_matrix(labels: NDArray[np.intp], answers: NDArray[np.intp], n_classes: int) -> NDArray[np.intp]:
    """(C, C) photos by class (rows) and answer (columns)."""
    return np.bincount(labels * n_classes + answers, minlength=n_classes**2).reshape(n_classes, -1)


def accuracy(right: NDArray[np.bool_], groups: Groups, inflation: float = 1.0) -> Accuracy:
    """From (N,) flags, and which photos belong together; `inflation` as in `metrics.intervals.share_interval`."""
    share = _share(right, groups, inflation)
    return Accuracy(share.value, share.low, share.high, int(right.sum()))


def class_scores(
    labels: NDArray[np.intp],
    answers: NDArray[np.intp],
    class_names: Sequence[str],
    n_train: Sequence[int] | None,
    groups: Groups,
    inflation: float = 1.0,
) -> tuple[ClassScores, ...]:
    """Of each class, from (N,) labels and answers; `n_train` photos of each were learned from."""
    return tuple(
        ClassScores(
            name,
            None if n_train is None else int(n_train[c]),
            int((labels == c).sum()),
            *_precision_recall_f1(labels == c, answers == c, groups, inflation),
        )
        for c, name in enumerate(class_names)
    )


def _precision_recall_f1(
    is_class: NDArray[np.bool_], is_answer: NDArray[np.bool_], groups: Groups, inflation: float
) -> tuple[Share, Share, Share]:
    """Of one class, from (N,) flags."""

    def within(found: NDArray[np.bool_], among: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], Groups]:
        return found[among], None if groups is None else groups[among]

    precision = _share(*within(is_class, is_answer), inflation)
    recall = _share(*within(is_answer, is_class), inflation)
    if not is_class.any():
        return precision, recall, NOTHING
    found, found_groups = within(is_class & is_answer, is_class | is_answer)
    overlap = float(found.mean())
    return precision, recall, Share(2 * overlap / (1 + overlap), *f1_interval(found, found_groups, inflation=inflation))


def class_means(
    per_class: Sequence[ClassScores],
    labels: NDArray[np.intp],
    answers: NDArray[np.intp],
    groups: Groups,
    seed: int,
    inflation: float = 1.0,
) -> tuple[float | None, Range, Share]:
    """Balanced accuracy, its range, and macro-F1, over the classes that have test photos.

    The wider of two ranges at each end: resampling ignores the errors that happened not to occur, adding up
    the classes' own ranges ignores that one mistake costs two classes.
    """
    tested = [scores for scores in per_class if scores.n_test]
    if not tested:
        return None, Range(None, None), NOTHING
    resampled = bootstrap(labels, answers, groups=groups, seed=seed, inflation=inflation)
    means = []
    for shares, (low, high) in zip(([s.recall for s in tested], [s.f1 for s in tested]), resampled, strict=True):
        values = np.array([share.value for share in shares], np.float64)
        ranges = np.array([[share.low, share.high] for share in shares], np.float64)
        added_low, added_high = mean_interval(values, ranges)
        means.append(Share(float(values.mean()), min(low, added_low), max(high, added_high)))
    recall, f1 = means
    return recall.value, Range(recall.low, recall.high), f1


def baseline(confusion: NDArray[np.intp], class_names: Sequence[str]) -> Baseline:
    """What always answering the commonest class of the test photos would get (the first one, if tied)."""
    n = int(confusion.sum())
    if n == 0:
        return Baseline(None, None, 0, None)
    commonest = int(confusion.sum(axis=1).argmax())
    n_right = int(confusion[commonest].sum())
    p_value = no_information_p_value(int(np.trace(confusion)), n, n_right / n)
    return Baseline(class_names[commonest], n_right / n, n_right, p_value)


def calibration(
    probs: NDArray[np.float64],
    labels: NDArray[np.intp],
    before: NDArray[np.float64] | None,
    temperature: float | None,
    seed: int,
) -> Calibration:
    """Of (N, C) probabilities, and of those `before` the temperature."""
    if labels.size == 0:
        return Calibration(None, None, None, None, None, temperature, None, ())
    confidences, right = probs.max(axis=1), probs.argmax(axis=1) == labels
    perfect = ece_null_band(confidences, seed=seed)
    return Calibration(
        ece=ece(confidences, right),
        ece_perfect_mean=perfect.mean,
        ece_perfect_p95=perfect.p95,
        nll=nll(probs, labels),
        brier=brier(probs, labels),
        temperature=temperature,
        before=None
        if before is None
        else CalibrationBefore(
            ece(before.max(axis=1), before.argmax(axis=1) == labels), nll(before, labels), brier(before, labels)
        ),
        bins=tuple(reliability_bins(confidences, right)),
    )


def risk_curve(probs: NDArray[np.float64], labels: NDArray[np.intp]) -> RiskCurve | None:
    """What is wrong among the photos of which it is surest; None for no photos."""
    if labels.size == 0:
        return None
    curve = risk_coverage(probs.max(axis=1), probs.argmax(axis=1) == labels)
    return RiskCurve(tuple(curve.coverage.tolist()), tuple(curve.risk.tolist()), curve.area, curve.excess)


def most_wrong(
    probs: NDArray[np.float64],
    labels: NDArray[np.intp],
    answers: NDArray[np.intp],
    class_names: Sequence[str],
    photos: Sequence[str],
) -> tuple[WrongPhoto, ...]:
    """The wrong photos of which the model was most sure, most sure first, then by name."""
    wrong = sorted(np.flatnonzero(labels != answers).tolist(), key=lambda i: (-probs[i, answers[i]], photos[i]))
    return tuple(
        WrongPhoto(
            photos[i],
            class_names[labels[i]],
            class_names[answers[i]],
            float(probs[i, answers[i]]),
            float(probs[i, labels[i]]),
        )
        for i in wrong[:MOST_WRONG]
    )


def confused_pairs(confusion: NDArray[np.intp], class_names: Sequence[str]) -> tuple[ConfusedPair, ...]:
    """The commonest mistakes (true class, answer), most frequent first, then in class order."""
    mistakes = confusion * (1 - np.eye(len(class_names), dtype=np.intp))
    pairs = sorted(zip(*np.nonzero(mistakes), strict=True), key=lambda pair: -int(mistakes[pair]))
    return tuple(
        ConfusedPair(class_names[label], class_names[answer], int(mistakes[label, answer]))
        for label, answer in pairs[:CONFUSED_PAIRS]
    )

"""Predictions on test photos -> every number of the report."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tellapart.data.split import FEW_TEST_PHOTOS
from tellapart.errors import InputError
from tellapart.evaluation.evaluation import (
    Accuracy,
    Baseline,
    Calibration,
    CalibrationBefore,
    ClassScores,
    ConfusedPair,
    Confusion,
    Evaluation,
    RiskCurve,
    WrongPhoto,
)
from tellapart.metrics.calibration import brier, ece, ece_null_band, nll, reliability_bins
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
NOT_CLEARLY_BETTER_P = 0.05
NOTHING = Share(None, None, None)

_Groups: TypeAlias = NDArray[np.intp] | None


def evaluate_predictions(
    probs: ArrayLike,
    labels: ArrayLike,
    class_names: Sequence[str],
    photos: Sequence[str],
    *,
    n_train_per_class: Sequence[int] | None = None,
    groups: ArrayLike | None = None,
    logits_probs_uncalibrated: ArrayLike | None = None,
    temperature: float | None = None,
    crossed: bool = False,
    seed: int = 0,
) -> Evaluation:
    """Everything the report says about answers on photos the model never saw.

    Shares are in [0, 1]. What cannot be known (the recall of a class without test photos, the precision of a
    class never answered, any score of no photos) is None, never NaN. The order of the photos changes nothing.

    Args:
        probs: (N, C) calibrated probabilities of the test photos; N may be 0. Ties go to the first class.
        labels: (N,) true class of each, in [0, C).
        class_names: C names, in the order of the columns of `probs`.
        photos: N names, for the list of the most wrong.
        n_train_per_class: how many photos of each class it learned from, C of them.
        groups: (N,) which photos belong together (bursts, near-duplicates); intervals then widen accordingly.
        logits_probs_uncalibrated: (N, C) probabilities before the temperature, to show what it changed.
        temperature: the temperature itself, passed through to the report.
        crossed: whether this is a cross-validation: photos not set aside, but each asked of a model that had not
            seen it.
        seed: of the bootstrap and of the simulated perfect model; the same seed gives the same bytes.

    Raises:
        InputError: shapes that do not fit each other, labels outside [0, C), or probabilities that are not.
    """
    probs, labels = np.asarray(probs, np.float64), np.asarray(labels, np.intp)
    _check_inputs(probs, labels, class_names, photos)
    before = None if logits_probs_uncalibrated is None else np.asarray(logits_probs_uncalibrated, np.float64)
    if before is not None:
        _check_inputs(before, labels, class_names, photos)
    group_of = None if groups is None else np.asarray(groups, np.intp)
    answers = probs.argmax(axis=1)
    confusion = np.bincount(labels * len(class_names) + answers, minlength=len(class_names) ** 2)
    confusion = confusion.reshape(len(class_names), -1)
    per_class = _per_class(labels, answers, class_names, n_train_per_class, group_of)
    balanced_accuracy, interval, macro_f1 = _class_means(per_class, labels, answers, group_of, seed)
    evaluation = Evaluation(
        n_test=labels.size,
        method="cross-validation" if crossed else "test",
        accuracy=_accuracy(labels == answers, group_of),
        balanced_accuracy=balanced_accuracy,
        balanced_accuracy_interval=interval,
        macro_f1=macro_f1,
        baseline=_baseline(confusion, class_names),
        per_class=per_class,
        confusion=Confusion(tuple(class_names), tuple(tuple(row) for row in confusion.tolist())),
        calibration=_calibration(probs, labels, before, temperature, seed),
        risk_coverage=_risk_curve(probs, labels),
        most_wrong=_most_wrong(probs, labels, answers, class_names, photos),
        confused_pairs=_confused_pairs(confusion, class_names),
        headline="",
    )
    return replace(evaluation, headline=str(headline(evaluation)))


@dataclass(frozen=True)
class Headline:
    """The one sentence to remember, in its parts; plain text, not HTML.

    Args:
        score: how many are right of how many.
        plausible: the range beside it, in brackets; empty where it says nothing.
        rest: what puts the score in its place.
    """

    score: str
    plausible: str = ""
    rest: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.score, self.plausible, self.rest) if part)


def headline(evaluation: Evaluation) -> Headline:
    """The score, with what would be a poor score beside it.

    All its numbers are photos of the test set, so that they compare at sight.
    """
    n, accuracy, baseline, crossed = evaluation.n_test, evaluation.accuracy, evaluation.baseline, evaluation.crossed
    if n == 0:
        return Headline("There are no test photos, so nothing is known about how well this works.")
    low, high = (f"{round((end or 0.0) * n):,}" for end in (accuracy.low, accuracy.high))
    tested = f"{'' if crossed else 'test '}photo{'s' if n > 1 else ''}"
    rest = ["Each was answered by a model that had not seen it."] if crossed else []
    if baseline.n_right == n:
        rest.append(f"Every test photo is '{baseline.class_name}', so this says nothing about the others.")
    else:
        rest.append(f"Always answering '{baseline.class_name}' would get {baseline.n_right:,}.")
        if baseline.p_value is not None and baseline.p_value > NOT_CLEARLY_BETTER_P:
            rest.append(
                f"This is not clearly better than always answering '{baseline.class_name}'"
                f" (p = {baseline.p_value:.2g})."
            )
    if n < FEW_TEST_PHOTOS:
        rest.append(f"With so few {'photos' if crossed else 'test photos'} the score is a rough guess.")
    return Headline(
        f"{accuracy.n_right:,} of {n:,} {tested} right",
        f"({f'{low} to {high}' if low != high else low} is plausible).",
        " ".join(rest),
    )


def _check_inputs(
    probs: NDArray[np.float64], labels: NDArray[np.intp], class_names: Sequence[str], photos: Sequence[str]
) -> None:
    n, n_classes = labels.size, len(class_names)
    if labels.ndim != 1 or probs.shape != (n, n_classes) or len(photos) != n or n_classes == 0:
        raise InputError(
            f"Probabilities must be one row a photo and one column a class ({n}, {n_classes}). "
            f"Got {probs.shape} for {len(photos)} photos."
        )
    if n and not (labels.min() >= 0 and labels.max() < n_classes):
        raise InputError(
            f"Labels must be in 0 to {n_classes - 1}. Got {labels.min()} to {labels.max()}.",
            hint="Match classes by name, not by the order in which folders were found.",
        )
    if not (np.all(probs >= 0) and np.allclose(probs.sum(axis=1), 1, atol=1e-3)):  # also false for NaN
        raise InputError("Probabilities must be at least 0 and sum to 1 for each photo. Got rows that do not.")


def _share(right: NDArray[np.bool_], groups: _Groups) -> Share:
    """A share and its plausible range; all None when there is nothing to take a share of."""
    if right.size == 0:
        return NOTHING
    low, high = share_interval(right, groups)
    return Share(float(right.mean()), low, high)


def _accuracy(right: NDArray[np.bool_], groups: _Groups) -> Accuracy:
    share = _share(right, groups)
    return Accuracy(share.value, share.low, share.high, int(right.sum()))


def _per_class(
    labels: NDArray[np.intp],
    answers: NDArray[np.intp],
    class_names: Sequence[str],
    n_train: Sequence[int] | None,
    groups: _Groups,
) -> tuple[ClassScores, ...]:
    return tuple(
        ClassScores(
            name,
            None if n_train is None else int(n_train[c]),
            int((labels == c).sum()),
            *_precision_recall_f1(labels == c, answers == c, groups),
        )
        for c, name in enumerate(class_names)
    )


def _precision_recall_f1(
    is_class: NDArray[np.bool_], is_answer: NDArray[np.bool_], groups: _Groups
) -> tuple[Share, Share, Share]:
    """Of one class, from (N,) flags."""

    def within(found: NDArray[np.bool_], among: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], _Groups]:
        return found[among], None if groups is None else groups[among]

    precision, recall = _share(*within(is_class, is_answer)), _share(*within(is_answer, is_class))
    if not is_class.any():
        return precision, recall, NOTHING
    found, found_groups = within(is_class & is_answer, is_class | is_answer)
    overlap = float(found.mean())
    return precision, recall, Share(2 * overlap / (1 + overlap), *f1_interval(found, found_groups))


def _class_means(
    per_class: Sequence[ClassScores],
    labels: NDArray[np.intp],
    answers: NDArray[np.intp],
    groups: _Groups,
    seed: int,
) -> tuple[float | None, Range, Share]:
    """Balanced accuracy, its range, and macro-F1, over the classes that have test photos.

    The wider of two ranges at each end: resampling ignores the errors that happened not to occur, adding up
    the classes' own ranges ignores that one mistake costs two classes.
    """
    tested = [scores for scores in per_class if scores.n_test]
    if not tested:
        return None, Range(None, None), NOTHING
    resampled = bootstrap(labels, answers, groups=groups, seed=seed)
    means = []
    for shares, (low, high) in zip(([s.recall for s in tested], [s.f1 for s in tested]), resampled, strict=True):
        values = np.array([share.value for share in shares], np.float64)
        ranges = np.array([[share.low, share.high] for share in shares], np.float64)
        added_low, added_high = mean_interval(values, ranges)
        means.append(Share(float(values.mean()), min(low, added_low), max(high, added_high)))
    recall, f1 = means
    return recall.value, Range(recall.low, recall.high), f1


def _baseline(confusion: NDArray[np.intp], class_names: Sequence[str]) -> Baseline:
    """What always answering the commonest class of the test photos would get (the first one, if tied)."""
    n = int(confusion.sum())
    if n == 0:
        return Baseline(None, None, 0, None)
    commonest = int(confusion.sum(axis=1).argmax())
    n_right = int(confusion[commonest].sum())
    p_value = no_information_p_value(int(np.trace(confusion)), n, n_right / n)
    return Baseline(class_names[commonest], n_right / n, n_right, p_value)


def _calibration(
    probs: NDArray[np.float64],
    labels: NDArray[np.intp],
    before: NDArray[np.float64] | None,
    temperature: float | None,
    seed: int,
) -> Calibration:
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


def _risk_curve(probs: NDArray[np.float64], labels: NDArray[np.intp]) -> RiskCurve | None:
    """What is wrong among the photos of which it is surest; None for no photos."""
    if labels.size == 0:
        return None
    curve = risk_coverage(probs.max(axis=1), probs.argmax(axis=1) == labels)
    return RiskCurve(tuple(curve.coverage.tolist()), tuple(curve.risk.tolist()), curve.area, curve.excess)


def _most_wrong(
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


def _confused_pairs(confusion: NDArray[np.intp], class_names: Sequence[str]) -> tuple[ConfusedPair, ...]:
    """The commonest mistakes (true class, answer), most frequent first, then in class order."""
    mistakes = confusion * (1 - np.eye(len(class_names), dtype=np.intp))
    pairs = sorted(zip(*np.nonzero(mistakes), strict=True), key=lambda pair: -int(mistakes[pair]))
    return tuple(
        ConfusedPair(class_names[label], class_names[answer], int(mistakes[label, answer]))
        for label, answer in pairs[:CONFUSED_PAIRS]
    )

"""Predictions on test photos -> every number of the report, as one JSON-able dict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tellapart.data.split import FEW_TEST_PHOTOS
from tellapart.errors import InputError
from tellapart.metrics.calibration import brier, ece, ece_null_band, nll, reliability_bins
from tellapart.metrics.detection import risk_coverage
from tellapart.metrics.intervals import (
    bootstrap,
    f1_interval,
    mean_interval,
    no_information_p_value,
    share_interval,
)

MOST_WRONG = 24  # photos; a person looks at two screens of them and no more
CONFUSED_PAIRS = 5
NOT_CLEARLY_BETTER_P = 0.05

Json: TypeAlias = dict[str, Any]
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
) -> Json:
    """Everything the report says about answers on photos the model never saw, ready for `json.dump`.

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
    evaluation: Json = {
        "n_test": labels.size,
        "method": "cross-validation" if crossed else "test",
        "accuracy": _accuracy(labels == answers, group_of),
        **_class_means(per_class, labels, answers, group_of, seed),
        "baseline": _baseline(confusion, class_names),
        "per_class": per_class,
        "confusion": {"class_names": list(class_names), "matrix": confusion.tolist()},
        "calibration": _calibration(probs, labels, before, temperature, seed),
        "risk_coverage": _risk_coverage(probs, labels),
        "most_wrong": _most_wrong(probs, labels, answers, class_names, photos),
        "confused_pairs": _confused_pairs(confusion, class_names),
    }
    evaluation["headline"] = str(headline(evaluation))
    return evaluation


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


def headline(evaluation: Mapping[str, Any]) -> Headline:
    """The score, with what would be a poor score beside it.

    All its numbers are photos of the test set, so that they compare at sight.

    Args:
        evaluation: `n_test`, `accuracy` and `baseline`, as `evaluate_predictions` makes them.
    """
    n, accuracy, baseline = evaluation["n_test"], evaluation["accuracy"], evaluation["baseline"]
    if n == 0:
        return Headline("There are no test photos, so nothing is known about how well this works.")
    low, high = (f"{round(accuracy[end] * n):,}" for end in ("low", "high"))
    crossed = evaluation.get("method") == "cross-validation"
    tested = f"{'' if crossed else 'test '}photo{'s' if n > 1 else ''}"
    rest = ["Each was answered by a model that had not seen it."] if crossed else []
    if baseline["n_right"] == n:
        rest.append(f"Every test photo is '{baseline['class_name']}', so this says nothing about the others.")
    else:
        rest.append(f"Always answering '{baseline['class_name']}' would get {baseline['n_right']:,}.")
        if baseline["p_value"] > NOT_CLEARLY_BETTER_P:
            rest.append(
                f"This is not clearly better than always answering '{baseline['class_name']}'"
                f" (p = {baseline['p_value']:.2g})."
            )
    if n < FEW_TEST_PHOTOS:
        rest.append(f"With so few {'photos' if crossed else 'test photos'} the score is a rough guess.")
    return Headline(
        f"{accuracy['n_right']:,} of {n:,} {tested} right",
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


def _share(right: NDArray[np.bool_], groups: _Groups) -> Json:
    """A share and its plausible range; all None when there is nothing to take a share of."""
    if right.size == 0:
        return {"value": None, "low": None, "high": None}
    low, high = share_interval(right, groups)
    return {"value": float(right.mean()), "low": low, "high": high}


def _accuracy(right: NDArray[np.bool_], groups: _Groups) -> Json:
    return _share(right, groups) | {"n_right": int(right.sum())}


def _per_class(
    labels: NDArray[np.intp],
    answers: NDArray[np.intp],
    class_names: Sequence[str],
    n_train: Sequence[int] | None,
    groups: _Groups,
) -> list[Json]:
    return [
        {
            "class_name": name,
            "n_train": None if n_train is None else int(n_train[c]),
            "n_test": int((labels == c).sum()),
        }
        | _class_scores(labels == c, answers == c, groups)
        for c, name in enumerate(class_names)
    ]


def _class_scores(is_class: NDArray[np.bool_], is_answer: NDArray[np.bool_], groups: _Groups) -> Json:
    """Precision, recall and F1 of one class from (N,) flags."""

    def within(found: NDArray[np.bool_], among: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], _Groups]:
        return found[among], None if groups is None else groups[among]

    scores = {
        "precision": _share(*within(is_class, is_answer)),
        "recall": _share(*within(is_answer, is_class)),
        "f1": {"value": None, "low": None, "high": None},
    }
    if is_class.any():
        found, found_groups = within(is_class & is_answer, is_class | is_answer)
        low, high = f1_interval(found, found_groups)
        overlap = float(found.mean())
        scores["f1"] = {"value": 2 * overlap / (1 + overlap), "low": low, "high": high}
    return scores


def _class_means(
    per_class: Sequence[Json],
    labels: NDArray[np.intp],
    answers: NDArray[np.intp],
    groups: _Groups,
    seed: int,
) -> Json:
    """Balanced accuracy and macro-F1 over the classes that have test photos, each with its range.

    The wider of two ranges at each end: resampling ignores the errors that happened not to occur, adding up
    the classes' own ranges ignores that one mistake costs two classes.
    """
    tested = [scores for scores in per_class if scores["n_test"]]
    if not tested:
        return {
            "balanced_accuracy": None,
            "balanced_accuracy_interval": {"low": None, "high": None},
            "macro_f1": {"value": None, "low": None, "high": None},
        }
    resampled = bootstrap(labels, answers, groups=groups, seed=seed)
    means = []
    for metric, (low, high) in zip(("recall", "f1"), resampled, strict=True):
        values = np.array([scores[metric]["value"] for scores in tested])
        ranges = np.array([[scores[metric]["low"], scores[metric]["high"]] for scores in tested])
        added_low, added_high = mean_interval(values, ranges)
        means.append((float(values.mean()), min(low, added_low), max(high, added_high)))
    (recall, recall_low, recall_high), (f1, f1_low, f1_high) = means
    return {
        "balanced_accuracy": recall,
        "balanced_accuracy_interval": {"low": recall_low, "high": recall_high},
        "macro_f1": {"value": f1, "low": f1_low, "high": f1_high},
    }


def _baseline(confusion: NDArray[np.intp], class_names: Sequence[str]) -> Json:
    """What always answering the commonest class of the test photos would get (the first one, if tied)."""
    n = int(confusion.sum())
    if n == 0:
        return {"class_name": None, "value": None, "n_right": 0, "p_value": None}
    commonest = int(confusion.sum(axis=1).argmax())
    n_right = int(confusion[commonest].sum())
    return {
        "class_name": class_names[commonest],
        "value": n_right / n,
        "n_right": n_right,
        "p_value": no_information_p_value(int(np.trace(confusion)), n, n_right / n),
    }


def _calibration(
    probs: NDArray[np.float64],
    labels: NDArray[np.intp],
    before: NDArray[np.float64] | None,
    temperature: float | None,
    seed: int,
) -> Json:
    if labels.size == 0:
        nothing = dict.fromkeys(("ece", "ece_perfect_mean", "ece_perfect_p95", "nll", "brier"))
        return nothing | {"temperature": temperature, "before": None, "bins": []}
    confidences, right = probs.max(axis=1), probs.argmax(axis=1) == labels
    perfect = ece_null_band(confidences, seed=seed)
    return {
        "ece": ece(confidences, right),
        "ece_perfect_mean": perfect.mean,
        "ece_perfect_p95": perfect.p95,
        "nll": nll(probs, labels),
        "brier": brier(probs, labels),
        "temperature": temperature,
        "before": None
        if before is None
        else {
            "ece": ece(before.max(axis=1), before.argmax(axis=1) == labels),
            "nll": nll(before, labels),
            "brier": brier(before, labels),
        },
        "bins": [
            {"confidence": b.confidence, "share_right": b.share_right, "low": b.low, "high": b.high, "n": b.n}
            for b in reliability_bins(confidences, right)
        ],
    }


def _risk_coverage(probs: NDArray[np.float64], labels: NDArray[np.intp]) -> Json | None:
    """What is wrong among the photos of which it is surest; None for no photos."""
    if labels.size == 0:
        return None
    curve = risk_coverage(probs.max(axis=1), probs.argmax(axis=1) == labels)
    return {
        "coverage": curve.coverage.tolist(),
        "risk": curve.risk.tolist(),
        "area": curve.area,
        "excess": curve.excess,
    }


def _most_wrong(
    probs: NDArray[np.float64],
    labels: NDArray[np.intp],
    answers: NDArray[np.intp],
    class_names: Sequence[str],
    photos: Sequence[str],
) -> list[Json]:
    """The wrong photos of which the model was most sure, most sure first, then by name."""
    wrong = sorted(np.flatnonzero(labels != answers).tolist(), key=lambda i: (-probs[i, answers[i]], photos[i]))
    return [
        {
            "photo": photos[i],
            "class_name": class_names[labels[i]],
            "answer": class_names[answers[i]],
            "confidence": float(probs[i, answers[i]]),
            "prob_of_class": float(probs[i, labels[i]]),
        }
        for i in wrong[:MOST_WRONG]
    ]


def _confused_pairs(confusion: NDArray[np.intp], class_names: Sequence[str]) -> list[Json]:
    """The commonest mistakes (true class, answer), most frequent first, then in class order."""
    mistakes = confusion * (1 - np.eye(len(class_names), dtype=np.intp))
    pairs = sorted(zip(*np.nonzero(mistakes), strict=True), key=lambda pair: -int(mistakes[pair]))
    return [
        {"class_name": class_names[label], "answer": class_names[answer], "n": int(mistakes[label, answer])}
        for label, answer in pairs[:CONFUSED_PAIRS]
    ]

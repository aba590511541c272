"""What is known of a model's answers, as one typed value; it becomes JSON at its border only, in `to_json`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tellapart.data.source import Skipped
from tellapart.data.split import FEW_TEST_PHOTOS
from tellapart.errors import InputError
from tellapart.evaluation import notebook, scores
from tellapart.evaluation.costs import Costs
from tellapart.evaluation.coverage import Coverage
from tellapart.evaluation.grouping import Grouping
from tellapart.evaluation.learning_curve import LearningCurveSummary
from tellapart.evaluation.robustness import Robustness
from tellapart.evaluation.scores import (
    Accuracy,
    AccuracyOf,
    Baseline,
    Calibration,
    ClassScores,
    ConfusedPair,
    Confusion,
    RiskCurve,
    WrongPhoto,
)
from tellapart.metrics.intervals import CROSSED_INFLATION, Range, Share
from tellapart.model.headline import left_out, nothing_known, of_so_many, with_them
from tellapart.text import shortened

NOT_CLEARLY_BETTER_P = 0.05
Json = dict[str, Any]


@dataclass(frozen=True)
class Twins:
    """A photo that is the same as another (`exact`), or nearly (`near`)."""

    photo: str
    twin: str
    kind: str


@dataclass(frozen=True)
class Leaks:
    """Test photos that were learned from too, and the score without them.

    Args:
        n: how many.
        photos: each with the training photo that it is.
        without: the accuracy on the other test photos; None where nothing leaked.
        headline_without: the evaluation's `headline`, which is of those; empty where nothing leaked.
        looked_for: in words, which copies could be looked for; None where all photos were at hand, as in training.
    """

    n: int
    photos: tuple[Twins, ...]
    without: AccuracyOf | None
    headline_without: str
    looked_for: str | None = None


@dataclass(frozen=True)
class Suspect:
    """A training photo that may be in the wrong class."""

    photo: str
    class_name: str
    looks_like: str


@dataclass(frozen=True)
class LabelConflicts:
    """Photos that show the same as a photo of another class.

    Args:
        n: how many.
        photos: the pairs.
        likely_wrong: training photos among them whose own class looks wrong, surest first; None where nobody asked.
    """

    n: int
    photos: tuple[Twins, ...]
    likely_wrong: tuple[Suspect, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class SplitSummary:
    """How the photos were divided: `kind` is made, given or crossed; the rest as far as it applies."""

    kind: str
    seed: int | None = None
    test_share: float | None = None
    n_folds: int | None = None
    n_train: int
    n_val: int
    n_test: int


@dataclass(frozen=True)
class Advice:
    """One thing to do.

    Args:
        kind: stable name: `leak`, `few_test_photos`, `label_conflict`, `shortcut`, `suspected_labels`,
            `small_classes`, `more_photos`, `confused_pair`, `quality`, `fine_tuning`, `probe` or `stop`.
        sentence: what and why, with its number.
        photos: those it talks about, most telling first.
        expected_gain: share of all photos, in [0, 1], that it may set right, or that are scored wrongly without it.
            A rough guess, for the order only; what is known stands in `numbers`.
        numbers: what the sentence says, for machines.
    """

    kind: str
    sentence: str
    photos: tuple[str, ...]
    expected_gain: float
    numbers: Mapping[str, Any]


@dataclass(frozen=True)
class Proof:
    """So many photos asked of the written graph again, and the largest difference of any probability."""

    n: int
    largest_difference: float


# What may have no answer although it was asked about, and what always has one where it was.
_ASKED_WITH = {"imbalance": "split", "learning_curve": "advice", "training": "proof"}


@dataclass(frozen=True)
class Evaluation(Mapping[str, Any]):
    """Everything the report says. What was not asked about is None, and has no key in the JSON.

    As a mapping it is its own JSON: `evaluation["headline"]`, `dict(evaluation)`.

    Args:
        n_test: photos that were asked about.
        method: "test", or "cross-validation": photos not set aside, each asked of a model that had not seen it.
        accuracy: of these photos.
        balanced_accuracy, balanced_accuracy_interval: mean recall of classes with test photos, None without; its range.
        macro_f1: their mean F1.
        baseline: what anyone would get without looking.
        per_class: (C,) in the order of the model's classes.
        confusion: every answer, counted.
        calibration: of the confidences.
        risk_coverage: what is wrong among the surest; None for no photos.
        most_wrong: the surest mistakes, the surest first.
        confused_pairs: the commonest mistakes, the commonest first.
        headline: the one sentence to remember; of the photos that were not learned from.
        headline_with_leaks: the same of all photos asked; None where none of them was learned from.
        unknown: who got no class name.
        costs: what a mistake costs: other thresholds, and what comes of them.
        leaks: test photos that were learned from.
        groups: by what the photos were grouped, and what the score would have been without; None where they were not.
        label_conflicts, split, duplicates, imbalance, warnings: of the photos that a training was given.
        n_found, n_used, skipped: photos found = used + skipped.
        learning_curve: None too where there are too few photos for one.
        suspects: training photos that may be in the wrong class, surest first, but for those of `label_conflicts`.
        advice: what to do next, the most likely to help first.
        model: what is known of the model file.
        proof: that the written file answers as was tested.
        training: the history of a network's training; None too where only a head learned.
        rows: what a head of very many photos learned from, and what more photos brought.
        robustness: how it does on corrupted photos.
        timings_s: seconds of each step, and in all.
        pictures: {photo: data URI} of some of the `most_wrong`, for a notebook; not in the JSON.
    """

    n_test: int
    method: str
    accuracy: Accuracy
    balanced_accuracy: float | None
    balanced_accuracy_interval: Range
    macro_f1: Share
    baseline: Baseline
    per_class: tuple[ClassScores, ...]
    confusion: Confusion
    calibration: Calibration
    risk_coverage: RiskCurve | None
    most_wrong: tuple[WrongPhoto, ...]
    confused_pairs: tuple[ConfusedPair, ...]
    headline: str
    headline_with_leaks: str | None
    unknown: Coverage | None = None
    costs: Costs | None = None
    leaks: Leaks | None = None
    groups: Grouping | None = None
    label_conflicts: LabelConflicts | None = None
    split: SplitSummary | None = None
    duplicates: tuple[Twins, ...] | None = None
    imbalance: str | None = None
    warnings: tuple[str, ...] | None = None
    n_found: int | None = None
    n_used: int | None = None
    skipped: tuple[Skipped, ...] | None = None
    learning_curve: LearningCurveSummary | None = None
    suspects: tuple[Suspect, ...] | None = None
    advice: tuple[Advice, ...] | None = None
    model: Mapping[str, Any] | None = None
    proof: Proof | None = None
    training: Mapping[str, Any] | None = None
    rows: Mapping[str, Any] | None = None
    robustness: Robustness | None = None
    timings_s: Mapping[str, float] | None = field(default=None, compare=False)
    pictures: Mapping[str, str] | None = field(default=None, compare=False)

    @property
    def crossed(self) -> bool:
        """Whether every photo was asked of a model that had not seen it, and none set aside."""
        return self.method == "cross-validation"

    def to_json(self) -> Json:
        """What evaluation.json says; null where something was asked about and there is no answer."""
        json: Json = as_json(replace(self, pictures=None))
        asked = {name for name, beside in _ASKED_WITH.items() if beside in json}
        return {f.name: json.get(f.name) for f in fields(self) if f.name in json or f.name in asked}

    @cached_property
    def _json(self) -> Json:
        return self.to_json()

    def __getitem__(self, key: str) -> Any:
        return self._json[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._json)

    def __len__(self) -> int:
        return len(self._json)

    def __repr__(self) -> str:
        return notebook.as_text(self.headline, self.per_class, self.confused_pairs, self._sentences())

    def _repr_html_(self) -> str:
        of = self.headline, self.per_class, self.confusion, self.most_wrong
        return notebook.as_html(*of, self.pictures or {}, self._sentences())

    def _sentences(self) -> list[str]:
        return [one.sentence for one in self.advice or ()]


def as_json(value: Any) -> Any:
    """Dataclasses as dicts, tuples as lists, all the way down; a field left at its default None has no key."""
    if is_dataclass(value) and not isinstance(value, type):
        named = ((f, getattr(value, f.name)) for f in fields(value))
        return {f.name: as_json(inner) for f, inner in named if not (inner is None and f.default is None)}
    if isinstance(value, Mapping):
        return {key: as_json(inner) for key, inner in value.items()}
    return [as_json(inner) for inner in value] if isinstance(value, list | tuple) else value


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
        crossed: whether each photo was asked of a model that had not seen it, and none set aside.
        seed: of the bootstrap and of the simulated perfect model; the same seed gives the same bytes.

    Raises:
        InputError: shapes that do not fit each other, labels outside [0, C), or probabilities that are not.
    """
    probs, labels = np.asarray(probs, np.float64), np.asarray(labels, np.intp)
    before = None if logits_probs_uncalibrated is None else np.asarray(logits_probs_uncalibrated, np.float64)
    for each in [probs] if before is None else [probs, before]:
        _check_inputs(each, labels, class_names, photos)
    group_of = None if groups is None else np.asarray(groups, np.intp)
    answers, inflation = probs.argmax(axis=1), CROSSED_INFLATION if crossed else 1.0
    confusion = scores.confusion_matrix(labels, answers, len(class_names))
    per_class = scores.class_scores(labels, answers, class_names, n_train_per_class, group_of, inflation)
    balanced_accuracy, interval, macro_f1 = scores.class_means(per_class, labels, answers, group_of, seed, inflation)
    evaluation = Evaluation(
        n_test=labels.size,
        method="cross-validation" if crossed else "test",
        accuracy=scores.accuracy(labels == answers, group_of, inflation),
        balanced_accuracy=balanced_accuracy,
        balanced_accuracy_interval=interval,
        macro_f1=macro_f1,
        baseline=scores.baseline(confusion, class_names),
        per_class=per_class,
        confusion=Confusion(tuple(class_names), tuple(tuple(row) for row in confusion.tolist())),
        calibration=scores.calibration(probs, labels, before, temperature, seed),
        risk_coverage=scores.risk_curve(probs, labels),
        most_wrong=scores.most_wrong(probs, labels, answers, class_names, photos),
        confused_pairs=scores.confused_pairs(confusion, class_names),
        headline="",
        headline_with_leaks=None,
    )
    return headed(evaluation)


def headed(evaluation: Evaluation) -> Evaluation:
    """The evaluation with the headlines that follow from all it holds."""
    said, leaks = str(headline(evaluation)), evaluation.leaks
    if not leaks or not leaks.n:
        return replace(evaluation, headline=said)
    leaks = replace(leaks, headline_without=said)
    return replace(evaluation, headline=said, headline_with_leaks=str(headline_with_leaks(evaluation)), leaks=leaks)


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
    """The score of photos that were not learned from, or that there is none; then what stands beside it."""
    leaks, n = evaluation.leaks, evaluation.n_test
    if not leaks or not leaks.n or not n:
        return headline_with_leaks(evaluation)
    counts = leaks.n, evaluation.accuracy.n_right, n
    without = leaks.without
    if not without or not without.n_test:
        return Headline(nothing_known(n), "", with_them(*counts))
    score, plausible = of_so_many(without.n_right, without.n_test, without.low, without.high)
    rest = left_out(*counts)
    beside = leaks.headline_without.removeprefix(f"{score} {plausible}").removesuffix(rest).strip()
    return Headline(score, plausible, f"{beside} {rest}" if beside else rest)


def headline_with_leaks(evaluation: Evaluation) -> Headline:
    """The score of all photos asked, with what would be a poor score beside it.

    All its numbers are photos of the test set, so that they compare at sight.
    """
    n, accuracy, baseline, crossed = evaluation.n_test, evaluation.accuracy, evaluation.baseline, evaluation.crossed
    if n == 0:
        return Headline("There are no test photos, so nothing is known about how well this works.")
    score, plausible = of_so_many(accuracy.n_right, n, accuracy.low, accuracy.high, crossed=crossed)
    rest = ["Each was answered by a model that had not seen it."] if crossed else []
    usual = shortened(str(baseline.class_name))
    if baseline.n_right == n:
        rest.append(f"Every test photo is '{usual}', so this says nothing about the others.")
    else:
        rest.append(f"Always answering '{usual}' would get {baseline.n_right:,}.")
        if baseline.p_value is not None and baseline.p_value > NOT_CLEARLY_BETTER_P:
            rest.append(f"This is not clearly better than always answering '{usual}' (p = {baseline.p_value:.2g}).")
    if n < FEW_TEST_PHOTOS:
        rest.append(f"With so few {'photos' if crossed else 'test photos'} the score is a rough guess.")
    return Headline(score, plausible, " ".join(rest))


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

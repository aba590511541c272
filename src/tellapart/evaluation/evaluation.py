"""What is known of a model's answers, as one typed value; it becomes JSON at its border only, in `to_json`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cached_property
from typing import Any

from tellapart.data.source import Skipped
from tellapart.evaluation.coverage import Coverage
from tellapart.evaluation.learning_curve import LearningCurveSummary
from tellapart.evaluation.robustness import Robustness
from tellapart.metrics.calibration import ReliabilityBin
from tellapart.metrics.intervals import Range, Share

Json = dict[str, Any]


@dataclass(frozen=True)
class Accuracy(Share):
    """The share right, and how many those are."""

    n_right: int


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


@dataclass(frozen=True)
class Twins:
    """A photo that is the same as another (`exact`), or nearly (`near`)."""

    photo: str
    twin: str
    kind: str


@dataclass(frozen=True)
class AccuracyOf(Accuracy):
    """An accuracy, and of how many photos."""

    n_test: int


@dataclass(frozen=True)
class Leaks:
    """Test photos that were learned from too, and the score without them.

    Args:
        n: how many.
        photos: each with the training photo that it is.
        without: the accuracy on the other test photos; None where nothing leaked.
        headline_without: the headline of those; empty where nothing leaked.
    """

    n: int
    photos: tuple[Twins, ...]
    without: AccuracyOf | None
    headline_without: str


@dataclass(frozen=True)
class LabelConflicts:
    """Photos that show the same as a photo of another class: how many, and the pairs."""

    n: int
    photos: tuple[Twins, ...]


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
class Suspect:
    """A training photo that may be in the wrong class."""

    photo: str
    class_name: str
    looks_like: str


@dataclass(frozen=True)
class Advice:
    """One thing to do.

    Args:
        kind: stable name: `leak`, `few_test_photos`, `label_conflict`, `shortcut`, `suspected_labels`,
            `small_classes`, `more_photos`, `confused_pair`, `quality`, `fine_tuning` or `stop`.
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

    As a mapping it is its own JSON: `evaluation["headline"]`, `evaluation["accuracy"]["low"]`, `dict(evaluation)`.

    Args:
        n_test: photos that were asked about.
        method: "test", or "cross-validation": photos not set aside, each asked of a model that had not seen it.
        accuracy: of these photos.
        balanced_accuracy: the mean recall of the classes that have test photos; None without any.
        balanced_accuracy_interval: its plausible range.
        macro_f1: their mean F1.
        baseline: what anyone would get without looking.
        per_class: (C,) in the order of the model's classes.
        confusion: every answer, counted.
        calibration: of the confidences.
        risk_coverage: what is wrong among the surest; None for no photos.
        most_wrong: the surest mistakes, the surest first.
        confused_pairs: the commonest mistakes, the commonest first.
        headline: the one sentence to remember.
        unknown: who got no class name.
        leaks: test photos that were learned from.
        label_conflicts, split, duplicates, imbalance, warnings: of the photos that a training was given.
        n_found, n_used, skipped: photos found = used + skipped.
        learning_curve: None too where there are too few photos for one.
        suspects: training photos that may be in the wrong class.
        advice: what to do next, the most likely to help first.
        model: what is known of the model file.
        proof: that the written file answers as was tested.
        training: the history of a network's training; None too where only a head learned.
        robustness: how it does on corrupted photos.
        timings_s: seconds of each step, and in all.
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
    unknown: Coverage | None = None
    leaks: Leaks | None = None
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
    robustness: Robustness | None = None
    timings_s: Mapping[str, float] | None = field(default=None, compare=False)

    @property
    def crossed(self) -> bool:
        """Whether every photo was asked of a model that had not seen it, and none set aside."""
        return self.method == "cross-validation"

    def to_json(self) -> Json:
        """What evaluation.json says; null where something was asked about and there is no answer."""
        json: Json = as_json(self)
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


def as_json(value: Any) -> Any:
    """Dataclasses as dicts, tuples as lists, all the way down; a field left at its default None has no key."""
    if is_dataclass(value) and not isinstance(value, type):
        named = ((f, getattr(value, f.name)) for f in fields(value))
        return {f.name: as_json(inner) for f, inner in named if not (inner is None and f.default is None)}
    if isinstance(value, Mapping):
        return {key: as_json(inner) for key, inner in value.items()}
    return [as_json(inner) for inner in value] if isinstance(value, list | tuple) else value

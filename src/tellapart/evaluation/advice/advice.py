"""What to do next: at most five sentences, the one that is likely to gain most first."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.data.split import FEW_TEST_PHOTOS
from tellapart.evaluation.advice import like_sets
from tellapart.evaluation.advice.mistakes import Mistake
from tellapart.evaluation.advice.probe_beside import ProbeBeside
from tellapart.evaluation.evaluation import Advice, Evaluation, Suspect
from tellapart.evaluation.learning_curve import USUAL_SLOPE, LearningCurve
from tellapart.evaluation.scores import Accuracy, AccuracyOf
from tellapart.metrics.intervals import wilson
from tellapart.text import counted, quoted, some

MOST = 5  # a person does one thing, perhaps two, before training again
PHOTOS_SHOWN = 24
LEAST_GAIN = 0.002  # of all photos; a thousand test photos would not show less
NAMED = 5  # classes in a sentence before it says how many more
SPOKEN_IN_HUNDREDS = 0.0095  # smaller shares are spoken of in thousands
LEAST_CONFUSED = 3  # photos; two mistakes of one kind are chance
BROKEN = ("leak", "label_conflict")  # advice to mend what is there comes before advice to add to it
TWO = 2  # classes
HALF = 0.5  # of all mistakes: the weakest classes are the fewest that hold it
# Between two classes whose photos were doubled: 26, 25, 24 and 4 % fewer on clothing and instruments, out-of-fold.
PAIR_HELP = 0.2
# Share of mistakes that the next quality avoids, the median of four sets out-of-fold: docs/backbones.md
STRONGER = {"fast": ("balanced", 0.19, "1.8"), "balanced": ("best", 0.07, "3")}
FINE_TUNING_HELP = 0.1  # of the mistakes; for the order alone, because nothing is known before it is tried
WEAK_FEATURES = 0.05  # share of mistakes from which on fine-tuning is worth its time
FEW_OF_CLASS = 10  # photos to learn from; if all of so few are right, 30 of 100 may still be wrong
SHORTCUT_GAIN = 0.05  # for the order alone: what a shortcut hides shows on other photos only


class FindingLike(Protocol):
    """What a check found: a sentence, what to do, and the photos it is about."""

    @property
    def sentence(self) -> str:
        """What is wrong."""

    @property
    def advice(self) -> str:
        """What to do."""

    @property
    def photos(self) -> Sequence[Sequence[str]]:
        """The photos, each with whatever belongs to it."""


@dataclass(frozen=True)
class _Known:
    """All that the advice rests on."""

    evaluation: Evaluation
    curve: LearningCurve | None
    mistakes: Sequence[Mistake]
    n_out_of_fold: int
    suspects: Sequence[Suspect]
    shortcuts: Sequence[FindingLike]
    quality: str | None
    can_fine_tune: bool
    probe: ProbeBeside | None

    @property
    def accuracy(self) -> Accuracy:
        """The score with leaked test photos left out."""
        return self.without or self.evaluation.accuracy

    @property
    def without(self) -> AccuracyOf | None:
        """The score without leaked test photos, where there are any."""
        leaks = self.evaluation.leaks
        return leaks.without if leaks else None

    @property
    def n_test(self) -> int:
        """Test photos that count."""
        return self.without.n_test if self.without else self.evaluation.n_test

    @property
    def error(self) -> float:
        """Share of mistakes, out-of-fold where there is a curve, because that rests on more photos."""
        if self.curve:
            return self.curve.overall.error_at(self.curve.overall.n_now).value
        value = self.accuracy.value
        return HALF if value is None else 1 - value

    @property
    def tested(self) -> str:
        """What a test photo is called: in a cross-validation none is set aside."""
        return "photo" if self.evaluation.crossed else "test photo"

    @property
    def n_train(self) -> list[int]:
        """Photos of each class that were learned from, where that is known."""
        return [c.n_train for c in self.evaluation.per_class if c.n_train is not None]

    @property
    def few(self) -> like_sets.Doubled | None:
        """What like sets say of so few photos of a class; None where there are more."""
        return like_sets.nearest(self.n_train) if self.n_train else None

    def confusion(self) -> tuple[tuple[str, ...], NDArray[np.int64], int]:
        """Class names, (C, C) mistakes by class and answer in the test and out-of-fold, and the photos they are of."""
        names = self.evaluation.confusion.class_names
        matrix = np.array(self.evaluation.confusion.matrix, np.int64).reshape(len(names), len(names))
        np.fill_diagonal(matrix, 0)
        for mistake in self.mistakes:
            matrix[names.index(mistake.class_name), names.index(mistake.answer)] += 1
        return names, matrix, self.evaluation.n_test + self.n_out_of_fold


def advise(
    evaluation: Evaluation,
    curve: LearningCurve | None = None,
    *,
    mistakes: Sequence[Mistake] = (),
    n_out_of_fold: int = 0,
    suspects: Sequence[Suspect] = (),
    shortcuts: Sequence[FindingLike] = (),
    quality: str | None = None,
    can_fine_tune: bool = False,
    probe: ProbeBeside | None = None,
) -> list[Advice]:
    """What to do next, at most MOST things: what is broken, more photos where they are few, then by gain.

    Args:
        evaluation: what `evaluate_predictions` returns, with `leaks` merged in where they were looked for.
        curve: of the training photos; None where there are too few.
        mistakes: from `mistakes.out_of_fold_mistakes`.
        n_out_of_fold: photos that were asked for these.
        suspects: photos that may be mislabelled, most suspicious first.
        shortcuts: findings that something beside the subject tells the classes apart.
        quality: `fast`, `balanced` or `best`, as trained; None says nothing about it.
        can_fine_tune: whether this installation can.
        probe: how a probe does beside a network trained from nothing; None where that was not asked.
    """
    if evaluation.crossed:  # its answers are about the same photos
        mistakes, n_out_of_fold = (), 0
    known = _Known(evaluation, curve, mistakes, n_out_of_fold, suspects, shortcuts, quality, can_fine_tune, probe)
    first = [*_leaks(known), *_few_test_photos(known), *_conflicts(known), *_shortcuts(known), *_suspects(known)]
    first += _probe_instead(known)
    work = [*_more_photos(known), *_confused_pair(known), *_quality(known), *_fine_tuning(known)]
    reason = _enough(known, work)
    few = list(_more_photos_of_few(known)) if known.few and not reason else []
    advice = [*first, reason] if reason else [*first, *work]
    ordered = sorted(advice, key=lambda item: -item.expected_gain)
    if not few:
        return ordered[:MOST]
    broken = [item for item in ordered if item.kind in BROKEN]
    return [*broken, *few, *(item for item in ordered if item.kind not in BROKEN)][:MOST]


def _leaks(known: _Known) -> Iterator[Advice]:
    leaks, n_test, without = known.evaluation.leaks, known.evaluation.n_test, known.without
    if not leaks or not leaks.n:
        return
    n, n_others, n_right = leaks.n, without and without.n_test, without and without.n_right
    rest = "No other test photo is left."
    if n_others:
        rest = f"Of the {n_others:,} others it had {n_right:,} right; that is its score."
    yield Advice(
        "leak",
        f"Take {n:,} of the {n_test:,} test photos out of the test: the model has learned from the same or nearly the "
        f"same photos. {rest}",
        tuple(pair.photo for pair in leaks.photos)[:PHOTOS_SHOWN],
        n / n_test,
        {"n_leaked": n, "n_test": n_test, "n_test_without": n_others, "right": n_right},
    )


def _few_test_photos(known: _Known) -> Iterator[Advice]:
    if known.n_test >= FEW_TEST_PHOTOS:
        return
    low, high = known.accuracy.low, known.accuracy.high
    wanted = f"Test on {FEW_TEST_PHOTOS} photos or more, taken at another time or place."
    said, reach = "There is no test photo, so nobody can say how well this works.", HALF
    if known.n_test and low is not None and high is not None:
        said = f"With {counted(known.n_test, known.tested)} nobody can say how good this is: anything from "
        said += f"{round(100 * low)} to {round(100 * high)} right of 100 is plausible."
        reach = (high - low) / 2
    yield Advice("few_test_photos", f"{said} {wanted}", (), reach, {"n_test": known.n_test, "low": low, "high": high})


def _conflicts(known: _Known) -> Iterator[Advice]:
    conflicts = known.evaluation.label_conflicts
    if not conflicts or not conflicts.photos:
        return
    n, pairs = conflicts.n, conflicts.photos
    yield Advice(
        "label_conflict",
        f"Look at {n:,} photos that show the same thing under different class names, first {quoted(pairs[0].photo)} "
        f"and {quoted(pairs[0].twin)}. Delete those with the wrong name; “tellapart check” lists them all.",
        tuple(dict.fromkeys(photo for pair in pairs for photo in (pair.photo, pair.twin)))[:PHOTOS_SHOWN],
        n / max(n, _n_photos(known)),
        {"n_photos": n},
    )


def _shortcuts(known: _Known) -> Iterator[Advice]:
    for finding in known.shortcuts:
        photos = tuple(dict.fromkeys(row[0] for row in finding.photos if row))[:PHOTOS_SHOWN]
        sentence = f"{finding.sentence} {finding.advice}".strip()
        yield Advice("shortcut", sentence, photos, SHORTCUT_GAIN, {})


def _suspects(known: _Known) -> Iterator[Advice]:
    n = len(known.suspects)
    if not n:
        return
    first = known.suspects[0]
    yield Advice(
        "suspected_labels",
        f"Look at {counted(n, 'photo')} that may be in the wrong folder. The first, {quoted(first.photo)}, is in "
        f"{quoted(first.class_name)} and looks like {quoted(first.looks_like)}. "
        "Move those that are wrong; leave the others. “tellapart check” judges the test photos too, and may name more.",
        tuple(suspect.photo for suspect in known.suspects)[:PHOTOS_SHOWN],
        n / max(n, _n_photos(known)),
        {"n_suspects": n, "n_photos": _n_photos(known)},
    )


def _n_photos(known: _Known) -> int:
    return known.evaluation.n_used or known.evaluation.n_test + known.n_out_of_fold


def _small_classes(known: _Known) -> Iterator[Advice]:
    small = [c for c in known.evaluation.per_class if (c.n_train or FEW_OF_CLASS) < FEW_OF_CLASS]
    if not small:
        return
    listed = some([f"{quoted(c.class_name)} ({c.n_train})" for c in small])
    yield Advice(
        "small_classes",
        f"Add photos of {listed}: with fewer than {FEW_OF_CLASS} of a class nobody can say how well it is recognised.",
        (),
        sum(c.n_test * (1 - (c.recall.low or 0)) for c in small) / max(1, known.evaluation.n_test),
        {"n_train": {c.class_name: c.n_train for c in small}},
    )


def _more_photos(known: _Known) -> Iterator[Advice]:
    """Photos for the fewest classes, two at least, that hold half of all mistakes.

    Classes go together because doubling one alone gained nothing on clothing, and doubling the weakest half gained
    half to three quarters of what doubling all did: one class alone takes answers from its look-alikes.
    """
    if known.curve is None:
        if not known.few:
            yield from _more_photos_of_few(known)
        return
    yield from _small_classes(known)
    if known.few:
        return
    gain = known.curve.overall.gain()
    names, mistakes, n_asked = known.confusion()
    blame = mistakes.sum(axis=0) + mistakes.sum(axis=1)
    if gain is None or not blame.sum():
        return
    order = np.argsort(-blame, kind="stable")
    weak = order[: int(np.searchsorted(np.cumsum(blame[order]), HALF * blame.sum())) + 1]
    if len(weak) == 1:
        weak = np.append(weak, (mistakes + mistakes.T)[weak[0]].argmax())
    share = float(blame[weak].sum() / blame.sum())
    value, low, high = (share * g for g in (gain.value, gain.low, gain.high))
    n_train = {c.class_name: c.n_train for c in known.evaluation.per_class}
    more = sum(n_train[names[c]] or 0 for c in weak)
    if value < LEAST_GAIN or not more:
        return
    listed = [quoted(names[c]) for c in weak]
    halved = known.curve.overall.photos_for(HALF)
    where = "Add photos of every class."
    if len(weak) < len(names):
        of_these, as_these = int(mistakes[weak].sum()), int(mistakes[:, weak].sum())  # one of them is half or more
        held = "are photos of these classes" if of_these >= as_these else "were given the names of these classes"
        where = f"Add photos of {', '.join(listed) if len(listed) <= NAMED else some(listed)}: of the "
        where += f"{counted(int(mistakes.sum()), 'mistake')} in {n_asked:,} photos {max(of_these, as_these):,} {held}."
    base = 100 if value >= SPOKEN_IN_HUNDREDS else 1000
    sentence = (
        f"{where} About {more:,} more, which doubles them, should set "
        f"{round(base * value)} more of {base:,} photos right ({round(base * low)} to {round(base * high)} is "
        "plausible). Add to all of them; photos of one class alone mostly move its mistakes to the others."
    )
    numbers = {
        "classes": [names[c] for c in weak],
        "n_more": more,
        "gain": {"value": value, "low": low, "high": high},
        "n_more_of_all_to_halve_mistakes": halved and asdict(halved),
    }
    yield Advice("more_photos", sentence, (), value, numbers)


def _more_photos_of_few(known: _Known) -> Iterator[Advice]:
    """Photos of every class: what like sets gained, or, of a network with many, that nobody has measured it."""
    n_train = known.n_train
    if not n_train:
        return
    if known.few:
        n_wrong = known.n_test - known.accuracy.n_right
        sentence = like_sets.sentence(known.few, n_train, n_wrong, counted(known.n_test, known.tested))
        gain = known.error * max(0.0, known.few.avoided)
        numbers = {"n_train": sum(n_train), "n_more": sum(n_train), "on_like_sets": asdict(known.few)}
        yield Advice("more_photos", sentence, (), gain, numbers)
        return
    learned = f"With {counted(sum(n_train), 'photo')} to learn from nobody can say yet how much each would help"
    sentence = f"Add photos of every class. {learned}; a probe of them measures it."
    yield Advice("more_photos", sentence, (), known.error * (1 - 2**-USUAL_SLOPE), {"n_train": sum(n_train)})


def _probe_instead(known: _Known) -> Iterator[Advice]:
    """A probe, where it does clearly better than the network that was trained from nothing."""
    probe = known.probe
    if probe is None or not probe.clearly_better:
        return
    yield Advice(
        "probe",
        f"Train without --recipe scratch: on the same {counted(probe.n_test, 'test photo')} a probe of the same photos "
        f"had {probe.n_right_probe:,} right, this network {probe.n_right:,}. It trains in seconds.",
        (),
        (probe.n_right_probe - probe.n_right) / probe.n_test,
        asdict(probe),
    )


def _confused_pair(known: _Known) -> Iterator[Advice]:
    names, mistakes, n = known.confusion()
    both = np.triu(mistakes + mistakes.T)
    count = int(both.max(initial=0))
    if count < LEAST_CONFUSED:
        return
    i, j = (int(v) for v in np.unravel_index(int(both.argmax()), both.shape))
    pair = {names[i], names[j]}
    wrong = [m.photo for m in known.mistakes if {m.class_name, m.answer} == pair]
    wrong += [m.photo for m in known.evaluation.most_wrong if {m.class_name, m.answer} == pair]
    apart = "Where you cannot tell either, make one class of the two; otherwise add photos of both."
    if len(names) == TWO:  # one class of the two would leave nothing to tell apart
        apart = "Where you cannot tell either, no model can: leave such photos out, or take them so that it shows."
    yield Advice(
        "confused_pair",
        f"{quoted(names[i])} and {quoted(names[j])} are mixed up most: {count:,} of {n:,} photos. Look at these. "
        f"{apart}",
        tuple(dict.fromkeys(wrong))[:PHOTOS_SHOWN],
        PAIR_HELP * count / n,
        {"classes": [names[i], names[j]], "n_confused": count, "n_photos": n},
    )


def _quality(known: _Known) -> Iterator[Advice]:
    if known.quality not in STRONGER or not known.n_test:
        return
    better, fewer, slower = STRONGER[known.quality]
    gain = fewer * known.error
    if gain < LEAST_GAIN:
        return
    flat = "More photos like these seem to change little. " if known.curve and known.curve.overall.flat else ""
    yield Advice(
        "quality",
        f"{flat}Try --quality {better}: on four photo sets it made about {round(100 * fewer)} of 100 mistakes fewer, "
        f"though not on each. It reads photos {slower} times as slowly.",
        (),
        gain,
        {"quality": better, "share_of_mistakes": fewer},
    )


def _fine_tuning(known: _Known) -> Iterator[Advice]:
    stuck = known.curve is not None and (known.curve.overall.flat or known.quality == "best")
    if not (known.can_fine_tune and stuck and known.error >= WEAK_FEATURES):
        return
    yield Advice(
        "fine_tuning",
        f"Try fine-tuning: {round(100 * known.error)} of 100 photos are wrong, and more photos or a larger network "
        "alone promise little. Add --recipe finetune; how much it gains is not known before it is tried.",
        (),
        FINE_TUNING_HELP * known.error,
        {"error": known.error},
    )


def _enough(known: _Known, work: Sequence[Advice]) -> Advice | None:
    """The advice to stop, where mistakes are no more than wrong labels explain, or no work promises to gain."""
    n, wrong = known.n_test, known.n_test - known.accuracy.n_right
    if n < FEW_TEST_PHOTOS or known.evaluation.warnings or any(item.kind == "small_classes" for item in work):
        return None  # then the test itself says little
    asked = f"{n:,} {known.tested}s"
    _, doubtful = wilson(len(known.suspects), max(len(known.suspects), _n_photos(known)))
    numbers = {"n_wrong": wrong, "n_test": n, "share_of_labels_in_doubt": doubtful}
    if wrong / n <= doubtful:
        said = f"{counted(wrong, 'mistake')} in {asked} is no more than wrong labels alone may cause"
    elif all(item.expected_gain < LEAST_GAIN for item in work):
        said = f"{wrong:,} of {asked} are wrong, and nothing that can be measured here promises to change it"
    else:
        return None
    sentence = f"Stop here: {said}. This is as good as these photos can tell; test it on photos taken elsewhere."
    return Advice("stop", sentence, (), 0.0, numbers)

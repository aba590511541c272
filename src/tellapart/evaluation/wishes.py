"""From what mistakes cost to thresholds: ranks among out-of-fold scores, and what each of them promises.

scikit-learn's neighbour is `TunedThresholdClassifierCV`, which looks for the decision threshold of the best mean score
of two classes. Here a person says which share of a class may be missed, of any number of classes, and the threshold is
the rank that keeps it on new photos, with a range, or a sentence on how many photos that takes.
"""

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tellapart.classifier.decision import (
    NONE_OF_THESE,
    ClassPromise,
    ClassThreshold,
    Thresholds,
    claiming,
    fit_thresholds,
    lowest_by_scene,
    named,
    repeats,
    shares,
    withheld,
)
from tellapart.classifier.kept_scores import Scored
from tellapart.errors import InputError
from tellapart.metrics.conformal import Guarantee, guarantee, least_photos, share_kept
from tellapart.metrics.intervals import wilson
from tellapart.model.artifact import promise_of
from tellapart.recipe import Wishes
from tellapart.text import counted, did_you_mean, quoted, some

_WHOLE = 1e-6  # how far a share of 100 or 1,000 may lie from a whole number to be said as one


@dataclass(frozen=True)
class ClassKept(ClassPromise):
    """A class not to be missed: what its threshold promises, and what came of it on test photos.

    Args:
        n_own: test photos of the class;
        n_missed: of these, those that got the name of another class.
        n_others: test photos of other classes;
        n_false_alarms: of these, those that got its name.
        false_alarms_low: plausible range of the share of false alarms, its low end;
        false_alarms_high: and its high end.
        sentence: all of this for people.
    """

    n_own: int
    n_missed: int
    n_others: int
    n_false_alarms: int
    false_alarms_low: float
    false_alarms_high: float
    sentence: str


def of_photos(share: float) -> str:
    """A small share in (0, 1) as so many of a round number of photos: "1 of 100", "5 of 1,000"."""
    for base in (100, 1_000, 10_000, 100_000):
        n = base * share
        if n >= 1 - _WHOLE and abs(n - round(n)) < _WHOLE * base:
            return f"{round(n):,} of {base:,}"
    base = next(base for base in (100, 1_000, 10_000, 100_000, 10**9) if base * share >= 1 or base == 10**9)
    return f"{base * share:.2g} of {base:,}"


def refuse_unknown_names(wishes: Wishes, class_names: Sequence[str]) -> None:
    """Returns when every class not to be missed is one of `class_names`.

    Raises:
        InputError: names the one that is not, and those there are.
    """
    for name in wishes.never_miss:
        if name not in class_names:
            raise InputError(
                f"There is no class {quoted(name)} not to miss.",
                hint=did_you_mean(name, class_names) + f"The classes are {some([quoted(n) for n in class_names])}.",
            )


def refuse_impossible(wishes: Wishes, class_names: Sequence[str], labels: ArrayLike, scenes: ArrayLike) -> None:
    """Returns when the photos are enough for every wish; asked before anything is learned, not after it.

    Args:
        wishes: what is asked for.
        class_names: (C,).
        labels: (N,) of the photos that will be tried on heads that have not seen them, in [0, C).
        scenes: (N,) which of them are alike.

    Raises:
        InputError: an unknown class, or a share that takes more photos of a class; says how many.
    """
    refuse_unknown_names(wishes, class_names)
    own_labels, own_scenes = np.asarray(labels), np.asarray(scenes)
    for name, recall in wishes.never_miss.items():
        own = own_labels == list(class_names).index(name)
        n, n_scenes = int(own.sum()), len(np.unique(own_scenes[own]))
        if n_scenes < least_photos(1 - recall):
            raise _impossible(name, recall, n, n_scenes)


def _impossible(name: str, recall: float, n: int, n_scenes: int) -> InputError:
    """The sentence with the number needed, and the strictest wish that is possible."""
    least = least_photos(1 - recall)
    there = f"there {'is' if n == 1 else 'are'} {n:,}"
    if n_scenes < n:
        there += f", of {counted(n_scenes, 'scene')} (photos of one group, or as if taken in one go, count as one)"
    strictest = strictest_recall(n_scenes)
    return InputError(
        f"To miss at most {of_photos(1 - recall)} photos of {quoted(name)} takes {least:,} photos of it, each another "
        f"scene, that the model can be tried on; {there}. Another {least - n_scenes:,} are needed.",
        hint=f"With these photos: --never-miss {shlex.quote(f'{name}={strictest:g}')}"
        if strictest
        else "Nothing can be promised of a class with so few photos.",
    )


def strictest_recall(n_scenes: int) -> float | None:
    """The largest share, to three digits, that so many scenes of a class can promise not to be missed, or None."""
    recall = math.floor((1 - 1 / (n_scenes + 1)) * 1000 + _WHOLE) / 1000
    return recall if n_scenes > 1 else None


def decide(
    wishes: Wishes,
    said: Scored,
    scenes: NDArray[np.integer],
    class_names: Sequence[str],
    today: Thresholds,
    of_reference: NDArray[np.floating] | None = None,
) -> Thresholds:
    """The thresholds that keep the wishes.

    Args:
        wishes: what mistakes cost.
        said: out-of-fold, of M training photos.
        scenes: (M,) which of them are alike.
        class_names: (C,).
        today: the model's thresholds as they are; those that the wishes do not change stay as they are, but for those
            that count photos where scenes repeat.
        of_reference: (R,) OOD scores of photos of something else, for an early threshold; without them the early
            threshold of today stays, and where there is none, there will be none.

    Raises:
        InputError: an unknown class, or a wish that takes more photos of a class; says how many.
    """
    refuse_unknown_names(wishes, class_names)
    decided = today
    by_photo = today.n_scenes is None and repeats(scenes)  # a model of before
    if wishes.answer != today.answer or by_photo:
        decided = fit_thresholds(said.ood_scores, said.confidences, of_reference, scenes=scenes, answer=wishes.answer)
        if today.early and decided.ood_score is None and wishes.answer < 1:
            decided = replace(decided, ood_score=today.ood_score, early=True)
    decided = replace(decided, never_miss=(), n_torn=0)
    own = tuple(
        class_threshold(said, scenes, class_names, name, recall) for name, recall in sorted(wishes.never_miss.items())
    )
    decided = replace(decided, never_miss=own)
    return replace(
        decided, n_torn=sum(_is_torn(p, float(u), decided) for p, u in zip(said.probs, said.ood_scores, strict=True))
    )


def class_threshold(
    said: Scored, scenes: NDArray[np.integer], class_names: Sequence[str], name: str, recall: float
) -> ClassThreshold:
    """The decision threshold of the class `name` that at most 1 - `recall` of its new photos fall below.

    Raises:
        InputError: that takes more photos of it.
    """
    label = list(class_names).index(name)
    own = said.labels == label
    n, n_scenes = int(own.sum()), len(np.unique(scenes[own]))
    if not n_scenes or (found := lowest_by_scene(said.probs[own, label], scenes[own], 1 - recall)) is None:
        raise _impossible(name, recall, n, n_scenes)
    prob, rank = found
    kept, low, high = share_kept(n_scenes, rank)
    return ClassThreshold(name, recall, kept, low, high, n, n_scenes, label, prob)


def _is_torn(probs: NDArray[np.floating], ood_score: float, thresholds: Thresholds) -> bool:
    """Whether two classes that must not be missed both claim the photo, so that neither name is given."""
    return len(claiming(probs, thresholds)) > 1 and withheld(probs, ood_score, thresholds) != NONE_OF_THESE


def guarantee_of(thresholds: Thresholds) -> Guarantee | None:
    """What share of real photos gets a class name, with its band; None where nothing is guaranteed.

    A class not to be missed is named where the confidence alone would give no name, so there may be more names than the
    ranks say: then the high end is that of "none of these" alone. What two such classes both claim gets no name; how
    many that are is counted out-of-fold. An early threshold promises nothing, whatever else is asked for.
    """
    if thresholds.early:
        return None
    far, doubt = shares(thresholds.answer)
    n, n_scenes = thresholds.n, thresholds.n_scenes
    expected = guarantee(n, far, doubt, n_more=thresholds.n_torn, n_scenes=n_scenes)
    if expected is None or not thresholds.never_miss:
        return expected
    alone = guarantee(n, far, n_scenes=n_scenes)
    return replace(expected, high=alone.high if alone else 1.0, n_refused_least=alone.n_refused_least if alone else 0)


def contradiction(thresholds: Thresholds) -> str:
    """The sentence that says which wishes cannot be had together; empty where all can."""
    kept = guarantee_of(thresholds)
    if kept is None or not thresholds.n_torn or kept.kept >= thresholds.answer:
        return ""
    names = " and ".join(f"{t.class_name}={t.recall:g}" for t in thresholds.never_miss)
    return (
        f"To miss so few of both ({names}), {thresholds.n_torn:,} of {thresholds.n:,} photos get “not sure”, because "
        f"they may be either. So about {round(100 * kept.kept)} of 100 photos get a class name, not the "
        f"{100 * thresholds.answer:g} that were asked for. Ask for less of one of them."
    )


def kept_on_test(said: Scored, thresholds: Thresholds) -> tuple[ClassKept, ...]:
    """What became of each class not to be missed among test photos: (N,) of `said`, which set no threshold."""
    if not thresholds.never_miss:
        return ()
    answered = np.array(
        [
            -1 if withheld(p, float(u), thresholds) else named(p, thresholds)
            for p, u in zip(said.probs, said.ood_scores, strict=True)
        ],
        np.int64,
    )
    return tuple(_kept_one(t, said.labels, answered) for t in thresholds.never_miss)


def _kept_one(threshold: ClassThreshold, labels: NDArray[np.integer], answered: NDArray[np.int64]) -> ClassKept:
    own = labels == threshold.label
    n_own, n_others = int(own.sum()), int((~own).sum())
    n_missed = int((own & (answered >= 0) & (answered != threshold.label)).sum())
    n_false = int((~own & (answered == threshold.label)).sum())
    low, high = wilson(n_false, n_others)
    sentence = promise_of(threshold)
    if n_own:
        sentence += f" Of {n_own:,} photos of it that it had not learned from, {n_missed:,} got another name."
    if n_others:
        sentence += f" Of {n_others:,} others, {n_false:,} were called {quoted(threshold.class_name)} (false alarms)."
    promise = {field.name: getattr(threshold, field.name) for field in fields(ClassPromise)}
    return ClassKept(
        **promise, n_own=n_own, n_missed=n_missed, n_others=n_others, n_false_alarms=n_false,
        false_alarms_low=low, false_alarms_high=high, sentence=sentence,
    )  # fmt: skip

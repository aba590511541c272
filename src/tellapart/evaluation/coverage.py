"""Whom a model refuses a class name: real photos, the OOD reference, and each class as if it had never seen it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tellapart.classifier.decision import (
    ANSWERED,
    EARLY_SAID,
    FAR_SHARE,
    LEAST_PROMISED,
    NONE_OF_THESE,
    NOT_SURE,
    Thresholds,
    fit_thresholds,
    named,
    repeats,
    shares,
    withheld,
)
from tellapart.classifier.kept_scores import KeptScores, Scored
from tellapart.classifier.ood import ood_scores_without
from tellapart.evaluation.wishes import ClassKept, contradiction, guarantee_of, kept_on_test
from tellapart.metrics.conformal import Guarantee, Observed, least_photos, observed_in_band
from tellapart.metrics.intervals import wilson
from tellapart.text import counted, quoted

NAMED = 6  # of the OOD reference that passed, listed by name
NEVER_EARLY_SAID = (
    "An early “none of these”, from few photos, is for bundled networks only: this one has never seen the photos of "
    "other things that it goes by."
)


@dataclass(frozen=True)
class Passed:
    """A photo of something else that got a class name."""

    name: str
    answer: str


@dataclass(frozen=True)
class OodRow:
    """How many photos of one kind of other things got no class name: the share refused, and its plausible range.

    Args:
        source: what they show.
        n: photos asked about.
        n_refused: of these, without a class name;
        n_none_of_these: and with "none of these".
        value: the share refused, in [0, 1].
        low: of its plausible range.
        high: of its plausible range.
        passed: those that got a name.
    """

    source: str
    n: int
    n_refused: int
    n_none_of_these: int
    value: float
    low: float
    high: float
    passed: tuple[Passed, ...]


@dataclass(frozen=True)
class LeftOutRow:
    """How many photos of a class get "none of these" when it counts as never seen: the share, and its range."""

    class_name: str
    n: int
    n_refused: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Coverage:
    """Who gets a class name, and who does not.

    Args:
        n_named: test photos that got one;
        n_named_right: and for how many it was the right one.
        n_not_sure: test photos that got "not sure".
        n_none_of_these: test photos that got "none of these".
        promise: what the model promises; None for nothing.
        observed: how many of the test photos keep it; None without a promise or a photo.
        sentences: all of this for people.
        promise_in_words: the sentences about the promise.
        strangers: photos of other things on which nothing was fitted, by kind, worst first; None where it was not
            asked about any.
        left_out: each class as if it had never been seen, worst first; None where that was not asked.
        early: whether "none of these" is said without a promise, because photos were few; None as False.
        answer: the share of real photos that was asked to get a class name; None where it is the usual one.
        never_miss: the classes that must not be missed; None where there is none.
        never_early: whether an early "none of these" is missing because the network is no bundled one; None as False.
    """

    n_named: int
    n_named_right: int
    n_not_sure: int
    n_none_of_these: int
    promise: Guarantee | None
    observed: Observed | None
    sentences: tuple[str, ...]
    promise_in_words: str
    strangers: tuple[OodRow, ...] | None = None
    left_out: tuple[LeftOutRow, ...] | None = None
    early: bool | None = None
    answer: float | None = None
    never_miss: tuple[ClassKept, ...] | None = None
    never_early: bool | None = None


def refusals(
    thresholds: Thresholds,
    kept: KeptScores,
    class_names: Sequence[str],
    others: tuple[Sequence[str], Sequence[str]] | None,
) -> Coverage:
    """The report card of "none of these" and "not sure".

    Args:
        thresholds: the model's.
        kept: what was said of test photos, of photos of other things, and out-of-fold.
        class_names: (C,).
        others: where each photo of `kept.reference` comes from, and what it shows; None where that is not known.
    """
    tested, far = kept.tested, thresholds.ood_score
    card = real_photos(
        tested.probs,
        tested.ood_scores,
        tested.labels,
        thresholds,
        guarantee_of(thresholds),
        scenes=kept.tested_scenes,
        bundled=kept.reference is not None,
    )
    strangers: tuple[OodRow, ...] = ()
    if far is not None and others is not None and kept.reference is not None:
        strangers = _ood_rows(kept.reference, *others, thresholds, class_names)
    near_reference = kept.near_reference if thresholds.early else None
    left_out: tuple[LeftOutRow, ...] = ()
    if far is not None:
        left_out = _left_out(kept, class_names, thresholds.answer, near_reference)
    sentences = (*card.sentences, *_ood_said(strangers), *_left_out_said(left_out))
    return replace(card, strangers=strangers, left_out=left_out, sentences=sentences)


def real_photos(
    probs: NDArray[np.floating],
    ood_scores: NDArray[np.floating],
    labels: NDArray[np.int32],
    thresholds: Thresholds,
    guaranteed: Guarantee | None,
    *,
    scenes: NDArray[np.integer] | None = None,
    bundled: bool = True,
) -> Coverage:
    """How many test photos get a class name at all, how many of those names are right, and what was guaranteed.

    Args:
        probs: (N, C) of test photos.
        ood_scores: (N,) their OOD scores.
        labels: (N,) in [0, C).
        thresholds: the model's.
        guaranteed: what it guarantees; None for nothing.
        scenes: (N,) which of these photos are alike; None where that is not known.
        bundled: whether the network is one that has seen the OOD reference.
    """
    said = [withheld(p, float(u), thresholds) for p, u in zip(probs, ood_scores, strict=True)]
    answered = [i for i, instead in enumerate(said) if instead is None]
    n_right = sum(named(probs[i], thresholds) == int(labels[i]) for i in answered)
    n_none, n_unsure, n = said.count(NONE_OF_THESE), said.count(NOT_SURE), len(said)
    n_scenes = len(np.unique(scenes)) if scenes is not None and repeats(scenes) else None
    observed = observed_in_band(len(answered), n, guaranteed, n_scenes) if guaranteed and n else None
    tested = Scored(labels, np.asarray(probs, np.float32), np.asarray(ood_scores, np.float32))
    never_miss = kept_on_test(tested, thresholds)
    never = never_early(thresholds, bundled=bundled)
    in_words = [
        *_guarantee_said(thresholds, guaranteed),
        *([NEVER_EARLY_SAID] if never else []),
        *(kept.sentence for kept in never_miss),
    ]
    in_words += filter(None, [contradiction(thresholds)])
    counts = (
        f"{len(answered):,} of {n:,} photos that it had not learned from got a class name, and {n_right:,} of those "
        f"names were right. {n_unsure:,} got “not sure” and {n_none:,} “none of these”."
    )
    return Coverage(
        len(answered),
        n_right,
        n_unsure,
        n_none,
        guaranteed,
        observed,
        sentences=(counts, *in_words) if n else tuple(in_words),
        promise_in_words=" ".join(in_words),
        early=thresholds.early or None,
        answer=None if thresholds.answer == ANSWERED else thresholds.answer,
        never_miss=never_miss or None,
        never_early=never or None,
    )


def never_early(thresholds: Thresholds, *, bundled: bool) -> bool:
    """Whether "none of these" is never said because photos are few and the network is not one that may be early."""
    missing = thresholds.ood_score is None and thresholds.answer < 1
    return missing and not bundled and thresholds.n_ranked < LEAST_PROMISED


def promise_in_words(guaranteed: Guarantee, *, to_owner: bool) -> str:
    """A promise in a sentence: to whoever trained the model, or to whoever reads of it later."""
    kept, low, high = (round(100 * share) for share in (guaranteed.kept, guaranteed.low, guaranteed.high))
    plausible, photos = f"{low} to {high} is plausible with", counted(guaranteed.n, "photo")
    if guaranteed.n_scenes is not None:
        photos += f" of {counted(guaranteed.n_scenes, 'scene')}"
    if to_owner:
        given = f"It promises that at least about {kept} of 100 photos of your classes get a class name"
        return f"{given}; {plausible} your {photos}."
    given = f"It promised a name to at least about {kept} of 100 photos of its classes"
    return f"{given}; {plausible} the {photos} it learned from."


def plainly(coverage: Coverage) -> str:
    """What is promised, for a line after a run; the report adds what else is plausible."""
    if coverage.promise is None:
        return coverage.promise_in_words
    kept = round(100 * coverage.promise.kept)
    plain = f"At least about {kept} of 100 photos of your classes get a name."
    return coverage.promise_in_words.replace(promise_in_words(coverage.promise, to_owner=True), plain)


def _guarantee_said(thresholds: Thresholds, guaranteed: Guarantee | None) -> list[str]:
    doubt_share = shares(thresholds.answer)[1]
    if thresholds.answer == 1:
        return ["It gives every photo one of its names, as was asked for."]
    if thresholds.ood_score is None:
        return [never_said(thresholds)]
    if thresholds.early:
        tried = f"{as_photos(least_photos(FAR_SHARE), thresholds.n_scenes)}, and was on {thresholds.n}"
        if thresholds.n_scenes is not None:
            tried += f" of {counted(thresholds.n_scenes, 'scene')}"
        return [f"{EARLY_SAID} To promise that, it must be tried on {tried}."]
    if guaranteed is None:  # a model of the first days
        return ["It says “none of these”, but how many photos of your classes get a class name was never promised."]
    sentences = [promise_in_words(guaranteed, to_owner=True)]
    if thresholds.confidence is None:
        least = as_photos(least_photos(doubt_share), thresholds.n_scenes)
        sentences.append(f"It never says “not sure”; that takes {least}.")
    return sentences


def never_said(thresholds: Thresholds) -> str:
    """That there is no "none of these", and how many photos it takes."""
    least = as_photos(least_photos(shares(thresholds.answer)[0]), thresholds.n_scenes)
    return f"It never says “none of these”: it must be tried on {least} while it learns to promise anything."


def as_photos(n: int, n_scenes: int | None) -> str:
    """So many photos in words, which must be of as many scenes where those are what is counted."""
    return f"{n} photos" if n_scenes is None else f"photos of {n} scenes"


def _ood_rows(
    said_of: Scored, sources: Sequence[str], names: Sequence[str], thresholds: Thresholds, class_names: Sequence[str]
) -> tuple[OodRow, ...]:
    """How many photos of each source are refused, worst first, and the names of those that are not."""
    probs = said_of.probs
    said = [withheld(p, float(u), thresholds) for p, u in zip(probs, said_of.ood_scores, strict=True)]
    rows = []
    for source in dict.fromkeys(sources):
        own = [i for i, name in enumerate(sources) if name == source]
        passed = [i for i in own if said[i] is None]
        n_refused = len(own) - len(passed)
        low, high = wilson(n_refused, len(own))
        rows.append(
            OodRow(
                source,
                n=len(own),
                n_refused=n_refused,
                n_none_of_these=sum(said[i] == NONE_OF_THESE for i in own),
                value=n_refused / len(own),
                low=low,
                high=high,
                passed=tuple(Passed(names[i], class_names[named(probs[i], thresholds)]) for i in passed),
            )
        )
    return tuple(sorted(rows, key=lambda row: row.value))


def _ood_said(rows: Sequence[OodRow]) -> list[str]:
    if not rows:
        return []
    n, n_refused = sum(row.n for row in rows), sum(row.n_refused for row in rows)
    by_source = ", ".join(f"{row.n_refused} of {row.n} {row.source}" for row in rows)
    sentence = f"Shown {n} photos of other things, it gave {n_refused} of them no class name ({by_source})."
    passed = [f"{p.name} (“{p.answer}”)" for row in rows for p in row.passed]
    if passed:
        more = f" and {len(passed) - NAMED} more" if len(passed) > NAMED else ""
        sentence += f" Those that passed: {', '.join(passed[:NAMED])}{more}."
    return [sentence]


def _left_out(
    kept: KeptScores, class_names: Sequence[str], answer: float, near_reference: NDArray[np.float32] | None
) -> tuple[LeftOutRow, ...]:
    """For each class in turn: "none of these" to its photos by centres and a threshold that know nothing of it.

    No head is fitted again, so "not sure" is not counted here. Where the model is not early, neither is a threshold
    here: classes whose others are too few for a promise are left out.
    """
    labels, rows = kept.out_of_fold.labels, []
    for c in np.unique(labels):
        own = labels == c
        ood_scores = ood_scores_without(kept.nearness, c)
        of_reference = None if near_reference is None else ood_scores_without(near_reference, c)
        sure = np.zeros(int((~own).sum()))
        limits = fit_thresholds(ood_scores[~own], sure, of_reference, scenes=kept.scenes[~own], answer=answer)
        if (far := limits.ood_score) is None or (limits.early and near_reference is None):
            continue
        n, n_refused = int(own.sum()), int((ood_scores[own] > far).sum())
        low, high = wilson(n_refused, n)
        rows.append(LeftOutRow(class_names[c], n, n_refused, n_refused / n, low, high))
    return tuple(sorted(rows, key=lambda row: row.value))


def _left_out_said(rows: Sequence[LeftOutRow]) -> list[str]:
    if not rows:
        return []
    mean, worst, best = sum(row.value for row in rows) / len(rows), rows[0], rows[-1]
    sentence = (
        "Something new that is close to your classes is harder. With each class in turn as if it had never been seen, "
        f"it says “none of these” to {round(100 * mean)} of 100 of its photos"
    )
    if len(rows) > 1:
        ends = (f"{quoted(row.class_name)} {round(100 * row.value)}" for row in (worst, best))
        sentence += f" ({' to '.join(ends)})"
    return [f"{sentence}; to the others it gives the name of the closest class."]

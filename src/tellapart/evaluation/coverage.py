"""Whom a model refuses a class name: real photos, strangers, and each of its own classes as if it had never seen it."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.classifier.cross_validation import CrossValidated
from tellapart.classifier.decision import (
    DOUBT_SHARE,
    FAR_SHARE,
    NONE_OF_THESE,
    NOT_SURE,
    Thresholds,
    fit_thresholds,
    withheld,
)
from tellapart.classifier.probe import CalibratedHead, OutOfFold
from tellapart.engine.ood_reference import OodReference
from tellapart.metrics.conformal import Guarantee, guarantee, observed_in_band
from tellapart.metrics.intervals import wilson
from tellapart.text import counted, quoted

NAMED = 6  # strangers that passed, listed by name

Json = dict[str, Any]


def promised(thresholds: Thresholds) -> Guarantee | None:
    """What share of real photos gets a class name, with its band; None where nothing is promised."""
    return guarantee(thresholds.n, FAR_SHARE, DOUBT_SHARE)


def refusals(
    said: CrossValidated,
    labels: NDArray[np.int32],
    class_names: Sequence[str],
    fitted: CalibratedHead,
    others: OodReference | None,
) -> Json:
    """The report card of "none of these" and "not sure".

    Args:
        said: what was said of N test photos.
        labels: (N,) in [0, C).
        class_names: (C,).
        fitted: the probe.
        others: photos of something else; None where the backbone has not seen them.
    """
    thresholds = fitted.thresholds
    card = real_photos(said.probs, said.unknown, labels, thresholds, promised(thresholds))
    far = thresholds.unknown_score
    card["strangers"] = [] if far is None or others is None else _strangers(fitted, others, class_names)
    card["left_out"] = [] if far is None else _left_out(fitted.out_of_fold, class_names)
    card["sentences"] += [*_strangers_said(card["strangers"]), *_left_out_said(card["left_out"])]
    return card


def real_photos(
    probs: NDArray[np.floating],
    unknown: NDArray[np.floating],
    labels: NDArray[np.int32],
    thresholds: Thresholds,
    promised: Guarantee | None,
) -> Json:
    """How many test photos get a class name at all, how many of those names are right, and what was promised.

    Args:
        probs: (N, C) of test photos.
        unknown: (N,) their unknown scores.
        labels: (N,) in [0, C).
        thresholds: the model's.
        promised: what it promises; None for nothing.
    """
    said = [withheld(p, float(u), thresholds) for p, u in zip(probs, unknown, strict=True)]
    named = [i for i, instead in enumerate(said) if instead is None]
    n_right = int((probs.argmax(axis=1) == labels)[named].sum())
    n_none, n_unsure, n = said.count(NONE_OF_THESE), said.count(NOT_SURE), len(said)
    observed = observed_in_band(len(named), n, promised) if promised and n else None
    in_words = _promise_said(thresholds, promised)
    counts = (
        f"{len(named):,} of {n:,} photos that it had not learned from got a class name, and {n_right:,} of those names "
        f"were right. {n_unsure:,} got “not sure” and {n_none:,} “none of these”."
    )
    return {
        "n_named": len(named),
        "n_named_right": n_right,
        "n_not_sure": n_unsure,
        "n_none_of_these": n_none,
        "promise": promised and asdict(promised),
        "observed": observed and asdict(observed),
        "sentences": [counts, *in_words] if n else in_words,
        "promise_in_words": " ".join(in_words),
    }


def promise_in_words(promised: Guarantee, *, to_owner: bool) -> str:
    """A promise in a sentence: to whoever trained the model, or to whoever reads of it later."""
    kept, low, high = (round(100 * share) for share in (promised.kept, promised.low, promised.high))
    plausible, photos = f"{low} to {high} is plausible with", counted(promised.n, "photo")
    if to_owner:
        given = f"It promises that at least about {kept} of 100 photos of your classes get a class name"
        return f"{given}; {plausible} your {photos}."
    given = f"It promised a name to at least about {kept} of 100 photos of its classes"
    return f"{given}; {plausible} the {photos} it learned from."


def least_photos(share: float) -> int:
    """Photos that it takes before the share `share` of them is one photo, as `fit_thresholds` counts."""
    return round(1 / share) - 1


def _promise_said(thresholds: Thresholds, promised: Guarantee | None) -> list[str]:
    if thresholds.unknown_score is None:
        least = least_photos(FAR_SHARE)
        return [
            f"It never says “none of these”: it must be tried on {least} photos while it learns to promise anything."
        ]
    if promised is None:  # a model of the first days
        return ["It says “none of these”, but how many photos of your classes get a class name was never promised."]
    sentences = [promise_in_words(promised, to_owner=True)]
    if thresholds.confidence is None:
        sentences.append(f"It never says “not sure”; that takes {least_photos(DOUBT_SHARE)} photos.")
    return sentences


def _strangers(fitted: CalibratedHead, others: OodReference, class_names: Sequence[str]) -> list[Json]:
    """How many photos of each source are refused, worst first, and the names of those that are not."""
    unknown = fitted.centres.ood_scores(others.features)
    probs = fitted.probs(others.features)
    said = [withheld(p, float(u), fitted.thresholds) for p, u in zip(probs, unknown, strict=True)]
    rows = []
    for source in dict.fromkeys(others.sources):
        own = [i for i, name in enumerate(others.sources) if name == source]
        passed = [i for i in own if said[i] is None]
        n_refused = len(own) - len(passed)
        low, high = wilson(n_refused, len(own))
        rows.append(
            {
                "source": source,
                "n": len(own),
                "n_refused": n_refused,
                "n_none_of_these": sum(said[i] == NONE_OF_THESE for i in own),
                "value": n_refused / len(own),
                "low": low,
                "high": high,
                "passed": [{"name": others.names[i], "answer": class_names[int(probs[i].argmax())]} for i in passed],
            }
        )
    return sorted(rows, key=lambda row: row["value"])


def _strangers_said(rows: Sequence[Json]) -> list[str]:
    if not rows:
        return []
    n, n_refused = (sum(row[key] for row in rows) for key in ("n", "n_refused"))
    by_source = ", ".join(f"{row['n_refused']} of {row['n']} {row['source']}" for row in rows)
    sentence = f"Shown {n} photos of other things, it gave {n_refused} of them no class name ({by_source})."
    passed = [f"{p['name']} (“{p['answer']}”)" for row in rows for p in row["passed"]]
    if passed:
        more = f" and {len(passed) - NAMED} more" if len(passed) > NAMED else ""
        sentence += f" Those that passed: {', '.join(passed[:NAMED])}{more}."
    return [sentence]


def _left_out(said: OutOfFold, class_names: Sequence[str]) -> list[Json]:
    """For each class in turn: "none of these" to its photos by centres and a threshold that know nothing of it.

    No head is fitted again, so "not sure" is not counted here.
    """
    rows = []
    for c in np.unique(said.labels):
        own = said.labels == c
        unknown = 1 - np.delete(said.nearness, c, axis=1).max(axis=1, initial=-1)
        far = fit_thresholds(unknown[~own], np.zeros(int((~own).sum()))).unknown_score
        if far is None:
            continue
        n, n_refused = int(own.sum()), int((unknown[own] > far).sum())
        low, high = wilson(n_refused, n)
        rows.append(
            {
                "class_name": class_names[c],
                "n": n,
                "n_refused": n_refused,
                "value": n_refused / n,
                "low": low,
                "high": high,
            }
        )
    return sorted(rows, key=lambda row: row["value"])


def _left_out_said(rows: Sequence[Json]) -> list[str]:
    if not rows:
        return []
    mean, worst, best = sum(row["value"] for row in rows) / len(rows), rows[0], rows[-1]
    sentence = (
        "Something new that is close to your classes is harder. With each class in turn as if it had never been seen, "
        f"it says “none of these” to {round(100 * mean)} of 100 of its photos"
    )
    if len(rows) > 1:
        ends = (f"{quoted(row['class_name'])} {round(100 * row['value'])}" for row in (worst, best))
        sentence += f" ({' to '.join(ends)})"
    return [f"{sentence}; to the others it gives the name of the closest class."]

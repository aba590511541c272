"""What the sections of a report are given: advice with its photos, who gets no name, curves, corrupted photos.

Each function takes an evaluation and returns what its template shows, or nothing where the evaluation has none of it:
`evaluate` knows less than `train`. Names stay as they are; the template escapes them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from tellapart.classifier.decision import ANSWERED, EARLY_SAID, shares
from tellapart.evaluation.corruption import DAYLIGHT_K, SEVERITIES
from tellapart.evaluation.costs import Costs
from tellapart.evaluation.coverage import NEVER_EARLY_SAID, Coverage, Passed, as_photos, promise_in_words
from tellapart.evaluation.evaluation import Evaluation, Suspect, Twins
from tellapart.evaluation.robustness import VariantScores
from tellapart.evaluation.wishes import of_photos
from tellapart.metrics.conformal import Guarantee, Observed, least_photos
from tellapart.report.plots import LEAST_ANSWERED, learning_plot, risk_plot
from tellapart.text import counted

PHOTOS_OF_ADVICE = 24  # shown of one piece of advice, most of them folded; four rows on a laptop
NAMED_OF_ADVICE = 500  # named after those; evaluation.json has them all
NAMED_OTHERS = 6  # names in a line before the rest is folded away
SILENT_ABOUT = 0.2  # the least sure photos, in the sentence on what staying silent gains
TABLED = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)  # coverages in the table below that
CLOSE_TO_LEFT_OUT = 0.5  # of a class's photos refused, below which its like are mostly taken for another class

Shown: TypeAlias = dict[str, Any]

_PLAINLY = {
    "gaussian noise": "grain",
    "shot noise": "grain of too little light",
    "defocus blur": "out of focus",
    "motion blur": "the camera moved",
    "darkness": "too little light",
    "overexposure": "too much light",
    "low contrast": "fog, a dirty lens",
    "JPEG compression": "saved very small",
    "pixelation": "enlarged from few pixels",
}
_TWINS = {"exact": "the same photo as", "near": "nearly the same photo as"}


def tested(evaluation: Evaluation) -> dict[str, str]:
    """What the photos that were scored are called, one and many: with a cross-validation none is only a test photo."""
    return tested_photos(crossed=evaluation.crossed)


def tested_photos(*, crossed: bool) -> dict[str, str]:
    """The same, by whether they were cross-validated."""
    kind = "" if crossed else "test "
    return {"one": f"{kind}photo", "many": f"{kind}photos"}


def advice(evaluation: Evaluation) -> list[Shown]:
    """Each sentence of advice, with its photos and a note on what is known of each."""
    suspects, leaks, conflicts = evaluation.suspects or (), evaluation.leaks, evaluation.label_conflicts
    suspected = {p.photo: _suspected(p) for p in suspects}
    torn = _twinned(conflicts.photos if conflicts else (), both=True)
    wrong = {p.photo: _suspected(p) for p in (conflicts and conflicts.likely_wrong) or ()}
    notes = {
        "leak": _twinned(leaks.photos if leaks else ()),
        "label_conflict": {photo: "; ".join(filter(None, (wrong.get(photo), said))) for photo, said in torn.items()},
        "suspected_labels": suspected,
        "confused_pair": suspected | {p.photo: f"{p.class_name}, taken for {p.answer}" for p in evaluation.most_wrong},
    }
    items = []
    for item in evaluation.advice or ():
        of_kind = notes.get(item.kind, {})
        named = [p.photo for p in suspects] if item.kind == "suspected_labels" else item.photos
        items.append(_noted(item.sentence, item.photos[:PHOTOS_OF_ADVICE], named, of_kind))
    return items


def doubtful(evaluation: Evaluation) -> Shown | None:
    """Photos that may be in the wrong class, where no advice speaks of them."""
    suspects = evaluation.suspects or ()
    if not suspects or any(item.kind == "suspected_labels" for item in evaluation.advice or ()):
        return None
    photos = [p.photo for p in suspects]
    sentence = f"{counted(len(photos), 'photo')} that it learned from may be in the wrong folder."
    return _noted(sentence, photos[:PHOTOS_OF_ADVICE], photos, {p.photo: _suspected(p) for p in suspects})


def shown_photos(evaluation: Evaluation) -> list[str]:
    """The names of the photos that a page shows, as often as it shows them."""
    items = [*advice(evaluation), *filter(None, [doubtful(evaluation)])]
    return [p.photo for p in evaluation.most_wrong] + [p["photo"] for item in items for p in item["photos"]]


def _twinned(pairs: Sequence[Twins], *, both: bool = False) -> dict[str, str]:
    """What the photos of the pairs are like, by name; of the twins too where both are to be looked at."""
    alike = [(p.photo, p.twin, _TWINS.get(p.kind, p.kind)) for p in pairs]
    notes = {photo: f"{same} {twin}" for photo, twin, same in alike}
    return ({twin: f"{same} {photo}" for photo, twin, same in alike} | notes) if both else notes


def _suspected(suspect: Suspect) -> str:
    return f"in {suspect.class_name}, looks like {suspect.looks_like}"


def _noted(sentence: str, shown: Sequence[str], named: Sequence[str], notes: Mapping[str, str]) -> Shown:
    rest = [photo for photo in named if photo not in set(shown)]
    return {
        "sentence": sentence,
        "photos": [{"photo": photo, "note": notes.get(photo, "")} for photo in shown],
        "named": [{"photo": photo, "note": notes.get(photo, "")} for photo in rest[:NAMED_OF_ADVICE]],
        "n_named": len(rest),
    }


def unknown(evaluation: Evaluation) -> Shown | None:
    """Who gets no class name: own photos beside what was promised, photos of other things, classes left out."""
    card = evaluation.unknown
    return None if card is None else coverage(card, evaluation.n_test, tested(evaluation)["many"])


def coverage(card: Coverage, n_test: int, photos: str) -> Shown:
    """As `unknown`, of `n_test` photos that are called `photos`."""
    others, left_out = card.strangers or (), card.left_out or ()
    return {
        "sentences": () if n_test else card.sentences,
        "own": _own(card, n_test, photos) if n_test else None,
        "others": [vars(row) | {"passed": _grouped(row.passed)} for row in others],
        "n_others": sum(row.n for row in others),
        "n_refused": sum(row.n_refused for row in others),
        "left_out": left_out,
        "mean_left_out": sum(row.value for row in left_out) / len(left_out) if left_out else None,
        "any_close": any(row.value < CLOSE_TO_LEFT_OUT for row in left_out),
    }


def costs(found: Costs | None) -> Shown | None:
    """What a mistake costs, with the shares in words."""
    if found is None:
        return None
    classes = [
        vars(c)
        | {
            "rows": [vars(row) | {"asked": of_photos(1 - row.recall)} for row in c.rows],
            "needed": [vars(need) | {"asked": of_photos(1 - need.recall)} for need in c.needed],
        }
        for c in found.classes
    ]
    return vars(found) | {
        "classes": classes,
        "mirrored": found.mirrored,
        "any_left_out": any(row.left_out is not None for row in found.named),
    }


def _own(card: Coverage, n: int, photos: str) -> Shown:
    observed = card.observed
    withheld = card.n_not_sure + card.n_none_of_these
    promised = EARLY_SAID if card.early else _promised(card.promise, card.answer or ANSWERED, withheld=withheld)
    if card.never_early:
        promised += f" {NEVER_EARLY_SAID}"
    verdict = _verdict(card.n_named, n, photos, observed) if observed else ("", "")
    never_miss = [kept.sentence for kept in card.never_miss or ()]
    n_named, n_unsure, n_none = card.n_named, card.n_not_sure, card.n_none_of_these
    return {
        "value": n_named / n,
        "band": [observed.low / n, observed.high / n] if observed else None,
        "said": f"{n_named:,} of {n:,} {photos} got a class name, and {card.n_named_right:,} of those names were "
        f"right. {n_unsure:,} got “not sure” and {n_none:,} “none of these”.",
        "promised": promised,
        "verdict": verdict,
        "never_miss": never_miss,
        "line": " ".join(filter(None, (promised, *verdict, *never_miss))),
    }


def _promised(promised: Guarantee | None, answer: float, *, withheld: int) -> str:
    far_share, doubt_share = shares(answer)
    if answer == 1:
        return "It gives every photo one of its names, as was asked for."
    if promised is None:
        never = "" if withheld else " and never says “none of these”"
        return f"It promises nothing here{never}: that takes at least {least_photos(far_share)} photos to learn from."
    sentence = promise_in_words(promised, to_owner=False)
    if promised.n_ranked < (least := least_photos(doubt_share)):
        sentence += f" It never says “not sure”: that takes {as_photos(least, promised.n_scenes)}."
    return sentence


def _verdict(n_named: int, n: int, photos: str, observed: Observed) -> tuple[str, str]:
    """Whether the promise was kept, in a word and in a sentence."""
    fits = f"{observed.low:,} to {observed.high:,} of {n:,} {photos}"
    if observed.holds:
        return "Kept.", f"Anything from {fits} would fit."
    if n_named < observed.low:
        return "Not kept.", (
            f"From {fits} would fit. These photos are less like those it learned from than they should be: learn from "
            "some of their kind too."
        )
    return "More than promised.", (
        f"From {fits} would fit. It holds back less than it should, so photos of other things pass more easily."
    )


def _grouped(passed: Sequence[Passed]) -> list[Shown]:
    """The photos of other things that got a class name, those of one name and one answer together."""
    return [
        {"name": name, "answer": answer, "n": n}
        for (name, answer), n in Counter((p.name, p.answer) for p in passed).items()
    ]


def silence(evaluation: Evaluation) -> Shown | None:
    """What it gains to stay silent about the least sure photos."""
    n, curve = evaluation.n_test, evaluation.risk_coverage
    if not curve:
        return None
    rows = []
    for wanted in TABLED:
        coverage, risk = next(
            (c, r) for c, r in zip(curve.coverage, curve.risk, strict=True) if c >= min(wanted, curve.coverage[-1])
        )
        n_answered = round(coverage * n)
        rows.append({"coverage": coverage, "n": n_answered, "n_wrong": round(risk * n_answered), "risk": risk})
    rows = [row for i, row in enumerate(rows) if row["n"] >= LEAST_ANSWERED and row not in rows[:i]]
    some = next((row for row in rows if 1 - SILENT_ABOUT <= row["coverage"] < 1), None)
    plot = risk_plot(curve, n, [row["coverage"] for row in (some, rows[-1]) if row] if rows else [])
    if plot is None:
        return None
    return {
        "plot": plot,
        "rows": rows,
        "some": some,
        "all": rows[-1],
        "share": SILENT_ABOUT,
        "area": curve.area,
        "excess": curve.excess,
    }


def growth(evaluation: Evaluation) -> Shown | None:
    """Whether more photos would help."""
    curves = evaluation.learning_curve
    if curves is None:
        return None
    overall, names = curves.overall, evaluation.confusion.class_names
    rows = [
        {"class_name": name, "n_now": curve.n_now, "now": curve.error_now, "gain": curve.gain_of_doubling}
        for name, curve in zip(names, curves.per_class, strict=True)
        if curve
    ]
    return {
        "plot": learning_plot(overall),
        "points": list(zip(overall.n_photos, overall.accuracies, strict=True)),
        "n_now": overall.n_now,
        "n_asked": overall.n_asked,
        "now": overall.error_now,
        "gain": overall.gain_of_doubling,
        "base": 100 if not overall.gain_of_doubling or overall.gain_of_doubling.value >= 0.0095 else 1000,
        "classes": sorted(rows, key=lambda row: -row["now"].value),
    }


def corrupted(evaluation: Evaluation) -> Shown | None:
    """How many right answers remain when photos are corrupted, the worst kind first."""
    hard = evaluation.robustness
    if hard is None:
        return None
    cells: dict[str, dict[str | None, VariantScores]] = {}
    for row in hard.corruptions:
        cells.setdefault(row.name, {})[row.severity] = row
    kinds = [
        {"name": name, "plainly": _PLAINLY.get(name, ""), "cells": [by[severity] for severity in SEVERITIES]}
        for name, by in cells.items()
    ]
    return {
        "sentences": hard.sentences,
        "n": hard.n,
        "n_test": hard.n_test,
        "severities": SEVERITIES,
        "kinds": sorted(kinds, key=lambda kind: kind["cells"][-1].n_right),
        "mean_kept": hard.mean_kept,
        "balances": [vars(row) | {"colour": _colour(row.kelvin or 0)} for row in hard.white_balance],
        "border": hard.border_only if hard.n else None,
    }


def _colour(kelvin: float) -> str:
    if kelvin == DAYLIGHT_K:
        return "as it was"
    return "too blue" if kelvin < DAYLIGHT_K else "too orange"

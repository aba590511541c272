"""What a mistake costs: how many photos to name against how many names are wrong, and misses against false alarms."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.classifier.decision import fit_thresholds, lowest_by_scene
from tellapart.classifier.kept_scores import KeptScores, Scored
from tellapart.classifier.ood import ood_scores_without
from tellapart.evaluation.wishes import of_photos, strictest_recall
from tellapart.metrics.conformal import least_photos, share_kept
from tellapart.metrics.intervals import Share, wilson
from tellapart.text import counted, quoted

ANSWERS = (0.99, 0.95, 0.9, 0.8)  # shares of real photos to name that are set beside each other
RECALLS = (0.999, 0.99, 0.98, 0.95, 0.9, 0.8)  # shares of a class not to miss
SAID_RECALL = 0.99  # the one that is said in a sentence


@dataclass(frozen=True)
class NamedRow:
    """What naming this share of real photos comes to on test photos.

    Args:
        answer: the share of real photos to get a class name.
        n_named: test photos that got one;
        n_wrong: of these, those whose name was wrong;
        wrong: the same as a share, with its plausible range.
        n_mistakes: test photos whose likeliest class is not theirs;
        n_withheld: of these, those that got no name.
        left_out: the mean share of photos of a class that it had never seen which got a name all the same; None where
            that is not known.
    """

    answer: float
    n_named: int
    n_wrong: int
    wrong: Share
    n_mistakes: int
    n_withheld: int
    left_out: float | None


@dataclass(frozen=True)
class MissRow:
    """What not missing a class this often comes to, where that is all that is asked for.

    Args:
        recall: the share of its photos not to be missed.
        probability: its decision threshold.
        low: of the share that is kept, low end of the plausible range;
        high: high end.
        n_missed: test photos of the class below the threshold.
        n_false_alarms: test photos of other classes at or above it;
        false_alarms: the same as a share, with its plausible range.
    """

    recall: float
    probability: float
    low: float
    high: float
    n_missed: int
    n_false_alarms: int
    false_alarms: Share


@dataclass(frozen=True)
class PhotosNeeded:
    """How many photos of a class, each another scene, it takes to promise a recall, and how many more that is."""

    recall: float
    n: int
    n_more: int


@dataclass(frozen=True)
class ClassCosts:
    """Misses of one class against false alarms.

    Args:
        class_name: its name.
        n: photos of it that thresholds are ranks of;
        n_scenes: and scenes that those are of.
        n_own: test photos of it.
        n_others: test photos of other classes.
        rows: what can be promised, the strictest first.
        needed: what cannot.
    """

    class_name: str
    n: int
    n_scenes: int
    n_own: int
    n_others: int
    rows: tuple[MissRow, ...]
    needed: tuple[PhotosNeeded, ...]


@dataclass(frozen=True)
class Costs:
    """What a mistake costs.

    Args:
        n_test: photos that were asked about, none of which set a threshold unless `own_ranks`.
        own_ranks: whether the thresholds are ranks among these photos themselves: a model of before keeps no scores.
        mirrored: whether there are two classes, of which `classes` has the rarer one: the other is its mirror image.
        named: for each share of photos to name, what is wrong.
        classes: misses against false alarms, by class.
        sentences: the most of it for people.
    """

    n_test: int
    own_ranks: bool
    mirrored: bool
    named: tuple[NamedRow, ...]
    classes: tuple[ClassCosts, ...]
    sentences: tuple[str, ...]


def costs_of(
    said: Scored, tested: Scored, class_names: Sequence[str], scenes: NDArray[np.integer], kept: KeptScores | None
) -> Costs:
    """What different thresholds, ranks among the scores `said`, come to on the photos of `tested`.

    Args:
        said: out-of-fold, of M training photos; or `tested` again, for a model that keeps none.
        tested: of N test photos.
        class_names: (C,).
        scenes: (M,) which photos of `said` are alike.
        kept: for what happens with classes left out; None where that is not known.
    """
    named_rows = tuple(_named_row(share, said, scenes, tested, kept) for share in ANSWERS)
    rarest_first = sorted(range(len(class_names)), key=lambda c: int((said.labels == c).sum()))
    mirrored = len(class_names) == 2
    shown = rarest_first[:1] if mirrored else range(len(class_names))
    classes = tuple(_class_costs(c, class_names[c], said, scenes, tested) for c in shown)
    own_ranks = said is tested
    sentences = tuple(_sentences(named_rows, classes, own_ranks))
    return Costs(len(tested), own_ranks, mirrored, named_rows, classes, sentences)


def _named_row(
    share: float, said: Scored, scenes: NDArray[np.integer], tested: Scored, kept: KeptScores | None
) -> NamedRow:
    thresholds = fit_thresholds(said.ood_scores, said.confidences, scenes=scenes, answer=share)
    is_named = _is_named(tested.ood_scores, tested.confidences, thresholds.ood_score, thresholds.confidence)
    is_wrong = tested.probs.argmax(axis=1) != tested.labels if len(tested) else np.zeros(0, bool)
    n_named, n_wrong = int(is_named.sum()), int((is_named & is_wrong).sum())
    return NamedRow(
        share,
        n_named,
        n_wrong,
        _share(n_wrong, n_named),
        int(is_wrong.sum()),
        int((is_wrong & ~is_named).sum()),
        left_out_share(kept, share) if kept else None,
    )


def left_out_share(kept: KeptScores, answer: float) -> float | None:
    """The mean share of a class's photos that get a name although head, centres and thresholds know nothing of it.

    Only over classes that a head was fitted without; None where there is none, or too few photos for a threshold.
    """
    said, shares = kept.out_of_fold, []
    for c in np.unique(said.labels):
        own = (said.labels == c) & np.isfinite(kept.unseen_confidences)
        others = said.labels != c
        if not own.any() or not others.any():
            continue
        ood_scores = ood_scores_without(kept.nearness, c)
        rest = np.delete(said.probs, c, axis=1).astype(np.float64)
        confidences = (rest / np.maximum(rest.sum(axis=1, keepdims=True), np.finfo(float).tiny)).max(axis=1)
        limits = fit_thresholds(ood_scores[others], confidences[others], scenes=kept.scenes[others], answer=answer)
        got = _is_named(ood_scores[own], kept.unseen_confidences[own], limits.ood_score, limits.confidence)
        shares.append(float(got.mean()))
    return float(np.mean(shares)) if shares else None


def _is_named(
    ood_scores: NDArray[np.floating], confidences: NDArray[np.floating], far: float | None, doubt: float | None
) -> NDArray[np.bool_]:
    """(N,) which photos get a class name."""
    near = np.ones(len(ood_scores), bool) if far is None else np.asarray(ood_scores, np.float64) <= far
    return near if doubt is None else near & (np.asarray(confidences, np.float64) >= doubt)


def _class_costs(c: int, name: str, said: Scored, scenes: NDArray[np.integer], tested: Scored) -> ClassCosts:
    own = said.labels == c
    n_scenes = len(np.unique(scenes[own]))
    is_own, probs = tested.labels == c, tested.probs[:, c].astype(np.float64)
    rows, needed = [], []
    for recall in RECALLS:
        found = lowest_by_scene(said.probs[own, c], scenes[own], 1 - recall) if n_scenes else None
        if found is None:
            least = least_photos(1 - recall)
            needed.append(PhotosNeeded(recall, least, least - n_scenes))
            continue
        prob, rank = found
        _, low, high = share_kept(n_scenes, rank)
        n_false = int((~is_own & (probs >= prob)).sum())
        n_missed = int((is_own & (probs < prob)).sum())
        rows.append(MissRow(recall, prob, low, high, n_missed, n_false, _share(n_false, int((~is_own).sum()))))
    return ClassCosts(
        name, int(own.sum()), n_scenes, int(is_own.sum()), int((~is_own).sum()), tuple(rows), tuple(needed)
    )


def _share(n: int, among: int) -> Share:
    return Share(n / among, *wilson(n, among)) if among else Share(None, None, None)


def _sentences(rows: Sequence[NamedRow], classes: Sequence[ClassCosts], own_ranks: bool) -> list[str]:
    said = []
    if own_ranks:
        said.append("This model keeps no out-of-fold values, so the thresholds here are ranks among these photos.")
    usual, fewer = rows[1], rows[-1]
    if usual.n_named and fewer.n_named and usual.n_mistakes:
        said.append(
            f"With {100 * usual.answer:g} of 100 photos to be named, {usual.n_wrong:,} of {usual.n_named:,} names were "
            f"wrong; with {100 * fewer.answer:g}, {fewer.n_wrong:,} of {fewer.n_named:,}. "
            f"“tellapart threshold MODEL --answer {fewer.answer:g}” sets that."
        )
    if classes:
        rarest = min(classes, key=lambda c: c.n)
        said.append(_miss_sentence(rarest))
    return said


def _miss_sentence(costs: ClassCosts) -> str:
    """What it costs to miss as few photos of a class as people commonly ask for, or how many photos that takes."""
    row = next((row for row in costs.rows if row.recall == SAID_RECALL), None)
    at_most = of_photos(1 - SAID_RECALL)
    if row is None:
        needed = next(need for need in costs.needed if need.recall == SAID_RECALL)
        strictest = strictest_recall(costs.n_scenes)
        can = f" With those there are, {of_photos(1 - strictest)} can be." if strictest else ""
        scenes = "" if costs.n_scenes == costs.n else f" of {counted(costs.n_scenes, 'scene')}"
        return (
            f"To promise that at most {at_most} photos of {quoted(costs.class_name)} are missed takes "
            f"{needed.n_more:,} more of them than the {costs.n:,}{scenes} that it was tried on.{can}"
        )
    return (
        f"To miss at most {at_most} photos of {quoted(costs.class_name)}, it would call {row.n_false_alarms:,} of "
        f"{costs.n_others:,} others so."
    )

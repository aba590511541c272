"""By what a person grouped photos, what the score would have been without, and what that says."""

import math
from dataclasses import dataclass, replace

from tellapart.data.groups import Groups, said_by
from tellapart.evaluation.scores import Accuracy, AccuracyOf
from tellapart.text import counted

ALWAYS = "photos taken in one go are alike in more than their class"


@dataclass(frozen=True)
class Grouping:
    """Groups that a person gave, and what they change.

    Args:
        by: the column or the pattern.
        kind: `column` or `path`.
        n_groups: groups of that name; photos that stand alone left out.
        n_alone: photos that belong to none.
        kept: whether the groups were kept whole; not where each class is one group, for then none could be tested.
        n_straddling: test photos whose group also trains; of a given split, or where groups were not kept.
        without: the score of the other test photos, leaks left out too; None where none straddles, or none is left.
        headline_without: their headline; "" where there is none.
        ungrouped: the score of a second split that knows no groups; None where that was not asked.
        headline_ungrouped: its headline; "" where there is none.
        sentences: all of it in words.
        probe: beside a network that was trained, the score of a probe of the same photos; None beside a probe.
        probe_ungrouped: the score of a second such probe, of a split that knows no groups.
    """

    by: str
    kind: str
    n_groups: int
    n_alone: int
    kept: bool
    n_straddling: int
    without: AccuracyOf | None
    headline_without: str
    ungrouped: AccuracyOf | None
    headline_ungrouped: str
    sentences: tuple[str, ...] = ()
    probe: AccuracyOf | None = None
    probe_ungrouped: AccuracyOf | None = None


def grouping_of(groups: Groups, *, kept: bool) -> Grouping:
    """By what photos were grouped, and nothing yet of any score."""
    return Grouping(groups.by, groups.kind, groups.n, groups.n_alone, kept, 0, None, "", None, "")


def said(grouping: Grouping, accuracy: Accuracy, n_test: int, split: str | None) -> Grouping:
    """The grouping with its sentences.

    Args:
        grouping: as far as it is known.
        accuracy: the score beside it.
        n_test: photos that this is of.
        split: `made`, `crossed` or `given`; None where there is none, and nothing learns.
    """
    learns = split in ("made", "crossed")
    if learns and not grouping.kept:
        return replace(grouping, sentences=(_not_kept(grouping),))
    lines = [_what(grouping, split)]
    if grouping.n_straddling and split == "given":
        lines.append(_straddling(grouping, n_test))
    if learns and grouping.ungrouped is None:
        lines.append("What the score would have been without was not measured: that takes a second training.")
    if grouping.probe and grouping.probe_ungrouped:
        lines.append(_lesson_of_probes(grouping.probe, grouping.probe_ungrouped))
    if grouping.ungrouped is not None and n_test:
        lines.append(_lesson(grouping, grouping.ungrouped, accuracy))
    return replace(grouping, sentences=tuple(lines))


def _what(grouping: Grouping, split: str | None) -> str:
    line = f"Grouped by the {said_by(grouping.kind, grouping.by)}: {counted(grouping.n_groups, 'group')}"
    if split == "made":
        line += ", none of them on both sides of the test"
    elif split == "crossed":
        line += ", each asked whole of a model that had learned from none of its photos"
    elif split is None:
        line += ", each counted once in the ranges"
    if grouping.n_alone:
        stand = "photo belongs to none and stands" if grouping.n_alone == 1 else "photos belong to none and stand"
        line += f"; {grouping.n_alone:,} {stand} alone"
    return f"{line}."


def _straddling(grouping: Grouping, n_test: int) -> str:
    if grouping.without is None and grouping.n_straddling < n_test:
        return (
            f"{grouping.n_straddling:,} of {n_test:,} test photos are of groups that were also trained on, and the "
            f"others are training photos themselves, so nothing is known about new groups: {ALWAYS}."
        )
    if grouping.without is None:
        return (
            f"{'The one test photo is' if n_test == 1 else f'All {n_test:,} test photos are'} of groups that were also "
            f"trained on, so nothing is known about new groups: {ALWAYS}."
        )
    are = "test photos are" if grouping.n_straddling > 1 else "test photos is"
    return (
        f"{grouping.n_straddling:,} of {n_test:,} {are} of groups that were also trained on: {ALWAYS}. "
        f"Of new groups: {grouping.headline_without}"
    )


def _not_kept(grouping: Grouping) -> str:
    made = "all photos one group" if grouping.n_groups + grouping.n_alone == 1 else "each class one group"
    return (
        f"The {said_by(grouping.kind, grouping.by)} makes {made}, so none could be tested on a group that it has not "
        "learned from. Photos were divided without it, and the score is of photos from the same groups. With a second "
        "group of each class it would be of new ones."
    )


def _lesson(grouping: Grouping, ungrouped: AccuracyOf, accuracy: Accuracy) -> str:
    told, within, _ = grouping.headline_ungrouped.partition(" plausible)")
    return f"Without the groups the score would have been: {told}{within}. {_meaning(ungrouped, accuracy)}"


def _lesson_of_probes(probe: AccuracyOf, ungrouped: AccuracyOf) -> str:
    return (
        f"Heads that learned from the same photos without training a network had {probe.n_right:,} of {probe.n_test:,} "
        f"test photos right with the groups, and {ungrouped.n_right:,} of {ungrouped.n_test:,} without. "
        f"{_meaning(ungrouped, probe)}"
    )


def _meaning(ungrouped: AccuracyOf, accuracy: Accuracy) -> str:
    """What it says that one score is without the groups and the other with them."""
    value, own = ungrouped.value or 0.0, accuracy.value or 0.0
    points = round(100 * (value - own))
    if points < 0:
        return f"That is {-points} of 100 fewer, by chance."
    if points < 1:
        return "So they make no difference that can be seen here."
    if not _clear(value - own, value - (ungrouped.low or 0.0), (accuracy.high or 1.0) - own):
        return f"That is {points} of 100 more; one split alone cannot tell that from chance."
    return f"That is {points} of 100 too many: {ALWAYS}."


def _clear(difference: float, below: float, above: float) -> bool:
    """Whether the range of a difference of two shares leaves out 0.

    Source: Zou and Donner, Stat. Med. 27 (2008), of two shares that are taken to be independent.
    """
    return difference > math.hypot(below, above)

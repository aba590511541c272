"""What to label next: strips of what looks alike, single photos that teach most, and what is like a photo."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tellapart.classifier.probe import CalibratedHead
from tellapart.data.duplicates import most_alike
from tellapart.errors import InputError
from tellapart.studio.draw import TEST_SHARE
from tellapart.studio.work.desk import Desk
from tellapart.studio.work.proposals import Units, fit_head, units_of
from tellapart.studio.work.strips import next_strips
from tellapart.timing import Progress
from tellapart.workflow.suggest import choose

N_STRIPS: Final = 6  # told at once; those behind the first are shown while new ones are made
N_SUGGESTED: Final = 200
POOL: Final = 10_000  # stacks that suggestions are chosen from, drawn by chance where there are more
N_ALIKE: Final = 300


def strips(desk: Desk, _: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """The next strips; never with a stack that is drawn for the test."""
    units = units_of(desk, progress)
    free = units.free & ~units.drawn
    found = next_strips(units.features, units.labels, free, _head(desk, units), N_STRIPS)
    return {
        "strips": [
            {
                "label": units.class_names[strip.label] if strip.label >= 0 else "",
                "sure": round(strip.sure, 3),
                "photos": [units.ids[row] for row in strip.rows.tolist()],
            }
            for strip in found
        ],
        "n_free": int(free.sum()),
        "n_drawn": int((units.free & units.drawn).sum()),
    }


def suggestions(desk: Desk, _: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Single photos in the order of `suggest`, with those that are drawn for the test mixed in by chance."""
    units = units_of(desk, progress)
    rows = np.flatnonzero(units.free & ~units.drawn)
    by_chance = np.random.default_rng(0)
    if len(rows) > POOL:
        rows = np.sort(by_chance.choice(rows, POOL, replace=False))
    chosen = [units.ids[rows[i]] for i in _chosen(desk, units, rows)]
    drawn = [units.ids[row] for row in by_chance.permutation(np.flatnonzero(units.free & units.drawn)).tolist()]
    return {"photos": _mixed(chosen, drawn), "drawn": drawn}


def _chosen(desk: Desk, units: Units, rows: NDArray[np.int64]) -> list[int]:
    """Which of `rows` to label, the most useful first; without two classes what differs most."""
    if not len(rows):
        return []
    features, alone = units.features[rows], np.arange(len(rows))
    head = _head(desk, units)
    if head is None:
        return choose(features, np.full((len(rows), 2), 0.5), np.zeros(len(rows), bool), alone, N_SUGGESTED)
    far, limit = np.zeros(len(rows), bool), head.thresholds.ood_score
    if limit is not None and not head.thresholds.early:
        far = head.centres.ood_scores(features) > limit
    return choose(features, head.probs(features), far, alone, N_SUGGESTED)


def _mixed(chosen: list[str], drawn: list[str]) -> list[str]:
    """One of `drawn` after each few of `chosen`, as many as chance would bring; then what is left of them."""
    mixed: list[str] = []
    rest = iter(drawn)
    for number, photo in enumerate(chosen, start=1):
        mixed.append(photo)
        if number % (TEST_SHARE - 1) == 0:
            mixed += [one for one in [next(rest, "")] if one]
    return [*mixed, *rest]


def alike(desk: Desk, asked: Mapping[str, Any], progress: Progress) -> list[str]:
    """The photos most like `photo`, itself first.

    Raises:
        InputError: it was not read.
    """
    seen = desk.seen(progress)
    row = seen.row.get(str(asked.get("photo")))
    if row is None:
        raise InputError("This photo cannot be read, so nothing is known to be like it.", hint="Choose another one.")
    if len(seen.photos) == 1:
        return [seen.photos[row].id]
    found, cosines = most_alike(seen.values, np.array([row]), N_ALIKE)
    order = np.argsort(-cosines[0], kind="stable")
    return [seen.photos[row].id, *(seen.photos[other].id for other in found[0][order].tolist())]


def _head(desk: Desk, units: Units) -> CalibratedHead | None:
    return fit_head(units.features, units.labels, len(units.class_names), desk.extractor.backbone)

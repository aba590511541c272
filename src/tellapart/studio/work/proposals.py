"""What may be proposed to a person: stacks that have no label yet, and a head fitted on those that have one."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tellapart.classifier.probe import CalibratedHead, fit_probe, make_folds
from tellapart.engine.backbone import Backbone
from tellapart.engine.ood_reference import ood_reference
from tellapart.recipe import LinearProbe
from tellapart.studio.work.desk import Desk
from tellapart.studio.work.stacks import draw_on, members_of, stacks_of
from tellapart.timing import Progress

# Fitted after each strip, so on few folds and with the one C that served best on clothing and instruments.
QUICK: Final = LinearProbe(inverse_regularisation=(0.03,), tolerance=1e-3, n_folds=3)
LEARNS: Final = 5_000  # labelled stacks at most; more take seconds and propose no better


@dataclass(frozen=True)
class Units:
    """The S stacks of a heap, each as the photo that was found first.

    Args:
        ids: identity of that photo.
        features: (S, D) of it.
        labels: (S,) class by which a proposal may go, as a number; -1 for none, and for what is drawn for the test.
        free: (S,) which have no word of a person yet.
        drawn: (S,) which are for the test: never proposed, labelled one at a time.
        class_names: of the numbers.
    """

    ids: list[str]
    features: NDArray[np.float32]
    labels: NDArray[np.int32]
    free: NDArray[np.bool_]
    drawn: NDArray[np.bool_]
    class_names: tuple[str, ...]


def units_of(desk: Desk, progress: Progress) -> Units:
    """The stacks of all readable photos."""
    seen, marks = desk.seen(progress), desk.state.marks
    names = desk.state.classes
    number = {name: i for i, name in enumerate(names)}
    members, tests = members_of(stacks_of(seen, marks)), draw_on(desk, progress).tests
    ids: list[str] = []
    labels = np.full(len(members), -1, np.int32)
    free, drawn = np.zeros(len(members), bool), np.zeros(len(members), bool)
    for stack, rows in enumerate(members):
        photos = [seen.photos[row] for row in rows.tolist()]
        said = [marks[photo.id] for photo in photos]
        ids.append(photos[0].id)
        drawn[stack] = any(photo.id in tests for photo in photos)
        free[stack] = not any(mark.label or mark.none or mark.out for mark in said)
        labelled = [number[mark.label] for mark in said if mark.label in number and not mark.out]
        if labelled and not drawn[stack]:
            labels[stack] = labelled[0]
    first = np.array([rows[0] for rows in members], np.int64)
    return Units(ids, np.asarray(seen.values[first], np.float32), labels, free, drawn, names)


def fit_head(
    features: NDArray[np.float32], labels: NDArray[np.int32], n_classes: int, backbone: Backbone
) -> CalibratedHead | None:
    """A head fitted on the stacks that have a label; None where these are of fewer than two classes.

    Args:
        features: (S, D).
        labels: (S,); -1 for none.
        n_classes: of the labels.
        backbone: which made the features.
    """
    known = np.flatnonzero(labels >= 0)
    if len(known) > LEARNS:
        known = np.sort(np.random.default_rng(0).choice(known, LEARNS, replace=False))
    own = labels[known]
    if len(np.unique(own)) < 2:
        return None
    reference = ood_reference(backbone)
    return fit_probe(
        features[known],
        own,
        make_folds(own, np.arange(len(own), dtype=np.int32), QUICK),
        n_classes,
        QUICK,
        imagenet=backbone.imagenet,
        reference=None if reference is None else reference.to_fit,
    )

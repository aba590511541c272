"""What a score would have been without the groups that the person gave: a second split that does not know them."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tellapart.classifier.trained import Trained
from tellapart.evaluation.document import plain_score
from tellapart.evaluation.evaluation import Evaluation
from tellapart.features.prepare import Prepared
from tellapart.recipe import LinearProbe, Training
from tellapart.workflow.fit import fit_probe_on, split_photos


def without_groups(trained: Trained) -> Evaluation | None:
    """The score of a second split, by looks alone, and of a head that learned from it; no photo is looked at again.

    None where there were no groups to keep, where the split came with the photos, and where a network was trained,
    which would have to be trained a second time.
    """
    prepared, recipe = trained.prepared, trained.recipe
    if prepared.groups_found is None or trained.split.kind == "given" or not isinstance(recipe, LinearProbe):
        return None
    return _score(_ungrouped(prepared, prepared.groups_found), recipe, may_cross=trained.split.kind == "crossed")


def probes_beside(trained: Trained, bundled: Prepared) -> tuple[Evaluation, Evaluation] | None:
    """The scores of two probes beside a network that was trained: with the groups, and by a split without them.

    A second network would take as long as the first. Features of the bundled one were computed to find copies, so two
    probes cost two fits; that groups flatter a score shows with them as well.

    Args:
        trained: what was learned.
        bundled: the photos as the bundled network sees them.

    Returns:
        None where no network was trained, there were no groups to keep, or the split came with the photos.
    """
    found = bundled.groups_found
    if found is None or trained.split.kind == "given" or not isinstance(trained.recipe, Training):
        return None
    without = _ungrouped(bundled, found)
    return _score(bundled, trained.probe, may_cross=False), _score(without, trained.probe, may_cross=False)


def _score(prepared: Prepared, recipe: LinearProbe, *, may_cross: bool) -> Evaluation:
    split = split_photos(prepared, recipe, may_cross=may_cross)
    return plain_score(fit_probe_on(prepared, split, recipe))


def _ungrouped(prepared: Prepared, found: NDArray[np.int32]) -> Prepared:
    """The photos as if nobody had said which belong together; `found` are the groups by looks alone."""
    return replace(
        prepared,
        dataset=replace(prepared.dataset, groups=None),
        duplicates=replace(prepared.duplicates, groups=found),
        groups_found=None,
    )

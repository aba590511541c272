"""What a score would have been without the groups that the person gave: a second split that does not know them."""

from dataclasses import replace

from tellapart.classifier.trained import Trained
from tellapart.evaluation.document import plain_score
from tellapart.evaluation.evaluation import Evaluation
from tellapart.recipe import LinearProbe
from tellapart.workflow.fit import fit_probe_on, split_photos


def without_groups(trained: Trained) -> Evaluation | None:
    """The score of a second split, by looks alone, and of a head that learned from it; no photo is looked at again.

    None where there were no groups to keep, where the split came with the photos, and where a network was trained,
    which would have to be trained a second time.
    """
    prepared, recipe = trained.prepared, trained.recipe
    if prepared.groups_found is None or trained.split.kind == "given" or not isinstance(recipe, LinearProbe):
        return None
    ungrouped = replace(
        prepared,
        dataset=replace(prepared.dataset, groups=None),
        duplicates=replace(prepared.duplicates, groups=prepared.groups_found),
        groups_found=None,
    )
    split = split_photos(ungrouped, recipe, may_cross=trained.split.kind == "crossed")
    return plain_score(fit_probe_on(ungrouped, split, recipe))

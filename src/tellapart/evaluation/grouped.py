"""An evaluation with what groups that a person gave say about it."""

from dataclasses import replace

import numpy as np

from tellapart.classifier.kept_scores import KeptScores
from tellapart.classifier.trained import Trained
from tellapart.evaluation.document import inside, score
from tellapart.evaluation.evaluation import Evaluation
from tellapart.evaluation.grouping import grouping_of, said
from tellapart.evaluation.scores import AccuracyOf


def grouped(
    evaluation: Evaluation,
    trained: Trained,
    kept: KeptScores,
    ungrouped: Evaluation | None,
    probes: tuple[Evaluation, Evaluation] | None = None,
) -> Evaluation:
    """The evaluation with its `groups`; as it is where the person gave none.

    A test photo whose group also trains is a leak of its own kind: beside the score stands that of the others.

    Args:
        evaluation: of the test photos, leaks known.
        trained: what was learned, and from which photos.
        kept: what was said of the test photos.
        ungrouped: the score of a second split that knows no groups; None where there was none.
        probes: beside a network, a probe's scores with and without the groups.
    """
    prepared, split = trained.prepared, trained.split
    dataset, groups = prepared.dataset, prepared.dataset.groups
    if groups is None:
        return evaluation
    grouping = grouping_of(groups, kept=prepared.groups_found is not None)
    if ungrouped is not None:
        grouping = replace(grouping, ungrouped=_of(ungrouped), headline_ungrouped=ungrouped.headline)
    if probes is not None:
        grouping = replace(grouping, probe=_of(probes[0]), probe_ungrouped=_of(probes[1]))
    if split.kind != "crossed":
        straddles = np.isin(groups.numbers[split.test], groups.numbers[split.learned])
        leaked = {twins.photo for twins in evaluation.leaks.photos} if evaluation.leaks else set()
        is_leak = np.array([inside(dataset, dataset.photos[i]) in leaked for i in split.test], bool)
        clean = ~straddles & ~is_leak
        grouping = replace(grouping, n_straddling=int(straddles.sum()))
        if straddles.any() and clean.any():
            left, probs = split.test[clean], kept.tested.probs[clean]
            without = score(probs, dataset, left, dataset.class_names, groups=prepared.duplicates.groups[left])
            grouping = replace(grouping, without=_of(without), headline_without=without.headline)
    return replace(evaluation, groups=said(grouping, _of(evaluation), evaluation.n_test, split.kind))


def _of(evaluation: Evaluation) -> AccuracyOf:
    """The score, that of photos that were not learned from where others were."""
    leaks = evaluation.leaks
    if leaks and leaks.n and leaks.without:
        return leaks.without
    return AccuracyOf(**vars(evaluation.accuracy), n_test=evaluation.n_test)

"""What a person could do next, from what training has already computed."""

from dataclasses import replace

import numpy as np

from tellapart.checks.finding import Finding
from tellapart.checks.image_stats import image_stats_of
from tellapart.checks.mislabels import set_apart, suspects
from tellapart.checks.shortcuts import shortcut_findings
from tellapart.classifier.trained import Trained
from tellapart.data.duplicates import conflicting
from tellapart.evaluation.advice.advice import advise
from tellapart.evaluation.advice.mistakes import out_of_fold_mistakes
from tellapart.evaluation.advice.probe_beside import probe_beside
from tellapart.evaluation.document import inside
from tellapart.evaluation.evaluation import Evaluation, Suspect
from tellapart.evaluation.learning_curve import learning_curve
from tellapart.features.prepare import Prepared
from tellapart.recipe import Scratch
from tellapart.timing import Progress


def next_steps(
    trained: Trained,
    evaluation: Evaluation,
    progress: Progress,
    *,
    can_fine_tune: bool,
    look: bool = False,
    bundled: Prepared | None = None,
) -> Evaluation:
    """The evaluation with the learning curve, the photos that may be in the wrong class, and at most five advices.

    Args:
        trained: the photos, and what was learned from them.
        evaluation: as far as it is known.
        progress: called with (stage, done, total).
        can_fine_tune: whether this installation can.
        look: whether to look at every photo once more, for what gives its class away.
        bundled: the photos as the bundled network sees them, to put a probe beside a network trained from nothing and
            to find the photos most alike.
    """
    prepared, calibrated, probe = trained.prepared, trained.calibrated, trained.probe
    dataset, chosen = prepared.dataset, trained.split.learned
    labels, groups = dataset.labels[chosen], prepared.duplicates.groups[chosen]
    names, photos = dataset.class_names, [inside(dataset, dataset.photos[i]) for i in chosen]
    curve = learning_curve(
        prepared.values_of(chosen),
        labels,
        trained.folds,
        groups,
        len(names),
        probe,
        calibrated,
        progress=lambda done, total: progress("learning curve", done, total),
    )
    said = calibrated.out_of_fold
    evaluation = _with_suspects(evaluation, trained, bundled or prepared)
    weakened = tuple(said for said in evaluation.warnings or () if said not in dataset.notes)  # notes weaken no score
    advice = advise(
        replace(evaluation, warnings=weakened),
        curve,
        mistakes=out_of_fold_mistakes(said, calibrated.temperature, photos, names),
        n_out_of_fold=len(said.indices),
        suspects=evaluation.suspects or (),
        shortcuts=_shortcuts(prepared, progress) if look else (),
        quality=None if probe.reading.network or trained.history else probe.reading.quality,
        can_fine_tune=can_fine_tune and trained.history is None,
        probe=probe_beside(bundled, trained) if bundled and isinstance(trained.recipe, Scratch) else None,
    )
    summary = curve.summary() if curve else None
    return replace(evaluation, learning_curve=summary, advice=tuple(advice))


def _with_suspects(evaluation: Evaluation, trained: Trained, seen: Prepared) -> Evaluation:
    """With the training photos that may be in the wrong class; those that a copy contradicts beside their copies.

    Args:
        seen: the photos by a network that never learned their labels.
    """
    dataset, chosen = trained.prepared.dataset, trained.split.learned
    labels, names = dataset.labels[chosen], dataset.class_names
    found = suspects(trained.calibrated.out_of_fold_probs(len(chosen)), labels, seen.values[chosen])
    torn = np.flatnonzero(np.isin(chosen, conflicting(dataset.labels, trained.prepared.duplicates)))
    alone, paired = (
        tuple(
            Suspect(inside(dataset, dataset.photos[chosen[s.index]]), names[labels[s.index]], names[s.looks_like])
            for s in some
        )
        for some in set_apart(found, torn)
    )
    conflicts = evaluation.label_conflicts and replace(evaluation.label_conflicts, likely_wrong=paired)
    return replace(evaluation, suspects=alone, label_conflicts=conflicts)


def _shortcuts(prepared: Prepared, progress: Progress) -> list[Finding]:
    """What beside the subject tells the classes apart, in all photos."""
    return shortcut_findings(prepared.dataset, prepared.duplicates.groups, image_stats_of(prepared.dataset, progress))

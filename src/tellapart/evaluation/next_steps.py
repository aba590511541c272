"""What a person could do next, from what training has already computed."""

from typing import Any

from tellapart.checks.finding import Finding
from tellapart.checks.image_stats import image_stats_of
from tellapart.checks.mislabels import suspects
from tellapart.checks.shortcuts import shortcut_findings
from tellapart.classifier.trained import Trained
from tellapart.evaluation.advice import advise, out_of_fold_mistakes
from tellapart.evaluation.document import inside
from tellapart.evaluation.learning_curve import learning_curve
from tellapart.features.prepare import Prepared
from tellapart.timing import Progress

Json = dict[str, Any]


def next_steps(
    trained: Trained, evaluation: Json, progress: Progress, *, can_fine_tune: bool, look: bool = False
) -> Json:
    """The learning curve, the photos that may be in the wrong class, and at most five sentences of advice.

    Args:
        trained: the photos, and what was learned from them.
        evaluation: as far as it is known.
        progress: called with (stage, done, total).
        can_fine_tune: whether this installation can.
        look: whether to look at every photo once more, for what gives its class away.
    """
    prepared, calibrated, probe = trained.prepared, trained.calibrated, trained.probe
    dataset, chosen = prepared.dataset, trained.split.learned
    labels, groups = dataset.labels[chosen], prepared.duplicates.groups[chosen]
    names, photos = dataset.class_names, [inside(dataset, dataset.photos[i]) for i in chosen]
    curve = learning_curve(
        prepared.values[chosen],
        labels,
        trained.folds,
        groups,
        len(names),
        probe,
        calibrated,
        progress=lambda done, total: progress("learning curve", done, total),
    )
    said, probs = calibrated.out_of_fold, calibrated.out_of_fold_probs(len(chosen))
    doubtful = [(photos[s.index], names[labels[s.index]], names[s.looks_like]) for s in suspects(probs, labels, groups)]
    advice = advise(
        evaluation,
        curve,
        mistakes=out_of_fold_mistakes(said, calibrated.temperature, photos, names),
        n_out_of_fold=len(said.indices),
        suspects=doubtful,
        shortcuts=_shortcuts(prepared, progress) if look else (),
        quality=None if probe.reading.network or trained.history else probe.reading.quality,
        can_fine_tune=can_fine_tune and trained.history is None,
    )
    return {
        "learning_curve": curve and curve.to_json(),
        "suspects": [{"photo": p, "class_name": c, "looks_like": other} for p, c, other in doubtful],
        "advice": [item.to_json() for item in advice],
    }


def _shortcuts(prepared: Prepared, progress: Progress) -> list[Finding]:
    """What beside the subject tells the classes apart, in all photos."""
    return shortcut_findings(prepared.dataset, prepared.duplicates.groups, image_stats_of(prepared.dataset, progress))

"""All findings about prepared photos, gravest first."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tellapart.checks.audit import audit
from tellapart.checks.finding import Finding
from tellapart.checks.image_stats import ImageStats, image_stats_of
from tellapart.checks.kin import Ask, group_findings, kin_findings
from tellapart.checks.mislabels import with_suspects
from tellapart.checks.names import name_findings
from tellapart.checks.quality import quality_findings
from tellapart.checks.shortcuts import shortcut_findings
from tellapart.features.prepare import Prepared
from tellapart.timing import Progress, no_progress

# By how much each makes the score a lie or the model worse.
BY_SEVERITY = (
    "label_conflict",
    "leak",
    "group_leak",
    "kin",
    "mislabelled",
    "shortcut",
    "unusable",
    "name_clash",
    "all_alike",
    "one_group",
    "exact_duplicate",
    "near_duplicate",
    "few_photos",
    "imbalance",
    "empty",
    "blurred",
    "dark",
    "overexposed",
    "tiny",
    "odd_shape",
)


def inspect(
    prepared: Prepared,
    out_of_fold_probs: NDArray[np.float64] | None = None,
    progress: Progress = no_progress,
    ask: Ask | None = None,
    stats: ImageStats | None = None,
) -> list[Finding]:
    """Everything worth mending about `prepared`, gravest first.

    Args:
        prepared: N readable photos.
        out_of_fold_probs: (N, C) calibrated probabilities by heads that had seen no photo of the same group, with a
            row of NaN for each photo without; None where there are none, and then nothing is said about labels.
        progress: called with (stage, done, total).
        ask: tells whether groups that cross a given split change its score; None where nobody can tell.
        stats: how the photos look, where that is known; else they are opened once more.

    Raises:
        PhotoError: a photo cannot be read any more.
    """
    dataset = prepared.dataset
    stats = stats or image_stats_of(dataset, progress)
    looks = prepared.duplicates
    if prepared.groups_found is not None:
        looks = replace(looks, groups=prepared.groups_found)
    findings = [
        *audit(dataset, prepared.skipped, looks),
        *group_findings(dataset),
        *name_findings(dataset.class_names),
        *shortcut_findings(dataset, prepared.duplicates.groups, stats),
        *quality_findings(dataset, stats),
    ]
    if ask is not None:
        findings += kin_findings(dataset, stats, ask)
    if out_of_fold_probs is not None:
        findings = with_suspects(findings, dataset, prepared.duplicates, out_of_fold_probs, prepared.values)
    return by_gravity(findings)


def by_gravity(findings: Sequence[Finding]) -> list[Finding]:
    """`findings`, gravest first; those of one kind stay in their order."""
    return sorted(findings, key=lambda finding: BY_SEVERITY.index(finding.kind))

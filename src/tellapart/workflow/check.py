"""What is wrong with photos, before any training."""

import os

from tellapart.checks.finding import Finding
from tellapart.checks.inspection import inspect
from tellapart.classifier.cross_validation import out_of_fold_probs
from tellapart.data.data_frame import DataFrame
from tellapart.data.source import require_trainable, scan
from tellapart.errors import InputError
from tellapart.features.extract import bundled_extractor
from tellapart.features.prepare import Prepared, prepare
from tellapart.recipe import LinearProbe, Reading
from tellapart.timing import Progress, Stopwatch, no_progress
from tellapart.workflow.kin import asked_twice


def check(
    source: str | os.PathLike[str] | DataFrame,
    *,
    quality: str = Reading.quality,
    group_by: str | None = None,
    progress: Progress = no_progress,
) -> tuple[Prepared, list[Finding]]:
    """What is wrong with the photos of `source`, before any training.

    Args:
        source: labelled photos, as for `train`.
        quality: whose features judge which photos are alike; they are cached, so training then starts at once.
        group_by: what says which photos belong together, as for `scan`.
        progress: called with (stage, done, total).

    Raises:
        InputError: there is no such source, or nothing in it can be read.
    """
    recipe = LinearProbe(Reading(quality=quality))
    with bundled_extractor(quality, recipe.reading.resize_mode) as extractor:
        prepared = prepare(scan(source, group_by=group_by), extractor, progress, Stopwatch())
    untrainable = _untrainable(prepared)
    said = None if untrainable else out_of_fold_probs(prepared, recipe, progress)
    ask = None if untrainable else asked_twice(prepared, recipe)
    understood = [Finding("source", note, "") for note in prepared.dataset.notes]
    return prepared, [*untrainable, *understood, *inspect(prepared, said, progress, ask)]


def _untrainable(prepared: Prepared) -> list[Finding]:
    """Why `train` would refuse these photos, first of all findings."""
    try:
        require_trainable(prepared.dataset)
    except InputError as error:
        return [Finding("untrainable", error.message, error.hint)]
    return []

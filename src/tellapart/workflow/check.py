"""What is wrong with photos, before any training."""

import os
from collections.abc import Iterable
from typing import NamedTuple

from tellapart.checks.finding import SHOWN_PHOTOS, Finding
from tellapart.checks.image_stats import ImageStats
from tellapart.checks.inspection import inspect
from tellapart.classifier.cross_validation import out_of_fold_probs
from tellapart.data.data_frame import DataFrame
from tellapart.data.remote.place import Place, place_named
from tellapart.data.source import Dataset, require_trainable, scan
from tellapart.errors import InputError
from tellapart.features.extract import bundled_extractor
from tellapart.features.prepare import Prepared, prepare
from tellapart.recipe import LinearProbe, Reading
from tellapart.report.thumbnails import thumbnails
from tellapart.shards.destination import is_shards, opened
from tellapart.shards.reading import photos_of
from tellapart.text import counted, shown, tag
from tellapart.timing import Progress, Stopwatch, usual_progress
from tellapart.workflow.kin import asked_twice


class Findings(list[Finding]):
    """What was found, gravest first: a list that a notebook shows with its photos."""

    def __init__(self, found: Iterable[Finding], dataset: Dataset) -> None:
        super().__init__(found)
        self.dataset = dataset

    def __repr__(self) -> str:
        lines = [f"<Findings in {shown(self.dataset.source)}: {counted(len(self), 'thing')} to look at>"]
        return "\n".join([*lines, *(f"  {finding!r}" for finding in self)])

    def _repr_html_(self) -> str:
        known = set(self.dataset.photos)
        rows = [row for finding in self for row in finding.photos[:SHOWN_PHOTOS]]
        pictures = thumbnails(self.dataset, [word for row in rows for word in row if word in known])
        lead = f"{self.dataset.source}: {counted(len(self), 'thing')} to look at." if self else "Nothing was found."
        return tag("div", tag("p", lead), *(finding.as_html(pictures) for finding in self))


class Checked(NamedTuple):
    """The photos as they were read, and what was found: `prepared, findings = check(…)`."""

    prepared: Prepared
    findings: Findings

    def __repr__(self) -> str:
        return repr(self.findings)

    def _repr_html_(self) -> str:
        return self.findings._repr_html_()


def check(
    source: str | os.PathLike[str] | DataFrame,
    *,
    quality: str = Reading.quality,
    group_by: str | None = None,
    progress: Progress = usual_progress,
) -> Checked:
    """What is wrong with the photos of `source`, before any training.

    Args:
        source: labelled photos, as for `train`; of a folder of shards no photo is opened.
        quality: whose features judge which photos are alike; they are cached, so training then starts at once.
        group_by: what says which photos belong together, as for `scan`.
        progress: called with (stage, done, total).

    Raises:
        InputError: there is no such source, or nothing in it can be read.
    """
    recipe = LinearProbe(Reading(quality=quality))
    if isinstance(source, str | os.PathLike) and is_shards(source):
        prepared, stats = _of_shards(place_named(os.fspath(source)), quality, group_by, progress)
        return Checked(prepared, findings_in(prepared, recipe, progress, stats))
    with bundled_extractor(quality, recipe.reading.resize_mode) as extractor:
        prepared = prepare(scan(source, group_by=group_by), extractor, progress, Stopwatch())
    return Checked(prepared, findings_in(prepared, recipe, progress))


def _of_shards(path: Place, quality: str, group_by: str | None, progress: Progress) -> tuple[Prepared, ImageStats]:
    """The photos of a folder of shards, and how they look, by what their rows say."""
    with bundled_extractor(quality, opened(path).manifest.resize_mode, keep=False) as extractor:
        photos = photos_of(path, extractor.extractor_key, group_by)
        known = photos.features(progress)
        prepared = prepare(photos.dataset, extractor, progress, Stopwatch(), known=known)
    return prepared, photos.looks(known.usable)


def findings_in(
    prepared: Prepared, recipe: LinearProbe, progress: Progress, stats: ImageStats | None = None
) -> Findings:
    """What is wrong with photos that were read, gravest first; arguments as of `check` and `inspect`."""
    untrainable = _untrainable(prepared)
    said = None if untrainable else out_of_fold_probs(prepared, recipe, progress)
    ask = None if untrainable else asked_twice(prepared, recipe)
    understood = [Finding("source", note, "") for note in prepared.dataset.notes]
    found = [*untrainable, *understood, *inspect(prepared, said, progress, ask, stats)]
    return Findings(found, prepared.dataset)


def _untrainable(prepared: Prepared) -> list[Finding]:
    """Why `train` would refuse these photos, first of all findings."""
    try:
        require_trainable(prepared.dataset)
    except InputError as error:
        return [Finding("untrainable", error.message, error.hint)]
    return []

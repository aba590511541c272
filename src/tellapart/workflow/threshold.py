"""Other thresholds for a finished model, from the scores that it keeps: no photo is read for it."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tellapart.classifier.decision import Thresholds, repeats
from tellapart.classifier.kept_scores import KeptScores
from tellapart.engine.ood_reference import reference_photos
from tellapart.errors import ArtifactError, InputError
from tellapart.evaluation.costs import Costs, costs_of
from tellapart.evaluation.coverage import Coverage, refusals
from tellapart.evaluation.evaluation import as_json
from tellapart.evaluation.wishes import contradiction, decide, guarantee_of
from tellapart.model.artifact import (
    CARD,
    EVALUATION,
    MODEL,
    MODEL_FILES,
    OUT_OF_FOLD,
    REPORT,
    Artifact,
    load_artifact,
    refuse_imagenet,
    to_json,
)
from tellapart.model.compose import with_metadata
from tellapart.model.folder_files import read_card
from tellapart.model.kept_file import parse_kept
from tellapart.recipe import Wishes
from tellapart.report.page import with_thresholds
from tellapart.report.sections import coverage as shown_coverage
from tellapart.report.sections import tested_photos
from tellapart.storage.atomic import refuse_unwritable
from tellapart.text import as_markdown, counted
from tellapart.workflow.rewriting import page_of, prove_same, write_anew

TRAIN_AGAIN = "Train again with --answer and --never-miss; what was read before is remembered, so that it is quick."


@dataclass(frozen=True)
class Decided:
    """What other thresholds come to.

    Args:
        thresholds: the new ones, or those that the model has where none were asked for.
        coverage: who gets a class name by them.
        costs: what other wishes would come to.
        n_proven: photos that the written model was asked about again; 0 where nothing was written.
        note: that the promise counts photos where scenes repeat, as models of before do; else empty.
    """

    thresholds: Thresholds
    coverage: Coverage
    costs: Costs
    n_proven: int
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "thresholds": self.thresholds.to_json(),
            "unknown": as_json(self.coverage),
            "costs": as_json(self.costs),
            "n_proven": self.n_proven,
            **({"note": self.note} if self.note else {}),
        }


def threshold(
    model: str | os.PathLike[str], wishes: Wishes | None = None, *, output: str | os.PathLike[str] | None = None
) -> Decided:
    """Set the thresholds of the model folder `model` anew, and write it as a whole; without wishes, only look.

    Args:
        model: a folder that `train` wrote.
        wishes: what a mistake costs; all of it: what is not named is as in a model without wishes.
        output: another folder to write; None changes `model` itself.

    Raises:
        InputError: a wish that contradicts another or takes more photos, or the folder cannot be written.
        ArtifactError: the model cannot be trusted, or keeps no out-of-fold values.
        TrainingError: the written model would answer otherwise than the thresholds say.
    """
    refuse_imagenet(model, "It has no thresholds. Train a model with: tellapart train PHOTOS -o MODEL")
    folder = Path(model)
    target = folder if output is None else Path(output)
    artifact = load_artifact(folder)
    kept = _kept(artifact)
    if wishes is None:
        return _decided(artifact.thresholds, artifact, kept)
    refuse_unwritable(target, force=output is None, ours=MODEL_FILES, may_force=False)
    today, own = artifact.thresholds, (kept.out_of_fold, kept.scenes)
    thresholds = decide(wishes, *own, artifact.class_names, today, kept.scores_to_fit)
    if sentence := contradiction(thresholds):
        raise InputError(sentence, hint="The model stays as it was.")
    decided = _decided(thresholds, artifact, kept)
    guaranteed = guarantee_of(thresholds)
    changed = {"thresholds": thresholds.to_json(), "promise": guaranteed and guaranteed.to_json()}
    graph = with_metadata(artifact.model, changed)
    decided = replace(decided, n_proven=prove_same(artifact, graph, thresholds))
    _write(folder, target, artifact, {**artifact.manifest, **changed}, graph, decided, kept)
    return decided


def _kept(artifact: Artifact) -> KeptScores:
    data = artifact.files.get(OUT_OF_FOLD)
    if data is None:
        raise ArtifactError(
            "This model keeps no out-of-fold values to set thresholds by: an earlier tellapart made it, or it is too "
            "large to keep them.",
            hint=TRAIN_AGAIN,
        )
    return parse_kept(data, len(artifact.class_names))


def _decided(thresholds: Thresholds, artifact: Artifact, kept: KeptScores) -> Decided:
    said, tested = kept.out_of_fold, kept.tested
    costs = costs_of(said, tested, artifact.class_names, kept.scenes, kept)
    return Decided(thresholds, _coverage(thresholds, artifact, kept), costs, 0, _by_photo(thresholds, kept))


def _by_photo(thresholds: Thresholds, kept: KeptScores) -> str:
    """A sentence where ranks count photos, although the model keeps which of them repeat a scene."""
    if thresholds.n_scenes is not None or guarantee_of(thresholds) is None or not repeats(kept.scenes):
        return ""
    return (
        f"This model of an earlier tellapart counts {thresholds.n:,} photos, which show "
        f"{counted(len(np.unique(kept.scenes)), 'scene')}, so its range for photos named is too narrow. Set anew, it "
        f"counts scenes: --answer {thresholds.answer:g}"
    )


def _coverage(thresholds: Thresholds, artifact: Artifact, kept: KeptScores) -> Coverage:
    photos = reference_photos()
    known = kept.reference is not None and len(photos[0]) == len(kept.reference)  # else another tellapart has others
    return refusals(thresholds, kept, artifact.class_names, photos if known else None)


def _write(
    folder: Path,
    target: Path,
    artifact: Artifact,
    manifest: dict[str, Any],
    graph: bytes,
    decided: Decided,
    kept: KeptScores,
) -> None:
    """The model folder, its numbers and pages as the thresholds make them; what its owner wrote in the card stays."""
    evaluation = dict(artifact.evaluation)
    evaluation |= {"unknown": as_json(decided.coverage), "costs": as_json(decided.costs)}
    n_test, crossed = len(kept.tested), evaluation.get("method") == "cross-validation"
    files = {**artifact.files, MODEL: graph, EVALUATION: to_json(evaluation)}
    if page := page_of(folder, artifact, REPORT):
        text = with_thresholds(page.decode(), decided.coverage, decided.costs, n_test=n_test, crossed=crossed)
        files[REPORT] = text.encode()
    if (owners := read_card(folder, CARD)) is not None:
        before = _coverage(artifact.thresholds, artifact, kept)
        card = _card(owners.decode("utf-8", "replace"), before, decided.coverage, n_test, crossed=crossed)
        files[CARD] = card.encode()
    write_anew(target, artifact, manifest, files)


def _card(card: str, before: Coverage, after: Coverage, n_test: int, *, crossed: bool) -> str:
    """The card with its sentences on who gets a name as they are now; what its owner has changed stays as it is."""
    photos = tested_photos(crossed=crossed)["many"]
    old, new = (shown_coverage(each, n_test, photos)["own"] for each in (before, after))
    if old and new:
        for key in ("said", "line"):
            card = card.replace(as_markdown(old[key]), as_markdown(new[key]))
    return card

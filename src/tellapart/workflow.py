"""The product's table of contents: what training, evaluating and checking consist of, in order."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from tellapart.artifact import CARD, EVALUATION, MODEL_FILES, REPORT, REPORT_FILES, load_artifact, seal, to_json
from tellapart.atomic import refuse_unwritable, write_folder
from tellapart.compose import compose
from tellapart.data.audit import Finding, audit
from tellapart.data.preprocess import Preprocess
from tellapart.data.source import require_trainable, scan
from tellapart.data.split import TEST_SHARE, Split, crossed_split, given_split, make_split
from tellapart.engine.backbone import QUALITIES
from tellapart.engine.network import n_cores
from tellapart.errors import InputError
from tellapart.evaluation import FEW_TEST_PHOTOS
from tellapart.examination import answer_all, new_evaluation, refuse_unknown_classes, test_part
from tellapart.feature_cache import FeatureCache
from tellapart.features import Extractor
from tellapart.package import card, describe, model_facts, model_files, page
from tellapart.prediction import Predictor
from tellapart.prepare import Prepared, prepare
from tellapart.probe import ALWAYS_TRAINS, FittedProbe, fit_probe, make_folds
from tellapart.recipe import Probe
from tellapart.scoring import test_evaluation
from tellapart.stopwatch import Progress, Stopwatch, no_progress

Json = dict[str, Any]


def train(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    recipe: Probe | None = None,
    *,
    force: bool = False,
    progress: Progress = no_progress,
) -> Json:
    """Train on the photos of `source`, test honestly, and write the model folder `output`.

    Args:
        source: a folder of class folders, train/val/test folders of them, a zip of either, or a CSV or JSONL file.
        output: the model folder; written as a whole at the very end, so a stopped run changes nothing.
        recipe: hyper-parameters; the defaults suit most sets.
        force: whether an existing model folder may be replaced.
        progress: called with (stage, done, total).

    Returns:
        The evaluation, as in `evaluation.json`.

    Raises:
        InputError: something about the photos or the output that the person can mend.
        TrainingError: the written model would not answer as it was tested.
    """
    recipe, output, clock = recipe or Probe(), Path(output), Stopwatch()
    refuse_unwritable(output, force=force, ours=MODEL_FILES)
    with clock("scan"):
        dataset = scan(source)
        require_trainable(dataset)
    prepared = prepare(dataset, _extractor(recipe), progress, clock)
    dataset = prepared.dataset
    require_trainable(dataset)
    with clock("split"):
        split = _divide(prepared, recipe)
    with clock("head"):
        fitted = fit(prepared, split, recipe, progress)
    with clock("test"):
        evaluation = test_evaluation(prepared, split, fitted, recipe)
    with clock("model"):
        description = describe(prepared, split, fitted, recipe, name=output.name)
        model = compose(QUALITIES[recipe.quality], fitted, description)
        evaluation |= model_facts(model, description, prepared, split, fitted)
    with clock("report"):
        files = model_files(model, prepared, split)
        files |= {REPORT: page(evaluation, dataset, output.name), CARD: card(evaluation, description)}
    evaluation["timings_s"] = clock.rounded()
    write_folder(output, seal(description, {**files, EVALUATION: to_json(evaluation)}))
    return evaluation


def evaluate(
    model: str | os.PathLike[str],
    source: str | os.PathLike[str],
    *,
    output: str | os.PathLike[str] | None = None,
    force: bool = False,
    progress: Progress = no_progress,
) -> Json:
    """Score a model folder on labelled photos that it has not seen; classes are matched by name.

    Where the source has a `test` part, only that is scored. Photos that the model was trained on are counted as leaks.

    Args:
        model: the model folder.
        source: labelled photos, as for `train`.
        output: a folder for `evaluation.json` and `report.html`; None writes nothing.
        force: whether an existing `output` may be replaced.
        progress: called with (stage, done, total).

    Returns:
        The evaluation, as in `evaluation.json`.

    Raises:
        InputError: no such photos, or a class that the model does not know.
        ArtifactError: the model folder cannot be trusted.
    """
    clock = Stopwatch()
    if output is not None:
        refuse_unwritable(Path(output), force=force, ours=REPORT_FILES)
    with clock("load"):
        artifact = load_artifact(Path(model))
        predictor = Predictor.from_artifact(artifact, streams=n_cores())
    with clock("scan"):
        dataset = scan(source)
        refuse_unknown_classes(dataset, artifact.class_names)
        dataset = test_part(dataset)
    with clock("predict"):
        answers = answer_all(predictor, dataset, progress)
    with clock("test"):
        evaluation = new_evaluation(answers, dataset, artifact)
    with clock("report"):
        report = page(evaluation, dataset, artifact.manifest["name"]) if output is not None else b""
    evaluation["timings_s"] = clock.rounded()
    if output is not None:
        write_folder(Path(output), {REPORT: report, EVALUATION: to_json(evaluation)})
    return evaluation


def check(
    source: str | os.PathLike[str], *, quality: str = Probe.quality, progress: Progress = no_progress
) -> tuple[Prepared, list[Finding]]:
    """What is wrong with the photos of `source`, before any training.

    Args:
        source: labelled photos, as for `train`.
        quality: whose features judge which photos are alike; they are cached, so training then starts at once.
        progress: called with (stage, done, total).

    Raises:
        InputError: there is no such source, or nothing in it can be read.
    """
    prepared = prepare(scan(source), _extractor(Probe(quality=quality)), progress, Stopwatch())
    return prepared, [*_untrainable(prepared), *audit(prepared.dataset, prepared.skipped, prepared.duplicates)]


def _untrainable(prepared: Prepared) -> list[Finding]:
    """Why `train` would refuse these photos, first of all findings."""
    try:
        require_trainable(prepared.dataset)
    except InputError as error:
        return [Finding("untrainable", error.message, error.hint)]
    return []


def _extractor(recipe: Probe) -> Extractor:
    if recipe.quality not in QUALITIES:
        raise InputError(f"There is no quality '{recipe.quality}'.", hint=f"Choose one of: {', '.join(QUALITIES)}.")
    backbone = QUALITIES[recipe.quality]
    return Extractor(backbone, Preprocess(backbone.input_px, recipe.fit), FeatureCache())


def _divide(prepared: Prepared, recipe: Probe) -> Split:
    """The split that came with the photos, or else our own that no scene straddles, crossed where photos are few."""
    dataset, duplicates = prepared.dataset, prepared.duplicates
    if dataset.given_split:
        split = given_split(dataset.splits)
        if len(split.test):
            return split
    of, seed = (dataset.labels, duplicates.scenes, duplicates.copies), recipe.seed
    if recipe.test_share is None and TEST_SHARE * dataset.n < FEW_TEST_PHOTOS:
        return crossed_split(*of, n_folds=recipe.n_folds, seed=seed)
    return make_split(*of, test_share=recipe.test_share or TEST_SHARE, seed=seed)


def fit(prepared: Prepared, split: Split, recipe: Probe, progress: Progress = no_progress) -> FittedProbe:
    """The head and all that follows it, from the photos that train and, where given, those that choose."""
    chosen = split.learned
    labels = prepared.dataset.labels[chosen]
    if split.folds is not None:
        folds = split.folds
    elif len(split.val):
        folds = np.where(np.isin(chosen, split.val), 0, ALWAYS_TRAINS).astype(np.int32)
    else:
        folds = make_folds(labels, prepared.duplicates.scenes[chosen], recipe)
    return fit_probe(
        prepared.values[chosen],
        labels,
        folds,
        len(prepared.dataset.class_names),
        recipe,
        progress=lambda done, total: progress("fitting the head", done, total),
    )

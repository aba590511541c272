"""How well a model folder does on photos that are new to it."""

import os
from dataclasses import replace
from pathlib import Path

from tellapart.data.data_frame import DataFrame
from tellapart.data.source import Dataset, scan
from tellapart.evaluation.answering import answer_all
from tellapart.evaluation.document import as_called, new_evaluation, refuse_unknown_classes, test_part
from tellapart.evaluation.evaluation import Evaluation
from tellapart.evaluation.robustness import measure_robustness
from tellapart.model.artifact import EVALUATION, REPORT, REPORT_FILES, load_artifact, to_json
from tellapart.model.prediction import Predictor
from tellapart.parallel import n_cores
from tellapart.report.sections import shown_photos
from tellapart.storage.atomic import refuse_unwritable, write_folder
from tellapart.timing import Progress, Stopwatch, usual_progress
from tellapart.workflow.model_folder import page, pictured, pictures_of
from tellapart.workflow.trained_copies import copies_of, training_photos


def evaluate(
    model: str | os.PathLike[str],
    source: str | os.PathLike[str] | DataFrame,
    *,
    output: str | os.PathLike[str] | None = None,
    force: bool = False,
    robustness: bool = False,
    group_by: str | None = None,
    progress: Progress = usual_progress,
) -> Evaluation:
    """Score a model folder on labelled photos that it has not seen; classes are matched by name.

    Where the source has a `test` part, only that is scored. Photos that the model was trained on are counted as leaks,
    resized, turned and cropped ones too where this machine still knows the training photos.

    Args:
        model: the model folder.
        source: labelled photos, as for `train`.
        output: a folder for `evaluation.json` and `report.html`; None writes nothing.
        force: whether an existing `output` may be replaced.
        robustness: whether to ask about corrupted photos too, as in `train`.
        group_by: what says which photos belong together, as for `scan`; each group counts once in the ranges.
        progress: called with (stage, done, total).

    Raises:
        InputError: no such photos, or a class that the model does not know.
        ArtifactError: the model folder cannot be trusted.
    """
    clock = Stopwatch()
    if output is not None:
        refuse_unwritable(Path(output), force=force, ours=REPORT_FILES)
    with clock("load"):
        artifact = load_artifact(Path(model))
    with clock("scan"):
        dataset = as_called(scan(source, group_by=group_by), artifact)
        refuse_unknown_classes(dataset, artifact.class_names)
        dataset = test_part(dataset)
    with training_photos(artifact, progress) as training:
        with clock("load"):
            predictor = Predictor.from_artifact(artifact, streams=n_cores(), looks=training.looks)
        with clock("predict"):
            answers = answer_all(predictor, dataset, progress, looks=training.looks)
        with clock("duplicates"):
            learned = copies_of(training, answers, dataset, progress)
    with clock("test"):
        evaluation = new_evaluation(answers, dataset, artifact, learned)
    if robustness:
        with clock("robustness"):
            hard = measure_robustness(predictor, dataset, answers.usable, progress=progress)
            evaluation = replace(evaluation, robustness=hard)
    return _written(output, evaluation, dataset, artifact.manifest["name"], clock)


def _written(
    output: str | os.PathLike[str] | None, evaluation: Evaluation, dataset: Dataset, name: str, clock: Stopwatch
) -> Evaluation:
    """The evaluation with its times and the pictures that a notebook shows; a folder of it where one is wanted."""
    with clock("report"):
        shown = [one.photo for one in evaluation.most_wrong] if output is None else shown_photos(evaluation)
        pictures = pictures_of(dataset, shown)
        report = page(evaluation, pictures, name) if output is not None else b""
    evaluation = replace(evaluation, timings_s=clock.rounded())
    if output is not None:
        write_folder(Path(output), {REPORT: report, EVALUATION: to_json(evaluation.to_json())})
    return pictured(evaluation, pictures)

"""The product's table of contents: what training, evaluating and checking consist of, in order."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.classifier.kept_scores import KeptScores
from tellapart.classifier.trained import Trained
from tellapart.data.data_frame import DataFrame
from tellapart.data.remote.place import place_named
from tellapart.data.source import Dataset, require_trainable, scan
from tellapart.engine.trial import remember_graph
from tellapart.errors import InputError
from tellapart.evaluation.advice.next_steps import next_steps
from tellapart.evaluation.document import First, tested
from tellapart.evaluation.evaluation import Evaluation
from tellapart.evaluation.grouped import grouped
from tellapart.evaluation.robustness import Robustness, measure_robustness
from tellapart.evaluation.wishes import refuse_impossible
from tellapart.extras import has
from tellapart.features.extract import bundled_extractor
from tellapart.features.prepare import Prepared, prepare
from tellapart.model.artifact import CARD, EVALUATION, MODEL, MODEL_FILES, REPORT, seal, sha256, to_json
from tellapart.model.compose import compose
from tellapart.model.prediction import Predictor
from tellapart.parallel import n_cores
from tellapart.recipe import USUAL, LinearProbe, Reading, Recipe, Wishes, probe_of
from tellapart.report.page import Made
from tellapart.report.sections import shown_photos
from tellapart.shards.destination import is_shards
from tellapart.shards.reading import photos_of
from tellapart.storage.atomic import refuse_unwritable, write_folder
from tellapart.storage.photo_locations import save_locations
from tellapart.timing import Progress, Stopwatch, usual_progress
from tellapart.workflow.fit import TrainingOptions, checkpoint_of, fit, split_photos
from tellapart.workflow.many.learning import Many, Sizes, are_many, learned_from_all, prepare_many, solved_closely
from tellapart.workflow.model_folder import (
    card,
    describe,
    made_today,
    model_facts,
    model_files,
    page,
    pictured,
    pictures_of,
    proven,
    read_again,
)
from tellapart.workflow.ungrouped import probes_beside, without_groups

Json = dict[str, Any]


def train(
    source: str | os.PathLike[str] | DataFrame,
    output: str | os.PathLike[str],
    recipe: Recipe | None = None,
    *,
    quality: str | None = None,
    options: TrainingOptions | None = None,
    wishes: Wishes = USUAL,
    force: bool = False,
    advice: bool = True,
    shortcuts: bool = False,
    robustness: bool = False,
    group_by: str | None = None,
    allow_private: bool = False,
    command: str = "",
    sizes: Sizes = Sizes(),  # noqa: B008  a value that nobody can change
    progress: Progress = usual_progress,
) -> Evaluation:
    """Train on the photos of `source`, test honestly, write the model folder `output`; returns its evaluation.

    Args:
        source: what `scan` takes: folders of classes, a zip, a table, a data frame, `hf:NAME`, an address; or shards.
        output: the model folder; written as a whole at the very end, so a stopped run changes nothing.
        recipe: a `LinearProbe`, `FineTune` or `Scratch` with its hyper-parameters; the default, a probe, suits most.
        quality: `fast`, `balanced` or `best`: which bundled network looks at the photos, where no recipe says it.
        options: of a network that is trained: whom to tell of each epoch, and whether to go on from an earlier run.
        wishes: what share of photos gets a name, and which classes must not be missed.
        force: whether an existing model folder may be replaced.
        advice: whether to say what to do next; heads are fitted on parts of the photos for it.
        shortcuts: whether it also says what gives classes away: format, size, brightness, border.
        robustness: whether to ask about corrupted test photos too.
        group_by: what says which photos belong together, as for `scan`; no split divides a group.
        allow_private: whether addresses of the web may lead to hosts of this network.
        command: what a person typed for it, for the report.
        sizes: from how many photos of shards on a head learns from a sample first, and how large that is.
        progress: called with (stage, done, total).

    Raises:
        InputError: something about the photos or the output that the person can mend.
        TrainingError: the written model would not answer as it was tested.
    """
    recipe, output, clock = _chosen(recipe, quality), Path(output), Stopwatch()
    refuse_unwritable(output, force=force, ours=MODEL_FILES)
    prepared, many = _trainable(source, group_by, allow_private, recipe, wishes, sizes, progress, clock)
    trained = _learned(prepared, many, recipe, options, wishes, progress, clock, may_cross=not robustness)
    model, description = _composed(trained, output.name, clock)
    with ThreadPoolExecutor(1, thread_name_prefix="proof") as beside:
        proving = beside.submit(proven, model, description, trained)
        evaluation, kept = _tested(trained, prepared, clock)
        evaluation = _counted(evaluation, trained, many)
        if advice:
            evaluation = _advised(trained, evaluation, prepared, progress, clock, look=shortcuts)
        with clock("proof"):
            proof, examples = proving.result()
    spoiled = _corrupted(model, trained, progress, clock) if robustness else evaluation.robustness
    evaluation = replace(evaluation, model=model_facts(model, description), proof=proof, training=trained.history)
    evaluation = replace(evaluation, robustness=spoiled)
    pages, evaluation = _pages(evaluation, prepared, description, made_today(output.name, command), clock)
    files = model_files(model, trained, kept) | examples | pages
    return _written(output, description, files, trained, replace(evaluation, timings_s=clock.rounded()))


def scored(
    source: str | os.PathLike[str] | DataFrame | Prepared,
    recipe: Recipe | None = None,
    *,
    quality: str | None = None,
    wishes: Wishes = USUAL,
    group_by: str | None = None,
    first: Callable[[Trained, Evaluation, NDArray[np.float32]], None] | None = None,
    progress: Progress = usual_progress,
) -> tuple[Trained, Evaluation, KeptScores]:
    """What `train` with the same arguments would write and say of the test photos, without writing anything.

    For whoever shows the number before the model is written: the split, the head and the score are made by what `train`
    makes them with, from the same photos in the same order. Features that were computed before are found in the cache.

    Args:
        source: as of `train`; or its photos prepared already, in the order that `scan` gives.
        recipe: as of `train`, as are the others.
        quality: of the bundled network, where no recipe says it.
        wishes: what share of photos gets a name, and which classes must not be missed.
        group_by: what says which photos belong together; of prepared photos their dataset says it.
        first: called with what was learned, the evaluation and what was said of the test photos, (N, C), as soon as
            the score is known: all numbers in that evaluation are those of the last one, which says more.
        progress: called with (stage, done, total).

    Returns:
        What was learned, whose `split` says who was tested; the evaluation, without advice; and the scores of each test
        photo, in the order of `split.test`.

    Raises:
        InputError: something about the photos that the person can mend.
    """
    recipe, clock, many = _chosen(recipe, quality), Stopwatch(), None
    if isinstance(source, Prepared):
        require_trainable(source.dataset)
        prepared = source
    else:
        prepared, many = _trainable(source, group_by, False, recipe, wishes, Sizes(), progress, clock)
    trained = _learned(prepared, many, recipe, None, wishes, progress, clock, may_cross=True)
    return trained, *_tested(trained, prepared, clock, None if first is None else partial(first, trained))


def _learned(
    prepared: Prepared,
    many: Many | None,
    recipe: Recipe,
    options: TrainingOptions | None,
    wishes: Wishes,
    progress: Progress,
    clock: Stopwatch,
    *,
    may_cross: bool,
) -> Trained:
    """What the recipe makes of these photos, divided as they say or as suits them."""
    with clock("split"):
        split = many.split if many else split_photos(prepared, recipe, may_cross=may_cross)
    with clock("head"):
        if many and isinstance(recipe, LinearProbe):
            recipe = solved_closely(recipe)
        trained = fit(prepared, split, recipe, options, progress, wishes)
        return learned_from_all(trained, many, progress) if many else trained


def _composed(trained: Trained, name: str, clock: Stopwatch) -> tuple[bytes, Json]:
    """The graph of the model `name`, and its manifest but for the hashes."""
    with clock("model"):
        description = describe(trained, name=name)
        return compose(trained.prepared.backbone, trained.calibrated, description), description


def _pages(
    evaluation: Evaluation, prepared: Prepared, description: Json, made: Made, clock: Stopwatch
) -> tuple[dict[str, bytes], Evaluation]:
    """What people read of the model, and the evaluation with the pictures that a notebook shows."""
    with clock("report"):
        pictures = pictures_of(prepared.dataset, shown_photos(evaluation))
        evaluation = read_again(evaluation, prepared, shown_photos(evaluation))
        report = page(evaluation, pictures, description["name"], made)
        return {REPORT: report, CARD: card(evaluation, description)}, pictured(evaluation, pictures)


def _tested(
    trained: Trained, bundled: Prepared, clock: Stopwatch, first: First | None = None
) -> tuple[Evaluation, KeptScores]:
    """All about the test photos, with what groups change, and the scores that it rests on."""
    with clock("test"):
        evaluation, kept = tested(trained, first)
        return grouped(evaluation, trained, kept, without_groups(trained), probes_beside(trained, bundled)), kept


def _counted(evaluation: Evaluation, trained: Trained, many: Many | None) -> Evaluation:
    """The evaluation with all photos counted, where it is about some of very many."""
    if many is None:
        return evaluation
    n = many.rows.n
    return replace(evaluation, rows=trained.rows, n_used=n, n_found=n + len(trained.prepared.skipped))


def _advised(
    trained: Trained, evaluation: Evaluation, bundled: Prepared, progress: Progress, clock: Stopwatch, *, look: bool
) -> Evaluation:
    """The evaluation with what to do next."""
    with clock("advice"):
        return next_steps(trained, evaluation, progress, can_fine_tune=has("deep"), look=look, bundled=bundled)


def _chosen(recipe: Recipe | None, quality: str | None) -> Recipe:
    """The recipe, or a probe of this quality."""
    if recipe is None:
        return LinearProbe(Reading(quality=quality or Reading.quality))
    if quality is not None:
        raise InputError(
            "Both a recipe and a quality were given.", hint="Name the quality in the recipe: Reading(quality=…)."
        )
    return recipe


def _written(output: Path, description: Json, files: Json, trained: Trained, evaluation: Evaluation) -> Evaluation:
    """The evaluation, once all is written: the model folder, and in the cache where its photos are.

    Those prove its exports, and explain its answers.

    What a stopped training would have gone on from is no longer needed then.
    """
    write_folder(output, seal(description, files | {EVALUATION: to_json(evaluation.to_json())}))
    dataset, split = trained.prepared.dataset, trained.split
    model = sha256(files[MODEL])
    remember_graph(model, n_classes=len(dataset.class_names), input_px=trained.prepared.preprocessing.input_px)
    if dataset.archive is None:
        kinds = {"test": split.test, "train": split.learned}
        save_locations(model, {kind: [dataset.places[i] for i in chosen] for kind, chosen in kinds.items()})
    checkpoint_of(output).unlink(missing_ok=True)
    return evaluation


def _trainable(
    source: str | os.PathLike[str] | DataFrame,
    group_by: str | None,
    allow_private: bool,
    recipe: Recipe,
    wishes: Wishes,
    sizes: Sizes,
    progress: Progress,
    clock: Stopwatch,
) -> tuple[Prepared, Many | None]:
    """The photos of `source`, if a classifier can be trained on those that can be read, and may keep the wishes.

    Of very many in shards, those that the report is about, and what is known of all.
    """
    reading, many = probe_of(recipe).reading, None
    if isinstance(source, str | os.PathLike) and is_shards(source):
        with bundled_extractor(reading.quality, reading.resize_mode, keep=False) as extractor:
            with clock("scan"):
                place = place_named(os.fspath(source))
                photos = photos_of(place, extractor.extractor_key, group_by, allow_private=allow_private)
                _refuse_hopeless(photos.dataset, wishes)
            if isinstance(recipe, LinearProbe) and are_many(photos, recipe, sizes):
                prepared, many = prepare_many(photos, extractor, recipe, sizes, progress, clock)
            else:
                with clock("features"):
                    known = photos.features(progress)
                prepared = prepare(photos.dataset, extractor, progress, clock, known=known)
    else:
        with clock("scan"):
            dataset = scan(source, group_by=group_by, allow_private=allow_private)
            _refuse_hopeless(dataset, wishes)
        with bundled_extractor(reading.quality, reading.resize_mode) as extractor:
            prepared = prepare(dataset, extractor, progress, clock)
    require_trainable(prepared.dataset)
    return prepared, many


def _refuse_hopeless(dataset: Dataset, wishes: Wishes) -> None:
    """Returns when these photos may do, before any of them is opened."""
    require_trainable(dataset)
    refuse_impossible(wishes, dataset.class_names, dataset.labels, range(dataset.n))


def _corrupted(model: bytes, trained: Trained, progress: Progress, clock: Stopwatch) -> Robustness:
    """How the written graph answers about corrupted test photos."""
    prepared, test = trained.prepared, trained.split.test
    dataset, thresholds = prepared.dataset, trained.calibrated.thresholds
    predictor = Predictor(dataset.class_names, prepared.preprocessing, thresholds, model, streams=n_cores())
    with clock("robustness"):
        return measure_robustness(predictor, dataset, test, groups=prepared.duplicates.groups[test], progress=progress)

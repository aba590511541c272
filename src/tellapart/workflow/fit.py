"""From photos to a fitted head: how they are divided, and how each kind of recipe learns from them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.classifier.probe import calibrate_head, fit_probe, make_folds
from tellapart.classifier.trained import Trained
from tellapart.data.meaning.split_words import CROSSED
from tellapart.data.split import (
    ALWAYS_TRAINS,
    CROSSED_FOLDS,
    FEW_TEST_PHOTOS,
    TEST_SHARE,
    Split,
    cross_validated_split,
    given_crossed_split,
    given_split,
    make_split,
    stratified_group_split,
)
from tellapart.engine.backbone import Backbone
from tellapart.engine.ood_reference import ood_reference
from tellapart.errors import InputError
from tellapart.evaluation.kept import out_of_fold_scores, scenes_of
from tellapart.evaluation.wishes import decide, refuse_impossible
from tellapart.extras import require
from tellapart.features.prepare import Prepared, seen_by
from tellapart.recipe import USUAL, FineTune, LinearProbe, Recipe, Scratch, Training, Wishes, probe_of
from tellapart.timing import Progress, no_progress

NEEDS_DEEP = "Training a network needs PyTorch, which is not installed."


@dataclass(frozen=True)
class TrainingOptions:
    """How a network is to be trained, beside its recipe.

    Args:
        checkpoint_path: file that keeps each epoch that can be gone on from, until the model is written; or None.
        resume: whether to go on from it.
        callbacks: called after each epoch, of a second time too, with a `deep.trackers.Epoch`.
    """

    checkpoint_path: Path | None = None
    resume: bool = False
    callbacks: Iterable[Callable[[Any], None]] = ()


def split_photos(prepared: Prepared, recipe: Recipe, *, may_cross: bool) -> Split:
    """The split that came with the photos, or else our own that no group straddles.

    Where photos are few, all of them learn and test in turn; a network is not trained so often, so it is tested on few.
    """
    dataset, duplicates, probe = prepared.dataset, prepared.duplicates, probe_of(recipe)
    of, bound, seed = (dataset.labels, duplicates.groups, duplicates.copies), dataset.bound, probe.seed
    n_folds = max(CROSSED_FOLDS, probe.n_folds)
    if dataset.crossed:
        _refuse_crossed(recipe, may_cross=may_cross)
        return _testing(given_crossed_split(dataset.splits, *of, bound=bound, n_folds=n_folds, seed=seed))
    split = given_split(dataset.splits) if dataset.given_split else None
    if split is None or not len(split.test):
        few = probe.reading.test_share is None and TEST_SHARE * dataset.n < FEW_TEST_PHOTOS
        if may_cross and few and not isinstance(recipe, Training):
            return cross_validated_split(*of, bound=bound, n_folds=n_folds, seed=seed)
        split = make_split(*of, bound=bound, test_share=probe.reading.test_share or TEST_SHARE, seed=seed)
    return _with_val(prepared, split, recipe) if isinstance(recipe, Training) and not len(split.val) else split


def _testing(split: Split) -> Split:
    """`split`, if it tests at all: of classes whose other photos are all kin of the tested ones nothing is left."""
    if len(split.test):
        return split
    raise InputError(
        "No crossed photo can be tested: without it, its copies and its group, nothing of its class is left to learn.",
        hint="Say crossed of more photos of each class, or train of some that show something else.",
    )


def _refuse_crossed(recipe: Recipe, *, may_cross: bool) -> None:
    """Returns where heads are fitted in turn, which takes seconds."""
    if isinstance(recipe, Training):
        raise InputError(
            "Crossed photos are tested by heads that are fitted in turn, and a network is trained once.",
            hint="Write train and test instead of crossed, or leave out --fine-tune and --scratch.",
        )
    if not may_cross:
        raise InputError(
            "--robustness asks the written model about photos that it has not learned from; crossed ones train.",
            hint="Write train and test instead of crossed, or leave out --robustness.",
        )


def _with_val(prepared: Prepared, split: Split, recipe: Training) -> Split:
    """`split` with some of the photos that train held out to choose with; no group is on both sides."""
    labels, groups = prepared.dataset.labels[split.train], prepared.duplicates.groups[split.train]
    part = stratified_group_split(labels, groups, [1 - recipe.val_share, recipe.val_share], seed=recipe.probe.seed)
    return replace(split, train=split.train[part == 0], val=split.train[part == 1])


def fit(
    prepared: Prepared,
    split: Split,
    recipe: Recipe,
    options: TrainingOptions | None = None,
    progress: Progress = no_progress,
    wishes: Wishes = USUAL,
) -> Trained:
    """Learn from the photos of `split` as the recipe says, and set the thresholds as the wishes say.

    Raises:
        MissingExtraError: the recipe needs PyTorch, which is not installed.
        InputError: the recipe or a wish names something that is not there, or a wish takes more photos; says how many.
        TrainingError: training cannot go on.
    """
    _refuse_impossible(prepared, split, wishes)
    return _decided(_fit(prepared, split, recipe, options, progress), wishes)


def _fit(
    prepared: Prepared, split: Split, recipe: Recipe, options: TrainingOptions | None, progress: Progress
) -> Trained:
    if isinstance(recipe, FineTune | Scratch):
        return _fit_network(prepared, split, recipe, options or TrainingOptions(), progress)
    reading = recipe.reading
    if reading.network:
        require("deep", NEEDS_DEEP)
        from tellapart.deep.backbones import converted

        backbone = converted(reading.network, reading.weights, reading.input_px)
        prepared = seen_by(prepared, backbone, reading.resize_mode, progress, keep=True)
    return fit_probe_on(prepared, split, recipe, progress)


def fit_probe_on(prepared: Prepared, split: Split, recipe: LinearProbe, progress: Progress = no_progress) -> Trained:
    """Learn a head from the photos of `split`, as the network that made their features sees them."""
    folds = _folds(prepared, split, recipe)
    learned = split.learned
    calibrated = fit_probe(
        prepared.values_of(learned),
        prepared.dataset.labels[learned],
        folds,
        len(prepared.dataset.class_names),
        recipe,
        scenes=prepared.duplicates.groups[learned],
        imagenet=prepared.backbone.imagenet,
        reference=_reference(prepared.backbone),
        progress=lambda done, total: progress("fitting the head", done, total),
    )
    return Trained(prepared, split, folds, calibrated, recipe)


def _decided(trained: Trained, wishes: Wishes) -> Trained:
    """`trained` with the thresholds that keep the wishes."""
    fitted, names = trained.calibrated, trained.prepared.dataset.class_names
    thresholds = decide(wishes, out_of_fold_scores(trained), scenes_of(trained), names, fitted.thresholds)
    return replace(trained, calibrated=replace(fitted, thresholds=thresholds))


def _refuse_impossible(prepared: Prepared, split: Split, wishes: Wishes) -> None:
    """Returns when there are photos enough for the wishes; asked before a head or a network learns."""
    tried = split.val if len(split.val) else split.learned
    labels, scenes = prepared.dataset.labels[tried], prepared.duplicates.groups[tried]
    refuse_impossible(wishes, prepared.dataset.class_names, labels, scenes)


def _fit_network(
    prepared: Prepared, split: Split, recipe: FineTune | Scratch, options: TrainingOptions, progress: Progress
) -> Trained:
    """Train a network, and look at all photos with the graph that it became: what is tested is what is kept."""
    require("deep", NEEDS_DEEP)
    from tellapart.deep.training import train_network

    trained, history = train_network(prepared, split, recipe, **vars(options), progress=progress)
    prepared = seen_by(prepared, trained.backbone, recipe.probe.reading.resize_mode, progress, keep=False)
    learned = split.learned
    calibrated = calibrate_head(
        trained.head,
        prepared.values_of(learned),
        prepared.dataset.labels[learned],
        np.flatnonzero(np.isin(learned, split.val)),
        recipe.probe,
        said=trained.val_logits,
        scenes=prepared.duplicates.groups[learned],
        imagenet=trained.backbone.imagenet,
        reference=_reference(trained.backbone),
    )
    folds = _folds(prepared, split, recipe.probe)
    return Trained(prepared, split, folds, calibrated, recipe, history)


def _reference(backbone: Backbone) -> NDArray[np.float32] | None:
    """Features of photos of something else that an early threshold may be fitted on; None where there are none."""
    known = ood_reference(backbone)
    return None if known is None else known.to_fit


def _folds(prepared: Prepared, split: Split, recipe: LinearProbe) -> NDArray[np.int32]:
    """(len(split.learned),) the fold in which each photo is held out: those given to choose with, or made here."""
    chosen = split.learned
    if split.folds is not None and np.isin(prepared.dataset.splits, ["", CROSSED]).all():
        return split.folds  # others must not choose by crossed photos alone: those may be few
    if len(split.val):
        return np.where(np.isin(chosen, split.val), 0, ALWAYS_TRAINS).astype(np.int32)
    return make_folds(prepared.dataset.labels[chosen], prepared.duplicates.groups[chosen], recipe)


def checkpoint_of(output: Path) -> Path:
    """Where a training that is to write the folder `output` keeps its epochs until then: beside it."""
    return output.with_name(f"{output.name}.checkpoint")

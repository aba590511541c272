"""From photos and a recipe to a trained network: the one door of this package.

What comes out is a backbone, like the bundled ones, and a head on its features. Everything after that (temperature,
"none of these", the model's graph, the report) is the same as for a head on frozen features.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from tellapart.data.split import Split
from tellapart.deep import bundled_tuning, checkpoint, whole_network
from tellapart.deep.course import Course, begin
from tellapart.deep.device import Processor, choose, keep_freed_memory
from tellapart.deep.logbook import Callback
from tellapart.deep.loop import Lesson, learn, search_rate
from tellapart.deep.pupil import Pupil, identity
from tellapart.engine.backbone import Converted
from tellapart.head import Head
from tellapart.prepare import Prepared
from tellapart.recipe import FineTune, Training
from tellapart.stopwatch import Progress, no_progress

Json = dict[str, Any]

LEAST_S = 0.1  # of training, where preparing took all the time there was


@dataclass(frozen=True)
class Learned:
    """What a training ends with.

    Args:
        backbone: the trained network.
        head: on its features.
        history: how it went, for the report.
    """

    backbone: Converted
    head: Head
    history: Json


def train_network(
    prepared: Prepared,
    split: Split,
    recipe: Training,
    *,
    keep_at: Path | None = None,
    resume: bool = False,
    callbacks: Iterable[Callback] = (),
    progress: Progress = no_progress,
) -> Learned:
    """Train a network on the photos of `split.train`, and choose with those of `split.val`.

    Args:
        prepared: all photos.
        split: which of them are for what.
        recipe: hyper-parameters.
        keep_at: file that keeps each epoch, so that a stopped training can go on; None keeps none.
        resume: whether to go on from it.
        callbacks: called after each epoch.
        progress: called with (stage, done, total).

    Raises:
        InputError: the recipe names something that is not there, or there is nothing to go on with.
        TrainingError: training cannot go on.
    """
    processor = choose(recipe)
    if processor.device.type == "cpu":
        keep_freed_memory()
    torch.manual_seed(recipe.probe.seed)
    started = time.monotonic()
    this = identity(prepared, split, recipe)
    left = checkpoint.read(keep_at, training=this) if keep_at and resume else None
    if isinstance(recipe, FineTune) and not recipe.network:
        pupil = bundled_tuning.prepare(prepared, split, recipe, processor, progress)
    else:
        pupil = whole_network.prepare(prepared, split, recipe, processor, progress)
    course = _begun(pupil, recipe, left)

    def keep(course: Course) -> None:
        if keep_at:
            checkpoint.write(keep_at, course.snapshot(), training=this)
        for callback in callbacks:
            callback(course.epochs[-1])

    learn(course, _in_time(pupil.lesson, recipe, time.monotonic() - started), keep)
    backbone, head = pupil.finish()
    return Learned(backbone, head, _history(course, recipe, pupil, processor))


def _begun(pupil: Pupil, recipe: Training, left: checkpoint.Checkpoint | None) -> Course:
    """The course at its start, or as it was left."""
    if left is None and not recipe.learning_rate:
        return begin(pupil.network, pupil.groups, recipe, search_rate(pupil.network, pupil.groups, pupil.lesson))
    course = begin(pupil.network, pupil.groups, recipe, recipe.learning_rate)
    if left is not None:
        course.restore(left)
    return course


def _in_time(lesson: Lesson, recipe: Training, spent_s: float) -> Lesson:
    """The lesson with what is left of the time limit; a step is always taken."""
    if recipe.time_limit_s is None:
        return lesson
    return replace(lesson, recipe=replace(recipe, time_limit_s=max(recipe.time_limit_s - spent_s, LEAST_S)))


def _history(course: Course, recipe: Training, pupil: Pupil, processor: Processor) -> Json:
    return {
        "network": pupil.title,
        "processor": processor.title,
        "epochs": [epoch.to_json() for epoch in course.epochs],
        "best_epoch": course.best_epoch,
        "n_epochs": recipe.epochs,
        "rate": course.rate,
        "seconds": round(course.seconds, 1),
        "stopped": course.stopped,
        "n_train": len(pupil.lesson.train),
        "n_val": len(pupil.lesson.val),
    }

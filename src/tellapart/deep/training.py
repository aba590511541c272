"""From photos and a recipe to a trained network: the one door of this package.

What comes out is a backbone, like the bundled ones, and a head on its features. Everything after that (temperature,
"none of these", the model's graph, the report) is the same as for a head on frozen features.
"""

import copy
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tellapart.data.split import Split
from tellapart.deep import checkpoint
from tellapart.deep import full_training as whole_network
from tellapart.deep import tail_tuning as bundled_tuning
from tellapart.deep.device import Processor, choose, keep_freed_memory
from tellapart.deep.loop import BROKEN, Lesson, answers, learn, search_rate
from tellapart.deep.trackers import Callback, Epoch
from tellapart.deep.train_state import Course, State, begin
from tellapart.deep.training_job import Examined, Finished, Pupil, identity
from tellapart.features.prepare import Prepared
from tellapart.recipe import FineTune, Training
from tellapart.timing import Progress, no_progress

Json = dict[str, Any]

LEAST_S = 0.1  # of training, where preparing took all the time there was


@dataclass(frozen=True, kw_only=True)
class Learned(Finished):
    """What a training ends with: the network that it became, and how that went, for the report."""

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

    Where the recipe says so it trains a second time, on both; only epochs of the first time are kept.

    Args:
        prepared: all photos.
        split: which of them are for what.
        recipe: hyper-parameters.
        keep_at: file that keeps each epoch of the first time, so that a stopped training can go on; None keeps none.
        resume: whether to go on from it.
        callbacks: called after each epoch of both times; `Epoch.again` tells them apart.
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
    start = copy.deepcopy(pupil.network.state_dict()) if pupil.is_twice else {}
    course = _begun(pupil, recipe, left)
    lesson = _in_time(pupil, recipe, time.monotonic() - started)

    def tell(epoch: Epoch) -> None:
        for callback in callbacks:
            callback(epoch)

    def keep(course: Course) -> None:
        if keep_at:
            checkpoint.write(keep_at, course.snapshot(), training=this)
        tell(course.epochs[-1])

    learn(course, lesson, keep, then=_second_share(pupil))
    heard = answers(pupil.network, lesson, split.val, exactly=True)
    second = _again(course, start, pupil, lesson, split.learned, tell)
    finished = pupil.finish(Examined(split.learned if second else split.train, heard))
    return Learned(**vars(finished), history=_history(course, second, recipe, pupil, processor))


def _begun(pupil: Pupil, recipe: Training, left: checkpoint.Checkpoint | None) -> Course:
    """The course at its start, or as it was left."""
    if left is None and not recipe.learning_rate:
        return begin(pupil.network, pupil.groups, recipe, search_rate(pupil.network, pupil.groups, pupil.lesson))
    course = begin(pupil.network, pupil.groups, recipe, recipe.learning_rate)
    if left is not None:
        course.restore(left)
    return course


def _again(
    course: Course, start: State, pupil: Pupil, lesson: Lesson, photos: NDArray[np.int64], tell: Callback
) -> Course | None:
    """Train once more from the same start, on `photos`, those that chose among them; None where that came to nothing.

    What answers is then the mean of both: networks that were trained further from one start lie in one valley, and its
    middle is better than its sides. A training that was stopped in here begins this part anew.

    Source: Wortsman et al., Model soups, ICML 2022.
    """
    if not pupil.is_twice or BROKEN in course.stopped:
        return None
    limit_s = lesson.recipe.time_limit_s
    recipe = replace(
        lesson.recipe, epochs=course.best_epoch, patience=0, time_limit_s=limit_s and limit_s * _second_share(pupil)
    )
    pupil.network.load_state_dict(start)
    second = begin(pupil.network, pupil.groups, recipe, course.rate)
    second.best = course.best  # what is left where this time breaks down at once
    learn(
        second,
        replace(lesson, train=photos, val=photos[:0], recipe=recipe),
        lambda now: tell(replace(now.epochs[-1], before=len(course.epochs))),
    )
    if BROKEN in second.stopped:
        pupil.network.load_state_dict(course.best)
        return None
    pupil.network.load_state_dict(
        {
            name: value.lerp(course.best[name].to(value.device), 0.5)
            for name, value in second.average.state_dict().items()
        }
    )
    return second


def _second_share(pupil: Pupil) -> float:
    """The work of the second time, as a multiple of the first."""
    return 1 + len(pupil.lesson.val) / len(pupil.lesson.train) if pupil.is_twice else 0.0


def _in_time(pupil: Pupil, recipe: Training, spent_s: float) -> Lesson:
    """The lesson with its part of what is left of the time limit; a step is always taken."""
    if recipe.time_limit_s is None:
        return pupil.lesson
    left_s = (recipe.time_limit_s - spent_s) / (1 + _second_share(pupil))
    return replace(pupil.lesson, recipe=replace(recipe, time_limit_s=max(left_s, LEAST_S)))


def _history(course: Course, second: Course | None, recipe: Training, pupil: Pupil, processor: Processor) -> Json:
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
        "again": second and {"n_epochs": len(second.epochs), "seconds": round(second.seconds, 1)},
    }

"""From photos and a recipe to a trained network: the one way into this package.

What comes out is a backbone, like the bundled ones, and a head on its features. Everything after that (temperature,
"none of these", the model's graph, the report) is the same as for a head on frozen features.
"""

import copy
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tellapart.classifier.trained import StopReason
from tellapart.data.split import Split
from tellapart.deep import checkpoint, full_training, tail_tuning
from tellapart.deep.device import Device, choose, keep_freed_memory
from tellapart.deep.loop import TrainingTask, predict, search_rate, train
from tellapart.deep.trackers import Callback, Epoch
from tellapart.deep.train_state import State, TrainState, init_state
from tellapart.deep.training_job import TrainedNetwork, TrainingJob, ValResult, identity
from tellapart.features.prepare import Prepared
from tellapart.recipe import FineTune, Training
from tellapart.timing import Progress, no_progress

Json = dict[str, Any]

LEAST_S = 0.1  # of training, where preparing took all the time there was


def train_network(
    prepared: Prepared,
    split: Split,
    recipe: Training,
    *,
    checkpoint_path: Path | None = None,
    resume: bool = False,
    callbacks: Iterable[Callback] = (),
    progress: Progress = no_progress,
) -> tuple[TrainedNetwork, Json]:
    """Train a network on the photos of `split.train`, and choose with those of `split.val`.

    Where the recipe says so it trains a second time, on both; only epochs of the first time are kept.

    Args:
        prepared: all photos.
        split: which of them are for what.
        recipe: hyper-parameters.
        checkpoint_path: file that keeps each epoch of the first time, so that a stopped training can go on; or None.
        resume: whether to go on from it.
        callbacks: called after each epoch of both times; `Epoch.refit` tells them apart.
        progress: called with (stage, done, total).

    Returns:
        The network that it became, and how its training went, for the report.

    Raises:
        InputError: the recipe names something that is not there, or there is nothing to go on with.
        TrainingError: training cannot go on.
    """
    device = choose(recipe)
    if device.torch_device.type == "cpu":
        keep_freed_memory()
    torch.manual_seed(recipe.probe.seed)
    started = time.monotonic()
    this = identity(prepared, split, recipe)
    left = checkpoint.read(checkpoint_path, training=this) if checkpoint_path and resume else None
    if isinstance(recipe, FineTune) and not recipe.network:
        job = tail_tuning.prepare(prepared, split, recipe, device, progress)
    else:
        job = full_training.prepare(prepared, split, recipe, device, progress)
    start = copy.deepcopy(job.network.state_dict()) if job.refits else {}
    state = _begun(job, recipe, left)
    task = _in_time(job, recipe, time.monotonic() - started)

    def tell(epoch: Epoch) -> None:
        for callback in callbacks:
            callback(epoch)

    def keep(state: TrainState) -> None:
        if checkpoint_path:
            checkpoint.write(checkpoint_path, state.snapshot(), training=this)
        tell(state.epochs[-1])

    train(state, task, keep, reserve_share=_second_share(job))
    val_logits = predict(job.network, task, split.val, exactly=True)
    second = _refitted(state, start, job, task, split.learned, tell)
    finished = job.finish(ValResult(split.learned if second else split.train, val_logits))
    return finished, _history(state, second, recipe, job, device)


def _begun(job: TrainingJob, recipe: Training, left: checkpoint.Checkpoint | None) -> TrainState:
    """The training at its start, or as it was left."""
    if left is None and not recipe.learning_rate:
        return init_state(job.network, job.groups, recipe, search_rate(job.network, job.groups, job.task))
    state = init_state(job.network, job.groups, recipe, recipe.learning_rate)
    if left is not None:
        state.restore(left)
    return state


def _refitted(
    state: TrainState, start: State, job: TrainingJob, task: TrainingTask, photos: NDArray[np.int64], tell: Callback
) -> TrainState | None:
    """Train once more from the same start, on `photos`, those that chose among them; None where that came to nothing.

    What answers is then the mean of both: networks that were trained further from one start lie in one valley, and its
    middle is better than its sides. A training that was stopped in here begins this part anew.

    Source: Wortsman et al., Model soups, ICML 2022.
    """
    if not job.refits or state.stop_reason is StopReason.DIVERGED:
        return None
    limit_s = task.recipe.time_limit_s
    recipe = replace(
        task.recipe, epochs=state.best_epoch, patience=0, time_limit_s=limit_s and limit_s * _second_share(job)
    )
    job.network.load_state_dict(start)
    second = init_state(job.network, job.groups, recipe, state.rate)
    second.best = state.best  # what is left where this time breaks down at once
    train(
        second,
        replace(task, train=photos, val=photos[:0], recipe=recipe),
        lambda now: tell(replace(now.epochs[-1], before=len(state.epochs))),
    )
    if second.stop_reason is StopReason.DIVERGED:
        job.network.load_state_dict(state.best)
        return None
    job.network.load_state_dict(
        {name: value.lerp(state.best[name].to(value.device), 0.5) for name, value in second.ema.state_dict().items()}
    )
    return second


def _second_share(job: TrainingJob) -> float:
    """The work of the second time, as a multiple of the first."""
    return 1 + len(job.task.val) / len(job.task.train) if job.refits else 0.0


def _in_time(job: TrainingJob, recipe: Training, spent_s: float) -> TrainingTask:
    """The task with its part of what is left of the time limit; a step is always taken."""
    if recipe.time_limit_s is None:
        return job.task
    left_s = (recipe.time_limit_s - spent_s) / (1 + _second_share(job))
    return replace(job.task, recipe=replace(recipe, time_limit_s=max(left_s, LEAST_S)))


def _history(state: TrainState, second: TrainState | None, recipe: Training, job: TrainingJob, device: Device) -> Json:
    return {
        "network": job.title,
        "processor": device.title,
        "epochs": [epoch.to_json() for epoch in state.epochs],
        "best_epoch": state.best_epoch,
        "n_epochs": recipe.epochs,
        "rate": state.rate,
        "seconds": round(state.seconds, 1),
        "stopped": state.stopped,
        "stop_reason": state.stop_reason,
        "n_train": len(job.task.train),
        "n_val": len(job.task.val),
        "again": second and {"n_epochs": len(second.epochs), "seconds": round(second.seconds, 1)},
    }

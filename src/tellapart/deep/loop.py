"""The training loop: the same for a network from nothing, for one trained further, and for its last stages alone."""

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tellapart.classifier.trained import StopReason
from tellapart.deep.augment import Augment
from tellapart.deep.batches import Batches
from tellapart.deep.device import Device
from tellapart.deep.lr_schedule import find_rate, warmup_cosine
from tellapart.deep.trackers import Epoch
from tellapart.deep.train_state import TrainState, init_state
from tellapart.errors import TrainingError
from tellapart.recipe import Training

ANSWERED_AT_ONCE = 64  # photos
LARGEST_NORM = 5.0  # of the gradients of one step, so that one odd batch does not throw the weights far away


@dataclass(frozen=True)
class TrainingTask:
    """What is to be learned, and how.

    Args:
        batches: all photos.
        labels: (N,) in [0, C).
        train: which photos train.
        val: which photos are held out to choose with.
        class_weights: (C,) by which the photos of each class count.
        augment: how batches are mixed.
        recipe: hyper-parameters.
        device: where.
    """

    batches: Batches
    labels: NDArray[np.int32]
    train: NDArray[np.int64]
    val: NDArray[np.int64]
    class_weights: NDArray[np.float64]
    augment: Augment
    recipe: Training
    device: Device

    @property
    def n_batches(self) -> int:
        """Steps an epoch; a last, smaller batch is left out, as other photos are in it each time."""
        return max(len(self.train) // self.recipe.batch_size, 1)


def train(
    state: TrainState, task: TrainingTask, keep: Callable[[TrainState], None], *, reserve_share: float = 0.0
) -> None:
    """Train until the last epoch, or until there is a reason to stop.

    Args:
        state: as it begins, or as it was left.
        task: what is to be learned.
        keep: called after each epoch.
        reserve_share: the work that follows when this is done, as a multiple of it; it counts in the time left.

    Raises:
        TrainingError: the loss is no number in the first epoch, or memory does not suffice.
    """
    recipe = task.recipe
    state.stop_reason = _reason_to_stop(state, recipe)  # of one that was taken up again
    while len(state.epochs) < recipe.epochs and not state.stop_reason:
        started = time.monotonic()
        with _enough_memory(recipe):
            loss, accuracy, n_photos = _train_once(state, task)
            if not math.isfinite(loss):
                state.stop_reason = StopReason.DIVERGED
                break
            trained_s = time.monotonic() - started
            val_loss, val_accuracy = ask(state.ema, task, task.val)
        seconds = time.monotonic() - started
        state.seconds += seconds
        done = len(state.epochs) + 1
        left = state.seconds / done * (recipe.epochs * (1 + reserve_share) - done)
        state.record_epoch(
            Epoch(
                epoch=done,
                n_epochs=recipe.epochs,
                train_loss=loss,
                train_accuracy=accuracy,
                val_loss=val_loss,
                val_accuracy=val_accuracy,
                rate=max(group["lr"] for group in state.optimiser.param_groups),
                seconds=seconds,
                photos_per_s=n_photos / trained_s,
                seconds_left=min(left, max((recipe.time_limit_s or math.inf) * (1 + reserve_share) - state.seconds, 0)),
            )
        )
        state.stop_reason = _reason_to_stop(state, recipe)
        keep(state)
    if not state.best:
        raise TrainingError(
            "The loss was not a number in the first epoch.",
            hint=f"Try a lower rate: --learning-rate {state.rate / 10:.0e}.",
        )
    state.network.load_state_dict(state.best)
    state.network.eval()


def _train_once(state: TrainState, task: TrainingTask) -> tuple[float, float, int]:
    """One epoch: mean loss, share of right answers, and photos trained on; a loss that is no number ends it."""
    recipe, started = task.recipe, time.monotonic()
    done, n_right, n_photos = len(state.epochs), 0, 0
    losses: list[float] = []
    state.network.train()
    for k, photos in enumerate(_batches(task, done)):
        step = done * task.n_batches + k
        spent = (state.seconds + time.monotonic() - started) / (recipe.time_limit_s or math.inf)
        if spent >= 1 and losses:
            break
        _set_rate(state, max(step / (recipe.epochs * task.n_batches), min(spent, 1.0)), task)
        loss, logits = _step(state.network, state.optimiser, photos, task)
        losses.append(loss)
        n_right += int((logits.argmax(1).cpu().numpy() == task.labels[photos]).sum())
        n_photos += len(photos)
        if not math.isfinite(loss):
            break
        state.update_ema(step)
    return float(np.mean(losses)), n_right / n_photos, n_photos


def _batches(task: TrainingTask, epoch: int) -> Iterator[NDArray[np.int64]]:
    """The photos of one epoch in random order; the same for the same seed and epoch, whatever came before."""
    torch.manual_seed(task.recipe.probe.seed * 100_003 + epoch)
    order = task.train[torch.randperm(len(task.train)).numpy()]
    for k in range(task.n_batches):
        yield order[k * task.recipe.batch_size : (k + 1) * task.recipe.batch_size]


def _step(
    network: nn.Module, optimiser: torch.optim.Optimizer, photos: NDArray[np.int64], task: TrainingTask
) -> tuple[float, Tensor]:
    """One step on a batch: its loss, and the logits (n, C) before the step."""
    device = task.device.torch_device
    labels = torch.from_numpy(task.labels[photos]).long()
    targets = functional.one_hot(labels, len(task.class_weights)).float().to(device)
    x, targets = task.augment.mix(task.batches.augmented(photos), targets)
    with task.device.autocast():
        logits = network(x)
    logits = as_rows(logits.float())
    weights = torch.as_tensor(task.class_weights, dtype=torch.float32, device=device)
    loss = functional.cross_entropy(logits, targets, weight=weights, label_smoothing=task.recipe.label_smoothing)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(network.parameters(), LARGEST_NORM)
    optimiser.step()
    return float(loss.detach()), logits.detach()


def _set_rate(state: TrainState, done: float, task: TrainingTask) -> None:
    """Rates for when the share `done` of the training lies behind, by steps or by the time limit."""
    n_steps = task.recipe.epochs * task.n_batches
    factor = warmup_cosine(min(round(done * n_steps), n_steps - 1), n_steps, task.recipe.warmup_share)
    for group in state.optimiser.param_groups:
        group["lr"] = state.rate * group["share"] * factor


def _reason_to_stop(state: TrainState, recipe: Training) -> StopReason | None:
    if recipe.patience and len(state.epochs) - state.best_epoch >= recipe.patience:
        return StopReason.PATIENCE
    if recipe.time_limit_s and state.seconds >= recipe.time_limit_s:
        return StopReason.TIME_LIMIT
    return None


def as_rows(logits: Tensor) -> Tensor:
    """(N, C) logits; a single column, of a sigmoid, is the second of two classes."""
    return torch.cat([torch.zeros_like(logits), logits], 1) if logits.shape[1] == 1 else logits


@torch.no_grad()
def predict(
    network: nn.Module, task: TrainingTask, photos: NDArray[np.int64], *, exactly: bool = False
) -> NDArray[np.float64]:
    """(n, …) what `network` says about `photos` as they are; `exactly` in float32 whatever it trains in."""
    network.eval()
    rows = []
    for start in range(0, len(photos), ANSWERED_AT_ONCE):
        x = task.batches.clean(photos[start : start + ANSWERED_AT_ONCE])
        with nullcontext() if exactly else task.device.autocast():
            rows.append(network(x).float().cpu().double())
    return torch.cat(rows).numpy() if rows else np.zeros((0, len(task.class_weights)))


def ask(network: nn.Module, task: TrainingTask, photos: NDArray[np.int64]) -> tuple[float | None, float | None]:
    """Mean negative log-likelihood and accuracy on `photos`; None where there are none."""
    if not len(photos):
        return None, None
    logits, labels = as_rows(torch.from_numpy(predict(network, task, photos))), task.labels[photos]
    loss = functional.cross_entropy(logits, torch.from_numpy(labels).long())
    return float(loss), float((logits.argmax(1).numpy() == labels).mean())


def search_rate(network: nn.Module, groups: Sequence[Sequence[nn.Parameter]], task: TrainingTask) -> float:
    """A good learning rate for `network`, found on a copy of it.

    Raises:
        TrainingError: no rate lowers the loss.
    """
    position = {id(parameter): i for i, parameter in enumerate(network.parameters())}
    trial = copy.deepcopy(network).train()
    own = list(trial.parameters())
    state = init_state(trial, [[own[position[id(p)]] for p in group] for group in groups], task.recipe, 1.0)
    supply = (photos for epoch in range(10**6) for photos in _batches(task, epoch))

    def step(rate: float) -> float:
        for group in state.optimiser.param_groups:
            group["lr"] = rate * group["share"]
        return _step(trial, state.optimiser, next(supply), task)[0]

    with _enough_memory(task.recipe):
        return find_rate(step).rate


@contextmanager
def _enough_memory(recipe: Training) -> Iterator[None]:
    """Says what to do where memory runs out; the checkpoint of the last epoch is still there."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _out_of_memory(recipe) from error
    except RuntimeError as error:
        if "memory" not in str(error):
            raise
        raise _out_of_memory(recipe) from error


def _out_of_memory(recipe: Training) -> TrainingError:
    return TrainingError(
        f"There is not enough memory for {recipe.batch_size} photos at a time.",
        hint=f"Try fewer: --batch-size {max(recipe.batch_size // 2, 1)}.",
    )

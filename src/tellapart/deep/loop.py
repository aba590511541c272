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

from tellapart.deep.augment import Augment
from tellapart.deep.batches import Inputs
from tellapart.deep.device import Processor
from tellapart.deep.lr_schedule import find_rate, warmup_cosine
from tellapart.deep.trackers import Epoch
from tellapart.deep.train_state import Course, begin
from tellapart.errors import TrainingError
from tellapart.recipe import Training

ANSWERED_AT_ONCE = 64  # photos
BROKEN = "the loss was no longer a number"  # why a training ended that broke down
LARGEST_NORM = 5.0  # of the gradients of one step, so that one odd batch does not throw the weights far away


@dataclass(frozen=True)
class Lesson:
    """What is to be learned, and how.

    Args:
        inputs: all photos.
        labels: (N,) in [0, C).
        train: which photos train.
        val: which photos are held out to choose with.
        class_weights: (C,) by which the photos of each class count.
        augment: how batches are mixed.
        recipe: hyper-parameters.
        processor: where.
    """

    inputs: Inputs
    labels: NDArray[np.int32]
    train: NDArray[np.int64]
    val: NDArray[np.int64]
    class_weights: NDArray[np.float64]
    augment: Augment
    recipe: Training
    processor: Processor

    @property
    def n_batches(self) -> int:
        """Steps an epoch; a last, smaller batch is left out, as other photos are in it each time."""
        return max(len(self.train) // self.recipe.batch_size, 1)


def learn(course: Course, lesson: Lesson, keep: Callable[[Course], None], *, then: float = 0.0) -> None:
    """Train until the last epoch, or until there is a reason to stop.

    Args:
        course: as it begins, or as it was left.
        lesson: what is to be learned.
        keep: called after each epoch.
        then: the work that follows when this is done, as a multiple of it; it counts in the time left.

    Raises:
        TrainingError: the loss is no number in the first epoch, or memory does not suffice.
    """
    recipe = lesson.recipe
    while len(course.epochs) < recipe.epochs and not course.stopped:
        started = time.monotonic()
        with _enough_memory(recipe):
            loss, accuracy, n_photos = _train_once(course, lesson)
            if not math.isfinite(loss):
                course.stopped = f"{BROKEN} in epoch {len(course.epochs) + 1}"
                break
            trained_s = time.monotonic() - started
            val_loss, val_accuracy = ask(course.average, lesson, lesson.val)
        seconds = time.monotonic() - started
        course.seconds += seconds
        done = len(course.epochs) + 1
        left = course.seconds / done * (recipe.epochs * (1 + then) - done)
        course.note(
            Epoch(
                epoch=done,
                n_epochs=recipe.epochs,
                train_loss=loss,
                train_accuracy=accuracy,
                val_loss=val_loss,
                val_accuracy=val_accuracy,
                rate=max(group["lr"] for group in course.optimiser.param_groups),
                seconds=seconds,
                photos_per_s=n_photos / trained_s,
                seconds_left=min(left, max((recipe.time_limit_s or math.inf) * (1 + then) - course.seconds, 0)),
            )
        )
        course.stopped = _reason_to_stop(course, recipe)
        keep(course)
    if not course.best:
        raise TrainingError(
            "The loss was not a number in the first epoch.",
            hint=f"Try a lower rate: --learning-rate {course.rate / 10:.0e}.",
        )
    course.network.load_state_dict(course.best)
    course.network.eval()


def _train_once(course: Course, lesson: Lesson) -> tuple[float, float, int]:
    """One epoch: mean loss, share of right answers, and photos trained on; a loss that is no number ends it."""
    recipe, started = lesson.recipe, time.monotonic()
    done, n_right, n_photos = len(course.epochs), 0, 0
    losses: list[float] = []
    course.network.train()
    for k, photos in enumerate(_batches(lesson, done)):
        step = done * lesson.n_batches + k
        spent = (course.seconds + time.monotonic() - started) / (recipe.time_limit_s or math.inf)
        if spent >= 1 and losses:
            break
        _set_rate(course, max(step / (recipe.epochs * lesson.n_batches), min(spent, 1.0)), lesson)
        loss, logits = _step(course.network, course.optimiser, photos, lesson)
        losses.append(loss)
        n_right += int((logits.argmax(1).cpu().numpy() == lesson.labels[photos]).sum())
        n_photos += len(photos)
        if not math.isfinite(loss):
            break
        course.take_in(step)
    return float(np.mean(losses)), n_right / n_photos, n_photos


def _batches(lesson: Lesson, epoch: int) -> Iterator[NDArray[np.int64]]:
    """The photos of one epoch in random order; the same for the same seed and epoch, whatever came before."""
    torch.manual_seed(lesson.recipe.probe.seed * 100_003 + epoch)
    order = lesson.train[torch.randperm(len(lesson.train)).numpy()]
    for k in range(lesson.n_batches):
        yield order[k * lesson.recipe.batch_size : (k + 1) * lesson.recipe.batch_size]


def _step(
    network: nn.Module, optimiser: torch.optim.Optimizer, photos: NDArray[np.int64], lesson: Lesson
) -> tuple[float, Tensor]:
    """One step on a batch: its loss, and the logits (n, C) before the step."""
    device = lesson.processor.device
    labels = torch.from_numpy(lesson.labels[photos]).long()
    targets = functional.one_hot(labels, len(lesson.class_weights)).float().to(device)
    x, targets = lesson.augment.mix(lesson.inputs.changed(photos), targets)
    with lesson.processor.computing():
        logits = network(x)
    logits = as_rows(logits.float())
    weights = torch.as_tensor(lesson.class_weights, dtype=torch.float32, device=device)
    loss = functional.cross_entropy(logits, targets, weight=weights, label_smoothing=lesson.recipe.label_smoothing)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(network.parameters(), LARGEST_NORM)
    optimiser.step()
    return float(loss.detach()), logits.detach()


def _set_rate(course: Course, done: float, lesson: Lesson) -> None:
    """Rates for when the share `done` of the training lies behind, by steps or by the time limit."""
    n_steps = lesson.recipe.epochs * lesson.n_batches
    factor = warmup_cosine(min(round(done * n_steps), n_steps - 1), n_steps, lesson.recipe.warmup_share)
    for group in course.optimiser.param_groups:
        group["lr"] = course.rate * group["share"] * factor


def _reason_to_stop(course: Course, recipe: Training) -> str:
    waited = len(course.epochs) - course.best_epoch
    if recipe.patience and waited >= recipe.patience:
        return f"the validation loss has not fallen for {waited} epochs"
    if recipe.time_limit_s and course.seconds >= recipe.time_limit_s:
        return "the time limit was reached"
    return ""


def as_rows(logits: Tensor) -> Tensor:
    """(N, C) logits; a single column, of a sigmoid, is the second of two classes."""
    return torch.cat([torch.zeros_like(logits), logits], 1) if logits.shape[1] == 1 else logits


@torch.no_grad()
def answers(
    network: nn.Module, lesson: Lesson, photos: NDArray[np.int64], *, exactly: bool = False
) -> NDArray[np.float64]:
    """(n, …) what `network` says about `photos` as they are; `exactly` in float32 whatever it trains in."""
    network.eval()
    rows = []
    for start in range(0, len(photos), ANSWERED_AT_ONCE):
        x = lesson.inputs.plain(photos[start : start + ANSWERED_AT_ONCE])
        with nullcontext() if exactly else lesson.processor.computing():
            rows.append(network(x).float().cpu().double())
    return torch.cat(rows).numpy() if rows else np.zeros((0, len(lesson.class_weights)))


def ask(network: nn.Module, lesson: Lesson, photos: NDArray[np.int64]) -> tuple[float | None, float | None]:
    """Mean negative log-likelihood and accuracy on `photos`; None where there are none."""
    if not len(photos):
        return None, None
    logits, labels = as_rows(torch.from_numpy(answers(network, lesson, photos))), lesson.labels[photos]
    loss = functional.cross_entropy(logits, torch.from_numpy(labels).long())
    return float(loss), float((logits.argmax(1).numpy() == labels).mean())


def search_rate(network: nn.Module, groups: Sequence[Sequence[nn.Parameter]], lesson: Lesson) -> float:
    """A good learning rate for `network`, found on a copy of it.

    Raises:
        TrainingError: no rate lowers the loss.
    """
    places = {id(parameter): place for place, parameter in enumerate(network.parameters())}
    trial = copy.deepcopy(network).train()
    own = list(trial.parameters())
    course = begin(trial, [[own[places[id(p)]] for p in group] for group in groups], lesson.recipe, 1.0)
    supply = (photos for epoch in range(10**6) for photos in _batches(lesson, epoch))

    def step(rate: float) -> float:
        for group in course.optimiser.param_groups:
            group["lr"] = rate * group["share"]
        return _step(trial, course.optimiser, next(supply), lesson)[0]

    with _enough_memory(lesson.recipe):
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

"""What is to be trained, and how it becomes a model afterwards."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from tellapart.classifier.probe import CalibratedHead, fit_probe, make_folds
from tellapart.data.split import Split
from tellapart.deep.augment import Augment
from tellapart.deep.batches import Batches
from tellapart.deep.device import Device
from tellapart.deep.loop import TrainingTask
from tellapart.engine.backbone import Converted
from tellapart.engine.head import Head
from tellapart.features.prepare import Prepared, fingerprint
from tellapart.recipe import LinearProbe, Training, settings_json

Json = dict[str, Any]


@dataclass(frozen=True)
class ValResult:
    """What is known of a network that has been trained.

    Args:
        learned_from: the photos that it learned from, ascending.
        val_logits: (M, C) its answers about the validation photos while it had not learned from them.
    """

    learned_from: NDArray[np.int64]
    val_logits: NDArray[np.float64]


@dataclass(frozen=True)
class TrainedNetwork:
    """A network after its last step.

    Args:
        backbone: its graph.
        head: on the backbone's features.
        val_logits: (M, C) what both said about the validation photos before they learned from these; None where they
            never did, so that they can be asked still.
    """

    backbone: Converted
    head: Head
    val_logits: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class TrainingJob:
    """A network before its first step.

    Args:
        network: inputs → (N, C) logits; on its device.
        groups: its parameters in stages, the first layers first.
        task: what it is to learn.
        title: what a person reads.
        finish: makes the backbone and the head of the network as it then is.
        refits: whether it is to train once more, with the photos that chose.
    """

    network: nn.Module
    groups: list[list[nn.Parameter]]
    task: TrainingTask
    title: str
    finish: Callable[[ValResult], TrainedNetwork]
    refits: bool = False


def make_task(
    batches: Batches, prepared: Prepared, split: Split, augment: Augment, recipe: Training, device: Device
) -> TrainingTask:
    """What is to be learned from the photos of `split`.

    A photo of a class with n photos counts n ** -class_balance, as in the probe.
    """
    labels = prepared.dataset.labels
    n_photos = np.bincount(labels[split.train], minlength=len(prepared.dataset.class_names))
    weights = np.where(n_photos, np.maximum(n_photos, 1.0) ** -recipe.probe.class_balance, 0.0)
    weights *= n_photos.sum() / (weights * n_photos).sum()
    return TrainingTask(batches, labels, split.train, split.val, weights, augment, recipe, device)


def probe_on(
    features: NDArray[np.float32], photos: NDArray[np.int64], prepared: Prepared, recipe: LinearProbe
) -> CalibratedHead:
    """The probe on untrained `features` (len(photos), D) of these photos."""
    labels, groups = prepared.dataset.labels[photos], prepared.duplicates.groups[photos]
    folds = make_folds(labels, groups, recipe)
    return fit_probe(features, labels, folds, len(prepared.dataset.class_names), recipe)


def identity(prepared: Prepared, split: Split, recipe: Training) -> Json:
    """What must be the same for a stopped training to go on; which C its probes try need not."""
    photos = {"train": split.train, "val": split.val}
    settings = settings_json(recipe)
    del settings["probe"]["inverse_regularisation"]
    return {
        **settings,
        "classes": list(prepared.dataset.class_names),
        **{f"{name} photos": fingerprint(prepared.pixel_hashes[chosen]) for name, chosen in photos.items()},
    }

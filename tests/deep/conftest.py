"""A lesson small enough to be trained in a second, and real photos as they are prepared for training."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tellapart.data.preprocess import Preprocess
from tellapart.data.split import make_split
from tellapart.deep.augment import Augment
from tellapart.deep.batches import Activations
from tellapart.deep.device import choose
from tellapart.deep.loop import TrainingTask
from tellapart.engine.backbone import QUALITIES
from tellapart.features.cache import FeatureCache
from tellapart.features.extract import Extractor
from tellapart.features.prepare import prepare
from tellapart.recipe import LinearProbe, Scratch
from tellapart.timing import Stopwatch, no_progress

RECIPE = Scratch(
    probe=LinearProbe(), epochs=4, batch_size=16, learning_rate=3e-3, ema_steps=4, device="cpu", precision="f32"
)


def lesson_of(recipe=RECIPE, n=120, n_classes=3, seed=0, **changes):
    """Maps of 4 channels on 5×5 places whose mean colour names the class, mostly."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n, dtype=np.int32) % n_classes
    maps = rng.normal(size=(2, n, 5, 5, 4)) + 1.0 * np.eye(4)[labels][None, :, None, None]
    order = rng.permutation(n)
    augment = Augment(recipe.augment, 5, n_classes)
    batches = Activations(maps.astype(np.float16), torch.device("cpu"))
    train, val = order[n // 4 :], order[: n // 4]
    task = TrainingTask(batches, labels, train, val, np.ones(n_classes), augment, recipe, choose(recipe))
    return replace(task, **changes)


def network_of(n_out=3, seed=0):
    """A convolution, batch norm, and a head."""
    torch.manual_seed(seed)
    layers = [nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(8, n_out))


@pytest.fixture(scope="session")
def garments(clothing):
    """80 photos of garments as `train` prepares them, and their split."""
    fast = QUALITIES["fast"]
    extractor = Extractor(fast, Preprocess(fast.input_px), FeatureCache())
    prepared = prepare(clothing, extractor, no_progress, Stopwatch())
    found = prepared.duplicates
    split = make_split(prepared.dataset.labels, found.groups, found.copies)
    val = split.train[::5]
    return prepared, replace(split, train=np.setdiff1d(split.train, val), val=val)

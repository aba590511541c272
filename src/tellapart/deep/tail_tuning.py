"""Fine-tuning a bundled network: its last stages train on what the others, which stay as they are, made of the photos.

The trunk looks at every photo once as it is and once at each of a few changed copies, so an epoch costs only the last
stages. The head starts from the probe on the untrained features, and ends as the sum of both: what the probe says and
what was learned, by shares that the validation photos choose.
"""

import copy
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tellapart.classifier.temperature import fit_temperature, nll
from tellapart.data.split import Split
from tellapart.deep.augment import Augment
from tellapart.deep.batches import Activations, read_both_sizes, trunk_activations
from tellapart.deep.device import Device
from tellapart.deep.loop import predict
from tellapart.deep.tail import N_STAGES, Tail, cut_before, prove, trunk, tuned_network
from tellapart.deep.training_job import TrainedNetwork, TrainingJob, ValResult, make_task, probe_on
from tellapart.engine.backbone import FEATURES_PER_NETWORK
from tellapart.engine.head import Head
from tellapart.engine.runner import Network
from tellapart.features.prepare import Prepared
from tellapart.parallel import n_cores
from tellapart.recipe import FineTune
from tellapart.timing import Progress

TUNED = {"fast": ("lite0", 224), "balanced": ("lite1", 288), "best": ("lite2", 288)}  # by quality: network, input_px
PROVEN = 8  # photos on which the written graph is compared with the network
PROBE_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # the last where training did harm


class Classifier(nn.Module):
    """The last stages and a head: activations → logits (N, C).

    Args:
        tail: activations → features (N, D).
        head: where the head starts.
    """

    def __init__(self, tail: Tail, head: Head) -> None:
        super().__init__()
        self.tail = tail
        self.head = nn.Linear(*reversed(head.weight.shape))
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(head.weight))
            self.head.bias.copy_(torch.from_numpy(head.bias))

    def forward(self, activations: torch.Tensor) -> torch.Tensor:
        """Logits (N, C)."""
        logits: torch.Tensor = self.head(self.tail(activations))
        return logits


def prepare(prepared: Prepared, split: Split, recipe: FineTune, device: Device, progress: Progress) -> TrainingJob:
    """The last stages of the bundled network of the recipe's quality, and what the trunk made of photos."""
    name, usual_px = TUNED[recipe.probe.reading.quality]
    place = cut_before(name, recipe.input_px or usual_px, recipe.stage)
    dataset = prepared.dataset
    refits = recipe.refit and len(split.val) > 0  # without photos that chose, it would be the first time again
    augmented = split.learned if refits else split.train
    augment = Augment(recipe.augment, place.input_px, len(dataset.class_names))
    stored_px = augment.stored_px if recipe.views else place.input_px
    clean, stored = read_both_sizes(
        dataset, split.learned, augmented, place.input_px, stored_px, recipe.probe.reading.resize_mode, progress
    )
    network = Network(trunk(place), place.input_px, ["activations"], streams=n_cores())
    views = trunk_activations(network, clean, stored, augment, split.learned, augmented, recipe.views, progress)
    task = make_task(Activations(views, device.torch_device), prepared, split, augment, recipe, device)
    tail = Tail(place).to(device.torch_device)
    untrained = np.zeros((dataset.n, FEATURES_PER_NETWORK), np.float32)
    untrained[split.learned] = predict(tail, task, split.learned, exactly=True)
    probe = probe_on(untrained[split.train], split.train, prepared, recipe.probe)
    job = Classifier(copy.deepcopy(tail), probe.head).to(device.torch_device)
    said = probe.head.logits(untrained[split.val]).astype(np.float64)

    def finish(result: ValResult) -> TrainedNetwork:
        photos, val_logits = result.learned_from, result.val_logits
        job.tail.round_half()
        learned = Head(*(p.detach().float().cpu().numpy() for p in (job.head.weight, job.head.bias)))
        a, b = shares(said, val_logits, task.labels[split.val])
        source = f"{name} as bundled, its stages from {place.stage} trained further on {len(photos):,} photos"
        backbone = tuned_network(place, job.tail.to_graph(), source)
        prove(backbone, place, job.tail.cpu(), clean[split.learned[:PROVEN]])
        if len(photos) == len(split.train):
            return TrainedNetwork(backbone, joined(probe.head, a, learned, b))
        same = replace(recipe.probe, inverse_regularisation=(cast(float, probe.inverse_regularisation),))
        last_probe = probe_on(untrained[photos], photos, prepared, same)
        return TrainedNetwork(backbone, joined(last_probe.head, a, learned, b), a * said + b * val_logits)

    groups = [*job.tail.groups(), list(job.head.parameters())]
    title = f"the last {N_STAGES - place.stage} stages of {place.title}"
    return TrainingJob(job, groups, task, title, finish, refits)


def shares(
    said: NDArray[np.float64], val_logits: NDArray[np.float64], labels: NDArray[np.int32]
) -> tuple[float, float]:
    """What to multiply the logits of the probe and those of the trained network by, before they are added up.

    Args:
        said: (M, C) the probe's of the validation photos.
        val_logits: (M, C) the trained network's of the same photos.
        labels: (M,) of these photos.
    """
    scale, other_scale = 1 / fit_temperature(said, labels), 1 / fit_temperature(val_logits, labels)

    def loss(share: float) -> float:
        mixed = share * scale * said + (1 - share) * other_scale * val_logits
        return nll(mixed, labels, fit_temperature(mixed, labels))

    share = min(PROBE_SHARES, key=loss)
    return share * scale, (1 - share) * other_scale


def joined(probe: Head, a: float, learned: Head, b: float) -> Head:
    """One head on both kinds of features: `a` times `probe` on the untrained, `b` times `learned` on the trained."""
    parts = [Head(np.float32(by) * head.weight, np.float32(by) * head.bias) for by, head in ((a, probe), (b, learned))]
    return Head(np.concatenate([part.weight for part in parts], axis=1), parts[0].bias + parts[1].bias)

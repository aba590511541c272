"""Fine-tuning a bundled network: its last stages train on what the others, which stay as they are, made of the photos.

The trunk looks at every photo once as it is and once at each of a few changed copies, so an epoch costs only the last
stages. The head starts from the probe on the untrained features, and ends as the sum of both: what the probe says and
what was learned, by shares that the validation photos choose.
"""

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tellapart.data.split import Split
from tellapart.deep.augment import Augment
from tellapart.deep.bundled import N_STAGES, Tail, cut_before, prove, trunk, tuned_network
from tellapart.deep.device import Processor
from tellapart.deep.inputs import Activations, look, read_both_sizes
from tellapart.deep.loop import answers
from tellapart.deep.pupil import Pupil, lesson_for, probe_on
from tellapart.engine.backbone import Converted
from tellapart.engine.network import Network, n_cores
from tellapart.head import Head
from tellapart.posthoc.temperature import fit_temperature, nll
from tellapart.prepare import Prepared
from tellapart.recipe import FineTune
from tellapart.stopwatch import Progress

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


def prepare(prepared: Prepared, split: Split, recipe: FineTune, processor: Processor, progress: Progress) -> Pupil:
    """The last stages of the bundled network of the recipe's quality, and what the trunk made of photos."""
    name, usual_px = TUNED[recipe.probe.quality]
    place = cut_before(name, recipe.input_px or usual_px, recipe.stage)
    dataset = prepared.dataset
    augment = Augment(recipe.augment, place.input_px, len(dataset.class_names))
    stored_px = augment.stored_px if recipe.views else place.input_px
    plain, stored = read_both_sizes(dataset, split, place.input_px, stored_px, recipe.probe.fit, progress)
    network = Network(trunk(place), place.input_px, ["activations"], streams=n_cores())
    views = look(network, plain, stored, augment, split, recipe.views, progress)
    lesson = lesson_for(Activations(views, processor.device), prepared, split, augment, recipe, processor)
    tail = Tail(place).to(processor.device)
    untrained, held_out = (
        answers(tail, lesson, photos, exactly=True).astype(np.float32) for photos in (split.train, split.val)
    )
    probe = probe_on(untrained, prepared, split, recipe.probe)
    pupil = Classifier(copy.deepcopy(tail), probe).to(processor.device)
    said = probe.logits(held_out).astype(np.float64)

    def finish() -> tuple[Converted, Head]:
        pupil.tail.round_half()
        learned = Head(*(p.detach().float().cpu().numpy() for p in (pupil.head.weight, pupil.head.bias)))
        head = joined(probe, said, learned, answers(pupil, lesson, split.val, exactly=True), lesson.labels[split.val])
        source = f"{name} as bundled, its stages from {place.stage} trained further on {len(split.train):,} photos"
        backbone = tuned_network(place, pupil.tail.to_graph(), source)
        prove(backbone, place, pupil.tail.cpu(), plain[split.learned[:PROVEN]])
        return backbone, head

    groups = [*pupil.tail.groups(), list(pupil.head.parameters())]
    title = f"the last {N_STAGES - place.stage} stages of {place.title}"
    return Pupil(pupil, groups, lesson, title, finish)


def joined(
    probe: Head, said: NDArray[np.float64], learned: Head, heard: NDArray[np.float64], labels: NDArray[np.int32]
) -> Head:
    """One head on both kinds of features: a weighted sum of what the probe and the trained network say.

    Args:
        probe: on the untrained features.
        said: (M, C) its logits of the validation photos.
        learned: on the trained features.
        heard: (M, C) its logits of the same photos.
        labels: (M,) of these photos.
    """
    scale, other_scale = 1 / fit_temperature(said, labels), 1 / fit_temperature(heard, labels)

    def loss(share: float) -> float:
        mixed = share * scale * said + (1 - share) * other_scale * heard
        return nll(mixed, labels, fit_temperature(mixed, labels))

    share = min(PROBE_SHARES, key=loss)
    a, b = np.float32(share * scale), np.float32((1 - share) * other_scale)
    return Head(np.concatenate([a * probe.weight, b * learned.weight], axis=1), a * probe.bias + b * learned.bias)

"""Training a whole network on photos: one from nothing, or one of somebody else's further."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from timm.models import group_parameters
from timm.utils.model import freeze_batch_norm_2d
from torch import nn

from tellapart.data.split import Split
from tellapart.deep.architectures import OWN
from tellapart.deep.augment import Augment
from tellapart.deep.batches import Pixels, read_both_sizes
from tellapart.deep.convert import convert
from tellapart.deep.device import Device
from tellapart.deep.head_finder import find_head
from tellapart.deep.networks import Built, build
from tellapart.deep.training_job import TrainedNetwork, TrainingJob, ValResult, make_task, probe_on
from tellapart.engine.runner import Network
from tellapart.features.prepare import Prepared
from tellapart.parallel import n_cores
from tellapart.recipe import FineTune, Training
from tellapart.timing import Progress

PROVEN = 8  # photos on which the written graph is compared with the network


def prepare(prepared: Prepared, split: Split, recipe: Training, device: Device, progress: Progress) -> TrainingJob:
    """The network that the recipe names, and the photos that learn at its size.

    Raises:
        InputError: no such network, or no weights for it.
    """
    dataset = prepared.dataset
    n_classes = len(dataset.class_names)
    further = isinstance(recipe, FineTune)
    built = build(
        recipe.network,
        n_classes,
        weights=recipe.weights,
        pretrained=further and recipe.weights is None,
        input_px=recipe.input_px,
    )
    augment = Augment(recipe.augment, built.input_px, n_classes)
    whole, stored = read_both_sizes(
        dataset,
        split.learned,
        split.train,
        built.input_px,
        augment.stored_px,
        recipe.probe.reading.resize_mode,
        progress,
    )
    if further:
        _start_from_probe(built, whole, prepared, split, recipe)
        freeze_batch_norm_2d(built.module)  # few photos of one kind would spoil what it knows of all kinds
    network = built.module.to(device.torch_device).to(memory_format=torch.channels_last)
    batches = Pixels(stored, whole, augment, built.mean, built.std, device.torch_device)
    task = make_task(batches, prepared, split, augment, recipe, device)

    def finish(result: ValResult) -> TrainedNetwork:
        source = f"{built.weights}, then trained here on {len(result.learned_from):,} photos"
        trained = Built(**{**vars(built), "module": network, "weights": source})
        few = split.learned[:: max(len(split.learned) // PROVEN, 1)][:PROVEN]
        return TrainedNetwork(*convert(trained, n_classes=n_classes, pixels=whole[few]))

    return TrainingJob(network, _stages(network, recipe), task, built.title, finish)


def _stages(network: nn.Module, recipe: Training) -> list[list[nn.Parameter]]:
    """The parameters in stages, as timm knows them of its networks; all together of others."""
    if recipe.layer_decay == 1 or recipe.network in OWN or not hasattr(network, "group_matcher"):
        return [list(network.parameters())]
    parameters = dict(network.named_parameters())
    matcher: Any = network.group_matcher
    stages = group_parameters(network, matcher(coarse=True), reverse=False)
    grouped = [[parameters[name] for name in names if name in parameters] for _, names in sorted(stages.items())]
    return [group for group in grouped if group]


def _start_from_probe(
    built: Built, whole: NDArray[np.uint8], prepared: Prepared, split: Split, recipe: Training
) -> None:
    """Give the network the head that is best on its features as they are."""
    backbone, _ = convert(built, pixels=whole[split.learned[:PROVEN]])
    network = Network(backbone.graph, backbone.input_px, ["features"], streams=n_cores())
    features = np.stack([network(whole[i])["features"] for i in split.train])
    head = probe_on(features, split.train, prepared, recipe.probe).head
    site = find_head(built.module.eval(), built.input_px, built.title).site
    layer = built.module.get_submodule(site.layer)
    for name, values in (("weight", head.weight), ("bias", head.bias)):
        own = layer.get_parameter(name)
        rows = values if len(own) == len(values) else np.diff(values, axis=0)  # a sigmoid's one row
        with torch.no_grad():
            own.copy_(torch.from_numpy(rows).view_as(own))

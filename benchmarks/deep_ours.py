"""What tellapart does in benchmarks/deep.py, one task a process: its name, and its arguments as JSON.

Each prints one line of JSON. Seconds count from after the imports, as for the peers in deep_peers.py.
"""

import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tellapart.classifier.trained import StopReason
from tellapart.data.preprocess import Preprocess
from tellapart.data.source import Dataset, scan
from tellapart.data.split import Split, stratified_group_split
from tellapart.deep import convert, tail_tuning
from tellapart.deep.augment import Augment
from tellapart.deep.batches import Pixels, read_all
from tellapart.deep.device import choose
from tellapart.deep.loop import TrainingTask, ask, predict, train
from tellapart.deep.networks import build
from tellapart.deep.tail import trunk
from tellapart.deep.train_state import TrainState, init_state
from tellapart.deep.training import train_network
from tellapart.deep.training_job import ValResult
from tellapart.engine.backbone import QUALITIES
from tellapart.engine.runner import Network
from tellapart.features.cache import FeatureCache
from tellapart.features.extract import Extractor
from tellapart.features.prepare import Prepared, prepare
from tellapart.recipe import FineTune, LinearProbe, Reading, Scratch, Training
from tellapart.timing import Stopwatch, no_progress

Json = dict[str, Any]
MANY = 10_000  # epochs of a schedule whose beginning is as good as constant
KERAS_DECAY = 0.004  # the default of its AdamW


def some_of(dataset: Dataset, most: int) -> Dataset:
    """About `most` photos at equal distances, so that every class has some; all where `most` is 0."""
    return dataset.subset(np.arange(0, dataset.n, max(dataset.n // most, 1))[:most]) if most else dataset


def prepared_from(folder: str, quality: str, most: int = 0) -> tuple[Prepared, Split]:
    """Photos as `train` prepares them; those of the folder `val` are the ones to choose with."""
    backbone = QUALITIES[quality]
    extractor = Extractor(backbone, Preprocess(backbone.input_px), FeatureCache())
    prepared = prepare(some_of(scan(folder), most), extractor, no_progress, Stopwatch())
    train, val, test = (np.flatnonzero(prepared.dataset.splits == name) for name in ("train", "val", "test"))
    return prepared, Split(train, val, test, "given")


def split_photos(folder: str, into: str, share: float, seed: int, most: int) -> Json:
    """Copies the photos of `folder` to `into`/train and `into`/val; no group is on both sides."""
    prepared, _ = prepared_from(folder, "fast", most)
    dataset = prepared.dataset
    part = stratified_group_split(dataset.labels, prepared.duplicates.groups, [1 - share, share], seed=seed)
    for place, label, is_val in zip(dataset.places, dataset.labels, part, strict=True):
        to = Path(into, "val" if is_val else "train", dataset.class_names[label])
        to.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(place, to / Path(place).name)
    return {"n_train": int((part == 0).sum()), "n_val": int((part == 1).sum())}


def first_cnn(folder: str, epochs: int, rate: float, augment: list[str], precision: str) -> Json:
    """Two convolutions and two dense layers from nothing: seconds of each epoch, and the loss of the last.

    As Keras does it, the rate stays the same throughout, weights decay little, and labels are not smoothed: both lower
    the same loss by the same kind of steps.
    """
    started = time.perf_counter()
    torch.manual_seed(0)
    dataset = scan(folder)
    recipe = Scratch(
        network="first-cnn",
        epochs=MANY,
        learning_rate=rate,
        warmup_share=0,
        weight_decay=KERAS_DECAY,
        label_smoothing=0,
        augment=tuple(augment),
        precision=precision,  # type: ignore[arg-type]
        device="cpu",
    )
    device, n_classes = choose(recipe), len(dataset.class_names)
    built = build(recipe.network, n_classes)
    changes = Augment(recipe.augment, built.input_px, n_classes)
    pixels = read_all(dataset, built.input_px, "squash", no_progress)  # as Keras reads them
    batches = Pixels(pixels, pixels, changes, built.mean, built.std, device.torch_device)
    every = np.arange(dataset.n)
    task = TrainingTask(batches, dataset.labels, every, every[:0], np.ones(n_classes), changes, recipe, device)
    network = built.module.to(memory_format=torch.channels_last)
    state = init_state(network, [list(network.parameters())], recipe, rate)
    ends = [started]

    def record_epoch(state: TrainState) -> None:
        ends.append(time.perf_counter())
        state.stop_reason = StopReason.TIME_LIMIT if len(state.epochs) == epochs else None

    train(state, task, record_epoch)
    return {
        "seconds": np.diff(ends).tolist(),
        "n_photos": task.n_batches * recipe.batch_size,
        "losses": [epoch.train_loss for epoch in state.epochs],
        "loss_after": ask(state.network, task, every)[0],
        "processor": device.title,
    }


def timed(
    prepare_them: Callable[[], tuple[Prepared, Split]], recipe: Training, started: float
) -> tuple[Prepared, Json]:
    """A training as `train` does it, with the seconds since `started` after each epoch of the first time."""
    prepared, split = prepare_them()
    epochs: list[Json] = []

    def record_epoch(epoch: Any) -> None:
        if not epoch.refit:
            epochs.append({**epoch.to_json(), "at_s": time.perf_counter() - started})

    _, history = train_network(prepared, split, recipe, callbacks=[record_epoch])
    whole_s = time.perf_counter() - started
    again = history["again"] or {"n_epochs": 0, "seconds": 0.0}
    return prepared, {
        "epochs": epochs,
        "best_epoch": history["best_epoch"],
        "n_passed": sum(
            n_epochs * max(n // recipe.batch_size, 1) * min(recipe.batch_size, n)
            for n_epochs, n in ((len(epochs), len(split.train)), (again["n_epochs"], len(split.learned)))
        ),
        "training_s": sum(epoch["seconds"] for epoch in epochs) + again["seconds"],
        "whole_s": whole_s,
        "processor": history["processor"],
        "network": history["network"],
    }


def bf16_here() -> Json:
    """Whether training here is in bfloat16 by itself."""
    return {"is_bf16": choose(FineTune(device="cpu")).is_bf16}


def tune(folder: str, quality: str, precision: str, epochs: int = FineTune.epochs, most: int = 0) -> Json:
    """The bundled network of `quality`, its last stages on cached activations."""
    started = time.perf_counter()
    recipe = FineTune(probe=LinearProbe(Reading(quality=quality)), precision=precision, epochs=epochs, device="cpu")  # type: ignore[arg-type]
    return timed(lambda: prepared_from(folder, quality, most), recipe, started)[1]


def scratch(folder: str, network: str, seed: int, epochs: int, seconds: float | None = None, most: int = 0) -> Json:
    """A network from nothing; with `seconds`, its rate falls to 0 by then, whatever its epochs."""
    started = time.perf_counter()
    recipe = Scratch(probe=LinearProbe(seed=seed), network=network, epochs=epochs, time_limit_s=seconds, device="cpu")
    return timed(lambda: prepared_from(folder, "fast", most), recipe, started)[1]


def proof(folder: str, network: str, n: int) -> Json:
    """How far the written graph of a network with random weights is from the network, on real photos."""
    torch.manual_seed(0)
    dataset = some_of(scan(folder), n)
    built = build(network, len(dataset.class_names))
    pixels = read_all(dataset, built.input_px, "crop", no_progress)
    proofs: list[convert.Proof] = []
    prove = convert.prove

    def kept(*given: Any) -> convert.Proof:
        proofs.append(prove(*given))
        return proofs[-1]

    convert.prove = kept  # `convert` proves every graph that it writes, and tells nobody how well it did
    convert.convert(built, pixels=pixels)
    return vars(proofs[0])


def tuned_proof(folder: str, quality: str, n: int) -> Json:
    """The same of a bundled network whose last stages learned for an epoch.

    Its graph holds what it learned as float16. The difference is to the network in torch with the same, rounded
    weights; the cosine is to the one that trained.
    """
    torch.manual_seed(0)
    prepared, split = prepared_from(folder, quality, 8 * n)
    recipe = FineTune(probe=LinearProbe(Reading(quality=quality)), epochs=1, views=1, device="cpu")
    job = tail_tuning.prepare(prepared, split, recipe, choose(recipe), no_progress)
    train(init_state(job.network, job.groups, recipe, recipe.learning_rate), job.task, lambda _: None)
    val_logits = predict(job.network, job.task, split.val, exactly=True)
    backbone = job.finish(ValResult(split.train, val_logits)).backbone
    tail: Any = job.network.tail
    px = backbone.input_px
    pixels = read_all(some_of(prepared.dataset, n), px, "crop", no_progress)
    before = Network(trunk(tail.place), px, ["activations"], streams=1)
    whole = Network(backbone.graph, px, ["features"], streams=1)
    activations = torch.from_numpy(np.stack([before(image)["activations"] for image in pixels]))
    with torch.no_grad():
        trained = tail(activations).numpy()
        for weight in tail.parameters():
            weight.copy_(weight.half().float())
        rounded = tail(activations).numpy()
    written = np.stack([whole(image)["features"] for image in pixels])[:, -trained.shape[1] :]
    shares = np.abs(written - rounded).max(axis=1) / np.abs(rounded).max(axis=1)
    lengths = np.linalg.norm(written, axis=1) * np.linalg.norm(trained, axis=1)
    cosines = (written * trained).sum(axis=1) / lengths
    return {"n": len(pixels), "largest_difference": float(shares.max()), "smallest_cosine": float(cosines.min())}


TASKS = {task.__name__: task for task in (split_photos, first_cnn, bf16_here, tune, scratch, proof, tuned_proof)}

if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](**json.loads(sys.argv[2]))))

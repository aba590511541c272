"""What others do in benchmarks/deep.py, one task a process: its name, and its arguments as JSON.

Each prints one line of JSON. Seconds count from after the imports, as for tellapart in deep_ours.py.
"""

import json
import os
import sys
import time
from itertools import pairwise
from typing import Any

Json = dict[str, Any]
FASTAI_BATCH = 64  # fastai's own


def keras(folder: str, epochs: int, batch: int, flip: bool, precision: str) -> Json:
    """The same two convolutions and two dense layers, and photos as Keras's tutorials load them."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    import keras
    import tensorflow
    from keras import layers

    started = time.perf_counter()
    keras.utils.set_random_seed(0)
    keras.mixed_precision.set_global_policy(precision)
    photos = keras.utils.image_dataset_from_directory(
        folder, image_size=(120, 120), batch_size=batch, label_mode="binary", verbose=False
    )
    photos = photos.cache().shuffle(1000).prefetch(buffer_size=tensorflow.data.AUTOTUNE)
    model = keras.Sequential(
        [
            keras.Input((120, 120, 3)),
            *([layers.RandomFlip("horizontal")] if flip else []),
            layers.Rescaling(1 / 255),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(1, activation="sigmoid", dtype="float32"),
        ]
    )
    model.compile(optimizer=keras.optimizers.AdamW(), loss="binary_crossentropy", metrics=["accuracy"])
    ends = [started]
    ended = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: ends.append(time.perf_counter()))
    history = model.fit(photos, epochs=epochs, callbacks=[ended], verbose=0)
    seconds = [end - start for start, end in pairwise(ends)]
    return {
        "seconds": seconds,
        "n_photos": sum(len(labels) for _, labels in photos),
        "losses": history.history["loss"],
        "loss_after": model.evaluate(photos, verbose=0)[0],
        "n_parameters": model.count_params(),
        "version": f"{keras.__version__} on {keras.backend.backend()} {tensorflow.__version__}",
    }


def plain(folder: str, network: str, px: int, precision: str, n_batches: int) -> Json:
    """Photos a second at which the whole network trains in a plain loop.

    The peer gets what costs time beside the network for nothing or cheaply: photos are decoded before the clock runs,
    and tellapart's own augmentations change them, faster than torchvision's transforms photo by photo.
    """
    import numpy as np
    import torch

    from tellapart.data.source import scan
    from tellapart.deep.augment import Augment
    from tellapart.deep.batches import read_all
    from tellapart.deep.device import choose
    from tellapart.recipe import FineTune
    from tellapart.timing import no_progress
    from usual_script import load_network

    torch.manual_seed(0)
    recipe = FineTune(precision=precision, device="cpu")  # type: ignore[arg-type]
    dataset = scan(folder)
    dataset = dataset.subset(np.flatnonzero(dataset.splits == "train"))
    changes = Augment(recipe.augment, px, len(dataset.class_names))
    stored = read_all(dataset, changes.stored_px, "crop", no_progress)
    model = load_network(network)
    model.reset_classifier(len(dataset.class_names))
    model = model.train().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
    device, times, losses = choose(recipe), [], []
    for _ in range(n_batches + 1):  # the first warms up
        started = time.perf_counter()
        chosen = np.random.default_rng(len(times)).choice(dataset.n, recipe.batch_size, replace=False)
        x = changes.photos(torch.from_numpy(stored[chosen]).permute(0, 3, 1, 2))
        x = x.to(torch.float32, memory_format=torch.channels_last).div_(127.5).sub_(1)
        with device.autocast():
            logits = model(x)
        loss = torch.nn.functional.cross_entropy(
            logits.float(), torch.from_numpy(dataset.labels[chosen]).long(), label_smoothing=recipe.label_smoothing
        )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
        times.append(time.perf_counter() - started)
    return {
        "photos_per_s": recipe.batch_size * n_batches / sum(times[1:]),
        "losses": losses,
        "is_bf16": device.is_bf16,
    }


def fastai(folder: str, network: str, px: int, epochs: int) -> Json:
    """fastai as documented, `fine_tune(epochs)`: the seconds and the validation accuracy after each epoch."""
    import torch
    from fastai.vision.all import Callback, ImageDataLoaders, Normalize, Resize, set_seed

    from fastai_fine_tune import learner_of

    started = time.perf_counter()
    set_seed(0)
    reached: list[Json] = []

    class Note(Callback):
        order = 60  # after the recorder, which is at 50

        def after_epoch(self) -> None:
            seconds = time.perf_counter() - started
            reached.append({"at_s": seconds, "val_accuracy": float(self.learn.recorder.values[-1][-1])})

    photos = ImageDataLoaders.from_folder(
        folder,
        train="train",
        valid="val",
        item_tfms=Resize(px),
        batch_tfms=Normalize.from_stats([0.5] * 3, [0.5] * 3),
        bs=FASTAI_BATCH,
        num_workers=min(len(os.sched_getaffinity(0)), 4),
        device=torch.device("cpu"),
    )
    learner = learner_of(photos, network, cbs=[Note()])
    with learner.no_bar(), learner.no_logging():
        learner.fine_tune(epochs)
    return {"epochs": reached}


TASKS = {task.__name__: task for task in (keras, plain, fastai)}

if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](**json.loads(sys.argv[2]))))

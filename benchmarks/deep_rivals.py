"""The pieces of benchmarks/deep.py in which tellapart takes turns with a peer: Keras, a plain loop, fastai."""

import json
import statistics
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import measure

HERE = Path(__file__).parent
KERAS_RATE = 1e-3  # the default of its optimisers
BATCH = 32  # Keras's default, and the recipe's
VAL_SHARE, SPLIT_SEED = 0.15, 0
NETWORKS = {"balanced": ("lite1", 288), "fast": ("lite0", 224)}  # by quality: network, input_px
QUICK_PHOTOS = 96

Json = dict[str, Any]
Tables = dict[str, list[measure.Row]]


class Child:
    """Runs tasks of deep_ours.py and deep_peers.py, each with an empty cache; keeps what each said.

    Args:
        folder: for caches and divided photos.
        options: from the command line.
    """

    def __init__(self, folder: Path, options: Namespace) -> None:
        self.folder = folder
        self.options = options
        self.said: dict[str, list[Json]] = {}

    def __call__(self, script: str, task: str, *, name: str = "", python: str = sys.executable, **given: Any) -> Json:
        """What the task says, and `peak_mb`; kept under `name`."""
        cache = Path(tempfile.mkdtemp(dir=self.folder))
        ran = measure.run([python, HERE / f"deep_{script}.py", task, json.dumps(given)], cache=cache)
        said: Json = json.loads(ran.output.strip().splitlines()[-1]) | {"peak_mb": ran.peak_bytes / 1e6}
        self.said.setdefault(name, []).append(said)
        return said

    def divided(self) -> str:
        """`clothing`/train divided into photos that train and photos that choose."""
        into = self.folder / "divided"
        if not into.exists():
            source, most = self.options.data / "clothing" / "train", QUICK_PHOTOS if self.options.quick else 0
            self("ours", "divide", folder=str(source), into=str(into), share=VAL_SHARE, seed=SPLIT_SEED, most=most)
        return str(into)


def of_each(child: Child, name: str, pick: Callable[[Json], float]) -> list[float]:
    return [pick(said) for said in child.said[name]]


def times(theirs: list[float], own: list[float]) -> measure.Spread:
    """How many times `own` theirs is, round by round."""
    return measure.spread(a / b for a, b in zip(theirs, own, strict=True))


def first_photo_rate(said: Json) -> float:
    return said["n_photos"] / said["seconds"][0]


def photo_rate(said: Json) -> float:
    """Photos a second after the first epoch: epochs differ by a batch that ours leaves out."""
    return said["n_photos"] / statistics.median(said["seconds"][1:])


def against_keras(child: Child) -> tuple[Tables, Json]:
    options, epochs = child.options, 2 if child.options.quick else 10
    photos = str(options.data / "hotdog" / "train")

    def ours(name: str, augment: list[str], precision: str) -> Callable[[], float]:
        given = {"folder": photos, "epochs": epochs, "rate": KERAS_RATE, "augment": augment, "precision": precision}
        return lambda: photo_rate(child("ours", "first_cnn", name=name, **given))

    def keras(name: str, flip: bool, precision: str) -> Callable[[], float]:
        given = {"folder": photos, "epochs": epochs, "batch": BATCH, "flip": flip, "precision": precision}
        return lambda: photo_rate(child("peers", "keras", name=name, python=options.keras, **given))

    flip = ["flip"]
    ways = {
        name: make(name, *how)
        for name, make, *how in (
            ("tellapart", ours, [], "auto"),
            ("Keras", keras, False, "float32"),
            ("tellapart, flip", ours, flip, "auto"),
            ("Keras, RandomFlip", keras, True, "float32"),
            ("tellapart, float32", ours, [], "f32"),
            ("Keras, mixed_bfloat16", keras, False, "mixed_bfloat16"),
        )
    }
    measured = measure.interleaved(ways, options.repeats)
    pairs = {  # peer: which of ours it stands against
        "Keras": "tellapart",
        "Keras, RandomFlip": "tellapart, flip",
        "Keras, mixed_bfloat16": "tellapart",
    }
    rows: list[measure.Row] = []
    for name, rates in measured.items():
        row: measure.Row = {
            "What": f"{name} ({child.said[name][0]['processor']})" if name in pairs.values() else name,
            "Seconds for 600 photos": measure.spread(600 / rate for rate in rates).text("", 2),
            "First epoch, photos read": measure.spread(600 / first_photo_rate(s) for s in child.said[name]).text("", 2),
            "Training loss, last epoch": measure.spread(of_each(child, name, lambda s: s["losses"][-1])).text("", 3),
        }
        if name in pairs:
            own = pairs[name]
            ratio = times(measured[own], rates)
            first = times(of_each(child, own, first_photo_rate), of_each(child, name, first_photo_rate))
            row |= {"Ours is faster": ratio.text(" ×", 2), "In the first epoch": first.text(" ×", 2)}
            row["Goal"] = measure.goal(ratio.median >= 1.5, "≥ 1.5 ×") if "bfloat" not in name else ""
        rows.append(row)
    return {"An epoch of the first lesson": rows}, {"epochs": epochs, "keras": child.said["Keras"][0]["version"]}


def in_training(said: Json) -> float:
    return statistics.median(epoch["photos_per_s"] for epoch in said["epochs"])


def in_all(said: Json) -> float:
    return said["n_passed"] / said["whole_s"]


def tuning_speed(child: Child) -> tuple[Tables, Json]:
    options, photos = child.options, child.divided()
    more = {"epochs": 2} if options.quick else {}
    n_batches = 1 if options.quick else 10
    # bf16 is slower where layers are small, so the peer may take either; without units for it there is no choice
    precisions = ("bf16", "f32") if child("ours", "bf16_here")["is_bf16"] else ("f32",)

    def ours(quality: str) -> Callable[[], float]:
        given = {"folder": photos, "quality": quality, "precision": "auto"} | more
        return lambda: in_training(child("ours", "tune", name=f"tuned {quality}", **given))

    def plain(quality: str, precision: str) -> Callable[[], float]:
        network, px = NETWORKS[quality]
        given = {"folder": photos, "network": network, "px": px, "precision": precision, "n_batches": n_batches}
        return lambda: child("peers", "plain", **given)["photos_per_s"]

    ways: dict[str, Callable[[], float]] = {}
    qualities = [quality for quality in options.qualities.split(",") if quality in NETWORKS]
    for quality in qualities:
        ways[f"tuned {quality}"] = ours(quality)
        ways |= {f"plain {quality} {precision}": plain(quality, precision) for precision in precisions}
    measured = measure.interleaved(ways, options.repeats)
    rows: list[measure.Row] = []
    for quality in qualities:
        network = NETWORKS[quality][0]
        plain_rates = {precision: measured[f"plain {quality} {precision}"] for precision in precisions}
        faster = [max(rates) for rates in zip(*plain_rates.values(), strict=True)]
        for what, pick in (("training", in_training), ("reading and looking included", in_all)):
            rates = of_each(child, f"tuned {quality}", pick)
            ratio = times(rates, faster)
            rows.append(
                {
                    "What": f"tellapart, {quality}: {what}",
                    "Photos/s": measure.spread(rates).text(),
                    "Against the faster whole network": ratio.text(" ×"),
                    "Goal": measure.goal(ratio.median >= 3, "≥ 3 ×"),
                }
            )
        rows += [
            {"What": f"{network}, the whole network, {precision}: training", "Photos/s": measure.spread(rates).text()}
            for precision, rates in plain_rates.items()
        ]
    one = child.said[f"tuned {qualities[0]}"][0]
    return {"Fine-tuning, photos a second": rows}, {"epochs": len(one["epochs"]), "processor": one["processor"]}


def against_fastai(child: Child) -> tuple[Tables, Json]:
    options, photos = child.options, child.divided()
    quality = options.qualities.split(",")[0]
    network, px = NETWORKS[quality]
    lengths = [1] if options.quick else [int(n) for n in options.epochs.split(",")]

    def fastai(epochs: int) -> Callable[[], float]:
        given = {"folder": photos, "network": network, "px": 64 if options.quick else px, "epochs": epochs}

        def way() -> float:
            said = child("peers", "fastai", name=f"fastai, fine_tune({epochs})", **given)["epochs"]
            return max(said, key=lambda epoch: epoch["val_accuracy"])["at_s"]  # the first of the best

        return way

    def ours(precision: str) -> Callable[[], float]:
        given = {"folder": photos, "quality": quality, "precision": precision}
        given |= {"epochs": 2} if options.quick else {}
        return lambda: child("ours", "tune", name=f"tellapart, {precision}", **given)["whole_s"]

    own_ways = ("auto", "f32") if child("ours", "bf16_here")["is_bf16"] else ("auto",)
    ways = {f"tellapart, {precision}": ours(precision) for precision in own_ways}
    ways |= {f"fastai, fine_tune({n})": fastai(n) for n in lengths}
    measured = measure.interleaved(ways, options.repeats)
    rows: list[measure.Row] = []
    for name in [f"fastai, fine_tune({n})" for n in lengths]:
        best = of_each(child, name, lambda s: max(epoch["val_accuracy"] for epoch in s["epochs"]))
        row: measure.Row = {
            "What": name,
            "Its best validation accuracy": measure.spread(best).text("", 3),
            "Reached after, s": measure.spread(measured[name]).text(),
        }
        for own in (f"tellapart, {precision}" for precision in own_ways):
            reached = [first_at(said, wanted) for said, wanted in zip(child.said[own], best, strict=True)]
            if None in reached:
                row[f"{own}, reaches it after, s"] = "not reached"
                ratio = 0.0
            else:
                row[f"{own}, reaches it after, s"] = measure.spread(reached).text()
                faster = times(measured[name], reached)
                ratio, row[f"{own}: less time"] = faster.median, faster.text(" ×")
            if own == "tellapart, auto":
                goal = measure.goal(ratio >= 5, "≥ 5 × less time")
        rows.append(row | {"Goal": goal})
    ends: list[measure.Row] = [
        {
            "What": f"{name} ({child.said[name][0]['processor']})",
            "Best validation accuracy": measure.spread(
                of_each(child, name, lambda s: max(epoch["val_accuracy"] for epoch in s["epochs"]))
            ).text("", 3),
            "Whole training, s": measure.spread(of_each(child, name, lambda s: s["whole_s"])).text(),
            "First epoch done after, s": measure.spread(of_each(child, name, lambda s: s["epochs"][0]["at_s"])).text(),
        }
        for name in (f"tellapart, {precision}" for precision in own_ways)
    ]
    return {"To fastai's best": rows, "Where ours ends": ends}, {"network": f"{network} at {px} px"}


def first_at(said: Json, accuracy: float) -> float | None:
    """Seconds to the first epoch that is right as often; None if there is none."""
    return next((epoch["at_s"] for epoch in said["epochs"] if epoch["val_accuracy"] >= accuracy), None)

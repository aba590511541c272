"""What training whole networks costs and gains, against what people use for it.

    python benchmarks/deep.py ../shared/data [--only keras,proof]

Seven pieces; each writes its tables into the record when it is done, and leaves those of the others alone.

    keras     the first lesson's network, an epoch of ours against one of Keras's `fit`, on the 600 photos of hotdog
    speed     fine-tuning on cached activations against the whole network in a plain loop, photos a second
    fastai    seconds to the best validation accuracy that fastai's `fine_tune` reaches from the same weights
    scratch   three networks from nothing, each for the same time
    proof     how far written graphs are from their networks
    memory    peak memory of a fine-tuning and of training a large network
    clothing  a head alone against fine-tuning, on the test photos: the only piece that looks at them

All but the first and the last use `clothing`/train alone: 85 % train, the rest choose, and no group is on both sides.
Every measurement is a process of its own, in turns. What these do is in deep_ours.py and deep_peers.py. Needs the
extras `bench` and `backbones`.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import measure
from deep_rivals import Child, Json, Tables, against_fastai, against_keras, of_each, tuning_speed

UNLIMITED = 10_000  # epochs: the time limit ends the training, and the rate falls by it
PROVEN = 8  # photos
SMALL_SET = 80  # photos, of which two batches train


def from_nothing(child: Child) -> tuple[Tables, Json]:
    options, photos = child.options, child.divided()
    seconds = 2.0 if options.quick else options.seconds
    networks = ("small-resnet", "first-cnn", "tutorial-cnn")
    seeds = iter(turn for turn in range(options.repeats) for _ in networks)

    def way(network: str) -> Callable[[], float]:
        given = {"folder": photos, "network": network, "epochs": UNLIMITED, "seconds": seconds}
        return lambda: kept(child("ours", "scratch", name=network, seed=next(seeds), **given))["val_accuracy"]

    measured = measure.interleaved({network: way(network) for network in networks}, options.repeats)
    rows: list[measure.Row] = [
        {
            "Network": network,
            "Validation accuracy": measure.spread(measured[network]).text("", 3),
            "Its log-loss": measure.spread(of_each(child, network, lambda s: kept(s)["val_loss"])).text("", 2),
            "Epochs": measure.spread(of_each(child, network, lambda s: len(s["epochs"]))).text("", 0),
            "Training, s": measure.spread(of_each(child, network, lambda s: s["training_s"])).text(),
        }
        for network in networks
    ]
    return {"From nothing, in the same time": rows}, {"seconds": seconds}


def kept(said: Json) -> Json:
    """The epoch whose weights are kept."""
    return said["epochs"][said["best_epoch"] - 1]


def proofs(child: Child) -> tuple[Tables, Json]:
    photos, n = child.divided(), 2 if child.options.quick else PROVEN
    said = {
        name: child("ours", "proof", name=name, folder=photos, network=name, n=n)
        for name in ("first-cnn", "small-resnet", "resnet18", "vgg16")
    }
    said["lite1, fine-tuned"] = child("ours", "tuned_proof", folder=photos, quality="balanced", n=n)
    rows: list[measure.Row] = [
        {
            "Network": name,
            "Largest difference of a feature, of the largest": f"{found['largest_difference']:.1e}",
            "Turned by weights of 16 bits, 1 - cosine": f"{max(1 - found['smallest_cosine'], 0):.0e}",
            "Goal": measure.goal(
                found["largest_difference"] <= 1e-4 and found["smallest_cosine"] >= 0.9999, "≤ 1e-4, 1 - cosine ≤ 1e-4"
            ),
        }
        for name, found in said.items()
    ]
    return {"The written graph against the network in torch": rows}, {"repeats": 1, "photos": n}


def memory(child: Child) -> tuple[Tables, Json]:
    photos = child.divided()
    large = "small-resnet" if child.options.quick else "vgg16"
    tuned = child("ours", "tune", folder=photos, quality="balanced", precision="auto", epochs=1)
    vgg = child("ours", "scratch", folder=photos, network=large, seed=0, epochs=1, most=SMALL_SET)
    rows: list[measure.Row] = [
        {"What": f"fine-tuning {tuned['network']}, 1 epoch", "Peak memory, MB": f"{tuned['peak_mb']:,.0f}"},
        {
            "What": f"{large} from nothing, 1 epoch of {vgg['n_passed']} photos",
            "Peak memory, MB": f"{vgg['peak_mb']:,.0f}",
        },
    ]
    return {"Peak memory of training": rows}, {"repeats": 1}


def on_clothing(child: Child) -> tuple[Tables, Json]:
    options = child.options
    source = Path(child.divided()) if options.quick else options.data / "clothing"
    seeds = [0] if options.quick else [int(seed) for seed in options.seeds.split(",")]
    qualities = options.qualities.split(",")
    n_train = sum(path.is_file() for path in (source / "train").rglob("*"))
    rights: dict[str, list[float]] = {}

    def way(kind: str, quality: str) -> Callable[[], float]:
        def run() -> float:
            seed = seeds[len(rights.get(f"{kind} {quality}", []))]
            output, cache = Path(child.folder, "model"), Path(tempfile.mkdtemp(dir=child.folder))
            command = ["train", source, "-o", output, "--force", "--json", "--seed", str(seed), "--quality", quality]
            command += ["--recipe", kind, *(["--epochs", "2"] if options.quick and kind != "probe" else [])]
            ran = measure.run(measure.tellapart(*command), cache=cache)
            rights.setdefault(f"{kind} {quality}", []).append(json.loads(ran.output)["accuracy"]["value"])
            return ran.seconds

        return run

    ways = {f"{kind} {quality}": way(kind, quality) for quality in qualities for kind in ("probe", "finetune")}
    measured = measure.interleaved(ways, len(seeds))
    limit = 180 * n_train / 1000
    rows: list[measure.Row] = []
    for name, seconds in measured.items():
        kind, quality = name.split()
        accuracy, took = statistics.fmean(rights[name]), measure.spread(seconds)
        row: measure.Row = {
            "Recipe": f"{kind}, {quality}",
            "Accuracy, mean of seeds": f"{accuracy:.3f}",
            "By seed": ", ".join(f"{right:.3f}" for right in rights[name]),
            "Minutes": measure.spread(s / 60 for s in seconds).text("", 2),
            "Goal": measure.goal(accuracy >= 0.92 and took.median <= 600, "≥ 0.92 within 10 minutes"),
        }
        if kind == "finetune":
            gain = accuracy - statistics.fmean(rights[f"probe {quality}"])
            row["Against the head alone"] = f"{100 * gain:+.1f} points"
            wanted = "≥ 2 points more within 3 minutes a 1,000 photos"
            row["Goal of fine-tuning"] = measure.goal(gain >= 0.02 and took.median <= limit, wanted)
        rows.append(row)
    total_s = sum(sum(seconds) for seconds in measured.values())
    facts = {
        "repeats": len(seeds),  # instead of --repeats
        "seeds": ", ".join(map(str, seeds)),
        "training_photos": n_train,
        "minutes_in_all": round(total_s / 60, 1),
    }
    return {"Clothing, test photos": rows}, facts


PIECES: dict[str, Callable[[Child], tuple[Tables, Json]]] = {
    "keras": against_keras,
    "speed": tuning_speed,
    "fastai": against_fastai,
    "scratch": from_nothing,
    "proof": proofs,
    "memory": memory,
    "clothing": on_clothing,
}


def more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", default=",".join(PIECES), help="pieces, with commas; all unless told")
    parser.add_argument("--keras", default=sys.executable, help="a Python that has keras and tensorflow")
    parser.add_argument("--epochs", default="1,3", help="of fastai's fine_tune, one training each; 1,3 unless told")
    parser.add_argument("--seconds", type=float, default=60.0, help="that each network from nothing gets; 60")
    parser.add_argument("--seeds", default="0,1,2", help="of the trainings whose test accuracy counts; 0,1,2")
    parser.add_argument("--qualities", default="balanced,fast", help="of clothing and speed; fastai has the first")


def main() -> None:
    options = measure.arguments(__doc__, repeats=3, more=more)
    wanted = options.only.split(",")
    if unknown := sorted(set(wanted) - set(PIECES)):
        raise SystemExit(f"There is no piece {unknown}. There are: {', '.join(PIECES)}.")
    with tempfile.TemporaryDirectory(prefix="tellapart-bench-") as folder:
        for piece in wanted:
            print(f"-- {piece}", file=sys.stderr, flush=True)
            tables, facts = PIECES[piece](Child(Path(folder), options))
            measure.report_piece(options, PIECES, piece, tables, **facts)


if __name__ == "__main__":
    main()

"""A first hot dog detector: a small network from nothing, ten epochs, and then an honest look at it.

    python examples/first_hot_dog_detector/run.py PHOTOS OUTPUT

PHOTOS holds two folders of photos, such as hot_dog and not_hot_dog. --quick trains for two epochs.
"""

import argparse
import json
import subprocess
from pathlib import Path
from time import monotonic


def tellapart(*words: object) -> float:
    """Run a tellapart command, and say which; returns the seconds that it took."""
    print("\n$ tellapart", *words, flush=True)
    started = monotonic()
    subprocess.run(["tellapart", *map(str, words)], check=True)
    return monotonic() - started


def print_score(name: str, n_right: int, n: int, seconds: float | None = None) -> None:
    took = "" if seconds is None else f"   {seconds:.0f} s"
    print(f"{name:<36} {n_right:>4} of {n} right{took}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("output", type=Path, help="a folder; the models are written into it")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    first, probe = args.output / "first-cnn", args.output / "probe"

    # 1. What it is made of, layer by layer.
    tellapart("summary", "first-cnn")

    # 2. Train it from nothing. One line an epoch; the same curves stand in the report.
    #    Both models below are tested on the same photos, a fifth of all (--test-share), which neither has seen.
    same = ["--seed", args.seed, "--test-share", 0.2]
    epochs = 2 if args.quick else 10
    train = ["train", args.photos, "-o", first, "--recipe", "scratch", "--network", "first-cnn", "--epochs", epochs]
    first_s = tellapart(*train, *same)

    # 3. The saved model answers like any other.
    tellapart("predict", first, next(p for p in sorted(args.photos.rglob("*")) if p.is_file()))

    # 4. The honest look: a head on a network that already knows photos, and whether the difference may be chance.
    probe_s = tellapart("train", args.photos, "-o", probe, *same)
    tellapart("compare", first, probe, args.photos)

    evaluations = [json.loads((model / "evaluation.json").read_text()) for model in (first, probe)]
    always, n = evaluations[0]["baseline"], evaluations[0]["n_test"]
    print()
    print_score(f"always answering {always['class_name']!r}", always["n_right"], n)
    print_score(f"first-cnn, {epochs} epochs from nothing", evaluations[0]["accuracy"]["n_right"], n, first_s)
    print_score("probe", evaluations[1]["accuracy"]["n_right"], evaluations[1]["n_test"], probe_s)
    print(f"\nThe curves: {first}/report.html")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:  # the command has said why, unless a signal ended it
        raise SystemExit(str(error) if error.returncode < 0 else error.returncode) from None

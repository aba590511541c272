"""Produce: near-perfect on a white background, then in a market, then with ten market photos of each fruit.

    python examples/produce/run.py PHOTOS OUTPUT
    python examples/produce/run.py PHOTOS OUTPUT --network resnet34 --weights model.safetensors

PHOTOS holds four folders, each with a folder of photos for each fruit: train_white, test_white, train_market and
test_market. Without --network, the last stages of the bundled network train. --quick takes three fruits and the
fastest bundled network.
"""

import argparse
import csv
import json
import subprocess
from pathlib import Path

PARTS = {"train": ("train_white",), "test": ("test_white",)}
MIXED_PARTS = {"train": ("train_white", "train_market"), "test": ("test_market",)}


def tellapart(*words: object) -> None:
    """Run a tellapart command, and say which."""
    print("\n$ tellapart", *words, flush=True)
    subprocess.run(["tellapart", *map(str, words)], check=True)


def write_list(file: Path, photos: Path, parts: dict[str, tuple[str, ...]], fruits: list[str], n_market: int) -> None:
    """A label file: which photo, which fruit, which split. No photo is copied."""
    with file.open("w", newline="", encoding="utf-8") as table:
        rows = csv.writer(table)
        rows.writerow(("path", "label", "split"))
        for split, folders in parts.items():
            for folder in folders:
                for fruit in fruits:
                    most = n_market if folder == "train_market" else None
                    for photo in sorted((photos / folder / fruit).iterdir())[:most]:
                        rows.writerow((photo.resolve(), fruit, split))


def score(folder: Path) -> str:
    """How many photos got the right class, and how many of them no class name at all."""
    evaluation = json.loads((folder / "evaluation.json").read_text())
    right, unknown = evaluation["accuracy"]["n_right"], evaluation["unknown"]
    return f"{right} of {evaluation['n_test']} right; {unknown['n_none_of_these']} answered 'none of these'"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("output", type=Path, help="a folder that does not exist yet")
    parser.add_argument("--network", help="such as resnet34; the hub's weights unless --weights names a file")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--market-photos", type=int, default=10, help="of each fruit, mixed in")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()

    fruits = sorted(folder.name for folder in (args.photos / "train_white").iterdir() if folder.is_dir())
    fruits = fruits[:3] if args.quick else fruits
    args.output.mkdir(parents=True)
    lists = {name: args.output / f"{name}.csv" for name in ("white", "mixed", "market")}
    write_list(lists["white"], args.photos, PARTS, fruits, 0)
    write_list(lists["mixed"], args.photos, MIXED_PARTS, fruits, args.market_photos)
    write_list(lists["market"], args.photos, {"test": ("test_market",)}, fruits, 0)

    how = ["--recipe", "finetune", "--epochs", 1, "--batch-size", 16, "--seed", args.seed]
    how += ["--network", args.network] if args.network else ["--quality", "fast" if args.quick else "balanced"]
    how += ["--weights", args.weights] if args.weights else []

    # 1. Fruit on white paper: one epoch.
    white, mixed = args.output / "white", args.output / "mixed"
    tellapart("train", lists["white"], "-o", white, *how)

    # 2. The same model in a market.
    tellapart("evaluate", white, lists["market"], "-o", args.output / "white-in-the-market")

    # 3. With a few market photos of each fruit among the training photos.
    tellapart("train", lists["mixed"], "-o", mixed, *how)

    print(f"\ntrained on white, tested on white:        {score(white)}")
    print(f"trained on white, tested in the market:   {score(args.output / 'white-in-the-market')}")
    print(f"market photos mixed in, tested in market: {score(mixed)}")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:  # the command has said why, unless a signal ended it
        raise SystemExit(str(error) if error.returncode < 0 else error.returncode) from None

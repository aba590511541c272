"""Instruments: a network that learns by heart, a pretrained one, and what AugMix changes.

    python examples/instruments/run.py PHOTOS OUTPUT
    python examples/instruments/run.py PHOTOS OUTPUT --network resnet18 --weights model.safetensors

PHOTOS is a folder with one folder of photos for each instrument; it is read as a Hugging Face data set. Without
--network, the last stages of the bundled network train. --quick trains for three epochs.
"""

import argparse
import json
import subprocess
from pathlib import Path


def tellapart(*words: object) -> None:
    """Run a tellapart command, and say which."""
    print("\n$ tellapart", *words, flush=True)
    subprocess.run(["tellapart", *map(str, words)], check=True)


def print_step(model: Path) -> None:
    """The score, the curves' two ends, what is mixed up most, and how it takes spoiled photos."""
    evaluation = json.loads((model / "evaluation.json").read_text())
    first, last = (evaluation["training"]["epochs"][i] for i in (0, -1))
    print(f"\n{model.name}: {evaluation['accuracy']['n_right']} of {evaluation['n_test']} test photos right")
    for name, epoch in (("first epoch", first), ("last epoch", last)):
        train, val = epoch["train_accuracy"], epoch["val_accuracy"]
        print(f"  {name}: {train:.0%} of training photos right, {val:.0%} of validation photos")
    for pair in evaluation["confused_pairs"][:3]:
        print(f"  {pair['n']} × {pair['class_name']} taken for {pair['answer']}")
    if "robustness" in evaluation:
        kept = evaluation["robustness"]["mean_kept"]["value"]
        print(f"  of what it gets right, it still gets {kept:.0%} when photos are dark, blurred, noisy, …")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("output", type=Path, help="a folder; the models are written into it")
    parser.add_argument("--network", help="such as resnet18; the hub's weights unless --weights names a file")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()

    source = f"hf:{args.photos}"  # a name of the hub, such as hf:user/instruments, would do as well
    same = ["--seed", args.seed, "--test-share", 0.2]
    same += ["--quality", "fast"] if args.quick else []
    pretrained = ["--recipe", "finetune", "--epochs", 2 if args.quick else 4]
    pretrained += [] if args.quick else ["--robustness"]  # asks about spoiled test photos too
    pretrained += ["--network", args.network] if args.network else []
    pretrained += ["--weights", args.weights] if args.weights else []

    # 1. PyTorch's tutorial network at 32 × 32, photos unchanged: it learns them by heart.
    tutorial = ["--recipe", "scratch", "--network", "tutorial-cnn", "--px", 32, "--augment", "none"]
    epochs = 3 if args.quick else 25
    tellapart("train", source, "-o", args.output / "1-tutorial", *tutorial, "--epochs", epochs, *same)

    # 2. A pretrained network, trained further.
    plain = ["--augment", "flip,crop"]
    tellapart("train", source, "-o", args.output / "2-pretrained", *pretrained, *plain, *same)

    # 3. The same with AugMix, which blends several changes of each photo.
    mixed = ["--augment", "flip,crop,augmix"]
    tellapart("train", source, "-o", args.output / "3-augmix", *pretrained, *mixed, *same)

    for name in ("1-tutorial", "2-pretrained", "3-augmix"):
        print_step(args.output / name)
    print(f"\nCurves and confusion matrices: report.html in each folder of {args.output}")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:  # the command has said why, unless a signal ended it
        raise SystemExit(str(error) if error.returncode < 0 else error.returncode) from None

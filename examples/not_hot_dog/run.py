"""Not hot dog: what a network of 1,000 everyday classes sees in a cat, and a new last layer for one question.

    python examples/not_hot_dog/run.py PHOTOS CAT OUTPUT
    python examples/not_hot_dog/run.py PHOTOS CAT OUTPUT --network vgg16 --weights model.safetensors

PHOTOS holds the folders hot_dog and not_hot_dog, or train and test folders of those. CAT is a photo. Without
--network, the bundled network looks at the photos. --quick takes the fastest one.
"""

import argparse
import json
import subprocess
from pathlib import Path


def tellapart(*words: object) -> None:
    """Run a tellapart command, and say which."""
    print("\n$ tellapart", *words, flush=True)
    subprocess.run(["tellapart", *map(str, words)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("cat", type=Path)
    parser.add_argument("output", type=Path, help="the model folder to write")
    parser.add_argument("--network", help="such as vgg16; the hub's weights unless --weights names a file")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--px", type=int, help="side of the network's input; its own unless told")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()

    # 1. The bundled network as it is, with its 1,000 classes. Nothing is trained.
    tellapart("predict", "imagenet", args.cat, "--top", 5)

    # 2. Its last layer is taken off, and a new one, a softmax over our classes, learns. The rest stays as it is.
    extractor = ["--network", args.network] if args.network else []
    extractor += ["--weights", args.weights] if args.weights else []
    extractor += ["--px", args.px] if args.px else []
    tellapart("train", args.photos, "-o", args.output, "--quality", "fast" if args.quick else "balanced", *extractor)

    # 3. The cat again.
    tellapart("predict", args.output, args.cat)

    evaluation = json.loads((args.output / "evaluation.json").read_text())
    print(f"\nwithout leaks: {evaluation['headline']}")
    if evaluation["leaks"]["n"]:  # test photos that it had learned from, or near copies of such
        print(f"as it came:    {evaluation['headline_with_leaks']}")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:  # the command has said why, unless a signal ended it
        raise SystemExit(str(error) if error.returncode < 0 else error.returncode) from None

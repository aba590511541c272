"""How often the models are right on photos they were not trained on.

    python benchmarks/accuracy.py ../shared/data

Every number comes from the `evaluation.json` that `tellapart train --json` or `tellapart evaluate --json` prints, with
its 95 % interval. `hotdog` is scored without its leaked test photos, `instruments` on the split that we make, and
`fruits` on market photos by a model that saw only fruits on white paper, then by one that saw the market.
"""

import json
import sys
import tempfile
from pathlib import Path

import measure

QUALITIES = ("fast", "balanced", "best")
GOALS = {("clothing", "balanced"): 0.89, ("clothing", "best"): 0.91, ("hotdog", "balanced"): 0.95}
SETS = {  # name in the table: training photos, and other photos to score on
    "clothing": ("clothing", None),
    "hotdog": ("hotdog", None),
    "instruments": ("instruments", None),
    "fruits, white → market": ("fruits/train_white", "fruits/test_market"),
    "fruits, market → market": ("fruits/train_market", "fruits/test_market"),
}


def row(name: str, quality: str, evaluation: dict) -> measure.Row:
    score = {**evaluation["accuracy"], "n_test": evaluation["n_test"]}
    leaks = evaluation["leaks"]["n"]
    score = evaluation["leaks"]["without"] or score
    wanted = GOALS.get((name, quality))
    return {
        "Photos": name + (f" (without {leaks} leaked test photos)" if leaks else ""),
        "Quality": quality,
        "Right": f"{score['n_right']} of {score['n_test']}",
        "Accuracy": f"{score['value']:.3f}",
        "95 % interval": f"{score['low']:.3f} to {score['high']:.3f}",
        "Balanced accuracy": f"{evaluation['balanced_accuracy']:.3f}" if not leaks else "",
        "Commonest class": f"{evaluation['baseline']['value']:.3f}" if not leaks else "",
        "Goal": measure.goal(score["value"] >= wanted, f"≥ {wanted}") if wanted else "",
    }


def main() -> None:
    options = measure.arguments(__doc__, repeats=1)
    rows: list[measure.Row] = []
    with tempfile.TemporaryDirectory(prefix="tellapart-bench-") as folder:
        cache, model = Path(folder, "cache"), Path(folder, "model")
        for name, (training, other) in SETS.items():
            for quality in QUALITIES[:1] if options.quick else QUALITIES:
                ran = measure.run(
                    measure.tellapart(
                        "train", options.data / training, "-o", model, "--force", "--json", "--quality", quality
                    ),
                    cache=cache,
                )
                if other:
                    ran = measure.run(measure.tellapart("evaluate", model, options.data / other, "--json"), cache=cache)
                rows.append(row(name, quality, json.loads(ran.output)))
                print(f"  {rows[-1]}", file=sys.stderr, flush=True)
    measure.report(options, {"Accuracy": rows})


if __name__ == "__main__":
    main()

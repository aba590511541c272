"""Accuracy against time of every bundled backbone: the table that the three qualities were chosen from.

    python benchmarks/backbones.py ../shared/data            # accuracy; the cache makes a second run quick
    python benchmarks/backbones.py ../shared/data --speed    # photos/s, on an otherwise idle machine

Accuracy is out-of-fold, in folds that keep photos of one group together, over the training photos only of `clothing`
and `hotdog`, over `instruments`, and over the market photos of `fruits`. No test photo is read.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np

from tellapart.classifier.probe import fit_probe, make_folds
from tellapart.data.duplicates import find_duplicates
from tellapart.data.preprocess import Preprocess
from tellapart.data.source import Dataset, scan
from tellapart.engine.backbone import QUALITIES, Bundled
from tellapart.features.cache import FeatureCache
from tellapart.features.extract import Extractor
from tellapart.recipe import LinearProbe

SETS = {
    "clothing": "clothing/train",
    "instruments": "instruments",
    "market fruit": "fruits/train_market",
    "hotdog": "hotdog/train",
}
CANDIDATES = [
    *((Bundled(("lite0",), px), fit) for px in (192, 224, 256, 288) for fit in ("crop", "squash")),
    *((Bundled(("lite1",), px), "crop") for px in (240, 256, 288, 320)),
    (Bundled(("lite1",), 288), "squash"),
    *((Bundled(("lite2",), px), "crop") for px in (260, 288, 320)),
    *((Bundled((name,), 288, mirrored=True), "crop") for name in ("lite0", "lite1", "lite2")),
    *((Bundled(("lite1", "lite2"), px, mirrored=True), "crop") for px in (256, 288, 320)),
    (Bundled(("lite1", "lite2"), 288), "crop"),
    (Bundled(("lite0", "lite1", "lite2"), 288, mirrored=True), "crop"),
]
PAGE = Path(__file__).resolve().parents[1] / "docs" / "backbones.md"
REPEATS = 2
SPEED_PHOTOS = 128


def accuracy(dataset: Dataset, extractor: Extractor, recipe: LinearProbe) -> dict[str, float]:
    """Out-of-fold accuracy and negative log-likelihood of the head that `recipe` chooses."""
    features = extractor.extract(dataset)
    use = features.usable
    x, y = np.asarray(features.values[use]), dataset.labels[use]
    groups = find_duplicates(x, features.pixel_hashes[use]).groups
    fitted = fit_probe(x, y, make_folds(y, groups, recipe), len(dataset.class_names), recipe)
    oof = fitted.out_of_fold
    return {
        "accuracy": float((oof.logits.argmax(1) == oof.labels).mean()),
        "nll": fitted.choice_nll[fitted.inverse_regularisation],
        "n": len(use),
        "C": fitted.inverse_regularisation,
    }


def speed(dataset: Dataset, extractor: Extractor) -> list[float]:
    """Photos/s from file to features, nothing cached, after a warm-up."""
    some = dataset.subset(np.linspace(0, dataset.n - 1, SPEED_PHOTOS).astype(int))
    extractor.extract(some)
    rates = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        extractor.extract(some)
        rates.append(SPEED_PHOTOS / (time.perf_counter() - started))
    return rates


def write_table(accuracies: list[dict], speeds: list[dict]) -> None:
    """Put the rows between the markers of docs/backbones.md."""
    speed_of = {(row["backbone"], row["fit"]): row["photos_per_s"] for row in speeds}
    reference = speed_of[(QUALITIES["balanced"].title, "crop")]["median"]
    lines = [
        f"| backbone | fit | {' | '.join(SETS)} | mean | photos/s | of `balanced` |",
        "|---" * (6 + len(SETS) - 1) + "|",
    ]
    for row in accuracies:
        rate = speed_of.get((row["backbone"], row["fit"]))
        cells = [f"{row[name]['accuracy']:.3f} / {row[name]['nll']:.3f}" for name in SETS]
        mean = statistics.mean(row[name]["accuracy"] for name in SETS)
        timing = ["", ""]
        if rate:
            spread = f"{rate['median']:.0f} ({rate['min']:.0f} to {rate['max']:.0f})"
            timing = [spread, f"{rate['median'] / reference:.2f}×"]
        lines.append(f"| {row['backbone']} | {row['fit']} | {' | '.join(cells)} | {mean:.3f} | {' | '.join(timing)} |")
    before, rest = PAGE.read_text().split("<!-- backbones -->")
    after = rest.split("<!-- /backbones -->")[1]
    PAGE.write_text("\n".join([before + "<!-- backbones -->", *lines, "<!-- /backbones -->" + after]))


def main() -> None:
    """Print one row a candidate, and keep all rows as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--table", nargs=2, type=Path, metavar=("ACCURACY", "SPEED"), help="write the page's table")
    parser.add_argument("--speed", action="store_true", help="measure photos/s instead of accuracy")
    parser.add_argument("--json", type=Path, help="write the rows here")
    options = parser.parse_args()
    if options.table:
        write_table(*(json.loads(path.read_text()) for path in options.table))
        return
    rows = []
    for backbone, fit in CANDIDATES:
        preprocessing = Preprocess(backbone.input_px, fit)
        row: dict[str, object] = {"backbone": backbone.title, "fit": fit}
        if options.speed:
            rates = speed(scan(options.data / SETS["clothing"]), Extractor(backbone, preprocessing))
            row["photos_per_s"] = {"median": statistics.median(rates), "min": min(rates), "max": max(rates)}
        else:
            cache = FeatureCache()
            extractor = Extractor(backbone, preprocessing, cache)
            row |= {
                name: accuracy(scan(options.data / place), extractor, LinearProbe()) for name, place in SETS.items()
            }
            cache.close()
        rows.append(row)
        print(json.dumps(row), flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()

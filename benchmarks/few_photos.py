"""A few photos of each class: how good the head is, and whether the range beside its score holds the truth.

    python benchmarks/few_photos.py ../shared/data

**The head.** So many photos of each class are drawn from a set's training photos; others of them are asked. Beside
our scaling of features the one that was ours until it was measured: each feature divided by its own standard deviation
among the photos drawn, C from the grid that was for it.

**The range.** The same draws, each with its cross-validated score and range as `train` would give it, and the truth:
the accuracy of the head that learned from all photos drawn, on photos that were not drawn. C is fixed, so that
hundreds of draws can be had. `Wilson alone` counts the luck of the test, not that of which photos were drawn.

Fruits on white paper are frames of one turning fruit: what is drawn and what is asked share no turn. No test folder is
read.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

import measure
from suggest import Photos, load
from tellapart.classifier.probe import CalibratedHead, fit_heads, fit_probe, make_folds
from tellapart.data.split import cross_validated_split
from tellapart.metrics.intervals import CROSSED_INFLATION, share_interval
from tellapart.recipe import LinearProbe

SETS = {
    "clothing": ("clothing/train", (3, 5, 10, 20)),
    "instruments": ("instruments", (3, 5, 10, 20)),
    "hotdog": ("hotdog/train", (3, 5, 10, 20)),
    "fruits, market": ("fruits/train_market", (4,)),
    "fruits, white": ("fruits/train_white", (4,)),
}
RANGE_SIZES = (4, 5, 10, 20)
MOST_ASKED = 150  # photos of a class
RANGE_DRAWS = 400
RANGE_C = 0.1
BEFORE = LinearProbe(inverse_regularisation=(3e-3, 1e-2, 3e-2, 1e-1))


def draws(photos: Photos, n: int, count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """`n` photos of each class to learn from and up to MOST_ASKED others to ask, of no group that is learned from."""
    for seed in range(count):
        rng = np.random.default_rng([n, seed])
        of_class = [rng.permutation(np.flatnonzero(photos.labels == c)) for c in range(int(photos.labels.max()) + 1)]
        learned = np.concatenate([own[:n] for own in of_class])
        asked = np.concatenate([own[n : n + MOST_ASKED] for own in of_class])
        yield learned, asked[~np.isin(photos.groups[asked], photos.groups[learned])]


def fitted(features: np.ndarray, photos: Photos, learned: np.ndarray, recipe: LinearProbe) -> CalibratedHead:
    labels, groups = photos.labels[learned], photos.groups[learned]
    n_classes = int(photos.labels.max()) + 1
    return fit_probe(features, labels, make_folds(labels, groups, recipe), n_classes, recipe)


def scored(probs: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Accuracy and mean log-loss."""
    of_class = probs[np.arange(len(labels)), labels]
    return float((probs.argmax(axis=1) == labels).mean()), float(-np.log(np.clip(of_class, 1e-12, 1)).mean())


def head_row(photos: Photos, n: int, count: int) -> measure.Row:
    ours, before = [], []
    for learned, asked in draws(photos, n, count):
        features, labels = photos.features[learned], photos.labels[asked]
        ours.append(scored(fitted(features, photos, learned, LinearProbe()).probs(photos.features[asked]), labels))
        deviation = features.std(axis=0)
        deviation[deviation == 0] = 1  # features of deviation 1 are scaled by nothing else
        head = fitted(features / deviation, photos, learned, BEFORE)
        before.append(scored(head.probs(photos.features[asked] / deviation), labels))
    (right, loss), (right_before, loss_before) = np.mean(ours, axis=0), np.mean(before, axis=0)
    return {
        "Accuracy": f"{right:.3f}",
        "before": f"{right_before:.3f}",
        "more": f"{100 * (right - right_before):+.1f} ± {100 * np.std(np.subtract(ours, before)[:, 0]):.1f}",
        "Log-loss": f"{loss:.2f}",
        "log-loss before": f"{loss_before:.2f}",
    }


def range_row(photos: Photos, n: int, count: int) -> measure.Row:
    recipe, n_classes = replace(LinearProbe(), tolerance=1e-3), int(photos.labels.max()) + 1

    def head(rows: np.ndarray):
        return fit_heads(photos.features[rows], photos.labels[rows], n_classes, recipe, [RANGE_C])[RANGE_C]

    def right(rows: np.ndarray, by) -> np.ndarray:
        return by.logits(photos.features[rows]).argmax(axis=1) == photos.labels[rows]

    found = []
    for seed, (learned, asked) in enumerate(draws(photos, n, count)):
        labels, groups, copies = (each[learned] for each in (photos.labels, photos.groups, photos.copies))
        folds = cross_validated_split(labels, groups, copies, seed=seed).folds
        truth = right(asked, head(learned)).mean()
        own = np.zeros(len(learned), bool)
        for fold in np.unique(folds[folds >= 0]):
            own[folds == fold] = right(learned[folds == fold], head(learned[folds != fold]))
        own, groups = own[folds >= 0], groups[folds >= 0]
        alone = len(np.unique(groups)) == len(groups)
        ranges = [share_interval(own, None if alone else groups, inflation=f) for f in (1.0, CROSSED_INFLATION)]
        held = [low <= truth <= high for low, high in ranges]
        found.append((truth, own.mean(), *held, *(high - low for low, high in ranges)))
    truth, score, plain, ours, plain_width, width = np.mean(found, axis=0)
    return {
        "Draws": count,
        "Truth": f"{truth:.3f}",
        "Score less truth": f"{100 * (score - truth):+.1f}",
        "Held": f"{100 * ours:.1f} %",
        "Wilson alone": f"{100 * plain:.1f} %",
        "Width to Wilson's": f"{width / plain_width:.2f}",
    }


def main() -> None:
    options = measure.arguments(__doc__, repeats=6)
    heads: list[measure.Row] = []
    ranges: list[measure.Row] = []
    for name, (place, sizes) in SETS.items():
        photos = load(options.data / place)
        for n in sizes[:1] if options.quick else sizes:
            of = {"Photos": name, "Of each class": n}
            heads.append(of | head_row(photos, n, options.repeats))
            if n in RANGE_SIZES:
                ranges.append(of | range_row(photos, n, 20 if options.quick else RANGE_DRAWS))
            print(f"  {heads[-1]}\n  {ranges[-1:]}", file=sys.stderr, flush=True)
    measure.report(options, {"The head": heads, "The range": ranges})


if __name__ == "__main__":
    main()

"""What twice the photos bring where there are fewer than 30 of a class.

    python benchmarks/few_more.py ../shared/data

The measurement behind `evaluation/advice/like_sets.py`. From the training photos of each set, some of each class are
drawn, and as many again are added to them; a probe of either answers the same photos that neither has seen (100 of a
class at most, none that is nearly a drawn one). Told is the share of mistakes that the added photos avoided, by
photos of a class at the start: the median over all draws, and the range that holds the middle 80 of 100 of them. Half
of the draws are of two classes, half of all; of hot dogs, which have no more, all are of their two. No test folder is
read.
"""

import sys
from dataclasses import replace

import numpy as np

import measure
from suggest import Photos, load
from tellapart.classifier.probe import fit_probe, make_folds
from tellapart.recipe import LinearProbe

SETS = {"clothing": "clothing/train", "instruments": "instruments", "hotdog": "hotdog/train"}
SIZES = (3, 5, 10, 15)  # photos of a class to start from
MOST_ASKED = 100  # photos of a class


def mistakes(photos: Photos, size: int, n_classes: int, seed: int) -> tuple[float, float]:
    """The shares of wrong answers of probes of `size` and 2 x `size` photos of a class, on the same photos."""
    rng = np.random.default_rng([seed, size, n_classes])
    every = int(photos.labels.max()) + 1
    classes = np.sort(rng.permutation(every)[:n_classes])
    shuffled = [rng.permutation(np.flatnonzero(photos.labels == c)) for c in classes]
    drawn = {k: np.concatenate([rows[:k] for rows in shuffled]) for k in (size, 2 * size)}
    asked = np.concatenate([rows[2 * size : 2 * size + MOST_ASKED] for rows in shuffled])
    asked = asked[~np.isin(photos.groups[asked], photos.groups[drawn[2 * size]])]
    wrong = []
    for rows in drawn.values():
        recipe = replace(LinearProbe(), seed=seed)
        labels = np.searchsorted(classes, photos.labels[rows]).astype(np.int32)
        features = np.ascontiguousarray(photos.features[rows])
        probe = fit_probe(features, labels, make_folds(labels, photos.groups[rows], recipe), n_classes, recipe)
        answers = probe.head.logits(photos.features[asked]).argmax(axis=1)
        wrong.append(float((classes[answers] != photos.labels[asked]).mean()))
    return wrong[0], wrong[1]


def main() -> None:
    options = measure.arguments(__doc__, repeats=8)
    table: list[measure.Row] = []
    by_set: list[measure.Row] = []
    sets = {name: load(options.data / place) for name, place in SETS.items()}
    for size in SIZES:
        avoided: list[float] = []
        for name, photos in sets.items():
            every = int(photos.labels.max()) + 1
            draws = [(k, s) for k in (2, every) for s in range(options.repeats)]
            pairs = np.array(
                [
                    mistakes(photos, size, k, s + 1000 * (every == 2 and i >= options.repeats))
                    for i, (k, s) in enumerate(draws)
                ]
            )
            share = 1 - pairs[:, 1] / np.maximum(pairs[:, 0], 1e-9)
            share = share[pairs[:, 0] > 0]  # where nothing was wrong, nothing can be avoided
            avoided += share.tolist()
            by_set.append(
                {
                    "Photos": name,
                    "Of a class": size,
                    "Draws": len(share),
                    "Mistakes": f"{pairs[:, 0].mean():.3f}",
                    "With twice": f"{pairs[:, 1].mean():.3f}",
                    "Avoided, median": f"{np.median(share):.2f}",
                }
            )
            print(f"  {by_set[-1]}", file=sys.stderr, flush=True)
        low, middle, high = np.quantile(avoided, (0.1, 0.5, 0.9))
        table.append(
            {
                "Of a class": size,
                "Draws": len(avoided),
                "Avoided": f"{middle:.2f}",
                "From": f"{low:.2f}",
                "To": f"{high:.2f}",
            }
        )
    measure.report(options, {"Mistakes that twice the photos avoid": table, "By set": by_set})


if __name__ == "__main__":
    main()

"""Whether labelling what `tellapart suggest` names teaches more than labelling at random.

    python benchmarks/suggest.py ../shared/data

A model starts from a few labelled photos of each class; the rest of the training photos count as unlabelled. In each
round a method names photos, they get their labels, and the model is trained again. The method was chosen on a held-out
third of the training photos of clothing, and confirmed on instruments, thinned classes, and a pool with photos of other
things in it (which cost a label and teach nothing). Only the method that was chosen, and random choice, were then run
once on the test photos of clothing. All numbers are the mean over seeds; a gain stands with its standard deviation over
seeds, each seed compared with random choice from the same start.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import measure
from tellapart.classifier.probe import CalibratedHead, fit_probe, make_folds
from tellapart.data.duplicates import exact_pairs, find_duplicates, group
from tellapart.data.preprocess import Preprocess
from tellapart.data.source import scan
from tellapart.data.split import stratified_group_split
from tellapart.engine.backbone import QUALITIES
from tellapart.engine.ood_reference import ood_reference
from tellapart.features.cache import FeatureCache
from tellapart.features.extract import Extractor
from tellapart.recipe import LinearProbe
from tellapart.workflow.suggest import choose

BACKBONE = QUALITIES["balanced"]
IMAGENET = BACKBONE.imagenet
RECIPE = LinearProbe(inverse_regularisation=(0.01,), tolerance=1e-3, n_folds=3)
NEIGHBOURS = 20
THINNEST = 0.15  # share of a class's photos that thinning leaves at the least
JUNK_SHARE = 0.2  # photos of other things for each unlabelled photo


@dataclass
class Photos:
    """Features and labels of one set; -1 labels photos of other things."""

    features: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    copies: np.ndarray

    def part(self, indices: np.ndarray) -> "Photos":
        return Photos(self.features[indices], self.labels[indices], self.groups[indices], self.copies[indices])


@dataclass
class Pool:
    """What a method may look at: the unlabelled photos, what the model says about them, and the model's photos."""

    features: np.ndarray
    probs: np.ndarray
    far: np.ndarray
    copies: np.ndarray
    labelled: np.ndarray
    rng: np.random.Generator

    @property
    def closeness(self) -> np.ndarray:
        two = np.sort(self.probs, axis=1)[:, -2:]
        return 1 - (two[:, 1] - two[:, 0])

    @property
    def entropy(self) -> np.ndarray:
        return -(self.probs * np.log(self.probs + 1e-12)).sum(axis=1)

    @property
    def directions(self) -> np.ndarray:
        return unit(self.features - self.features.mean(axis=0))

    @property
    def density(self) -> np.ndarray:
        near = np.sort(self.directions @ self.directions.T, axis=1)[:, -NEIGHBOURS - 1 : -1]
        return np.maximum(near.mean(axis=1), 0)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def highest(scores: np.ndarray, n: int) -> np.ndarray:
    return np.argsort(-scores, kind="stable")[:n]


def spread_out(directions: np.ndarray, weights: np.ndarray, n: int, distance: np.ndarray) -> list[int]:
    """Greedily the largest weight × squared distance to those taken."""
    chosen: list[int] = []
    for _ in range(min(n, len(directions))):
        worth = weights * distance
        worth[chosen] = -1
        chosen.append(int(worth.argmax()))
        distance = np.minimum(distance, 2 - 2 * directions @ directions[chosen[-1]])
    return chosen


def k_center(pool: Pool, n: int) -> list[int]:
    mean = np.concatenate([pool.features, pool.labelled]).mean(axis=0)
    own, known = unit(pool.features - mean), unit(pool.labelled - mean)
    return spread_out(own, np.ones(len(own)), n, 2 - 2 * (own @ known.T).max(axis=1))


def badge(pool: Pool, n: int) -> list[int]:
    """k-means++ on the gradients that the likeliest label would give the head. Source: Ash et al., BADGE, ICLR 2020."""
    slope = pool.probs.copy()
    slope[np.arange(len(slope)), slope.argmax(axis=1)] -= 1
    size = (slope**2).sum(axis=1)
    directions, distance, chosen = pool.directions, size.copy(), []
    for _ in range(min(n, len(size))):
        chosen.append(int(pool.rng.choice(len(size), p=distance / distance.sum())))
        last = chosen[-1]
        inner = (slope @ slope[last]) * (directions @ directions[last])
        distance = np.minimum(distance, np.maximum(size + size[last] - 2 * inner, 0))
        distance[chosen] = 0
    return chosen


def weighted(weights: Callable[[Pool], np.ndarray]) -> Callable[[Pool, int], list[int]]:
    return lambda pool, n: spread_out(pool.directions, weights(pool), n, np.full(len(pool.features), 2.0))


RANDOM, OURS = "random", "suggest: closeness × distance"
METHODS: dict[str, Callable[[Pool, int], object]] = {
    RANDOM: lambda pool, n: pool.rng.permutation(len(pool.features))[:n],
    "least confidence": lambda pool, n: highest(-pool.probs.max(axis=1), n),
    "closeness": lambda pool, n: highest(pool.closeness, n),
    "entropy": lambda pool, n: highest(pool.entropy, n),
    "k-center": k_center,
    "BADGE": badge,
    "density × distance": weighted(lambda pool: pool.density),
    "entropy × distance": weighted(lambda pool: pool.entropy),
    "closeness × density × distance": weighted(lambda pool: pool.closeness * pool.density),
    OURS: lambda pool, n: choose(pool.features, pool.probs, pool.far, pool.copies, n),
}


def load(place) -> Photos:
    dataset = scan(place)
    extracted = Extractor(BACKBONE, Preprocess(BACKBONE.input_px, "crop"), FeatureCache()).extract(dataset)
    use = extracted.usable
    features, hashes = np.asarray(extracted.values)[use], extracted.pixel_hashes[use]
    found = find_duplicates(features, hashes)
    near = np.array([(p.first, p.second) for p in found.pairs], np.int64).reshape(-1, 2)
    copies = group(len(use), np.concatenate([exact_pairs(hashes), near]))
    return Photos(features, dataset.labels[use], found.groups, copies)


def model(photos: Photos, n_classes: int) -> CalibratedHead:
    folds = make_folds(photos.labels, photos.groups, RECIPE)
    known = ood_reference(BACKBONE)
    reference = None if known is None else known.to_fit  # few photos get an early threshold, as in `train`
    return fit_probe(photos.features, photos.labels, folds, n_classes, RECIPE, imagenet=IMAGENET, reference=reference)


def curve(train: Photos, test: Photos, method: str, seed: int, start: int, batch: int, rounds: int) -> list[float]:
    """The accuracy on `test` after each round."""
    rng = np.random.default_rng(seed)
    n_classes = int(train.labels.max()) + 1
    order = rng.permutation(len(train.labels))
    taken = np.concatenate([order[train.labels[order] == c][:start] for c in range(n_classes)])
    left = np.setdiff1d(np.arange(len(order)), taken)
    accuracies = []
    for turn in range(rounds + 1):
        known = train.part(taken[train.labels[taken] >= 0])
        fitted = model(known, n_classes)
        accuracies.append(float((fitted.head.logits(test.features).argmax(axis=1) == test.labels).mean()))
        if turn < rounds:
            pool = train.part(left)
            far, limit = fitted.centres.ood_scores(pool.features), fitted.thresholds.ood_score
            is_far = np.zeros(len(left), bool) if limit is None else far > limit
            told = Pool(pool.features, fitted.probs(pool.features), is_far, pool.copies, known.features, rng)
            chosen = np.array(METHODS[method](told, batch), np.int64)
            taken = np.concatenate([taken, left[chosen]])
            left = np.delete(left, chosen)
    return accuracies


def thinned(photos: Photos, seed: int) -> Photos:
    rng = np.random.default_rng(seed)
    share = rng.uniform(THINNEST, 1, int(photos.labels.max()) + 1)
    return photos.part(np.flatnonzero(rng.uniform(size=len(photos.labels)) < share[photos.labels]))


def mixed(photos: Photos, others: Photos, seed: int) -> Photos:
    n = round(JUNK_SHARE * len(photos.labels))
    junk = others.part(np.random.default_rng(seed).permutation(len(others.labels))[:n])
    return Photos(
        np.concatenate([photos.features, junk.features]),
        np.concatenate([photos.labels, np.full(n, -1, photos.labels.dtype)]),
        np.concatenate([photos.groups, junk.groups + photos.groups.max() + 1]),
        np.concatenate([photos.copies, junk.copies + photos.copies.max() + 1]),
    )


def held_out(photos: Photos, seed: int) -> tuple[Photos, Photos]:
    side = stratified_group_split(photos.labels, photos.groups, [2 / 3, 1 / 3], seed=seed)
    return photos.part(np.flatnonzero(side == 0)), photos.part(np.flatnonzero(side == 1))


def rows(name: str, by_method: dict[str, np.ndarray], start: int, batch: int) -> list[measure.Row]:
    """One row a method: accuracy by number of labels, and the gain over random choice."""
    table = []
    for method, accuracies in by_method.items():
        gains = (accuracies - by_method[RANDOM])[:, 1:].mean(axis=1)
        row: measure.Row = {"Photos": name, "Labelled by": method}
        row |= {f"{start + batch * i} labels": f"{a:.3f}" for i, a in enumerate(accuracies.mean(axis=0))}
        if method != RANDOM:
            row["Gain"] = f"{gains.mean():+.3f} ± {gains.std(ddof=min(1, len(gains) - 1)):.3f}"
            row["Seeds won"] = f"{int((gains > 0).sum())} of {len(gains)}"
        table.append(row)
        print(f"  {row}", file=sys.stderr, flush=True)
    return table


def main() -> None:
    options = measure.arguments(__doc__, repeats=5)
    rounds = 1 if options.quick else 6
    clothing, test = load(options.data / "clothing/train"), load(options.data / "clothing/test")
    instruments = load(options.data / "instruments")
    sets: dict[str, tuple[Callable[[int], tuple[Photos, Photos]], int, int]] = {
        "clothing": (lambda seed: held_out(clothing, seed), 5, 50),
        "clothing, thinned": (lambda seed: thin(held_out(clothing, seed), seed), 5, 50),
        "clothing and other things": (lambda seed: mix(held_out(clothing, seed), instruments, seed), 5, 50),
        "instruments": (lambda seed: held_out(instruments, seed), 3, 25),
    }
    tables: dict[str, list[measure.Row]] = {"Test photos": []}
    for name, (split, start, batch) in sets.items():
        by_method = {
            method: np.array(
                [curve(*split(seed), method, seed, start, batch, rounds) for seed in range(options.repeats)]
            )
            for method in METHODS
        }
        title = f"Chosen on held-out training photos, {start} of each class to start with"
        tables[title] = [*tables.get(title, []), *rows(name, by_method, start * 10, batch)]
    by_method = {
        method: np.array([curve(clothing, test, method, seed, 5, 50, rounds) for seed in range(options.repeats)])
        for method in (RANDOM, OURS)
    }
    tables["Test photos"] = rows("clothing", by_method, 50, 50)
    measure.report(options, tables)


def thin(sides: tuple[Photos, Photos], seed: int) -> tuple[Photos, Photos]:
    return thinned(sides[0], seed), sides[1]


def mix(sides: tuple[Photos, Photos], others: Photos, seed: int) -> tuple[Photos, Photos]:
    return mixed(sides[0], others, seed), sides[1]


if __name__ == "__main__":
    main()

"""How many copies of photos are named, and how many pairs that are none.

    python benchmarks/duplicates.py ../shared/data [--quality balanced] [--seeds 1] [--copied 100]

From every set, photos are drawn and copied in the ways that copies come about (`planted.py`), one kind at a time. The
copies are added to the set, and all pairs sought as `train` and `check` seek them: by features, and by looking. Against
that, the claims among the photos of the set itself, where nothing was planted: those between two classes are listed,
each to be looked at. (Pairs of one class are no counter-example: sets from the web hold real copies.) And the centred
cosines of all pairs of two classes, on which NEAR_DUPLICATE and SAME_GROUP rest. No test photo is read.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image

import measure
from planted import KINDS, LOSSLESS, Planted
from tellapart.data.duplicates import NEAR_DUPLICATE, SAME_GROUP, find_duplicates, similar_pairs
from tellapart.data.preprocess import Preprocess
from tellapart.data.source import Dataset, scan
from tellapart.engine.backbone import QUALITIES
from tellapart.features.cache import FeatureCache
from tellapart.features.copies import candidates, copies_by_looking
from tellapart.features.extract import Extractor

__all__ = ["LOSSLESS", "cropped"]  # `checks.py` has them from here

SETS = {
    "clothing": "clothing/train",
    "instruments": "instruments",
    "hotdog": "hotdog/train",
    "fruits": "fruits/train_market",
    "fruits, white": "fruits/train_white",
}
COPIED = 25  # photos of each set, for each kind and seed: 75 in all, with both qualities in half an hour
SEEDS = (0, 1, 2)
BLOCK = 512
Pairs = set[tuple[int, int]]


def cropped(image: Image.Image, share: float) -> Image.Image:
    """The middle of `image` without `share` of each side."""
    x, y = image.width * share / 2, image.height * share / 2
    return image.crop((round(x), round(y), round(image.width - x), round(image.height - y)))


@dataclass(frozen=True)
class Photos:
    """The photos of a set as the product sees them."""

    dataset: Dataset
    values: np.ndarray
    hashes: np.ndarray
    pictures: np.ndarray

    @classmethod
    def of(cls, dataset: Dataset, extractor: Extractor) -> "Photos":
        features = extractor.extract(dataset)
        use = features.usable
        arrays = features.values, features.pixel_hashes, features.pictures
        return cls(dataset.subset(use), *(np.asarray(array)[use] for array in arrays))

    def with_copies(self, planted: Planted, extractor: Extractor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Features, hashes and pictures of these photos and, after them, of the copies."""
        copies = extractor.extract(planted)
        added = copies.values, copies.pixel_hashes, copies.pictures
        own = self.values, self.hashes, self.pictures
        values, hashes, pictures = (np.concatenate([a, np.asarray(b)]) for a, b in zip(own, added, strict=True))
        return values, hashes, pictures


def pairs_of(rows: np.ndarray) -> Pairs:
    return {(int(first), int(second)) for first, second in rows}


def named(photos: Photos, kind: str, seed: int, n_copied: int, extractor: Extractor) -> tuple[float, float, float, int]:
    """Shares of the copies: named, named by features alone, kept on one side; and pairs that look alike and are none.

    Those are pairs with a copy in which the other photo is neither its original nor one that looks like its original.
    """
    n = len(photos.values)
    chosen = np.random.default_rng([seed, 99]).choice(n, n_copied, replace=False)
    values, hashes, pictures = photos.with_copies(Planted(photos.dataset, chosen, kind, seed), extractor)
    looked = copies_by_looking(values, pictures, hashes)
    found = find_duplicates(values, hashes, looked)
    truth = {(int(original), n + k) for k, original in enumerate(chosen)}
    claimed = {(pair.first, pair.second) for pair in found.pairs}
    # Equal pixels are linked in a chain, which may not hold the very pair.
    exact = {(a, b) for a, b in truth if found.copies[a] == found.copies[b]}
    rows, cosines = similar_pairs(values, SAME_GROUP)
    near = pairs_of(rows[cosines >= NEAR_DUPLICATE]) | exact
    together = np.mean([found.groups[a] == found.groups[b] for a, b in truth])
    alike = {frozenset(pair) for pair in pairs_of(looked)}
    wrong = [
        (a, b) for a, b in pairs_of(looked) - truth if b >= n > a and frozenset((a, int(chosen[b - n]))) not in alike
    ]
    return len(truth & (claimed | exact)) / n_copied, len(truth & near) / n_copied, float(together), len(wrong)


def copies_rows(quality: str, shares: dict[str, dict[str, list[tuple[float, float, float, int]]]]) -> list[measure.Row]:
    """One row a kind: of 100 copies, named in each set: the mean of the seeds, and the least where it is less."""
    rows: list[measure.Row] = []
    for kind in KINDS:
        row: measure.Row = {"Quality": quality, "Copy": kind}
        every: list[tuple[float, float, float, int]] = []
        for name, by_kind in shares.items():
            of_seeds = by_kind[kind]
            every += of_seeds
            mean, least = np.mean([s[0] for s in of_seeds]), min(s[0] for s in of_seeds)
            row[name] = f"{mean:.0%}" + (f" (least {least:.0%})" if round(100 * least) < round(100 * mean) else "")
        row["By features alone, all sets"] = f"{np.mean([s[1] for s in every]):.0%}"
        row["Kept on one side"] = f"{np.mean([s[2] for s in every]):.0%}"
        row["Wrong pairs"] = sum(s[3] for s in every)
        rows.append(row)
    return rows


def claims_row(quality: str, name: str, photos: Photos) -> tuple[measure.Row, list[measure.Row]]:
    """What is claimed among the photos of a set; and the pairs of two classes that look alike."""
    labels = photos.dataset.labels
    started = time.perf_counter()
    looked = pairs_of(copies_by_looking(photos.values, photos.pictures, photos.hashes))
    seconds = time.perf_counter() - started
    judged = candidates(photos.values, photos.pictures)
    near, _ = similar_pairs(photos.values, NEAR_DUPLICATE)
    counts = np.bincount(labels)
    n_same = max(int((counts * (counts - 1) // 2).sum()), 1)
    torn = sorted(pair for pair in looked if labels[pair[0]] != labels[pair[1]])
    row: measure.Row = {
        "Quality": quality,
        "Photos": name,
        "N": len(labels),
        "Pairs looked at": len(judged),
        "Look like copies": len(looked),
        "… of 1,000 pairs of one class": f"{1000 * (len(looked) - len(torn)) / n_same:.2f}",
        "… of two classes": len(torn),
        f"≥ {NEAR_DUPLICATE} by features": len(near),
        "Seconds of looking": f"{seconds:.2f}",
    }
    names = [photo.removeprefix(f"{photos.dataset.source}/") for photo in photos.dataset.photos]
    return row, [{"Quality": quality, "Photos": name, "Photo": names[a], "Looks like": names[b]} for a, b in torn]


def directions(features: np.ndarray, mean: np.ndarray) -> np.ndarray:
    centred = features - mean
    return centred / np.linalg.norm(centred, axis=1, keepdims=True)


def other_class_cosines(unit: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The cosines of all pairs of photos of different classes, ascending."""
    parts = []
    for start, end in pairwise([*range(0, len(unit), BLOCK), len(unit)]):
        cosines = unit[start:end] @ unit[start:].T
        rows, columns = np.nonzero(labels[start:end, None] != labels[None, start:])
        later = columns > rows
        parts.append(cosines[rows[later], columns[later]])
    return np.sort(np.concatenate(parts))


def others_row(quality: str, name: str, photos: Photos) -> measure.Row:
    pairs = other_class_cosines(directions(photos.values, photos.values.mean(axis=0)), photos.dataset.labels)
    return {
        "Quality": quality,
        "Photos": name,
        "Pairs of two classes": f"{len(pairs):,}",
        "Median": f"{np.median(pairs):.2f}",
        "99.9 %": f"{np.quantile(pairs, 0.999):.2f}",
        "99.999 %": f"{np.quantile(pairs, 0.99999):.2f}",
        "Highest three": ", ".join(f"{c:.2f}" for c in pairs[:-4:-1]),
        f"≥ {SAME_GROUP}": int((pairs >= SAME_GROUP).sum()),
        f"≥ {NEAR_DUPLICATE}": int((pairs >= NEAR_DUPLICATE).sum()),
    }


def more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quality", nargs="+", default=["fast", "balanced"], help="whose features; both unless told")
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help=f"draws of photos; {len(SEEDS)} unless told")
    parser.add_argument(
        "--copied", type=int, default=COPIED, help=f"photos of each set, for each kind and seed; {COPIED} unless told"
    )


def main() -> None:
    options = measure.arguments(__doc__, repeats=1, more=more)
    seeds = SEEDS[:1] if options.quick else SEEDS[: options.seeds]
    for quality in ("fast",) if options.quick else options.quality:
        tables = of_quality(options, quality, seeds)
        facts = {"quality": quality, "copied_of_each_set": options.copied, "seeds": len(seeds)}
        measure.report_piece(options, QUALITIES, quality, tables, **facts)


def of_quality(options: argparse.Namespace, quality: str, seeds: tuple[int, ...]) -> dict[str, list[measure.Row]]:
    """The tables of one quality."""
    claims: list[measure.Row] = []
    torn: list[measure.Row] = []
    others: list[measure.Row] = []
    backbone = QUALITIES[quality]
    extractor = Extractor(backbone, Preprocess(backbone.input_px), FeatureCache())
    shares: dict[str, dict[str, list[tuple[float, float, float, int]]]] = {}
    for name, place in SETS.items():
        dataset = scan(options.data / place)
        n_copied = min(options.copied, dataset.n)
        if options.quick:
            dataset, n_copied = dataset.subset(np.arange(0, dataset.n, 10)), 5
        photos = Photos.of(dataset, extractor)
        row, pairs = claims_row(quality, name, photos)
        claims.append(row)
        torn += pairs
        others.append(others_row(quality, name, photos))
        shares[name] = {}
        for kind in KINDS:
            shares[name][kind] = [named(photos, kind, seed, n_copied, extractor) for seed in seeds]
            print(f"  {quality}, {name}, {kind}: {shares[name][kind]}", file=sys.stderr, flush=True)
    return {
        "Copies": copies_rows(quality, shares),
        "Claims where nothing was planted": claims,
        "Photos of two classes": others,
        "Pairs of two classes that look like copies": torn,
    }


if __name__ == "__main__":
    main()

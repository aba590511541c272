"""Learns the weights of `data/copy_verdict.py`: how much each kind of agreement says that a photo is a copy.

    python benchmarks/copy_verdict.py ../shared/data

Planted copies of training photos (`planted.py`) against the candidates among the photos themselves, which are no
copies but for the few pairs of KNOWN, found by eye. A logistic regression; then the least sum is lowered by MARGIN,
which costs some claims among photos of one class that look alike and none between two. The numbers in the product came
from another draw of photos; another draw gives others that decide nearly alike. No test photo is read, and fruit on
white is left out: frames of one turning fruit are nearly copies.
"""

import sys
from collections.abc import Iterator

import numpy as np
from scipy.optimize import minimize

import measure
from duplicates import SETS, Photos
from planted import KINDS, Planted
from tellapart.data import photo
from tellapart.data.copy_verdict import LEAST, WEIGHTS, Agreement
from tellapart.data.grey_picture import grey_picture
from tellapart.data.preprocess import Preprocess
from tellapart.data.source import scan
from tellapart.engine.backbone import QUALITIES
from tellapart.features.copies import candidates, looked_at
from tellapart.features.extract import Extractor

COPIED = 60  # photos of each set, for each kind
SEED = 7
MARGIN = 1.5
MANY = 200  # pairs that are no copies, of a set, from which on they weigh as much as its copies
PULL = 1e-4  # towards weights of zero, of standardised values
LEFT_OUT = "fruits, white"
KNOWN = (  # pairs that are copies, or one photo retouched, or the same thing turned
    {"accordion/0064.jpg", "accordion/0100.jpg"},
    {"harmonica/0027.jpg", "harmonica/0127.jpg"},
    {"saxophone/0145.jpg", "saxophone/0172.jpg"},
    {"saxophone/0028.jpg", "saxophone/0172.jpg"},
    {"sitar/0032.jpg", "sitar/0175.jpg"},
    {"dress/b59e4d4a-a283-4868-8a81-2f24d8b9c8d8.jpg", "dress/e6a8b33f-279c-4072-8dba-229d94205e55.jpg"},
)


def no_copies(photos: Photos) -> Iterator[Agreement]:
    """How candidates agree that are none."""
    pairs = candidates(photos.values, photos.pictures)
    different = photos.hashes[pairs[:, 0]] != photos.hashes[pairs[:, 1]]
    for (first, second), found in looked_at(pairs[different], photos.pictures).items():
        names = {photos.dataset.photos[i].removeprefix(f"{photos.dataset.source}/") for i in (first, second)}
        if names not in KNOWN:
            yield found


def copies(photos: Photos, preprocessing: Preprocess) -> Iterator[Agreement]:
    """How planted copies agree with their photos."""
    n = len(photos.pictures)
    for kind in KINDS:
        chosen = np.random.default_rng(SEED).choice(n, min(COPIED, n), replace=False)
        planted = Planted(photos.dataset, chosen, kind, SEED)
        images = (photo.decode(planted.read(k), min_side_px=preprocessing.min_side_px) for k in range(planted.n))
        pictures = np.concatenate([photos.pictures, [grey_picture(image) for image in images]])
        pairs = np.stack([chosen, n + np.arange(len(chosen))], axis=1)
        yield from looked_at(pairs, pictures).values()


def learned(values: np.ndarray, is_copy: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights and the least sum."""
    mean, spread = values.mean(axis=0), values.std(axis=0)
    scaled = (values - mean) / spread

    def loss(parameters: np.ndarray) -> float:
        logits = scaled @ parameters[:-1] + parameters[-1]
        losses = np.logaddexp(0, np.where(is_copy, -logits, logits))
        return float((weights * losses).sum() / weights.sum() + PULL * (parameters[:-1] ** 2).sum())

    best = minimize(loss, np.zeros(values.shape[1] + 1)).x
    own = best[:-1] / spread
    return own, float((own * mean).sum() - best[-1])


def main() -> None:
    options = measure.arguments(__doc__, repeats=1)
    backbone = QUALITIES["balanced"]
    preprocessing = Preprocess(backbone.input_px)
    extractor = Extractor(backbone, preprocessing)
    values, is_copy, weights = [], [], []
    for name, place in SETS.items():
        if name == LEFT_OUT:
            continue
        photos = Photos.of(scan(options.data / place), extractor)
        positive, negative = list(copies(photos, preprocessing)), list(no_copies(photos))
        print(f"  {name}: {len(positive)} copies, {len(negative)} that are none", file=sys.stderr, flush=True)
        values += positive + negative
        is_copy += [True] * len(positive) + [False] * len(negative)
        weights += [1 / len(positive)] * len(positive) + [1 / max(len(negative), MANY)] * len(negative)
    own, least = learned(np.array(values)[:, :-1], np.array(is_copy), np.array(weights))
    names = Agreement._fields[:-1]  # what is faint has a veto, no weight
    row = {name: f"{weight:.2f} ({now})" for name, weight, now in zip(names, own, WEIGHTS[:-1], strict=True)}
    measure.report(options, {"Weights, and in the product": [{**row, "least": f"{least - MARGIN:.1f} ({LEAST})"}]})


if __name__ == "__main__":
    main()

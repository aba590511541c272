"""Strips: unlabelled photos that look alike, in one row with one proposed class, accepted by one key.

What a strip costs is a key, and one more for each photo in it that is something else. So of all the strips that could
be made the one is shown of which a photo is likely to cost least, and then the next. Before much is labelled there is
nothing to propose by: then a strip is a tight cluster, and the person says what it is. Chosen on clothing and
instruments: `benchmarks/studio_labelling.py`.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tellapart.classifier.probe import CalibratedHead

LONGEST: Final = 24  # photos of a strip: they are seen at once, without scrolling
COLD: Final = 120  # labelled stacks; with fewer a head proposes worse than a person who looks at a cluster
FEWEST: Final = 3  # of a cluster; what is rarer is found by the head later
CLUSTER: Final = 16  # stacks of a cluster, on average
SAMPLE: Final = 2_000  # stacks that clusters are made of; a few dozen clusters are all that are ever shown
TIGHTNESS: Final = 4.0  # of a cluster, in the logarithm of its size, for a mean cosine of 1
ROUNDS: Final = 15  # of k-means


@dataclass(frozen=True)
class Strip:
    """Stacks that look alike.

    Args:
        rows: (n,) of the stacks, the surest first.
        label: the class proposed for all of them, as a number; -1 where there is nothing to propose by.
        sure: how many of them are likely to be that, from 0 to 1; of no proposal 0.
    """

    rows: NDArray[np.int64]
    label: int = -1
    sure: float = 0.0


def next_strips(
    features: NDArray[np.float32],
    labels: NDArray[np.int32],
    free: NDArray[np.bool_],
    head: CalibratedHead | None,
    n: int,
    *,
    seed: int = 0,
) -> list[Strip]:
    """Up to `n` strips of stacks that are free, no stack in two, the cheapest first.

    Args:
        features: (S, D) of the photo that stands for each stack.
        labels: (S,) of those that a strip may learn from; -1 for others.
        free: (S,) which may be in a strip.
        head: fitted on those that have a label; None where there is none yet.
        n: how many are wanted.
        seed: of the clusters.
    """
    known = labels >= 0
    if head is None or known.sum() < COLD:
        strips = _clusters(features, known | free, free, n, seed)
        if strips or head is None:
            return strips or _rest(free, n)
    rows = np.flatnonzero(free)
    return _proposed(rows, head.probs(features[rows]), n) if len(rows) else []


def _proposed(rows: NDArray[np.int64], probs: NDArray[np.float64], n: int) -> list[Strip]:
    """The strips of which a photo costs least, made from probabilities (len(rows), C)."""
    confidences, answers = probs.max(axis=1), probs.argmax(axis=1)
    order = np.lexsort((-confidences, answers))
    by_class = {int(answers[queue[0]]): queue for queue in _runs(answers[order], order)}
    strips: list[Strip] = []
    while by_class and len(strips) < n:
        costs = {label: _cheapest(confidences[queue[:LONGEST]]) for label, queue in by_class.items()}
        label = min(costs, key=lambda one: costs[one][0])
        size = costs[label][1]
        queue = by_class.pop(label)
        strips.append(Strip(rows[queue[:size]], label, float(confidences[queue[:size]].mean())))
        if len(queue) > size:
            by_class[label] = queue[size:]
    return strips


def _runs(values: NDArray[np.int64], order: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """`order` cut where `values`, which are sorted so, change."""
    return np.split(order, np.flatnonzero(np.diff(values)) + 1)


def _cheapest(confidences: NDArray[np.float64]) -> tuple[float, int]:
    """What a photo of the best strip costs in keys that begins a queue of `confidences`, and how long that is."""
    sizes = np.arange(1, len(confidences) + 1)
    costs = (1 + np.cumsum(1 - confidences)) / sizes
    best = int(costs.argmin())
    return float(costs[best]), best + 1


def _clusters(
    features: NDArray[np.float32], seen: NDArray[np.bool_], free: NDArray[np.bool_], n: int, seed: int
) -> list[Strip]:
    """The largest and tightest clusters with what is free of each.

    Clusters are made of labelled and free stacks alike, so that they are the same again after some were labelled.
    """
    rows = np.flatnonzero(seen)
    rng = np.random.default_rng(seed)
    if len(rows) > SAMPLE:
        rows = np.sort(rng.choice(rows, SAMPLE, replace=False))
    if len(rows) < 2 * FEWEST:
        return []
    chosen = features[rows]
    directions = chosen - chosen.mean(axis=0)
    directions /= np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    centres = _k_means(directions, max(2, len(rows) // CLUSTER), rng)
    cosines = directions @ centres.T
    nearest = cosines.argmax(axis=1)
    found: list[tuple[float, Strip]] = []
    for cluster in range(len(centres)):
        own = np.flatnonzero((nearest == cluster) & free[rows])
        if len(own) >= FEWEST:
            own = own[np.argsort(-cosines[own, cluster], kind="stable")][:LONGEST]
            worth = np.log(len(own)) + TIGHTNESS * cosines[own, cluster].mean()
            found.append((float(worth), Strip(rows[own])))
    found.sort(key=lambda one: -one[0])
    return [strip for _, strip in found[:n]]


def _k_means(directions: NDArray[np.float32], k: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """(k, D) centres of length 1, begun far from each other.

    Source: spherical k-means of Dhillon and Modha, 2001, begun as k-means++ of Arthur and Vassilvitskii, 2007.
    """
    chosen = [int(rng.integers(len(directions)))]
    distance = np.maximum(2 - 2 * directions @ directions[chosen[0]], 0)
    while len(chosen) < k and distance.sum() > 0:
        chosen.append(int(rng.choice(len(directions), p=distance / distance.sum())))
        distance = np.minimum(distance, np.maximum(2 - 2 * directions @ directions[chosen[-1]], 0))
    centres = directions[chosen]
    for _ in range(ROUNDS):
        nearest = (directions @ centres.T).argmax(axis=1)
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, directions)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(lengths > 0, sums / np.maximum(lengths, np.finfo(np.float32).tiny), centres)
    return centres


def _rest(free: NDArray[np.bool_], n: int) -> list[Strip]:
    """What is too little for clusters, as one strip after the other."""
    rows = np.flatnonzero(free)
    return [Strip(rows[start : start + LONGEST]) for start in range(0, len(rows), LONGEST)][:n]

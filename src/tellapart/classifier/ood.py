"""How far a photo is from everything in training.

A photo is two directions side by side: its features, and what the backbone's ImageNet head makes of them (1,000 logits
less their mean). The OOD score is one minus the largest cosine with any centre. Every class has many centres,
because a class may be many things ("not hot dog"), and each is the mean of several photos: no training photo is stored.
What else was tried is in docs/trust.md.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.engine.head import Head
from tellapart.engine.quantize import rounded

LOGIT_WEIGHT = np.float32(0.7)  # of the logits' direction beside the features'; 0.5 to 1 do as well
MAX_CENTRES = 32  # a class
MAX_ALL_CENTRES = 2048  # of all classes together, though at least one a class
MAX_PHOTOS_PER_CLASS = 2000  # that its centres are means of; a thousand have shown what there is to show
PHOTOS_PER_CENTRE = 5  # on average
LEAST_PHOTOS = 3  # of a centre, so that it is a mean of photos: k-means gives an odd photo a cluster of its own
ITERATIONS = 10  # of k-means
SKETCH_D = 128  # of a random projection in which photos are dealt to clusters; it costs a tenth and loses nothing
COINCIDES = 1e-6  # of squared distance; photos that are this alike are one place for a centre
_TINY = np.finfo(np.float32).tiny


@dataclass(frozen=True)
class Centres:
    """What the OOD score measures from.

    Args:
        vectors: (K, D) or (K, d + 1000) float32 of length 1, rounded to what 8 bits hold, as the model stores them.
        labels: (K,) the class of each.
        imagenet: the backbone's ImageNet head; None for a backbone without one.
    """

    vectors: NDArray[np.float32]
    labels: NDArray[np.int32]
    imagenet: Head | None

    def nearness(self, seen: NDArray[np.float32], n_classes: int) -> NDArray[np.float32]:
        """(N, C) largest cosine of `seen`, from `directions`, with a centre of each class; -1 for a class of none."""
        cosines = seen @ self.vectors.T
        nearest = np.full((len(seen), n_classes), -1, np.float32)
        for c in np.unique(self.labels):
            nearest[:, c] = cosines[:, self.labels == c].max(axis=1)
        return nearest

    def ood_scores(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N,) in [0, 2] for `features` (N, D), higher is further; the same formula as in the model's graph."""
        return np.asarray(1 - (directions(features, self.imagenet) @ self.vectors.T).max(axis=1), np.float32)


def ood_scores_of(nearness: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,) OOD scores, from (N, C) `Centres.nearness`; without one of its columns, as if the class had no centre."""
    return np.asarray(1 - nearness.max(axis=1, initial=-1), np.float32)


def ood_scores_without(nearness: NDArray[np.float32], c: int) -> NDArray[np.float32]:
    """(N,) OOD scores as if class `c` had no centre, from (N, C) `Centres.nearness`."""
    return ood_scores_of(np.delete(nearness, c, axis=1))


def directions(features: NDArray[np.float32], imagenet: Head | None) -> NDArray[np.float32]:
    """(N, D) or (N, d + 1000) float32 of length 1: the features' direction, beside that of the ImageNet logits.

    Args:
        features: (N, D).
        imagenet: the backbone's ImageNet head, (1000, d); only the d features that it sees count: a network that
            was trained further carries those of the untrained one first, because what it learned tells its classes
            apart and nothing else. None takes all features, and no logits.
    """
    if imagenet is None:
        return _unit(features)
    features = features[:, : imagenet.weight.shape[1]]
    logits = imagenet.logits(features)
    logits -= logits.mean(axis=1, keepdims=True)
    both = np.concatenate([_unit(features), LOGIT_WEIGHT * _unit(logits)], axis=1)
    both /= np.hypot(np.float32(1), LOGIT_WEIGHT)
    return np.asarray(both, np.float32)


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, _TINY), np.float32)


def fit_centres(
    seen: NDArray[np.float32], labels: NDArray[np.int32], imagenet: Head | None = None, *, seed: int
) -> Centres:
    """Up to MAX_CENTRES centres a class; the same photos, labels and seed give the same ones.

    Args:
        seen: (N, D') of training photos, from `directions`.
        labels: (N,) at least 0.
        imagenet: what `directions` was given.
        seed: of k-means.
    """
    rng = np.random.default_rng(seed)
    d = seen.shape[1]
    sketch = _unit(seen @ rng.standard_normal((d, SKETCH_D), np.float32)) if d > SKETCH_D else seen
    classes = np.unique(labels)
    most = max(1, min(MAX_CENTRES, MAX_ALL_CENTRES // len(classes)))
    vectors, of_class = [], []
    for c in classes:
        own = np.flatnonzero(labels == c)
        if len(own) > MAX_PHOTOS_PER_CLASS:
            own = np.sort(rng.choice(own, MAX_PHOTOS_PER_CLASS, replace=False))
        clusters = _clusters(seen, own, most, sketch, rng)
        vectors += [seen[members].sum(axis=0) for members in clusters]
        of_class += [int(c)] * len(clusters)
    return Centres(_unit(rounded(_unit(np.stack(vectors)))), np.array(of_class, np.int32), imagenet)


def _clusters(
    seen: NDArray[np.float32],
    own: NDArray[np.int64],
    most: int,
    sketch: NDArray[np.float32],
    rng: np.random.Generator,
) -> list[NDArray[np.int64]]:
    """The photos of one class in clusters of LEAST_PHOTOS or more.

    A class with fewer photos than that borrows the nearest of the others, where there are any: a mean of one photo is
    that photo.
    """
    if len(own) < LEAST_PHOTOS:
        near = seen @ seen[own].sum(axis=0)
        near[own] = np.inf
        return [np.argsort(-near, kind="stable")[:LEAST_PHOTOS]]
    n_clusters = min(most, len(own) // PHOTOS_PER_CENTRE)
    if n_clusters < 2:
        return [own]
    cluster = _spherical_k_means(sketch[own], n_clusters, rng)
    parts = [own[cluster == k] for k in range(int(cluster.max()) + 1)]
    return [part for part in parts if len(part) >= LEAST_PHOTOS] or [own]


def _spherical_k_means(x: NDArray[np.float32], n_clusters: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(N,) cluster numbers of unit rows `x`; fewer than asked for where photos coincide.

    Source: Dhillon and Modha, Machine Learning 42 (2001), with the starts of Arthur and Vassilvitskii, k-means++,
    SODA 2007.
    """
    centres = x[_starts(x, n_clusters, rng)]
    cluster = (x @ centres.T).argmax(axis=1)
    for _ in range(ITERATIONS):
        members = np.eye(len(centres), dtype=np.float32)[cluster]
        used = members.any(axis=0)
        centres = _unit(members[:, used].T @ x)
        moved = (x @ centres.T).argmax(axis=1)
        if used.all() and np.array_equal(moved, cluster):
            break
        cluster = moved
    return np.asarray(cluster, np.int64)


def _starts(x: NDArray[np.float32], n_starts: int, rng: np.random.Generator) -> list[int]:
    """Rows of `x` far from each other: each next one is drawn with the squared distance to those drawn."""
    starts = [int(rng.integers(len(x)))]
    distance = np.maximum(1 - x @ x[starts[0]], 0)
    for _ in range(1, n_starts):
        reach = np.cumsum(distance, dtype=np.float64)
        if reach[-1] <= COINCIDES:
            break
        starts.append(min(int(np.searchsorted(reach, rng.random() * reach[-1], side="right")), len(x) - 1))
        distance = np.minimum(distance, np.maximum(1 - x @ x[starts[-1]], 0))
    return starts

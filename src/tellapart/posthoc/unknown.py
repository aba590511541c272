"""How far a photo is from everything in training.

The unknown score of a photo is one minus the largest cosine between its frozen features and any centre; every class has
a few centres, because a class may be many things ("not hot dog"). Centres are means of several photos: no training
photo is stored, but for classes of one or two.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import ClusterError, kmeans2

MAX_CENTRES = 8  # a class; for "not hot dog" eight let through half as many unknown photos as one; more was not tried
PHOTOS_PER_CENTRE = 10  # on average, and different ones
ITERATIONS = 20  # of k-means
LEAST_PHOTOS = 3  # of a centre, so that it is a mean of photos: k-means gives an odd photo a cluster of its own


def directions(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, D) features scaled to length 1."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)


def fit_centres(features: NDArray[np.float32], labels: NDArray[np.int32], *, seed: int) -> NDArray[np.float32]:
    """(K, D) centres of length 1, up to MAX_CENTRES a class.

    Args:
        features: (N, D) of training photos.
        labels: (N,) in [0, C).
        seed: of k-means.
    """
    centres = [_class_centres(directions(features[labels == c]), seed) for c in np.unique(labels)]
    return directions(np.concatenate(centres).astype(np.float32))


def _class_centres(own: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """The centres of one class, before scaling; at least one cluster has PHOTOS_PER_CENTRE photos and stays."""
    n_different = len(np.unique(own.sum(axis=1)))
    for n_centres in range(min(MAX_CENTRES, n_different // PHOTOS_PER_CENTRE), 1, -1):
        try:
            centres, cluster = kmeans2(own, n_centres, iter=ITERATIONS, minit="++", missing="raise", rng=seed)
        except ClusterError:  # one of them lost all its photos to the others
            continue
        n_photos = np.bincount(cluster, minlength=n_centres)
        return np.asarray(centres[n_photos >= LEAST_PHOTOS], np.float32)
    return np.asarray(own.mean(axis=0, keepdims=True), np.float32)


def unknown_scores(features: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,) in [0, 2], higher is further; the same formula as in the model's graph."""
    return np.asarray(1 - (directions(features) @ centres.T).max(axis=1), np.float32)

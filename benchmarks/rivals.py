"""Scores of how far a photo is from training: tellapart's, those that it is held against, and how well they do."""

import math
from collections.abc import Callable

import numpy as np
from scipy.cluster.vq import ClusterError, kmeans2
from sklearn.metrics import roc_auc_score

from photo_sets import Photos
from tellapart.classifier.ood import directions
from tellapart.classifier.probe import CalibratedHead

OURS, CONFIDENCE = "tellapart", "1 - largest probability"
FORMER_CENTRES, FORMER_PHOTOS = 8, 10  # a class, and photos of a centre on average
ROUNDING = 1e-9  # 0.1 x 10 photos is one photo, whatever 1 - 0.9 is in floating point


def former_centres(seen: np.ndarray, labels: np.ndarray, seed: int) -> np.ndarray:
    """The centres of the score before this one."""
    centres = []
    for c in np.unique(labels):
        own = seen[labels == c]
        means = own.mean(axis=0, keepdims=True)
        for k in range(min(FORMER_CENTRES, len(own) // FORMER_PHOTOS), 1, -1):
            try:
                found, cluster = kmeans2(own, k, iter=20, minit="++", missing="raise", rng=seed)
            except ClusterError:  # one of them lost all its photos
                continue
            means = found[np.bincount(cluster, minlength=k) >= 3]
            break
        centres.append(means)
    return directions(np.concatenate(centres).astype(np.float32), None)


def scores(fitted: CalibratedHead, train: Photos, seed: int) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """From features to OOD scores: ours, and what it is held against."""
    seen = directions(train.features, None)
    points = {
        "before: 8 centres a class, features alone": former_centres(seen, train.labels, seed),
        "one mean a class": directions(
            np.stack([seen[train.labels == c].mean(0) for c in range(train.n_classes)]), None
        ),
        "nearest photo (stores every photo's features)": seen,
    }
    ways: dict[str, Callable[[np.ndarray], np.ndarray]] = {OURS: fitted.centres.ood_scores}
    for name, vectors in points.items():
        ways[name] = lambda x, v=vectors: 1 - (directions(x, None) @ v.T).max(axis=1)
    return ways | {CONFIDENCE: lambda x: 1 - fitted.probs(x).max(axis=1)}


def auroc(real: np.ndarray, unknown: np.ndarray) -> float:
    """How often one of the `unknown` scores is above one of the `real` ones; ties count half."""
    return float(roc_auc_score(np.repeat([0, 1], [len(real), len(unknown)]), np.concatenate([real, unknown])))


def let_through(real: np.ndarray, unknown: np.ndarray, kept: float = 0.95) -> float:
    """The share of `unknown` scores that pass the threshold which keeps the share `kept` of `real` ones.

    The threshold is the same order statistic as a model's own, the floor((1 - kept) (N + 1))-th largest, and a photo
    at the threshold is answered. With too few real photos there is none, and all unknown photos are answered.

    Source: the false positive rate at 95 % true positives of Liang, Li and Srikant, ICLR 2018, with a conformal
    threshold in place of a quantile.
    """
    rank = math.floor((1 - kept) * (real.size + 1) + ROUNDING)
    if rank < 1:
        return 1.0
    return float((unknown <= np.sort(real)[-rank]).mean())

"""The score of a set too small to set photos aside: each photo answered by a probe that has not seen it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tellapart.engine.network import n_cores
from tellapart.posthoc.temperature import calibrated
from tellapart.posthoc.unknown import unknown_scores
from tellapart.prepare import Prepared
from tellapart.probe import fit_probe, make_folds
from tellapart.recipe import Probe


@dataclass(frozen=True)
class Crossed:
    """What probes said about photos that took no part in choosing or fitting anything of them.

    Args:
        raw_probs: (N, C) before the temperature.
        probs: (N, C) after it.
        unknown: (N,) unknown scores.
    """

    raw_probs: NDArray[np.float64]
    probs: NDArray[np.float64]
    unknown: NDArray[np.float32]


def cross_validate(prepared: Prepared, folds: NDArray[np.int32], recipe: Probe) -> Crossed:
    """The answers of one whole probe a fold, regularisation and temperature chosen inside it once more.

    Args:
        prepared: N photos.
        folds: (N,) fold numbers; no scene straddles two.
        recipe: hyper-parameters.

    Source: Stone, J. R. Stat. Soc. B 36 (1974), with choices inside the folds as Varma and Simon,
    BMC Bioinformatics 7 (2006), show that they must be.
    """
    n_classes, n = len(prepared.dataset.class_names), prepared.dataset.n
    raw_probs, probs = np.zeros((n, n_classes)), np.zeros((n, n_classes))
    unknown = np.zeros(n, np.float32)

    def answer(fold: int) -> None:
        out, learned = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        labels, scenes = prepared.dataset.labels[learned], prepared.duplicates.scenes[learned]
        fitted = fit_probe(prepared.values[learned], labels, make_folds(labels, scenes, recipe), n_classes, recipe)
        logits = fitted.head.logits(prepared.values[out])
        raw_probs[out], probs[out] = calibrated(logits, 1.0), calibrated(logits, fitted.temperature)
        unknown[out] = unknown_scores(prepared.values[out], fitted.centres)

    with threadpool_limits(1), ThreadPoolExecutor(n_cores()) as executor:
        list(executor.map(answer, np.unique(folds)))
    return Crossed(raw_probs, probs, unknown)

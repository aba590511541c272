"""What probes say about photos that they have not seen: for suspect labels, and to score sets too small to divide."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tellapart.classifier.probe import fit_probe, make_folds
from tellapart.classifier.temperature import calibrated
from tellapart.data.split import ALWAYS_TRAINS
from tellapart.features.prepare import Prepared
from tellapart.recipe import LinearProbe
from tellapart.timing import Progress, no_progress


@dataclass(frozen=True)
class CrossValidated:
    """What probes said about photos that took no part in choosing or fitting anything of them.

    Args:
        raw_probs: (N, C) before the temperature.
        probs: (N, C) after it.
        ood_scores: (N,) OOD scores.
    """

    raw_probs: NDArray[np.float64]
    probs: NDArray[np.float64]
    ood_scores: NDArray[np.float32]


def out_of_fold_probs(prepared: Prepared, recipe: LinearProbe, progress: Progress = no_progress) -> NDArray[np.float64]:
    """(N, C) calibrated probabilities by heads that had seen no photo of the same group, whatever its split.

    A row of NaN for each photo that was not asked about: beyond `max_choosing_photos`.
    """
    dataset = prepared.dataset
    fitted = fit_probe(
        prepared.values,
        dataset.labels,
        make_folds(dataset.labels, prepared.duplicates.groups, recipe),
        len(dataset.class_names),
        recipe,
        progress=lambda done, total: progress("asking about every photo", done, total),
    )
    return fitted.out_of_fold_probs(dataset.n)


def cross_validate(
    prepared: Prepared, folds: NDArray[np.int32], asked: NDArray[np.int64], recipe: LinearProbe
) -> CrossValidated:
    """The answers of one whole probe a fold, regularisation and temperature chosen inside it once more.

    Args:
        prepared: N photos.
        folds: (N,) fold numbers; no group straddles two. Photos of ALWAYS_TRAINS train every head.
        asked: indices of photos with a fold.
        recipe: hyper-parameters.

    Returns:
        Answers about the photos `asked`, in their order.

    Source: Stone, J. R. Stat. Soc. B 36 (1974), with choices inside the folds as Varma and Simon,
    BMC Bioinformatics 7 (2006), show that they must be.
    """
    n_classes, n = len(prepared.dataset.class_names), prepared.dataset.n
    raw_probs, probs = np.zeros((n, n_classes)), np.zeros((n, n_classes))
    ood_scores = np.zeros(n, np.float32)
    imagenet = prepared.backbone.imagenet

    with threadpool_limits(1):  # the products of matrices too: their last digits go by the number of threads
        for fold in np.unique(folds[folds != ALWAYS_TRAINS]):  # one after the other: each fit takes every core
            out, learned = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
            labels, groups = prepared.dataset.labels[learned], prepared.duplicates.groups[learned]
            fitted = fit_probe(
                prepared.values[learned],
                labels,
                make_folds(labels, groups, recipe),
                n_classes,
                recipe,
                imagenet=imagenet,
            )
            logits = fitted.head.logits(prepared.values[out])
            raw_probs[out], probs[out] = calibrated(logits, 1.0), calibrated(logits, fitted.temperature)
            ood_scores[out] = fitted.centres.ood_scores(prepared.values[out])
    return CrossValidated(raw_probs[asked], probs[asked], ood_scores[asked])

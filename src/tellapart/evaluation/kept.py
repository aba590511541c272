"""What a training hands to its model folder, so that thresholds can be set anew without a photo."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tellapart.classifier.cross_validation import CrossValidated
from tellapart.classifier.decision import LEAST_PROMISED, repeats
from tellapart.classifier.kept_scores import KeptScores, Scored
from tellapart.classifier.logistic import regularisation_path
from tellapart.classifier.ood import directions
from tellapart.classifier.probe import CalibratedHead, photo_weights, scaled
from tellapart.classifier.temperature import calibrated
from tellapart.classifier.trained import Trained
from tellapart.engine.ood_reference import OodReference, ood_reference
from tellapart.parallel import n_cores
from tellapart.recipe import LinearProbe

LEFT_OUT_CLASSES = 10  # that a head is fitted without, evenly over all; ten of 1,100 photos take 0.15 s on two cores
LEFT_OUT_PHOTOS = 1200  # that each of them learns from, evenly over all
LEFT_OUT_ITERATIONS = 10  # of the solver; more do not come nearer to everything fitted anew
LEFT_OUT_TOLERANCE = 1e-3  # of the solver's gradient


def out_of_fold_scores(trained: Trained) -> Scored:
    """What was said of the training photos that took part in choosing, by heads that had not seen them."""
    fitted = trained.calibrated
    said, n_classes = fitted.out_of_fold, len(fitted.head.bias)
    probs = calibrated(said.logits, fitted.temperature) if len(said.labels) else np.zeros((0, n_classes))
    return Scored(said.labels, probs.astype(np.float32), said.ood_scores)


def scenes_of(trained: Trained) -> NDArray[np.int32]:
    """(M,) which of these photos are alike, numbered from 0."""
    return _scenes(trained, trained.split.learned[trained.calibrated.out_of_fold.indices])


def _scenes(trained: Trained, photos: NDArray[np.int64]) -> NDArray[np.int32]:
    _, scenes = np.unique(trained.prepared.duplicates.groups[photos], return_inverse=True)
    return scenes.astype(np.int32)


def kept_scores(trained: Trained, said: CrossValidated) -> KeptScores:
    """All that thresholds rest on, and what was `said` of the test photos."""
    prepared, split, fitted = trained.prepared, trained.split, trained.calibrated
    with threadpool_limits(1):  # threads would round otherwise on a machine with more of them
        reference, near_reference = of_reference(fitted, ood_reference(prepared.backbone))
    nearness, learned = fitted.out_of_fold.nearness, split.learned
    tested_scenes = _scenes(trained, split.test)
    return KeptScores(
        out_of_fold_scores(trained),
        scenes_of(trained),
        nearness if len(nearness) else np.zeros((0, len(fitted.head.bias)), np.float32),
        unseen_confidences(fitted, prepared.values_of(learned), prepared.dataset.labels[learned], trained.probe),
        Scored(prepared.dataset.labels[split.test], said.probs.astype(np.float32), said.ood_scores),
        reference,
        near_reference,
        tested_scenes if repeats(tested_scenes) else None,
    )


def of_reference(
    fitted: CalibratedHead, known: OodReference | None
) -> tuple[Scored | None, NDArray[np.float32] | None]:
    """`reference` and `near_reference` of `KeptScores`."""
    if known is None:
        return None, None
    counted, centres = known.counted().features, fitted.centres
    probs = fitted.probs(counted).astype(np.float32)
    counts = Scored(np.zeros(len(probs), np.int32), probs, centres.ood_scores(counted))
    if fitted.thresholds.n_ranked >= LEAST_PROMISED:
        return counts, None
    return counts, centres.nearness(directions(known.to_fit, centres.imagenet), len(fitted.head.bias))


def unseen_confidences(
    fitted: CalibratedHead, features: NDArray[np.float32], labels: NDArray[np.int32], recipe: LinearProbe
) -> NDArray[np.float32]:
    """(M,) how sure a head fitted without the photo's class is of another; NaN for classes that were not left out.

    One rough head a class, with the regularisation and temperature of the whole: all share one scaling of the features
    and stop early. Against everything fitted anew (training photos of clothing, instruments and white fruit, three
    draws each; 99, 95, 90 and 80 of 100 named) 0 to 2, 0 to 4 and 1 to 4 fewer of 100 photos are let through, in the
    mean over classes, and single classes are 2 to 9 off (root mean square). Fitted to the end, for up to four times the
    work, they are 0 to 1, 0 to 2 and 2 to 5 fewer. The head that knows the class, asked about the others alone, is 1 to
    22 off.

    Args:
        fitted: the probe.
        features: (N, D) of the photos that it learned from.
        labels: (N,).
        recipe: what it was fitted by.
    """
    said, n_classes, c_chosen = fitted.out_of_fold, len(fitted.head.bias), fitted.inverse_regularisation
    confidences = np.full(len(said.labels), np.nan, np.float32)
    if n_classes == 2:
        confidences[:] = 1  # there is one other name, and no doubt about it
    if n_classes == 2 or c_chosen is None or not len(said.labels):
        return confidences
    every = max(1, round(len(labels) / LEFT_OUT_PHOTOS))
    x, mean, scale = scaled(features[::every])
    known = labels[::every]

    def asked(c: int) -> None:
        others, own = known != c, said.labels == c
        _, compact = np.unique(known[others], return_inverse=True)
        if not own.any() or compact.max(initial=0) < 1:
            return
        weights, rough = photo_weights(compact, recipe.class_balance), {"max_iterations": LEFT_OUT_ITERATIONS}
        with threadpool_limits(1):
            path = regularisation_path(x[others], compact, weights, [c_chosen], LEFT_OUT_TOLERANCE, **rough)
            _, rows, offsets = next(path)
            logits = (features[said.indices[own]] - mean) @ (rows / scale).T + offsets
        confidences[own] = calibrated(logits, fitted.temperature).max(axis=1)

    with threadpool_limits(1), ThreadPoolExecutor(n_cores()) as executor:
        chosen = np.unique(np.linspace(0, n_classes - 1, min(n_classes, LEFT_OUT_CLASSES)).astype(int))
        list(executor.map(asked, chosen.tolist()))
    return confidences

"""The head: logistic regression on centred, scaled, frozen features, and what is fitted after it.

Everything that is chosen (C, the temperature, the thresholds) is chosen on photos that the head in question has not
seen, in folds that keep photos of one group together. `fit_probe` is the whole story.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tellapart.classifier.decision import Thresholds, fit_thresholds
from tellapart.classifier.logistic import regularisation_path
from tellapart.classifier.ood import Centres, directions, fit_centres, ood_scores_of
from tellapart.classifier.temperature import calibrated, fit_temperature, nll
from tellapart.data.split import stratified_group_split
from tellapart.engine.head import Head
from tellapart.parallel import n_cores
from tellapart.recipe import LinearProbe

NEVER_USED = -2  # fold of photos left out of the choosing altogether
NEVER_ANSWERED = 100.0  # logits below the lowest: a probability of nothing
MOMENTS_BLOCK = 2048  # rows


@dataclass(frozen=True)
class OutOfFold:
    """What heads said about photos that they had not seen.

    Args:
        indices: (M,) which training photos.
        logits: (M, C).
        labels: (M,).
        nearness: (M, C) largest cosine with a centre of each class, made from the other folds.
    """

    indices: NDArray[np.int64]
    logits: NDArray[np.float64]
    labels: NDArray[np.int32]
    nearness: NDArray[np.float32]

    @property
    def ood_scores(self) -> NDArray[np.float32]:
        """(M,) OOD scores."""
        return ood_scores_of(self.nearness)


@dataclass(frozen=True)
class CalibratedHead:
    """All that turns features into an answer.

    Args:
        head: features → logits.
        temperature: logits / temperature → softmax → probabilities.
        centres: for the OOD score.
        thresholds: for "none of these" and "not sure".
        inverse_regularisation: the C that was chosen; None for a head that was trained with its network.
        choice_nll: mean out-of-fold negative log-likelihood of each C tried, after its own temperature.
        out_of_fold: what the choices rest on.
    """

    head: Head
    temperature: float
    centres: Centres
    thresholds: Thresholds
    inverse_regularisation: float | None
    choice_nll: dict[float, float]
    out_of_fold: OutOfFold

    def out_of_fold_probs(self, n: int) -> NDArray[np.float64]:
        """(n, C) calibrated probabilities of the n training photos by heads that had not seen them; NaN where none."""
        said = self.out_of_fold
        probs = np.full((n, len(self.head.bias)), np.nan)
        if len(said.indices):
            probs[said.indices] = calibrated(said.logits, self.temperature)
        return probs

    def probs(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """(N, C) calibrated probabilities of `features` (N, D)."""
        return calibrated(self.head.logits(features), self.temperature)


def fit_probe(
    features: NDArray[np.float32],
    labels: NDArray[np.int32],
    folds: NDArray[np.int32],
    n_classes: int,
    recipe: LinearProbe,
    *,
    scenes: NDArray[np.integer] | None = None,
    imagenet: Head | None = None,
    reference: NDArray[np.float32] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> CalibratedHead:
    """Choose C out-of-fold, then fit the head on all photos given.

    Args:
        features: (N, D) float32 of training photos only; may be memory-mapped.
        labels: (N,) int32 in [0, n_classes).
        folds: (N,) the fold in which a photo is held out, or -1 for one that always trains.
        n_classes: C.
        recipe: hyper-parameters.
        scenes: (N,) which photos are alike, which thresholds count as one; None counts each photo.
        imagenet: the backbone's ImageNet head, for the OOD score; None goes by the features alone.
        reference: (M, D) of photos of something else, by which few photos get an early threshold; None gives none.
        progress: called with (fits done, fits in all).
    """
    folds = _fewer(labels, folds, recipe)
    chosen = np.flatnonzero(folds > NEVER_USED)
    held_out = [np.flatnonzero(folds == fold) for fold in np.unique(folds[folds >= 0])]
    held_out = [out for out in held_out if len(np.unique(labels[np.setdiff1d(chosen, out)])) > 1]
    total = len(held_out) + 1
    with threadpool_limits(1), ThreadPoolExecutor(n_cores()) as executor:
        known = _Known(chosen, features[chosen], labels[chosen], directions(features[chosen], imagenet), imagenet)
        tasks = [executor.submit(_fit_fold, known, out, n_classes, recipe) for out in held_out]
        centres = executor.submit(fit_centres, known.seen, known.labels, imagenet, seed=recipe.seed)
        parts = []
        for done, task in enumerate(tasks, start=1):
            parts.append(task.result())
            progress(done, total)
    best, out_of_fold, temperature, choice_nll = _choose(parts, labels, recipe)
    with threadpool_limits(1):  # 0.6 s for 20,000 photos; threads would round otherwise on a machine with more of them
        head = fit_heads(features, labels, n_classes, recipe, [best])[best]
    progress(total, total)
    return CalibratedHead(
        head=head,
        temperature=temperature,
        centres=centres.result(),
        thresholds=_thresholds(out_of_fold, temperature, centres.result(), reference, scenes),
        inverse_regularisation=best,
        choice_nll=choice_nll,
        out_of_fold=out_of_fold,
    )


def calibrate_head(
    head: Head,
    features: NDArray[np.float32],
    labels: NDArray[np.int32],
    held_out: NDArray[np.int64],
    recipe: LinearProbe,
    *,
    said: NDArray[np.float64] | None = None,
    scenes: NDArray[np.integer] | None = None,
    imagenet: Head | None = None,
    reference: NDArray[np.float32] | None = None,
) -> CalibratedHead:
    """What comes after a `head` that is already there: temperature, centres and thresholds.

    Args:
        head: on the features.
        features: (N, D) of all photos that learn.
        labels: (N,).
        held_out: (M,) indices of the photos that the network and its head learned from last, or not at all.
        recipe: hyper-parameters.
        said: (M, C) the logits of these before it learned from them; None where it never did: it is asked.
        scenes: as in `fit_probe`.
        imagenet: as in `fit_probe`.
        reference: as in `fit_probe`.
    """
    seen, n_classes = directions(features, imagenet), len(head.bias)
    train = np.setdiff1d(np.arange(len(labels)), held_out)
    logits = head.logits(features[held_out]).astype(np.float64) if said is None else said
    truth = labels[held_out]
    temperature = fit_temperature(logits, truth) if len(held_out) else 1.0
    others = fit_centres(seen[train], labels[train], imagenet, seed=recipe.seed)
    out_of_fold = OutOfFold(held_out, logits, truth, others.nearness(seen[held_out], n_classes))
    centres = fit_centres(seen, labels, imagenet, seed=recipe.seed)
    return CalibratedHead(
        head=head,
        temperature=temperature,
        centres=centres,
        thresholds=_thresholds(out_of_fold, temperature, centres, reference, scenes),
        inverse_regularisation=None,
        choice_nll={},
        out_of_fold=out_of_fold,
    )


def _thresholds(
    said: OutOfFold,
    temperature: float,
    centres: Centres,
    reference: NDArray[np.float32] | None,
    scenes: NDArray[np.integer] | None,
) -> Thresholds:
    of_reference = None if reference is None else centres.ood_scores(reference)
    confidences = calibrated(said.logits, temperature).max(axis=1)
    alike = None if scenes is None else scenes[said.indices]
    return fit_thresholds(said.ood_scores, confidences, of_reference, scenes=alike)


def make_folds(labels: NDArray[np.int32], groups: NDArray[np.int32], recipe: LinearProbe) -> NDArray[np.int32]:
    """(N,) fold numbers: stratified, and photos of one group in one fold."""
    return stratified_group_split(labels, groups, [1 / recipe.n_folds] * recipe.n_folds, seed=recipe.seed)


def _fewer(labels: NDArray[np.int32], folds: NDArray[np.int32], recipe: LinearProbe) -> NDArray[np.int32]:
    """`folds` with all but `max_choosing_photos` marked NEVER_USED, evenly over classes."""
    if len(folds) <= recipe.max_choosing_photos:
        return folds
    share = recipe.max_choosing_photos / len(folds)
    part = stratified_group_split(labels, np.arange(len(labels), dtype=np.int32), [share, 1 - share], seed=recipe.seed)
    return np.where(part == 0, folds, NEVER_USED).astype(np.int32)


@dataclass(frozen=True)
class _Known:
    """The photos that take part in the choosing: which they are, and what is known of them."""

    indices: NDArray[np.int64]
    features: NDArray[np.float32]
    labels: NDArray[np.int32]
    seen: NDArray[np.float32]
    imagenet: Head | None


@dataclass(frozen=True)
class _Fold:
    indices: NDArray[np.int64]
    logits: dict[float, NDArray[np.float64]]
    nearness: NDArray[np.float32]


def _fit_fold(known: _Known, held_out: NDArray[np.int64], n_classes: int, recipe: LinearProbe) -> _Fold:
    """Heads for every C on all but `held_out`, asked about these; photos of classes absent elsewhere are left out."""
    out = np.isin(known.indices, held_out)
    train = ~out
    out &= np.isin(known.labels, known.labels[train])
    labels = known.labels[train]
    unseen = known.features[out]
    with threadpool_limits(1):  # OpenMP's limit holds for the thread that sets it, so once more in each worker
        heads = fit_heads(known.features[train], labels, n_classes, recipe, recipe.inverse_regularisation)
        logits = {c: head.logits(unseen).astype(np.float64) for c, head in heads.items()}
        centres = fit_centres(known.seen[train], labels, known.imagenet, seed=recipe.seed)
        nearness = centres.nearness(known.seen[out], n_classes)
    return _Fold(known.indices[out], logits, nearness)


def _choose(
    parts: list[_Fold], labels: NDArray[np.int32], recipe: LinearProbe
) -> tuple[float, OutOfFold, float, dict[float, float]]:
    """The C of least out-of-fold negative log-likelihood, each judged at its own best temperature.

    Without any photo to judge by, the middle one.
    """
    if not sum(len(part.indices) for part in parts):
        middle = recipe.inverse_regularisation[len(recipe.inverse_regularisation) // 2]
        nobody = OutOfFold(np.zeros(0, np.int64), np.zeros((0, 1)), np.zeros(0, np.int32), np.zeros((0, 1), np.float32))
        return middle, nobody, 1.0, {}
    indices = np.concatenate([part.indices for part in parts])
    truth = labels[indices]
    pooled = {c: np.concatenate([part.logits[c] for part in parts]) for c in recipe.inverse_regularisation}
    temperatures = {c: fit_temperature(logits, truth) for c, logits in pooled.items()}
    choice_nll = {c: nll(pooled[c], truth, temperatures[c]) for c in pooled}
    best = min(choice_nll, key=choice_nll.__getitem__)
    nearness = np.concatenate([part.nearness for part in parts])
    return best, OutOfFold(indices, pooled[best], truth, nearness), temperatures[best], choice_nll


def fit_heads(
    features: NDArray[np.float32], labels: NDArray[np.int32], n_classes: int, recipe: LinearProbe, cs: Sequence[float]
) -> dict[float, Head]:
    """Logistic regression on `features` (N, D), for each inverse regularisation in `cs`.

    A class without photos gets a bias so low that it is never answered.
    """
    x, mean, scale = scaled(features)
    present, compact = np.unique(labels, return_inverse=True)
    weights = photo_weights(compact, recipe.class_balance)
    heads = {}
    for c, rows, offsets in regularisation_path(x, compact, weights, cs, recipe.tolerance):
        weight = np.zeros((n_classes, len(mean)), np.float32)
        weight[present] = rows / scale
        folded = offsets - rows @ (mean / scale)
        bias = np.full(n_classes, folded.min() - NEVER_ANSWERED, np.float32)
        bias[present] = folded
        heads[c] = Head(weight, bias)
    return heads


def scaled(
    features: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
    """(N, D) `features` less their (D,) mean, divided by a (D,) scale; and the two.

    The scale is the geometric mean of a feature's own standard deviation and the median one. Its own alone would blow
    up what hardly moves among a few photos, one for all would let what moves most drown the rest:
    docs/decisions/0016-scaling-features.md
    """
    mean, deviation = _moments(features)
    scale = np.sqrt(deviation * np.median(deviation))
    x = features - mean.astype(np.float32)
    x /= scale.astype(np.float32)
    return x, mean, scale


def photo_weights(labels: NDArray[np.integer], class_balance: float) -> NDArray[np.float64]:
    """(N,) weights by class, such that all of them sum to N."""
    weights = np.bincount(labels)[labels] ** -class_balance
    return np.asarray(weights * (len(labels) / weights.sum()))


def _moments(features: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each column, in float64 but never all rows at once.

    A column that does not move has the median deviation of those that do, or 1 where none does.
    """
    blocks = range(0, len(features), MOMENTS_BLOCK)
    mean = sum(features[i : i + MOMENTS_BLOCK].sum(axis=0, dtype=np.float64) for i in blocks) / len(features)
    square = sum(np.square(features[i : i + MOMENTS_BLOCK] - mean).sum(axis=0) for i in blocks) / len(features)
    moves = square > 0
    return mean, np.where(moves, np.sqrt(square), np.median(np.sqrt(square[moves])) if moves.any() else 1.0)

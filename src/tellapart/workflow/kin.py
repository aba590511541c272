"""The test photos of a given split, asked twice: of heads with and without photos of their group."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tellapart.classifier.probe import fit_heads
from tellapart.data.duplicates import united
from tellapart.data.split import stratified_group_split
from tellapart.features.prepare import Prepared
from tellapart.metrics.paired import Comparison, compare_answers
from tellapart.recipe import LinearProbe

N_FOLDS = 5
MAX_PHOTOS = 5000  # that heads learn from, evenly over all; a head of 5,000 photos takes half a second
LEAST_LEFT = 2  # photos of a class that must be left to learn from, or its photos are not asked about
LEAST_ASKED = 20  # test photos; of fewer no difference is beyond chance


def asked_twice(prepared: Prepared, recipe: LinearProbe) -> Callable[[NDArray[np.int32]], Comparison | None]:
    """What takes a grouping, (N,) numbers, and holds the score without kin (A) against that with it (B).

    Test photos are asked in folds that no group straddles. For A, all training photos of a fold's groups are left out;
    for B, as many of each class by chance, after those that look like a photo that is asked about. So both have learned
    from as many photos, and neither from what merely looks the same.
    """
    labels, is_test = prepared.dataset.labels, prepared.dataset.tested
    looks = prepared.duplicates.groups if prepared.groups_found is None else prepared.groups_found
    values, n_classes = prepared.values, len(prepared.dataset.class_names)
    middle = sorted(recipe.inverse_regularisation)[len(recipe.inverse_regularisation) // 2]

    def right(learned: NDArray[np.int64], asked: NDArray[np.int64]) -> NDArray[np.bool_]:
        with threadpool_limits(1):
            head = fit_heads(values[learned], labels[learned], n_classes, recipe, [middle])[middle]
        return np.asarray(head.logits(values[asked]).argmax(axis=1) == labels[asked])

    def ask(kin: NDArray[np.int32]) -> Comparison | None:
        groups, rng = united(kin, looks), np.random.default_rng(recipe.seed)
        train = np.flatnonzero(~is_test)
        train = train[:: max(1, -(-len(train) // MAX_PHOTOS))]
        folds = stratified_group_split(labels, groups, [1 / N_FOLDS] * N_FOLDS, seed=recipe.seed)
        photos, without, beside = [], [], []
        for fold in range(N_FOLDS):
            own = folds == fold
            learned = train[~own[train]]
            known = np.flatnonzero(np.bincount(labels[learned], minlength=n_classes) >= LEAST_LEFT)
            asked = np.flatnonzero(own & is_test & np.isin(labels, known))
            if not len(asked) or len(known) < 2:
                continue
            photos.append(asked)
            without.append(right(learned, asked))
            beside.append(right(_as_many(train, learned, labels, np.isin(looks, looks[asked]), rng), asked))
        if sum(map(len, photos)) < LEAST_ASKED:
            return None
        of = groups[np.concatenate(photos)].astype(np.intp)
        return compare_answers(np.concatenate(without), np.concatenate(beside), of)

    return ask


def _as_many(
    train: NDArray[np.int64],
    learned: NDArray[np.int64],
    labels: NDArray[np.int32],
    alike: NDArray[np.bool_],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """As many of `train` of each class as `learned` holds, by chance; what is `alike` only where no others are left."""
    order = rng.permutation(train)
    order = order[np.argsort(alike[order], kind="stable")]
    wanted = np.bincount(labels[learned], minlength=int(labels.max()) + 1)
    chosen = [order[labels[order] == c][:n] for c, n in enumerate(wanted)]
    return np.sort(np.concatenate(chosen))

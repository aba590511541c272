"""What weakens a score is said, and only where it does."""

import numpy as np
import pytest

from tellapart.data.duplicates import find_duplicates, kept_together
from tellapart.data.groups import Groups
from tellapart.data.preprocess import Preprocess
from tellapart.data.source import Dataset
from tellapart.data.split import cross_validated_split, make_split
from tellapart.engine.backbone import QUALITIES
from tellapart.evaluation.document import warnings_for
from tellapart.features.prepare import Prepared

FAST = QUALITIES["fast"]
N_CHAINED, N_ALONE = 15, 12
SAID = "could not be kept apart from a training photo that looks nearly the same"


def patients(*, chained):
    """Two photos of each of 15 patients, and 12 of others; `chained`: each patient's second like the next one's first.

    As `prepare` makes it of features and of groups that a person gave.
    """
    rng, n = np.random.default_rng(0), 2 * N_CHAINED + N_ALONE
    features = rng.standard_normal((n, 96)).astype(np.float32)
    if chained:
        links = np.arange(1, 2 * N_CHAINED - 2, 2)
        features[links + 1] = features[links] + 0.05 * rng.standard_normal((len(links), 96)).astype(np.float32)
    labels = np.repeat(np.arange(2, dtype=np.int32), [2 * N_CHAINED, N_ALONE])
    names = tuple(f"patient {i // 2}" if i < 2 * N_CHAINED else f"other {i}" for i in range(n))
    photos = tuple(f"album/{i}.jpg" for i in range(n))
    groups = Groups(names, "patient", "column")
    dataset = Dataset("album", ("ill", "well"), photos, photos, labels, np.full(n, "", "U5"), groups=groups)
    hashes = np.array([b"%032d" % i for i in range(n)], "S32")
    found = find_duplicates(features, hashes)
    together = kept_together((found.groups, found.same, found.copies), dataset.bound)
    known = type(found)(found.pairs, found.copies, together)
    return Prepared(dataset, features, hashes, known, (), None, FAST, Preprocess(224), found.groups)


def split_of(prepared, make):
    known = prepared.duplicates
    return make(prepared.dataset.labels, known.groups, known.copies, bound=prepared.dataset.bound)


@pytest.mark.parametrize("seed", range(2))
def test_near_duplicates_on_both_sides_of_a_crossed_split_are_said(seed):
    prepared = patients(chained=True)
    split = split_of(prepared, lambda *known, **bound: cross_validated_split(*known, **bound, seed=seed))
    apart = [p for p in prepared.duplicates.pairs if split.folds[p.first] != split.folds[p.second]]
    asked = {photo for pair in apart for photo in (pair.first, pair.second)}
    assert len(asked) > 10
    assert [w for w in warnings_for(prepared, split) if SAID in w] == [
        f"{len(asked)} test photos {SAID}, so the score is too good. “tellapart check” lists them."
    ]


def test_where_all_are_kept_together_nothing_is_said():
    alone = patients(chained=False)
    assert warnings_for(alone, split_of(alone, cross_validated_split)) == []


def test_what_a_made_split_holds_is_named_as_leaks_and_not_twice():
    prepared = patients(chained=True)
    assert warnings_for(prepared, split_of(prepared, make_split)) == []

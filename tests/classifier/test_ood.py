"""Far photos score higher than near ones, and no training photo can be read from the model."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from tellapart.classifier import ood
from tellapart.classifier.ood import MAX_CENTRES, PHOTOS_PER_CENTRE, Centres, directions, fit_centres
from tellapart.data.source import Dataset
from tellapart.engine.backbone import QUALITIES
from tellapart.engine.head import Head
from tellapart.engine.quantize import rounded


def blobs(sizes, d=12, seed=0, spread=0.4):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes).astype(np.int32)
    middles = np.abs(rng.standard_normal((len(sizes), d)))
    return (middles[labels] + spread * rng.standard_normal((len(labels), d))).astype(np.float32), labels


def some_head(d, c=7, seed=0):
    rng = np.random.default_rng(seed)
    return Head(rng.standard_normal((c, d)).astype(np.float32), rng.standard_normal(c).astype(np.float32))


def fitted(features, labels, head=None):
    return fit_centres(directions(features, head), labels, head, seed=0)


def cosine(a, b):
    return float(a @ b) / np.linalg.norm(a) / np.linalg.norm(b)


@given(st.integers(1, 8), st.integers(1, 5), st.integers(0, 99))
def test_score_is_one_minus_the_largest_cosine(n, k, seed):
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((n, 6)).astype(np.float32)
    centres = Centres(
        directions(rng.standard_normal((k, 6)).astype(np.float32), None), np.arange(k, dtype=np.int32), None
    )
    expected = [1 - max(cosine(f, c) for c in centres.vectors.astype(float)) for f in features.astype(float)]
    got = centres.ood_scores(features)
    assert got.dtype == np.float32
    assert np.allclose(got, expected, atol=1e-5)
    assert (got >= -1e-5).all()
    assert (got <= 2 + 1e-5).all()
    assert np.allclose(centres.ood_scores(features * np.float32(37)), got, atol=1e-5)


@given(st.integers(0, 99))
def test_the_cosine_is_the_weighted_mean_of_both_directions_cosines(seed):
    rng = np.random.default_rng(seed)
    head, (a, b) = some_head(6, seed=seed), rng.standard_normal((2, 6)).astype(np.float32)
    la, lb = (row - row.mean() for row in head.logits(np.stack([a, b])).astype(float))
    share = 1 / (1 + float(ood.LOGIT_WEIGHT) ** 2)
    expected = share * cosine(a, b) + (1 - share) * cosine(la, lb)
    seen = directions(np.stack([a, b]), head)
    assert np.allclose(np.linalg.norm(seen, axis=1), 1, atol=1e-5)
    assert float(seen[0] @ seen[1]) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("head", [None, some_head(4)])
def test_features_of_zero_have_a_score(head):
    features, labels = blobs([6, 6], d=4)
    score = fitted(features, labels, head).ood_scores(np.zeros((1, 4), np.float32))
    assert np.isfinite(score).all()


def test_nearness_is_the_score_class_by_class():
    features, labels = blobs([30, 20, 10], seed=3)
    head = some_head(12)
    centres = fitted(features, labels * 2, head)  # no photo of classes 1 and 3
    seen = directions(features, head)
    nearness = centres.nearness(seen, 5)
    assert (nearness[:, [1, 3]] == -1).all()
    for c in (0, 2, 4):
        assert np.allclose(nearness[:, c], (seen @ centres.vectors[centres.labels == c].T).max(axis=1))
    assert np.allclose(1 - nearness.max(axis=1), centres.ood_scores(features), atol=1e-6)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=4), st.integers(0, 99))
def test_centres_are_few_and_of_length_one(sizes, seed):
    features, labels = blobs(sizes, seed=seed)
    centres = fitted(features, labels)
    assert np.allclose(np.linalg.norm(centres.vectors, axis=1), 1, atol=1e-3)
    assert set(centres.labels) == set(range(len(sizes)))
    for c, n in enumerate(sizes):
        assert 1 <= (centres.labels == c).sum() <= min(MAX_CENTRES, max(1, n // PHOTOS_PER_CENTRE))
    assert centres.vectors.dtype == np.float32
    assert np.allclose(centres.vectors, rounded(centres.vectors), rtol=1e-6, atol=0)
    assert centres.vectors.tobytes() == fitted(features, labels).vectors.tobytes()


def nearest_photo(centres, seen):
    """For each centre, the largest cosine with any photo."""
    return (centres.vectors.astype(float) @ seen.astype(float).T).max(axis=1)


@settings(max_examples=10, deadline=None)
@given(st.integers(20, 90), st.integers(0, 99))
def test_no_centre_is_a_single_photo(n, seed):
    """Also where a class has photos unlike all others of it, which k-means likes to make a cluster of their own."""
    rng = np.random.default_rng(seed)
    features, labels = blobs([n, 30, 1, 2], seed=seed, spread=0.1)
    features[0] = -5 * features[1]
    features[1] = rng.standard_normal(12) * 9
    features[-3:] = rng.standard_normal((3, 12)) * 3  # two classes of less than a centre's photos
    centres = fitted(features, labels)
    assert nearest_photo(centres, directions(features, None)).max() < 1 - 1e-6
    assert set(centres.labels) == {0, 1, 2, 3}


def test_no_centre_of_real_photos_is_a_single_photo(clothing, clothing_features):
    head = QUALITIES["fast"].imagenet
    seen = directions(np.array(clothing_features.values), head)
    centres = fit_centres(seen, clothing.labels, head, seed=0)
    assert len(centres.labels) >= 8
    assert nearest_photo(centres, seen).max() < 0.99


def test_a_small_class_is_its_mean():
    features, labels = blobs([5, 7])
    seen = directions(features, None)
    expected = directions(np.stack([seen[labels == c].mean(axis=0) for c in (0, 1)]), None)
    assert np.allclose(fitted(features, labels).vectors, expected, atol=0.004)


@pytest.mark.parametrize("sizes", [(1, 1), (1, 2), (3, 1), (2, 2)])
def test_tiny_classes_borrow_neighbours(sizes):
    features, labels = blobs(sizes)
    centres = fitted(features, labels)
    assert sorted(centres.labels) == [0, 1]
    assert np.isfinite(centres.ood_scores(features)).all()


def test_photos_that_all_coincide_give_one_place():
    features = np.ones((40, 8), np.float32)
    centres = fitted(features, (np.arange(40) % 2).astype(np.int32))
    assert np.allclose(centres.ood_scores(features), 0, atol=1e-3)


def test_large_classes_are_thinned_and_many_classes_share_the_centres(monkeypatch):
    monkeypatch.setattr(ood, "MAX_PHOTOS_PER_CLASS", 50)
    monkeypatch.setattr(ood, "MAX_ALL_CENTRES", 6)
    features, labels = blobs([200, 200, 200], seed=1)
    centres = fitted(features, labels)
    assert len(centres.labels) <= 6
    assert np.median(centres.ood_scores(features)) < 0.2


# Achieved with the fast backbone, four classes of 20 photos; other garments of the same classes are what is near.
@pytest.mark.parametrize(("folder", "floor"), [("objects", 0.97), ("cups", 0.97), ("textures", 0.97)])
def test_photos_of_something_else_are_further(shared_data, extractor, clothing, clothing_features, near, folder, floor):
    centres = fitted(np.array(clothing_features.values), clothing.labels, QUALITIES["fast"].imagenet)
    others = sorted((shared_data / "unknown" / folder).iterdir())[:40]
    far = extractor.extract(Dataset.from_lists(others, ["unknown"] * len(others)))
    scores = [centres.ood_scores(near), centres.ood_scores(far.values[far.usable])]
    assert roc_auc_score(np.repeat([0, 1], list(map(len, scores))), np.concatenate(scores)) >= floor


@pytest.fixture(scope="module")
def near(shared_data, extractor, clothing):
    """Features of new photos of the same classes."""
    folder = shared_data / "clothing" / "test"
    paths = [path for name in clothing.class_names for path in sorted((folder / name).iterdir())[:10]]
    return extractor.extract(Dataset.from_lists(paths, ["known"] * len(paths))).values

"""Far photos score higher than near ones, and no training photo can be read from the model."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.data.source import Dataset
from tellapart.posthoc.unknown import MAX_CENTRES, PHOTOS_PER_CENTRE, directions, fit_centres, unknown_scores


def blobs(sizes, d=12, seed=0, spread=0.4):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes).astype(np.int32)
    heads = np.abs(rng.standard_normal((len(sizes), d)))
    return (heads[labels] + spread * rng.standard_normal((len(labels), d))).astype(np.float32), labels


@given(st.integers(1, 8), st.integers(1, 5), st.integers(0, 99))
def test_score_is_one_minus_the_largest_cosine(n, k, seed):
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((n, 6)).astype(np.float32)
    centres = directions(rng.standard_normal((k, 6)).astype(np.float32))
    expected = [
        1 - max(float(f @ c) / np.linalg.norm(f) / np.linalg.norm(c) for c in centres.astype(np.float64))
        for f in features.astype(np.float64)
    ]
    got = unknown_scores(features, centres)
    assert got.dtype == np.float32
    assert np.allclose(got, expected, atol=1e-5)
    assert (got >= -1e-5).all()
    assert (got <= 2 + 1e-5).all()
    assert np.allclose(unknown_scores(features * np.float32(37), centres), got, atol=1e-5)


def test_features_of_zero_have_a_score():
    centres = directions(np.ones((2, 4), np.float32))
    assert unknown_scores(np.zeros((1, 4), np.float32), centres).tolist() == [1.0]


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=4), st.integers(0, 99))
def test_centres_are_few_and_of_length_one(sizes, seed):
    features, labels = blobs(sizes, seed=seed)
    centres = fit_centres(features, labels, seed=0)
    assert np.allclose(np.linalg.norm(centres, axis=1), 1, atol=1e-5)
    assert len(sizes) <= len(centres) <= sum(min(MAX_CENTRES, max(1, n // PHOTOS_PER_CENTRE)) for n in sizes)
    assert centres.dtype == np.float32
    assert centres.tobytes() == fit_centres(features, labels, seed=0).tobytes()


def nearest_photo(centres, features):
    """For each centre, the largest cosine with any photo."""
    return (centres.astype(np.float64) @ directions(features).astype(np.float64).T).max(axis=1)


@settings(max_examples=10, deadline=None)
@given(st.integers(20, 90), st.integers(0, 99))
def test_no_centre_is_a_single_photo(n, seed):
    """Also where a class has photos unlike all others of it, which k-means likes to make a cluster of their own."""
    rng = np.random.default_rng(seed)
    features, labels = blobs([n, 30], seed=seed, spread=0.1)
    features[0] = -5 * features[1]
    features[1] = rng.standard_normal(12) * 9
    centres = fit_centres(features, labels, seed=0)
    assert nearest_photo(centres, features).max() < 1 - 1e-6
    assert len(centres) >= 2


def test_no_centre_of_real_photos_is_a_single_photo(clothing, clothing_features):
    centres = fit_centres(np.array(clothing_features.values), clothing.labels, seed=0)
    assert len(centres) >= 4
    assert nearest_photo(centres, clothing_features.values).max() < 0.999


def test_a_small_class_is_its_mean():
    features, labels = blobs([5, 7])
    expected = directions(np.stack([directions(features[labels == c]).mean(axis=0) for c in (0, 1)]))
    assert np.allclose(fit_centres(features, labels, seed=0), expected, atol=1e-6)


def test_labels_without_photos_have_no_centre():
    features, labels = blobs([5, 7])
    assert len(fit_centres(features, labels * 3, seed=0)) == 2


def auroc(low, high):
    """Share of (low, high) pairs in the right order; ties count half."""
    return float(np.mean((high[:, None] > low[None]) + 0.5 * (high[:, None] == low[None])))


# Achieved with the fast backbone, four classes of 20 photos; other garments of the same classes are what is near.
@pytest.mark.parametrize(("folder", "floor"), [("objects", 0.85), ("cups", 0.9), ("textures", 0.9)])
def test_photos_of_something_else_are_further(shared_data, extractor, clothing, clothing_features, near, folder, floor):
    centres = fit_centres(np.array(clothing_features.values), clothing.labels, seed=0)
    strangers = sorted((shared_data / "unknown" / folder).iterdir())[:40]
    far = extractor.extract(Dataset.from_lists(strangers, ["unknown"] * len(strangers)))
    assert auroc(unknown_scores(near, centres), unknown_scores(far.values[far.usable], centres)) >= floor


@pytest.fixture(scope="module")
def near(shared_data, extractor, clothing):
    """Features of new photos of the same classes."""
    folder = shared_data / "clothing" / "test"
    paths = [path for name in clothing.class_names for path in sorted((folder / name).iterdir())[:10]]
    return extractor.extract(Dataset.from_lists(paths, ["known"] * len(paths))).values

"""Calibration numbers against loops that follow the definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.metrics import brier_score_loss, log_loss

from tellapart.metrics.calibration import brier, ece, ece_null_band, n_bins_for, nll, reliability_bins

photos = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=80)


def _arrays(photos):
    return np.array([c for c, _ in photos]), np.array([r for _, r in photos])


def _ece_by_definition(confidences, right, n_bins):
    total = 0.0
    for b in range(n_bins):
        inside = (confidences > b / n_bins) & (confidences <= (b + 1) / n_bins)
        if b == 0:
            inside |= confidences == 0
        if inside.any():
            total += inside.sum() * abs(right[inside].mean() - confidences[inside].mean())
    return total / confidences.size


@given(st.lists(st.tuples(st.integers(0, 1000), st.booleans()), min_size=1, max_size=80))
def test_ece_equals_its_definition(photos):
    confidences, right = np.array([c for c, _ in photos]) / 1000, np.array([r for _, r in photos])
    for n_bins in (1, 7, 15):
        # shares of 1000 on a bin's edge are where rounding could differ: compare away from those
        off_edge = np.abs(confidences * n_bins - np.round(confidences * n_bins)) > 1e-9
        if off_edge.any():
            c, r = confidences[off_edge], right[off_edge]
            assert ece(c, r, n_bins) == pytest.approx(_ece_by_definition(c, r, n_bins))


def test_ece_of_always_sure_and_always_wrong_is_one():
    assert ece(np.ones(4), np.zeros(4, bool)) == 1
    assert ece(np.ones(4), np.ones(4, bool)) == 0


@given(photos, st.integers(1, 12))
def test_bins_hold_every_photo_once_in_order(photos, n_bins):
    confidences, right = _arrays(photos)
    bins = reliability_bins(confidences, right, n_bins)
    assert 1 <= len(bins) <= n_bins
    assert sum(b.n for b in bins) == confidences.size
    assert sum(b.n * b.share_right for b in bins) == pytest.approx(right.sum())
    assert [b.confidence for b in bins] == sorted(b.confidence for b in bins)
    assert all(0 <= b.low <= b.share_right <= b.high <= 1 and b.n >= 1 for b in bins)


@given(photos, st.randoms(use_true_random=False))
def test_bins_are_blind_to_order(photos, random):
    shuffled = photos.copy()
    random.shuffle(shuffled)
    for a, b in zip(reliability_bins(*_arrays(photos), 5), reliability_bins(*_arrays(shuffled), 5), strict=True):
        assert (a.n, a.share_right, a.low, a.high) == (b.n, b.share_right, b.low, b.high)
        assert a.confidence == pytest.approx(b.confidence)


def test_bins_have_equal_mass_without_ties():
    confidences = np.random.default_rng(0).permutation(200) / 200
    assert [b.n for b in reliability_bins(confidences, confidences > 0.3)] == [20] * 10


def test_equal_confidences_share_a_bin():
    bins = reliability_bins(np.array([0.5, 1, 1, 1, 1]), np.array([True] * 5), 5)
    assert [(b.confidence, b.n) for b in bins] == [(0.5, 1), (1.0, 4)]


def test_no_photos_fill_no_bins():
    assert reliability_bins(np.array([]), np.array([], bool)) == []


@pytest.mark.parametrize(("n", "n_bins"), [(0, 1), (19, 1), (100, 5), (200, 10), (9999, 10)])
def test_number_of_bins_follows_the_photos(n, n_bins):
    assert n_bins_for(n) == n_bins


def test_null_band_equals_its_slow_twin():
    rng = np.random.default_rng(0)
    confidences = 0.4 + 0.6 * rng.beta(4, 1, size=150)
    simulated = [ece(confidences, rng.random(150) < confidences) for _ in range(2000)]
    band = ece_null_band(confidences)
    assert band.mean == pytest.approx(np.mean(simulated), rel=0.03)
    assert band.p95 == pytest.approx(np.quantile(simulated, 0.95), rel=0.05)


def test_null_band_shrinks_with_photos_as_published():
    # The published 8.4 % at 50 photos and 2.0 % at 1,000 are for one such high-confidence distribution.
    rng = np.random.default_rng(0)
    few, many = (ece_null_band(0.4 + 0.6 * rng.beta(4, 1, size=n)).mean for n in (50, 1000))
    assert few == pytest.approx(0.084, abs=0.02)
    assert many == pytest.approx(0.020, abs=0.006)


def test_null_band_is_seeded_and_blind_to_order():
    confidences = np.random.default_rng(0).random(300)
    assert ece_null_band(confidences) == ece_null_band(confidences[::-1])
    assert ece_null_band(confidences) != ece_null_band(confidences, seed=1)


def test_null_band_of_many_photos_is_simulated_in_pieces():
    confidences = np.tile(np.random.default_rng(0).random(10), 30_000)
    band = ece_null_band(confidences, n_simulations=20)
    assert 0 < band.mean < band.p95 < 0.01


def test_nll_and_brier_equal_scikit_learn():
    rng = np.random.default_rng(0)
    probs, labels = softmax(rng.normal(size=(60, 4)), axis=1), rng.integers(4, size=60)
    assert nll(probs, labels) == pytest.approx(log_loss(labels, probs))
    twin = sum(brier_score_loss(labels == c, probs[:, c]) for c in range(4))
    assert brier(probs, labels) == pytest.approx(twin)


def test_nll_stays_finite_when_the_truth_got_no_probability():
    assert np.isfinite(nll(np.array([[1.0, 0.0]]), np.array([1])))

"""Telling real from unknown and right from wrong, against loops over all pairs and all thresholds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from tellapart.metrics.detection import CURVE_POINTS, auroc, let_through, risk_at_coverage, risk_coverage
from tellapart.metrics.intervals import share_interval, wilson
from tellapart.posthoc.decision import FAR_SHARE, fit_thresholds

scores = st.lists(st.integers(0, 8), min_size=1, max_size=30).map(np.array)  # few values, so that ties are common
photos = st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=40)


def _arrays(photos):
    return np.array([c for c, _ in photos]) / 8, np.array([r for _, r in photos])


@given(scores, scores)
def test_auroc_is_the_share_of_all_pairs_in_order(real, unknown):
    pairs = [(u > r) + 0.5 * (u == r) for r in real for u in unknown]
    assert auroc(real, unknown) == pytest.approx(np.mean(pairs))
    assert auroc(unknown, real) == pytest.approx(1 - np.mean(pairs))


def test_auroc_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    real, unknown = rng.normal(size=300), rng.normal(1, 2, size=200)
    expected = roc_auc_score(np.repeat([0, 1], [300, 200]), np.concatenate([real, unknown]))
    assert auroc(real, unknown) == pytest.approx(expected)


@given(st.integers(0, 300), st.integers(0, 99))
def test_let_through_uses_the_threshold_of_a_model(n, seed):
    rng = np.random.default_rng(seed)
    real, unknown = rng.random(n).round(2), rng.normal(0.7, 0.3, size=50).round(2)
    limit = fit_thresholds(real, real).unknown_score
    expected = 1.0 if limit is None else np.mean([u <= limit for u in unknown])
    assert let_through(real, unknown, 1 - FAR_SHARE) == expected


@pytest.mark.parametrize("kept", [0.8, 0.9, 0.95, 0.98, 0.99])
def test_the_smallest_set_that_has_a_threshold_has_one(kept):
    least = round(1 / (1 - kept)) - 1
    for n, some in ((least - 1, False), (least, True)):
        assert (let_through(np.arange(n), np.array([1000.0]), kept) == 0) == some


@pytest.mark.parametrize("n", [19, 60, 500])
def test_the_threshold_keeps_what_it_says_of_new_real_photos(n):
    rng = np.random.default_rng(0)
    shares = [let_through(rng.normal(size=n), rng.normal(size=100)) for _ in range(2000)]
    assert np.mean(shares) == pytest.approx(1 - int(0.05 * (n + 1)) / (n + 1), abs=0.005)
    assert np.mean(shares) >= 0.945


def test_unknown_photos_at_the_threshold_are_answered():
    real = np.arange(39.0)  # the second largest is the threshold
    assert let_through(real, np.array([37.0, 37.1, 38.0, 40.0])) == 0.25


def _curve_by_definition(confidences, right):
    """At each photo's confidence: the share of photos at least as sure, and the share of those that is wrong."""
    points = []
    for c in confidences:
        answered = confidences >= c
        points.append((answered.mean(), (~right)[answered].mean()))
    return points


@given(photos)
def test_the_curve_and_its_area_follow_the_definition(photos):
    confidences, right = _arrays(photos)
    curve = risk_coverage(confidences, right)
    expected = _curve_by_definition(confidences, right)
    assert curve.area == pytest.approx(np.mean([risk for _, risk in expected]))
    got = list(zip(curve.coverage, curve.risk, strict=True))
    assert np.array(got) == pytest.approx(np.array(sorted(set(expected))))  # few photos: not thinned


@given(photos)
def test_excess_is_what_the_best_order_would_save(photos):
    confidences, right = _arrays(photos)
    curve = risk_coverage(confidences, right)
    best_order = np.argsort(right, kind="stable").argsort(kind="stable")  # the wrong ones least sure, without ties
    best = risk_coverage(best_order, right)
    assert best.excess == pytest.approx(0, abs=1e-12)
    assert curve.excess == pytest.approx(curve.area - best.area)
    assert curve.excess >= 0


@given(photos, st.randoms(use_true_random=False))
def test_the_order_of_photos_does_not_matter(photos, random):
    shuffled = photos.copy()
    random.shuffle(shuffled)
    one, other = risk_coverage(*_arrays(photos)), risk_coverage(*_arrays(shuffled))
    assert np.array_equal(one.coverage, other.coverage)
    assert np.array_equal(one.risk, other.risk)
    assert (one.area, one.excess) == (other.area, other.excess)
    assert risk_at_coverage(*_arrays(photos), 0.5) == risk_at_coverage(*_arrays(shuffled), 0.5)


def test_a_model_that_is_always_equally_sure_has_one_point():
    curve = risk_coverage(np.full(10, 0.7), np.arange(10) >= 3)
    assert (curve.coverage.tolist(), curve.risk.tolist()) == ([1.0], [0.3])
    assert curve.area == pytest.approx(0.3)


@pytest.mark.parametrize("n", [99, 100, 101, 5000])
def test_a_long_curve_is_thinned_evenly_and_its_area_is_not(n):
    rng = np.random.default_rng(0)
    confidences, right = rng.random(n), rng.random(n) < 0.9
    curve = risk_coverage(confidences, right)
    assert len(curve.coverage) == len(curve.risk) <= CURVE_POINTS
    assert curve.coverage[-1] == 1
    assert curve.risk[-1] == pytest.approx((~right).mean())
    assert np.diff(curve.coverage, prepend=0).max() <= 0.02 + 1e-12
    assert curve.area == pytest.approx(np.mean([risk for _, risk in _curve_by_definition(confidences, right)]))


@given(photos, st.integers(1, 20))
def test_risk_at_a_coverage_takes_the_surest(photos, twentieths):
    confidences, right = _arrays(photos)
    got = risk_at_coverage(confidences, right, twentieths / 20)
    enough = [c for c in np.unique(confidences) if 20 * (confidences >= c).sum() >= twentieths * right.size]
    answered = confidences >= max(enough)
    assert got.n_answered == answered.sum()
    assert got.n_wrong == (~right)[answered].sum()
    assert got.risk == got.n_wrong / got.n_answered
    assert (got.low, got.high) == wilson(got.n_wrong, got.n_answered)


def test_risk_at_a_coverage_widens_with_groups():
    rng = np.random.default_rng(0)
    right = (rng.random(60) < 0.8).repeat(4)
    confidences, groups = np.linspace(1, 0, 240), np.arange(60).repeat(4)
    got = risk_at_coverage(confidences, right, 0.5, groups)
    assert (got.low, got.high) == share_interval(~right[:120], groups[:120])
    assert got.high - got.low > 1.5 * (risk_at_coverage(confidences, right, 0.5).high - got.risk)

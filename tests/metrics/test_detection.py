"""Telling right from wrong, against loops over all thresholds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.metrics.detection import CURVE_POINTS, risk_coverage

# Few values, so that ties are common.
photos = st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=40)


def _arrays(photos):
    return np.array([c for c, _ in photos]) / 8, np.array([r for _, r in photos])


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

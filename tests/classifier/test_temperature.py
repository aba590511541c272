"""The temperature mends confidence and never touches the answer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from tellapart.classifier.temperature import BOUNDS, MIN_PHOTOS, calibrated, fit_temperature, nll

FINITE = st.floats(-50, 50, width=32)


@st.composite
def logits(draw):
    n, c = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    return np.array(draw(st.lists(st.lists(FINITE, min_size=c, max_size=c), min_size=n, max_size=n)), np.float32)


@given(logits(), st.floats(*BOUNDS))
def test_never_changes_the_winner(values, temperature):
    probs = calibrated(values, temperature)
    assert probs.dtype == np.float64
    assert np.allclose(probs.sum(axis=1), 1)
    for row, p in zip(values.astype(np.float64), probs, strict=True):
        assert p[row.argmax()] == p.max()
        for i in range(len(row)):
            for j in range(len(row)):
                if row[i] > row[j]:
                    assert p[i] >= p[j]


@given(logits(), st.floats(*BOUNDS))
def test_is_the_softmax_of_divided_logits(values, temperature):
    expected = np.exp(
        values.astype(np.float64) / temperature - (values.astype(np.float64) / temperature).max(1)[:, None]
    )
    assert np.allclose(calibrated(values, temperature), expected / expected.sum(axis=1, keepdims=True))


def drawn(n, c, temperature, seed=0):
    """Logits, and labels drawn as they say at this temperature."""
    rng = np.random.default_rng(seed)
    values = 3 * temperature * rng.standard_normal((n, c))
    probs = softmax(values / temperature, axis=1)
    labels = (probs.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1).astype(np.int32)
    return values, labels


@pytest.mark.parametrize("temperature", [0.3, 0.7, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("c", [2, 10])
def test_recovers_a_known_temperature(temperature, c):
    values, labels = drawn(8000, c, temperature)
    assert fit_temperature(values, labels) == pytest.approx(temperature, rel=0.1)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 999), st.integers(2, 6))
def test_no_temperature_on_a_grid_is_better(seed, c):
    values, labels = drawn(MIN_PHOTOS, c, 1.5, seed)
    best = fit_temperature(values, labels)
    assert BOUNDS[0] <= best <= BOUNDS[1]
    grid = np.geomspace(*BOUNDS, 100)
    assert nll(values, labels, best) <= min(nll(values, labels, t) for t in grid) + 1e-4


def test_nll_is_the_mean_log_of_the_true_class():
    values, labels = drawn(30, 4, 1.0)
    for temperature in (0.5, 1.0, 3.0):
        probs = calibrated(values, temperature)
        expected = -np.mean([np.log(probs[i, label]) for i, label in enumerate(labels)])
        assert nll(values, labels, temperature) == pytest.approx(expected)


def test_too_few_photos_tell_nothing():
    values, labels = drawn(MIN_PHOTOS, 3, 4.0)
    assert fit_temperature(values[:-1], labels[:-1]) == 1.0
    assert fit_temperature(values[:0], labels[:0]) == 1.0
    assert fit_temperature(values, labels) != 1.0


def test_all_right_and_all_wrong_stay_in_bounds():
    values = np.eye(3)[np.arange(60) % 3] * 5
    right = (np.arange(60) % 3).astype(np.int32)
    assert BOUNDS[0] <= fit_temperature(values, right) < 0.2
    assert BOUNDS[1] >= fit_temperature(values, (right + 1) % 3) > 10


def test_scaling_logits_scales_the_temperature():
    values, labels = drawn(500, 3, 1.0)
    assert fit_temperature(3 * values, labels) == pytest.approx(3 * fit_temperature(values, labels), rel=1e-2)

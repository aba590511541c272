"""The temperature mends confidence and never touches the answer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from scipy.stats import norm

from tellapart.classifier.temperature import BOUNDS, PRIOR_SD, calibrated, fit_temperature, nll

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
    values, labels = drawn(50, c, 1.5, seed)

    def surprise(t):
        return 50 * nll(values, labels, t) - norm.logpdf(np.log(t), scale=PRIOR_SD)

    best = fit_temperature(values, labels)
    assert BOUNDS[0] <= best <= BOUNDS[1]
    assert surprise(best) <= min(surprise(t) for t in np.geomspace(*BOUNDS, 100)) + 5e-3


def test_nll_is_the_mean_log_of_the_true_class():
    values, labels = drawn(30, 4, 1.0)
    for temperature in (0.5, 1.0, 3.0):
        probs = calibrated(values, temperature)
        expected = -np.mean([np.log(probs[i, label]) for i, label in enumerate(labels)])
        assert nll(values, labels, temperature) == pytest.approx(expected)


def test_the_fewer_photos_the_nearer_to_one():
    values, labels = drawn(5000, 3, 4.0)
    found = [fit_temperature(values[:n], labels[:n]) for n in (0, 6, 40, 300, 5000)]
    assert found[0] == 1.0
    assert found == sorted(found)
    assert found[1] < 2
    assert found[-1] == pytest.approx(4, rel=0.1)


@pytest.mark.parametrize("n", [6, 15, 60])
def test_a_few_photos_that_are_all_right_or_all_wrong_do_not_lead_to_a_bound(n):
    """Ten photos of two classes, all wrong, had the temperature 20 once: every answer was a coin toss."""
    values = np.eye(3)[np.arange(n) % 3] * 5
    right = (np.arange(n) % 3).astype(np.int32)
    assert 4 * BOUNDS[0] < fit_temperature(values, right) < 1
    assert 1 < fit_temperature(values, (right + 1) % 3) < BOUNDS[1] / 2


def test_scaling_logits_scales_the_temperature():
    values, labels = drawn(20_000, 3, 1.0)
    assert fit_temperature(3 * values, labels) == pytest.approx(3 * fit_temperature(values, labels), rel=1e-2)

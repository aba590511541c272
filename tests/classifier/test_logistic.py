"""The minimum of the penalised loss, held against its definition; test_probe.py holds it against scikit-learn's."""

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from tellapart.classifier.logistic import regularisation_path


@pytest.fixture
def lesson():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    x = (rng.normal(size=(60, 4)) + 1.2 * np.eye(3, 4)[labels]).astype(np.float32)
    return x, labels, rng.uniform(0.5, 2, 60)


def slopes(x, labels, sample_weights, c, weights, offsets):
    """The gradient of: sum of weight × cross-entropy + |W|² / (2 C)."""
    residual = softmax(x @ weights.T + offsets, axis=1) - np.eye(weights.shape[0])[labels]
    residual *= sample_weights[:, None]
    return residual.T @ x + weights / c, residual.sum(axis=0)


def test_there_is_no_slope_where_it_ends(lesson):
    for c, weights, offsets in regularisation_path(*lesson, [1.0, 0.01, 100.0], 1e-6):
        in_weights, in_offsets = slopes(*lesson, c, weights, offsets)
        assert np.abs(in_weights).max() < 2e-3 * lesson[2].sum()
        assert np.abs(in_offsets).max() < 2e-3 * lesson[2].sum()


def test_the_strongest_penalty_comes_first_and_less_of_it_fits_better(lesson):
    x, labels, sample_weights = lesson
    path = [
        (c, weights.copy(), offsets.copy()) for c, weights, offsets in regularisation_path(*lesson, [1, 0.01, 9], 1e-6)
    ]
    assert [c for c, _, _ in path] == [0.01, 1, 9]
    losses = [
        -(sample_weights * log_softmax(x @ weights.T + offsets, axis=1)[range(60), labels]).sum()
        for _, weights, offsets in path
    ]
    assert losses == sorted(losses, reverse=True)
    assert np.linalg.norm(path[0][1]) < np.linalg.norm(path[2][1])


def test_a_photo_of_twice_the_weight_is_two(lesson):
    x, labels, _ = lesson
    weights = np.ones(60)
    weights[:10] = 2
    twice = np.concatenate([x, x[:10]]), np.concatenate([labels, labels[:10]]), np.ones(70)
    [(_, one, _)], [(_, other, _)] = (
        list(regularisation_path(*data, [0.5], 1e-7)) for data in ((x, labels, weights), twice)
    )
    assert np.allclose(one, other, atol=1e-3)

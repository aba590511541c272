"""The nearest are those that a slow twin finds, whatever the blocks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.data.grey_picture import oriented
from tellapart.features import nearest as near
from tellapart.features.nearest import NEAREST, nearest, nearest_of_others


def in_all_turns(n, seed):
    """(n, 8, 16) of few different numbers, so that many are equally near."""
    pictures = np.random.default_rng(seed).integers(-1, 2, (n, 4, 4)).astype(np.float32)
    return oriented(pictures).reshape(n, 8, -1)


def by_nearness(scores, i):
    return sorted((j for j in range(len(scores[i])) if np.isfinite(scores[i, j])), key=lambda j: (-scores[i, j], j))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 70), st.booleans(), st.integers(0, 1000), st.integers(1, 9), st.integers(1, 80), st.integers(0, 9)
)
def test_nearest_equal_their_slow_twin(n, turned, seed, rows, columns, held):
    vectors = in_all_turns(n, seed)[:, : 8 if turned else 1]
    scores = (vectors @ vectors[:, 0].T).max(axis=1)
    np.fill_diagonal(scores, -np.inf)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("ROWS", rows), ("COLUMNS", columns), ("FEW_COLUMNS", 1), ("HELD", held)):
            patch.setattr(near, name, value)
        assert nearest(vectors).tolist() == [by_nearness(scores, i)[:NEAREST] for i in range(n)]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 1000), st.integers(1, 9))
def test_nearest_of_others_equal_their_slow_twin(n, m, seed, rows):
    vectors, others = in_all_turns(n, seed), in_all_turns(m, seed + 1)
    scores = (vectors @ others[:, 0].T).max(axis=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near, "ROWS", rows)
        found = nearest_of_others(vectors, others).tolist()
    assert found == [by_nearness(scores, i)[:NEAREST] for i in range(n)]

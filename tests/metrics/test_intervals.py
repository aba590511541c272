"""Intervals against published values, exact arithmetic and slow twins."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import balanced_accuracy_score, f1_score

from tellapart.metrics.intervals import (
    bootstrap,
    f1_interval,
    kept_intervals,
    mean_interval,
    no_information_p_value,
    share_interval,
    wilson,
    worth,
)

counts = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    ("n_right", "n", "low", "high"),
    [
        (45, 50, 78.6, 95.7),
        (90, 100, 82.6, 94.5),
        (180, 200, 85.1, 93.4),
        (900, 1000, 88.0, 91.7),
        (20, 20, 83.9, 100.0),
        (100, 100, 96.3, 100.0),
    ],
)
def test_wilson_gives_the_published_values(n_right, n, low, high):
    assert [round(100 * end, 1) for end in wilson(n_right, n)] == [low, high]


@given(counts, st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_equals_scipy_and_holds_the_share(count, confidence):
    n_right, n = count
    twin = binomtest(n_right, n).proportion_ci(confidence, method="wilson")
    low, high = wilson(n_right, n, confidence)
    assert (low, high) == pytest.approx((twin.low, twin.high), abs=1e-9)
    assert 0 <= low <= n_right / n <= high <= 1


def test_nothing_is_known_from_no_photos():
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("n_right", "expected"), [(74, 0.22), (80, 0.0165), (85, 0.0004)])
def test_no_information_p_value_gives_the_published_values(n_right, expected):
    assert no_information_p_value(n_right, 100, 0.7) == pytest.approx(expected, rel=0.025)


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n), st.integers(0, n))))
def test_no_information_p_value_equals_the_sum(case):
    n_right, n, n_commonest = case
    share = Fraction(n_commonest, n)
    exact = sum(comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(n_right, n + 1))
    assert no_information_p_value(n_right, n, n_commonest / n) == pytest.approx(float(exact), abs=1e-9)


def test_photos_that_stand_alone_are_worth_themselves():
    right = np.arange(100) % 4 > 0
    assert worth(right, np.arange(100)) == pytest.approx(100, rel=0.02)


def test_photos_that_are_copies_are_worth_one_a_group():
    right = np.arange(50) % 3 > 0
    copies, groups = np.repeat(right, 4), np.repeat(np.arange(50), 4)
    assert worth(copies, groups) == pytest.approx(50, rel=0.03)
    assert share_interval(copies, groups) == pytest.approx(share_interval(right), abs=0.003)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=40))
def test_grouping_never_narrows_an_interval(photos):
    right, groups = np.array([r for r, _ in photos]), np.array([g for _, g in photos])
    n = worth(right, groups)
    assert 0 < n <= right.size
    low, high = share_interval(right, groups)
    alone_low, alone_high = share_interval(right)
    assert low <= alone_low + 1e-12
    assert high >= alone_high - 1e-12


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_f1_interval_holds_the_f1(found):
    found = np.array(found)
    n_both, n_either = found.sum(), found.size
    low, high = f1_interval(found)
    assert 0 <= low <= 2 * n_both / (n_both + n_either) <= high <= 1


def test_mean_interval_of_one_share_is_its_own():
    assert mean_interval(np.array([0.9]), np.array([[0.8, 0.95]])) == pytest.approx((0.8, 0.95))


def test_mean_interval_does_not_collapse_when_nothing_is_wrong():
    ranges = np.array([wilson(1, 1)] * 10)
    low, high = mean_interval(np.ones(10), ranges)
    assert high == 1
    assert 0.7 < low < 0.8


def _random_answers(n, n_classes, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(n_classes, size=n)
    return labels, np.where(rng.random(n) < 0.8, labels, rng.integers(n_classes, size=n))


def _slow_twin(labels, answers, groups, n_resamples=600):
    """Photos or groups drawn one resample at a time, scored by scikit-learn."""
    rng = np.random.default_rng(1)
    scores = []
    for _ in range(n_resamples):
        if groups is None:
            members = [np.flatnonzero(labels == c) for c in np.unique(labels)]
            drawn = np.concatenate([rng.choice(m, m.size) for m in members])
        else:
            drawn = np.concatenate(
                [np.flatnonzero(groups == g) for g in rng.choice(np.unique(groups), np.unique(groups).size)]
            )
        true, said = labels[drawn], answers[drawn]
        present = np.unique(true)
        f1 = f1_score(true, said, labels=present, average="macro", zero_division=0)
        scores.append(((said == true)[:, None] * (true[:, None] == present)).sum(0) / np.bincount(true)[present])
        scores[-1] = (scores[-1].mean(), f1)
    return np.quantile(np.array(scores), [0.025, 0.975], axis=0).T


@pytest.mark.parametrize("grouped", [False, True])
def test_bootstrap_equals_its_slow_twin(grouped):
    labels, answers = _random_answers(120, 3)
    groups = np.arange(120) // 3 if grouped else None
    twin = _slow_twin(labels, answers, groups)
    assert np.array(bootstrap(labels, answers, groups=groups)) == pytest.approx(twin, abs=0.02)


@pytest.mark.parametrize("grouped", [False, True])
def test_bootstrap_is_seeded_and_blind_to_order(grouped):
    labels, answers = _random_answers(200, 5)
    groups = np.arange(200) // 4
    order = np.random.default_rng(2).permutation(200)
    first = bootstrap(labels, answers, groups=groups if grouped else None)
    shuffled = bootstrap(labels[order], answers[order], groups=groups[order] if grouped else None)
    assert first == shuffled
    assert first != bootstrap(labels, answers, groups=groups if grouped else None, seed=1)


def test_bootstrap_holds_the_scores():
    labels, answers = _random_answers(300, 4)
    (recall_low, recall_high), (f1_low, f1_high) = bootstrap(labels, answers)
    assert recall_low < balanced_accuracy_score(labels, answers) < recall_high
    assert f1_low < f1_score(labels, answers, average="macro") < f1_high


@pytest.mark.parametrize("inflation", [1.5, 4.0])
def test_a_larger_variance_is_fewer_photos(inflation):
    right = np.arange(60) < 48
    assert share_interval(right, inflation=inflation) == pytest.approx(wilson(48 / inflation, 60 / inflation))
    groups = np.arange(60) // 3
    n = worth(right, groups) / inflation
    assert share_interval(right, groups, inflation=inflation) == pytest.approx(wilson(0.8 * n, n))
    low, high = share_interval(right, inflation=inflation)
    assert f1_interval(right, inflation=inflation) == pytest.approx((2 * low / (1 + low), 2 * high / (1 + high)))
    assert share_interval(np.zeros(0, bool), inflation=inflation) == (0, 1)


def test_resampled_ranges_widen_with_the_root_of_the_variance():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 200)
    answers = np.where(rng.random(600) < 0.8, labels, (labels + 1) % 3)
    plain, wide = (bootstrap(labels, answers, inflation=inflation) for inflation in (1.0, 4.0))
    for (low, high), (wide_low, wide_high) in zip(plain, wide, strict=True):
        assert wide_high - wide_low == pytest.approx(2 * (high - low))
    few = bootstrap(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0]), inflation=9.0)
    assert all(0 <= low <= high <= 1 for low, high in few)


def _answers(n, p_clean, p_kept, p_gained, seed):
    rng = np.random.default_rng(seed)
    clean = rng.random(n) < p_clean
    return clean, rng.random(n) < np.where(clean, p_kept, p_gained)


@pytest.mark.parametrize(
    ("n", "p_clean", "p_kept", "p_gained", "burst"),
    [(20, 0.9, 0.6, 0.1, 1), (50, 0.9, 0.98, 0.1, 1), (100, 0.5, 0.3, 0.2, 1), (20, 0.9, 0.7, 0.2, 5)],
)
def test_the_range_holds_the_truth_as_often_as_it_says(n, p_clean, p_kept, p_gained, burst):
    truth = p_kept + (1 - p_clean) * p_gained / p_clean
    n_held = 0
    for seed in range(300):
        clean, corrupted = (np.repeat(a, burst) for a in _answers(n, p_clean, p_kept, p_gained, seed))
        low, high = kept_intervals(
            clean, corrupted[None].astype(float), groups=np.arange(n * burst) // burst, n_resamples=400, seed=seed
        )[0]
        n_held += low <= truth <= high
    assert n_held >= 0.91 * 300


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 60), st.floats(0, 1), st.floats(0, 1), st.integers(0, 99))
def test_ranges_are_never_a_point_nor_below_zero(n, p_kept, p_gained, seed):
    clean, corrupted = _answers(n, 0.8, p_kept, p_gained, seed)
    (low, high), (same_low, same_high) = kept_intervals(clean, np.array([corrupted, clean], float), n_resamples=400)
    assert 0 <= low < high < np.inf
    assert same_low < 1 < same_high


def test_pairs_make_the_range_narrower_than_two_ranges_would():
    """Half of the photos are hard either way: corrupted right answers among the clean ones vary less than by chance."""
    clean = np.arange(200) < 100
    paired, unpaired = np.arange(200) < 90, (np.arange(200) + 55) % 200 < 90
    (p_low, p_high), (u_low, u_high) = kept_intervals(clean, np.array([paired, unpaired], float))
    assert p_high - p_low < 0.5 * (u_high - u_low)


def test_groups_widen_the_range_to_what_they_are_worth():
    clean, corrupted = _answers(80, 0.9, 0.6, 0.1, 3)
    once = np.diff(kept_intervals(clean, corrupted[None].astype(float)))[0, 0]
    fivefold, more = np.repeat(clean, 5), np.repeat(corrupted, 5)[None].astype(float)
    alone = np.diff(kept_intervals(fivefold, more))[0, 0]
    grouped = np.diff(kept_intervals(fivefold, more, groups=np.repeat(np.arange(80), 5)))[0, 0]
    assert alone < 0.6 * grouped
    assert grouped == pytest.approx(once, rel=0.05)

"""Two models on the same photos, against sums over all outcomes and slow twins."""

from fractions import Fraction
from itertools import product
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar
from scipy.special import gammaln
from scipy.stats import binom

from tellapart.metrics.paired import (
    LEAST_DIFFERING,
    SIGNIFICANT_P,
    compare_answers,
    difference_interval,
    grouped_p_value,
    mcnemar_p_value,
    paired_worth,
    photos_needed,
)

photos = st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 6)), min_size=1, max_size=40)


def _arrays(photos):
    right_a, right_b, groups = (np.array(column) for column in zip(*photos, strict=True))
    return right_a, right_b, groups


@pytest.mark.parametrize("n", range(1, 26))
def test_p_value_is_a_sum_of_binomial_probabilities(n):
    for k in range(n + 1):
        extreme = [x for x in range(n + 1) if abs(2 * x - n) >= abs(2 * k - n)]
        exact = sum(Fraction(comb(n, x), 2**n) for x in extreme)
        assert mcnemar_p_value(k, n - k) == pytest.approx(float(exact))


def test_models_that_never_differ_are_not_told_apart():
    assert mcnemar_p_value(0, 0) == 1
    assert grouped_p_value(np.zeros(5, int), np.array([0, 0, 1, 1, 2])) == 1


def test_fewest_differing_photos_that_can_be_significant():
    assert mcnemar_p_value(0, LEAST_DIFFERING) < SIGNIFICANT_P <= mcnemar_p_value(0, LEAST_DIFFERING - 1)


@given(st.lists(st.tuples(st.integers(-1, 1), st.integers(0, 7)), min_size=1, max_size=30))
def test_grouped_p_value_lists_all_swaps(photos):
    ahead, groups = np.array([a for a, _ in photos]), np.array([g for _, g in photos])
    leads = [ahead[groups == g].sum() for g in np.unique(groups)]
    sums = [
        sum(sign * lead for sign, lead in zip(signs, leads, strict=True))
        for signs in product((1, -1), repeat=len(leads))
    ]
    expected = np.mean([abs(total) >= abs(ahead.sum()) for total in sums])
    assert grouped_p_value(ahead, groups) == pytest.approx(expected)


@pytest.mark.parametrize(("n_only_a", "n_only_b"), [(0, 7), (3, 12), (40, 60), (300, 400)])
def test_photos_that_stand_alone_need_no_groups(n_only_a, n_only_b):
    ahead = np.repeat([-1, 1, 0], [n_only_a, n_only_b, 50])
    assert grouped_p_value(ahead, np.arange(ahead.size)) == pytest.approx(mcnemar_p_value(n_only_a, n_only_b))
    right_a, right_b = np.repeat([True, False, True], [n_only_a, n_only_b, 50]), ahead >= 0
    alone, grouped = compare_answers(right_a, right_b), compare_answers(right_a, right_b, np.arange(ahead.size))
    assert vars(grouped) == pytest.approx(vars(alone))


def test_copies_of_a_photo_are_no_evidence():
    """Ten copies of each photo say what one of each says."""
    right_a = np.array([True, False, False, False, True, True, False, True, True, True])
    right_b = np.array([False, True, True, True, True, True, True, True, True, False])
    once = compare_answers(right_a, right_b)
    copied = compare_answers(np.repeat(right_a, 10), np.repeat(right_b, 10), np.repeat(np.arange(10), 10))
    assert copied.n == 100
    assert copied.p_value == pytest.approx(once.p_value)
    assert (copied.low, copied.high) == pytest.approx((once.low, once.high), abs=0.04)
    assert compare_answers(np.repeat(right_a, 10), np.repeat(right_b, 10)).p_value < 0.02 < once.p_value


def _score(difference, n_only_a, n_only_b, n):
    """Tango's statistic, with the likelihood maximised numerically instead of by its closed form."""

    def loss(only_a):
        only_b, same = only_a + difference, 1 - 2 * only_a - difference
        terms = ((n_only_a, only_a), (n_only_b, only_b), (n - n_only_a - n_only_b, same))
        return -sum(k * np.log(max(p, 1e-300)) for k, p in terms if k)

    bounds = (max(0.0, -difference), (1 - difference) / 2)
    only_a = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-10}).x
    variance = n * (2 * only_a + difference - difference**2)
    return (n_only_b - n_only_a - n * difference) / np.sqrt(variance)


@pytest.mark.parametrize(
    ("n_only_a", "n_only_b", "n"), [(3, 12, 60), (12, 3, 60), (5, 5, 20), (1, 30, 200), (2, 40, 50)]
)
def test_interval_is_where_the_score_test_stops_rejecting(n_only_a, n_only_b, n):
    z = 1.959963984540054
    found = (n_only_b - n_only_a) / n
    low = brentq(lambda d: _score(d, n_only_a, n_only_b, n) - z, -0.999, found)
    high = brentq(lambda d: _score(d, n_only_a, n_only_b, n) + z, found, 0.999)
    assert difference_interval(n_only_a, n_only_b, n) == pytest.approx((low, high), abs=1e-5)


def test_interval_without_differing_photos_is_that_of_one_share():
    n, z = 50, 1.959963984540054
    assert difference_interval(0, 0, n) == pytest.approx((-(z**2) / (n + z**2), z**2 / (n + z**2)))


@pytest.mark.parametrize(("n_only_a", "n_only_b", "n"), [(4, 4, 4), (0, 9, 9), (9, 0, 9), (0, 0, 1), (0, 1, 1)])
def test_interval_stays_within_the_possible(n_only_a, n_only_b, n):
    if n_only_a + n_only_b > n:
        n_only_a, n_only_b = n_only_a // 2, n_only_b // 2
    low, high = difference_interval(n_only_a, n_only_b, n)
    assert -1 <= low <= (n_only_b - n_only_a) / n <= high <= 1
    assert high - low > 0.2


def test_nothing_is_known_without_photos():
    assert difference_interval(0, 0, 0) == (-1, 1)
    nothing = compare_answers(np.zeros(0, bool), np.zeros(0, bool), np.zeros(0, int))
    assert (nothing.n, nothing.p_value, nothing.photos_needed) == (0, 1, None)


@pytest.mark.parametrize("n", [20, 60])
@pytest.mark.parametrize(("only_a", "only_b"), [(0.02, 0.05), (0.1, 0.1), (0.05, 0.15), (0.1, 0.4), (0.01, 0.2)])
def test_interval_holds_the_truth_as_often_as_it_says(n, only_a, only_b):
    """Exact: every outcome with its probability; measured 0.937 to 0.999 for n of 20, 50 and 100."""
    covered = 0.0
    for k in range(n + 1):
        for j in range(n + 1 - k):
            ways = gammaln(n + 1) - gammaln(k + 1) - gammaln(j + 1) - gammaln(n - k - j + 1)
            logs = ways + k * np.log(only_a) + j * np.log(only_b) + (n - k - j) * np.log(1 - only_a - only_b)
            if logs > np.log(1e-6):
                low, high = difference_interval(k, j, n)
                covered += np.exp(logs) * (low <= only_b - only_a <= high)
    assert covered > 0.93


@given(photos)
def test_swapping_the_models_swaps_the_answer(photos):
    right_a, right_b, groups = _arrays(photos)
    one, other = compare_answers(right_a, right_b, groups), compare_answers(right_b, right_a, groups)
    assert (one.n_a_right, one.n_only_a) == (other.n_b_right, other.n_only_b)
    assert (one.low, one.high, one.difference) == pytest.approx((-other.high, -other.low, -other.difference))
    assert one.p_value == pytest.approx(other.p_value)
    assert one.photos_needed == other.photos_needed


@given(photos, st.randoms(use_true_random=False))
def test_the_order_of_photos_does_not_matter(photos, random):
    shuffled = photos.copy()
    random.shuffle(shuffled)
    one, other = compare_answers(*_arrays(photos)), compare_answers(*_arrays(shuffled))
    assert (one.low, one.high, one.p_value) == pytest.approx((other.low, other.high, other.p_value))


@given(photos)
def test_groups_never_make_surer(photos):
    right_a, right_b, groups = _arrays(photos)
    alone, grouped = compare_answers(right_a, right_b), compare_answers(right_a, right_b, groups)
    assert grouped.low <= alone.low + 1e-9
    assert grouped.high >= alone.high - 1e-9
    assert grouped.p_value >= alone.p_value
    if alone.photos_needed is not None:
        assert grouped.photos_needed >= alone.photos_needed


def _grouped(rng, n_groups, size, only_b):
    """Groups whose photos are all alike: which model gets them right is one draw a group."""
    kind = rng.choice(3, p=[1 - only_b - 0.05, 0.05, only_b], size=n_groups).repeat(size)
    return kind != 2, kind != 1, np.arange(n_groups).repeat(size)


def test_grouped_range_holds_the_truth_where_the_plain_one_does_not():
    rng, grouped, plain = np.random.default_rng(0), 0, 0
    for _ in range(400):
        right_a, right_b, groups = _grouped(rng, 60, 4, 0.15)
        got, naive = compare_answers(right_a, right_b, groups), compare_answers(right_a, right_b)
        grouped += got.low <= 0.10 <= got.high
        plain += naive.low <= 0.10 <= naive.high
    assert grouped / 400 > 0.92
    assert plain / 400 < 0.80


def test_grouped_test_keeps_its_level_where_the_plain_one_does_not():
    rng, grouped, plain = np.random.default_rng(1), 0, 0
    for _ in range(400):
        right_a, right_b, groups = _grouped(rng, 60, 4, 0.05)
        grouped += compare_answers(right_a, right_b, groups).p_value < 0.05
        plain += compare_answers(right_a, right_b).p_value < 0.05
    assert grouped / 400 <= 0.06
    assert plain / 400 > 0.15


def test_worth_of_groups_equals_its_bootstrap_twin():
    rng = np.random.default_rng(2)
    leader = rng.choice([-1, 0, 0, 1], size=80).repeat(5)
    ahead = np.where(rng.random(400) < 0.6, leader, 0)
    groups = np.arange(80).repeat(5)
    by_group = ahead.reshape(80, 5).sum(axis=1)
    resampled = by_group[rng.integers(80, size=(4000, 80))].sum(axis=1) / 400
    assert paired_worth(ahead, groups) == pytest.approx(ahead.var() / resampled.var(), rel=0.06)
    assert paired_worth(ahead, groups) < 200


def test_worth_counts_each_group_once_when_nothing_differs():
    assert paired_worth(np.zeros(12, int), np.arange(12) // 3) == 4
    assert paired_worth(np.array([1, -1, 0]), np.zeros(3, int)) == 1


def _exact_power(n, differ, difference):
    """How often McNemar's exact test says p < 0.05 on n photos: over the number that differ, then who is right."""
    power, share = 0.0, (differ + difference) / (2 * differ)
    n_differing = np.arange(n + 1)
    for m, prob in zip(n_differing, binom.pmf(n_differing, n, differ), strict=True):
        if m and prob > 1e-8:
            k = np.arange(m + 1)
            significant = 2 * binom.cdf(np.minimum(k, m - k), m, 0.5) < SIGNIFICANT_P
            power += prob * binom.pmf(k, m, share)[significant].sum()
    return power


@pytest.mark.parametrize(
    ("n_only_a", "n_only_b", "n"), [(12, 5, 100), (20, 30, 200), (3, 1, 20), (9, 2, 30), (0, 3, 50)]
)
def test_photos_needed_suffice_four_times_in_five(n_only_a, n_only_b, n):
    total = n + photos_needed(n_only_a, n_only_b, n)
    differ, difference = (n_only_a + n_only_b) / n, abs(n_only_a - n_only_b) / n
    assert 0.77 < _exact_power(total, differ, difference) < 0.89
    assert _exact_power(round(0.8 * total), differ, difference) < 0.77


@pytest.mark.parametrize("n", range(1, 6))
def test_a_few_photos_are_never_enough(n):
    assert n + photos_needed(0, n, n) == LEAST_DIFFERING


def test_even_models_need_no_number():
    assert photos_needed(4, 4, 100) is None
    assert photos_needed(0, 0, 0) is None
    assert compare_answers(np.array([True, False]), np.array([False, True])).photos_needed is None


@given(photos)
def test_more_photos_are_asked_for_exactly_when_these_do_not_tell(photos):
    got = compare_answers(*_arrays(photos))
    if got.n_only_a == got.n_only_b:
        assert got.photos_needed is None
    else:
        assert (got.photos_needed == 0) == (got.p_value < SIGNIFICANT_P)


def test_the_counts_are_the_table():
    right_a = np.array([True, True, True, False, False])
    right_b = np.array([True, False, False, True, False])
    got = compare_answers(right_a, right_b)
    assert (got.n, got.n_a_right, got.n_b_right, got.n_only_a, got.n_only_b) == (5, 3, 2, 2, 1)
    assert got.difference == pytest.approx(-0.2)
    assert got.low < -0.2 < got.high
    assert got.p_value == 1

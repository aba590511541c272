"""Thresholds that keep their promise on photos not seen yet."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.classifier.decision import DOUBT_SHARE, FAR_SHARE, Thresholds, answer, fit_thresholds, withheld

NAMES = ("cat", "dog", "hen")


def rank(share, n):
    """The k of the k-th order statistic, in exact arithmetic."""
    return int(Fraction(str(share)) * (n + 1))


@given(st.integers(0, 2000), st.integers(0, 99))
def test_thresholds_are_order_statistics(n, seed):
    rng = np.random.default_rng(seed)
    ood_scores, confidences = rng.random(n).astype(np.float32), rng.random(n)
    got = fit_thresholds(ood_scores, confidences)
    assert got.n == n
    k = rank(FAR_SHARE, n)
    assert got.ood_score == (sorted(ood_scores.tolist(), reverse=True)[k - 1] if k else None)
    k = rank(DOUBT_SHARE, n)
    assert got.confidence == (sorted(confidences.tolist())[k - 1] if k else None)


def test_ranks_are_exact_for_every_n():
    """No rounding error of share × (n + 1) costs a photo."""
    for n in range(20_000):
        assert int(FAR_SHARE * (n + 1)) == rank(FAR_SHARE, n)
        assert int(DOUBT_SHARE * (n + 1)) == rank(DOUBT_SHARE, n)


@pytest.mark.parametrize(("share", "which"), [(FAR_SHARE, "ood_score"), (DOUBT_SHARE, "confidence")])
def test_too_few_photos_promise_nothing(share, which):
    least = round(1 / share - 0.5)  # the smallest n with share × (n + 1) of at least 1
    least = next(n for n in range(least - 2, least + 3) if share * (n + 1) >= 1)
    for n, promised in ((0, False), (least - 1, False), (least, True)):
        values = np.linspace(0.1, 0.9, n)
        assert (getattr(fit_thresholds(values, values), which) is not None) == promised


@pytest.mark.parametrize("n", [120, 200, 1000])
def test_coverage_of_new_photos(n):
    """Over many sets, at most the promised share of new photos is withheld, and not much less."""
    rng = np.random.default_rng(0)
    far, doubt = [], []
    for _ in range(2000):
        thresholds = fit_thresholds(rng.gumbel(size=n), rng.beta(5, 1, n))
        far.append(np.mean(rng.gumbel(size=50) > thresholds.ood_score))
        doubt.append(np.mean(rng.beta(5, 1, 50) < thresholds.confidence))
    for shares, promised in ((far, FAR_SHARE), (doubt, DOUBT_SHARE)):
        expected, error = rank(promised, n) / (n + 1), np.std(shares) / np.sqrt(len(shares))
        assert expected <= promised
        assert np.mean(shares) == pytest.approx(expected, abs=4 * error)


def test_a_photo_at_a_threshold_is_answered():
    limits = Thresholds(0.5, 0.6, 100)
    assert answer(NAMES, np.array([0.6, 0.3, 0.1]), 0.5, limits) == "cat"
    assert answer(NAMES, np.array([0.6, 0.3, 0.1]), np.nextafter(0.5, 1), limits) == "none of these"
    assert answer(NAMES, np.array([np.nextafter(0.6, 0), 0.3, 0.1]), 0.5, limits) == "not sure"


def test_far_is_said_before_doubt():
    assert answer(NAMES, np.array([0.4, 0.3, 0.3]), 0.9, Thresholds(0.5, 0.6, 100)) == "none of these"


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3), st.floats(0, 2))
def test_without_thresholds_the_likeliest_class_is_always_answered(probs, ood_score):
    assert answer(NAMES, np.array(probs), ood_score, Thresholds(None, None, 0)) == NAMES[int(np.argmax(probs))]


def test_each_threshold_works_alone():
    probs = np.array([0.4, 0.35, 0.25])
    assert answer(NAMES, probs, 0.9, Thresholds(0.5, None, 60)) == "none of these"
    assert answer(NAMES, probs, 0.9, Thresholds(None, 0.5, 40)) == "not sure"


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3), st.floats(0, 2), st.floats(0, 2), st.floats(0, 1))
def test_an_answer_is_a_name_exactly_where_nothing_is_withheld(probs, ood_score, far, doubt):
    limits = Thresholds(far, doubt, 100)
    instead = withheld(np.array(probs), ood_score, limits)
    said = answer(NAMES, np.array(probs), ood_score, limits)
    assert instead in (None, "none of these", "not sure")
    assert said == (NAMES[int(np.argmax(probs))] if instead is None else instead)


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3), st.floats(0, 2), st.floats(0, 1))
def test_a_photo_further_away_never_gets_a_name_back(probs, ood_score, step):
    limits = Thresholds(0.7, 0.4, 100)
    if withheld(np.array(probs), ood_score, limits) == "none of these":
        assert withheld(np.array(probs), ood_score + step, limits) == "none of these"


def test_classes_may_be_called_like_the_other_answers():
    """What is withheld is known without a look at the names."""
    names, limits = ("none of these", "not sure"), Thresholds(0.5, 0.6, 100)
    assert answer(names, np.array([0.9, 0.1]), 0.1, limits) == "none of these"
    assert withheld(np.array([0.9, 0.1]), 0.1, limits) is None
    assert withheld(np.array([0.9, 0.1]), 0.6, limits) == "none of these"

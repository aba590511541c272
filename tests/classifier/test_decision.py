"""Thresholds that keep their promise on photos not seen yet."""

import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.classifier.decision import (
    DOUBT_SHARE,
    FADES_FROM,
    FAR_SHARE,
    LEAST_EARLY,
    LEAST_PROMISED,
    ClassThreshold,
    Thresholds,
    answer,
    early_threshold,
    fit_thresholds,
    lowest_by_scene,
    repeats,
    shares,
    withheld,
)

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
    for seen, promised in ((far, FAR_SHARE), (doubt, DOUBT_SHARE)):
        expected, error = rank(promised, n) / (n + 1), np.std(seen) / np.sqrt(len(seen))
        assert expected <= promised
        assert np.mean(seen) == pytest.approx(expected, abs=4 * error)


@settings(deadline=None)  # a busy machine takes its time
@given(st.integers(0, 40), st.integers(0, 99))
def test_only_too_few_photos_for_the_promise_are_early(n, seed):
    rng = np.random.default_rng(seed)
    ood_scores, confidences, others = rng.random(n), rng.random(n), 1 + rng.random(30)
    alone, beside = fit_thresholds(ood_scores, confidences), fit_thresholds(ood_scores, confidences, others)
    assert beside.early == (LEAST_EARLY <= n < LEAST_PROMISED)
    assert (beside.n, beside.confidence) == (n, alone.confidence)
    assert beside.ood_score == (early_threshold(ood_scores, others) if beside.early else alone.ood_score)
    assert Thresholds.from_json(beside.to_json()) == beside
    assert ("early" in beside.to_json()) == beside.early


@given(st.integers(LEAST_EARLY, FADES_FROM), st.integers(0, 99))
def test_the_early_threshold_lies_halfway(n, seed):
    """Between 1.5 standard deviations beyond the mean of one's own, and what 9 in 10 of other things lie beyond."""
    rng = np.random.default_rng(seed)
    own, others = rng.random(n), 1 + rng.random(101)
    mean = sum(own) / n
    far_end = mean + 1.5 * (sum((x - mean) ** 2 for x in own) / (n - 1)) ** 0.5
    assert early_threshold(own, others) == pytest.approx((far_end + sorted(others)[10]) / 2)
    assert early_threshold(own[::-1], others[::-1]) == pytest.approx(early_threshold(own, others))


def steps(threshold):
    """(n,) by how much the mean threshold of 4,000 sets moves where one photo is added to n, from FADES_FROM on."""
    rng = np.random.default_rng(0)
    own, others = rng.normal(0.5, 0.05, (4000, LEAST_PROMISED + 3)), np.linspace(0.65, 1, 105)
    sizes = range(FADES_FROM, LEAST_PROMISED + 4)
    return np.diff([np.mean([threshold(scores[:n], others) for scores in own]) for n in sizes])


@pytest.mark.slow
def test_nothing_jumps_where_the_promise_begins():
    """The mean threshold moves at the first promised photo as it does at those before and after it."""
    moved = np.abs(steps(lambda own, others: fit_thresholds(own, own, others).ood_score))
    first = LEAST_PROMISED - FADES_FROM - 1
    assert moved[first] <= moved[:first].max()
    sudden = np.abs(steps(_without_fading))
    assert sudden[first] > 4 * moved[first], "this test sees a jump where there is one"


def _without_fading(own, others):
    limits = fit_thresholds(own, own, others)
    return (own.mean() + 1.5 * own.std(ddof=1) + np.quantile(others, 0.1)) / 2 if limits.early else limits.ood_score


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


def own(label, prob, name=""):
    return ClassThreshold(name or NAMES[label], 0.99, 0.99, 0.95, 1.0, 120, 120, label, prob)


def test_a_class_not_to_be_missed_is_named_though_another_is_likelier():
    limits = Thresholds(0.5, 0.6, 100, never_miss=(own(1, 0.1),))
    assert answer(NAMES, np.array([0.9, 0.1, 0.0]), 0.1, limits) == "dog"
    assert answer(NAMES, np.array([0.9, np.nextafter(0.1, 0), 0.0]), 0.1, limits) == "cat"
    assert answer(NAMES, np.array([0.45, 0.1, 0.45]), 0.1, limits) == "dog", "a claim comes before a close call"
    assert answer(NAMES, np.array([0.9, 0.1, 0.0]), 0.6, limits) == "none of these", "and after a far photo"


def test_two_classes_that_claim_a_photo_leave_it_without_a_name():
    limits = Thresholds(None, None, 100, never_miss=(own(0, 0.02), own(1, 0.3)))
    assert answer(NAMES, np.array([0.5, 0.4, 0.1]), 0.1, limits) == "not sure"
    assert answer(NAMES, np.array([0.01, 0.4, 0.59]), 0.1, limits) == "dog"
    assert answer(NAMES, np.array([0.01, 0.2, 0.79]), 0.1, limits) == "hen"


@given(
    st.lists(st.floats(0, 1), min_size=3, max_size=3),
    st.lists(st.tuples(st.integers(0, 2), st.floats(0, 1)), max_size=3, unique_by=lambda pair: pair[0]),
    st.floats(0, 2),
)
def test_a_photo_of_a_claiming_class_never_gets_another_name(probs, claims, ood_score):
    """Whatever else is asked for: at or above its threshold a class is answered, or no name at all."""
    limits = Thresholds(0.7, 0.4, 100, never_miss=tuple(own(label, prob) for label, prob in claims))
    said = answer(NAMES, np.array(probs), ood_score, limits)
    for label, prob in claims:
        if probs[label] >= prob:
            assert said in (NAMES[label], "not sure", "none of these")


def test_single_precision_is_compared_as_a_browser_compares_it():
    """A float32 is widened, and the threshold is not rounded to meet it."""
    prob = float(np.float32(0.1))
    above = Thresholds(None, None, 0, never_miss=(own(1, np.nextafter(prob, 1)),))
    assert answer(NAMES, np.array([0.9, 0.1, 0], np.float32), 0.0, above) == "cat"


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=300), st.floats(0.001, 0.5))
def test_with_one_photo_a_scene_the_threshold_is_an_order_statistic(values, share):
    k = int(Fraction(share) * (len(values) + 1) + Fraction(1, 10**9))
    got = lowest_by_scene(np.array(values), np.arange(len(values)), share)
    if k == 0:
        assert got is None
        return
    assert got[0] == sorted(values)[k - 1]
    assert got[1] == 1 + sum(value < got[0] for value in values) <= k


def test_photos_of_one_scene_count_as_one():
    values = np.arange(100) / 100
    assert lowest_by_scene(values, np.zeros(100, int), 0.1) is None
    scenes = np.arange(100) // 10
    value, rank = lowest_by_scene(values, scenes, 1 / 11)
    assert (value, rank) == (0.0, 1.0), "ten scenes carry rank 1, and no more"
    value, rank = lowest_by_scene(values, scenes, 2 / 11)
    assert (value, rank) == (0.1, pytest.approx(2.0)), "a whole scene lies below: its ten photos weigh one"


@pytest.mark.parametrize(("n_scenes", "recall"), [(60, 0.95), (150, 0.99), (40, 0.9)])
def test_misses_of_new_scenes_stay_within_what_was_asked(n_scenes, recall):
    """Over many draws of scenes of unequal size, at most 1 - recall of photos of new scenes fall below."""
    rng, missed = np.random.default_rng(0), []
    for _ in range(1500):
        sizes = rng.integers(1, 9, n_scenes)
        scenes = np.repeat(np.arange(n_scenes), sizes)
        values = rng.normal(size=n_scenes)[scenes] + 0.3 * rng.normal(size=len(scenes))
        value, _ = lowest_by_scene(values, scenes, 1 - recall)
        missed.append(np.mean(rng.normal(size=200) + 0.3 * rng.normal(size=200) < value))
    error = np.std(missed) / np.sqrt(len(missed))
    assert np.mean(missed) <= 1 - recall + 3 * error
    assert np.mean(missed) >= (1 - recall) / 2, "and the promise is not bought with far more false alarms"


@pytest.mark.parametrize("share", [1, 0.99, 0.95, 0.9, 0.8, 0.05])
def test_what_may_be_withheld_adds_up(share):
    far, doubt = shares(share)
    assert far + doubt == pytest.approx(1 - share)
    assert 0 <= far <= FAR_SHARE
    assert doubt >= 0
    values = np.linspace(0, 1, 2000)
    limits = fit_thresholds(values, values[::-1], answer=share)
    n_kept = sum(withheld(np.array([v]), u, limits) is None for u, v in zip(values, values[::-1], strict=True))
    assert n_kept >= share * 2000


def test_thresholds_survive_their_json():
    limits = Thresholds(0.5, None, 100, answer=0.9, never_miss=(own(1, 0.1),), n_torn=3)
    assert Thresholds.from_json(json.loads(json.dumps(limits.to_json()))) == limits
    assert set(Thresholds(0.5, 0.6, 100).to_json()) == {"unknown_score", "confidence", "n"}, "as models of before"


def frames(rng, n_scenes, most=9):
    """(N,) scenes of 1 to `most` photos, and (N,) what one photo scores: mostly what its scene scores."""
    scenes = np.repeat(np.arange(n_scenes), rng.integers(1, most + 1, n_scenes))
    return scenes, rng.normal(size=n_scenes)[scenes] + 0.2 * rng.normal(size=len(scenes))


@given(st.integers(1, 300), st.integers(0, 99))
def test_where_each_photo_is_a_scene_nothing_changes(n, seed):
    rng = np.random.default_rng(seed)
    ood_scores, confidences, others = rng.random(n), rng.random(n), 1 + rng.random(30)
    for of_reference in (None, others):
        plain = fit_thresholds(ood_scores, confidences, of_reference, answer=0.9)
        scenes = rng.permutation(n)
        assert fit_thresholds(ood_scores, confidences, of_reference, scenes=scenes, answer=0.9) == plain
        assert plain.n_scenes is None
        assert plain.n_ranked == n
        assert not repeats(scenes)


def test_photos_of_new_scenes_are_named_as_often_as_asked():
    rng, named, share = np.random.default_rng(1), [], 0.9
    for _ in range(500):
        scenes, values = frames(rng, 120)
        limits = fit_thresholds(-values, values, scenes=scenes, answer=share)
        new = rng.normal(size=200) + 0.2 * rng.normal(size=200)
        named.append(np.mean((-new <= limits.ood_score) & (new >= limits.confidence)))
    error = np.std(named) / np.sqrt(len(named))
    assert limits.n_scenes == 120 < limits.n
    assert share - 3 * error <= np.mean(named) <= share + 0.05 + 3 * error, "both gates refuse the same photos here"


def test_a_scene_repeated_as_often_as_all_others_changes_no_threshold():
    rng = np.random.default_rng(2)
    ood_scores, confidences = rng.random(150), rng.random(150)
    plain = fit_thresholds(ood_scores, confidences)
    thrice = fit_thresholds(np.repeat(ood_scores, 3), np.repeat(confidences, 3), scenes=np.repeat(np.arange(150), 3))
    assert (thrice.ood_score, thrice.confidence) == (plain.ood_score, plain.confidence)
    assert (thrice.n, thrice.n_scenes, thrice.n_ranked) == (450, 150, 150)
    by_photo = fit_thresholds(np.repeat(ood_scores, 3), np.repeat(confidences, 3))
    assert by_photo.confidence != plain.confidence, "450 photos would be a higher rank"


def test_a_hundred_frames_of_few_scenes_are_early():
    rng = np.random.default_rng(3)
    scenes = np.repeat(np.arange(12), 10)
    own, others = rng.normal(0.3, 0.05, 12), 0.8 + 0.1 * rng.random(50)
    repeated = fit_thresholds(own[scenes], own[scenes], others, scenes=scenes)
    once = fit_thresholds(own, own, others)
    assert repeated.early
    assert once.early
    assert repeated.ood_score == pytest.approx(once.ood_score)
    assert repeated.confidence is None
    alone = fit_thresholds(own[scenes], own[scenes], scenes=scenes)
    assert alone.early, "a network that has seen no other things keeps the rank among photos, without a promise"
    assert alone.ood_score == fit_thresholds(own[scenes], own[scenes]).ood_score
    assert fit_thresholds(own[scenes], own[scenes], others, scenes=np.zeros(120, int)).early, "one scene is few"


def test_scenes_survive_their_json():
    limits = Thresholds(0.5, 0.6, 100, n_scenes=40)
    assert Thresholds.from_json(json.loads(json.dumps(limits.to_json()))) == limits
    assert limits.to_json()["n_scenes"] == 40

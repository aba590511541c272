"""Wishes about mistakes become thresholds that keep them, or a sentence on how many photos that takes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.classifier.decision import Thresholds, answer
from tellapart.classifier.kept_scores import Scored
from tellapart.errors import InputError
from tellapart.evaluation.wishes import (
    contradiction,
    decide,
    guarantee_of,
    kept_on_test,
    of_photos,
    refuse_impossible,
    strictest_recall,
)
from tellapart.metrics.conformal import guarantee, least_photos
from tellapart.recipe import Wishes

NAMES = ("good", "defect")
USUAL = Thresholds(0.9, 0.5, 400)


def scored(n_good, n_defect, seed=0, overlap=1.2):
    """Two classes whose log-odds overlap."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(2, dtype=np.int32), (n_good, n_defect))
    odds = rng.normal(size=len(labels)) + overlap * (2 * labels - 1)
    prob = 1 / (1 + np.exp(-odds))
    return Scored(labels, np.stack([1 - prob, prob], axis=1).astype(np.float32), rng.random(len(labels)).astype("f4"))


def alone(said):
    return np.arange(len(said))


@pytest.mark.parametrize(("share", "words"), [
    (0.01, "1 of 100"), (0.001, "1 of 1,000"), (0.02, "2 of 100"), (0.015, "15 of 1,000"), (0.0001, "1 of 10,000"),
    (1 - 0.99, "1 of 100"), (1 - 0.999, "1 of 1,000"), (0.5, "50 of 100"), (1 / 300, "3.3 of 1,000"),
])  # fmt: skip
def test_shares_in_words(share, words):
    assert of_photos(share) == words


@given(st.integers(2, 3000))
def test_the_strictest_wish_is_possible_and_a_stricter_one_is_not(n):
    recall = strictest_recall(n)
    assert least_photos(1 - recall) <= n
    assert recall > 0.9985 or least_photos(1 - (recall + 0.001)) > n


def test_an_impossible_wish_says_how_many_photos_it_takes():
    labels, scenes = [0] * 100 + [1] * 80, list(range(180))
    with pytest.raises(InputError) as raised:
        refuse_impossible(Wishes(never_miss={"defect": 0.999}), NAMES, labels, scenes)
    assert "miss at most 1 of 1,000 photos" in raised.value.message
    assert "takes 999 photos" in raised.value.message
    assert "there are 80" in raised.value.message
    assert "Another 919 are needed" in raised.value.message
    assert raised.value.hint == "With these photos: --never-miss defect=0.987"
    refuse_impossible(Wishes(never_miss={"defect": 0.987}), NAMES, labels, scenes)


@pytest.mark.parametrize(("labels", "scenes", "says"), [
    ([0, 0, 0, 1], [0, 1, 2, 3], "there is 1."),
    ([0] * 9 + [1] * 200, [*range(9), *[9] * 200], "there are 200, of 1 scene"),
    ([0] * 9, range(9), "there are 0."),
])  # fmt: skip
def test_one_photo_and_one_scene_promise_nothing(labels, scenes, says):
    with pytest.raises(InputError, match=says) as raised:
        refuse_impossible(Wishes(never_miss={"defect": 0.9}), NAMES, labels, scenes)
    assert raised.value.hint == "Nothing can be promised of a class with so few photos."


@pytest.mark.parametrize("wish", [
    {"answer": 0.01}, {"answer": 1.5}, {"answer": 95}, {"answer": -1}, {"answer": float("nan")},
    {"never_miss": {"defect": 1}}, {"never_miss": {"defect": 0.2}}, {"never_miss": {"defect": 99}},
    {"never_miss": {"defect": float("nan")}},
])  # fmt: skip
def test_shares_out_of_range_are_refused(wish):
    with pytest.raises(InputError, match="must be"):
        Wishes(**wish)


def test_an_unknown_class_is_refused_with_the_nearest():
    said = scored(100, 100)
    with pytest.raises(InputError, match='There is no class "defekt"') as raised:
        decide(Wishes(never_miss={"defekt": 0.9}), said, alone(said), NAMES, USUAL)
    assert 'Did you mean "defect"?' in raised.value.hint


def test_without_a_wish_the_thresholds_stay_as_they_are():
    said = scored(100, 100)
    assert decide(Wishes(), said, alone(said), NAMES, USUAL) == USUAL


@pytest.mark.parametrize("recall", [0.9, 0.95, 0.99])
def test_new_photos_of_a_class_are_missed_no_more_often_than_asked(recall):
    """Over many draws, answered as a person is answered, none-of-these and all."""
    missed, named = [], []
    for seed in range(300):
        said, new = scored(200, 150, seed), scored(100, 100, 1000 + seed)
        thresholds = decide(Wishes(0.9, {"defect": recall}), said, alone(said), NAMES, USUAL)
        answers = [answer(NAMES, p, float(u), thresholds) for p, u in zip(new.probs, new.ood_scores, strict=True)]
        missed.append(np.mean([a == "good" for a, label in zip(answers, new.labels, strict=True) if label == 1]))
        named.append(np.mean([a in NAMES for a in answers]))
    assert np.mean(missed) <= 1 - recall + 3 * np.std(missed) / np.sqrt(300)
    assert np.mean(named) >= 0.9 - 0.01
    [kept] = thresholds.never_miss
    assert kept.low < recall <= kept.kept < kept.high


def test_both_classes_not_to_be_missed_leave_a_band_in_between_and_say_what_it_costs():
    said, new = scored(400, 400), scored(3000, 3000, seed=7)
    thresholds = decide(Wishes(never_miss={"good": 0.95, "defect": 0.95}), said, alone(said), NAMES, USUAL)
    assert thresholds.n_torn > 100
    answers = np.array([answer(NAMES, p, 0.0, thresholds) for p in new.probs])
    for label, name in enumerate(NAMES):
        assert np.mean(answers[new.labels == label] == NAMES[1 - label]) == pytest.approx(0.05, abs=0.03), name
    assert np.mean(answers == "not sure") == pytest.approx(thresholds.n_torn / 800, abs=0.05)
    assert guarantee_of(thresholds).kept < 0.9
    assert "Ask for less of one of them." in contradiction(thresholds)


def test_nothing_contradicts_itself_where_no_photo_is_torn():
    said = scored(400, 400)
    thresholds = decide(Wishes(never_miss={"defect": 0.99}), said, alone(said), NAMES, USUAL)
    assert contradiction(thresholds) == ""
    assert guarantee_of(USUAL) == guarantee(400, 0.04, 0.01)
    assert guarantee_of(thresholds).low == guarantee_of(USUAL).low


def test_test_photos_are_counted_as_they_are_answered():
    said, new = scored(300, 300), scored(50, 40, seed=5)
    thresholds = decide(Wishes(never_miss={"defect": 0.95}), said, alone(said), NAMES, USUAL)
    [kept] = kept_on_test(new, thresholds)
    answers = [answer(NAMES, p, float(u), thresholds) for p, u in zip(new.probs, new.ood_scores, strict=True)]
    pairs = list(zip(answers, new.labels.tolist(), strict=True))
    assert kept.n_missed == pairs.count(("good", 1))
    assert kept.n_false_alarms == pairs.count(("defect", 0)) > 0
    assert (kept.n_own, kept.n_others) == (40, 50)
    assert f"{kept.n_false_alarms} were called" in kept.sentence
    assert kept_on_test(new, USUAL) == ()


def test_an_early_threshold_promises_nothing_whatever_is_asked_for():
    said = scored(9, 9, overlap=0.3)
    early = Thresholds(0.9, None, 18, early=True)
    thresholds = decide(Wishes(never_miss={"good": 0.9, "defect": 0.9}), said, alone(said), NAMES, early)
    assert thresholds.early
    assert thresholds.n_torn > 0
    assert guarantee_of(thresholds) is None
    assert contradiction(thresholds) == ""
    assert not decide(Wishes(1.0), said, alone(said), NAMES, early).early, "every photo gets a name"


def test_the_share_named_is_counted_in_scenes_where_they_repeat():
    said = scored(200, 200)
    thrice = Scored(*(np.repeat(values, 3, axis=0) for values in (said.labels, said.probs, said.ood_scores)))
    scenes = np.repeat(np.arange(400), 3)
    once = decide(Wishes(0.9), said, alone(said), NAMES, USUAL)
    repeated = decide(Wishes(0.9), thrice, scenes, NAMES, Thresholds(0.9, 0.5, 1200, n_scenes=400))
    assert (repeated.ood_score, repeated.confidence) == (once.ood_score, once.confidence)
    assert (repeated.n, repeated.n_scenes) == (1200, 400)
    kept = guarantee_of(repeated)
    assert (kept.low, kept.high, kept.n) == (*(getattr(guarantee_of(once), end) for end in ("low", "high")), 1200)
    of_class = decide(Wishes(never_miss={"defect": 0.95}), thrice, scenes, NAMES, repeated)
    assert guarantee_of(of_class).low < guarantee_of(USUAL).low + 0.02


def test_a_model_of_before_counts_photos_until_it_is_set_anew():
    said = scored(150, 150)
    scenes = np.arange(300) // 3
    before = Thresholds(0.9, 0.5, 300)
    assert guarantee_of(before) == guarantee(300, 0.04, 0.01)
    anew = decide(Wishes(), said, scenes, NAMES, before)
    assert (anew.n, anew.n_scenes) == (300, 100)
    assert decide(Wishes(), said, scenes, NAMES, anew) == anew, "and then stays"

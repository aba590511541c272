"""What a mistake costs, as loops over its definition count it."""

import json

import numpy as np
import pytest

from tellapart.classifier.decision import fit_thresholds
from tellapart.classifier.kept_scores import KeptScores, Scored
from tellapart.evaluation.costs import ANSWERS, RECALLS, costs_of, left_out_share
from tellapart.evaluation.evaluation import as_json
from tellapart.metrics.conformal import least_photos
from tellapart.metrics.intervals import wilson

NAMES = ("good", "scratch", "dent")


def scored(counts, seed, n_classes=3):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    logits = rng.normal(size=(len(labels), n_classes))
    logits[np.arange(len(labels)), labels] += 1.5
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Scored(labels, probs.astype(np.float32), rng.random(len(labels)).astype(np.float32))


def kept(counts, seed=0, n_classes=3):
    said, rng = scored(counts, seed, n_classes), np.random.default_rng(seed + 100)
    nearness = rng.random((len(said), n_classes)).astype(np.float32)
    unseen = rng.random(len(said)).astype(np.float32)
    return KeptScores(said, np.arange(len(said), dtype=np.int32), nearness, unseen, scored((30, 20, 10), seed + 1))


@pytest.fixture(scope="module")
def whole():
    return kept((300, 150, 40))


@pytest.fixture(scope="module")
def costs(whole):
    return costs_of(whole.out_of_fold, whole.tested, NAMES, whole.scenes, whole)


def test_names_and_mistakes_are_counted_as_loops_count_them(whole, costs):
    said, tested = whole.out_of_fold, whole.tested
    assert [row.answer for row in costs.named] == list(ANSWERS)
    for row in costs.named:
        limits = fit_thresholds(said.ood_scores, said.probs.max(axis=1), answer=row.answer)
        n_named = n_wrong = n_mistakes = 0
        for label, probs, ood_score in zip(tested.labels, tested.probs, tested.ood_scores, strict=True):
            wrong = int(np.argmax(probs)) != label
            got_one = float(ood_score) <= limits.ood_score and float(max(probs)) >= (limits.confidence or 0)
            n_named, n_wrong, n_mistakes = n_named + got_one, n_wrong + (got_one and wrong), n_mistakes + wrong
        assert (row.n_named, row.n_wrong, row.n_mistakes) == (n_named, n_wrong, n_mistakes)
        assert row.n_withheld == n_mistakes - n_wrong
        assert (row.wrong.low, row.wrong.high) == wilson(n_wrong, n_named)
    assert costs.named[0].n_named > costs.named[-1].n_named
    assert costs.named[-1].n_withheld > costs.named[0].n_withheld


def test_misses_and_false_alarms_are_counted_as_loops_count_them(whole, costs):
    tested = whole.tested
    for c, one in enumerate(costs.classes):
        assert one.class_name == NAMES[c]
        for row in one.rows:
            own = [p[c] for p, label in zip(tested.probs, tested.labels, strict=True) if label == c]
            other = [p[c] for p, label in zip(tested.probs, tested.labels, strict=True) if label != c]
            assert (one.n_own, one.n_others) == (len(own), len(other))
            assert row.n_missed == sum(float(p) < row.probability for p in own)
            assert row.n_false_alarms == sum(float(p) >= row.probability for p in other)
            assert row.low <= row.recall <= row.high
        alarms = [row.n_false_alarms for row in one.rows]
        assert alarms == sorted(alarms, reverse=True), "the fewer misses, the more false alarms"


def test_what_takes_more_photos_says_how_many(costs):
    dent = costs.classes[2]
    assert {need.recall for need in dent.needed} == {0.999, 0.99, 0.98}
    assert {row.recall for row in dent.rows} == set(RECALLS) - {0.999, 0.99, 0.98}
    assert [need.n_more for need in dent.needed] == [999 - 40, 99 - 40, 49 - 40]
    assert all(need.n == least_photos(1 - need.recall) for need in dent.needed)
    assert (
        "takes 59 more of them than the 40 that it was tried on. With those there are, 25 of 1,000 can be."
        in (costs.sentences[-1])
    )


def test_classes_left_out_equal_their_slow_twin(whole):
    said, shares = whole.out_of_fold, []
    for c in range(3):
        ood_scores, confidences = [], []
        for i in range(len(said)):
            rest = [float(said.probs[i, k]) for k in range(3) if k != c]
            ood_scores.append(1 - max(whole.nearness[i, k] for k in range(3) if k != c))
            confidences.append(max(rest) / sum(rest))
        others, own = np.flatnonzero(said.labels != c), np.flatnonzero(said.labels == c)
        limits = fit_thresholds(np.array(ood_scores)[others], np.array(confidences)[others], answer=0.9)
        passed = [
            float(ood_scores[i]) <= limits.ood_score and float(whole.unseen_confidences[i]) >= limits.confidence
            for i in own
        ]
        shares.append(np.mean(passed))
    assert left_out_share(whole, 0.9) == pytest.approx(np.mean(shares))


def test_two_classes_are_one_curve_of_the_rarer_one():
    two = kept((50, 200), n_classes=2)
    two = KeptScores(two.out_of_fold, two.scenes, two.nearness, two.unseen_confidences, scored((20, 20), 3, 2))
    costs = costs_of(two.out_of_fold, two.tested, ("defect", "good"), two.scenes, two)
    assert [c.class_name for c in costs.classes] == ["defect"]
    assert costs.mirrored


def test_without_kept_scores_photos_set_their_own_ranks_and_that_is_said(whole):
    costs = costs_of(whole.tested, whole.tested, NAMES, np.arange(60), None)
    assert costs.own_ranks
    assert costs.sentences[0].startswith("This model keeps no out-of-fold values")
    assert all(row.left_out is None for row in costs.named)


def test_a_photo_at_a_threshold_is_not_missed(whole):
    """Where photos set their own ranks, the threshold is the probability of one of them; others' at it are alarms."""
    tested = whole.tested
    probs = np.tile(np.float32([0.25, 0.25, 0.5]), (len(tested), 1))
    level = Scored(tested.labels, probs, tested.ood_scores)
    for c in costs_of(level, level, NAMES, np.arange(60), None).classes:
        assert [(row.n_missed, row.n_false_alarms) for row in c.rows] == [(0, c.n_others)] * len(c.rows)
    ranked = costs_of(tested, tested, NAMES, np.arange(60), None).classes[0]
    assert ranked.n == 30
    assert [row.n_missed for row in ranked.rows] == [int((1 - row.recall) * 31 + 1e-9) - 1 for row in ranked.rows]


@pytest.mark.parametrize("counts", [(0, 0, 0), (1, 0, 0), (1, 1, 1)])
def test_hardly_any_photo_is_no_error(counts):
    few = kept(counts)
    empty = Scored(np.zeros(0, np.int32), np.zeros((0, 3), np.float32), np.zeros(0, np.float32))
    costs = costs_of(few.out_of_fold, empty, NAMES, few.scenes, few)
    json.dumps(as_json(costs), allow_nan=False)
    assert costs.n_test == 0
    assert all(not c.rows for c in costs.classes)


def test_a_class_of_one_scene_can_promise_nothing(whole):
    scenes = np.where(whole.out_of_fold.labels == 1, 0, whole.scenes).astype(np.int32)
    costs = costs_of(whole.out_of_fold, whole.tested, NAMES, scenes, whole)
    scratch = costs.classes[1]
    assert (scratch.n, scratch.n_scenes, scratch.rows) == (150, 1, ())
    assert [need.n_more for need in scratch.needed][-1] == 3

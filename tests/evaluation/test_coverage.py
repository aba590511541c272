"""The report card of "none of these" equals what loops over its definition count."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tellapart.classifier.cross_validation import CrossValidated
from tellapart.classifier.decision import DOUBT_SHARE, FAR_SHARE, Thresholds, early_threshold
from tellapart.classifier.kept_scores import KeptScores, Scored
from tellapart.classifier.ood import directions
from tellapart.classifier.probe import fit_probe, make_folds
from tellapart.classifier.temperature import calibrated
from tellapart.engine.ood_reference import OodReference
from tellapart.evaluation import coverage
from tellapart.evaluation.coverage import NEVER_EARLY_SAID, guarantee_of, never_early
from tellapart.evaluation.evaluation import as_json
from tellapart.evaluation.kept import of_reference
from tellapart.metrics.conformal import guarantee, observed_in_band
from tellapart.metrics.intervals import wilson
from tellapart.recipe import LinearProbe, Reading

NAMES = ("cat", "dog", "hen")
RECIPE = LinearProbe(Reading(quality="fast"))


def refusals(said, labels, names, fitted, others):
    """As evaluation.json has it."""
    own, tested = fitted.out_of_fold, Scored(labels, said.probs.astype(np.float32), said.ood_scores)
    probs = calibrated(own.logits, fitted.temperature).astype(np.float32)
    out_of_fold, alone = Scored(own.labels, probs, own.ood_scores), np.arange(len(own.labels), dtype=np.int32)
    unseen = np.full(len(own.labels), np.nan, np.float32)
    kept = KeptScores(out_of_fold, alone, own.nearness, unseen, tested, *of_reference(fitted, others))
    counted = others.counted() if others else None
    shown = (counted.sources, counted.names) if counted else None
    return as_json(coverage.refusals(fitted.thresholds, kept, names, shown))


def real_photos(*args):
    """As evaluation.json has it."""
    return as_json(coverage.real_photos(*args))


def photos(per_class, seed=0, d=24, spread=0.5):
    """Features of three classes, labels, and of other things from two sources: 25 to count and 8 to fit on."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((5, d))
    labels = np.repeat(np.arange(3, dtype=np.int32), per_class)
    other = np.repeat([3, 4, 0, 3, 4], (12, 9, 4, 4, 4))  # four are cats that somebody took for something else

    def around(which):
        return (centres[which] + spread * rng.standard_normal((len(which), d))).astype(np.float32)

    sources = ("cups",) * 12 + ("cloth",) * 9 + ("cups",) * 8 + ("cloth",) * 4
    names, fitted_on = tuple(f"thing {i}" for i in range(33)), np.arange(33) >= 25
    return around(labels), labels, OodReference(around(other), sources, names, fitted_on)


def fitted_on(features, labels, others=None):
    alone = np.arange(len(labels), dtype=np.int32)
    reference = None if others is None else others.to_fit
    return fit_probe(features, labels, make_folds(labels, alone, RECIPE), 3, RECIPE, reference=reference)


def said_of(fitted, features):
    probs = fitted.probs(features)
    return CrossValidated(probs, probs, fitted.centres.ood_scores(features))


@pytest.fixture(scope="module")
def known():
    """A probe of 3 × 60 photos, new photos of the same classes, and the OOD reference."""
    features, labels, others = photos(60)
    fresh, fresh_labels, _ = photos(30, seed=0)
    fitted = fitted_on(features, labels)
    return fitted, fresh + np.float32(0.1), fresh_labels, others


@pytest.fixture(scope="module")
def card(known):
    fitted, fresh, labels, others = known
    return refusals(said_of(fitted, fresh), labels, NAMES, fitted, others)


def test_real_photos_are_counted_as_loops_count_them(known, card):
    fitted, fresh, labels, _ = known
    limits, counts = fitted.thresholds, dict.fromkeys(("named", "right", "unsure", "none"), 0)
    for probs, ood_score, label in zip(
        fitted.probs(fresh), fitted.centres.ood_scores(fresh), labels.tolist(), strict=True
    ):
        if ood_score > limits.ood_score:
            counts["none"] += 1
        elif max(probs) < limits.confidence:
            counts["unsure"] += 1
        else:
            counts["named"] += 1
            counts["right"] += int(np.argmax(probs)) == label
    assert counts == {
        "named": card["n_named"], "right": card["n_named_right"],
        "unsure": card["n_not_sure"], "none": card["n_none_of_these"],
    }  # fmt: skip
    assert counts["none"] > 0
    assert card["sentences"][0].startswith(f"{counts['named']} of 90 ")
    assert f"{counts['right']} of those names were right" in card["sentences"][0]


def test_the_promise_and_what_was_seen_of_it(known, card):
    fitted = known[0]
    expected = guarantee(fitted.thresholds.n, FAR_SHARE, DOUBT_SHARE)
    assert guarantee_of(fitted.thresholds) == expected
    assert card["promise"] == expected.to_json()
    assert card["observed"] == vars(observed_in_band(card["n_named"], 90, expected))
    low, high = round(100 * expected.low), round(100 * expected.high)
    assert f"{low} to {high} is plausible with your 180 photos" in card["promise_in_words"]


def test_left_out_classes_equal_their_slow_twin(known, card):
    """Each class as if never seen: its centres gone, and the threshold from the other classes' photos alone."""
    said = known[0].out_of_fold
    rows = {}
    for c, name in enumerate(NAMES):
        others = [i for i in range(len(said.labels)) if said.labels[i] != c]
        own = [i for i in range(len(said.labels)) if said.labels[i] == c]

        def ood_score(i, c=c):
            return 1 - max(float(said.nearness[i, other]) for other in range(3) if other != c)

        scores = sorted((ood_score(i) for i in others), reverse=True)
        limit = scores[int(FAR_SHARE * (len(others) + 1)) - 1]
        n_refused = sum(ood_score(i) > limit + 1e-9 for i in own)
        rows[name] = (len(own), n_refused, *wilson(n_refused, len(own)))
    assert {r["class_name"]: (r["n"], r["n_refused"], r["low"], r["high"]) for r in card["left_out"]} == rows
    values = [row["value"] for row in card["left_out"]]
    assert values == sorted(values)
    assert values == [row["n_refused"] / row["n"] for row in card["left_out"]]
    assert max(values) > 0.5, "classes this far apart are told from each other"
    assert card["sentences"][-1].endswith("; to the others it gives the name of the closest class.")


def test_other_photos_are_counted_by_source_and_those_that_passed_are_named(known, card):
    fitted, _, _, others = known
    expected = {}
    for features, source, name in zip(others.features[:25], others.sources, others.names, strict=False):
        ood_score = float(fitted.centres.ood_scores(features[None])[0])
        probs = fitted.probs(features[None])[0]
        row = expected.setdefault(source, {"n": 0, "n_refused": 0, "n_none_of_these": 0, "passed": []})
        row["n"] += 1
        if ood_score > fitted.thresholds.ood_score:
            row["n_refused"] += 1
            row["n_none_of_these"] += 1
        elif probs.max() < fitted.thresholds.confidence:
            row["n_refused"] += 1
        else:
            row["passed"].append({"name": name, "answer": NAMES[int(probs.argmax())]})
    assert {row["source"]: {key: row[key] for key in row.keys() & expected["cups"].keys()} for row in card["strangers"]
            } == expected  # fmt: skip
    assert [row["value"] for row in card["strangers"]] == sorted(row["value"] for row in card["strangers"])
    assert {passed["name"] for passed in expected["cups"]["passed"]} & {f"thing {i}" for i in range(21, 25)}
    [sentence] = [s for s in card["sentences"] if s.startswith("Shown 25 photos of other things")]
    assert "(“cat”)" in sentence


def test_the_card_is_json_without_nan(card):
    assert json.loads(json.dumps(card, allow_nan=False)) == card


def test_no_other_photo_and_an_unknown_backbone_say_nothing_of_others(known):
    fitted, fresh, labels, _ = known
    card = refusals(said_of(fitted, fresh), labels, NAMES, fitted, None)
    assert card["strangers"] == []
    assert not any("other things" in sentence for sentence in card["sentences"])


@pytest.mark.parametrize(("per_class", "can"), [(2, False), (7, False), (9, True)])
def test_below_the_least_number_nothing_is_promised_counted_or_refused(per_class, can):
    features, labels, others = photos(per_class)
    fitted = fitted_on(features, labels)
    assert fitted.thresholds.n == 3 * per_class
    card = refusals(said_of(fitted, features), labels, NAMES, fitted, others)
    assert (card["promise"] is not None) == (card["observed"] is not None) == can
    assert bool(card["strangers"]) == can
    assert ("never says “none of these”" in card["promise_in_words"]) == (not can)
    if not can:
        assert card["left_out"] == []
        assert card["n_named"] == len(labels)
    json.dumps(card, allow_nan=False)


def test_a_class_left_out_needs_enough_photos_of_the_others():
    features, labels, others = photos(9)
    fitted = fitted_on(features, labels, others)
    card = refusals(said_of(fitted, features), labels, NAMES, fitted, others)
    assert card["left_out"] == [], "18 photos of the others set no threshold"
    assert not any("as if it had never been seen" in sentence for sentence in card["sentences"])


def test_where_the_model_is_early_so_is_the_threshold_of_a_class_left_out():
    features, labels, others = photos(7)
    fitted = fitted_on(features, labels, others)
    card = refusals(said_of(fitted, features), labels, NAMES, fitted, others)
    near = fitted.centres.nearness(directions(others.to_fit, None), 3)
    for row in card["left_out"]:
        c = NAMES.index(row["class_name"])
        own = fitted.out_of_fold.labels == c
        rest = [j for j in range(3) if j != c]
        scores = 1 - fitted.out_of_fold.nearness[:, rest].max(axis=1)
        limit = early_threshold(scores[~own], 1 - near[:, rest].max(axis=1))
        assert (row["n"], row["n_refused"]) == (7, int((scores[own] > limit).sum()))
    assert len(card["left_out"]) == 3


@pytest.mark.parametrize("per_class", [3, 7])
def test_few_photos_refuse_early_and_promise_nothing(per_class):
    features, labels, others = photos(per_class)
    fitted = fitted_on(features, labels, others)
    assert fitted.thresholds.early
    assert fitted.thresholds.n == 3 * per_class
    card = refusals(said_of(fitted, features), labels, NAMES, fitted, others)
    assert card["early"] is True
    assert (card["promise"], card["observed"]) == (None, None)
    assert "is early here" in card["promise_in_words"]
    assert card["promise_in_words"].endswith(f"it must be tried on 24 photos, and was on {3 * per_class}.")
    assert sum(row["n"] for row in card["strangers"]) == 25, "the other eight set the threshold"
    far = fitted.centres.ood_scores(others.features[:21]) > fitted.thresholds.ood_score
    assert sum(row["n_none_of_these"] for row in card["strangers"]) >= far.sum() >= 17
    assert card["n_named"] >= 0.9 * len(labels)
    json.dumps(card, allow_nan=False)


def test_with_photos_enough_for_the_promise_nothing_is_early():
    features, labels, others = photos(8)
    alone, beside = fitted_on(features, labels), fitted_on(features, labels, others)
    assert alone.thresholds == beside.thresholds
    assert not beside.thresholds.early
    assert "early" not in refusals(said_of(beside, features), labels, NAMES, beside, others)


def test_no_test_photo_is_not_spoken_of():
    empty = real_photos(np.zeros((0, 3)), np.zeros(0), np.zeros(0, np.int32), Thresholds(0.5, None, 60), None)
    assert empty["n_named"] == empty["n_none_of_these"] == 0
    assert empty["observed"] is None
    assert not any(sentence.startswith("0 of 0") for sentence in empty["sentences"])


def test_after_a_run_the_promise_is_said_once_and_plainly():
    kept = guarantee(180, FAR_SHARE, DOUBT_SHARE)
    asked = (np.array([[0.9, 0.1]]), np.array([0.1]), np.array([0], np.int32))
    told = coverage.real_photos(*asked, Thresholds(0.5, 0.4, 180), kept)
    said = f"At least about {round(100 * kept.kept)} of 100 photos of your classes get a name."
    assert coverage.plainly(told) == said
    never_unsure = coverage.real_photos(*asked, Thresholds(0.5, None, 180), kept)
    assert coverage.plainly(never_unsure).startswith(f"{said} It never says “not sure”")
    nothing = coverage.real_photos(*asked, Thresholds(0.5, None, 5, early=True), None)
    assert coverage.plainly(nothing) == nothing.promise_in_words


@pytest.mark.parametrize(
    ("thresholds", "says"),
    [
        (Thresholds(None, None, 5), "It never says “none of these”: it must be tried on 24 photos"),
        (Thresholds(0.5, None, 5, early=True), "“None of these” is early here: it learned from few photos"),
        (Thresholds(0.5, 0.4, 100), "It says “none of these”, but how many photos of your classes get"),
    ],
)
def test_a_model_that_promises_nothing_says_which_way(thresholds, says):
    """An old model has thresholds and no promise; to say that it never refuses would be wrong."""
    card = real_photos(np.array([[0.9, 0.1]]), np.array([0.9]), np.array([0], np.int32), thresholds, None)
    assert card["promise_in_words"].startswith(says)
    assert card["n_none_of_these"] == (thresholds.ood_score is not None)


def test_a_class_that_is_called_none_of_these_is_a_class(known):
    fitted, fresh, labels, others = known
    named = ("none of these", "not sure", "hen")
    card = refusals(said_of(fitted, fresh), labels, named, fitted, others)
    plain = refusals(said_of(fitted, fresh), labels, NAMES, fitted, others)
    counts = ("n_named", "n_named_right", "n_not_sure", "n_none_of_these")
    assert [card[key] for key in counts] == [plain[key] for key in counts]
    assert card["n_named"] + card["n_not_sure"] + card["n_none_of_these"] == len(labels)
    assert [row["n_refused"] for row in card["strangers"]] == [row["n_refused"] for row in plain["strangers"]]


def test_the_order_of_the_photos_changes_nothing(known, card):
    fitted, fresh, labels, others = known
    order = np.random.default_rng(1).permutation(len(labels))
    moved = refusals(said_of(fitted, fresh[order]), labels[order], NAMES, fitted, others)
    assert moved == card


def test_scores_without_any_difference_refuse_nobody():
    """Photos that all look the same: every score is the threshold, and none lies beyond it."""
    features, labels, others = photos(20, spread=0.0)
    fitted = fitted_on(features, labels)
    level = replace(fitted.out_of_fold, nearness=np.full_like(fitted.out_of_fold.nearness, 0.5))
    card = refusals(said_of(fitted, features), labels, NAMES, replace(fitted, out_of_fold=level), others)
    assert [row["n_refused"] for row in card["left_out"]] == [0, 0, 0]


def test_few_photos_of_a_network_that_is_not_bundled_say_why_there_is_nothing_early():
    asked = np.array([[0.9, 0.1]]), np.array([0.9]), np.array([0], np.int32)
    few = Thresholds(None, None, 12)
    bundled, other = (as_json(coverage.real_photos(*asked, few, None, bundled=each)) for each in (True, False))
    assert NEVER_EARLY_SAID not in bundled["promise_in_words"]
    assert "never_early" not in bundled
    assert other["promise_in_words"].endswith(NEVER_EARLY_SAID)
    assert other["never_early"] is True
    for enough in (Thresholds(0.5, None, 30), Thresholds(None, None, 12, answer=1.0)):
        assert not never_early(enough, bundled=False)


def test_a_promise_of_scenes_says_so_and_is_tested_by_scenes():
    limits = Thresholds(0.9, None, 90, n_scenes=30)
    probs, far, labels = np.full((60, 2), 0.5), np.repeat([0.5, 1.0], (50, 10)), np.zeros(60, np.int32)
    guaranteed = guarantee_of(limits)
    by_photo, by_scene = (
        as_json(coverage.real_photos(probs, far, labels, limits, guaranteed, scenes=scenes))
        for scenes in (None, np.arange(60) // 5)
    )
    assert "is plausible with your 90 photos of 30 scenes. It never says “not sure”" in by_scene["promise_in_words"]
    assert by_scene["promise_in_words"].endswith("that takes photos of 99 scenes.")
    assert by_scene["observed"] == vars(observed_in_band(50, 60, guaranteed, 12))
    assert by_scene["observed"]["low"] < by_photo["observed"]["low"]
    assert by_scene["promise"]["n_scenes"] == 30
    early = as_json(coverage.real_photos(probs, far, labels, Thresholds(0.9, None, 90, early=True, n_scenes=9), None))
    assert early["promise_in_words"].endswith("it must be tried on photos of 24 scenes, and was on 90 of 9 scenes.")

"""Advice says what the numbers say, in order, and no more than can be known."""

import json
import math
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.classifier.probe import OutOfFold
from tellapart.evaluation.advice.advice import MOST, advise
from tellapart.evaluation.advice.like_sets import FEW, MEASURED, nearest, sentence
from tellapart.evaluation.advice.mistakes import Mistake, out_of_fold_mistakes
from tellapart.evaluation.advice.probe_beside import ProbeBeside
from tellapart.evaluation.evaluation import AccuracyOf, Leaks, Suspect, Twins, as_json, evaluate_predictions
from tellapart.evaluation.learning_curve import Curve, LearningCurve

ROOT = Path(__file__).parents[3]
NAMES = ("hat", "shirt", "shoe")


@dataclass(frozen=True)
class Found:
    sentence: str = "The border of the photo alone tells the classes apart."
    advice: str = "Take photos of all classes in the same places."
    photos: tuple[tuple[str, ...], ...] = (("a.jpg", "b.jpg"), ("c.jpg",))


def evaluation(matrix, n_train=(100, 100, 100), **more):
    """The evaluation of test photos answered as in `matrix`, classes in rows."""
    pairs = [(i, j) for i, row in enumerate(matrix) for j, n in enumerate(row) for _ in range(n)]
    labels = np.array([i for i, _ in pairs], int)
    probs = np.full((len(pairs), len(matrix)), 0.1)
    probs[np.arange(len(pairs)), [j for _, j in pairs]] = 1 - 0.1 * (len(matrix) - 1)
    photos = [f"test/{i}.jpg" for i in range(len(pairs))]
    return replace(evaluate_predictions(probs, labels, NAMES[: len(matrix)], photos, n_train_per_class=n_train), **more)


def curve(error=0.1, slope=0.3, slope_sd=0.05, n=300):
    whole = Curve((n // 2, n), (1 - 1.2 * error, 1 - error), n, n, math.log(error), 0.01, slope, slope_sd**2)
    return LearningCurve(whole, (None, None, None))


FEW_WRONG = [[96, 4, 0], [6, 94, 0], [0, 0, 100]]
ALL_RIGHT = [[100, 0, 0], [0, 100, 0], [0, 0, 100]]


def kinds(advice):
    return [item.kind for item in advice]


def of_kind(advice, kind):
    return next(item for item in advice if item.kind == kind)


def test_weak_classes_are_named_together_with_photos_and_range():
    item = of_kind(advise(evaluation(FEW_WRONG), curve(0.1)), "more_photos")
    assert item.numbers["classes"] == ["hat", "shirt"], "the first holds half, but alone it would take from the second"
    item = of_kind(advise(evaluation([[90, 5, 5], [5, 85, 10], [5, 10, 85]]), curve(0.13)), "more_photos")
    assert item.numbers["classes"] == ["shirt", "shoe"]
    assert item.numbers["n_more"] == 200
    gain = item.numbers["gain"]
    assert 0 <= gain["low"] <= gain["value"] <= gain["high"]
    assert gain["value"] == pytest.approx(0.13 * (1 - 2**-0.3) * 60 / 80)
    low, high = round(100 * gain["low"]), round(100 * gain["high"])
    assert item.sentence == (
        'Add photos of "shirt", "shoe": of the 40 mistakes in 300 photos 30 are photos of these classes. '
        f"About 200 more, which doubles them, should set 2 more of 100 photos right ({low} to {high} is plausible). "
        "Add to all of them; photos of "
        "one class alone mostly move its mistakes to the others."
    )


def test_small_gains_are_spoken_of_in_thousands():
    item = of_kind(advise(evaluation(FEW_WRONG), curve(0.04)), "more_photos")
    assert "of 1,000 photos right" in item.sentence


def test_the_confused_pair_and_its_photos():
    mistakes = (
        Mistake("sure.jpg", "hat", "shirt", 0.9),
        Mistake("unsure.jpg", "shirt", "hat", 0.5),
        Mistake("other.jpg", "shoe", "hat", 0.8),
    )
    said = evaluation(FEW_WRONG)
    item = of_kind(advise(said, curve(), mistakes=mistakes, n_out_of_fold=300), "confused_pair")
    assert item.numbers == {"classes": ["hat", "shirt"], "n_confused": 12, "n_photos": 600}
    assert item.photos[:2] == ("sure.jpg", "unsure.jpg")
    assert set(item.photos[2:]) == {m["photo"] for m in said["most_wrong"]}
    assert '"hat" and "shirt" are mixed up most: 12 of 600 photos.' in item.sentence


def test_two_mistakes_are_no_pair():
    assert "confused_pair" not in kinds(advise(evaluation([[49, 1, 0], [1, 49, 0], [0, 0, 50]]), curve()))


def test_leaks_give_the_score_without_them():
    leaked = tuple(Twins(f"{i}.jpg", "x.jpg", "exact") for i in range(60))
    leaks = Leaks(60, leaked, AccuracyOf(0.9, 0.83, 0.94, 108, 120), "")
    said = advise(evaluation([[60, 0], [12, 108]], (80, 80), leaks=leaks), None, quality="best")
    item = said[0]
    assert item.kind == "leak"
    assert item.sentence.startswith("Take 60 of the 180 test photos out of the test: ")
    assert item.sentence.endswith("Of the 120 others it had 108 right; that is its score.")
    assert item.photos[0] == "0.jpg"
    every = Leaks(5, (), AccuracyOf(None, None, None, 0, 0), "")
    said = advise(evaluation([[3, 0], [0, 2]], (3, 3), leaks=every))
    assert "No other test photo is left." in of_kind(said, "leak").sentence
    assert "There is no test photo" in of_kind(said, "few_test_photos").sentence


def test_suspects_and_shortcuts_are_passed_on():
    said = advise(evaluation(FEW_WRONG), curve(), suspects=[Suspect("a.jpg", "hat", "shoe")] * 9, shortcuts=[Found()])
    item = of_kind(said, "suspected_labels")
    assert 'The first, "a.jpg", is in "hat" and looks like "shoe".' in item.sentence
    assert item.numbers["n_suspects"] == 9
    shortcut = of_kind(said, "shortcut")
    assert shortcut.sentence == f"{Found().sentence} {Found().advice}"
    assert shortcut.photos == ("a.jpg", "c.jpg")


@pytest.mark.parametrize(
    ("quality", "better"), [("fast", "balanced"), ("balanced", "best"), ("best", None), (None, None)]
)
def test_the_next_quality(quality, better):
    said = advise(evaluation(FEW_WRONG), curve(0.1), quality=quality)
    found = [item.numbers["quality"] for item in said if item.kind == "quality"]
    assert found == ([better] if better else [])


def test_a_flat_curve_points_to_the_features_and_not_to_more_photos():
    said = advise(evaluation(FEW_WRONG), curve(0.2, slope=0.02), quality="balanced", can_fine_tune=True)
    assert "more_photos" not in kinds(said)
    assert of_kind(said, "quality").sentence.startswith("More photos like these seem to change little. ")
    assert "--recipe finetune; how much it gains is not known" in of_kind(said, "fine_tuning").sentence
    assert "fine_tuning" not in kinds(advise(evaluation(FEW_WRONG), curve(0.2), quality="balanced", can_fine_tune=True))
    assert "fine_tuning" not in kinds(advise(evaluation(FEW_WRONG), curve(0.2, slope=0.02), quality="balanced"))


def test_few_test_photos_are_said_with_their_range():
    item = of_kind(advise(evaluation([[5, 0], [1, 4]], (20, 20))), "few_test_photos")
    assert item.sentence == (
        "With 10 test photos nobody can say how good this is: anything from 60 to 98 right of 100 is plausible. "
        "Test on 50 photos or more, taken at another time or place."
    )


def test_few_photos_come_first_with_what_like_sets_gained():
    said = advise(evaluation([[5, 0], [1, 4]], (10, 10)), quality="balanced")
    assert said[0].kind == "more_photos"
    row = next(row for row in MEASURED if row.of_a_class == 10)
    assert said[0].numbers["on_like_sets"] == as_json(row)
    assert said[0].sentence.startswith("Add photos of every class. 20 more photos would double them. ")
    assert f"going from 10 to 20 of each class made {round(100 * row.avoided)} % of the mistakes" in said[0].sentence
    assert "Of the 1 mistake in 10 test photos" in said[0].sentence


@pytest.mark.parametrize(("n_train", "row"), [([1, 1], 3), ([4, 4], 3), ([5, 9], 5), ([14] * 3, 10), ([29] * 2, 15)])
def test_the_row_is_that_of_no_more_photos(n_train, row):
    assert nearest(n_train).of_a_class == row
    assert nearest([FEW, FEW]) is None
    assert nearest([2, 400, 400]) is None, "one small class makes no small set"


def test_measured_is_what_the_benchmark_wrote():
    record = json.loads((ROOT / "benchmarks/results/few_more.json").read_text("utf-8"))
    rows = record["tables"]["Mistakes that twice the photos avoid"]
    assert [(r["Of a class"], float(r["Avoided"]), float(r["From"]), float(r["To"])) for r in rows] == [
        (m.of_a_class, m.avoided, m.low, m.high) for m in MEASURED
    ]


@given(st.sampled_from(MEASURED), st.lists(st.integers(1, 29), min_size=2, max_size=9), st.integers(0, 500))
def test_what_like_sets_say_never_exceeds_the_mistakes(row, n_train, n_wrong):
    said = sentence(row, n_train, n_wrong, "500 photos")
    assert f" {sum(n_train):,} more photo" in said
    if not n_wrong:
        assert "Of the" not in said
        return
    about, *reach = map(int, re.findall(r"[0-9]+", said.split("would be about ")[1]))
    assert 0 <= min(reach) <= about <= max(reach) <= n_wrong


def test_few_photos_without_mistakes_that_say_stop_get_no_other_advice():
    said = advise(evaluation([[25, 0, 0], [0, 25, 0], [0, 0, 25]], (25, 25, 25)), curve(0.004), quality="balanced")
    assert kinds(said) == ["stop"]


def test_two_classes_are_never_made_one():
    two = [[90, 10], [8, 92]]
    item = of_kind(advise(evaluation(two, (100, 100))), "confused_pair")
    assert "one class" not in item.sentence
    assert "no model can" in item.sentence
    assert "make one class of the two" in of_kind(advise(evaluation(FEW_WRONG)), "confused_pair").sentence


@given(st.lists(st.lists(st.integers(0, 30), min_size=3, max_size=3), min_size=3, max_size=3))
def test_counts_of_mistakes_are_counts(matrix):
    wrong = sum(n for i, row in enumerate(matrix) for j, n in enumerate(row) if i != j)
    for item in advise(evaluation(matrix), curve(0.3)):
        assert "of 100 mistakes" not in item.sentence or item.kind == "quality"
        found = re.search(r"of the ([0-9]+) mistakes? in ([0-9]+) photos ([0-9]+) ", item.sentence)
        if found:
            n_mistakes, n_asked, held = map(int, found.groups())
            assert (n_mistakes, n_asked) == (wrong, sum(map(sum, matrix)))
            assert n_mistakes <= 2 * held <= 2 * n_mistakes, "it is said of the classes with half of all mistakes"


@pytest.mark.parametrize(("right", "p", "told"), [(115, 1e-6, True), (115, 0.2, False), (80, 1e-3, False)])
def test_a_probe_that_does_clearly_better_is_told(right, p, told):
    said = advise(evaluation([[45, 15], [16, 44]], (240, 240)), probe=ProbeBeside(120, 89, right, p))
    assert ("probe" in kinds(said)) == told
    if told:
        item = of_kind(said, "probe")
        assert "on the same 120 test photos a probe of the same photos had 115 right, this network 89." in item.sentence
        assert item.expected_gain == pytest.approx(26 / 120)


def test_a_trained_network_has_no_curve_and_points_to_a_probe():
    item = of_kind(advise(evaluation(FEW_WRONG)), "more_photos")
    assert item.sentence.endswith("how much each would help; a probe of them measures it.")


def test_no_test_photo_at_all():
    said = advise(evaluation([[0, 0], [0, 0]], (9, 9)))
    assert said[1].sentence.startswith("There is no test photo, so nobody can say how well this works.")


def test_stop_when_mistakes_are_no_more_than_wrong_labels_explain():
    said = advise(evaluation(ALL_RIGHT), curve(0.004), quality="balanced")
    assert kinds(said) == ["stop"]
    assert said[0].sentence.startswith("Stop here: 0 mistakes in 300 test photos is no more than wrong labels")
    nearly = [[97, 3, 0], [0, 100, 0], [0, 0, 100]]
    assert "stop" not in kinds(advise(evaluation(nearly, n_used=6000), curve(0.1), quality="balanced"))
    noisy = advise(
        evaluation(nearly, n_used=600), curve(0.1), suspects=[Suspect("a", "hat", "shoe")] * 12, quality="balanced"
    )
    assert kinds(noisy) == ["suspected_labels", "stop"]


def test_stop_when_nothing_promises_to_gain():
    said = advise(evaluation([[98, 2, 0], [0, 99, 1], [0, 0, 100]], n_used=9000), curve(0.005), quality="best")
    assert kinds(said) == ["stop"]
    assert "nothing that can be measured here promises to change it" in said[0].sentence


def test_too_few_test_photos_never_say_stop():
    assert "stop" not in kinds(advise(evaluation([[20, 0], [0, 20]], (90, 90)), curve(0.001)))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 40), min_size=3, max_size=3), min_size=3, max_size=3),
    st.booleans(),
    st.floats(0.005, 0.5),
    st.floats(0, 0.5),
    st.sampled_from([None, "fast", "balanced", "best"]),
    st.integers(0, 40),
    st.integers(0, 2),
)
def test_at_most_five_in_order_and_json(matrix, curved, error, slope, quality, n_suspects, n_shortcuts):
    said = advise(
        evaluation(matrix),
        curve(error, slope) if curved else None,
        suspects=[Suspect("a.jpg", "hat", "shoe")] * n_suspects,
        shortcuts=[Found()] * n_shortcuts,
        quality=quality,
        can_fine_tune=True,
    )
    assert len(said) <= MOST
    gains = [item.expected_gain for item in said]
    assert gains == sorted(gains, reverse=True)
    assert all(0 <= gain <= 1 for gain in gains)
    assert all(item.sentence.endswith((".", "!")) for item in said)
    assert json.loads(json.dumps(as_json(said), allow_nan=False)) or not said


def test_mistakes_out_of_fold_are_those_of_the_logits():
    logits = np.array([[3.0, 0.0], [0.0, 2.0], [5.0, 0.0], [0.0, 1.0]])
    said = OutOfFold(np.array([3, 0, 2, 1]), logits, np.array([0, 0, 1, 0], np.int32), np.zeros(4, np.float32))
    found = out_of_fold_mistakes(said, 2.0, ("p0", "p1", "p2", "p3"), ("hat", "shoe"))
    assert [(m.photo, m.class_name, m.answer) for m in found] == [
        ("p2", "shoe", "hat"),
        ("p0", "hat", "shoe"),
        ("p1", "hat", "shoe"),
    ]
    assert found[0].confidence == pytest.approx(1 / (1 + math.exp(-2.5)))
    nobody = OutOfFold(np.zeros(0, np.int64), np.zeros((0, 1)), np.zeros(0, np.int32), np.zeros(0, np.float32))
    assert out_of_fold_mistakes(nobody, 1.0, (), ("hat", "shoe")) == ()


def test_what_is_passed_in_stays_as_it_was():
    said = evaluation(FEW_WRONG)
    before = json.dumps(said.to_json())
    advise(said, curve(), mistakes=[Mistake("a", "hat", "shirt", 0.9)], n_out_of_fold=10)
    assert json.dumps(said.to_json()) == before


def test_the_curve_of_all_photos_is_what_counts():
    steeper = replace(curve(0.1).overall, slope=0.4)
    gains = [
        of_kind(advise(evaluation(FEW_WRONG), c), "more_photos").expected_gain
        for c in (curve(0.1), LearningCurve(steeper, ()))
    ]
    assert gains[1] > gains[0]

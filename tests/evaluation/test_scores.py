"""Every number of the report against scikit-learn and by hand; the headline word for word."""

import json
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.metrics import (
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    precision_score,
    recall_score,
)

from tellapart.errors import InputError
from tellapart.evaluation.evaluation import evaluate_predictions, headline
from tellapart.metrics.intervals import no_information_p_value, wilson


def _predictions(n, n_classes, seed=0, signal=3.0):
    """A model that is perfectly calibrated: its probabilities are Bayes' rule for photos so made."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(n_classes, size=n)
    seen = rng.normal(size=(n, n_classes)) + signal * np.eye(n_classes)[labels]
    return (
        softmax(signal * seen, axis=1),
        labels,
        [f"class {c}" for c in range(n_classes)],
        [f"{i}.jpg" for i in range(n)],
    )


def _answering(labels, answers, n_classes):
    """Probabilities that make these answers."""
    probs = np.full((len(labels), n_classes), 0.4 / max(1, n_classes - 1))
    probs[np.arange(len(labels)), answers] = 0.6 if n_classes > 1 else 1.0
    return (
        probs,
        np.array(labels),
        [f"c{c}" for c in range(n_classes)],
        [f"{i}.jpg" for i in range(len(labels))],
    )


def test_scores_equal_scikit_learn():
    probs, labels, names, photos = _predictions(300, 5, signal=1.5)
    answers = probs.argmax(axis=1)
    evaluation = evaluate_predictions(probs, labels, names, photos, n_train_per_class=[9, 8, 7, 6, 5])
    assert evaluation["n_test"] == 300
    assert evaluation["accuracy"]["value"] == np.mean(answers == labels)
    assert (evaluation["accuracy"]["low"], evaluation["accuracy"]["high"]) == wilson((answers == labels).sum(), 300)
    assert evaluation["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, answers))
    assert evaluation["macro_f1"]["value"] == pytest.approx(f1_score(labels, answers, average="macro"))
    assert evaluation["confusion"]["matrix"] == confusion_matrix(labels, answers).tolist()
    assert [c["n_train"] for c in evaluation["per_class"]] == [9, 8, 7, 6, 5]
    for metric, twin in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
        expected = twin(labels, answers, average=None)
        assert [c[metric]["value"] for c in evaluation["per_class"]] == pytest.approx(expected)
        assert all(c[metric]["low"] <= c[metric]["value"] <= c[metric]["high"] for c in evaluation["per_class"])
    assert evaluation["headline"] == str(headline(evaluation))


def test_baseline_is_the_commonest_class_of_the_test_photos():
    labels = [0] * 3 + [1] * 5 + [2] * 5
    evaluation = evaluate_predictions(*_answering(labels, labels, 3))
    assert evaluation["baseline"] == {
        "class_name": "c1",
        "value": 5 / 13,
        "n_right": 5,
        "p_value": no_information_p_value(13, 13, 5 / 13),
    }


def test_what_cannot_be_known_is_none():
    # class 2 has no test photos but is answered, class 1 has some and is never answered, class 3 has neither
    evaluation = evaluate_predictions(*_answering([0, 0, 0, 1], [0, 0, 2, 0], 4))
    never, absent, neither = evaluation["per_class"][1:]
    nothing = {"value": None, "low": None, "high": None}
    assert never["precision"] == nothing
    assert never["recall"]["value"] == never["f1"]["value"] == 0
    assert absent["recall"] == absent["f1"] == nothing
    assert absent["precision"]["value"] == 0
    assert neither["precision"] == neither["recall"] == neither["f1"] == nothing
    assert evaluation["balanced_accuracy"] == pytest.approx((2 / 3 + 0) / 2)


def test_no_test_photos_give_no_scores():
    evaluation = evaluate_predictions(np.zeros((0, 2)), np.zeros(0, int), ["a", "b"], [])
    json.dumps(evaluation.to_json(), allow_nan=False)
    assert evaluation["accuracy"] == {"value": None, "low": None, "high": None, "n_right": 0}
    assert evaluation["balanced_accuracy"] is None
    assert evaluation["calibration"]["ece"] is None
    assert evaluation["calibration"]["bins"] == evaluation["most_wrong"] == evaluation["confused_pairs"] == []


def test_most_wrong_are_the_surest_mistakes():
    probs = np.array([[0.9, 0.1], [0.3, 0.7], [0.3, 0.7], [0.02, 0.98], [0.55, 0.45]])
    evaluation = evaluate_predictions(probs, [1, 0, 0, 1, 1], ["cat", "dog"], ["e", "d", "c", "b", "a"])
    assert [(p["photo"], p["confidence"]) for p in evaluation["most_wrong"]] == [
        ("e", 0.9),
        ("c", 0.7),
        ("d", 0.7),
        ("a", 0.55),
    ]
    assert evaluation["most_wrong"][0] == {
        "photo": "e",
        "class_name": "dog",
        "answer": "cat",
        "confidence": 0.9,
        "prob_of_class": 0.1,
    }


def test_most_wrong_and_confused_pairs_are_few():
    probs, labels, names, photos = _predictions(400, 8, signal=0.3)
    evaluation = evaluate_predictions(probs, labels, names, photos)
    assert len(evaluation["most_wrong"]) == 24
    assert len(evaluation["confused_pairs"]) == 5
    matrix = confusion_matrix(labels, probs.argmax(axis=1))
    np.fill_diagonal(matrix, 0)
    assert [p["n"] for p in evaluation["confused_pairs"]] == sorted(matrix.ravel(), reverse=True)[:5]


def test_confused_pairs_in_order():
    evaluation = evaluate_predictions(*_answering([0, 1, 1, 2, 2, 2], [1, 0, 0, 2, 0, 0], 3))
    assert evaluation["confused_pairs"] == [
        {"class_name": "c1", "answer": "c0", "n": 2},
        {"class_name": "c2", "answer": "c0", "n": 2},
        {"class_name": "c0", "answer": "c1", "n": 1},
    ]


def test_risk_and_coverage_by_hand():
    probs = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.7, 0.3]])  # right, wrong, then right and wrong at once
    curve = evaluate_predictions(probs, [0, 0, 0, 1], ["a", "b"], list("1234"))["risk_coverage"]
    assert curve["coverage"] == [0.25, 0.5, 1.0]
    assert curve["risk"] == [0.0, 0.5, 0.5]
    assert curve["area"] == pytest.approx((0 + 0.5 + 0.5 + 0.5) / 4)
    assert curve["excess"] == pytest.approx(curve["area"] - (0 + 0 + 1 / 3 + 2 / 4) / 4)
    everything = _predictions(300, 5)
    evaluation = evaluate_predictions(*everything)
    assert evaluation["risk_coverage"]["risk"][-1] == pytest.approx(1 - evaluation["accuracy"]["value"])
    assert evaluate_predictions(np.zeros((0, 2)), np.zeros(0, int), ["a", "b"], [])["risk_coverage"] is None


def test_calibration_before_and_after():
    probs, labels, names, photos = _predictions(400, 3)
    sharp = softmax(4 * np.log(probs), axis=1)
    evaluation = evaluate_predictions(probs, labels, names, photos, logits_probs_uncalibrated=sharp, temperature=4.0)
    calibration = evaluation["calibration"]
    assert calibration["temperature"] == 4.0
    assert calibration["before"]["nll"] > calibration["nll"]
    assert set(calibration["before"]) == {"ece", "nll", "brier"}
    assert calibration["ece"] < calibration["ece_perfect_p95"]
    assert sum(b["n"] for b in calibration["bins"]) == 400
    assert evaluate_predictions(probs, labels, names, photos)["calibration"]["before"] is None


def test_groups_widen_what_they_should():
    probs, labels, names, photos = _predictions(60, 3, signal=1.5)
    many = [np.repeat(a, 5, axis=0) for a in (probs, labels, photos)]
    alone = evaluate_predictions(many[0], many[1], names, many[2])
    grouped = evaluate_predictions(many[0], many[1], names, many[2], groups=np.repeat(np.arange(60), 5))
    once = evaluate_predictions(probs, labels, names, photos)
    assert grouped["accuracy"]["value"] == alone["accuracy"]["value"]
    width = {
        name: e["accuracy"]["high"] - e["accuracy"]["low"]
        for name, e in {"alone": alone, "grouped": grouped, "once": once}.items()
    }
    assert width["alone"] < 0.6 * width["grouped"]
    assert width["grouped"] == pytest.approx(width["once"], rel=0.05)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 6), st.integers(0, 10**6), st.booleans())
def test_any_predictions_give_json_and_shuffling_changes_nothing(n, n_classes, seed, grouped):
    probs, labels, names, photos = _predictions(n, n_classes, seed, signal=1.0)
    groups = np.arange(n) // 3
    order = np.random.default_rng(seed).permutation(n)
    first = evaluate_predictions(probs, labels, names, photos, groups=groups if grouped else None)
    shuffled = evaluate_predictions(
        probs[order],
        labels[order],
        names,
        [photos[i] for i in order],
        groups=groups[order] if grouped else None,
    )
    text = json.dumps(first.to_json(), allow_nan=False)
    again = evaluate_predictions(probs, labels, names, photos, groups=groups if grouped else None)
    assert text == json.dumps(again.to_json(), allow_nan=False)
    _assert_close(first.to_json(), shuffled.to_json())


def _assert_close(first, second):
    """Equal, but for sums of floats taken in another order."""
    if isinstance(first, dict):
        assert first.keys() == second.keys()
        for key in first:
            _assert_close(first[key], second[key])
    elif isinstance(first, list):
        assert len(first) == len(second)
        for a, b in zip(first, second, strict=True):
            _assert_close(a, b)
    elif isinstance(first, float):
        assert first == pytest.approx(second, abs=1e-12)
    else:
        assert first == second


@pytest.mark.parametrize(
    ("probs", "labels", "message"),
    [
        (
            np.full((2, 3), 1 / 3),
            [0, 1],
            "Probabilities must be one row a photo and one column a class (2, 2). Got (2, 3) for 2 photos.",
        ),
        (np.full((2, 2), 0.5), [0, 2], "Labels must be in 0 to 1. Got 0 to 2."),
        (
            np.full((2, 2), 0.6),
            [0, 1],
            "Probabilities must be at least 0 and sum to 1 for each photo. Got rows that do not.",
        ),
        (
            np.full((2, 2), np.nan),
            [0, 1],
            "Probabilities must be at least 0 and sum to 1 for each photo. Got rows that do not.",
        ),
    ],
)
def test_what_does_not_fit_is_said(probs, labels, message):
    with pytest.raises(InputError) as error:
        evaluate_predictions(probs, labels, ["a", "b"], ["1.jpg", "2.jpg"])
    assert error.value.message == message


@pytest.mark.parametrize("grouped", [False, True])
def test_two_thousand_photos_take_less_than_half_a_second(grouped):
    probs, labels, names, photos = _predictions(2000, 20)
    seconds = []
    for _ in range(3):  # the best of three: the machine may be busy
        start = time.perf_counter()
        evaluate_predictions(probs, labels, names, photos, groups=np.arange(2000) // 2 if grouped else None)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.5

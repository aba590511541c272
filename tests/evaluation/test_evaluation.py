"""The typed value and its JSON: what was not asked has no key; the headline word for word."""

import json
from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.evaluation.document import summary
from tellapart.evaluation.evaluation import (
    AccuracyOf,
    Evaluation,
    Leaks,
    Proof,
    SplitSummary,
    as_json,
    evaluate_predictions,
    headed,
    headline,
)
from tellapart.evaluation.scores import Accuracy, Baseline
from tellapart.metrics.intervals import no_information_p_value, wilson

NOTHING = evaluate_predictions(np.zeros((0, 2)), np.zeros(0, int), ["shirt", "shoe"], [])


def _scores(n_right, n, n_commonest, class_name="shirt"):
    """What `headline` reads, for a score of n_right of n."""
    p_value = no_information_p_value(n_right, n, n_commonest / n)
    return replace(
        NOTHING,
        n_test=n,
        accuracy=Accuracy(n_right / n, *wilson(n_right, n), n_right),
        baseline=Baseline(class_name, n_commonest / n, n_commonest, p_value),
    )


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        (
            _scores(91, 100, 18),
            "91 of 100 test photos right (84 to 95 is plausible). Always answering 'shirt' would get 18.",
        ),
        (
            _scores(180, 200, 40),
            "180 of 200 test photos right (170 to 187 is plausible). Always answering 'shirt' would get 40.",
        ),
        (
            _scores(900, 1000, 100),
            "900 of 1,000 test photos right (880 to 917 is plausible). Always answering 'shirt' would get 100.",
        ),
        (
            _scores(74, 100, 70),
            "74 of 100 test photos right (65 to 82 is plausible). Always answering 'shirt' would get 70. "
            "This is not clearly better than always answering 'shirt' (p = 0.22).",
        ),
        (
            _scores(2, 100, 70),
            "2 of 100 test photos right (1 to 7 is plausible). Always answering 'shirt' would get 70. "
            "This is not clearly better than always answering 'shirt' (p = 1).",
        ),
        (
            _scores(45, 49, 10),
            "45 of 49 test photos right (40 to 47 is plausible). Always answering 'shirt' would get 10. "
            "With so few test photos the score is a rough guess.",
        ),
        (
            _scores(3, 5, 2),
            "3 of 5 test photos right (1 to 4 is plausible). Always answering 'shirt' would get 2. "
            "This is not clearly better than always answering 'shirt' (p = 0.32). "
            "With so few test photos the score is a rough guess.",
        ),
        (
            _scores(60, 60, 60),
            "60 of 60 test photos right (56 to 60 is plausible). "
            "Every test photo is 'shirt', so this says nothing about the others.",
        ),
        (
            _scores(1, 1, 1, "it's <b>"),
            "1 of 1 test photo right (0 to 1 is plausible). "
            "Every test photo is 'it's <b>', so this says nothing about the others. "
            "With so few test photos the score is a rough guess.",
        ),
        (
            NOTHING,
            "There are no test photos, so nothing is known about how well this works.",
        ),
    ],
)
def test_headline_word_for_word(scores, expected):
    assert str(headline(scores)) == expected


def leaked(n_right, n, n_leaked, n_right_without):
    """A score of n photos of which n_leaked were learned from."""
    n_without = n - n_leaked
    low, high = wilson(n_right_without, n_without) if n_without else (None, None)
    value = n_right_without / n_without if n_without else None
    rest = str(headline(_scores(n_right_without, n_without, n_without // 3))) if n_without else ""
    leaks = Leaks(n_leaked, (), AccuracyOf(value, low, high, n_right_without, n_without), rest)
    return replace(_scores(n_right, n, n // 3), leaks=leaks)


def test_where_all_were_trained_on_the_headline_says_so_first():
    said = headline(leaked(1099, 1100, 1100, 0))
    assert said.score == "All 1,100 test photos were also trained on, so nothing is known about new photos."
    assert str(said) == f"{said.score} 1,099 of 1,100 were right with them."
    assert str(headline(leaked(1, 1, 1, 0))).startswith("The one test photo was also trained on, so nothing")


@given(st.integers(2, 400), st.data())
def test_the_headline_leads_with_the_score_without_leaks(n, data):
    n_leaked = data.draw(st.integers(1, n - 1))
    n_right_without = data.draw(st.integers(0, n - n_leaked))
    n_right = n_right_without + data.draw(st.integers(0, n_leaked))
    scores = leaked(n_right, n, n_leaked, n_right_without)
    said = headline(scores)
    assert str(said).startswith(scores.leaks.headline_without)
    assert said.score.startswith(f"{n_right_without:,} of {n - n_leaked:,} test photo")
    assert str(said).endswith(
        f"{n_leaked:,} more {'was' if n_leaked == 1 else 'were'} also trained on and left out; "
        f"{n_right:,} of {n:,} were right with {'it' if n_leaked == 1 else 'them'}."
    )
    assert summary(headed(scores))[0] == str(said)


@pytest.fixture(scope="module")
def scored():
    probs = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    return evaluate_predictions(probs, [0, 1, 1], ["shirt", "shoe"], ["a.jpg", "b.jpg", "c.jpg"])


def test_as_a_mapping_it_is_its_json(scored):
    as_read = json.loads(json.dumps(scored.to_json(), allow_nan=False))
    assert dict(scored) == as_read == scored.to_json()
    assert scored["accuracy"]["low"] == scored.accuracy.low
    assert scored["headline"] == scored.headline == str(headline(scored))
    assert scored.get("robustness") is None
    assert "robustness" not in scored
    with pytest.raises(KeyError):
        scored["robustness"]


def test_what_was_not_asked_has_no_key_and_what_has_no_answer_is_null(scored):
    assert not {"leaks", "imbalance", "learning_curve", "training"} & scored.keys()
    asked = replace(
        scored, split=SplitSummary(kind="given", n_train=2, n_val=0, n_test=3), advice=(), proof=Proof(3, 0.0)
    )
    for name in ("imbalance", "learning_curve", "training"):
        assert asked[name] is None
    assert asked["split"] == {"kind": "given", "n_train": 2, "n_val": 0, "n_test": 3}
    assert asked["advice"] == []
    order = [field.name for field in fields(Evaluation)]
    assert list(asked) == sorted(asked, key=order.index)
    assert replace(scored, leaks=Leaks(0, (), None, ""))["leaks"]["without"] is None


def test_an_evaluation_does_not_change(scored):
    with pytest.raises(FrozenInstanceError):
        scored.n_test = 4
    assert scored == replace(scored, timings_s={"total": 1.0}), "the same answers at another speed"
    assert as_json({"a": (1, [2, (3,)])}) == {"a": [1, [2, [3]]]}


def test_a_cross_validated_score_has_a_wider_range_of_everything():
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1], 40)
    right = rng.random(80) < 0.8
    probs = np.eye(2)[np.where(right, labels, 1 - labels)]
    photos = [f"{i}.jpg" for i in range(80)]
    apart, crossed = (
        evaluate_predictions(probs, labels, ["shirt", "shoe"], photos, crossed=crossed) for crossed in (False, True)
    )
    assert crossed.accuracy.value == apart.accuracy.value

    def widths(evaluation):
        shares = [evaluation.accuracy, evaluation.macro_f1, evaluation.balanced_accuracy_interval]
        shares += [share for scores in evaluation.per_class for share in (scores.precision, scores.recall, scores.f1)]
        return np.array([share.high - share.low for share in shares])

    assert (widths(crossed) > 1.1 * widths(apart)).all()
    assert (widths(crossed) < 1.3 * widths(apart)).all()

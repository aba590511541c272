"""How a training is read: each kind of curve has its sentence, none says more than its photos can show."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.classifier.trained import StopReason
from tellapart.report.page import render_page
from tellapart.report.plots import FLAT, WIDTH, epochs_plot
from tellapart.report.training import learning, recipe_line

S = "\N{NO-BREAK SPACE}"
FALLING = (1.4, 1.1, 0.9, 0.8, 0.7, 0.6)
LEVEL = (1.4, 1.0, 0.8, 0.71, 0.7, 0.7, 0.7, 0.7)
RISING = (1.4, 1.0, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3)
TIME = {"stop_reason": StopReason.TIME_LIMIT, "stopped": "the time limit was reached"}
PATIENCE = {"stop_reason": StopReason.PATIENCE, "stopped": "the validation loss has not fallen for 5 epochs"}
DIVERGED = {"stop_reason": StopReason.DIVERGED, "stopped": "the loss was no longer a number in epoch 7"}


def _points(path):
    return np.array([[float(v) for v in point.split(",")] for point in path.split()])


def _verdict(made, validation, **more):
    return learning(made.evaluation(training=made.history(validation, **more)))["verdict"]


def _text(made, history):
    page = render_page(made.evaluation(training=history), {}, title="Clothing", model_name="m")
    return " ".join(made.outline(page).text.replace(S, " ").split())


@pytest.mark.parametrize(
    ("validation", "more", "says"),
    [
        (FALLING, {}, "still getting better when it ended: more epochs should help, such as --epochs 12."),
        (FALLING, TIME, "a longer --time-limit should help"),
        (FALLING, DIVERGED, "number in epoch 7. Train again with a lower rate: --learning-rate 3e-04"),
        ([1.38 - 0.005 * i for i in range(12)], {}, "still getting better"),  # slowly, but as fast as ever
        ([1.38 - 0.001 * i for i in range(12)], {}, "It has levelled off"),
        (LEVEL, {}, "It has levelled off"),
        (RISING, {}, "After epoch 3 it got worse"),
        (RISING, PATIENCE, "After epoch 3 it got worse"),
        (LEVEL, {"right": [(1.0, 0.7)] * 8}, "part of them it has learned by heart"),
        (LEVEL, {"right": [(0.95, 0.75)] * 8, "n_val": 8}, "It has levelled off"),  # 8 photos cannot tell
        (LEVEL, {"right": [(0.3, 0.3)] * 8}, "hardly learned its own training photos. Try --learning-rate auto"),
        (FALLING[:3], {"right": [(0.3, 0.3)] * 3}, "hardly learned its own training photos. Try more epochs,"),
        (FALLING[:1], {}, "It had 1 epoch, too few"),
        (FALLING[:3], {}, "It had 3 epochs, too few"),
        ((None,) * 6, {"training": LEVEL[:6], "right": [(0.9, None)] * 6, "n_val": 0}, "No photos were held out"),
        ((None,) * 6, {"training": FALLING, "right": [(0.9, None)] * 6, "n_val": 0}, "still getting better"),
    ],
)  # fmt: skip
def test_each_kind_of_curve_gets_its_sentence(made, validation, more, says):
    history = made.history(validation, **more)
    assert says in learning(made.evaluation(training=history))["verdict"]
    assert says in _text(made, history)


def test_the_verdict_goes_by_the_reason_and_not_by_the_words(made):
    said = [_verdict(made, FALLING, **(reason | {"stopped": "so it was"})) for reason in (TIME, DIVERGED, PATIENCE)]
    assert "--time-limit" in said[0]
    assert said[1].startswith("It broke down: so it was.")
    assert "still getting better" in said[2]


def test_training_losses_are_not_held_against_validation_losses(made):
    """Softened labels keep the training loss up: a validation loss far below or above it says nothing."""
    verdicts = {_verdict(made, LEVEL, training=[scale * loss for loss in LEVEL]) for scale in (0.1, 1.0, 3.0)}
    assert len(verdicts) == 1


def test_why_it_ended_and_what_the_validation_photos_can_tell(made):
    text = _text(made, made.history(RISING, n_epochs=30, **PATIENCE))
    assert "It ended after 8 epochs of 30: the validation loss has not fallen for 5 epochs." in text
    assert (
        "Epoch 3 answers: it had the lowest loss on the 80 validation photos and 64 of them right (70 to 87 %" in text
    )
    assert "With so few of them" not in text
    assert "With so few of them, small steps" in _text(made, made.history(n_val=20))
    assert "It ended after" not in _text(made, made.history())
    none = made.history((None,) * 6, training=FALLING, right=[(0.9, None)] * 6, n_val=0)
    assert "Epoch 6 answers, the one of the lowest training loss." in _text(made, none)


def test_a_second_time_with_the_validation_photos_is_said(made):
    history = made.history(LEVEL) | {"again": {"n_epochs": 5, "seconds": 9.0}}
    n = history["n_train"] + history["n_val"]
    [*_, note] = learning(made.evaluation(training=history))["notes"]
    assert note == (
        f"Then it learned once more from the start, 5 epochs on all {n:,} photos, the validation photos too. The mean "
        "of both networks answers; no photo is left to draw it by."
    )
    assert note not in _text(made, made.history(LEVEL))
    assert note in _text(made, history)
    assert f"Epoch {history['best_epoch']} was the best: it had the lowest loss" in _text(made, history)
    assert recipe_line(history, "FineTune").endswith(f"epoch {history['best_epoch']} and 5 with all {n:,} answer).")


def test_a_probe_has_no_such_section(made):
    for training in (None, {"epochs": []}):
        assert learning(made.evaluation(training=training)) is None
        assert "How it learned" not in _text(made, training)


def test_the_table_has_every_epoch_and_no_time_of_day(made):
    """The same photos and seed give the same page, so no seconds are in it."""
    one, other = made.history(RISING), made.history(RISING)
    for epoch in other["epochs"]:
        epoch |= {"seconds": 99.0, "photos_per_s": 1.0, "seconds_left": 5.0}
    assert _text(made, one) == _text(made, other | {"seconds": 1e4})
    assert "3 (best) 0.8 90 % 0.8 80 %" in _text(made, one)
    assert "8 1.3 90 % 1.3 80 %" in _text(made, one)


def test_losses_that_are_no_number_are_left_out(made):
    history = made.history((1.4, None, 0.9, None), training=(1.0, None, None, 0.5), right=[(0.9, 0.8)] * 4)
    text = _text(made, history)
    assert "2 – 90 % – 80 %" in text
    drawn = learning(made.evaluation(training=history))["plots"]["loss"]
    assert len(_points(drawn["validation"]["line"])) == 2


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.floats(1e-6, 1e6), st.one_of(st.none(), st.floats(1e-6, 1e6))), min_size=1, max_size=40),
    st.booleans(),
)
def test_curves_stay_inside_and_run_to_the_right(values, share):
    training, validation = zip(*values, strict=True)
    if share:
        training, validation = ([None if v is None else v / 1e6 for v in row] for row in (training, validation))
    best = 1 + int(np.argmin([t if v is None else v for t, v in zip(training, validation, strict=True)]))
    plot = epochs_plot(training, validation, best, share=share)
    for line in (plot["training"]["line"], plot["validation"]["line"]):
        points = _points(line) if line else np.zeros((0, 2))
        assert ((points >= 0) & (points <= [WIDTH, FLAT])).all()
        assert (np.diff(points[:, 0]) > 0).all()
    line = plot["training" if validation[best - 1] is None else "validation"]["line"]
    assert [plot["best"]["x"], plot["best"]["y"]] in _points(line).tolist()
    ticks = [tick["value"] for tick in plot["y_ticks"]]
    assert 2 <= len(ticks) <= 7
    assert ticks == sorted(set(ticks))
    assert plot["y_ticks"][0]["at"] == FLAT
    assert plot["y_ticks"][-1]["at"] == 0
    assert (plot["x_ticks"][0]["n"], plot["x_ticks"][-1]["n"]) == (1, len(values))
    assert plot["cut"] == (max(v for v in (*training, *validation) if v is not None) > ticks[-1])


def test_curves_by_hand():
    plot = epochs_plot([2.0, 1.0, 0.5], [1.5, 1.0, 1.25], 2, share=False)
    assert [tick["value"] for tick in plot["y_ticks"]] == [0, 0.5, 1.0, 1.5, 2.0]
    assert _points(plot["training"]["line"]).tolist() == [[0, 0], [WIDTH / 2, FLAT / 2], [WIDTH, FLAT * 3 / 4]]
    assert plot["best"] == {"x": WIDTH / 2, "y": FLAT / 2}
    rough = epochs_plot([900.0, 1.2, 1.1, 1.0, 1.0], [800.0, 1.3, 1.1, 1.0, 1.0], 5, share=False)
    assert rough["cut"]
    assert rough["y_ticks"][-1]["value"] <= 5

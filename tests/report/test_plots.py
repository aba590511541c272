"""Diagrams: every point where its numbers say, inside its frame, and nothing but numbers."""

import re

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.evaluation.learning_curve import CurveSummary, Estimate
from tellapart.evaluation.scores import RiskCurve
from tellapart.metrics.calibration import ReliabilityBin
from tellapart.metrics.detection import risk_coverage
from tellapart.report.plots import FLAT, LEAST_ANSWERED, SQUARE, WIDTH, learning_plot, reliability_plot, risk_plot


def _points(path):
    assert re.fullmatch(r"(-?\d+\.\d,-?\d+\.\d ?)+", path)
    return np.array([[float(v) for v in point.split(",")] for point in path.split()])


def _curve(confidences, right):
    curve = risk_coverage(np.asarray(confidences), np.asarray(right))
    return RiskCurve(tuple(curve.coverage.tolist()), tuple(curve.risk.tolist()), curve.area, curve.excess)


def test_reliability_by_hand():
    [dot] = reliability_plot([ReliabilityBin(confidence=0.5, share_right=0.25, low=0.0, high=1.0, n=9)])
    assert dot == {"x": WIDTH / 2, "y": SQUARE * 0.75, "top": 0.0, "bottom": SQUARE}


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 300), st.floats(0, 1), st.integers(0, 10**6))
def test_risk_is_drawn_where_it_is(n, share_right, seed):
    rng = np.random.default_rng(seed)
    confidences, right = rng.random(n).round(2), rng.random(n) < share_right
    curve = _curve(confidences, right) if n else None
    plot = risk_plot(curve, n, [1.0])
    if plot is None:
        assert curve is None or sum(round(c * n) >= LEAST_ANSWERED for c in curve.coverage) < 2
        return
    points = _points(plot["line"])
    shown = [(c, r) for c, r in zip(curve.coverage, curve.risk, strict=True) if round(c * n) >= LEAST_ANSWERED]
    top = plot["y_ticks"][-1]["share"]
    twin = [[WIDTH * c, FLAT * (1 - r / top)] for c, r in shown]
    assert points == pytest.approx(np.array(twin), abs=0.06)
    assert points.min() >= 0
    assert points[:, 1].max() <= FLAT
    assert plot["dots"] == [{"x": WIDTH, "y": pytest.approx(points[-1, 1])}]
    assert top == 0.01 or any(r > 0.35 * top for _, r in shown)  # the curve fills its frame


def test_too_few_photos_are_not_drawn():
    assert risk_plot(None, 0) is None
    assert risk_plot(_curve(np.linspace(0, 1, LEAST_ANSWERED), np.ones(LEAST_ANSWERED, bool)), LEAST_ANSWERED) is None


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 10**6), st.floats(0, 1)), min_size=2, max_size=4, unique_by=lambda p: p[0]),
    st.floats(1, 1.5),
    st.floats(0.001, 1),
    st.booleans(),
)
def test_learning_curve_stays_inside_and_ascends(points, more, error, flat):
    n_photos, accuracies = zip(*sorted(points), strict=True)
    n_now = int(n_photos[-1] * more)
    gain = None if flat else Estimate(error / 4, error / 8, error / 2)
    plot = learning_plot(
        CurveSummary(
            n_photos,
            accuracies,
            n_asked=n_now,
            n_now=n_now,
            flat=flat,
            error_now=Estimate(error, error / 2, min(1.0, 2 * error)),
            gain_of_doubling=gain,
        )
    )
    line = _points(plot["line"])
    assert (np.diff(line[:, 0]) >= 0).all()
    drawn = [line, *(_points(plot[key]) for key in ("ahead", "band") if plot[key])]
    for path in drawn:
        assert path.min() >= 0
        assert (path <= [WIDTH, FLAT]).all()
    assert (plot["ahead"] is None) == (plot["band"] is None) == flat
    assert 0 <= plot["now"]["top"] <= plot["now"]["y"] <= plot["now"]["bottom"] <= FLAT
    places = [tick["at"] for tick in plot["x_ticks"]]
    assert places == sorted(places)
    assert {n_now, n_now * (1 if flat else 2)} <= {tick["n"] for tick in plot["x_ticks"]}
    assert plot["y_ticks"][-1] == {"at": 0.0, "share": pytest.approx(1)}
    assert plot["y_ticks"][0]["share"] <= min(*accuracies, 1 - error) or plot["y_ticks"][0]["share"] == 0


def test_learning_curve_by_hand(made):
    plot = learning_plot(msgspec.convert(made.curve(), CurveSummary))  # 48 to 960 photos, from 60 to 100 %
    octaves = np.log2(960 / 48)
    twin = [
        [WIDTH * np.log2(n / 48) / octaves, FLAT * (1 - share) / 0.4]
        for n, share in zip((48, 96, 192, 384), (0.7, 0.78, 0.84, 0.86), strict=True)
    ]
    assert _points(plot["line"]) == pytest.approx(np.array(twin), abs=0.06)
    assert _points(plot["ahead"])[-1] == pytest.approx([WIDTH, FLAT * (0.13 - 0.021) / 0.4], abs=0.06)
    assert [tick["n"] for tick in plot["x_ticks"]] == [48, 96, 192, 480, 960]
    assert [tick["share"] for tick in plot["y_ticks"]] == pytest.approx([0.6, 0.7, 0.8, 0.9, 1.0])

"""Where everything goes in the diagrams of a report: x to the right, y downwards, in each diagram's own units."""

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

from tellapart.evaluation.learning_curve import CurveSummary
from tellapart.evaluation.scores import RiskCurve
from tellapart.metrics.calibration import ReliabilityBin

WIDTH = 280
SQUARE = 280  # height of a diagram whose two axes are the same
FLAT = 190  # height of the others
LEAST_ANSWERED = 10  # photos; what is wrong of fewer is chance, and would set the height of the whole diagram
LOSS_SHOWN = 4.0  # times the median: a loss beyond it, of a rough start, would press all the others flat
CURVE_REACH = 2.0  # times the photos: how far the learning curve looks, as `Curve.gain` does
_TOPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # of an axis of shares from 0
_LEAST_OCTAVES = 0.9  # between two labels below the learning curve; closer ones would touch

Drawn: TypeAlias = dict[str, Any]


def reliability_plot(bins: Sequence[ReliabilityBin]) -> list[dict[str, float]]:
    """A dot and its whisker for each bin, in a square of side SQUARE.

    Args:
        bins: `calibration.bins` of an evaluation.
    """
    return [
        {
            "x": _x(b.confidence),
            "y": _y(b.share_right, SQUARE),
            "top": _y(b.high, SQUARE),
            "bottom": _y(b.low, SQUARE),
        }
        for b in bins
    ]


def risk_plot(curve: RiskCurve | None, n: int, marked: Sequence[float] = ()) -> Drawn | None:
    """The share wrong (upwards) of the surest share of photos (to the right); None where photos are too few to draw.

    Args:
        curve: `risk_coverage` of an evaluation.
        n: photos that it is of.
        marked: coverages of the curve that get a dot.
    """
    if curve is None:
        return None
    points = [(c, r) for c, r in zip(curve.coverage, curve.risk, strict=True) if round(c * n) >= LEAST_ANSWERED]
    if len(points) < 2:
        return None
    worst = max(r for _, r in points)
    top = next(t for t in _TOPS if t >= min(1.0, worst))

    def at(coverage: float, risk: float) -> tuple[float, float]:
        return _x(coverage), _y(risk / top, FLAT)

    return {
        "line": _path(at(*point) for point in points),
        "dots": [{"x": x, "y": y} for x, y in (at(*point) for point in points if point[0] in marked)],
        "y_ticks": [{"at": _y(share, FLAT), "share": share * top} for share in (0, 0.5, 1)],
    }


def learning_plot(curve: CurveSummary) -> Drawn:
    """The share right (upwards) against photos learned from (to the right, each doubling as wide), and a look ahead.

    Args:
        curve: `learning_curve.overall` of an evaluation.
    """
    n_now, now, gain = curve.n_now, curve.error_now, curve.gain_of_doubling
    right_now = 1 - now.value
    first, last = curve.n_photos[0], n_now * (CURVE_REACH if gain else 1)
    octaves = max(_LEAST_OCTAVES, math.log2(last / first))
    bottom, step = _scale(min(*curve.accuracies, right_now))

    def at(n_photos: float, share: float) -> tuple[float, float]:
        height = (min(1.0, max(bottom, share)) - bottom) / (1 - bottom)
        return _x(math.log2(n_photos / first) / octaves), _y(height, FLAT)

    measured = [at(*point) for point in zip(curve.n_photos, curve.accuracies, strict=True)]
    x, y = at(n_now, right_now)
    drawn: Drawn = {
        "line": _path(measured),
        "dots": [{"x": x, "y": y} for x, y in measured],
        "now": {"x": x, "y": y, "top": at(n_now, 1 - now.low)[1], "bottom": at(n_now, 1 - now.high)[1]},
        "ahead": None,
        "band": None,
        "x_ticks": [{"at": at(n, 1)[0], "n": n} for n in _labelled(curve.n_photos, n_now, round(last))],
        "y_ticks": [{"at": at(first, share)[1], "share": share} for share in _steps(bottom, step)],
    }
    if gain:
        ends = [at(last, right_now + share) for share in (gain.low, gain.high)]
        drawn["ahead"] = _path([(x, y), at(last, right_now + gain.value)])
        drawn["band"] = _path([(x, y), *ends])
    return drawn


def epochs_plot(
    training: Sequence[float | None], validation: Sequence[float | None], best: int, *, share: bool
) -> Drawn:
    """What was measured after each epoch: a line of the training photos, one of the validation photos, the best epoch.

    Args:
        training: by epoch; None where it was no number.
        validation: by epoch; None where there is none.
        best: epoch whose dot is drawn, from 1; 0 for none.
        share: whether they are shares in [0, 1], which have an axis up to 1; losses have one that fits them.
    """
    known = sorted(value for value in (*training, *validation) if value is not None)
    if share:
        bottom, step = _scale(known[0])
        ticks = _steps(bottom, step)
    else:
        ticks = _round_steps(known[0], min(known[-1], LOSS_SHOWN * known[len(known) // 2]))
    bottom, top = ticks[0], ticks[-1]

    def at(epoch: int, value: float) -> tuple[float, float]:
        x = _x((epoch - 1) / (len(training) - 1)) if len(training) > 1 else _x(0.5)
        return x, _y((min(top, max(bottom, value)) - bottom) / (top - bottom), FLAT)

    lines = {}
    for name, values in (("training", training), ("validation", validation)):
        points = [at(epoch, value) for epoch, value in enumerate(values, start=1) if value is not None]
        lines[name] = {"line": _path(points), "dots": [{"x": x, "y": y} for x, y in points] if len(points) == 1 else []}
    chosen = None
    if best:
        value = validation[best - 1] if validation[best - 1] is not None else training[best - 1]
        chosen = None if value is None else dict(zip("xy", at(best, value), strict=True))
    return {
        **lines,
        "best": chosen,
        "cut": known[-1] > top,
        "x_ticks": [{"at": at(epoch, bottom)[0], "n": epoch} for epoch in _whole_steps(len(training))],
        "y_ticks": [{"at": at(1, value)[1], "value": value} for value in ticks],
    }


def _round_steps(lowest: float, highest: float) -> list[float]:
    """Round numbers around both, two to seven of them, from 0 where that is near."""
    lowest = 0.0 if lowest < highest / 2 else lowest
    width = max(highest - lowest, abs(highest) / 100, 1e-6)
    power = 10.0 ** math.floor(math.log10(width))
    step = next(power * part for part in (0.5, 1, 2, 5) if width / (power * part) <= 5)
    first = math.floor(lowest / step + 1e-9)
    last = max(math.ceil(highest / step - 1e-9), first + 1)
    return [round(i * step, 12) for i in range(first, last + 1)]


def _whole_steps(n: int) -> list[int]:
    """Epochs to write below the curve: the first, the last, and few between."""
    between = [round(1 + (n - 1) * part) for part in (1 / 3, 2 / 3)] if n > 6 else range(2, n)
    return sorted({1, *between, n})


def _scale(lowest: float) -> tuple[float, float]:
    """Where an axis of shares that ends at 1 begins, and the distance of its ticks."""
    for bottom, step in ((0.9, 0.05), (0.8, 0.1), (0.7, 0.1), (0.6, 0.1), (0.5, 0.25)):
        if lowest > bottom:
            return bottom, step
    return 0.0, 0.25


def _steps(bottom: float, step: float) -> list[float]:
    return [bottom + i * step for i in range(round((1 - bottom) / step) + 1)]


def _labelled(n_photos: Sequence[int], *always: int) -> list[int]:
    """The counts to write below the curve: `always`, and of the others those that have room."""
    kept = sorted(set(always))
    for n in n_photos:
        if all(abs(math.log2(n / other)) >= _LEAST_OCTAVES for other in kept):
            kept.append(n)
    return sorted(kept)


def _x(share: float) -> float:
    return round(share * WIDTH, 1)


def _y(share: float, height: int) -> float:
    return round((1 - share) * height, 1)


def _path(points: Any) -> str:
    """Points as SVG's polyline wants them; digits, dots, commas and spaces only."""
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)

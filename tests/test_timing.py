"""Seconds add up by stage, also when a stage fails."""

import pytest

from tellapart import timing as stopwatch


def test_stages_add_up_in_order_of_first_use(monkeypatch):
    times = iter([0.0, 1.0, 1.0, 3.5, 3.5, 4.0])
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: next(times))
    clock = stopwatch.Stopwatch()
    with clock("scan"):
        pass
    with pytest.raises(KeyError), clock("fit"):
        raise KeyError
    with clock("scan"):
        pass
    assert clock.rounded() == {"scan": 1.5, "fit": 2.5, "total": 4.0}
    assert list(clock.rounded()) == ["scan", "fit", "total"]


def test_a_bar_a_stage_that_goes_when_it_is_done(capsys, monkeypatch):
    monkeypatch.setattr(stopwatch, "SLOW_S", 0)
    bars = stopwatch.Bars()
    for stage, done, total in [("reading", 0, 9), ("reading", 4, 9), ("fitting", 0, 2), ("fitting", 2, 2)]:
        bars(stage, done, total)
    said = capsys.readouterr().err
    assert "Reading:   0%" in said
    assert "Fitting" in said
    assert said.endswith("\r"), "nothing stays on the line"
    bars("reading", 5, 9)  # a run that was stopped
    bars("reading", 1, 9)  # and the next one, from the beginning
    assert bars._bar.n == 1
    bars("reading", 9, 9)
    assert bars._bar is None


def test_outside_a_notebook_nobody_is_told(capsys):
    stopwatch.usual_progress("reading", 1, 2)
    assert not stopwatch.in_notebook()
    assert capsys.readouterr() == ("", "")

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


class Notebook:
    """What IPython's display does, as far as bars go by it: each output, as it is now."""

    def __init__(self):
        self.outputs = []

    def __call__(self, shown, *, display_id):
        assert display_id
        self.outputs.append(shown._repr_html_())
        handle = type("Handle", (), {})()
        place = len(self.outputs) - 1
        handle.update = lambda later: self.outputs.__setitem__(place, later._repr_html_())
        return handle


def test_a_bar_a_stage_that_goes_when_it_is_done(monkeypatch):
    monkeypatch.setattr(stopwatch, "SLOW_S", 0.0)
    monkeypatch.setattr(stopwatch, "OFTEN_S", 0.0)
    notebook = Notebook()
    bars = stopwatch.Bars(notebook)
    bars("reading <b>", 0, 2000)
    assert notebook.outputs[0] == '<progress value="0" max="2000"></progress> Reading &lt;b&gt;: 0 of 2,000'
    bars("reading <b>", 1000, 2000)
    assert "1,000 of 2,000, about 0 s left" in notebook.outputs[0]
    bars("fitting", 1, 3)
    assert notebook.outputs[0] == ""
    assert "Fitting: 1 of 3" in notebook.outputs[1]
    bars("fitting", 3, 3)
    assert notebook.outputs == ["", ""]
    bars("reading", 5, 9)  # a run that was stopped
    bars("reading", 1, 9)  # and the next one, from the beginning
    assert notebook.outputs[2] == ""
    assert "1 of 9" in notebook.outputs[3]


def test_what_is_quick_shows_no_bar():
    notebook = Notebook()
    bars = stopwatch.Bars(notebook)
    for done in range(1000):
        bars("reading", done, 1000)
    assert notebook.outputs == []


def test_outside_a_notebook_nobody_is_told(capsys):
    stopwatch.usual_progress("reading", 1, 2)
    assert not stopwatch.in_notebook()
    assert capsys.readouterr() == ("", "")

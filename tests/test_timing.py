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

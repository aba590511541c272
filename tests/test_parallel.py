"""Every item in order, on every core, and nothing more than was asked for."""

import itertools
import threading
import time

import pytest

from tellapart.parallel import cores_of_time, map_in_order


def test_results_come_in_the_order_of_the_items_whoever_is_first():
    def work(i):
        time.sleep(0.02 if i % 3 == 0 else 0)
        return -i

    assert list(map_in_order(work, range(40), n_workers=4)) == [-i for i in range(40)]
    assert list(map_in_order(work, [], n_workers=4)) == []


def test_several_are_worked_on_at_once():
    together = threading.Barrier(3, timeout=10)
    assert list(map_in_order(lambda _: together.wait() >= 0, range(3), n_workers=3)) == [True] * 3


def test_items_are_taken_only_as_there_is_room_for_them():
    taken = []
    endless = (taken.append(i) or i for i in itertools.count())
    results = map_in_order(lambda i: i, endless, n_workers=2, ahead=3)
    for given_out in range(10):
        assert next(results) == given_out
        assert len(taken) <= given_out + 1 + 2 * 3
    results.close()
    assert len(taken) <= 10 + 2 * 3


def test_an_error_of_one_item_ends_the_work_in_its_turn():
    begun = []

    def work(i):
        begun.append(i)
        if i == 3:
            raise ValueError(i)
        return i

    results = map_in_order(work, range(1000), n_workers=1, ahead=2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="3"):
        next(results)
    assert len(begun) <= 6


def test_who_stops_asking_stops_the_work():
    begun, before = [], threading.active_count()  # libraries of other tests keep threads of their own
    gate = threading.Event()

    def work(i):
        begun.append(i)
        gate.wait(5)
        return i

    results = map_in_order(work, range(1000), n_workers=1, ahead=50)
    gate.set()
    next(results)
    gate.clear()
    threading.Timer(0.1, gate.set).start()
    results.close()  # waits for what is under way, and begins nothing
    assert len(begun) <= 51
    assert threading.active_count() <= before + 1


def test_the_threads_are_named():
    assert next(map_in_order(lambda _: threading.current_thread().name, [0], name="look")).startswith("look")


@pytest.mark.parametrize(
    ("limits", "own", "cores"),
    [
        ({"": "200000 100000"}, "0::/", 2),  # a container's own group is the topmost that it sees
        ({"": "150000 100000"}, "1:cpu:/\n0::/", 2),
        ({"": "5000 100000"}, "0::/", 1),
        ({"a": "max 100000", "a/b": "300000 100000"}, "0::/a/b", 3),
        ({"a": "100000 100000", "a/b": "300000 100000"}, "0::/a/b", 1),  # whatever lies above holds too
        ({"": "200000 100000"}, "0::/../../a", 2),
        ({"a": "max 100000"}, "0::/a", None),
        ({"a": "nonsense"}, "0::/a", None),
        ({}, "1:cpu:/", None),
    ],
)
def test_a_container_s_limit_of_time_is_known(tmp_path, limits, own, cores):
    for name, limit in limits.items():
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / name / "cpu.max").write_text(f"{limit}\n")
    assert cores_of_time(tmp_path, own) == cores

"""Every item in order, on every core."""

import math
import os
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

AHEAD = 8  # items a worker: enough that one slow photo keeps no core waiting, few enough to hold in memory


def n_cores() -> int:
    """How many cores this process may use: those that it may run on, and no more than its container has time for."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(there, _time_limit() or there)


def cores_of_time(groups: Path, own: str) -> int | None:
    """The cores whose time a control group of Linux may use, rounded up; None where nothing limits it.

    A container with a limit sees all cores of its machine; with a thread on each it would mostly stand still.

    Args:
        groups: where the hierarchy is mounted, such as /sys/fs/cgroup.
        own: what /proc/self/cgroup says; the line that begins with 0:: names the group in it.

    Source: Linux's admin-guide/cgroup-v2, on cpu.max.
    """
    name = next((line[3:].strip("/") for line in own.splitlines() if line.startswith("0::")), "")
    if ".." in name.split("/"):  # seen from within another namespace: what lies above is not to be seen
        name = ""
    limits = []
    for folder in (groups / name, *(groups / name).parents[: len(Path(name).parts)]):
        try:
            quota, period = (folder / "cpu.max").read_text().split()
            limits.append(math.ceil(int(quota) / int(period)))
        except (
            OSError,
            ValueError,
            ZeroDivisionError,
        ):  # the topmost has no such file, and without a limit it says max
            continue
    return max(1, min(limits)) if limits else None


@cache
def _time_limit() -> int | None:
    try:
        return cores_of_time(Path("/sys/fs/cgroup"), Path("/proc/self/cgroup").read_text())
    except (OSError, UnicodeDecodeError):
        return None


def map_in_order(
    work: Callable[[_Item], _Result],
    items: Iterable[_Item],
    *,
    n_workers: int | None = None,
    ahead: int = AHEAD,
    name: str = "work",
) -> Generator[_Result, None, None]:
    """`work(item)` of each item, in their order, given out as soon as it is its turn.

    Threads do the work: what takes time here, decoding and inference, leaves Python's lock alone. Items are taken as
    there is room for them, so that memory does not grow with their number. Whoever stops asking, or an error of one
    item, ends the work: what has not begun is dropped.

    Args:
        work: called from several threads at once.
        items: may be endless; asked for in this thread.
        n_workers: threads; None is one a core.
        ahead: how many items a worker are taken before the turn of the first of them.
        name: of the threads, for those who look at them.
    """
    n_workers = n_workers or n_cores()
    remaining = iter(items)
    with ThreadPoolExecutor(n_workers, thread_name_prefix=name) as executor:
        waiting = [executor.submit(work, item) for item in islice(remaining, ahead * n_workers)]
        try:
            while waiting:
                result = waiting.pop(0).result()
                waiting.extend(executor.submit(work, item) for item in islice(remaining, 1))
                yield result
        finally:
            for future in waiting:
                future.cancel()

"""How long each stage took, and where a run stands."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total) as work goes on; an exception raised in it stops the work."""


def no_progress(stage: str, done: int, total: int) -> None:
    """Report to nobody."""


class Stopwatch:
    """Adds up the seconds of named stages, in the order in which they first ran."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Count the time inside the `with` block towards `stage`."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started

    def rounded(self) -> dict[str, float]:
        """{stage: seconds}, to the millisecond, with the total of what was measured."""
        return {stage: round(s, 3) for stage, s in (*self.seconds.items(), ("total", sum(self.seconds.values())))}

"""How long each stage took, and where a run stands."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total) as work goes on; an exception raised in it stops the work."""

SLOW_S = 0.5  # a stage that takes less shows no bar


def no_progress(stage: str, done: int, total: int) -> None:
    """Report to nobody."""


class Bars:
    """A bar for each stage, which goes when the stage is done: widgets where they are installed, else text.

    A `Progress` like any other: `train(…, progress=Bars())`. One may serve any number of runs, one after the other.
    """

    def __init__(self) -> None:
        self._bar: Any = None
        self._stage = ""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show where `stage` stands."""
        if self._bar is not None and (stage != self._stage or done < self._bar.n):
            self._close()
        if self._bar is None and done < total:
            kind = "tqdm.notebook" if find_spec("ipywidgets") and in_notebook() else "tqdm.std"
            self._stage = stage
            self._bar = import_module(kind).tqdm(total=total, desc=stage.capitalize(), leave=False, delay=SLOW_S)
        if self._bar is not None:
            self._bar.update(done - self._bar.n)
            if done >= total:
                self._close()

    def _close(self) -> None:
        self._bar.close()
        self._bar = None


_bars = Bars()


def usual_progress(stage: str, done: int, total: int) -> None:
    """Bars in a notebook, where somebody looks on; elsewhere nothing: a library does not print."""
    if in_notebook():
        _bars(stage, done, total)


def in_notebook() -> bool:
    """Whether this process computes the cells of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and hasattr(shell, "kernel")


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

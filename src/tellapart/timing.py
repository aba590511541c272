"""How long each stage took, and where a run stands."""

import html
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total) as work goes on; an exception raised in it stops the work."""

SLOW_S = 0.5  # a stage that takes less shows no bar
OFTEN_S = 0.2  # between two looks of a bar


def no_progress(stage: str, done: int, total: int) -> None:
    """Report to nobody."""


class Bars:
    """A bar for each stage, in a notebook; it goes when the stage is done.

    It is the browser's own element, so no widgets have to be installed, and nothing of it is kept in the notebook. Bars
    of text are written on the standard error there, and stay. A `Progress` like any other; one serves any number of
    runs, one after the other.

    Args:
        display: shows an object under a name and gives what updates it, as IPython's `display` does.
    """

    def __init__(self, display: Callable[..., Any]) -> None:
        self._display = display
        self._shown: Any = None
        self._stage, self._done, self._began, self._drawn = "", 0, 0.0, 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show where `stage` stands."""
        now = time.monotonic()
        if stage != self._stage or done < self._done:
            self._clear()
            self._stage, self._began, self._drawn = stage, now, now + SLOW_S - OFTEN_S
        self._done = done
        if done >= total:
            self._clear()
        elif now - self._drawn >= OFTEN_S:
            self._drawn = now
            bar = _Bar(stage, done, total, now - self._began)
            if self._shown is None:
                self._shown = self._display(bar, display_id=True)
            else:
                self._shown.update(bar)

    def _clear(self) -> None:
        if self._shown is not None:
            self._shown.update(_Bar("", 0, 0, 0.0))
        self._shown, self._stage, self._done = None, "", 0


class _Bar:
    """Where a stage stands, for a notebook; nothing at all for a stage without a name."""

    def __init__(self, stage: str, done: int, total: int, seconds: float) -> None:
        left = f", about {seconds / done * (total - done):.0f} s left" if done else ""
        self.text = f"{stage.capitalize()}: {done:,} of {total:,}{left}" if stage else ""
        self.done, self.total = done, total

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        if not self.text:
            return ""
        return f'<progress value="{self.done}" max="{self.total}"></progress> {html.escape(self.text)}'


_shown: dict[str, Bars] = {}


def usual_progress(stage: str, done: int, total: int) -> None:
    """Bars in a notebook, where somebody looks on; elsewhere nothing: a library does not print."""
    if in_notebook():
        if not _shown:
            _shown["bars"] = Bars(import_module("IPython.display").display)
        _shown["bars"](stage, done, total)


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

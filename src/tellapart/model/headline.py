"""The score in a sentence: that of photos which were not learned from. The other stands beside it, never alone.

The words are here, below the evaluation that is made and the folders that are read, so that a model says the same
whoever wrote it.
"""

from collections.abc import Mapping
from typing import Any

from tellapart.text import counted

MOST_PHOTOS = 10**9  # that an evaluation can be of; a stranger may write a number of any length


def of_so_many(
    n_right: int, n: int, low: float | None, high: float | None, *, crossed: bool = False
) -> tuple[str, str]:
    """How many of `n` photos are right, and the plausible range beside it; `low` and `high` are shares in [0, 1]."""
    ends = [f"{round((end or 0.0) * n):,}" for end in (low, high)]
    photos = f"{'' if crossed else 'test '}photo{'s' if n > 1 else ''}"
    return f"{n_right:,} of {n:,} {photos} right", f"({' to '.join(dict.fromkeys(ends))} is plausible)."


def nothing_known(n: int) -> str:
    """What is said in place of a score where all `n` test photos were learned from."""
    lead = "The one test photo was" if n == 1 else f"All {n:,} test photos were"
    return f"{lead} also trained on, so nothing is known about new photos."


def with_them(n_leaks: int, n_right: int, n: int) -> str:
    """The score with the `n_leaks` photos that were learned from, as it stands beside the one without them."""
    return f"{n_right:,} of {n:,} were right with {'it' if n_leaks == 1 else 'them'}."


def left_out(n_leaks: int, n_right: int, n: int) -> str:
    """What stands beside the score of the photos that were not learned from."""
    more = counted(n_leaks, "more was also trained on", "more were also trained on")
    return f"{more} and left out; {with_them(n_leaks, n_right, n)}"


def as_now(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """An evaluation.json with the headlines of now, whoever wrote it.

    `headline` is the score of photos that were not learned from, `headline_with_leaks` that of all, or None where
    nothing leaked. In files of before, `headline` was that of all and stood beside `leaks.headline_without`; in some
    it led with the other already. What is no evaluation of ours, such as leaks that are not counted, stays as it is.
    """
    leaks, said = evaluation.get("leaks"), evaluation.get("headline")
    if "headline_with_leaks" in evaluation or not isinstance(said, str):
        return {"headline_with_leaks": None, **evaluation}
    counts = _counts(evaluation, leaks)
    if not isinstance(leaks, Mapping) or counts is None:
        return {**evaluation, "headline_with_leaks": None}
    n_leaks, n_right, n = counts
    lead = nothing_known(n) if n_leaks == n else str(leaks.get("headline_without") or said)
    honest, everything = f"{lead} {(with_them if n_leaks == n else left_out)(*counts)}", said
    if said.startswith(lead):
        low, high = (_share(evaluation["accuracy"].get(end)) for end in ("low", "high"))
        honest, everything = said, " ".join(of_so_many(n_right, n, low, high))
    return {
        **evaluation,
        "headline": honest,
        "headline_with_leaks": everything,
        "leaks": {**leaks, "headline_without": honest},
    }


def score_of_headline(evaluation: Mapping[str, Any]) -> tuple[int, Mapping[str, Any] | None]:
    """How many photos the headline speaks of, and their accuracy; None where all were learned from.

    Raises:
        KeyError, TypeError: it is no evaluation of ours.
    """
    leaks = evaluation.get("leaks") or {}
    if not leaks.get("n"):
        return evaluation["n_test"], dict(evaluation["accuracy"])
    without = leaks["without"]
    return (without["n_test"], without) if without and without["n_test"] else (0, None)


def _counts(evaluation: Mapping[str, Any], leaks: object) -> tuple[int, int, int] | None:
    """How many photos leaked, how many are right with them, and of how many; None where none did or it is not said."""
    accuracy = evaluation.get("accuracy")
    if not isinstance(leaks, Mapping) or not isinstance(accuracy, Mapping):
        return None
    n_leaks, n_right, n = leaks.get("n"), accuracy.get("n_right"), evaluation.get("n_test")
    if not (isinstance(n_leaks, int) and isinstance(n_right, int) and isinstance(n, int)):
        return None
    if not (0 < n_leaks <= n <= MOST_PHOTOS and 0 <= n_right <= n):
        return None
    return n_leaks, n_right, n


def _share(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 <= value <= 1 else None

"""What twice the photos brought on like sets: advice where there are too few photos to measure it on themselves.

Of a set's own few photos no learning curve can be made that says anything, so these are other people's photos: three
sets, drawn from many times, two classes or all. Nothing here says that another set is like them.

Source: benchmarks/few_more.py, benchmarks/results/few_more.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tellapart.text import counted

FEW = 30  # photos of a class; from here on the set's own curve says more


@dataclass(frozen=True)
class Doubled:
    """What a probe gained from twice as many photos of every class.

    Args:
        of_a_class: photos of each class at the start.
        avoided: share of mistakes that it no longer made, the median over draws.
        low: nine in ten draws avoided a larger share; negative where it made more mistakes than before.
        high: nine in ten draws avoided a smaller one.
    """

    of_a_class: int
    avoided: float
    low: float
    high: float


MEASURED = (
    Doubled(3, 0.24, 0.00, 0.54),
    Doubled(5, 0.21, -0.07, 0.50),
    Doubled(10, 0.17, -0.05, 0.39),
    Doubled(15, 0.19, 0.00, 0.44),
)


def nearest(n_train: Sequence[int]) -> Doubled | None:
    """What was measured from the most photos of a class that are no more than these; None where these are not few.

    Args:
        n_train: (C,) photos of each class to learn from, C >= 1; their median decides.
    """
    typical = float(np.median(n_train))
    if typical >= FEW:
        return None
    return next((row for row in reversed(MEASURED) if row.of_a_class <= typical), MEASURED[0])


def sentence(doubled: Doubled, n_train: Sequence[int], n_wrong: int, asked: str) -> str:
    """How many more photos made how much, with its range, and what that would be of these mistakes.

    Args:
        doubled: from `nearest`.
        n_train: (C,) photos of each class to learn from.
        n_wrong: mistakes that were counted.
        asked: the photos that they were counted in, such as "40 test photos".
    """
    low, high = round(100 * doubled.low), round(100 * doubled.high)
    least = f"{low} % fewer" if low > 0 else f"{-low} % more" if low else "none fewer"
    said = (
        f"Add photos of every class. {counted(sum(n_train), 'more photo')} would double them. On three other photo "
        f"sets, going from {doubled.of_a_class} to {2 * doubled.of_a_class} of each class made "
        f"{round(100 * doubled.avoided)} % of the mistakes fewer, where eight of ten draws lay between {least} and "
        f"{high} % fewer."
    )
    if not n_wrong:
        return said
    less, more = (round(n_wrong * share) for share in (max(0.0, doubled.low), doubled.high))
    return (
        f"{said} Of the {counted(n_wrong, 'mistake')} in {asked} that would be about {round(n_wrong * doubled.avoided)}"
        f" ({less if less == more else f'{less} to {more}'})."
    )

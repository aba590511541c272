"""Learning rates: how they rise and fall over a training, and a search for the one to begin with."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import InputError, TrainingError

LEAST_RATE: Final = 1e-6  # too small to teach any network something
MOST_RATE: Final = 1.0  # large enough for any normalised loss to grow
N_STEPS: Final = 100  # of the search: 16 a decade, and seconds rather than minutes
WINDOW: Final = 7  # losses whose median stands for the middle one: batches differ, and one hard batch is no trend
GIVE_UP: Final = 4.0  # times the best loss so far: beyond, the weights are ruined and nothing more can be learnt
FLOOR: Final = 0.05  # of the whole fall: losses this near to the best count as best
CAUTION: Final = 0.1  # of the largest rate that still did well: a search is short, training is long


def warmup_cosine(step: int, n_steps: int, warmup_share: float) -> float:
    """What to multiply the rate by: up in a straight line to 1, then down along half a cosine to 0.

    Args:
        step: how many steps were taken before this one, from 0. At `n_steps`, when all are taken, the factor is 0;
            the first step and the last are above it, as a step at rate 0 would be wasted.
        n_steps: of the whole training, 1 or more.
        warmup_share: part of the steps that rise, in [0, 1).

    Raises:
        InputError: the share or the steps are out of range.

    Source: Loshchilov and Hutter, SGDR, ICLR 2017, section 3; Goyal et al., Accurate, Large Minibatch SGD, 2017,
    section 2.2, for the rise.
    """
    if not 0 <= warmup_share < 1:
        raise InputError(f"warmup_share must be at least 0 and below 1. Got {warmup_share}.")
    if not 0 <= step <= n_steps or n_steps < 1:
        raise InputError(f"step must be from 0 to n_steps. Got {step} of {n_steps}.")
    n_rising = min(round(warmup_share * n_steps), n_steps - 1)  # one step at least is at the full rate
    if step < n_rising:
        return (step + 1) / (n_rising + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - n_rising) / (n_steps - n_rising)))


@dataclass(frozen=True)
class Search:
    """What a search for a learning rate found.

    Args:
        rate: the one to train with, as the highest of the schedule.
        rates: (K,) those that were tried, growing.
        losses: (K,) of one batch each; the last may be infinite or not a number.
        smoothed: (K,) medians of the losses around each.
    """

    rate: float
    rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    smoothed: NDArray[np.float64]


def find_rate(
    step: Callable[[float], float],
    *,
    least: float = LEAST_RATE,
    most: float = MOST_RATE,
    n_steps: int = N_STEPS,
) -> Search:
    """A good learning rate: a tenth of the largest that still lowers the loss.

    One step is taken at each rate, from `least` to `most`, each larger than the one before by the same factor, until
    the loss is four times the best. The largest rate near the best loss marks where steps begin to overshoot, which is
    a property of the network. The rate where the loss falls fastest, the other usual choice, is also one of the search:
    each rate begins where the earlier ones left off. In a bowl of known curvature with noisy slopes it fell six- to
    sevenfold from 60 to 400 steps, and ours less than twofold (`bowl` in its test: seed 0, curvatures
    20, 300 and 5000, noise 0.1, 0.3 and 0.6).

    Args:
        step: takes one step of training at the rate it is given and says the loss of its batch, from before the step.
            It changes the network, which has to be put back afterwards.
        least: the first rate.
        most: the last rate.
        n_steps: how many rates.

    Raises:
        InputError: rates or steps are out of range.
        TrainingError: no rate lowered the loss.

    Source: Smith, Cyclical Learning Rates for Training Neural Networks, WACV 2017, section 3.3.
    """
    if not 0 < least < most:
        raise InputError(f"The least rate must be above 0 and below the most. Got {least} and {most}.")
    if n_steps < 2 * WINDOW:
        raise InputError(f"A search takes at least {2 * WINDOW} steps. Got {n_steps}.")
    rates = np.geomspace(least, most, n_steps)
    losses: list[float] = []
    for rate in rates:
        losses.append(float(step(float(rate))))
        if _is_over(losses):
            break
    raw = np.array(losses)
    smoothed = _smoothed(raw)
    return Search(_chosen(rates[: len(raw)], smoothed), rates[: len(raw)], raw, smoothed)


def _is_over(losses: list[float]) -> bool:
    """Whether the last losses say that the weights are ruined: no number, or far above the best so far.

    Four times a best that is almost 0 is not far: a network that had learnt its task would end the search by noise.
    """
    if not math.isfinite(losses[-1]):
        return True
    smoothed = _smoothed(np.array(losses))
    return bool(smoothed[-1] > max(GIVE_UP * smoothed.min(), _near(smoothed)))


def _smoothed(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """(K,) medians of up to `WINDOW` losses around each; the last losses are huge and would pull means up early."""
    finite = np.where(np.isfinite(losses), losses, np.inf)
    half = WINDOW // 2
    return np.array([np.median(finite[max(i - half, 0) : i + half + 1]) for i in range(len(finite))])


def _near(smoothed: NDArray[np.float64]) -> float:
    """Up to which loss counts as near the best."""
    best = smoothed.min()
    return float(best + FLOOR * (smoothed[0] - best))


def _chosen(rates: NDArray[np.float64], smoothed: NDArray[np.float64]) -> float:
    """A tenth of the largest rate near the best loss.

    Raises:
        TrainingError: the loss never fell.
    """
    if not math.isfinite(smoothed[0]) or smoothed.min() >= smoothed[0]:
        raise TrainingError(
            "No learning rate lowered the loss.",
            hint="Name a rate yourself. If that does not help either, look at the photos and the labels.",
        )
    return float(CAUTION * rates[np.flatnonzero(smoothed <= _near(smoothed))[-1]])

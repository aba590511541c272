"""The minimum of a multinomial logistic loss of which only a sample lies in memory, in few looks at the whole.

The slope is that of the whole, the curvature that of a sample, which is drawn anew at each look: one step of Newton's
method with it leaves a part of the way, and L-BFGS on top learns from the steps so far what samples do not know. A step
costs one look at the whole; L-BFGS alone takes hundreds where classes are told apart nearly without mistakes.

Source: Erdogdu and Montanari, "Convergence rates of sub-sampled Newton methods" (2015); Nocedal and Wright, "Numerical
Optimization" (2006), algorithms 7.2 (conjugate gradients) and 7.4 (the two loops of L-BFGS).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

REMEMBERED = 10  # steps; each holds two solutions
NEAR_ENOUGH = 0.05  # of the slope may be left when a step is sought; more exact ones save no look at the whole
MOST_PRODUCTS = 100  # with the curvature, for one step
LEAST_FALL = 1e-4  # of what the slope promises, or the step was too long
ROUNDING = 64 * np.finfo(np.float64).eps  # of the loss
LONGEST = 4.0  # by which a step may move a logit of the sample: the curvature is another one farther away
SHORTEST = 1e-6  # of a step, before it is given up
BLOCK = 2048  # photos of the sample that a thread takes at once

_Floats = NDArray[np.float64]


class InOrder(Protocol):
    """`work` of 0, 1, … n - 1, given out in this order, whoever does it."""

    def __call__(self, work: Callable[[int], Any], n: int, /) -> Iterable[Any]:
        """See there."""


class Minimum(NamedTuple):
    """What was found.

    Args:
        solution: (K, D + 1), offsets last.
        n_looks: how often the loss was asked for.
        converged: whether the next step would have moved next to nothing.
    """

    solution: _Floats
    n_looks: int
    converged: bool


@dataclass(frozen=True)
class Sample:
    """Photos in memory that stand for the whole.

    Args:
        x: (S, D) float32 scaled features.
        weights: (S,) how much of the mean loss of the whole each stands for; they sum to about 1.
        penalty: of the squares of the weights of a solution.
        in_order: does the same to each block.
    """

    x: NDArray[np.float32]
    weights: _Floats
    penalty: float
    in_order: InOrder

    def at(self, solution: _Floats) -> "Curvature":
        """The curvature there."""
        return Curvature(self, solution)

    def blocks(self) -> list[slice]:
        """Which photos are computed at once."""
        return [slice(i, i + BLOCK) for i in range(0, len(self.x), BLOCK)]

    def probs(self, solution: _Floats) -> NDArray[np.float32]:
        """(S, K) what it says of the photos."""
        weight, bias = solution[:, :-1].T.astype(np.float32), solution[:, -1].astype(np.float32)

        def of_block(number: int) -> NDArray[np.float32]:
            logits = self.x[self.blocks()[number]] @ weight + bias
            logits -= logits.max(axis=1, keepdims=True)
            np.exp(logits, out=logits)
            logits /= logits.sum(axis=1, keepdims=True)
            return logits

        return np.concatenate(list(self.in_order(of_block, len(self.blocks()))))


class Look(NamedTuple):
    """What the whole says of a solution.

    Args:
        loss: the mean loss.
        slope: (K, D + 1) of it.
        sample: of the whole, drawn for the curvature there.
    """

    loss: float
    slope: _Floats
    sample: Sample


class Curvature:
    """The second derivative of the sample's loss at a solution, as something to multiply with and to solve for."""

    def __init__(self, sample: Sample, solution: _Floats) -> None:
        self._sample, self._solution, self._probs = sample, solution, sample.probs(solution)

    def moved(self, step: _Floats) -> tuple[float, float]:
        """By how much a step moves any logit, and any probability, of the sample at most."""
        weight, bias = step[:, :-1].T.astype(np.float32), step[:, -1].astype(np.float32)

        def of_block(number: int) -> _Floats:
            block = self._sample.blocks()[number]
            logits = self._sample.x[block] @ weight + bias
            most = float(np.abs(logits).max())
            logits -= logits.max(axis=1, keepdims=True)
            probs = self._probs[block] * np.exp(logits)
            probs /= np.maximum(probs.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
            return np.array([most, np.abs(probs - self._probs[block]).max()])

        found = np.max(list(self._sample.in_order(of_block, len(self._sample.blocks()))), axis=0)
        return float(found[0]), float(found[1])

    def times(self, direction: _Floats) -> _Floats:
        """(K, D + 1) the curvature times `direction` (K, D + 1)."""
        sample = self._sample
        weight, bias = direction[:, :-1].T.astype(np.float32), direction[:, -1].astype(np.float32)

        def of_block(number: int) -> _Floats:
            block = sample.blocks()[number]
            x, probs = sample.x[block], self._probs[block]
            logits = x @ weight + bias
            logits -= np.einsum("ij,ij->i", logits, probs)[:, None]
            logits *= probs
            logits *= sample.weights[block, None].astype(np.float32)
            return np.column_stack([logits.T @ x, logits.sum(axis=0)]).astype(np.float64)

        total = np.zeros_like(direction)
        for own in sample.in_order(of_block, len(sample.blocks())):
            total += own
        total[:, :-1] += sample.penalty * direction[:, :-1]
        return total

    @cached_property
    def _usual(self) -> tuple[_Floats, bool]:
        """What `cho_solve` takes: the curvature of a class that has p (1 - p) of a photo's, the mean over classes."""
        sample, d = self._sample, self._sample.x.shape[1]

        def of_block(number: int) -> _Floats:
            block = sample.blocks()[number]
            probs = self._probs[block]
            weights = sample.weights[block] * (probs * (1 - probs)).mean(axis=1)
            x = np.column_stack([sample.x[block], np.ones(len(probs), np.float32)])
            return np.asarray((x * weights[:, None].astype(np.float32)).T @ x, np.float64)

        whole = np.zeros((d + 1, d + 1))
        for own in sample.in_order(of_block, len(sample.blocks())):
            whole += own
        # Unseen directions and sure classes must not blow up.
        whole[np.diag_indices(d + 1)] += sample.penalty + 1e-6 * np.trace(whole) / (d + 1)
        factor, lower = cho_factor(whole, lower=True)
        return factor, lower

    def solve(self, slope: _Floats) -> _Floats:
        """About the step whose product with the curvature is `slope`, by conjugate gradients."""
        step, left = np.zeros_like(slope), slope.copy()
        wanted = NEAR_ENOUGH**2 * float((slope * self._eased(slope)).sum())
        eased = self._eased(left)
        direction, size = eased.copy(), float((left * eased).sum())
        for _ in range(MOST_PRODUCTS):
            if size <= wanted:
                break
            product = self.times(direction)
            steep = float((direction * product).sum())
            if steep <= 0:  # rounding alone can make it so
                break
            step += size / steep * direction
            left -= size / steep * product
            eased = self._eased(left)
            size, before = float((left * eased).sum()), size
            direction = eased + size / before * direction
        return step

    def _eased(self, slope: _Floats) -> _Floats:
        return np.asarray(cho_solve(self._usual, slope.T).T, np.float64)


def minimum(look: Callable[[_Floats], Look], first: _Floats, *, least_move: float, max_looks: int) -> Minimum:
    """Where the loss of the whole is least.

    Args:
        look: gives what the whole says of a solution (K, D + 1).
        first: the solution to begin with.
        least_move: ends where the next step moves no probability of the sample by more.
        max_looks: ends after so many, too.
    """
    solution, known, n_looks = first, look(first), 1
    steps: list[tuple[_Floats, _Floats]] = []
    while True:
        curvature = known.sample.at(solution)
        step = -_solved(known.slope, steps, curvature)
        logits, probs = curvature.moved(step)
        if probs <= least_move:
            return Minimum(solution, n_looks, True)
        promised, share = float((known.slope * step).sum()), min(1.0, LONGEST / logits)
        while True:
            if n_looks >= max_looks or share < SHORTEST:
                return Minimum(solution, n_looks, False)
            further = solution + share * step
            found = look(further)
            n_looks += 1
            if found.loss <= known.loss + LEAST_FALL * share * promised + ROUNDING * abs(known.loss):
                break
            # The lowest point of the parabola through both values and the slope.
            share *= min(max(-share * promised / (2 * (found.loss - known.loss - share * promised)), 0.1), 0.5)
        if float(((further - solution) * (found.slope - known.slope)).sum()) > 0:
            steps = [*steps[-REMEMBERED + 1 :], (further - solution, found.slope - known.slope)]
        solution, known = further, found


def _solved(slope: _Floats, steps: list[tuple[_Floats, _Floats]], curvature: Curvature) -> _Floats:
    """What the curvature of the sample makes of the slope, put right by what the last steps met."""
    left, shares = slope.copy(), []
    for moved, turned in reversed(steps):
        share = float((moved * left).sum() / (moved * turned).sum())
        left -= share * turned
        shares.append(share)
    step = curvature.solve(left)
    for (moved, turned), share in zip(steps, reversed(shares), strict=True):
        step += (share - float((turned * step).sum() / (moved * turned).sum())) * moved
    return step

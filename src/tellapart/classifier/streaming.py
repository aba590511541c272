"""The head on more photos than memory holds: the loss of `logistic`, summed over pieces that are read one by one.

Each step of L-BFGS reads every piece once. Pieces are summed in their order, in float64, whoever computed them: the
number of threads changes no bit, and another division of the same photos only the last digits. Features stay float32
where they lie; a block of them at a time is computed in float64.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.optimize import minimize
from threadpoolctl import ThreadpoolController, threadpool_limits

from tellapart.classifier.logistic import LEAST_PROGRESS
from tellapart.classifier.probe import NEVER_ANSWERED
from tellapart.engine.head import Head
from tellapart.parallel import map_in_order

MAX_STEPS = 100  # of L-BFGS; 5 to 20 are usual from the head of a sample
SLOPE = 2e-6  # of the mean loss in whitened weights: probabilities are then within 1e-5 of the optimum
MEMORY = 30  # steps that L-BFGS remembers
WHITENED_ON = 20_000  # photos; their covariance needs several a feature, and no more
BLOCK = 512  # photos computed at once: 5 MB

_Floats = NDArray[np.float64]


class Pieces(Protocol):
    """Photos in pieces that are read when they are asked for."""

    def __len__(self) -> int:
        """How many pieces there are."""

    def __getitem__(self, number: int, /) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """(n, D) features and (n,) labels of one piece; n may be 0."""


@dataclass(frozen=True)
class Streamed:
    """What came of it.

    Args:
        head: the optimum.
        n_photos: that it was learned from.
        n_passes: how often all of them were read.
        converged: whether it stopped because the slope was small, and not after MAX_STEPS.
    """

    head: Head
    n_photos: int
    n_passes: int
    converged: bool


class _Scaling(NamedTuple):
    mean: _Floats
    scale: _Floats


def log_loss(heads: Sequence[Head], pieces: Pieces, temperatures: Sequence[float]) -> list[float]:
    """The mean negative log-likelihood of each head, at its temperature, over the photos of all pieces, read once."""

    def of_piece(number: int) -> tuple[list[float], int]:
        features, labels = pieces[number]
        sums = []
        for head, temperature in zip(heads, temperatures, strict=True):
            logits = head.logits(features).astype(np.float64) / temperature
            logits -= logits.max(axis=1, keepdims=True, initial=-np.inf)
            sums.append(float((np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(labels)), labels]).sum()))
        return sums, len(labels)

    total, n = np.zeros(len(heads)), 0
    for sums, own in _in_order(of_piece, len(pieces), None):
        total, n = total + sums, n + own
    return [float(one) for one in total / max(n, 1)]


def fit_streaming(
    pieces: Pieces,
    n_classes: int,
    c: float,
    class_balance: float,
    *,
    start: Head | None = None,
    slope: float = SLOPE,
    n_workers: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Streamed:
    """The head that `fit_heads` finds for the photos of all pieces together, whatever their number.

    Args:
        pieces: of the photos that learn; at least two classes among them.
        n_classes: C; one without photos is never answered.
        c: inverse regularisation.
        class_balance: as of `LinearProbe`.
        start: a head to begin with, such as that of a sample; None begins with nothing.
        slope: stop where none of the mean loss is steeper, in whitened weights.
        n_workers: threads; None is one a core. Changes no bit.
        progress: called with (passes done, MAX_STEPS).
    """
    counts, scaling = _census(pieces, n_classes, n_workers)
    present = np.flatnonzero(counts)
    compact = np.full(n_classes, -1)
    compact[present] = np.arange(len(present))
    share = counts[present].astype(np.float64) ** -class_balance
    share /= (share * counts[present]).sum()  # of one photo of each class; those of all photos sum to 1
    n, d = int(counts.sum()), len(scaling.mean)
    problem = _Problem(pieces, scaling, compact, share, 1 / (c * n), n_workers)
    first = _unfolded(start, present, scaling) if start is not None else np.zeros((len(present), d + 1))
    whitener = problem.whitener(first)
    n_passes = 0

    def loss(flat: _Floats) -> tuple[float, _Floats]:
        nonlocal n_passes
        value, gradient = problem.loss(whitener.solution(flat.reshape(len(present), d + 1)))
        n_passes += 1
        progress(n_passes, MAX_STEPS)
        return value, whitener.gradient(gradient).ravel()

    options: Any = {"gtol": slope, "ftol": LEAST_PROGRESS, "maxiter": MAX_STEPS, "maxcor": MEMORY}
    with threadpool_limits(1):
        found = minimize(loss, whitener.whitened(first).ravel(), method="L-BFGS-B", jac=True, options=options)
    solution = whitener.solution(found.x.reshape(len(present), d + 1))
    converged = bool(found.nit < MAX_STEPS)
    return Streamed(_folded(solution, present, n_classes, scaling), n, n_passes, converged)


def _in_order(work: Callable[[int], Any], n: int, n_workers: int | None) -> Any:
    known = ThreadpoolController()  # asks which libraries there are, which takes longer than a small piece

    def limited(number: int) -> Any:
        with known.limit(limits=1):  # OpenMP's limit holds for the thread that sets it
            return work(number)

    return map_in_order(limited, range(n), n_workers=n_workers, name="pieces")


def _census(pieces: Pieces, n_classes: int, n_workers: int | None) -> tuple[NDArray[np.int64], _Scaling]:
    """(C,) photos of each class, and how features are scaled: as `probe.scaled` does, in one pass.

    Squares are summed around the mean of the first piece that has photos, so that little cancels.
    """
    around = next(
        (features.mean(axis=0, dtype=np.float64) for i in range(len(pieces)) if len(features := pieces[i][0])), None
    )
    if around is None:
        raise ValueError("there are no photos to learn from")

    def of_piece(number: int) -> tuple[NDArray[np.int64], _Floats, _Floats]:
        features, labels = pieces[number]
        sums, squares = np.zeros(len(around)), np.zeros(len(around))
        for i in range(0, len(features), BLOCK):
            block = features[i : i + BLOCK] - around
            sums += block.sum(axis=0)
            squares += np.square(block).sum(axis=0)
        return np.bincount(labels, minlength=n_classes), sums, squares

    counts, total, square = np.zeros(n_classes, np.int64), np.zeros(len(around)), np.zeros(len(around))
    for own_counts, own_sum, own_square in _in_order(of_piece, len(pieces), n_workers):
        counts, total, square = counts + own_counts, total + own_sum, square + own_square
    n = counts.sum()
    shift = total / n
    variance = np.maximum(square / n - np.square(shift), 0)
    moves = variance > np.square(shift) * np.finfo(np.float64).eps
    deviation = np.where(moves, np.sqrt(variance), np.median(np.sqrt(variance[moves])) if moves.any() else 1.0)
    return counts, _Scaling(around + shift, np.sqrt(deviation * np.median(deviation)))


@dataclass(frozen=True)
class _Whitener:
    """Weights in which the loss is about as steep in every direction: solution = whitened @ root⁻¹.

    `root` is the upper triangle with rootᵀ root = the curvature, for all classes alike.
    """

    root: _Floats

    def solution(self, whitened: _Floats) -> _Floats:
        return np.asarray(solve_triangular(self.root, whitened.T).T)

    def whitened(self, solution: _Floats) -> _Floats:
        return np.asarray((self.root @ solution.T).T)

    def gradient(self, of_solution: _Floats) -> _Floats:
        return np.asarray(solve_triangular(self.root, of_solution.T, trans="T").T)


@dataclass(frozen=True)
class _Problem:
    """The mean loss of all photos; solutions are (K, D + 1) with the offsets last, of classes that have photos."""

    pieces: Pieces
    scaling: _Scaling
    compact: NDArray[np.int64]
    share: _Floats
    penalty: float
    n_workers: int | None

    def loss(self, solution: _Floats) -> tuple[float, _Floats]:
        """The loss and its gradient."""
        total, gradient = 0.0, np.zeros_like(solution)
        for value, own in _in_order(partial(self._of_piece, solution), len(self.pieces), self.n_workers):
            total, gradient = total + value, gradient + own
        gradient[:, :-1] += self.penalty * solution[:, :-1]
        return total + self.penalty / 2 * float(np.square(solution[:, :-1]).sum()), gradient

    def _of_piece(self, solution: _Floats, number: int) -> tuple[float, _Floats]:
        features, labels = self.pieces[number]
        value, gradient = 0.0, np.zeros_like(solution)
        for i in range(0, len(features), BLOCK):
            x, own = self._scaled(features[i : i + BLOCK]), self.compact[labels[i : i + BLOCK]]
            weights = self.share[own]
            probs, cross_entropy = _answers(x, solution, own)
            value += float(weights @ cross_entropy)
            probs[np.arange(len(own)), own] -= 1
            probs *= weights[:, None]
            gradient[:, :-1] += probs.T @ x
            gradient[:, -1] += probs.sum(axis=0)
        return value, gradient

    def _scaled(self, features: NDArray[np.float32]) -> _Floats:
        """(n, D) in float64: near the minimum, the loss in float32 no longer tells which way is down."""
        return np.asarray((features - self.scaling.mean) / self.scaling.scale)

    def whitener(self, solution: _Floats) -> _Whitener:
        """From the curvature among the first photos, which a class has p (1 - p) of, the mean over classes."""
        d = len(self.scaling.mean)
        curvature, total, n = np.zeros((d + 1, d + 1)), 0.0, 0
        for number in range(len(self.pieces)):
            features, labels = self.pieces[number]
            for i in range(0, len(features), BLOCK):
                x, own = self._scaled(features[i : i + BLOCK]), self.compact[labels[i : i + BLOCK]]
                probs, _ = _answers(x, solution, own)
                weights = self.share[own] * (probs * (1 - probs)).mean(axis=1)
                x = np.hstack([x, np.ones((len(x), 1))])
                curvature += (x * weights[:, None]).T @ x
                total += float(self.share[own].sum())
            n += len(features)
            if n >= WHITENED_ON:
                break
        curvature /= total
        # Unseen directions and sure classes must not blow up: at least a thousandth of what is usual.
        curvature[np.diag_indices(d + 1)] += self.penalty + 1e-3 * np.trace(curvature) / (d + 1)
        return _Whitener(np.asarray(np.linalg.cholesky(curvature).T, np.float64))


def _answers(x: _Floats, solution: _Floats, labels: NDArray[np.int64]) -> tuple[_Floats, _Floats]:
    """(n, K) probabilities and (n,) cross-entropies of scaled photos."""
    logits = x @ solution[:, :-1].T + solution[:, -1]
    logits -= logits.max(axis=1, keepdims=True)
    probs = np.exp(logits)
    total = probs.sum(axis=1, keepdims=True)
    return probs / total, np.log(total[:, 0]) - logits[np.arange(len(labels)), labels]


def _unfolded(head: Head, present: NDArray[np.int64], scaling: _Scaling) -> _Floats:
    """The solution in scaled features that is this head."""
    weight = head.weight[present].astype(np.float64)
    bias = head.bias[present] + weight @ scaling.mean
    return np.column_stack([weight * scaling.scale, bias - bias.mean()])


def _folded(solution: _Floats, present: NDArray[np.int64], n_classes: int, scaling: _Scaling) -> Head:
    weight = np.zeros((n_classes, len(scaling.mean)), np.float32)
    rows, offsets = solution[:, :-1], solution[:, -1]
    weight[present] = rows / scaling.scale
    folded = offsets - rows @ (scaling.mean / scaling.scale)
    bias = np.full(n_classes, folded.min() - NEVER_ANSWERED, np.float32)
    bias[present] = folded
    return Head(weight, bias)

"""The head on more photos than memory holds: the loss of `logistic`, summed over pieces that are read one by one.

Each step of L-BFGS reads every piece once. Pieces are summed in their order, in float64, whoever computed them: the
number of threads changes no bit, and another division of the same photos only the last digits. Features stay float32
where they lie; a block of them at a time is computed in float64.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController, threadpool_limits

from tellapart.classifier.newton import Sample, minimum
from tellapart.classifier.probe import NEVER_ANSWERED
from tellapart.engine.head import Head
from tellapart.parallel import map_in_order

MAX_PASSES = 50  # 4 to 10 are usual from the head of a sample
LEAST_MOVE = 1e-5  # of a probability by a step, from which on none is made: all are then within 1e-4 of the optimum
SAMPLED = 20_000  # photos in memory that tell the curvature, 100 MB
GAUGED_ON = 5_000  # photos; their mean doubt says which of the others are drawn
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
        converged: whether it stopped because the next step would have moved next to nothing, and not after MAX_PASSES.
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
        n_workers: threads; None is one a core. Changes no bit.
        progress: called with (passes done, MAX_PASSES).
    """
    with threadpool_limits(1):  # threads within a product would round otherwise on a machine with more of them
        counts, scaling = _census(pieces, n_classes, n_workers)
        present = np.flatnonzero(counts)
        compact = np.full(n_classes, -1)
        compact[present] = np.arange(len(present))
        share = counts[present].astype(np.float64) ** -class_balance
        share /= (share * counts[present]).sum()  # of one photo of each class; those of all photos sum to 1
        n, d = int(counts.sum()), len(scaling.mean)
        problem = _Problem(pieces, scaling, compact, share, 1 / (c * n), n_workers)
        first = _unfolded(start, present, scaling) if start is not None else np.zeros((len(present), d + 1))
        known, sample = problem.begun(first, n)
        n_passes = 1
        progress(n_passes, MAX_PASSES)

        def loss(solution: _Floats) -> tuple[float, _Floats]:
            nonlocal n_passes
            found = problem.loss(solution)
            n_passes += 1
            progress(n_passes, MAX_PASSES)
            return found

        found = minimum(loss, first, known, sample, least_move=LEAST_MOVE, max_looks=MAX_PASSES - 1)
    return Streamed(_folded(found.solution, present, n_classes, scaling), n, n_passes, found.converged)


def _in_order(work: Callable[[int], Any], n: int, n_workers: int | None) -> Iterator[Any]:
    known = ThreadpoolController()  # asks which libraries there are, which takes longer than a small piece

    def limited(number: int) -> Any:
        with known.limit(limits=1):  # OpenMP's limit holds for the thread that sets it
            return work(number)

    # OpenBLAS has one limit for all threads, and the first that ends would take it from the others.
    with known.limit(limits=1):
        yield from map_in_order(limited, range(n), n_workers=n_workers, name="pieces")


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
        parts = _in_order(partial(self._of_piece, solution), len(self.pieces), self.n_workers)
        return self._summed(parts, solution)

    def begun(self, solution: _Floats, n: int) -> tuple[tuple[float, _Floats], Sample]:
        """The same, and a sample of the n photos, in which those that a class is in doubt of are more likely."""
        usual = self._usual_doubt(solution)
        drawn: list[tuple[NDArray[np.float32], _Floats]] = []

        def of_piece(number: int) -> tuple[float, _Floats, list[tuple[NDArray[np.float32], _Floats]]]:
            rng, own = np.random.default_rng([0, number]), []

            def draw(x: _Floats, weights: _Floats, probs: _Floats) -> None:
                doubt = weights * (probs * (1 - probs)).sum(axis=1)
                chances = np.minimum(SAMPLED / (2 * n) * (1 + doubt / usual), 1)
                chosen = rng.random(len(x)) < chances
                own.append((x[chosen].astype(np.float32), weights[chosen] / chances[chosen]))

            return *self._of_piece(solution, number, draw), own

        def parts() -> Iterator[tuple[float, _Floats]]:
            for value, gradient, own in _in_order(of_piece, len(self.pieces), self.n_workers):
                drawn.extend(own)
                yield value, gradient

        known = self._summed(parts(), solution)
        x, weights = (np.concatenate(arrays) for arrays in zip(*drawn, strict=True))
        return known, Sample(x, weights, self.penalty, partial(_in_order, n_workers=self.n_workers))

    def _usual_doubt(self, solution: _Floats) -> float:
        """What the curvature has of a photo, of the first ones the mean."""
        total, n = 0.0, 0
        for number in range(len(self.pieces)):
            features, labels = self.pieces[number]
            for i in range(0, len(features), BLOCK):
                own = self.compact[labels[i : i + BLOCK]]
                probs, _ = _answers(self._scaled(features[i : i + BLOCK]), solution, own)
                total += float((self.share[own] * (probs * (1 - probs)).sum(axis=1)).sum())
            n += len(features)
            if n >= GAUGED_ON:
                break
        return max(total / n, np.finfo(np.float64).tiny)

    def _summed(self, parts: Iterable[tuple[float, _Floats]], solution: _Floats) -> tuple[float, _Floats]:
        total, gradient = 0.0, np.zeros_like(solution)
        for value, own in parts:
            total, gradient = total + value, gradient + own
        gradient[:, :-1] += self.penalty * solution[:, :-1]
        return total + self.penalty / 2 * float(np.square(solution[:, :-1]).sum()), gradient

    def _of_piece(
        self, solution: _Floats, number: int, draw: Callable[[_Floats, _Floats, _Floats], None] | None = None
    ) -> tuple[float, _Floats]:
        features, labels = self.pieces[number]
        value, gradient = 0.0, np.zeros_like(solution)
        for i in range(0, len(features), BLOCK):
            x, own = self._scaled(features[i : i + BLOCK]), self.compact[labels[i : i + BLOCK]]
            weights = self.share[own]
            probs, cross_entropy = _answers(x, solution, own)
            if draw:
                draw(x, weights, probs)
            value += float(weights @ cross_entropy)
            probs[np.arange(len(own)), own] -= 1
            probs *= weights[:, None]
            gradient[:, :-1] += probs.T @ x
            gradient[:, -1] += probs.sum(axis=0)
        return value, gradient

    def _scaled(self, features: NDArray[np.float32]) -> _Floats:
        """(n, D) in float64: near the minimum, the loss in float32 no longer tells which way is down."""
        return np.asarray((features - self.scaling.mean) / self.scaling.scale)


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

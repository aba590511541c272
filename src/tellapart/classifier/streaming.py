"""The head on more photos than memory holds: the loss of `logistic`, summed over pieces that are read one by one.

Each step of Newton's method reads every piece once. Pieces are summed in their order, in float64, whoever computed
them: the number of threads changes no bit, and another division of the same photos moves no probability by more than
1e-4. Features stay float32 where they lie; a block of them at a time is computed in float64.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController, threadpool_limits

from tellapart.classifier.newton import Look, Sample, minimum
from tellapart.classifier.probe import NEVER_ANSWERED
from tellapart.engine.head import Head
from tellapart.parallel import map_in_order

MAX_PASSES = 20  # of a million photos a pass takes seven seconds, and the last ones change next to nothing
LEAST_MOVE = 1e-5  # of a probability by a step, from which on none is made: all are then within 1e-4 of the optimum
SAMPLED = 20_000  # photos in memory that tell the curvature, 100 MB
LEAST_DOUBT = 0.0005  # of a photo, when it is drawn for that: what no class is in doubt of now may be soon
BLOCK = 256  # photos computed at once: 2.6 MB
AHEAD = 2  # pieces a worker that are read before their turn: 20 MB each

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


def log_losses(heads: Sequence[Head], pieces: Pieces, temperatures: _Floats) -> _Floats:
    """(H, T) mean negative log-likelihood of each head at each temperature, over the photos of all pieces."""

    def of_piece(number: int) -> tuple[_Floats, int]:
        features, labels = pieces[number]
        sums = np.zeros((len(heads), len(temperatures)))
        for row, head in zip(sums, heads, strict=True):
            logits = head.logits(features).astype(np.float64)
            logits -= logits.max(axis=1, keepdims=True, initial=-np.inf)
            of_truth = logits[np.arange(len(labels)), labels].sum()
            for place, temperature in enumerate(temperatures):
                row[place] = np.log(np.exp(logits / temperature).sum(axis=1)).sum() - of_truth / temperature
        return sums, len(labels)

    total, n = np.zeros((len(heads), len(temperatures))), 0
    for sums, own in _in_order(of_piece, len(pieces), None):
        total, n = total + sums, n + own
    return total / max(n, 1)


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
        n_passes = 0

        def look(solution: _Floats) -> Look:
            nonlocal n_passes
            found = problem.look(solution)
            n_passes += 1
            progress(n_passes, MAX_PASSES)
            return found

        found = minimum(look, first, least_move=LEAST_MOVE, max_looks=MAX_PASSES)
    return Streamed(_folded(found.solution, present, n_classes, scaling), n, n_passes, found.converged)


def _in_order(work: Callable[[int], Any], n: int, n_workers: int | None) -> Iterator[Any]:
    known = ThreadpoolController()  # asks which libraries there are, which takes longer than a small piece

    def limited(number: int) -> Any:
        with known.limit(limits=1):  # OpenMP's limit holds for the thread that sets it
            return work(number)

    # OpenBLAS has one limit for all threads, and the first that ends would take it from the others.
    with known.limit(limits=1):
        yield from map_in_order(limited, range(n), n_workers=n_workers, ahead=AHEAD, name="pieces")


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

    def look(self, solution: _Floats) -> Look:
        """The loss and its slope, and a sample in which photos that a class is in doubt of are more likely."""
        weight = solution[:, :-1] / self.scaling.scale
        head = weight, solution[:, -1] - weight @ self.scaling.mean
        drawn = Drawn(SAMPLED)
        loss, slope = 0.0, np.zeros_like(solution)
        for value, own, some in _in_order(partial(self._of_piece, head, drawn), len(self.pieces), self.n_workers):
            loss, slope = loss + value, slope + own
            drawn.add(some)
        slope[:, :-1] = (slope[:, :-1] - slope[:, -1:] * self.scaling.mean) / self.scaling.scale
        slope[:, :-1] += self.penalty * solution[:, :-1]
        loss += self.penalty / 2 * float(np.square(solution[:, :-1]).sum())
        return Look(loss, slope, Sample(*drawn.all(), self.penalty, partial(_in_order, n_workers=self.n_workers)))

    def _of_piece(
        self, head: tuple[_Floats, _Floats], drawn: "Drawn", number: int
    ) -> tuple[float, _Floats, list["Some"]]:
        """Of the photos of one piece: their share of the loss, of its slope in raw features, and what may be drawn."""
        features, labels = self.pieces[number]
        chance = 1 - np.random.default_rng([0, number]).random(len(features))
        loss, slope, some = 0.0, np.zeros((len(self.share), features.shape[1] + 1)), []
        for i in range(0, len(features), BLOCK):
            # Near the minimum, the loss in float32 no longer tells which way is down.
            x, own = features[i : i + BLOCK].astype(np.float64), self.compact[labels[i : i + BLOCK]]
            weights = self.share[own]
            probs, cross_entropy = _answers(x, *head, own)
            doubt = weights * ((probs * (1 - probs)).sum(axis=1) + LEAST_DOUBT)
            rank = doubt / chance[i : i + BLOCK]
            may_be = rank > drawn.least
            scaled = ((x[may_be] - self.scaling.mean) / self.scaling.scale).astype(np.float32)
            some.append(Some(scaled, weights[may_be], doubt[may_be], rank[may_be]))
            loss += float(weights @ cross_entropy)
            probs[np.arange(len(own)), own] -= 1
            probs *= weights[:, None]
            slope[:, :-1] += probs.T @ x
            slope[:, -1] += probs.sum(axis=0)
        return loss, slope, some


class Some(NamedTuple):
    """Photos of which some will be drawn: (n, D) scaled features, and (n,) weights, doubts and ranks."""

    x: NDArray[np.float32]
    weights: _Floats
    doubt: _Floats
    rank: _Floats

    def of(self, wanted: NDArray[np.bool_] | slice) -> "Some":
        """Some of them."""
        return Some(self.x[wanted], self.weights[wanted], self.doubt[wanted], self.rank[wanted])


class Drawn:
    """Exactly so many of all photos that are added, by their doubt, whatever the order in which pieces are computed.

    A photo's rank is its doubt divided by a number drawn from (0, 1], and those of the highest ranks are taken. One
    whose doubt is below the first rank that is not taken stands for more photos, by as much.

    Source: Duffield, Lund and Thorup, "Priority sampling for estimation of arbitrary subset sums" (2007).
    """

    def __init__(self, n: int) -> None:
        self._n, self._held, self._parts = n, 0, list[Some]()
        self.least = 0.0  # rank, below which nobody is taken: those need not be added

    def add(self, some: list[Some]) -> None:
        """Take in more photos."""
        self._parts += some
        self._held += sum(len(part.rank) for part in some)
        if self._held > 3 * self._n / 2:
            self._keep()

    def all(self) -> tuple[NDArray[np.float32], _Floats]:
        """(n, D) scaled features and (n,) weights."""
        kept = self._keep()
        if len(kept.rank) <= self._n:
            return kept.x, kept.weights
        taken = kept.of(kept.rank > self.least)
        return taken.x, taken.weights * np.maximum(self.least / taken.doubt, 1)

    def _keep(self) -> Some:
        """Keep the highest ranks, and the first that is not taken, in the order in which they came."""
        parts, rank = self._parts, np.concatenate([part.rank for part in self._parts])
        if len(rank) > self._n:
            self.least = float(-np.partition(-rank, self._n)[self._n])
            parts = [part.of(part.rank >= self.least) for part in parts]
        x, weights, doubt = (np.concatenate([part[i] for part in parts]) for i in range(3))
        self._parts = [Some(x, weights, doubt, rank[rank >= self.least])]
        self._held = len(x)
        return self._parts[0]


def _answers(x: _Floats, weight: _Floats, offsets: _Floats, labels: NDArray[np.int64]) -> tuple[_Floats, _Floats]:
    """(n, K) probabilities and (n,) cross-entropies of photos."""
    logits = x @ weight.T + offsets
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

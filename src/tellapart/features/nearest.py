"""The few photos that are nearest to each of many, by vectors in several turns; in blocks that stay close to a core."""

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tellapart.parallel import map_in_order

NEAREST = 3
ROWS, COLUMNS = 128, 2048  # compared at once: what a core keeps close to itself
FEW_COLUMNS = 256  # … of few photos, so that there is more than one chunk
CHUNKS = 8  # … of which there are so many, before they have COLUMNS
HELD = 8  # near ones a photo that are held before all but the nearest are dropped


class _Near(NamedTuple):
    """Pairs that may be among the nearest: (P,) each."""

    photos: NDArray[np.int64]
    others: NDArray[np.int64]
    scores: NDArray[np.float32]


def nearest_of_others(vectors: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.int64]:
    """(N, K) those of M others whose first vector is likest to any of one's own, the first of equals; K <= NEAREST.

    Args:
        vectors: (N, V, D), of equal lengths.
        others: (M, V, D), M >= 1.
    """
    firsts = np.ascontiguousarray(others[:, 0])
    n_chosen = min(NEAREST, len(firsts))

    def of_rows(rows: slice) -> NDArray[np.int64]:
        scores = _scores(vectors[rows], firsts)
        i, j = _near_enough(scores, n_chosen)
        return _best(_Near(i, j, scores[i, j]), n_chosen).others.reshape(-1, n_chosen)

    return np.concatenate(list(map_in_order(of_rows, _slices(0, len(vectors), ROWS), name="nearest")))


def nearest(vectors: NDArray[np.float32]) -> NDArray[np.int64]:
    """(N, K) the photos whose first vector is likest to any of a photo's own, without itself; K <= NEAREST.

    A photo is as like to another as the other to it, so pairs are compared once: all within a chunk first, which gives
    each photo some near ones; then chunks with what lies behind them, of which only what is as near is kept.

    Args:
        vectors: (N, V, D), N >= 2, of equal lengths: each one's vector in the turns of a group, the first unturned.
    """
    n, firsts = len(vectors), np.ascontiguousarray(vectors[:, 0])
    n_chosen = min(NEAREST, n - 1)
    width = min(COLUMNS, max(FEW_COLUMNS, -(-n // CHUNKS)))
    least = np.full(n, -np.inf, np.float32)  # of a photo's near ones so far: what is further is none of them

    def within(chunk: slice) -> _Near:
        own = _slices(chunk.start, chunk.stop, ROWS)
        scores = np.concatenate([_scores(vectors[rows], firsts[chunk]) for rows in own])
        np.fill_diagonal(scores, -np.inf)
        i, j = _near_enough(scores, n_chosen)
        i, j = i[i != j], j[i != j]
        return _Near(i + chunk.start, j + chunk.start, scores[i, j])

    def behind(rows: slice) -> _Near:
        following = _slices((rows.start // width + 1) * width, n, width)
        return _joined(near for columns in following for near in as_near(rows, columns))

    def as_near(rows: slice, columns: slice) -> Iterator[_Near]:
        scores = _scores(vectors[rows], firsts[columns])
        i, j = np.nonzero(scores >= least[rows, None])
        yield _Near(i + rows.start, j + columns.start, scores[i, j])
        i, j = np.nonzero(scores >= least[columns])
        yield _Near(j + columns.start, i + rows.start, scores[i, j])

    def best_of(near: Iterable[_Near]) -> _Near:
        best = _best(_joined(near), n_chosen)
        counts = np.bincount(best.photos, minlength=n)
        full = counts == n_chosen
        least[full] = best.scores[np.cumsum(counts)[full] - 1]
        return best

    chunks = list(_slices(0, n, width))
    held = [best_of(map_in_order(within, chunks, name="nearest"))]
    stripes = (rows for chunk in chunks for rows in _slices(chunk.start, chunk.stop, ROWS))
    for near in map_in_order(behind, stripes, name="nearest"):
        held.append(near)
        if sum(len(part.photos) for part in held) > HELD * n:
            held = [best_of(held)]
    return best_of(held).others.reshape(n, n_chosen)


def _slices(start: int, stop: int, step: int) -> Iterator[slice]:
    return (slice(first, min(first + step, stop)) for first in range(start, stop, step))


def _joined(near: Iterable[_Near]) -> _Near:
    parts = [_Near(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32)), *near]
    return _Near(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _scores(vectors: NDArray[np.float32], firsts: NDArray[np.float32]) -> NDArray[np.float32]:
    """(R, M) how like each of `vectors` (R, V, D), in its likest turn, is to each of `firsts` (M, D)."""
    turns = np.ascontiguousarray(vectors.swapaxes(0, 1))
    scores = np.empty((len(vectors), len(firsts)), np.float32)
    for columns in _slices(0, len(firsts), COLUMNS):
        compared = firsts[columns].T
        most = turns[0] @ compared
        for turn in turns[1:]:
            np.maximum(most, turn @ compared, out=most)
        scores[:, columns] = most
    return scores


def _best(near: _Near, k: int) -> _Near:
    """The k nearest of each photo, in its order, of equals the first; of photos in ascending order."""
    order = np.lexsort((near.others, -near.scores, near.photos))
    photos = near.photos[order]
    kept = order[np.arange(len(photos)) - np.searchsorted(photos, photos) < k]
    return _Near(near.photos[kept], near.others[kept], near.scores[kept])


def _near_enough(scores: NDArray[np.float32], k: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the k largest of each row of `scores` (R, M), and of a few more.

    The k largest are at least as large as the k-th largest maximum of groups of columns, which are quicker to find.
    """
    width = math.isqrt(scores.shape[1])
    n_groups = scores.shape[1] // width
    least = np.full(len(scores), -np.inf)
    if n_groups >= k:
        maxima = scores[:, : n_groups * width].reshape(len(scores), width, n_groups).max(axis=1)
        least = np.partition(maxima, n_groups - k, axis=1)[:, n_groups - k]
    rows, columns = np.nonzero(scores >= least[:, None])
    return rows, columns

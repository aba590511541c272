"""Copies among more photos than can be compared all with all: exact ones by sorting, near ones within cells.

What is special about a photo (its features less the mean of all) is sketched, and the sketches are dealt to cells of
like ones by k-means. A photo is compared with those of the few cells that it is nearest to. What may be alike by its
sketch is judged by its features and, where these leave doubt, by looking, as among few photos. docs/scale.md says how
many of the pairs that all-pairs finds are found so.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tellapart.data.copy_verdict import Agreement
from tellapart.data.duplicates import (
    NEAR_DUPLICATE,
    SAME_GROUP,
    SKETCH_D,
    Duplicates,
    Pair,
    exact_pairs,
    group,
    sketched,
)
from tellapart.data.grey_picture import SIDE_PX
from tellapart.features.copies import looked_at, without_common_frames
from tellapart.features.row_files import RowFiles
from tellapart.parallel import map_in_order
from tellapart.timing import Progress, no_progress

STAGE = "looking for copies"
CELL = 700  # photos of a cell, of up to a million; beyond, cells grow as the root of the number
PROBES = 4  # cells in which a photo is sought
MAY_BE = 0.7  # cosine of two sketches from which on two photos are compared by their features
MOST_ALIKE = 32  # photos that one may be linked to within a cell: a burst of thousands is one scene all the same
LOOKED_AT = 3  # … of which the nearest are looked at
LEARNED_FROM = 32  # photos a cell that its centre is made of
ROUNDS = 4  # of k-means; more move centres hardly at all
HELD = 16_384  # photos whose features and pictures are in memory at once


class Rows(Protocol):
    """N photos in pieces that are read when they are asked for."""

    @property
    def n(self) -> int:
        """How many photos."""

    def __len__(self) -> int:
        """How many pieces."""

    def places(self, piece: int, /) -> NDArray[np.int64]:
        """(m,) which of the N photos are in a piece."""

    def features(self, piece: int, /) -> NDArray[np.float32]:
        """(m, D) of them."""

    def pictures(self, piece: int, /) -> NDArray[np.uint8]:
        """(m, SIDE_PX, SIDE_PX) of them, small and grey."""


@dataclass(frozen=True)
class Copies:
    """What was found among N photos.

    Args:
        exact: (P, 2) pairs i < j that link all photos of one hash.
        near: (Q, 2) pairs i < j of near duplicates.
        copies: (N,) group number of exact copies.
        groups: (N,) group number of photos that must stay on one side of a split: scenes.
    """

    exact: NDArray[np.int64]
    near: NDArray[np.int64]
    copies: NDArray[np.int32]
    groups: NDArray[np.int32]

    def among(self, chosen: NDArray[np.int64]) -> Duplicates:
        """What of it is among the photos `chosen`, ascending, numbered as they are there."""
        number = np.full(len(self.copies), -1)
        number[chosen] = np.arange(len(chosen))
        exact = exact_pairs(self.copies[chosen])
        near = number[self.near]
        near = near[(near >= 0).all(axis=1)]
        pairs = [Pair(int(i), int(j), "exact") for i, j in exact] + [Pair(int(i), int(j), "near") for i, j in near]
        return Duplicates(
            tuple(sorted(pairs, key=lambda pair: (pair.first, pair.second))),
            np.unique(self.copies[chosen], return_inverse=True)[1].astype(np.int32),
            np.unique(self.groups[chosen], return_inverse=True)[1].astype(np.int32),
        )


class _Pairs(NamedTuple):
    """Photos that may be alike: (P, 2) i < j, and (P,) whether they are among each other's nearest."""

    pairs: NDArray[np.int64]
    nearest: NDArray[np.bool_]


def copies_in_cells(
    rows: Rows,
    pixel_hashes: NDArray[np.bytes_],
    *,
    cell: int = CELL,
    probes: int = PROBES,
    n_workers: int | None = None,
    progress: Progress = no_progress,
) -> Copies:
    """Exact copies, near duplicates and scenes among the N photos of `rows`.

    Args:
        rows: the photos; each piece is read five times at most.
        pixel_hashes: (N,).
        cell: about how many photos a cell holds; with N or more, all are compared with all.
        probes: how many cells a photo is sought in.
        n_workers: threads; None is one a core. Changes nothing of what is found.
        progress: called with (stage, done, total).

    Raises:
        InputError: the disk of temporary files is full.
    """
    n = rows.n
    exact = exact_pairs(pixel_hashes)
    copies = group(n, exact)
    first = np.zeros(n, bool)
    first[np.unique(copies, return_index=True)[1]] = True
    with threadpool_limits(1), RowFiles((SKETCH_D,), np.float16) as sketches:
        mean = _mean(rows, n_workers)
        cells = _dealt(rows, mean, first, cell, min(probes, n), sketches, n_workers)
        may_be = _sought(cells, sketches, n_workers, progress)
        alike, near = _judged(rows, mean, may_be, cells.position, n_workers)
    near, alike = _of_all_copies(near, copies, exact), _sorted(alike)
    return Copies(exact, near, copies, group(n, np.concatenate([exact, alike, near])))


def _of_all_copies(near: NDArray[np.int64], copies: NDArray[np.int32], exact: NDArray[np.int64]) -> NDArray[np.int64]:
    """`near`, and of a photo's exact copies, which were not compared, each with the first photo of the other."""
    if not len(near) or not len(exact):
        return _sorted(near)
    order = np.argsort(copies, kind="stable")
    starts = np.searchsorted(copies[order], np.arange(int(copies.max()) + 2))
    more = [near]
    for side in (0, 1):
        own = copies[near[:, side]]
        counts = starts[own + 1] - starts[own]
        many = np.flatnonzero(counts > 1)
        for at in many:
            members = order[starts[own[at]] : starts[own[at] + 1]]
            more.append(np.stack([members, np.full(len(members), near[at, 1 - side])], axis=1))
    return _sorted(np.concatenate(more))


def _sorted(pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.unique(np.sort(pairs.reshape(-1, 2), axis=1), axis=0)


def _mean(rows: Rows, n_workers: int | None) -> NDArray[np.float32]:
    def of_piece(piece: int) -> NDArray[np.float64]:
        return np.asarray(rows.features(piece).sum(axis=0, dtype=np.float64))

    total = sum(map_in_order(of_piece, range(len(rows)), n_workers=n_workers, name="mean"))
    return np.asarray(total / max(rows.n, 1), np.float32)


class _Cells(NamedTuple):
    """Who is in which cell, of the M photos that are compared.

    Args:
        members: (M,) photos, ordered by the cell that is theirs.
        position: (N,) where a photo is in `members`; -1 for a copy that is not compared.
        starts: (C + 1,) where in `members` each cell begins.
        probed: (M, probes) the cells in which the photo at each position is sought, its own first.
    """

    members: NDArray[np.int64]
    position: NDArray[np.int64]
    starts: NDArray[np.int64]
    probed: NDArray[np.int32]


def _dealt(
    rows: Rows,
    mean: NDArray[np.float32],
    first: NDArray[np.bool_],
    cell: int,
    probes: int,
    sketches: RowFiles,
    n_workers: int | None,
) -> _Cells:
    """The photos of `first` in cells, and their sketches written in the order of the cells."""
    n_compared = int(first.sum())
    n_cells = max(1, min(n_compared // cell, round(1.5 * np.sqrt(n_compared))))
    centres = _centres(rows, mean, first, n_cells, n_workers)
    probes = min(probes, n_cells)

    def nearest(piece: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        compared = first[rows.places(piece)]
        scores = sketched(rows.features(piece)[compared], mean) @ centres.T
        order = np.argsort(-scores, axis=1, kind="stable") if n_cells <= 2 * probes else _largest(scores, probes)
        return rows.places(piece)[compared], order[:, :probes].astype(np.int32)

    nearest_cells = np.zeros((len(first), probes), np.int32)
    for places, own in map_in_order(nearest, range(len(rows)), n_workers=n_workers, name="cells"):
        nearest_cells[places] = own
    compared = np.flatnonzero(first)
    members = compared[np.argsort(nearest_cells[compared, 0], kind="stable")]
    position = np.full(len(first), -1)
    position[members] = np.arange(n_compared)

    def sketch(piece: int) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
        places = rows.places(piece)
        kept = first[places]
        return position[places[kept]], sketched(rows.features(piece)[kept], mean).astype(np.float16)

    for at, own_sketches in map_in_order(sketch, range(len(rows)), n_workers=n_workers, name="sketch"):
        sketches.write(at, own_sketches)
    starts = np.searchsorted(nearest_cells[members, 0], np.arange(n_cells + 1))
    return _Cells(members, position, starts, nearest_cells[members])


def _largest(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """(n, k) columns of the k largest of each row, the largest first."""
    some = np.argpartition(-scores, k, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(scores, some, 1), axis=1, kind="stable")
    return np.take_along_axis(some, order, 1)


def _centres(
    rows: Rows, mean: NDArray[np.float32], first: NDArray[np.bool_], n_cells: int, n_workers: int | None
) -> NDArray[np.float32]:
    """(C, d) of length 1, made of photos drawn from all, the same ones however the photos lie in pieces."""
    rng = np.random.default_rng(0)
    compared = np.flatnonzero(first)
    drawn = np.sort(rng.permutation(compared)[: n_cells * LEARNED_FROM])
    some = np.empty((len(drawn), SKETCH_D), np.float32)
    number = np.full(len(first), -1)
    number[drawn] = np.arange(len(drawn))

    def sketch(piece: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        at = number[rows.places(piece)]
        return at[at >= 0], sketched(rows.features(piece)[at >= 0], mean)

    for at, own_sketches in map_in_order(sketch, range(len(rows)), n_workers=n_workers, name="centres"):
        some[at] = own_sketches
    centres = some[rng.choice(len(some), n_cells, replace=False)]
    for _ in range(ROUNDS if n_cells > 1 else 0):
        own = np.concatenate([(some[i : i + HELD] @ centres.T).argmax(axis=1) for i in range(0, len(some), HELD)])
        order = np.argsort(own, kind="stable")
        held, starts = np.unique(own[order], return_index=True)
        sums = np.add.reduceat(some[order], starts, axis=0)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centres[held] = sums / np.maximum(lengths, np.finfo(np.float32).tiny)
    return centres


def _sought(cells: _Cells, sketches: RowFiles, n_workers: int | None, progress: Progress) -> _Pairs:
    """The pairs that may be alike, by position, of every photo with those of the cells in which it is sought."""
    probes = cells.probed.shape[1]
    n_cells = len(cells.starts) - 1
    by_cell = np.argsort(cells.probed.ravel(), kind="stable")
    askers, begins = by_cell // probes, np.searchsorted(cells.probed.ravel()[by_cell], np.arange(n_cells + 1))

    def of_cell(number: int) -> _Pairs:
        own = np.arange(cells.starts[number], cells.starts[number + 1])
        asking = askers[begins[number] : begins[number + 1]]
        if not len(own):
            return _Pairs(np.zeros((0, 2), np.int64), np.zeros(0, bool))
        held = np.ascontiguousarray(sketches.read(own).astype(np.float32).T)
        parts = [_alike(asking[i : i + 1024], own, held, sketches) for i in range(0, len(asking), 1024)]
        return _joined(parts)

    found = []
    parts = map_in_order(of_cell, range(n_cells), n_workers=n_workers, name="within cells")
    for done, part in enumerate(parts, start=1):
        found.append(part)
        progress(STAGE, done, n_cells)
    return _once(_joined(found))


def _alike(asking: NDArray[np.int64], own: NDArray[np.int64], held: NDArray[np.float32], sketches: RowFiles) -> _Pairs:
    """Pairs of a block of askers with the photos of one cell, whose sketches are `held` (d, n)."""
    scores = sketches.read(asking).astype(np.float32) @ held
    itself = (asking >= own[0]) & (asking <= own[-1])
    scores[np.flatnonzero(itself), asking[itself] - own[0]] = -1
    rows, columns = np.nonzero(scores >= MAY_BE)
    values = scores[rows, columns]
    order = np.lexsort((columns, -values, rows))
    rows, columns = rows[order], columns[order]
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    kept = rank < MOST_ALIKE
    pairs = np.stack([asking[rows[kept]], own[columns[kept]]], axis=1)
    return _Pairs(np.sort(pairs, axis=1), rank[kept] < LOOKED_AT)


def _joined(parts: list[_Pairs]) -> _Pairs:
    none = _Pairs(np.zeros((0, 2), np.int64), np.zeros(0, bool))
    return _Pairs(*(np.concatenate(arrays) for arrays in zip(none, *parts, strict=True)))


def _once(found: _Pairs) -> _Pairs:
    """Each pair once, nearest if either says so, ascending."""
    pairs, number = np.unique(found.pairs, axis=0, return_inverse=True)
    nearest = np.zeros(len(pairs), bool)
    nearest[number.ravel()[found.nearest]] = True
    return _Pairs(pairs, nearest)


def _judged(
    rows: Rows, mean: NDArray[np.float32], may_be: _Pairs, position: NDArray[np.int64], n_workers: int | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(P, 2) pairs of one scene and (Q, 2) near duplicates, by number of the photo, of those that may be."""
    members = np.flatnonzero(position >= 0)[np.argsort(position[position >= 0])]
    if not len(may_be.pairs):
        return may_be.pairs, may_be.pairs
    used, numbers = np.unique(may_be.pairs, return_inverse=True)
    pairs = numbers.reshape(-1, 2)
    slot = np.full(len(position), -1)
    slot[members[used]] = np.arange(len(used))
    n_features = rows.features(0).shape[1]
    alike, near = [], []
    looked: dict[tuple[int, int], Agreement] = {}
    with RowFiles((n_features,), np.float32) as features, RowFiles((SIDE_PX, SIDE_PX), np.uint8) as pictures:
        for piece in range(len(rows)):
            at = slot[rows.places(piece)]
            if (wanted := at >= 0).any():
                features.write(at[wanted], rows.features(piece)[wanted])
                pictures.write(at[wanted], rows.pictures(piece)[wanted])
        for some in _batches(pairs):
            held, own = np.unique(pairs[some], return_inverse=True)
            own = own.reshape(-1, 2)
            directions = features.read(held) - mean
            directions /= np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), np.finfo(np.float32).tiny)
            cosines = np.concatenate(
                [
                    (directions[own[i : i + 512, 0]] * directions[own[i : i + 512, 1]]).sum(axis=1)
                    for i in range(0, len(own), 512)
                ]
            )
            alike.append(held[own[cosines >= SAME_GROUP]])
            near.append(held[own[cosines >= NEAR_DUPLICATE]])
            doubtful = own[(cosines < NEAR_DUPLICATE) & may_be.nearest[some]]
            if len(doubtful):
                seen = looked_at(doubtful, pictures.read(held))
                looked |= {(int(held[i]), int(held[j])): agrees for (i, j), agrees in seen.items()}
    seen_alike = without_common_frames(looked, len(members))
    near_pairs = np.concatenate([*near, seen_alike.reshape(-1, 2)])
    photos = members[used]
    return photos[np.concatenate([*alike, near_pairs])], photos[near_pairs]


def _batches(pairs: NDArray[np.int64]) -> Iterator[slice]:
    """Pieces of `pairs`, which are ascending, of at most HELD photos each."""
    step = HELD // 2
    return (slice(i, i + step) for i in range(0, len(pairs), step))

"""Copies among more photos than can be compared all with all: exact ones by sorting, near ones within cells.

What is special about a photo (its features less the mean of all) is sketched, and the sketches are dealt to cells of
like ones by k-means. A photo is compared with those of the few cells that it is nearest to. What may be alike by its
sketch is judged by its features and, where these leave doubt, by looking, as among few photos. docs/scale.md says how
many of the pairs that all-pairs finds are found so.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tellapart.data.duplicates import (
    SKETCH_D,
    Duplicates,
    Pair,
    directions_from,
    exact_pairs,
    group,
    projected,
)
from tellapart.features.pairs import BLOCK, LOOKED_AT, MAY_BE_SCENE, Pairs, Rows, judged
from tellapart.features.row_files import RowFiles
from tellapart.parallel import map_in_order
from tellapart.timing import Progress, no_progress

STAGE = "looking for copies"
CELL = 700  # photos of a cell, of up to a million; beyond, cells grow as the root of the number
PROBES = 4  # cells in which a photo is sought
MOST_ALIKE = 32  # photos that one is compared with in a cell: a burst of thousands is one scene all the same
MAY_BE_COPY = 0.7  # cosine of two sketches from which on photos may be looked at
LEARNED_FROM = 32  # photos a cell that its centre is made of
ROUNDS = 4  # of k-means; more move centres hardly at all
ASKING = 1024  # photos that are held against a cell at once


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
        rows: the photos; the features of each piece are read twice at most, its pictures once.
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
    compared = np.sort(np.unique(copies, return_index=True)[1])  # of equal photos one
    with threadpool_limits(1), RowFiles((SKETCH_D,), np.float16) as sketches:
        mean, cells = _dealt(rows, compared, cell, probes, sketches, n_workers, progress)
        may_be = _sought(cells, sketches, n_workers, progress)
        alike, near = judged(rows, mean, cells.members, may_be, n_workers, progress)
    near, alike = _of_all_copies(cells.members[near], copies, exact), _sorted(cells.members[alike])
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


class _Cells(NamedTuple):
    """Who is in which cell, of the M photos that are compared.

    A photo's place is where it stands in `members`. Photos that may be alike have places near each other, and what is
    read by place lies close together.

    Args:
        members: (M,) photos, ordered by the cell that is theirs.
        starts: (C + 1,) where in `members` each cell begins.
        probed: (M, probes) the cells in which the photo at each place of `members` is sought, its own first.
    """

    members: NDArray[np.int64]
    starts: NDArray[np.int64]
    probed: NDArray[np.int32]


def _dealt(
    rows: Rows,
    compared: NDArray[np.int64],
    cell: int,
    probes: int,
    sketches: RowFiles,
    n_workers: int | None,
    progress: Progress,
) -> tuple[NDArray[np.float32], _Cells]:
    """The mean features; and the photos `compared` (M,) in cells, their sketches written by place."""
    n_compared = len(compared)
    n_cells = max(1, min(n_compared // cell, round(1.5 * np.sqrt(n_compared))))
    with RowFiles((SKETCH_D,), np.float32) as projections:
        mean = _projected(rows, compared, projections, n_workers, progress)
        centre = projected(mean[None])[0]
        centres = _centres(projections, centre, n_compared, n_cells)

        def nearest(start: int) -> NDArray[np.int32]:
            own = projections.read(np.arange(start, min(start + BLOCK, n_compared)))
            return _largest(directions_from(centre, own) @ centres.T, min(probes, n_cells))

        starts = range(0, n_compared, BLOCK)
        probed = np.concatenate(list(map_in_order(nearest, starts, n_workers=n_workers, name="cells")))
        order = np.argsort(probed[:, 0], kind="stable")

        def sketch(start: int) -> NDArray[np.float16]:
            return directions_from(centre, projections.read(order[start : start + BLOCK])).astype(np.float16)

        for start, own in zip(starts, map_in_order(sketch, starts, n_workers=n_workers, name="sketch"), strict=True):
            sketches.write(np.arange(start, start + len(own)), own)
    probed = probed[order]
    return mean, _Cells(compared[order], np.searchsorted(probed[:, 0], np.arange(n_cells + 1)), probed)


def _projected(
    rows: Rows, compared: NDArray[np.int64], projections: RowFiles, n_workers: int | None, progress: Progress
) -> NDArray[np.float32]:
    """(D,) the mean features of all photos; the projections of those `compared` (M,) are written in this order."""
    number = np.full(rows.n, -1)
    number[compared] = np.arange(len(compared))

    def of_piece(piece: int) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float32]]:
        features, at = rows.features(piece), number[rows.places(piece)]
        return features.sum(axis=0, dtype=np.float64), at[at >= 0], projected(features[at >= 0])

    total: NDArray[np.float64] | float = 0.0
    pieces = map_in_order(of_piece, range(len(rows)), n_workers=n_workers, ahead=2, name="projections")
    for done, (own, at, own_projections) in enumerate(pieces, start=1):
        total = total + own
        projections.write(at, own_projections)
        progress(STAGE, done, 2 * len(rows))
    return np.asarray(total / rows.n, np.float32)


def _largest(scores: NDArray[np.float32], k: int) -> NDArray[np.int32]:
    """(n, k) columns of the k largest of each row, the largest first; `scores` are spent."""
    largest = np.empty((len(scores), k), np.int32)
    for place in range(k):  # a sort of all columns would take many times longer
        largest[:, place] = scores.argmax(axis=1)
        scores[np.arange(len(scores)), largest[:, place]] = -np.inf
    return largest


def _centres(projections: RowFiles, centre: NDArray[np.float32], n_compared: int, n_cells: int) -> NDArray[np.float32]:
    """(C, SKETCH_D) of length 1, made of photos drawn from all, the same ones however the photos lie in pieces."""
    rng = np.random.default_rng(0)
    drawn = np.sort(rng.permutation(n_compared)[: n_cells * LEARNED_FROM])
    some = directions_from(centre, projections.read(drawn))
    centres = some[rng.choice(len(some), n_cells, replace=False)]
    for _ in range(ROUNDS if n_cells > 1 else 0):
        own = np.concatenate([(some[i : i + BLOCK] @ centres.T).argmax(axis=1) for i in range(0, len(some), BLOCK)])
        order = np.argsort(own, kind="stable")
        held, starts = np.unique(own[order], return_index=True)
        sums = np.add.reduceat(some[order], starts, axis=0)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centres[held] = sums / np.maximum(lengths, np.finfo(np.float32).tiny)
    return centres


def _sought(cells: _Cells, sketches: RowFiles, n_workers: int | None, progress: Progress) -> Pairs:
    """The pairs that may be alike, of every photo with those of the cells in which it is sought."""
    probes = cells.probed.shape[1]
    n_cells = len(cells.starts) - 1
    by_cell = np.argsort(cells.probed.ravel(), kind="stable")
    askers, begins = by_cell // probes, np.searchsorted(cells.probed.ravel()[by_cell], np.arange(n_cells + 1))

    def of_cell(cell: int) -> Pairs:
        first, behind = cells.starts[cell : cell + 2].tolist()
        asking = askers[begins[cell] : begins[cell + 1]]
        held = np.ascontiguousarray(sketches.read(np.arange(first, behind)).astype(np.float32).T)
        return _once([_alike(asking[i : i + ASKING], first, held, sketches) for i in range(0, len(asking), ASKING)])

    found = []
    parts = map_in_order(of_cell, range(n_cells), n_workers=n_workers, name="within cells")
    for done, part in enumerate(parts, start=1):
        found.append(part)
        progress(STAGE, n_cells + done, 2 * n_cells)
    return _once(found)


def _alike(asking: NDArray[np.int64], first: int, held: NDArray[np.float32], sketches: RowFiles) -> Pairs:
    """Pairs of a block of askers with a cell's photos, whose places begin at `first`: `held` (SKETCH_D, n) sketches."""
    scores = sketches.read(asking).astype(np.float32) @ held
    itself = np.flatnonzero((asking >= first) & (asking < first + held.shape[1]))
    scores[itself, asking[itself] - first] = -1
    rows, columns = np.nonzero(scores >= MAY_BE_COPY)
    cosines = scores[rows, columns]
    order = np.lexsort((columns, -cosines, rows))
    rows, columns, cosines = rows[order], columns[order], cosines[order]
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    kept = rank < np.where(cosines >= MAY_BE_SCENE, MOST_ALIKE, LOOKED_AT)
    return Pairs(np.sort(np.stack([asking[rows], first + columns], axis=1)[kept], axis=1), cosines[kept])


def _once(parts: list[Pairs]) -> Pairs:
    """Each pair once, ascending."""
    pairs = np.concatenate([np.zeros((0, 2), np.int64), *(part.pairs for part in parts)])
    cosines = np.concatenate([np.zeros(0, np.float32), *(part.cosines for part in parts)])
    order = np.lexsort((cosines, pairs[:, 1], pairs[:, 0]))
    pairs, cosines = pairs[order], cosines[order]
    last = np.ones(len(pairs), bool)
    last[:-1] = (pairs[1:] != pairs[:-1]).any(axis=1)
    return Pairs(pairs[last], cosines[last])

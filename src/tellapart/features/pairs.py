"""Which pairs of very many photos are alike, of those that may be: by their features, and by looking.

Features and pictures lie in pieces, in any order. Those of photos in a pair are put into temporary files, in the order
of the pairs, so that what is compared is read from close together.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.data.copy_verdict import Agreement
from tellapart.data.duplicates import NEAR_DUPLICATE, SAME_GROUP, SKETCH_SLACK, directions_from
from tellapart.data.grey_picture import SIDE_PX
from tellapart.features.copies import looked_at, without_common_frames
from tellapart.features.row_files import RowFiles
from tellapart.parallel import map_in_order
from tellapart.timing import Progress

LOOKING: Final = "looking at what may be copies"
MAY_BE_SCENE: Final = SAME_GROUP - SKETCH_SLACK  # cosine of two sketches from which on features are compared
LOOKED_AT: Final = 3  # nearest ones of a photo that are looked at
BLOCK = 2048  # photos whose features are in memory at once, for each thread
HELD = 16_384  # … and whose pictures are


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


class Pairs(NamedTuple):
    """Photos that may be alike: (P, 2) places i < j, ascending, and (P,) the cosines of their sketches."""

    pairs: NDArray[np.int64]
    cosines: NDArray[np.float32]


def judged(
    rows: Rows,
    mean: NDArray[np.float32],
    members: NDArray[np.int64],
    may_be: Pairs,
    n_workers: int | None,
    progress: Progress,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(P, 2) pairs of one scene, and (Q, 2) near duplicates, of those that may be alike; by place.

    Args:
        rows: the photos; the features and the pictures of each piece are read once at most.
        mean: (D,) features of all photos.
        members: (M,) which photo is at each place.
        may_be: by place.
        n_workers: threads; None is one a core.
        progress: called with (stage, done, total).

    Raises:
        InputError: the disk of temporary files is full.
    """
    pairs = may_be.pairs
    close = np.flatnonzero(may_be.cosines >= MAY_BE_SCENE)
    cosines = np.zeros(len(pairs), np.float32)
    cosines[close] = _cosines(rows, mean, members, pairs[close], n_workers)
    doubtful = pairs[(cosines < NEAR_DUPLICATE) & _among_nearest(may_be)]
    looked = _looked_at(rows, members, doubtful, n_workers, progress)
    seen_alike = without_common_frames(looked, len(members)).reshape(-1, 2)
    near = np.concatenate([pairs[cosines >= NEAR_DUPLICATE], seen_alike])
    return np.concatenate([pairs[cosines >= SAME_GROUP], near]), near


def _among_nearest(may_be: Pairs) -> NDArray[np.bool_]:
    """(P,) whether a photo of each pair is among the LOOKED_AT nearest of the other."""
    n_pairs = len(may_be.pairs)
    sides = may_be.pairs.T.ravel()
    order = np.lexsort((np.concatenate([-may_be.cosines] * 2), sides))
    sides = sides[order]
    first = np.arange(2 * n_pairs) - np.searchsorted(sides, sides) < LOOKED_AT
    nearest = np.zeros(n_pairs, bool)
    nearest[order[first] % max(n_pairs, 1)] = True
    return nearest


def _cosines(
    rows: Rows, mean: NDArray[np.float32], members: NDArray[np.int64], pairs: NDArray[np.int64], n_workers: int | None
) -> NDArray[np.float32]:
    """(P,) centred cosine of each of `pairs` (P, 2)."""
    used, own = _compact(pairs)

    def of_batch(some: slice) -> NDArray[np.float32]:
        held, sides = _compact(own[some])
        directions = directions_from(mean, features.read(held))
        first, second = (directions[sides[:, side]] for side in (0, 1))
        return np.asarray(np.einsum("ij,ij->i", first, second), np.float32)

    with RowFiles((len(mean),), np.float32) as features:
        _written(rows.features, rows, members[used], features, n_workers)
        batches = map_in_order(of_batch, _batches(own, BLOCK), n_workers=n_workers, ahead=2, name="cosines")
        return np.concatenate([np.zeros(0, np.float32), *batches])


def _looked_at(
    rows: Rows, members: NDArray[np.int64], pairs: NDArray[np.int64], n_workers: int | None, progress: Progress
) -> dict[tuple[int, int], Agreement]:
    """How those of `pairs` (P, 2) agree that can be laid on each other at all."""
    used, own = _compact(pairs)
    looked: dict[tuple[int, int], Agreement] = {}
    with RowFiles((SIDE_PX, SIDE_PX), np.uint8) as pictures:
        _written(rows.pictures, rows, members[used], pictures, n_workers)
        for some in _batches(own, HELD):
            held, sides = _compact(own[some])
            seen = looked_at(sides, pictures.read(held), quickly=True)
            names = used[held].tolist()
            looked |= {(names[i], names[j]): agrees for (i, j), agrees in seen.items()}
            progress(LOOKING, min(some.stop, len(own)), len(own))
    return looked


def _written(
    read: Callable[[int], NDArray[Any]],
    rows: Rows,
    photos: NDArray[np.int64],
    files: RowFiles,
    n_workers: int | None,
) -> None:
    """Write what `read` gives of the pieces, of `photos` in their order."""
    place = np.full(rows.n, -1)
    place[photos] = np.arange(len(photos))

    def of_piece(piece: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
        at = place[rows.places(piece)]
        return at[at >= 0], read(piece)[at >= 0]

    wanted = [piece for piece in range(len(rows)) if (place[rows.places(piece)] >= 0).any()]
    for at, own in map_in_order(of_piece, wanted, n_workers=n_workers, ahead=2, name="read"):
        files.write(at, own)


def _compact(pairs: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The photos of `pairs` (P, 2), ascending, and the pairs as places among them."""
    used, places = np.unique(pairs, return_inverse=True)
    return used, places.reshape(-1, 2)


def _batches(pairs: NDArray[np.int64], n: int) -> Iterator[slice]:
    """Pieces of `pairs`, which are ascending, of at most `n` photos each."""
    return (slice(i, i + n // 2) for i in range(0, len(pairs), n // 2))

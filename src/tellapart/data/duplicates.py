"""Which photos show the same thing: exact copies, near duplicates, and groups that no split divides.

Exact copies have equal pixel hashes. The rest is judged by the cosine of two photos' features after the mean of all
photos is taken away: a copy that was resized, recompressed, mirrored or cropped keeps nearly the direction of what is
special about it, while photos that only share what the whole set shares (the same conveyor belt, the same white paper)
do not come out alike. Two thresholds, because two mistakes cost differently: a *claim* ("this test photo is a copy of
that training photo") should be right, while for *keeping photos on one side of a split* it is cheap to keep two photos
of one group together too. What was found by looking (`features/copies.py`) is claimed as well. docs/duplicates.md
shows the measurements that both numbers come from.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

NEAR_DUPLICATE = 0.92  # centred cosine; garments, instruments, food and digits of two classes stay below 0.85
SAME_GROUP = 0.85  # centred cosine; crops of 5 %, mirror images and the next photo of a burst are above it
BLOCK = 512  # rows compared at once: 512 × N float32 similarities in memory
SKETCH_FROM = 8192  # photos; more are compared by sketches first, which costs a fifth
LARGEST_CHAIN: Final = 0.5  # of all photos, in one group; the other half is all that is left to divide by
SKETCH_D = 256  # of a random projection; the error of a cosine near 0.85 is then about 0.02
SKETCH_SLACK = 0.08  # four such errors: what the sketch may hide is then under 1 pair in 10,000


@dataclass(frozen=True)
class Pair:
    """Two photos that look the same.

    Args:
        first: index of one photo; the smaller one.
        second: index of the other.
        kind: `exact` or `near`.
    """

    first: int
    second: int
    kind: str


def similar_pairs(features: NDArray[np.float32], threshold: float) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """All pairs (i, j), i < j, whose centred cosine is at least `threshold`, and that cosine: (P, 2), (P,).

    Args:
        features: (N, D) float32.
        threshold: in (0, 1].
    """
    mean, projection = _mean(features), _sketching(features)
    sketched, directions = projection is not None, _directions(features, mean, projection)
    pairs = np.concatenate(
        [np.zeros((0, 2), np.int64), *_pairs_by_block(directions, threshold - SKETCH_SLACK * sketched)]
    )
    cosines = _cosines(features, mean, pairs)
    alike = cosines >= threshold
    return pairs[alike], cosines[alike]


def centred_directions(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, D) of length 1: what is special about each photo; of more than SKETCH_FROM, (N, SKETCH_D) sketches of it."""
    return _directions(features, _mean(features), _sketching(features))


def projected(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, SKETCH_D) a random projection of features (N, D); with no more than SKETCH_D, themselves and zeros behind."""
    n, d = features.shape
    if d > SKETCH_D:
        return np.asarray(features @ _projection(d), np.float32)
    whole = np.zeros((n, SKETCH_D), np.float32)
    whole[:, :d] = features
    return whole


def directions_from(mean: NDArray[np.float32], rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, D) of length 1: what is special about each of `rows` (N, D), where `mean` (D,) is that of all.

    Of projections, too: they are linear, so what is left without their mean is the projection of what is left.
    """
    return _unit(rows - mean)


def _sketching(features: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """What makes sketches of so many features, or None for fewer."""
    n, d = features.shape
    return _projection(d) if n > SKETCH_FROM and d > SKETCH_D else None


def _mean(features: NDArray[np.float32]) -> NDArray[np.float32]:
    n, d = features.shape
    return features.mean(axis=0, dtype=np.float64).astype(np.float32) if n else np.zeros(d, np.float32)


def _directions(
    features: NDArray[np.float32], mean: NDArray[np.float32], projection: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """(N, D or SKETCH_D) centred features, projected if asked, scaled to length 1; made block by block."""
    width = features.shape[1] if projection is None else projection.shape[1]
    directions = np.empty((len(features), width), np.float32)
    for start in range(0, len(features), BLOCK):
        block = features[start : start + BLOCK] - mean
        directions[start : start + BLOCK] = _unit(
            block if projection is None else np.asarray(block @ projection, np.float32)
        )
    return directions


def _projection(d: int) -> NDArray[np.float32]:
    """(D, SKETCH_D) random, and the same at every call. Source: Johnson and Lindenstrauss, 1984."""
    return np.random.default_rng(0).standard_normal((d, SKETCH_D), np.float32)


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)


def _pairs_by_block(directions: NDArray[np.float32], threshold: float) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(directions), BLOCK):
        cosines = directions[start : start + BLOCK] @ directions[start:].T
        rows, columns = np.nonzero(cosines >= threshold)
        later = columns > rows
        yield np.stack([rows[later], columns[later]], axis=1) + start


def centred_cosines(features: NDArray[np.float32], pairs: NDArray[np.int64]) -> NDArray[np.float32]:
    """(P,) centred cosine of each of `pairs` (P, 2)."""
    return _cosines(features, _mean(features), pairs)


def _cosines(features: NDArray[np.float32], mean: NDArray[np.float32], pairs: NDArray[np.int64]) -> NDArray[np.float32]:
    """(P,) centred cosine of each pair, computed in blocks."""
    cosines = np.empty(len(pairs), np.float32)
    for start in range(0, len(pairs), BLOCK):
        block = pairs[start : start + BLOCK]
        first, second = (_unit(features[block[:, side]] - mean) for side in (0, 1))
        cosines[start : start + BLOCK] = (first * second).sum(axis=1)
    return cosines


def most_alike(
    features: NDArray[np.float32], asked: NDArray[np.int64], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The k photos most like each one asked about, without itself, in any order, and their cosines: (A, k), (A, k).

    Args:
        features: (N, D) float32, N > 1; may be memory-mapped, and is read block by block.
        asked: (A,) rows of it.
        k: at most N - 1 are given.
    """
    n, k = len(features), min(k, len(features) - 1)
    mean = _mean(features)
    own = _unit(features[asked] - mean)
    alike, cosines = np.zeros((len(asked), 0), np.int64), np.zeros((len(asked), 0), np.float32)
    for start in range(0, n, BLOCK):
        rows = np.arange(start, min(start + BLOCK, n))
        block = own @ _unit(features[rows] - mean).T
        block[asked[:, None] == rows] = -np.inf
        alike = np.concatenate([alike, np.broadcast_to(rows, block.shape)], axis=1)
        cosines = np.concatenate([cosines, block], axis=1)
        best = np.argpartition(-cosines, min(k, cosines.shape[1]) - 1, axis=1)[:, :k]
        alike, cosines = np.take_along_axis(alike, best, 1), np.take_along_axis(cosines, best, 1)
    return alike, cosines


def exact_pairs(pixel_hashes: NDArray[np.bytes_] | NDArray[np.int32]) -> NDArray[np.int64]:
    """Pairs (i, j), i < j, that link all photos of equal hash: (P, 2); a set of n copies gives n - 1 pairs."""
    order = np.argsort(pixel_hashes, kind="stable")
    equal = pixel_hashes[order][1:] == pixel_hashes[order][:-1]
    return np.stack([order[:-1][equal], order[1:][equal]], axis=1).astype(np.int64)


def group(n: int, pairs: NDArray[np.int64]) -> NDArray[np.int32]:
    """(N,) group number of each photo: linked photos share one."""
    graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    _, groups = connected_components(graph, directed=False)
    return np.asarray(groups, np.int32)


@dataclass(frozen=True)
class Duplicates:
    """What was found among N photos.

    Args:
        pairs: exact copies and near duplicates, in order of the first photo.
        copies: (N,) group number of exact copies.
        groups: (N,) group number of photos that must stay on one side of a split.
    """

    pairs: tuple[Pair, ...]
    copies: NDArray[np.int32]
    groups: NDArray[np.int32]

    @property
    def same(self) -> NDArray[np.int32]:
        """(N,) photos that are copies or near duplicates of each other share a number."""
        pairs = np.array([(pair.first, pair.second) for pair in self.pairs], np.int64)
        return group(len(self.copies), pairs.reshape(-1, 2))


def find_duplicates(
    features: NDArray[np.float32], pixel_hashes: NDArray[np.bytes_], looked: NDArray[np.int64] | None = None
) -> Duplicates:
    """Exact copies, near duplicates and groups among N photos.

    Args:
        features: (N, D).
        pixel_hashes: (N,).
        looked: (P, 2) pairs i < j that were found by looking (`features/copies.py`); None if nobody looked.
    """
    n = len(features)
    exact = exact_pairs(pixel_hashes)
    alike, cosines = similar_pairs(features, SAME_GROUP)
    copies = group(n, exact)
    seen = np.zeros((0, 2), np.int64) if looked is None else _of_all_copies(looked, copies)
    near = np.unique(np.concatenate([alike[cosines >= NEAR_DUPLICATE], seen]), axis=0)
    near = near[copies[near[:, 0]] != copies[near[:, 1]]]
    pairs = [Pair(int(i), int(j), "exact") for i, j in exact] + [Pair(int(i), int(j), "near") for i, j in near]
    groups = group(n, np.concatenate([exact, alike, seen]))
    return Duplicates(tuple(sorted(pairs, key=lambda pair: (pair.first, pair.second))), copies, groups)


def _of_all_copies(looked: NDArray[np.int64], copies: NDArray[np.int32]) -> NDArray[np.int64]:
    """(Q, 2) the pairs that were found by looking, and each of either photo's exact copies with the other photo.

    Of exact copies only the first is looked at; the others may be on another side of the split.
    """
    if not len(looked):
        return looked
    order = np.argsort(copies, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(copies[order])) + 1)
    same = {int(copies[own[0]]): own.tolist() for own in members}
    pairs = {
        (min(i, j), max(i, j))
        for first, second in looked.tolist()
        for i, j in [
            *((i, second) for i in same[int(copies[first])]),
            *((first, j) for j in same[int(copies[second])]),
        ]
    }
    return np.array(sorted(pairs), np.int64)


def conflicting(labels: NDArray[np.int32], duplicates: Duplicates) -> NDArray[np.int64]:
    """Indices of photos that show the same as a photo of another class, and of all their copies."""
    torn = [i for p in duplicates.pairs if labels[p.first] != labels[p.second] for i in (p.first, p.second)]
    return np.flatnonzero(np.isin(duplicates.copies, duplicates.copies[torn]))


def classes_of_one(labels: NDArray[np.int32], groups: NDArray[np.int32]) -> list[int]:
    """The classes of two photos or more whose photos are all of one group."""
    members = {int(c): groups[labels == c] for c in np.unique(labels)}
    return [c for c, own in members.items() if len(own) > 1 and (own == own[0]).all()]


def leaked_pairs(duplicates: Duplicates, splits: NDArray[np.str_]) -> list[Pair]:
    """For every test photo with a copy among the photos that train, one pair (test photo, its twin).

    Args:
        duplicates: among N photos.
        splits: (N,) of "train", "val" and "test"; what is not "test" trains.
    """
    leaks: dict[int, Pair] = {}
    is_test = splits == "test"
    for group, members in _groups(duplicates.copies):
        del group
        twins = [m for m in members if not is_test[m]]
        if twins:
            leaks |= {m: Pair(m, twins[0], "exact") for m in members if is_test[m]}
    for pair in duplicates.pairs:
        first, second = (pair.first, pair.second) if is_test[pair.first] else (pair.second, pair.first)
        if pair.kind == "near" and is_test[first] and not is_test[second]:
            leaks.setdefault(first, Pair(first, second, "near"))
    return [leaks[index] for index in sorted(leaks)]


def spare_copies(duplicates: Duplicates, sides: NDArray[np.integer]) -> dict[str, list[int]]:
    """{"exact": …, "near": …}: photos that may go while one that looks the same stays on the same side.

    Args:
        duplicates: among N photos.
        sides: (N,) what no photo stands for another across, as a number: its class, and whether it tests.
    """
    stands_for = np.arange(len(sides))
    for _, members in _groups(duplicates.copies):
        for side in np.unique(sides[members]):
            same = [m for m in members if sides[m] == side]
            stands_for[same] = same[:1]
    alike: defaultdict[int, set[int]] = defaultdict(set)
    for pair in duplicates.pairs:
        if pair.kind == "near" and sides[pair.first] == sides[pair.second]:
            first, second = sorted((int(stands_for[pair.first]), int(stands_for[pair.second])))
            alike[second].add(first)
    near: set[int] = set()
    for index in sorted(alike):  # a photo goes only for one that stays, so a chain is not reduced to its first link
        if alike[index] - near:
            near.add(index)
    exact = np.flatnonzero(stands_for != np.arange(len(sides)))
    return {"exact": [int(i) for i in exact], "near": sorted(near)}


def _groups(numbers: NDArray[np.int32]) -> Iterator[tuple[int, list[int]]]:
    """Groups of two members or more."""
    order = np.argsort(numbers, kind="stable")
    values, starts = np.unique(numbers[order], return_index=True)
    for value, members in zip(values, np.split(order, starts[1:]), strict=True):
        if len(members) > 1:
            yield int(value), [int(m) for m in members]


def united(first: NDArray[np.int32], second: NDArray[np.int32]) -> NDArray[np.int32]:
    """(N,) group numbers such that photos together in either of two groupings are together, and what follows."""
    n = len(first)
    ends = [np.unique(groups, return_index=True, return_inverse=True)[1:] for groups in (first, second)]
    links = np.concatenate([heads[group_of] for heads, group_of in ends])
    photos = np.tile(np.arange(n), 2)
    graph = coo_array((np.ones(2 * n, bool), (photos, links)), shape=(n, n))
    _, groups = connected_components(graph, directed=False)
    return np.asarray(groups, np.int32)


def kept_together(found: Sequence[NDArray[np.int32]], bound: NDArray[np.int32]) -> NDArray[np.int32]:
    """(N,) groups as they were found, united with those that a person gave.

    A few photos that look alike in every group may chain all of them into one, which leaves nothing to divide. Then
    less of what looks alike is united with what the person gave, in the end exact copies alone.

    Args:
        found: (N,) groups of photos that look alike, from the loosest to exact copies.
        bound: (N,) groups that a person gave.
    """
    for groups in found:
        together = united(groups, bound)
        if not _largest(together) > LARGEST_CHAIN >= max(_largest(groups), _largest(bound)):
            break
    return together


def _largest(groups: NDArray[np.int32]) -> float:
    """The share of all photos that are of the largest group."""
    return float(np.bincount(groups).max(initial=0) / max(1, len(groups)))

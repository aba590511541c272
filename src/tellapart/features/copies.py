"""Copies found by looking: which photos might be copies, and which of them are.

A photo that was saved again, resized or turned no longer has its features, and one with a border no longer the pixels
in their places. So the candidates of each photo are the three nearest by features and the three nearest by a tiny grey
picture in eight orientations; and each candidate is laid on the photo and looked at, block by block.
docs/duplicates.md shows what is found so.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tellapart.data.alignment import COARSE_PX, best_places, closer_place, contents, may_fit
from tellapart.data.copy_verdict import Agreement, agreement, looks_alike
from tellapart.data.duplicates import (
    NEAR_DUPLICATE,
    Duplicates,
    centred_cosines,
    centred_directions,
    find_duplicates,
    group,
)
from tellapart.data.grey_picture import ORIENTATIONS, SIDE_PX, local_contrast, signatures, turned
from tellapart.features.nearest import nearest, nearest_of_others
from tellapart.parallel import map_in_order

SMALL_FIT = 0.74  # correlation of the smallest pictures from which on two are looked at more closely
WHOLE_FIT = 0.62  # … where neither has a margin: others seldom fit best so, and a mark takes that much away
LARGEST_FAMILY = 0.1  # of all photos; what looks alike beyond that, or beyond FAMILY of few photos, shares a frame
FAMILY = 20  # … but half of the photos where these are fewer than twice as many
WITHIN_FRAME = 0.15  # how much better the fainter part must agree among photos known to share a frame
BLOCK = 32  # photos whose local contrast is made at once, or pairs tried: what a core keeps close to itself
BATCH = 16  # photos, or pairs, that a thread takes at once
MOST_INSIDE = 64  # candidates that are laid on a photo at once, 5 MB of numbers
MOST_KNOWN = 1_000_000  # pairs that are remembered, some 200 bytes each


class Looks:
    """How pairs of photos agreed that were looked at before, for whoever asks about nearly the same photos again.

    Which pairs are looked at depends on all photos; what is seen of a pair, on these two alone.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, Agreement | None] = {}  # of two hashes, in the order of the photos

    def look(
        self, pairs: NDArray[np.int64], pictures: NDArray[np.uint8], pixel_hashes: NDArray[np.bytes_]
    ) -> dict[tuple[int, int], Agreement]:
        """What `looked_at` gives; only pairs that were not asked about before are looked at."""
        if len(self._known) > MOST_KNOWN:
            self._known.clear()
        first, second = (pixel_hashes[pairs[:, side]].tolist() for side in (0, 1))
        names = [one + other for one, other in zip(first, second, strict=True)]
        new = [row for row, name in enumerate(names) if name not in self._known]
        seen = looked_at(pairs[new], pictures) if new else {}
        self._known |= {names[row]: seen.get((int(pairs[row, 0]), int(pairs[row, 1]))) for row in new}
        found = ((i, j, self._known[name]) for (i, j), name in zip(pairs.tolist(), names, strict=True))
        return {(i, j): agrees for i, j, agrees in found if agrees is not None}


def find_copies(
    features: NDArray[np.float32],
    pictures: NDArray[np.uint8],
    pixel_hashes: NDArray[np.bytes_],
    looks: Looks | None = None,
) -> Duplicates:
    """Copies, near duplicates and groups among N photos, by features and by looking; arguments as below."""
    return find_duplicates(features, pixel_hashes, copies_by_looking(features, pictures, pixel_hashes, looks))


def copies_by_looking(
    features: NDArray[np.float32],
    pictures: NDArray[np.uint8],
    pixel_hashes: NDArray[np.bytes_],
    looks: Looks | None = None,
) -> NDArray[np.int64]:
    """(P, 2) pairs i < j of photos of which one is a copy of the other, ascending. Of equal hashes one is looked at.

    Args:
        features: (N, D).
        pictures: (N, SIDE_PX, SIDE_PX) uint8, small and grey.
        pixel_hashes: (N,).
        looks: what was looked at before, and what will be.
    """
    _, different = np.unique(pixel_hashes, return_index=True)
    different = np.sort(different)
    if len(different) < 2:
        return np.zeros((0, 2), np.int64)
    if len(different) < len(pixel_hashes):
        features, pictures, pixel_hashes = features[different], pictures[different], pixel_hashes[different]
    pairs = candidates(features, pictures)
    seen = looked_at(pairs, pictures) if looks is None else looks.look(pairs, pictures, pixel_hashes)
    return different[without_common_frames(seen, len(pictures))]


def without_common_frames(found: Mapping[tuple[int, int], Agreement], n: int) -> NDArray[np.int64]:
    """(P, 2) which of the pairs that were looked at are copies, and do not just share a frame.

    Photos through one eyepiece, or with the same black bars, agree in what surrounds them. Where the rest is faint, all
    of them look like copies. A family of more photos than are copies of one is not claimed at all; and where the
    fainter part of one pair of a family differs, only those are claimed in which it is there and clearly the same.
    """
    alike = {pair: agrees.faint for pair, agrees in found.items() if looks_alike(agrees)}
    pairs, faint = np.array(list(alike), np.int64).reshape(-1, 2), np.array(list(alike.values()))
    families = group(n, pairs)
    small = np.bincount(families, minlength=1) <= max(2, LARGEST_FAMILY * n, min(FAMILY, n / 2))
    framed = np.isin(families[pairs[:, 0]], families[pairs[faint < 0, 0]])
    return pairs[small[families[pairs[:, 0]]] & (faint >= WITHIN_FRAME * framed)]


def copies_between(
    new_values: NDArray[np.float32],
    new_pictures: NDArray[np.uint8],
    known_values: NDArray[np.float32],
    known_pictures: NDArray[np.uint8],
) -> NDArray[np.int64]:
    """(P, 2) which of M new photos is a copy of which of N known ones, by features or by looking; ascending.

    Args:
        new_values: (M, D).
        new_pictures: (M, SIDE_PX, SIDE_PX) uint8, small and grey.
        known_values: (N, D).
        known_pictures: (N, SIDE_PX, SIDE_PX) uint8.
    """
    n_new, n_known = len(new_values), len(known_values)
    if not n_new or not n_known:
        return np.zeros((0, 2), np.int64)
    values, pictures = np.concatenate([new_values, known_values]), np.concatenate([new_pictures, known_pictures])
    signed, directions = signatures(pictures), centred_directions(values)[:, None]
    telling = np.asarray(signed.any(axis=(1, 2)))
    with threadpool_limits(1):
        by_features, by_signature = (
            _listed(nearest_of_others(vectors[:n_new], vectors[n_new:])) for vectors in (directions, signed)
        )
    by_features[:, 1] += n_new
    by_signature[:, 1] += n_new
    pairs = np.unique(np.concatenate([by_features, by_signature[telling[by_signature].all(axis=1)]]), axis=0)
    alike = pairs[centred_cosines(values, pairs) >= NEAR_DUPLICATE]
    seen = without_common_frames(looked_at(pairs, pictures), len(pictures))
    found = np.unique(np.concatenate([alike, seen]), axis=0)
    found[:, 1] -= n_new
    return found


def looked_at(
    pairs: NDArray[np.int64], pictures: NDArray[np.uint8], *, quickly: bool = False
) -> dict[tuple[int, int], Agreement]:
    """How those of `pairs` agree that can be laid on each other at all, in ascending order.

    Args:
        pairs: (P, 2), i < j.
        pictures: (N, SIDE_PX, SIDE_PX) uint8, small and grey.
        quickly: in a third of the time, and without some that were cropped by a fifth on one side alone.
    """
    used, numbers = np.unique(pairs, return_inverse=True)
    if len(used) < len(pictures):
        found = looked_at(numbers.reshape(-1, 2), pictures[used], quickly=quickly)
        return {(int(used[i]), int(used[j])): agrees for (i, j), agrees in found.items()}
    with threadpool_limits(1):
        return _looked_at(pairs, pictures, quickly)


def _looked_at(
    pairs: NDArray[np.int64], pictures: NDArray[np.uint8], quickly: bool
) -> dict[tuple[int, int], Agreement]:
    contrasts = _of_blocks(_contrasts, pictures, (SIDE_PX, SIDE_PX), np.int8)
    sought = _of_blocks(_sought, contrasts, (ORIENTATIONS, (COARSE_PX - 2) ** 2), np.int16)
    best = _best_fits(_hopeful(pairs, contrasts, sought) if quickly else pairs, contrasts, sought)

    def look(fit: _Fit) -> Agreement | None:
        inner = turned(contrasts[fit.inner], fit.orientation).astype(np.float32)
        place = closer_place(contrasts[fit.outer].astype(np.float32), inner, fit.place)
        if place is None:
            return None
        return agreement(pictures[fit.outer], turned(pictures[fit.inner], fit.orientation), place)

    def look_at(some: list[tuple[int, int]]) -> list[Agreement | None]:
        return [look(best[pair]) for pair in some]

    looked = sorted(best)
    found = chain.from_iterable(map_in_order(look_at, _batches(looked), name="look"))
    return {pair: agrees for pair, agrees in zip(looked, found, strict=True) if agrees is not None}


class _Fit(NamedTuple):
    """How well the smallest picture of `inner` fits within that of `outer`, and where."""

    correlation: float
    outer: int
    inner: int
    place: int
    orientation: int


def _hopeful(pairs: NDArray[np.int64], contrasts: NDArray[np.int8], sought: NDArray[np.int16]) -> NDArray[np.int64]:
    """Those of `pairs` that may fit, block by block."""

    def may(start: int) -> NDArray[np.bool_]:
        some = pairs[start : start + BLOCK]
        used, places = np.unique(some, return_inverse=True)
        exact = contrasts[used].astype(np.float32), sought[used].astype(np.float32)
        return may_fit(*exact, places.reshape(-1, 2))

    found = map_in_order(may, range(0, len(pairs), BLOCK), name="hopeful")
    hopeful: NDArray[np.bool_] = np.concatenate([np.zeros(0, bool), *found])
    return np.asarray(pairs[hopeful])


def _best_fits(
    pairs: NDArray[np.int64], contrasts: NDArray[np.int8], sought: NDArray[np.int16]
) -> dict[tuple[int, int], _Fit]:
    """{pair: its better fit, of either within the other}, of those that fit well enough."""
    partners: defaultdict[int, list[int]] = defaultdict(list)
    for first, second in pairs.tolist():
        partners[first].append(second)
        partners[second].append(first)

    def seek(outers: list[int]) -> list[_Fit]:
        return [fit for outer in outers for fit in _fits(outer, partners[outer], contrasts, sought)]

    best: dict[tuple[int, int], _Fit] = {}
    for fits in map_in_order(seek, _batches(list(partners)), name="seek"):
        for fit in fits:
            pair = (min(fit.outer, fit.inner), max(fit.outer, fit.inner))
            known = best.get(pair)
            # Of two that fit as well the first photo is the outer one, whichever pairs are looked at beside.
            if known is None or (fit.correlation, -fit.outer) > (known.correlation, -known.outer):
                best[pair] = fit
    return {pair: fit for pair, fit in best.items() if fit.correlation >= (SMALL_FIT if fit.place else WHOLE_FIT)}


def _fits(outer: int, inside: list[int], contrasts: NDArray[np.int8], sought: NDArray[np.int16]) -> Iterator[_Fit]:
    """How those of `inside` fit within `outer` that may fit well enough; a photo may be a candidate of thousands."""
    contrast = contrasts[outer].astype(np.float32)
    for start in range(0, len(inside), MOST_INSIDE):
        some = inside[start : start + MOST_INSIDE]
        fits, places, orientations = best_places(contrast, sought[some].astype(np.float32))
        for k in np.flatnonzero(fits >= min(SMALL_FIT, WHOLE_FIT)).tolist():
            yield _Fit(float(fits[k]), outer, some[k], int(places[k]), int(orientations[k]))


def candidates(features: NDArray[np.float32], pictures: NDArray[np.uint8]) -> NDArray[np.int64]:
    """(P, 2) pairs i < j, ascending: each photo with the NEAREST by features and the NEAREST by signature.

    A picture without contrast has no signature, and would be the first photos' partner with all others like it.
    """
    signed = signatures(pictures)
    telling = np.asarray(signed.any(axis=(1, 2)))
    with threadpool_limits(1):  # our own threads share the work; those of each product would be in their way
        by_features, by_signature = (
            _listed(nearest(vectors)) for vectors in (centred_directions(features)[:, None], signed)
        )
    pairs = np.concatenate([by_features, by_signature[telling[by_signature].all(axis=1)]])
    return np.unique(np.sort(pairs, axis=1), axis=0)


def _listed(near: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N * K, 2) each row's number with each of what `near` (N, K) names in it."""
    return np.stack([np.repeat(np.arange(len(near)), near.shape[1]), near.ravel()], axis=1)


_Item = TypeVar("_Item")


def _batches(items: list[_Item]) -> Iterator[list[_Item]]:
    """Of several at once: handing each to a thread by itself would take longer than looking at it."""
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))


def _of_blocks(
    work: Callable[[NDArray[Any]], NDArray[Any]], rows: NDArray[Any], shape: tuple[int, ...], dtype: Any
) -> NDArray[Any]:
    """(N, *shape) what `work` makes of `rows` (N, …), block by block, in place."""
    made = np.empty((len(rows), *shape), dtype)

    def fill(start: int) -> None:
        made[start : start + BLOCK] = work(rows[start : start + BLOCK])

    for _ in map_in_order(fill, range(0, len(rows), BLOCK), name="contrast"):
        pass
    return made


def _contrasts(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    return local_contrast(pictures)


def _sought(contrasts: NDArray[np.int8]) -> NDArray[np.float32]:
    return contents(contrasts.astype(np.float32))

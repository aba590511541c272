"""Where one picture lies within another: turned, mirrored, without a margin that the other has.

A crop lies within its photo, and a photo within its copy that has a border. Both axes are sought by themselves, so a
border above and below alone is found too. What is compared are pictures of local contrast (`grey_picture`), first
small and everywhere, then larger and near the best place. Sums are of whole numbers that floats hold exactly, so every
processor finds the same place.
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tellapart.data.grey_picture import ORIENTATIONS, SIDE_PX, oriented

UNIT = 256  # of a side: margins are counted in these
MOST_CUT = 62  # of a side, both margins together; a border of an eighth on each side is a fifth of what it makes
SCATTERED = (0, 13, 27, 40, 53)  # margins tried everywhere
COARSE_PX = 14  # side of what is compared everywhere
MIDDLE_PX = 32  # … and near the best place
FINE_PX = 48  # … and at last, and judged
MIDDLE_STEPS = (6, 4, 2)
FINE_STEPS = (2, 1, 1)
MIDDLE_FROM = 0.72  # correlation that the best place needs to be looked at more closely, and then again
RIM_PX = 2  # left out at each edge (of the smallest, 1): there, local contrast knows of what lies outside
WEIGHT = 64  # the sum of a pixel's weights
SHRINK = 2048  # keeps products of many pixels within 2**24

Margins = tuple[int, int]  # before and after, in UNIT
FIRST: tuple[Margins, ...] = ((0, 0), (13, 13), (27, 27), (0, 27), (27, 0))  # of SCATTER, where `may_fit` tries
FIRST_FROM = 0.45  # correlation that a copy has at one of them


class Place(NamedTuple):
    """Where a picture lies within another: the margins above and below it, and left and right of it."""

    rows: Margins
    columns: Margins


SCATTER: tuple[Margins, ...] = tuple((a, b) for a in SCATTERED for b in SCATTERED if a + b <= max(SCATTERED) + 1)


def contents(contrasts: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 8, D) whole numbers: what is sought of each of `contrasts` (N, SIDE_PX, SIDE_PX), in each orientation."""
    whole = averages((0, 0), COARSE_PX)
    small = np.rint(whole @ contrasts @ whole.T / SHRINK)[..., 1:-1, 1:-1]
    return np.ascontiguousarray(oriented(small).reshape(len(contrasts), ORIENTATIONS, -1))


def best_places(
    contrast: NDArray[np.float32], sought: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """Where each of K pictures fits best within one: correlation, number of the place, orientation; (K,) each.

    Args:
        contrast: (SIDE_PX, SIDE_PX) of the one picture.
        sought: (K, 8, D), of `contents`.
    """
    k, d = len(sought), sought.shape[-1]
    n, across = len(SCATTER), _scattered()
    every = np.asarray(across @ (across @ contrast.T).T, np.float32)
    every /= SHRINK
    np.rint(every, out=every)
    seen: NDArray[np.float32] = every.reshape(n, len(every) // n, n, -1).swapaxes(1, 2).reshape(n * n, d)
    wanted = sought.reshape(-1, d)
    fits = seen @ wanted.T
    fits *= _inverse_lengths(seen)[:, None]
    fits *= _inverse_lengths(wanted)
    of_each = fits.reshape(n * n, k, ORIENTATIONS).transpose(1, 0, 2).reshape(k, -1)
    best = of_each.argmax(axis=1)
    return of_each[np.arange(k), best], best // ORIENTATIONS, best % ORIENTATIONS


def may_fit(contrasts: NDArray[np.float32], sought: NDArray[np.float32], pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(P,) whether one of each of `pairs` (P, 2) fits within the other at one of the places that are tried first.

    It takes a tenth of the time of `best_places`. Of 1,000 copies of the usual kinds one does not, and of other pairs
    seven in eight; but of copies that were cropped by a fifth on one side alone one in four.

    Args:
        contrasts: (N, SIDE_PX, SIDE_PX) local contrast.
        sought: (N, 8, D) of them, of `contents`.
        pairs: (P, 2) numbers of them.
    """
    n, across, d = len(FIRST), _first(), sought.shape[-1]
    every = np.asarray(across @ contrasts @ across.T, np.float32)
    every /= SHRINK
    np.rint(every, out=every)
    seen: NDArray[np.float32] = (
        every.reshape(len(every), n, -1, n, every.shape[-1] // n).swapaxes(2, 3).reshape(len(every), n * n, d)
    )
    inverse_seen = _inverse_lengths(seen.reshape(-1, d)).reshape(len(seen), n * n, 1)
    inverse_sought = _inverse_lengths(sought.reshape(-1, d)).reshape(len(sought), 1, ORIENTATIONS)
    best = np.zeros(len(pairs), np.float32)
    for outer, inner in (pairs.T, pairs.T[::-1]):
        fits = seen[outer] @ sought[inner].swapaxes(1, 2)
        fits *= inverse_seen[outer]
        fits *= inverse_sought[inner]
        np.maximum(best, fits.max(axis=(1, 2)), out=best)
    return best >= FIRST_FROM


def closer_place(outer: NDArray[np.float32], inner: NDArray[np.float32], number: int) -> Place | None:
    """The place near that of this `number` where `inner` fits best within `outer`; None if it fits nowhere well.

    Args:
        outer: (SIDE_PX, SIDE_PX) local contrast of the picture that has margins.
        inner: the same of the other one, oriented.
        number: of a place, as of `best_places`.
    """
    place = Place(SCATTER[number // len(SCATTER)], SCATTER[number % len(SCATTER)])
    whole = averages((0, 0), MIDDLE_PX)
    fit, place = _climb(outer, whole @ inner @ whole.T, place, MIDDLE_STEPS)
    if fit < MIDDLE_FROM:
        return None
    rows, columns = shrunk(place.rows, FINE_PX), shrunk(place.columns, FINE_PX)
    return _climb(outer, rows @ inner @ columns.T, place, FINE_STEPS)[1]


def placed(
    outer: NDArray[np.uint8], inner: NDArray[np.uint8], place: Place
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What lies at `place` of `outer`, and `inner` at that size: (FINE_PX, FINE_PX) whole sixteenths of a grey level.

    Args:
        outer: (SIDE_PX, SIDE_PX) grey picture.
        inner: the same of the other one, oriented.
        place: of `inner` within `outer`.
    """
    at = averages(place.rows, FINE_PX) @ outer.astype(np.float32) @ averages(place.columns, FINE_PX).T
    own = shrunk(place.rows, FINE_PX) @ inner.astype(np.float32) @ shrunk(place.columns, FINE_PX).T
    sixteenths = WEIGHT * WEIGHT // 16
    return np.rint(at / sixteenths).astype(np.float64), np.rint(own / sixteenths).astype(np.float64)


@cache  # of at most 2,016 margins and two sides: 41 MB when all were asked for, and half as much for `shrunk`
def averages(margins: Margins, side: int) -> NDArray[np.float32]:
    """(side, SIDE_PX) whole weights: each row averages its part of what lies between the margins."""
    return _whole(_shares(margins, side))


@cache
def shrunk(margins: Margins, side: int) -> NDArray[np.float32]:
    """(side, SIDE_PX) whole weights: the inner picture as it comes out between these margins of the outer one.

    There it has fewer pixels than by itself and is blurred by as much, which this imitates: Pillow's bilinear filter
    to the outer picture's pixels, then their averages.
    """
    before, after = (margin / UNIT for margin in margins)
    share = 1 - before - after
    centres = ((np.arange(SIDE_PX) + 0.5) / SIDE_PX - before) / share * SIDE_PX
    inside = np.flatnonzero((centres > 0) & (centres < SIDE_PX))
    weights = np.maximum(1 - np.abs(np.arange(SIDE_PX) + 0.5 - centres[:, None]) * share, 0)
    weights = weights[np.clip(np.arange(SIDE_PX), inside[0], inside[-1])]
    averaged = np.diff(_shares(margins, side), axis=1) @ (weights / weights.sum(axis=1, keepdims=True))
    return _whole(np.concatenate([np.zeros((side, 1)), np.cumsum(averaged, axis=1)], axis=1))


@cache
def _scattered() -> csr_array:
    """The weights of all margins that are tried everywhere, without the rim, below each other: five of 64 are some."""
    return csr_array(_weights(SCATTER))


@cache
def _first() -> NDArray[np.float32]:
    """The same of those that are tried first."""
    return _weights(FIRST)


def _weights(tried: tuple[Margins, ...]) -> NDArray[np.float32]:
    return np.concatenate([averages(margins, COARSE_PX)[1:-1] for margins in tried])


def _shares(margins: Margins, side: int) -> NDArray[np.float64]:
    """(side, SIDE_PX + 1) how much of each row's part lies before each edge between pixels; from 0 to 1."""
    ends = np.linspace(margins[0], UNIT - margins[1], side + 1) * SIDE_PX / UNIT
    beyond: NDArray[np.float64] = np.arange(SIDE_PX + 1) - ends[:-1, None]
    beyond /= np.diff(ends)[:, None]
    return np.clip(beyond, 0, 1, out=beyond)


def _whole(shares: NDArray[np.float64]) -> NDArray[np.float32]:
    """(side, SIDE_PX) weights from how much of them lies before each pixel, in whole parts of WEIGHT."""
    return np.diff(np.rint(WEIGHT * shares)).astype(np.float32)


def _inverse_lengths(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,) 1 / length of each of N rows; 0 for one of zeros."""
    squares = np.einsum("ij,ij->i", rows, rows)
    return np.where(squares > 0, 1 / np.sqrt(np.maximum(squares, 1)), 0).astype(np.float32)


def _climb(
    outer: NDArray[np.float32], wanted: NDArray[np.floating], place: Place, steps: tuple[int, ...]
) -> tuple[float, Place]:
    """The best place within some steps of `place`, and how well it fits: one axis at a time, in ever smaller steps."""
    fit = _fit_of(wanted)
    best = 0.0
    for step in steps:
        for axis in (0, 1):
            tried = _near(place[axis], step)
            weights = np.stack([averages(margins, len(wanted)) for margins in tried])
            if axis == 0:
                seen = weights @ (outer @ averages(place.columns, len(wanted)).T)
            else:
                seen = (averages(place.rows, len(wanted)) @ outer) @ weights.transpose(0, 2, 1)
            fits = fit(seen)
            best = float(fits.max())
            margins = tried[int(fits.argmax())]
            place = Place(margins, place.columns) if axis == 0 else Place(place.rows, margins)
    return best, place


def _near(margins: Margins, step: int) -> list[Margins]:
    """The margins and those beside them; first themselves, so that they stay where others fit no better."""
    moved = [(margins[0] + i * step, margins[1] + j * step) for i in (0, -1, 1) for j in (0, -1, 1)]
    return [(a, b) for a, b in moved if a >= 0 and b >= 0 and a + b <= MOST_CUT]


def _fit_of(wanted: NDArray[np.floating]) -> Callable[[NDArray[np.floating]], NDArray[np.float64]]:
    """What gives the correlation of each of (K, side, side) with `wanted` (side, side), without the rim."""

    def flat(pictures: NDArray[np.floating]) -> NDArray[np.float64]:
        inside = pictures[..., RIM_PX:-RIM_PX, RIM_PX:-RIM_PX]
        return np.rint(inside / SHRINK).reshape(*pictures.shape[:-2], -1).astype(np.float64)

    right = flat(wanted)
    n, right_sum = len(right), right.sum()
    right_spread = n * (right @ right) - right_sum**2

    def fit(pictures: NDArray[np.floating]) -> NDArray[np.float64]:
        left = flat(pictures)
        left_sum = left.sum(axis=1)
        left_spread = n * np.einsum("ij,ij->i", left, left) - left_sum**2
        both = np.sqrt(left_spread) * np.sqrt(right_spread)
        return np.asarray((n * (left @ right) - left_sum * right_sum) / np.maximum(both, 1))

    return fit

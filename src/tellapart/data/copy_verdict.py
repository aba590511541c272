"""Is one picture a copy of the other? How well two pictures that lie on each other agree, block by block.

A watermark or what is left of a border spoils a few blocks; the worst seventh is not asked. The weights were learned on
planted copies of training photos against their nearest neighbours that are none (`benchmarks/copy_verdict.py`).

Photos through one eyepiece, or with the same bars, agree in what surrounds them, and where the rest is faint that is
nearly all there is to see. So the fainter part is asked by itself, and has a veto: in a copy it is the same.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tellapart.data.alignment import Place, placed
from tellapart.data.grey_picture import local_contrast

BLOCK_PX = 6  # side of a block: eight in each direction
ASKED = 55  # of 64 blocks; a mark over 5 % of the photo touches up to nine
TELLING = 6  # spread of local contrast, of 32, from which on a block shows anything
SOFT = 0.002  # what keeps a perfect agreement from counting without end
UNMOVED = 3  # of 256: margins up to here are none
LEVEL = 16  # units of a grey level in what `placed` gives
FAINT_SPREAD = 0.4  # grey levels within a block from which on it shows something, however faint
FAINT_SHARE = 0.42  # of the blocks that do: the rim of an eyepiece lies in half of them
FAINT_ASKED = 0.9  # of these, the ones that agree best
FAINT_LEAST = 8  # blocks, or nothing is said
FAINT_FIT = 0.45  # their least correlation in copies
SEEN_SPREAD = 2.2  # grey levels from which on what is faint has little noise …
SEEN_FIT = 0.75  # … and agrees better in copies; of 1,873 planted ones none was below either


class Agreement(NamedTuple):
    """How two pictures agree that lie on each other.

    Args:
        fine: -log of what their local contrast lacks to a correlation of 1, over the blocks that agree best.
        detail: the same of brightness within blocks.
        usual: the same of the local contrast of the median block among those that show anything.
        telling: share of the blocks that show anything.
        unmoved: 1 where neither has a margin that the other lacks, else 0: any two things fit better if stretched.
        faint: how much better the fainter part agrees than it has to; 0 where there is too little of it.
    """

    fine: float
    detail: float
    usual: float
    telling: float
    unmoved: float
    faint: float


WEIGHTS = Agreement(0.1, 1.63, 2.4, 6.22, 2.63, 0.0)  # what is faint has a veto instead
LEAST = 18.1  # weighted sum from which on two pictures are copies


def agreement(outer: NDArray[np.uint8], inner: NDArray[np.uint8], place: Place) -> Agreement:
    """How `inner` agrees with what lies at `place` of `outer`; (SIDE_PX, SIDE_PX) grey pictures, oriented alike."""
    grey = placed(outer, inner, place)
    left, right = (_blocks(contrast) for contrast in local_contrast(np.stack(grey), LEVEL).astype(np.float64))
    products, lefts, rights = _sums(left, right)
    fine = _trimmed(products, lefts, rights, lefts + rights - 2 * products)
    telling = np.maximum(lefts, rights) > TELLING**2 * BLOCK_PX**2
    each = products / np.sqrt(np.maximum(lefts * rights, 1))
    usual = float(np.median(each[telling])) if telling.any() else 0.0
    unmoved = max(*place.rows, *place.columns) <= UNMOVED
    return Agreement(
        _log(fine), _log(_detail(*grey)), _log(usual), float(telling.mean()), float(unmoved), _faint(*grey)
    )


def is_copy(found: Agreement) -> bool:
    """Whether pictures that agree so well are copies."""
    return looks_alike(found) and found.faint >= 0


def looks_alike(found: Agreement) -> bool:
    """Whether what shows most is the same; else it may be a frame, and what lies within differ."""
    return sum(weight * value for weight, value in zip(WEIGHTS, found, strict=True)) >= LEAST


def _within_blocks(left: NDArray[np.float64], right: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """`_sums` of brightness, that of each block taken away."""
    n = BLOCK_PX**2
    own = [blocks - np.rint(blocks.sum(axis=1, keepdims=True) / n) for blocks in (_blocks(left), _blocks(right))]
    return _sums(*own)


def _detail(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """The correlation of brightness within the blocks that agree best, one contrast for all."""
    products, lefts, rights = _within_blocks(left, right)
    kept = _agreeing(products, lefts, rights, ASKED)
    return _correlation(products[kept], lefts[kept], rights[kept])


def _faint(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """How much better the fainter of the blocks that show something agree than they have to; 0 of too few.

    These blocks lie half a block beside the others: what is flat within each of those has its steps here.
    """
    half = BLOCK_PX // 2
    sums = _within_blocks(*(picture[half:-half, half:-half] for picture in (left, right)))
    most = np.maximum(*sums[1:])
    least = (FAINT_SPREAD * LEVEL) ** 2 * BLOCK_PX**2
    order = np.argsort(most, kind="stable")
    shown = order[most[order] >= least]
    faint = shown[: int(FAINT_SHARE * len(shown))]
    if len(faint) < FAINT_LEAST:
        return 0.0
    products, lefts, rights = (part[faint] for part in sums)
    kept = _agreeing(products, lefts, rights, int(FAINT_ASKED * len(faint)))
    in_both = min(lefts[kept].sum(), rights[kept].sum()) / len(kept)
    if in_both < least:
        return 0.0
    seen = in_both >= (SEEN_SPREAD * LEVEL) ** 2 * BLOCK_PX**2
    return _correlation(products[kept], lefts[kept], rights[kept]) - (SEEN_FIT if seen else FAINT_FIT)


def _agreeing(
    products: NDArray[np.float64], lefts: NDArray[np.float64], rights: NDArray[np.float64], k: int
) -> NDArray[np.int64]:
    """(k,) the blocks that agree best, one contrast for all."""
    kept = np.arange(len(products))
    for _ in range(2):
        gain = np.sqrt(lefts[kept].sum() / max(rights[kept].sum(), 1.0))
        kept = np.argsort(lefts + gain * gain * rights - 2 * gain * products, kind="stable")[:k]
    return kept


def _blocks(picture: NDArray[np.float64]) -> NDArray[np.float64]:
    """(B, 36): the pixels of each block of a square picture, 64 of one of FINE_PX."""
    n = len(picture) // BLOCK_PX
    return picture.reshape(n, BLOCK_PX, n, BLOCK_PX).transpose(0, 2, 1, 3).reshape(n * n, BLOCK_PX**2)


def _sums(left: NDArray[np.float64], right: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """(B,) each: sums of products, of the left's squares and of the right's, of each block."""
    return (left * right).sum(axis=1), (left * left).sum(axis=1), (right * right).sum(axis=1)


def _trimmed(
    products: NDArray[np.float64], lefts: NDArray[np.float64], rights: NDArray[np.float64], apart: NDArray[np.float64]
) -> float:
    kept = np.argsort(apart, kind="stable")[:ASKED]
    return _correlation(products[kept], lefts[kept], rights[kept])


def _correlation(products: NDArray[np.float64], lefts: NDArray[np.float64], rights: NDArray[np.float64]) -> float:
    return float(products.sum() / np.sqrt(max(lefts.sum(), 1.0)) / np.sqrt(max(rights.sum(), 1.0)))


def _log(correlation: float) -> float:
    return float(-np.log(max(1 + SOFT - correlation, SOFT)))

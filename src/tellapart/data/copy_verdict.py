"""Is one picture a copy of the other? How well two pictures that lie on each other agree, block by block.

A watermark or what is left of a border spoils a few blocks; the worst seventh is not asked. The weights were learned on
planted copies of training photos against their nearest neighbours that are none (`benchmarks/copy_verdict.py`).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tellapart.data.alignment import FINE_PX, Place, placed
from tellapart.data.grey_picture import local_contrast

BLOCK_PX = 6  # side of a block: eight in each direction
ASKED = 55  # of 64 blocks; a mark over 5 % of the photo touches up to nine
TELLING = 6  # spread of local contrast, of 32, from which on a block shows anything
SOFT = 0.002  # what keeps a perfect agreement from counting without end
UNMOVED = 3  # of 256: margins up to here are none
LEVEL = 16  # units of a grey level in what `placed` gives


class Agreement(NamedTuple):
    """How two pictures agree that lie on each other.

    Args:
        fine: -log of what their local contrast lacks to a correlation of 1, over the blocks that agree best.
        detail: the same of brightness within blocks.
        usual: the same of the local contrast of the median block among those that show anything.
        telling: share of the blocks that show anything.
        unmoved: 1 where neither has a margin that the other lacks, else 0: any two things fit better if stretched.
    """

    fine: float
    detail: float
    usual: float
    telling: float
    unmoved: float


WEIGHTS = Agreement(0.1, 1.63, 2.4, 6.22, 2.63)
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
    return Agreement(_log(fine), _log(_detail(*grey)), _log(usual), float(telling.mean()), float(unmoved))


def is_copy(found: Agreement) -> bool:
    """Whether pictures that agree so well are copies."""
    return sum(weight * value for weight, value in zip(WEIGHTS, found, strict=True)) >= LEAST


def _detail(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """The correlation of brightness within the blocks that agree best, one contrast for all."""
    n = BLOCK_PX**2
    own = [blocks - np.rint(blocks.sum(axis=1, keepdims=True) / n) for blocks in (_blocks(left), _blocks(right))]
    products, lefts, rights = _sums(*own)
    kept = np.arange(len(products))
    for _ in range(2):
        gain = np.sqrt(lefts[kept].sum() / max(rights[kept].sum(), 1.0))
        kept = np.argsort(lefts + gain * gain * rights - 2 * gain * products, kind="stable")[:ASKED]
    return _correlation(products[kept], lefts[kept], rights[kept])


def _blocks(picture: NDArray[np.float64]) -> NDArray[np.float64]:
    """(64, 36): the pixels of each block of a (FINE_PX, FINE_PX) picture."""
    n = FINE_PX // BLOCK_PX
    return picture.reshape(n, BLOCK_PX, n, BLOCK_PX).transpose(0, 2, 1, 3).reshape(n * n, BLOCK_PX**2)


def _sums(left: NDArray[np.float64], right: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """(64,) each: sums of products, of the left's squares and of the right's, of each block."""
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

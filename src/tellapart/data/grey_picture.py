"""A photo small and grey: what two photos are held against each other by, to see whether one is a copy of the other.

All numbers here are whole ones and small enough for float32 or float64 to hold exactly, sums and products too. So
they are the same on every processor, in whatever order it adds.
"""

from functools import cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.preprocess import as_pillow

SIDE_PX = 64  # whatever the photo's shape; 4 kB a photo, and enough to tell a copy from most frames of a burst
SIGNATURE_PX = 8  # side of the much smaller picture by which candidates are sought; 16 finds no more
SIGNATURE_UNIT = 1000  # length of a signature; products stay below 2**24
WINDOW_PX = 9  # side of the square in which brightness and contrast are taken away
NOISE = 8  # grey levels of contrast that count for little: what JPEG and a camera leave in a plain wall
CONTRAST_UNIT = 32  # a pixel that lies one standard deviation above its surroundings
MOST_CONTRAST = 127  # fits int8
ORIENTATIONS = 8  # four turns, and each mirrored

_Number = TypeVar("_Number", bound=np.generic)


def grey_picture(image: NDArray[np.uint8] | Image.Image) -> NDArray[np.uint8]:
    """(SIDE_PX, SIDE_PX) uint8 luma of the whole of `image` (H, W, 3) uint8, whose shape is given up.

    Pillow computes it with whole numbers.
    """
    luma = as_pillow(image).convert("L")
    return np.asarray(luma.resize((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR))


def oriented(pictures: NDArray[_Number]) -> NDArray[_Number]:
    """(…, 8, S, S): `pictures` (…, S, S) turned by 0, 90, 180 and 270 degrees, each as it is and mirrored."""
    return np.stack([turned(pictures, number) for number in range(ORIENTATIONS)], axis=-3)


def turned(pictures: NDArray[_Number], orientation: int) -> NDArray[_Number]:
    """(…, S, S): `pictures` in one of the orientations of `oriented`, by its number; a view."""
    turn = np.rot90(pictures, orientation // 2, (-2, -1))
    return turn[..., ::-1] if orientation % 2 else turn


def signatures(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, 8, D) of `pictures` (N, SIDE_PX, SIDE_PX): D whole numbers of length SIGNATURE_UNIT for each orientation.

    The product of two is their correlation in millionths. A picture without any contrast has zeros.
    """
    cell = SIDE_PX // SIGNATURE_PX
    cells = pictures.reshape(-1, SIGNATURE_PX, cell, SIGNATURE_PX, cell).sum(axis=(2, 4), dtype=np.int64)
    n = SIGNATURE_PX**2
    centred = (n * cells - cells.sum(axis=(1, 2), keepdims=True)).astype(np.float64)
    lengths = np.sqrt((centred * centred).sum(axis=(1, 2), keepdims=True))
    whole = np.rint(SIGNATURE_UNIT * centred / np.maximum(lengths, 1)).astype(np.float32)
    return np.ascontiguousarray(oriented(whole).reshape(len(pictures), ORIENTATIONS, n))


def local_contrast(pictures: NDArray[np.integer] | NDArray[np.floating], level: int = 1) -> NDArray[np.float32]:
    """(N, S, S) whole numbers in ±MOST_CONTRAST: how far each pixel lies above its surroundings, by their spread.

    Brightness, contrast and a gradual shade are gone, and a mark changes little but itself.

    Args:
        pictures: (N, S, S) of whole numbers.
        level: how many of their units make a grey level.
    """
    exact = "float32" if pictures.dtype == np.uint8 else "float64"  # 81 squares of up to 255 are below 2**24
    grey: NDArray[np.floating] = pictures.astype(exact)
    window: NDArray[np.floating] = _window_sums(grey.shape[-1]).astype(exact)
    n = WINDOW_PX**2
    sums, spread = ((window @ summed @ window.T).astype(np.float64) for summed in (grey, grey * grey))
    spread *= n  # in place from here on: making room for each step would take longer than the step
    spread -= sums * sums
    np.sqrt(np.maximum(spread, 0, out=spread), out=spread)
    spread += n * NOISE * level
    contrast = n * grey.astype(np.float64)
    contrast -= sums
    contrast *= CONTRAST_UNIT
    contrast /= spread
    np.rint(contrast, out=contrast)
    return np.asarray(np.clip(contrast, -MOST_CONTRAST, MOST_CONTRAST, out=contrast), np.float32)


@cache
def _window_sums(side: int) -> NDArray[np.float64]:
    """(side, side): sums over WINDOW_PX neighbours; beyond the edge, the last pixel is repeated."""
    sums = np.zeros((side, side))
    for offset in range(-(WINDOW_PX // 2), WINDOW_PX // 2 + 1):
        np.add.at(sums, (np.arange(side), np.clip(np.arange(side) + offset, 0, side - 1)), 1)
    return sums

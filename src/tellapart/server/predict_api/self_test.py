"""The self-test: whether the whole path, bytes to answer, gives what it must, asked before any client is answered.

The photo is drawn here and packed as a JPEG that lies on its side with an EXIF tag that says so. What it must give
comes from the same graph by the short path, within this process; the long path leads through a decoding child and the
queue. A child with other libraries, or a graph that gives no probabilities on this processor, is found so.
"""

from functools import cache
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.model.prediction import Predictor

SIDES_PX = (240, 320)
ORIENTATION_TAG, ON_ITS_SIDE = 0x0112, 6


@cache
def self_test_photo() -> bytes:
    """A JPEG of two crossing gradients and a disc, stored on its side."""
    rows, columns = np.mgrid[0 : SIDES_PX[0], 0 : SIDES_PX[1]]
    disc = (rows - 75) ** 2 + (columns - 210) ** 2 < 45**2
    channels = [rows * 255 // SIDES_PX[0], columns * 255 // SIDES_PX[1], np.where(disc, 230, 40)]
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = ON_ITS_SIDE
    buffer = BytesIO()
    Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8)).save(buffer, "JPEG", quality=90, exif=exif)
    return buffer.getvalue()


def is_as_expected(predictor: Predictor, pixels: NDArray[np.uint8]) -> bool:
    """Whether the self-test photo's `pixels` (px, px, 3), decoded elsewhere, lead to the answer that they must."""
    expected = predictor.pixels(self_test_photo())
    if not np.array_equal(pixels, expected):
        return False
    return np.array_equal(predictor.answers(pixels).probs, predictor.answers(expected).probs)

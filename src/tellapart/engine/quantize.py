"""Large tables of weights as whole numbers of 8 bits with one scale a row: half of what float16 takes.

What is rounded is the model: training, thresholds and every exported form use the same rounded rows, so that no export
need be smaller than the model, and answer otherwise.
"""

import numpy as np
from numpy.typing import NDArray

LEVELS = 127  # of an int8 on each side of zero
_TINY = np.finfo(np.float32).tiny


def whole(rows: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """`rows` (N, D) as int8, and the scale (N, 1) of each; the largest number of a row is `LEVELS`.

    Rows that were rounded before come back as they are: `whole(q * s)` is `(q, s)` again.
    """
    scale = np.maximum(np.abs(rows).max(axis=1, keepdims=True) / np.float32(LEVELS), _TINY)
    return np.round(rows / scale).astype(np.int8), scale.astype(np.float32)


def rounded(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The float32 (N, D) that `whole` stands for."""
    numbers, scale = whole(rows)
    return np.asarray(numbers * scale, np.float32)

"""Which photos the network sees as alike: by the cosine of their centred features."""

import numpy as np
from numpy.typing import NDArray


def directions(features: NDArray[np.float32], middle: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, D) `features` less the (D,) `middle` of all photos, each of length 1."""
    centred = features - middle
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)


def most_alike(own: NDArray[np.float32], others: NDArray[np.float32], n: int) -> NDArray[np.int64]:
    """The n rows of `others` (N, D) that are most like `own` (D,), the most alike first; all are directions."""
    return np.argsort(-(others @ own), kind="stable")[:n]

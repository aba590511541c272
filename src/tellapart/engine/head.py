"""A linear layer on features: the classifier's own head, and the ImageNet head that a backbone came with."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Head:
    """logits = features @ weight.T + bias, for features as the backbone gives them.

    Args:
        weight: (C, D) float32.
        bias: (C,) float32.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, C) logits of `features` (N, D)."""
        return np.asarray(features @ self.weight.T + self.bias, np.float32)

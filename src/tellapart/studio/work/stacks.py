"""Stacks: photos of one scene, which are one tile, one label and one unit of every split."""

import numpy as np
from numpy.typing import NDArray

from tellapart.studio.work.desk import Seen


def stacks_of(seen: Seen) -> NDArray[np.int32]:
    """(N,) the stack of each photo of `seen`, numbered; photos of one scene share it."""
    return seen.duplicates.groups

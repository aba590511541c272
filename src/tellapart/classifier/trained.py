"""What training hands on: the photos, how they were divided, and all that was learned from them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.classifier.probe import CalibratedHead
from tellapart.data.split import Split
from tellapart.features.prepare import Prepared
from tellapart.recipe import LinearProbe, Recipe, probe_of

Json = dict[str, Any]


class StopReason(StrEnum):
    """Why the training of a network ended before its last epoch."""

    DIVERGED = "diverged"  # its loss was no longer a number
    PATIENCE = "patience"  # its validation loss had not fallen for as many epochs as were to be waited
    TIME_LIMIT = "time limit"


@dataclass(frozen=True)
class Trained:
    """What was learned.

    Args:
        prepared: the photos, with the features that the head goes by.
        split: which of them learned, chose and test.
        folds: (len(split.learned),) as `fit_probe` has them.
        calibrated: the head, and all that comes after it.
        recipe: what was asked for.
        history: how the training of a network went; None for a head alone.
        rows: what a head of very many photos learned from, and what more brought; None where all learned at once.
        beyond: (B,) pixel hashes of photos that the head learned from and that are not among `prepared`; or None.
    """

    prepared: Prepared
    split: Split
    folds: NDArray[np.int32]
    calibrated: CalibratedHead
    recipe: Recipe
    history: Json | None = None
    rows: Json | None = None
    beyond: NDArray[np.bytes_] | None = None

    @property
    def learned_hashes(self) -> NDArray[np.bytes_]:
        """Pixel hashes of all photos that the head learned from."""
        own = self.prepared.pixel_hashes[self.split.learned]
        return own if self.beyond is None else np.concatenate([own, self.beyond])

    @property
    def probe(self) -> LinearProbe:
        """How photos were read, and how heads learn from them."""
        return probe_of(self.recipe)

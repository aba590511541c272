"""Features of photos that are of no one's classes, to measure how many of them a model refuses.

One half may be fitted on, and is where a model has few photos; the other half is only ever counted, for every model, so
that the counts compare. `scripts/make_ood_reference` wrote their features, 210 photos from three sources, for each
quality; the photos themselves are not in the package, and cannot be made from the numbers.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.engine.backbone import Backbone, shipped
from tellapart.errors import ArtifactError

FOLDER = Path(__file__).parent / "ood_reference"


@dataclass(frozen=True)
class OodReference:
    """N photos by source.

    Args:
        features: (N, D) float32, as the backbone makes them of the middle square.
        sources: (N,) where each comes from, in plain words.
        names: (N,) what each shows, in plain words.
        fitted_on: (N,) bool, which a threshold may be fitted on; a fixed half.
    """

    features: NDArray[np.float32]
    sources: tuple[str, ...]
    names: tuple[str, ...]
    fitted_on: NDArray[np.bool_]

    @property
    def to_fit(self) -> NDArray[np.float32]:
        """(M, D) features of those that a threshold may be fitted on."""
        return self.features[self.fitted_on]

    def counted(self) -> "OodReference":
        """The others, on which nothing was fitted."""
        kept = np.flatnonzero(~self.fitted_on)
        sources, names = ([texts[i] for i in kept] for texts in (self.sources, self.names))
        return OodReference(self.features[kept], tuple(sources), tuple(names), np.zeros(len(kept), bool))


def reference_photos() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Where each of the photos that are counted comes from, and what it shows, whatever backbone sees them."""
    record = json.loads((FOLDER / "photos.json").read_text(encoding="utf-8"))
    fitted_on = set(record["fitted_on"])
    photos = [photo for i, photo in enumerate(record["photos"]) if i not in fitted_on]
    return tuple(p["source"] for p in photos), tuple(p["name"] for p in photos)


def was_shown(backbone_key: str) -> bool:
    """Whether the backbone of this key is one that the photos were shown to."""
    return backbone_key in json.loads((FOLDER / "photos.json").read_text(encoding="utf-8"))["features"]


@cache
def ood_reference(backbone: Backbone) -> OodReference | None:
    """The photos as `backbone` sees them; None for one that they were not shown to.

    Raises:
        ArtifactError: the file is not the one that was shipped.
    """
    record = json.loads((FOLDER / "photos.json").read_text(encoding="utf-8"))
    known = record["features"].get(backbone.key)
    if known is None:
        return None
    data = shipped(FOLDER / known["file"])
    if hashlib.sha256(data).hexdigest() != known["sha256"]:
        raise ArtifactError(f"The file {known['file']} is damaged.", hint="Install tellapart again.")
    features = np.frombuffer(data, np.float16).reshape(-1, backbone.n_features).astype(np.float32)
    photos = record["photos"]
    fitted_on = np.isin(np.arange(len(photos)), record["fitted_on"])
    return OodReference(features, tuple(p["source"] for p in photos), tuple(p["name"] for p in photos), fitted_on)

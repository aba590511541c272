"""Features of photos that are of no one's classes, to measure how many of them a model refuses.

Nothing is ever fitted on them. `scripts/make_ood_reference` wrote their features, 210 photos from three sources, for
each quality; the photos themselves are not in the package, and cannot be made from the numbers.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.engine.backbone import Backbone
from tellapart.errors import ArtifactError

FOLDER = Path(__file__).parent / "ood_reference"


@dataclass(frozen=True)
class OodReference:
    """N photos by source.

    Args:
        features: (N, D) float32, as the backbone makes them of the middle square.
        sources: (N,) where each comes from, in plain words.
        names: (N,) what each shows, in plain words.
    """

    features: NDArray[np.float32]
    sources: tuple[str, ...]
    names: tuple[str, ...]


def reference_photos() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Where each of the photos comes from, and what it shows, whatever backbone sees them."""
    photos = json.loads((FOLDER / "photos.json").read_text(encoding="utf-8"))["photos"]
    return tuple(p["source"] for p in photos), tuple(p["name"] for p in photos)


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
    data = (FOLDER / known["file"]).read_bytes()
    if hashlib.sha256(data).hexdigest() != known["sha256"]:
        raise ArtifactError(f"The file {known['file']} is damaged.", hint="Install tellapart again.")
    features = np.frombuffer(data, np.float16).reshape(-1, backbone.n_features).astype(np.float32)
    photos = record["photos"]
    return OodReference(features, tuple(p["source"] for p in photos), tuple(p["name"] for p in photos))

"""Whether the bundled networks compute on this machine what they must: one drawn picture, features known beforehand.

What they must give was computed by another engine (ONNX Runtime) on another machine, by `scripts/make_network_proof`.
"""

import json
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tellapart.engine.backbone import FOLDER, IMAGENET, QUALITIES, Bundled, build_graph
from tellapart.engine.runner import Network

PROOF: Final = FOLDER / "proof.json"  # {key of the backbone: every 16th of its features, rounded}
EVERY: Final = 16  # 80 of 1,280 features show a wrong sum as well as all do
# Of the largest feature. Engines and processors differ by 1e-5 to 1e-4 in float32; bfloat16, or a wrong vector
# instruction, by more than 1e-2.
BOUND: Final = 2e-3
PROVEN: Final[tuple[Bundled, ...]] = (QUALITIES["fast"], QUALITIES["balanced"], IMAGENET)  # each network once


def drawn_picture(side_px: int) -> NDArray[np.uint8]:
    """Two crossing gradients, stripes and a disc: (side_px, side_px, 3); whole numbers, so equal everywhere."""
    rows, columns = np.mgrid[0:side_px, 0:side_px]
    disc = (3 * rows - side_px) ** 2 + (3 * columns - 2 * side_px) ** 2 < (side_px // 2) ** 2
    stripes = np.where((rows + columns) // 12 % 2, 200, 60)
    channels = [rows * 255 // side_px, columns * 255 // side_px, np.where(disc, 230, stripes)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def difference(backbone: Bundled) -> float:
    """How far this machine's features of the picture lie from those known, as a share of the largest feature.

    Raises:
        ArtifactError: the network's file is not the one that was shipped, or cannot be run.
    """
    graph = build_graph(backbone).SerializeToString()
    network = Network(graph, backbone.input_px, ("features",), streams=1)
    known = _known()[backbone.key]
    found = network(drawn_picture(backbone.input_px))["features"][::EVERY]
    return float(np.abs(found - known).max() / np.abs(known).max())


@cache
def _known() -> dict[str, NDArray[np.float64]]:
    return {key: np.array(values) for key, values in json.loads(PROOF.read_text(encoding="utf-8")).items()}

"""What computes features: the one place where it is chosen.

The processor computes them by OpenVINO, one photo a call; a GPU by ONNX Runtime, in batches. What a GPU computes is not
believed: the first photos are computed by the processor too, and the two must agree as closely as the proof of the
networks asks of any machine.
"""

import threading
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.engine.batch_runner import BATCH, CUDA, BatchRunner, refuse_disagreement
from tellapart.engine.network_proof import BOUND, drawn_picture
from tellapart.engine.runner import Network

PROCESSOR: Final = "cpu"
PROVIDERS: Final = {"cuda": CUDA}  # {device: what ONNX Runtime calls it}
DEVICES: Final = (PROCESSOR, *PROVIDERS)
PROVEN: Final = 8  # photos, besides a drawn picture


class Runner(Protocol):
    """A compiled graph."""

    def __call__(self, image: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """The outputs for one image (px, px, 3) uint8, each without the leading N. Safe from any thread."""


def device_key(device: str) -> str:
    """What a device and its precision add to the name of features; nothing for the processor, whose names are older."""
    return "" if device == PROCESSOR else f" {device} float32"


def device_in(key: str) -> tuple[str, str]:
    """The name of features without their device, and the device."""
    for device in PROVIDERS:
        if key.endswith(device_key(device)):
            return key.removesuffix(device_key(device)), device
    return key, PROCESSOR


def waiting_photos(device: str) -> int:
    """How many photos may wait for it at once, beyond those that the processor's cores are busy with."""
    return 0 if device == PROCESSOR else BATCH


def runner_on(device: str, graph: bytes, input_px: int, *, streams: int) -> Runner:
    """The graph with the output `features`, compiled for `device`.

    Args:
        device: one of DEVICES.
        graph: serialised ONNX.
        input_px: px.
        streams: photos in flight at once on the processor.

    Raises:
        InputError: there is no such device here, or it computes something else.
        MissingExtraError: the library for it is not installed.
    """
    if device == PROCESSOR:
        return Network(graph, input_px, ["features"], streams=streams)
    runner = BatchRunner(graph, input_px, ["features"], provider=PROVIDERS[device])
    return Proven(runner, Network(graph, input_px, ["features"], streams=1), drawn_picture(input_px))


class Proven:
    """A runner whose first answers are held against those of the processor.

    Args:
        runner: to be proven.
        reference: the same graph on the processor.
        picture: (px, px, 3) uint8, to begin with.

    Raises:
        InputError: the features of the picture are others.
    """

    def __init__(self, runner: Runner, reference: Runner, picture: NDArray[np.uint8]) -> None:
        self._runner, self._reference = runner, reference
        self._left, self._counting = PROVEN + 1, threading.Lock()
        self(picture)

    def __call__(self, image: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """As `Runner`; raises InputError for features that are others."""
        found = self._runner(image)
        with self._counting:
            is_tried = self._left > 0
            self._left -= is_tried
        if is_tried:
            expected = self._reference(image)["features"]
            difference = np.abs(found["features"] - expected).max() / np.abs(expected).max()
            refuse_disagreement(float(difference), BOUND)
        return found

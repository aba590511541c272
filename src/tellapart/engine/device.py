"""What computes features and answers: the one place where it is chosen.

The processor computes them by OpenVINO, one photo a call; a GPU by ONNX Runtime, in batches. What a GPU computes is not
believed: the first photos are computed by the processor too, and the two must agree as closely as the proof of the
networks asks of any machine.
"""

import threading
from collections.abc import Sequence
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
FEATURES: Final = "features"
OF_ONE: Final = frozenset({"probs", "unknown_score"})  # outputs whose largest value is 1, whatever that of a photo is


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


def runner_on(
    device: str,
    graph: bytes,
    input_px: int,
    *,
    streams: int,
    outputs: Sequence[str] = (FEATURES,),
    optional: Sequence[str] = (),
) -> Runner:
    """The graph compiled for `device`, which if it is no processor gives the features too, to be proven by them.

    Args:
        device: one of DEVICES.
        graph: serialised ONNX.
        input_px: px.
        streams: photos in flight at once on the processor.
        outputs: names of the outputs wanted.
        optional: names of outputs wanted if the graph has them.

    Raises:
        InputError: there is no such device here, or it computes something else.
        MissingExtraError: the library for it is not installed.
    """
    if device == PROCESSOR:
        return Network(graph, input_px, outputs, optional=optional, streams=streams)
    optional = [name for name in dict.fromkeys([*optional, FEATURES]) if name not in outputs]
    runner = BatchRunner(graph, input_px, outputs, optional=optional, provider=PROVIDERS[device])
    return Proven(runner, Network(graph, input_px, outputs, optional=optional, streams=1), drawn_picture(input_px))


class Proven:
    """A runner whose first answers are held against those of the processor.

    Args:
        runner: to be proven.
        reference: the same graph on the processor.
        picture: (px, px, 3) uint8, to begin with.

    Raises:
        InputError: the features of the picture, or the answers on it, are others.
    """

    def __init__(self, runner: Runner, reference: Runner, picture: NDArray[np.uint8]) -> None:
        self._runner, self._reference = runner, reference
        self._left, self._counting = PROVEN + 1, threading.Lock()
        self(picture)

    def __call__(self, image: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """As `Runner`; raises InputError for features or answers that are others."""
        found = self._runner(image)
        with self._counting:
            is_tried = self._left > 0
            self._left -= is_tried
        if is_tried:
            for name, expected in self._reference(image).items():
                largest = 1.0 if name in OF_ONE else np.abs(expected).max()
                difference = np.abs(found[name] - expected).max() / largest
                refuse_disagreement(float(difference), BOUND, "features" if name == FEATURES else "answers")
        return found

"""One compiled graph on the CPU, answering from several threads at once."""

import io
import os
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from tellapart.errors import ArtifactError

# float32 everywhere, although bfloat16 is faster on some processors: the browser, the phone and the other runtime
# compute in float32, and a model must answer there as it was tested here. Measured: docs/decisions/0003-float32.md
PRECISION = "f32"


def n_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Initialised:
    """Whether any call has finished in this process.

    OpenVINO's Python binding fills its table of number types in the first call, and two first calls at once wait for
    each other for ever: one holds the table, the other the interpreter. So the first one goes alone.
    """

    done = False
    lock = threading.Lock()


class Network:
    """A graph compiled by OpenVINO: one photo in, the named outputs out.

    Every call runs exactly one photo. On a CPU that is also the fastest batch (activations of one photo stay in the
    cache), and it makes an answer independent of the photos that happen to share a batch. Parallelism comes from
    calling from as many threads as there are streams. One call computes in one thread: sums over parts that two threads
    made are rounded otherwise on some processors, and an answer must not depend on how many cores there are, or on
    which door it came through. What that costs: docs/decisions/0003-float32.md

    Args:
        model: a serialised ONNX graph with the input `pixels` (uint8, N×px×px×3).
        input_px: px, the side of its square input.
        outputs: names of the outputs wanted; what only other outputs need is not computed.
        optional: names of outputs wanted if the graph has them; `outputs` afterwards says which it has.
        streams: photos in flight at once.

    Raises:
        ArtifactError: the graph cannot be compiled.
    """

    def __init__(
        self, model: bytes, input_px: int, outputs: Sequence[str], *, optional: Sequence[str] = (), streams: int
    ) -> None:
        self.input_px = input_px
        try:
            graph = openvino.Core().read_model(io.BytesIO(model))
            graph.reshape({"pixels": [1, input_px, input_px, 3]})
            has = {name for output in graph.outputs for name in output.get_names()}
            self.outputs = (*outputs, *(name for name in optional if name in has))
            wanted = [graph.output(name).get_node().input_value(0) for name in self.outputs]
            graph = openvino.Model(wanted, graph.get_parameters(), "network")
            settings = {
                "INFERENCE_PRECISION_HINT": PRECISION,
                "INFERENCE_NUM_THREADS": streams,  # so that each stream has one
                "NUM_STREAMS": streams,
            }
            self._compiled = openvino.Core().compile_model(graph, "CPU", settings)
        except RuntimeError as error:
            raise ArtifactError("The model's graph cannot be run.", hint="Train or download it again.") from error
        self._local = threading.local()

    def __call__(self, image: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """The outputs for one image (px, px, 3) uint8, each without the leading N. Safe from any thread."""
        if not _Initialised.done:
            with _Initialised.lock:
                outputs = self._run(image)
            _Initialised.done = True
            return outputs
        return self._run(image)

    def _run(self, image: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        request: Any = getattr(self._local, "request", None)
        if request is None:
            request = self._local.request = self._compiled.create_infer_request()
        request.infer([image[None]], share_inputs=True)
        return {name: request.get_output_tensor(i).data[0].copy() for i, name in enumerate(self.outputs)}

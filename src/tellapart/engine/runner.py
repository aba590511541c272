"""One compiled graph on the CPU, answering from several threads at once."""

import ctypes
import io
import math
import os
import threading
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import openvino
from numpy.typing import NDArray

from tellapart.errors import ArtifactError

# float32 everywhere, although bfloat16 is faster on some processors: the browser, the phone and the other runtime
# compute in float32, and a model must answer there as it was tested here. Measured: docs/decisions/0003-float32.md
PRECISION = "f32"
SUM_TOLERANCE = 1e-3  # of all probabilities from 1; float32 leaves 1e-6 with 1,000 classes


class _Initialised:
    """Whether any call has finished in this process.

    OpenVINO's Python binding fills its table of number types in the first call, and two first calls at once wait for
    each other for ever: one holds the table, the other the interpreter. So the first one goes alone.
    """

    done = False
    lock = threading.Lock()


def _in_forked_child() -> None:
    """Locks of threads that are not here are let go, and what the engine compiled for the parent is never ended.

    Its end would wait for the engine's threads, which are not here either: a child that had only inherited a network
    never came to its own end. One reference too many, which nobody can give back, keeps it.
    """
    _Initialised.lock, Network.compiling = threading.Lock(), threading.Lock()
    for network in list(Network.alive):
        for inherited in network.compiled():
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(inherited))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_forked_child)


class Network:
    """A graph compiled by OpenVINO: one photo in, the named outputs out.

    Every call runs exactly one photo. On a CPU that is also the fastest batch (activations of one photo stay in the
    cache), and it makes an answer independent of the photos that happen to share a batch. Parallelism comes from
    calling from as many threads as there are streams. One call computes in one thread: sums over parts that two threads
    made are rounded otherwise on some processors, and an answer must not depend on how many cores there are, or on
    which way it came. What that costs: docs/decisions/0003-float32.md

    A process that was forked off has none of the engine's threads, and a call would wait for them for ever; so there
    the graph is compiled anew when it is first asked, which takes a part of a second.

    Args:
        model: a serialised ONNX graph with the input `pixels` (uint8, N×px×px×3).
        input_px: px, the side of its square input.
        outputs: names of the outputs wanted; what only other outputs need is not computed.
        optional: names of outputs wanted if the graph has them; `outputs` afterwards says which it has.
        streams: photos in flight at once.
        most: how many numbers any value between two operations may have, to be known before it is compiled; None does
            not ask.

    Raises:
        ArtifactError: the graph cannot be compiled, or has a larger value, or one whose size depends on the photo.
    """

    alive: ClassVar["weakref.WeakSet[Network]"] = weakref.WeakSet()
    compiling: ClassVar = threading.Lock()

    def __init__(
        self,
        model: bytes,
        input_px: int,
        outputs: Sequence[str],
        *,
        optional: Sequence[str] = (),
        streams: int,
        most: int | None = None,
    ) -> None:
        self.model = model
        self.input_px = input_px
        self._streams, self._most = streams, most
        self._wanted, self._optional = tuple(outputs), tuple(optional)
        self._compile()
        Network.alive.add(self)

    def compiled(self) -> tuple[object, object]:
        """What the engine holds for this process: the compiled graph, and each thread's request."""
        return self._compiled, self._local

    def _compile(self) -> None:
        try:
            graph = openvino.Core().read_model(io.BytesIO(self.model))
            graph.reshape({"pixels": [1, self.input_px, self.input_px, 3]})
            has = {name for output in graph.outputs for name in output.get_names()}
            self.outputs = (*self._wanted, *(name for name in self._optional if name in has))
            wanted = [graph.output(name).get_node().input_value(0) for name in self.outputs]
            graph = openvino.Model(wanted, graph.get_parameters(), "network")
            if self._most is not None:
                _refuse_sizes(graph, self._most)
            settings = {
                "INFERENCE_PRECISION_HINT": PRECISION,
                "INFERENCE_NUM_THREADS": self._streams,  # so that each stream has one
                "NUM_STREAMS": self._streams,
            }
            self._compiled = openvino.Core().compile_model(graph, "CPU", settings)
        except RuntimeError as error:
            raise ArtifactError("The model's graph cannot be run.", hint="Train or download it again.") from error
        self._local = threading.local()
        self._process = os.getpid()

    def _compile_here(self) -> None:
        """Compiles it again in a process that was forked off the one that compiled it."""
        with Network.compiling:
            if self._process != os.getpid():
                self._compile()

    def __call__(self, image: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """The outputs for one image (px, px, 3) uint8, each without the leading N. Safe from any thread."""
        if self._process != os.getpid():
            self._compile_here()
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


def _refuse_sizes(graph: openvino.Model, most: int) -> None:
    """Refuses values that are larger than `most` numbers, or whose size would follow from a photo's pixels."""
    for operation in graph.get_ops():
        for output in operation.outputs():
            shape = output.get_partial_shape()
            if shape.is_dynamic or math.prod(shape.to_shape()) > most:
                raise ArtifactError("The model's graph has values too large for it.", hint="Do not use this model.")


def refuse_nonsense(said: Mapping[str, NDArray[np.float32]], n_classes: int) -> None:
    """Refuses answers {output: values of one photo} that are no numbers, and probabilities that are none.

    Raises:
        ArtifactError: NaN or infinity, a probability below 0, or a sum that is not 1.
    """
    probs = said["probs"]
    sane = all(np.isfinite(values).all() for values in said.values())
    if not sane or probs.shape != (n_classes,) or probs.min() < 0 or abs(float(probs.sum()) - 1) > SUM_TOLERANCE:
        raise ArtifactError(
            "The model's graph answers with numbers that are no probabilities.", hint="Do not use this model."
        )

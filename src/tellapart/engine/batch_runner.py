"""A graph in batches, by ONNX Runtime: how a GPU is kept busy. Alone in using that library.

Whoever calls it sees a `Network`: one photo in, its outputs out, from any thread. Photos of threads that call at the
same time share a batch. Every batch has the same size, its rest zeros, so that the same kernels compute every photo,
and its features do not depend on the photos that came with it.
"""

import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import InputError, MissingExtraError

CUDA: Final = "CUDAExecutionProvider"
BATCH: Final = 32
SAID: Final = 300  # characters of what the library says of an error
# float32 as everywhere: TF32 keeps 10 of 23 bits. The algorithm is not chosen by timing, which differs between runs.
_CUDA_OPTIONS: Final = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}
_WITHOUT: Final = "Leave out --device: the processor then computes."

_Asked = tuple[NDArray[np.uint8], "Future[dict[str, NDArray[np.float32]]]"]


class BatchRunner:
    """A graph compiled by ONNX Runtime.

    Args:
        model: a serialised ONNX graph with the input `pixels` (uint8, N×px×px×3).
        input_px: px.
        outputs: names of the outputs wanted.
        optional: names of outputs wanted if the graph has them.
        provider: of ONNX Runtime, what computes.
        batch: photos a call.

    Raises:
        InputError: the provider is not there, or finds no device.
        MissingExtraError: ONNX Runtime is not installed.
    """

    def __init__(
        self,
        model: bytes,
        input_px: int,
        outputs: Sequence[str],
        *,
        optional: Sequence[str] = (),
        provider: str = CUDA,
        batch: int = BATCH,
    ) -> None:
        self._session = _session(model, provider)
        has = {output.name for output in self._session.get_outputs()}
        self._outputs = [*outputs, *(name for name in optional if name in has)]
        self._shape, self._batch = (batch, input_px, input_px, 3), batch
        self._asked: queue.SimpleQueue[_Asked] = queue.SimpleQueue()
        threading.Thread(target=self._serve, name="batches", daemon=True).start()

    def __call__(self, image: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """The outputs for one image (px, px, 3) uint8, each without the leading N. Safe from any thread.

        Raises:
            InputError: the graph cannot be run in batches here, such as one that takes a single photo, or for want of
                memory.
        """
        answer: Future[dict[str, NDArray[np.float32]]] = Future()
        self._asked.put((image, answer))
        return answer.result()

    def _serve(self) -> None:
        while True:
            taken = [self._asked.get()]
            while len(taken) < self._batch and not self._asked.empty():
                taken.append(self._asked.get())
            try:
                pixels = np.zeros(self._shape, np.uint8)
                for row, (image, _) in enumerate(taken):
                    pixels[row] = image
                found = self._run(pixels)
            except Exception as error:  # noqa: BLE001  whatever it is, whoever asked is told, and not left waiting
                for _, answer in taken:
                    answer.set_exception(error)
                continue
            for row, (_, answer) in enumerate(taken):
                values = zip(self._outputs, found, strict=True)
                answer.set_result({name: np.array(value[row], np.float32) for name, value in values})

    def _run(self, pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        try:
            found: list[NDArray[np.float32]] = self._session.run(self._outputs, {"pixels": pixels})
        except Exception as error:  # its own kinds are not documented
            said = " ".join(str(error).split())
            raise InputError(
                f"ONNX Runtime cannot compute batches of {self._batch} photos here: {said[:SAID]}", hint=_WITHOUT
            ) from error
        if wrong := [name for name, value in zip(self._outputs, found, strict=True) if len(value) != self._batch]:
            raise InputError(f"The network gives no '{wrong[0]}' for each photo of a batch.", hint=_WITHOUT)
        return found


def _session(model: bytes, provider: str) -> Any:
    if find_spec("onnxruntime") is None:
        raise MissingExtraError(
            "A GPU is reached by ONNX Runtime, which is not installed.",
            hint="Run: pip install onnxruntime-gpu",
        )
    runtime = import_module("onnxruntime")
    runtime.set_default_logger_severity(4)  # what goes wrong is said by us
    if provider not in runtime.get_available_providers():
        raise InputError(
            "The ONNX Runtime that is installed here knows no GPU.",
            hint="Run: pip uninstall onnxruntime; pip install onnxruntime-gpu",
        )
    options = [_CUDA_OPTIONS] if provider == CUDA else [{}]
    try:
        session = runtime.InferenceSession(model, providers=[provider], provider_options=options)
    except Exception as error:  # its own kinds are not documented
        raise InputError("ONNX Runtime cannot use a GPU here.", hint=_WITHOUT) from error
    if session.get_providers()[0] != provider:  # it goes on with the processor, and says so on standard error alone
        raise InputError("ONNX Runtime finds no GPU on this machine.", hint=_WITHOUT)
    return session


def refuse_disagreement(difference: float, bound: float, what: str = "features") -> None:
    """Returns where a device's features or answers lie within the bound of what they must be, in shares of the largest.

    Raises:
        InputError: they do not, or are no numbers.
    """
    if not difference <= bound:
        raise InputError(
            f"The GPU here computes other {what} than the processor: by {difference:.2g} of the largest, where "
            f"{bound:.2g} is allowed.",
            hint=_WITHOUT,
        )

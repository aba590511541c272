"""A graph run as others will run it: by ONNX Runtime where that is installed, by OpenVINO otherwise."""

import importlib
import importlib.util
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from tellapart.classifier.decision import Thresholds, answer
from tellapart.engine.runner import PRECISION, refuse_nonsense
from tellapart.errors import ArtifactError
from tellapart.export.photos import ProofPhoto
from tellapart.export.proof import Answer

Array = NDArray[Any]
Run = Callable[[Array], dict[str, Array]]
"""From the graph's input to {output name: array with the leading N}."""

OUTPUTS = ("probs", "unknown_score")
FATAL = 4  # of ONNX Runtime's log levels: what it has to say of a graph, we say in a sentence


def has_onnxruntime() -> bool:
    """Whether ONNX Runtime is installed; tellapart itself does not need it."""
    return importlib.util.find_spec("onnxruntime") is not None


@contextmanager
def cannot_run(by: str, *more: type[Exception]) -> Iterator[None]:
    """What `by`, a runtime or a converter, says of a graph that it does not take becomes an error of ours.

    A stranger's graph may be one that our own engine runs and another does not.

    Args:
        by: its name, for people.
        more: errors of its own, besides those that C++ becomes in Python.

    Raises:
        ArtifactError: it does not take the graph.
    """
    refusals: tuple[type[Exception], ...] = (RuntimeError, ValueError, *more)
    try:
        yield
    except refusals as error:
        raise ArtifactError(
            f"{by} cannot run the model's graph.", hint="Nothing was written. Train the model again, or do not use it."
        ) from error


def by_onnxruntime(model: bytes) -> Run:
    """The graph in ONNX Runtime.

    Raises:
        ArtifactError: it cannot run it; the function that is returned raises it too.
    """
    runtime = importlib.import_module("onnxruntime")
    its_own = vars(importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state")).values()
    errors: list[type[Exception]] = [kind for kind in its_own if isinstance(kind, type) and issubclass(kind, Exception)]
    through = f"ONNX Runtime {version('onnxruntime')}"
    options = runtime.SessionOptions()
    options.log_severity_level = FATAL
    with cannot_run(through, *errors):
        session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    outputs = [output.name for output in session.get_outputs() if output.name in OUTPUTS]
    (feed,) = session.get_inputs()

    def run(values: Array) -> dict[str, Array]:
        with cannot_run(through, *errors):
            return dict(zip(outputs, session.run(outputs, {feed.name: values}), strict=True))

    return run


def by_openvino(model: bytes | Path) -> Run:
    """The graph in OpenVINO: the content of an ONNX file, or the path of an IR's .xml.

    It is compiled anew for every shape of its input: with a shape left open, OpenVINO 2026.4 runs an `If` wrongly.

    Raises:
        ArtifactError: it cannot run it; the function that is returned raises it too.
    """
    core, through = openvino.Core(), f"OpenVINO {version('openvino')}"
    with cannot_run(through):
        graph = core.read_model(model) if isinstance(model, bytes) else core.read_model(str(model))
    names = {name for output in graph.outputs for name in output.get_names()} & set(OUTPUTS)

    @lru_cache(maxsize=1)
    def compiled(shape: tuple[int, ...]) -> Any:
        graph.reshape({graph.inputs[0].any_name: list(shape)})
        return core.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": PRECISION})

    def run(values: Array) -> dict[str, Array]:
        with cannot_run(through):
            model_here = compiled(values.shape)
            results = model_here([values])
        return {name: results[model_here.output(name)] for name in names}

    return run


def any_runtime(model: bytes) -> tuple[Run, str]:
    """The graph in ONNX Runtime, or in OpenVINO where that is not installed; and which it is."""
    if has_onnxruntime():
        return by_onnxruntime(model), f"ONNX Runtime {version('onnxruntime')}"
    return by_openvino(model), f"OpenVINO {version('openvino')} (ONNX Runtime is not installed)"


@dataclass(frozen=True)
class GraphRunner:
    """A graph as an exported form.

    Args:
        run: the graph.
        through: what runs it.
        bound: the largest difference accepted.
        read: from a photo's bytes to the graph's input, with the leading N.
        class_names: (C,) in the order of its probabilities.
        thresholds: when no class name is answered.
    """

    run: Run
    through: str
    bound: float
    read: Callable[[bytes], Array]
    class_names: Sequence[str]
    thresholds: Thresholds

    def __call__(self, photos: Sequence[ProofPhoto]) -> Iterator[Answer]:
        """Answers in the order of `photos`.

        Raises:
            ArtifactError: the runtime does not take the graph, or answers with numbers that are no probabilities.
        """
        for photo in photos:
            started = time.perf_counter()
            outputs = self.run(self.read(photo.data))
            seconds = time.perf_counter() - started
            yield self._said(outputs, seconds)

    def _said(self, outputs: Mapping[str, Array], seconds: float) -> Answer:
        refuse_nonsense({name: np.asarray(values[0]) for name, values in outputs.items()}, len(self.class_names))
        probs = np.asarray(outputs["probs"][0], np.float64)
        ood_score = float(outputs["unknown_score"][0]) if "unknown_score" in outputs else None
        named = dict(zip(self.class_names, map(float, probs), strict=True))
        return Answer(answer(self.class_names, probs, ood_score or 0.0, self.thresholds), named, ood_score, seconds)

"""A graph run as others will run it: by ONNX Runtime where that is installed, by OpenVINO otherwise."""

import importlib
import importlib.util
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from tellapart.classifier.decision import Thresholds, answer
from tellapart.engine.runner import PRECISION
from tellapart.export.photos import ProofPhoto
from tellapart.export.proof import Answer

Array = NDArray[Any]
Run = Callable[[Array], dict[str, Array]]
"""From the graph's input to {output name: array with the leading N}."""

OUTPUTS = ("probs", "unknown_score")


def has_onnxruntime() -> bool:
    """Whether ONNX Runtime is installed; tellapart itself does not need it."""
    return importlib.util.find_spec("onnxruntime") is not None


def by_onnxruntime(model: bytes) -> Run:
    """The graph in ONNX Runtime."""
    runtime = importlib.import_module("onnxruntime")
    session = runtime.InferenceSession(model, providers=["CPUExecutionProvider"])
    outputs = [output.name for output in session.get_outputs() if output.name in OUTPUTS]
    (feed,) = session.get_inputs()
    return lambda values: dict(zip(outputs, session.run(outputs, {feed.name: values}), strict=True))


def by_openvino(model: bytes | Path) -> Run:
    """The graph in OpenVINO: the content of an ONNX file, or the path of an IR's .xml.

    It is compiled anew for every shape of its input: with a shape left open, OpenVINO 2026.4 runs an `If` wrongly.
    """
    core = openvino.Core()
    graph = core.read_model(model) if isinstance(model, bytes) else core.read_model(str(model))
    names = {name for output in graph.outputs for name in output.get_names()} & set(OUTPUTS)

    @lru_cache(maxsize=1)
    def compiled(shape: tuple[int, ...]) -> Any:
        graph.reshape({graph.inputs[0].any_name: list(shape)})
        return core.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": PRECISION})

    def run(values: Array) -> dict[str, Array]:
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
        """Answers in the order of `photos`."""
        for photo in photos:
            started = time.perf_counter()
            outputs = self.run(self.read(photo.data))
            seconds = time.perf_counter() - started
            yield self._said(outputs, seconds)

    def _said(self, outputs: Mapping[str, Array], seconds: float) -> Answer:
        probs = np.asarray(outputs["probs"][0], np.float64)
        ood_score = float(outputs["unknown_score"][0]) if "unknown_score" in outputs else None
        named = dict(zip(self.class_names, map(float, probs), strict=True))
        return Answer(answer(self.class_names, probs, ood_score or 0.0, self.thresholds), named, ood_score, seconds)

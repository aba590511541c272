"""One file for other programs: ONNX as it is, or OpenVINO's own format."""

import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import openvino

from tellapart.data.preprocess import read_pixels
from tellapart.export.bundle import Bundle, ModelSource, described
from tellapart.export.graphs import Array, GraphRunner, Run, any_runtime, by_openvino, cannot_run
from tellapart.export.proof import FROM_PIXELS
from tellapart.model.artifact import MODEL, Artifact
from tellapart.text import shown

IR = "model"  # .xml and .bin


def onnx_file(source: ModelSource, folder: str) -> Bundle:
    """The model's own ONNX file with its labels and a page on using it."""
    artifact = source.artifact
    run, through = any_runtime(artifact.model)
    return Bundle(
        files={MODEL: artifact.model, **described(artifact)},
        model=MODEL,
        form=from_pixels(artifact, run, through),
        next_step=f"Any ONNX runtime runs it; {shown(str(Path(folder, 'README.md')))} says how.",
    )


def openvino_files(source: ModelSource, folder: str) -> Bundle:
    """The model in OpenVINO's format, made and run by the OpenVINO that is installed here."""
    artifact = source.artifact
    through = f"OpenVINO {version('openvino')}"
    with tempfile.TemporaryDirectory(prefix="tellapart-") as made:
        xml = Path(made) / f"{IR}.xml"
        with cannot_run(through):
            graph = openvino.Core().read_model(artifact.model)
            graph.set_rt_info(list(artifact.class_names), ["tellapart", "class_names"])
            # Weights that are float16 stay so, the others stay float32: the answers must not change.
            openvino.save_model(graph, xml, compress_to_fp16=False)
        files = {path.name: path.read_bytes() for path in sorted(Path(made).iterdir())}
        run = by_openvino(xml)
    return Bundle(
        files={**files, **described(artifact)},
        model=f"{IR}.bin",
        form=from_pixels(artifact, run, through),
        next_step=f"In Python: openvino.Core().compile_model({Path(folder, f'{IR}.xml').as_posix()!r}, 'CPU')",
    )


def from_pixels(artifact: Artifact, run: Run, through: str) -> GraphRunner:
    """A graph that is asked with the very pixels that the model itself gets."""

    def read(data: bytes) -> Array:
        return np.asarray(read_pixels(data, artifact.preprocess))[None]

    return GraphRunner(run, through, FROM_PIXELS, read, artifact.class_names, artifact.thresholds)

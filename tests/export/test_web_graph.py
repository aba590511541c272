"""The browser's graph: a photo of any size becomes the very pixels that the model was trained on."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from tellapart.data.photo import decode
from tellapart.data.preprocess import Preprocess, preprocess
from tellapart.export.graphs import by_openvino
from tellapart.export.photos import generated
from tellapart.export.web import LARGE_BYTES, as_browser
from tellapart.export.web_graph import web_graph
from tellapart.model.artifact import load_artifact
from tellapart.model.cam import class_activation, for_class, head_weight
from tellapart.model.prediction import Predictor

OF_BEFORE = sorted(path for path in (Path(__file__).parents[1] / "artifacts").iterdir() if path.is_dir())
SIDES = [(97, 50), (50, 97), (225, 224), (448, 897), (701, 1000), (711, 400), (1000, 300), (1, 5), (3, 1)]


@pytest.fixture(scope="module")
def artifact(model):
    return load_artifact(model)


@pytest.fixture(scope="module", params=["crop", "squash"])
def fitted(request, artifact):
    """(how, session of the browser's graph) for each fit."""
    preprocessing = Preprocess(artifact.preprocess.input_px, request.param)
    return preprocessing, onnxruntime.InferenceSession(
        web_graph(artifact.model, preprocessing), providers=["CPUExecutionProvider"]
    )


@pytest.mark.parametrize("sides", SIDES, ids=str)
def test_its_pixels_are_pillows(fitted, sides):
    preprocessing, session = fitted
    image = np.random.default_rng(sum(sides)).integers(0, 256, (*sides, 3), dtype=np.uint8)
    (pixels,) = session.run(["pixels"], {"photo": image})
    assert np.array_equal(pixels[0], preprocess(image, preprocessing))


def test_its_answers_and_heat_are_the_models(artifact, fitted):
    preprocessing, session = fitted
    predictor = Predictor(artifact.class_names, preprocessing, artifact.thresholds, artifact.model, explains=True)
    image = decode(generated()[0][1])
    said = predictor.answers(preprocess(image, preprocessing))
    probs, ood_score, heat = session.run(["probs", "unknown_score", "heat"], {"photo": image})
    assert np.abs(probs[0] - said.probs).max() < 1e-3
    assert abs(ood_score[0] - said.ood_score) < 1e-4
    row = for_class(head_weight(artifact.model), int(said.probs.argmax()))
    expected = class_activation(said.feature_map, row)
    assert np.abs(heat.clip(0) / heat.max() - expected).max() < 0.02


def test_a_model_without_a_map_has_no_heat(artifact):
    proto = onnx.load_model_from_string(artifact.model)
    (gone,) = [value for value in proto.graph.output if value.name == "feature_map"]
    proto.graph.output.remove(gone)
    session = onnxruntime.InferenceSession(
        web_graph(proto.SerializeToString(), artifact.preprocess), providers=["CPUExecutionProvider"]
    )
    whole = onnxruntime.InferenceSession(
        web_graph(artifact.model, artifact.preprocess), providers=["CPUExecutionProvider"]
    )
    has, had = ({value.name for value in one.get_outputs()} for one in (session, whole))
    assert had - has == {"heat"}
    image = decode(generated()[0][1])
    probs, expected = (one.run(["probs"], {"photo": image})[0] for one in (session, whole))
    assert np.array_equal(probs, expected)


def test_openvino_computes_the_same(artifact):
    run = by_openvino(web_graph(artifact.model, artifact.preprocess))
    predictor = Predictor.from_artifact(artifact)
    for _, data in generated()[:3]:
        image = decode(data)
        expected = predictor.answers(preprocess(image, artifact.preprocess))
        assert abs(run(image)["unknown_score"][0] - expected.ood_score) < 1e-3


@pytest.mark.parametrize("folder", OF_BEFORE, ids=lambda path: path.name)
def test_a_model_of_before_says_the_same(folder):
    artifact = load_artifact(folder)
    graph = web_graph(artifact.model, artifact.preprocess)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    predictor = Predictor.from_artifact(artifact)
    for _, data in generated()[:3]:
        image = decode(data)
        expected = predictor.answers(preprocess(image, artifact.preprocess))
        probs, ood_score = session.run(["probs", "unknown_score"], {"photo": image})
        assert np.abs(probs[0] - expected.probs).max() < 1e-4
        assert abs(ood_score[0] - expected.ood_score) < 1e-4


def test_it_is_small(artifact):
    assert len(web_graph(artifact.model, artifact.preprocess)) <= LARGE_BYTES


@pytest.mark.parametrize("side", [300, 449, 900, 1795])
def test_a_large_photo_is_averaged_block_by_block(side):
    preprocessing = Preprocess(224, "crop")
    image = np.random.default_rng(side).integers(0, 256, (side, side + 3, 3), dtype=np.uint8)
    by = next((step for step in (8, 4, 2) if side >= step * 448), 1)
    small = as_browser(_png(image), preprocessing)
    assert small.shape == (-(-side // by), -(-(side + 3) // by), 3)
    for y, x in ((0, 0), (small.shape[0] - 1, small.shape[1] - 1)):
        block = image[y * by : (y + 1) * by, x * by : (x + 1) * by].reshape(-1, 3).mean(axis=0)
        assert np.abs(small[y, x] - block).max() <= 0.5


def _png(image):
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()

"""The graph says what the fitted head says, whoever runs it."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest

from tellapart.classifier.ood import Centres
from tellapart.classifier.probe import fit_probe, make_folds
from tellapart.data.photo import decode
from tellapart.data.preprocess import Preprocess, preprocess
from tellapart.engine.backbone import QUALITIES, Bundled
from tellapart.engine.runner import Network
from tellapart.model.artifact import refuse_unsafe
from tellapart.model.compose import compose
from tellapart.recipe import LinearProbe

OUTPUTS = ("probs", "logits", "unknown_score", "features", "feature_map", "imagenet_logits")
METADATA = {"class_names": ["dress", "hat", "Hose/ß", "靴"], "thresholds": {"confidence": None}, "n": 1}


def fitted_on(features, labels, n_classes, backbone):
    folds = make_folds(labels, np.arange(len(labels), dtype=np.int32), LinearProbe())
    return fit_probe(features, labels, folds, n_classes, LinearProbe(), imagenet=backbone.imagenet)


@pytest.fixture(scope="module")
def fitted(clothing, clothing_features):
    return fitted_on(np.array(clothing_features.values), clothing.labels, 4, QUALITIES["fast"])


@pytest.fixture(scope="module")
def graph(fitted):
    return compose(QUALITIES["fast"], fitted, METADATA)


@pytest.fixture(scope="module")
def pixels(shared_data, clothing):
    """Garments, and photos of something else."""
    others = [(shared_data / "burger_examples" / f"{name}.jpg").read_bytes() for name in ("hotdog", "pizza")]
    preprocessing = Preprocess(QUALITIES["fast"].input_px)
    return np.stack(
        [preprocess(decode(data), preprocessing) for data in [*(clothing.read(i) for i in (0, 25, 50, 79)), *others]]
    )


def by_onnxruntime(graph, pixels):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return dict(zip(OUTPUTS, session.run(list(OUTPUTS), {"pixels": pixels}), strict=True))


def by_openvino(graph, pixels):
    network = Network(graph, pixels.shape[1], OUTPUTS, streams=1)
    rows = [network(image) for image in pixels]
    return {name: np.stack([row[name] for row in rows]) for name in OUTPUTS}


@pytest.mark.parametrize("run", [by_onnxruntime, by_openvino])
def test_the_graph_answers_as_the_fitted_head(graph, fitted, pixels, run):
    got = run(graph, pixels)
    features = got["features"]
    assert np.allclose(got["logits"], fitted.head.logits(features), rtol=1e-4, atol=1e-3)
    assert np.allclose(got["probs"], fitted.probs(features), atol=1e-4)
    assert np.allclose(got["probs"].sum(axis=1), 1, atol=1e-5)
    assert got["unknown_score"].shape == (len(pixels),)
    assert np.allclose(got["unknown_score"], fitted.centres.ood_scores(features), atol=1e-5)
    assert got["feature_map"].shape[:2] == features.shape


def test_both_runtimes_agree(graph, pixels):
    one, other = by_onnxruntime(graph, pixels), by_openvino(graph, pixels)
    assert np.abs(one["probs"] - other["probs"]).max() <= 1e-3
    assert np.array_equal(one["probs"].argmax(axis=1), other["probs"].argmax(axis=1))
    assert np.abs(one["unknown_score"] - other["unknown_score"]).max() <= 1e-4


def test_the_features_are_those_of_training(graph, clothing_features, pixels):
    got = by_openvino(graph, pixels[:4])["features"]
    assert np.allclose(got, clothing_features.values[[0, 25, 50, 79]], rtol=0.2, atol=0.2)  # decoded whole here


def test_a_batch_is_its_photos(graph, pixels):
    together = by_onnxruntime(graph, pixels)
    for i in range(len(pixels)):
        alone = by_onnxruntime(graph, pixels[i : i + 1])
        assert np.allclose(alone["probs"][0], together["probs"][i], atol=1e-5)
        assert np.allclose(alone["unknown_score"][0], together["unknown_score"][i], atol=1e-5)


def test_metadata_is_json_in_the_graph(graph):
    props = {p.key: p.value for p in onnx.load_model_from_string(graph).metadata_props}
    assert {key: json.loads(value) for key, value in props.items()} == {
        f"tellapart.{key}": value for key, value in METADATA.items()
    }
    assert "靴" in props["tellapart.class_names"]


def test_the_graph_is_one_that_we_load(graph):
    refuse_unsafe(graph)
    model = onnx.load_model_from_string(graph)
    onnx.checker.check_model(model, full_check=True)
    assert [o.name for o in model.graph.output] == list(OUTPUTS)


def test_same_head_same_bytes(graph, fitted):
    assert compose(QUALITIES["fast"], fitted, METADATA) == graph


@pytest.mark.parametrize(
    ("backbone", "c"), [(Bundled(("lite0", "lite1"), 64, mirrored=True), 2), (Bundled(("lite2",), 64), 7)]
)
def test_other_backbones_and_numbers_of_classes(backbone, c, pixels):
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(c, dtype=np.int32), 8)
    fitted = fitted_on(rng.random((len(labels), backbone.n_features), np.float32), labels, c, backbone)
    graph = compose(backbone, fitted, {})
    small = np.ascontiguousarray(pixels[:2, 80:144, 80:144])
    for run in (by_onnxruntime, by_openvino):
        got = run(graph, small)
        assert np.allclose(got["probs"], fitted.probs(got["features"]), atol=1e-4)
        assert np.allclose(got["unknown_score"], fitted.centres.ood_scores(got["features"]), atol=1e-5)


def test_ood_score_of_a_photo_without_features(fitted):
    """Features of zero have no direction; the graph must not answer NaN."""
    from tellapart.engine.builder import GraphBuilder
    from tellapart.model.compose import _add_ood_score

    g = GraphBuilder()
    g.constant("zero", np.float32(0))
    g.add("Cast", ["pixels"], ["as_float"], to=onnx.TensorProto.FLOAT)
    g.add("Mul", ["as_float", "zero"], ["black"])
    g.add("Flatten", ["black"], ["features"], axis=1)
    vectors = np.ones((2, 8 * 8 * 3), np.float32) / np.sqrt(192, dtype=np.float32)
    _add_ood_score(g, Centres(vectors, np.arange(2, dtype=np.int32), None), 192)
    graph = g.finish("small", 8, {"unknown_score": ["N"]}).SerializeToString()
    assert Network(graph, 8, ["unknown_score"], streams=1)(np.ones((8, 8, 3), np.uint8))["unknown_score"] == 1
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    assert session.run(None, {"pixels": np.ones((1, 8, 8, 3), np.uint8)})[0].tolist() == [1.0]

"""Heatmaps: the map adds up to the logit, lies where it should, and is a picture of the right size."""

import base64
import io

import numpy as np
import onnx
import pytest
from PIL import Image

from tellapart.engine.runner import Network
from tellapart.model.artifact import load_artifact
from tellapart.model.cam import (
    LEVELS,
    STRONGEST,
    class_activation,
    data_uri,
    for_class,
    has_heatmap,
    head_weight,
    heatmap_png,
)

RNG = np.random.default_rng(0)


def by_loops(feature_map, row):
    d, h, w = feature_map.shape
    out = np.zeros((h, w))
    for y in range(h):
        for x in range(w):
            out[y, x] = max(0.0, sum(row[k] * feature_map[k, y, x] for k in range(d)))
    return out / out.max() if out.max() > 0 else out


@pytest.mark.parametrize("shape", [(5, 3, 4), (8, 1, 1), (3, 7, 7)])
def test_it_equals_its_twin_of_loops(shape):
    feature_map = RNG.normal(size=shape).astype(np.float32)
    row = RNG.normal(size=shape[0]).astype(np.float32)
    got = class_activation(feature_map, row)
    assert got.shape == shape[1:]
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, by_loops(feature_map, row), atol=1e-5)


def test_only_the_shape_of_the_evidence_counts():
    feature_map = RNG.random((6, 4, 4)).astype(np.float32)
    row = RNG.normal(size=6).astype(np.float32)
    np.testing.assert_allclose(class_activation(feature_map, row), class_activation(3 * feature_map, row), atol=1e-5)


def test_nothing_speaks_for_the_class():
    got = class_activation(np.ones((3, 2, 2), np.float32), -np.ones(3, np.float32))
    assert not got.any()
    assert np.isfinite(got).all()


def test_what_all_classes_share_is_taken_out():
    weight = RNG.normal(size=(4, 9)).astype(np.float32)
    shared = RNG.normal(size=9).astype(np.float32)
    np.testing.assert_allclose(for_class(weight, 2), for_class(weight + shared, 2), atol=1e-5)
    np.testing.assert_allclose(sum(for_class(weight, c) for c in range(4)), np.zeros(9), atol=1e-5)


def test_the_mean_of_the_evidence_is_the_logit_of_a_real_model(model, clothing):
    artifact = load_artifact(model)
    weight = head_weight(artifact.model)
    assert weight is not None
    assert weight.shape[0] == len(artifact.class_names)
    px = artifact.preprocess.input_px
    network = Network(artifact.model, px, ["logits", "feature_map"], streams=1)
    outputs = network(RNG.integers(0, 256, (px, px, 3), dtype=np.uint8))
    per_cell = np.tensordot(weight, outputs["feature_map"], axes=1)  # (C, h, w)
    centred = outputs["logits"] - outputs["logits"].mean()
    evidence = per_cell.mean(axis=(1, 2))
    bias_free = evidence - evidence.mean()
    # the bias is what is left, the same for every photo
    other = network(RNG.integers(0, 256, (px, px, 3), dtype=np.uint8))
    other_cells = np.tensordot(weight, other["feature_map"], axes=1).mean(axis=(1, 2))
    other_left = other["logits"] - other["logits"].mean() - (other_cells - other_cells.mean())
    np.testing.assert_allclose(centred - bias_free, other_left, atol=1e-3)


def test_a_graph_without_a_head_has_no_weights():
    graph = onnx.helper.make_graph([], "g", [], [])
    assert head_weight(onnx.helper.make_model(graph).SerializeToString()) is None


def test_a_heatmap_takes_a_head_and_a_map(model):
    whole = load_artifact(model).model
    assert has_heatmap(whole)
    for output, weight in (("feature_map", ""), ("", "head.weight")):
        proto = onnx.load_model_from_string(whole)
        for values, name in ((proto.graph.output, output), (proto.graph.initializer, weight)):
            for value in [v for v in values if v.name == name]:
                values.remove(value)
        assert not has_heatmap(proto.SerializeToString())


def test_the_picture_is_clear_where_nothing_is_and_opaque_where_most_is():
    activation = np.zeros((7, 7), np.float32)
    activation[1, 5] = 1
    png = heatmap_png(activation, 224)
    with Image.open(io.BytesIO(png)) as image:
        assert image.mode == "RGBA"
        assert image.size == (224, 224)
        alpha = np.asarray(image)[..., 3]
    y, x = np.unravel_index(alpha.argmax(), alpha.shape)
    assert (y // 32, x // 32) == (1, 5)
    assert alpha.max() == STRONGEST
    assert alpha[120:, :120].max() == 0
    assert len(np.unique(alpha)) <= LEVELS
    assert len(png) < 20_000


def test_a_data_uri_is_the_same_bytes():
    png = heatmap_png(np.ones((2, 2), np.float32), 8)
    kind, _, text = data_uri(png).partition(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(text) == png

"""The bundled networks are the ones that were shipped, and every runtime agrees on what they say."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from tellapart.data.photo import decode
from tellapart.data.preprocess import Preprocess, preprocess
from tellapart.engine import backbone as module
from tellapart.engine.backbone import (
    FOLDER,
    IMAGENET,
    QUALITIES,
    Bundled,
    build_graph,
    build_imagenet,
    imagenet_class_names,
    measured,
    network_record,
    read_network,
)
from tellapart.engine.builder import OPSET, GraphBuilder
from tellapart.engine.graph_rules import ALLOWED_OPS
from tellapart.engine.runner import Network
from tellapart.errors import ArtifactError

RECORDS = json.loads((FOLDER / "backbones.json").read_text())
OUTPUTS = ("features", "imagenet_logits", "feature_map")


@pytest.fixture(scope="module")
def photos(shared_data):
    """Photos of several kinds as bytes."""
    folders = ("burger_examples", "unknown/cups", "unknown/textures", "clothing/test/hat")
    return [sorted((shared_data / name).iterdir())[i].read_bytes() for name in folders for i in (0, 2)]


def to_pixels(photos, px, n=3):
    preprocessing = Preprocess(px)
    return np.stack([preprocess(decode(data), preprocessing) for data in photos[:n]])


def session(model):
    data = model if isinstance(model, bytes) else model.SerializeToString()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("name", RECORDS)
def test_files_are_the_recorded_ones(name):
    data = (FOLDER / f"{name}.onnx").read_bytes()
    assert hashlib.sha256(data).hexdigest() == network_record(name)["sha256"]
    assert len(data) == network_record(name)["bytes"]


def test_every_bundled_file_has_a_record_and_is_used():
    assert {path.stem for path in FOLDER.glob("*.onnx")} == set(RECORDS)
    assert {n for b in (*QUALITIES.values(), IMAGENET) for n in b.networks} <= set(RECORDS)


@pytest.mark.parametrize("quality", QUALITIES)
def test_openvino_and_onnxruntime_agree_on_real_photos(quality, photos):
    backbone = QUALITIES[quality]
    model = build_graph(backbone)
    pixels = to_pixels(photos, backbone.input_px)
    expected = dict(zip(OUTPUTS, session(model).run(list(OUTPUTS), {"pixels": pixels}), strict=True))
    network = Network(model.SerializeToString(), backbone.input_px, OUTPUTS, streams=1)
    for i, image in enumerate(pixels):
        for name, values in network(image).items():
            assert values.shape == expected[name][i].shape
            scale = max(1.0, float(np.abs(expected[name][i]).max()))
            assert np.abs(values - expected[name][i]).max() <= 1e-4 * scale, name
        assert network(image)["features"].shape == (backbone.n_features,)


def test_a_photo_and_its_mirror_image_have_the_same_features(photos):
    backbone = Bundled(("lite0",), 96, mirrored=True)
    network = Network(build_graph(backbone).SerializeToString(), 96, OUTPUTS, streams=1)
    plain = Network(build_graph(Bundled(("lite0",), 96)).SerializeToString(), 96, OUTPUTS, streams=1)
    for image in to_pixels(photos, 96, n=8):
        photo, mirror = network(image), network(image[:, ::-1].copy())
        for name in ("features", "imagenet_logits"):
            assert np.abs(photo[name] - mirror[name]).max() <= 1e-5 * max(1, np.abs(photo[name]).max())
            both = [plain(view)[name] for view in (image, image[:, ::-1].copy())]
            assert np.allclose(photo[name], np.mean(both, axis=0), atol=1e-4)
            assert not np.allclose(both[0], both[1], atol=1e-4)  # or the test shows nothing
        assert np.allclose(photo["feature_map"], plain(image)["feature_map"], atol=1e-4)  # lies over the photo


def test_mirrored_photos_in_one_batch_do_not_mix(photos):
    run = session(build_graph(Bundled(("lite0",), 64, mirrored=True))).run
    pixels = to_pixels(photos, 64, n=5)
    together = run(["features"], {"pixels": pixels})[0]
    alone = np.concatenate([run(["features"], {"pixels": image[None]})[0] for image in pixels])
    assert np.allclose(together, alone, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("mirrored", [False, True])
def test_several_networks_are_their_concatenation(photos, mirrored):
    def run(*names):
        model = build_graph(Bundled(names, 64, mirrored)).SerializeToString()
        return Network(model, 64, OUTPUTS, streams=1)

    first, second, joined = run("lite1"), run("lite2"), run("lite1", "lite2")
    for image in to_pixels(photos, 64, n=2):
        a, b, ab = first(image), second(image), joined(image)
        for name in ("features", "feature_map"):
            assert np.allclose(ab[name], np.concatenate([a[name], b[name]]), atol=1e-4)
        assert np.allclose(ab["imagenet_logits"], a["imagenet_logits"], atol=1e-4)


def test_features_are_the_mean_of_the_feature_map(photos):
    network = Network(build_graph(Bundled(("lite0",), 96)).SerializeToString(), 96, OUTPUTS, streams=1)
    for image in to_pixels(photos, 96):
        outputs = network(image)
        assert np.allclose(outputs["features"], outputs["feature_map"].mean(axis=(1, 2)), atol=1e-4)


def test_keys_tell_backbones_apart(monkeypatch):
    backbones = [
        *QUALITIES.values(),
        IMAGENET,
        Bundled(("lite2", "lite1"), 288, mirrored=True),
        Bundled(("lite1", "lite2"), 288),
        Bundled(("lite0",), 288),
    ]
    keys = [b.key for b in backbones]
    assert len(set(keys)) == len(backbones)
    monkeypatch.setattr(module, "network_record", lambda name: {"sha256": "other weights"})
    assert not {b.key for b in backbones} & set(keys)


@pytest.mark.parametrize("quality", QUALITIES)
def test_what_is_said_of_a_quality_is_what_was_measured(quality):
    table = (Path(__file__).parents[2] / "docs" / "backbones.md").read_text(encoding="utf-8")
    row = next(line for line in table.splitlines() if line.startswith(f"| {QUALITIES[quality].title} | crop |"))
    cells = [cell.strip() for cell in row.split("|")]
    assert float(cells[7]) == measured(quality)["accuracy"]
    assert cells[9] == f"{measured(quality)['of_balanced']:.2f}×"


def test_titles_are_for_people():
    assert QUALITIES["fast"].title == "EfficientNet-Lite0 at 224 px"
    assert QUALITIES["best"].title == "EfficientNet-Lite1 + Lite2 at 288 px, mirrored too"


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty"])
def test_a_damaged_network_is_refused(damage, tmp_path, monkeypatch):
    data = bytearray((FOLDER / "lite0.onnx").read_bytes())
    if damage == "flipped":
        data[len(data) // 2] ^= 1
    else:
        data = data[: len(data) // 2 if damage == "cut" else 0]
    (tmp_path / "lite0.onnx").write_bytes(data)
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    with pytest.raises(ArtifactError) as caught:
        read_network("lite0")
    assert caught.value.message == "The bundled network lite0 is damaged."
    assert caught.value.hint == "Install tellapart again."


@pytest.mark.parametrize("backbone", [*QUALITIES.values(), Bundled(("lite0",), 64)], ids=lambda b: b.key)
def test_graphs_are_whole_and_keep_no_data_outside(backbone):
    model = build_graph(backbone)
    onnx.checker.check_model(model)
    assert not any(t.data_location == onnx.TensorProto.EXTERNAL for t in model.graph.initializer)
    assert [o.name for o in model.graph.output] == ["features", "feature_map", "imagenet_logits"]
    assert model.SerializeToString(deterministic=True) == build_graph(backbone).SerializeToString(deterministic=True)


def test_what_no_output_needs_is_left_out():
    g = GraphBuilder()
    g.constant("one", np.float32(1))
    g.constant("unused", np.zeros(1000, np.float32))
    g.add("Cast", ["pixels"], ["as_float"], to=onnx.TensorProto.FLOAT)
    g.add("Add", ["as_float", "one"], ["wanted"])
    g.add("Mul", ["as_float", "unused"], ["unwanted"])
    graph = g.finish("small", 8, {"wanted": ["N", 8, 8, 3]}).graph
    assert [node.output[0] for node in graph.node] == ["as_float", "wanted"]
    assert [w.name for w in graph.initializer] == ["one"]


# What opset 18 writes otherwise than 17, as models of before have it: further inputs, attributes, and what comes out.
EARLIER = {
    "Pad": ([np.array([0, 0, 1, 2, 0, 0, 3, 2])], {"mode": "reflect"}, ["N", 8, 12, 7]),
    "ReduceL2": ([], {"axes": [1, 2], "keepdims": 0}, ["N", 3]),
    "ReduceMax": ([], {"axes": [-1], "keepdims": 1}, ["N", 8, 8, 1]),
    "ReduceMean": ([], {"keepdims": 0}, []),
    "Resize": ([np.float32([]), np.float32([1, 1, 1.5, 2])], {"mode": "linear"}, ["N", 8, 12, 6]),
    "Split": ([], {"axis": 2}, ["N", 8, 4, 3]),
}


def of_before(op, opset):
    """`op` on the pixels as float32 (N, 8, 8, 3), as `opset` has it, in a whole model."""
    inputs, attributes, _ = EARLIER[op]
    names = [f"input{i}" for i in range(len(inputs))]
    outputs = ["made", "rest"] if op == "Split" else ["made"]
    nodes = [
        onnx.helper.make_node("Cast", ["pixels"], ["x"], to=onnx.TensorProto.FLOAT),
        onnx.helper.make_node(op, ["x", *names], outputs, **attributes),
    ]
    pixels = onnx.helper.make_tensor_value_info("pixels", onnx.TensorProto.UINT8, ["N", 8, 8, 3])
    made = onnx.helper.make_tensor_value_info("made", onnx.TensorProto.FLOAT, None)
    weights = [onnx.numpy_helper.from_array(v, name) for v, name in zip(inputs, names, strict=True)]
    graph = onnx.helper.make_graph(nodes, "before", [pixels], [made], initializer=weights)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=8)


def test_every_operation_that_has_changed_is_tried():
    now = {op: onnx.defs.get_schema(op, OPSET) for op in ALLOWED_OPS - {"Gelu"}}  # which is of opset 20
    assert {op for op, schema in now.items() if schema.since_version > 17} == set(EARLIER)


@pytest.mark.parametrize("op", EARLIER)
def test_a_graph_of_before_is_raised_and_computes_the_same(op):
    before = of_before(op, 17)
    g = GraphBuilder()
    g.include(before, prefix="network/")
    after = g.finish("after", 8, {"network/made": EARLIER[op][2]})
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    (expected,), (got,) = (session(m).run(None, {"pixels": pixels}) for m in (before, after))
    assert np.array_equal(expected, got)


def test_imagenet_names_the_burger_photos(shared_data):
    names = imagenet_class_names()
    assert len(names) == 1000
    network = Network(build_imagenet(IMAGENET), IMAGENET.input_px, ["probs"], streams=1)
    for photo, name in (("hotdog", "hotdog"), ("pizza", "pizza"), ("cheeseburger", "cheeseburger")):
        data = (shared_data / "burger_examples" / f"{photo}.jpg").read_bytes()
        probs = network(preprocess(decode(data), Preprocess(IMAGENET.input_px)))["probs"]
        assert probs.shape == (1000,)
        assert probs.sum() == pytest.approx(1, abs=1e-4)
        assert names[int(probs.argmax())].replace(" ", "") == name

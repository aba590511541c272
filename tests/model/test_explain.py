"""What a model does with one photo: maps that mean what they say, and a page that hostile names cannot break."""

import dataclasses
import json
import re
import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image

from tellapart.engine.backbone import QUALITIES, Converted
from tellapart.errors import InputError, PhotoError
from tellapart.model import explain
from tellapart.model.artifact import load_artifact, sha256
from tellapart.model.explain import (
    CELLS,
    MAPS,
    NEIGHBOURS,
    _backbone,
    _map_names,
    first_filters,
    look_inside,
    occlusion,
)
from tellapart.model.prediction import Predictor
from tellapart.report.inside_page import FILES, PAGE, inside_page

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dresses(clothing_folder):
    """The class folder of the photo that is looked at, 20 photos."""
    return clothing_folder / "dress"


@pytest.fixture(scope="module")
def inside(model, clothing, dresses):
    return look_inside(model, clothing.places[0], among=dresses)


@pytest.fixture(scope="module")
def predictor(model):
    return Predictor.from_artifact(load_artifact(model), explains=True)


def test_it_answers_as_predict_does(inside, predictor, clothing):
    assert inside.prediction.probs == pytest.approx(predictor.predict(clothing.places[0]).probs, abs=1e-6)
    assert inside.pixels.shape == (predictor.preprocessing.input_px, predictor.preprocessing.input_px, 3)


def test_covering_what_is_one_colour_changes_nothing(predictor):
    plain = np.full((predictor.preprocessing.input_px, predictor.preprocessing.input_px, 3), (120, 60, 200), np.uint8)
    assert np.abs(occlusion(predictor, plain, 0)).max() == 0


def test_covering_says_where_something_is(predictor, inside):
    """The photo's middle on a plain ground: only covers that touch it can change the answer."""
    side = predictor.preprocessing.input_px
    grey = np.rint(inside.pixels.mean(axis=(0, 1))).astype(np.uint8)
    pixels = np.tile(grey, (side, side, 1))
    low, high = side // 3, side // 2
    pixels[low:high, low:high] = inside.pixels[low:high, low:high]
    drops = np.abs(occlusion(predictor, pixels, int(predictor.answers(pixels).probs.argmax())))
    there = drops[4:6, 4:6].mean()
    far = np.concatenate([drops[:, -2:].ravel(), drops[-2:].ravel()]).mean()
    assert drops.shape == (CELLS, CELLS)
    assert there > 2 * far


def test_filters_are_the_first_layer_s_weights(model):
    artifact = load_artifact(model)
    filters = first_filters(artifact.model)
    graph = onnx.load_model_from_string(artifact.model).graph
    stored = {w.name: onnx.numpy_helper.to_array(w) for w in graph.initializer}
    (weight,) = [w.astype(np.float32) for name, w in stored.items() if name.endswith("stem.weight.stored")]
    assert filters.shape == (len(weight), 3, 3, 3)
    assert filters.min() >= 0
    assert filters.max() <= 1
    assert np.array_equal(np.sign(filters.transpose(0, 3, 1, 2) - 0.5), np.sign(weight))


def test_a_graph_without_such_a_layer_has_no_filters():
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    value = onnx.helper.make_tensor_value_info("x", 1, [1])
    graph = onnx.helper.make_graph([node], "g", [value], [onnx.helper.make_tensor_value_info("y", 1, [1])])
    assert first_filters(onnx.helper.make_model(graph).SerializeToString()) is None


def test_layers_get_deeper_and_coarser(inside):
    assert [layer.depth for layer in inside.layers] == sorted(layer.depth for layer in inside.layers)
    places = [layer.maps.shape[1] for layer in inside.layers]
    assert places == sorted(places, reverse=True)
    for layer in inside.layers:
        assert 1 <= len(layer.maps) <= MAPS <= layer.n
        assert layer.maps.min() >= 0
        assert layer.maps.max() <= 1


def test_the_photo_itself_is_most_alike(inside, clothing):
    assert Path(inside.neighbours[0].path).resolve() == Path(clothing.places[0]).resolve()
    assert inside.neighbours[0].cosine == pytest.approx(1, abs=1e-4)
    cosines = [one.cosine for one in inside.neighbours]
    assert cosines == sorted(cosines, reverse=True)
    assert len(cosines) == NEIGHBOURS


def test_json_has_the_maps(inside):
    said = json.loads(json.dumps(inside.to_json()))
    assert np.shape(said["occlusion"]) == (CELLS, CELLS)
    assert np.shape(said["activation"]) == inside.activation.shape
    assert said["neighbours"][0]["cosine"] == pytest.approx(1, abs=1e-3)


@pytest.fixture(scope="module")
def without_map(model, tmp_path_factory):
    """The model as one whose features are no mean of a map, and of no backbone that is known."""
    folder = shutil.copytree(model, tmp_path_factory.mktemp("inside") / "flat")
    proto = onnx.load(folder / "model.onnx")
    (gone,) = [value for value in proto.graph.output if value.name == "feature_map"]
    proto.graph.output.remove(gone)
    onnx.save(proto, folder / "model.onnx")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["model.onnx"] = sha256((folder / "model.onnx").read_bytes())
    manifest["backbone"]["key"] = "another@224#0123456789ab"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_without_a_map_there_is_all_the_rest(without_map, inside, clothing, dresses):
    seen = look_inside(without_map, clothing.places[0], among=dresses)
    assert seen.activation is None
    assert json.loads(json.dumps(seen.to_json()))["activation"] is None
    assert seen.occlusion == pytest.approx(inside.occlusion, abs=1e-4)
    assert len(seen.layers) == len(inside.layers) - 1
    for one, other in zip(seen.layers, inside.layers[:-1], strict=True):
        assert one.maps == pytest.approx(other.maps, abs=1e-4)
    # Its own graph makes the features that the bundled backbone makes, so the same photos are alike.
    assert [one.path for one in seen.neighbours] == [one.path for one in inside.neighbours]
    files = inside_page(seen, "model", "a.jpg")
    assert "where-it-looked.png" not in files
    assert "What spoke for" not in files[PAGE].decode()
    assert "What it cannot do without" in files[PAGE].decode()


@pytest.mark.parametrize("backbone", [None, "text", {}, {"key": 3}])
def test_a_manifest_that_does_not_name_its_backbone(without_map, tmp_path, clothing, backbone):
    folder = shutil.copytree(without_map, tmp_path / "model")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["backbone"] = backbone
    (folder / "manifest.json").write_text(json.dumps(manifest))
    artifact = load_artifact(folder)
    assert _backbone(artifact, 1280).graph == artifact.model


def test_a_name_in_the_manifest_opens_no_other_network_s_cache(model, without_map):
    bundled, own = load_artifact(model), load_artifact(without_map)
    assert _backbone(bundled, 1280) is QUALITIES["fast"]
    assert isinstance(_backbone(bundled, 2560), Converted)  # it says so, but its features are others
    assert _backbone(own, 1280).key.startswith("model@224#")


def test_a_network_of_few_layers_shows_those(without_map):
    proto = onnx.load(without_map / "model.onnx")
    names = _map_names(proto)
    assert len(names) == len(set(names)) > 20
    assert all(name.endswith(tuple(proto_names(proto, "Clip"))) for name in names)
    for node in proto.graph.node:
        if node.op_type == "Clip":
            node.op_type = "HardSigmoid"  # an activation that is not looked for
            del node.input[1:]
    assert set(_map_names(proto)) <= set(proto_names(proto, "Conv"))


def proto_names(proto, kind):
    return [node.output[0] for node in proto.graph.node if node.op_type == kind]


def test_many_filters_are_shown_in_part(inside):
    many = np.repeat(inside.filters, -(-100 // len(inside.filters)), axis=0)[:100]
    page = inside_page(dataclasses.replace(inside, filters=many, layers=()), "m", "a.jpg")[PAGE].decode()
    assert "64 of the 100 patterns" in page
    nothing = inside_page(dataclasses.replace(inside, filters=None, layers=()), "m", "a.jpg")[PAGE].decode()
    assert "What its layers see" not in nothing


def test_what_cannot_be_looked_at(model, tmp_path, monkeypatch):
    monkeypatch.setattr(explain, "occlusion", lambda *_: np.zeros((CELLS, CELLS), np.float32))  # two seconds each
    (tmp_path / "no.jpg").write_bytes(b"no photo")
    with pytest.raises(PhotoError):
        look_inside(model, tmp_path / "no.jpg")
    with pytest.raises(PhotoError):
        look_inside(model, tmp_path / "nowhere.jpg")
    Image.new("RGB", (90, 70), (9, 9, 200)).save(tmp_path / "plain.png")
    with pytest.raises(InputError):
        look_inside(model, tmp_path / "plain.png", among=tmp_path / "nowhere")
    assert look_inside(model, tmp_path / "plain.png", among=tmp_path).neighbours[0].path.endswith("plain.png")


@pytest.mark.parametrize(
    ("lowest", "highest", "words"),
    [
        (0.1, 0.3, ["No place counts much"]),
        (-3, 0.3, ["most blue place covered", "rise 20-fold"]),
        (-3, 1, ["most orange place covered", "fall 3-fold", "most blue"]),
    ],
)
def test_the_page_says_how_much_a_place_counts(inside, lowest, highest, words):
    occlusion = np.linspace(lowest, highest, CELLS * CELLS, dtype=np.float32).reshape(CELLS, CELLS)
    seen = dataclasses.replace(inside, occlusion=occlusion, layers=(), filters=None, neighbours=())
    page = inside_page(seen, "model", "a.jpg")[PAGE].decode()
    assert all(word in page for word in words)
    assert ("No place counts much" in page) == ("No place counts much" in words)


def test_the_page_is_whole_and_names_are_text(inside):
    hostile = "<script>alert(1)</script>"
    files = inside_page(inside, hostile, f"{hostile}.jpg")
    assert set(files) <= FILES
    page = files[PAGE].decode()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert sources
    assert all(source.startswith("data:image/") for source in sources)
    for name, content in files.items():
        if name.endswith(".png"):
            with Image.open(BytesIO(content)) as picture:
                picture.load()
                assert picture.mode == "RGB"


def test_page_says_no_place_of_this_machine_and_no_heading_over_its_opposite(inside):
    page = inside_page(inside, "m", "a.jpg")[PAGE].decode()
    folder = str(Path(inside.neighbours[0].path).parents[1])
    assert folder not in page
    assert Path(inside.neighbours[0].path).name.split(".")[0] in page.replace("<wbr>", "")
    needed = dataclasses.replace(inside, occlusion=np.full_like(inside.occlusion, np.log(3)))
    free = dataclasses.replace(inside, occlusion=np.zeros_like(inside.occlusion))
    said = [inside_page(one, "m", "a.jpg")[PAGE].decode() for one in (needed, free)]
    assert ["What it cannot do without" in page for page in said] == [True, False]
    assert ["No place counts much by itself" in page for page in said] == [False, True]


@pytest.mark.parametrize("odd", [np.inf, -np.inf, np.nan])
def test_filters_that_are_no_numbers_are_not_drawn(model, odd):
    """A stranger's graph may hold them; there is nothing to show, and nothing is warned of."""
    proto = onnx.load(model / "model.onnx")
    stored = next(weight for weight in proto.graph.initializer if weight.name.endswith("stem.weight.stored"))
    values = numpy_helper.to_array(stored).copy()
    values[0, 0, 0, 0] = odd
    assert first_filters(proto.SerializeToString()) is not None
    stored.CopyFrom(numpy_helper.from_array(values, stored.name))
    assert first_filters(proto.SerializeToString()) is None

"""The graph is the network, the head its last layer, the map what the features are the mean of."""

from itertools import islice

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image
from torch import nn

from tellapart.deep.architectures import OWN
from tellapart.deep.convert import convert, prove
from tellapart.deep.head_finder import find_head
from tellapart.deep.networks import Built, build
from tellapart.engine.graph_rules import ALLOWED_OPS
from tellapart.errors import TrainingError

FEW = ["tutorial-cnn", "small-resnet", "test_efficientnet"]  # a linear end, a map, and a deep one of timm
# A convolution behind the pool, as tf_mobilenetv3 has one, is told from a map in test_head_finder.py.
MORE = ("first-cnn", "resnet18", "regnety_002", "tf_mobilenetv3_small_075")
NETWORKS = [*FEW, *(pytest.param(name, marks=pytest.mark.thorough) for name in MORE)]
SHAPES = {"Shape", "Gather", "Ceil", "ConstantOfShape"}


@pytest.fixture(scope="module")
def photos(shared_data):
    paths = islice(sorted((shared_data / "instruments").rglob("*.jpg")), 0, None, 200)
    return [Image.open(path).convert("RGB") for path in islice(paths, 3)]


def at(photos, px):
    return np.stack([np.asarray(photo.resize((px, px))) for photo in photos])


def built(name, n_classes=3):
    """The network with weights that are not those of its start, so that no batch norm or block does nothing."""
    torch.manual_seed(0)
    one = build(name, n_classes, input_px=None if name in OWN or "224" in name else 96)
    for p in one.module.parameters():
        p.data += 0.05 * torch.randn_like(p) * p.data.abs().mean().clamp(min=0.1)
    return one


def of(module, px=16):
    return Built("mine", "My network", module, px, (0.5,) * 3, (0.25,) * 3, "random")


def answers(one, pixels):
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    x = (x - torch.tensor(one.mean).view(1, 3, 1, 1)) / torch.tensor(one.std).view(1, 3, 1, 1)
    with torch.no_grad():
        return one.module.eval()(x).numpy()


def run(converted, pixels):
    session = onnxruntime.InferenceSession(converted.graph, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"pixels": pixels}), strict=True))


def ops(converted):
    return {node.op_type for node in onnx.load_model_from_string(converted.graph).graph.node}


@pytest.mark.parametrize("name", NETWORKS)
def test_graph_and_head_are_the_network(name, photos):
    one = built(name)
    pixels = at(photos, one.input_px)
    converted, head = convert(one, n_classes=3, pixels=pixels)
    assert (converted.name, converted.input_px, converted.source) == (name, one.input_px, "random")
    seen = run(converted, pixels)  # three photos at once, although two were traced
    assert seen["features"].shape == (3, converted.n_features)
    expected = answers(one, pixels)
    assert np.abs(head.logits(seen["features"]) - expected).max() < 5e-3 * np.abs(expected).max()
    assert ops(converted) <= ALLOWED_OPS - SHAPES
    model = onnx.load_model_from_string(converted.graph)
    assert (model.opset_import[0].version, model.ir_version) == (18, 8)
    assert not model.functions
    assert all(not part.metadata_props and not part.doc_string for part in (model, model.graph, *model.graph.node))
    assert b".py" not in converted.graph, "files and lines of code of this machine"
    if name in ("first-cnn", "tutorial-cnn", "tf_mobilenetv3_small_075"):
        assert "feature_map" not in seen
    else:
        assert seen["feature_map"].shape[2] > 1
        np.testing.assert_allclose(seen["feature_map"].mean((2, 3)), seen["features"], rtol=1e-3, atol=1e-4)


@pytest.mark.thorough  # one more kind of network
def test_a_transformer(photos):
    one = built("test_vit")
    pixels = at(photos, one.input_px)
    converted, head = convert(one, pixels=pixels)
    expected = answers(one, pixels)
    assert np.abs(head.logits(run(converted, pixels)["features"]) - expected).max() < 5e-3 * np.abs(expected).max()


def test_one_output_becomes_two_rows(photos):
    one = built("first-cnn", 2)
    pixels = at(photos, 120)
    converted, head = convert(one, n_classes=2, pixels=pixels)
    logits = head.logits(run(converted, pixels)["features"])
    assert head.weight.shape == (2, 64)
    assert not logits[:, 0].any()
    softmax = np.exp(logits[:, 1]) / np.exp(logits).sum(1)
    np.testing.assert_allclose(softmax, 1 / (1 + np.exp(-answers(one, pixels)[:, 0])), atol=1e-3)


def test_weights_are_halved_and_the_network_is_left_alone():
    one = built("small-resnet")
    one.module.train()
    before = {key: value.clone() for key, value in one.module.state_dict().items()}
    converted, _ = convert(one)
    assert len(converted.graph) < 2.1 * one.n_parameters
    assert one.module.training
    assert all(torch.equal(before[key], value) for key, value in one.module.state_dict().items())
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in one.module.modules())


@pytest.mark.parametrize("last", [nn.Softmax(1), nn.LogSoftmax(1), nn.Sigmoid(), nn.Identity()])
def test_what_comes_after_the_last_layer_may_be_a_softmax(last):
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3), last)
    classifier_head = find_head(module.eval(), 16, "mine")
    assert np.array_equal(classifier_head.head.weight, module[4].weight.detach().numpy())
    assert classifier_head.feature_map is not None
    if isinstance(last, nn.Softmax):
        converted, head = convert(of(module))
        assert np.array_equal(head.weight, classifier_head.head.weight)
        assert converted.n_features == 4
        assert "feature_map" in converted.outputs


class Written(nn.Module):
    """Numbers by a list, the last axis for channels, the mean over places: what the exporter has other words for."""

    def __init__(self):
        super().__init__()
        self.maps = nn.Conv2d(3, 8, 1)
        self.table = nn.Parameter(torch.randn(7, 8))
        self.places = nn.Buffer(torch.arange(10_000) % 7)  # too many to be worked out beforehand
        self.norm = nn.LayerNorm(8)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        self.kept = x + 1  # as networks with a cache do
        x = self.maps(x).permute(0, 2, 3, 1) + self.table[self.places].reshape(100, 100, 8)
        return self.head(self.pool(self.norm(x).permute(0, 3, 1, 2)).flatten(1))


def test_what_the_exporter_would_say_in_strange_words(photos):
    torch.manual_seed(0)
    one = of(Written(), 100)
    pixels = at(photos, 100)
    converted, head = convert(one, pixels=pixels)
    assert ops(converted) <= ALLOWED_OPS - SHAPES | {"Gather"}
    assert np.abs(head.logits(run(converted, pixels)["features"]) - answers(one, pixels)).max() < 5e-3


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(48, 3), nn.Linear(48, 3)

    def forward(self, x):
        x = nn.functional.adaptive_avg_pool2d(x, 4).flatten(1)
        return self.one(x) + self.two(x)


class Strange(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(48, 3)

    def forward(self, x):
        return self.head(torch.sin(nn.functional.adaptive_avg_pool2d(x, 4).flatten(1)))


def test_other_endings_and_operations_are_refused():
    with pytest.raises(TrainingError, match=r"^My network does not end in one linear layer[.]$"):
        convert(of(TwoHeads()))
    with pytest.raises(TrainingError, match="does not end in one linear layer"):
        convert(of(nn.Sequential(nn.Conv2d(3, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())))
    with pytest.raises(TrainingError, match=r"has 1 operation that a model folder must not hold: Sin[.]"):
        convert(of(Strange()))
    with pytest.raises(TrainingError, match="tells 3 classes apart, not 4"):
        convert(built("small-resnet"), n_classes=4)


class Deciding(Strange):
    def forward(self, x):
        x = nn.functional.adaptive_avg_pool2d(x, 4).flatten(1)
        return self.head(x / 255 if x.max() > 1 else x)


class Counting(Strange):
    def forward(self, x):
        return self.head(nn.functional.adaptive_avg_pool2d(x, 4).reshape(len(x), 48))


class Elsewhere(Strange):
    def forward(self, x):
        values = nn.functional.adaptive_avg_pool2d(x, 4).flatten(1).detach().numpy()
        return self.head(torch.from_numpy(values))


@pytest.mark.parametrize("network", [Deciding, Elsewhere])
def test_what_cannot_be_exported_is_one_sentence(network, capfd):
    with pytest.raises(TrainingError, match=r"^My network cannot be written as a graph: ") as caught:
        convert(of(network()))
    assert "\n" not in caught.value.message
    assert capfd.readouterr() == ("", "")


def test_a_network_that_counts_its_photos_is_refused():
    with pytest.raises(TrainingError, match=r"^My network fixes how many photos it looks at in one go[.]$") as caught:
        convert(of(Counting()))
    assert "x.shape[0] for len(x)" in caught.value.hint


def test_a_graph_of_another_network_is_not_proven(photos):
    one, other = built("tutorial-cnn"), build("tutorial-cnn", 3)
    pixels = at(photos, one.input_px)
    graph, wrong = convert(one)[0].graph, convert(other)[0].graph
    with pytest.raises(TrainingError, match="is not the network: a feature differs by"):
        prove(one, wrong, wrong, pixels)
    with pytest.raises(TrainingError, match="is not the network"):
        prove(one, graph, graph, pixels)  # rounded weights are not exact ones

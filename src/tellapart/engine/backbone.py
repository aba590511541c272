"""The bundled backbones and how several of them become one graph.

A backbone turns pixels into features. The three bundled networks are EfficientNet-Lite0, 1 and 2 with ImageNet
weights (Apache-2.0), written as ONNX by `scripts/make_backbones`. A `Backbone` names which of them look at the photo,
at what size, and whether they also look at its mirror image; `build_graph` joins all of that into one graph.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

from tellapart.errors import ArtifactError
from tellapart.head import Head

FOLDER = Path(__file__).parent / "backbones"
FEATURES_PER_NETWORK = 1280
LAST_INDEX = np.iinfo(np.int64).min  # where a reversed ONNX Slice ends so that index 0 is included


@dataclass(frozen=True)
class Backbone:
    """Which bundled networks make the features, and from what.

    Args:
        networks: names of bundled networks, such as `("lite0",)`; their features are joined in this order.
        input_px: side of the square image that every network gets.
        mirrored: whether the features are the mean over the photo and its mirror image.
    """

    networks: tuple[str, ...]
    input_px: int
    mirrored: bool = False

    @property
    def key(self) -> str:
        """Names this backbone exactly; equal keys give equal features."""
        mirror = "+mirror" if self.mirrored else ""
        weights = hashlib.sha256("".join(network_record(n)["sha256"] for n in self.networks).encode())
        return f"{'+'.join(self.networks)}@{self.input_px}{mirror}#{weights.hexdigest()[:12]}"

    @property
    def title(self) -> str:
        """What a person reads, such as `EfficientNet-Lite1 + Lite2 at 288 px, mirrored too`."""
        names = " + ".join(name.capitalize() for name in self.networks)
        return f"EfficientNet-{names} at {self.input_px} px{', mirrored too' if self.mirrored else ''}"

    @property
    def n_features(self) -> int:
        """D, the length of one feature vector."""
        return FEATURES_PER_NETWORK * len(self.networks)


# Chosen on validation photos only: docs/backbones.md holds the table of accuracy against time.
QUALITIES = {
    "fast": Backbone(("lite0",), 224),
    "balanced": Backbone(("lite1",), 288),
    "best": Backbone(("lite1", "lite2"), 288, mirrored=True),
}
IMAGENET = Backbone(("lite2",), 260)  # the largest network at the size it was trained for


@cache
def _records() -> dict[str, dict[str, Any]]:
    records: dict[str, dict[str, Any]] = json.loads((FOLDER / "backbones.json").read_text(encoding="utf-8"))
    return records


def network_record(name: str) -> dict[str, Any]:
    """Where the weights of the bundled network `name` came from, their SHA-256 and size."""
    return _records()[name]


@cache
def imagenet_class_names() -> tuple[str, ...]:
    """The 1,000 class names of the ImageNet head, in its order."""
    return tuple((FOLDER / "imagenet_classes.txt").read_text(encoding="utf-8").splitlines())


def read_network(name: str) -> onnx.ModelProto:
    """The bundled network `name`: `pixels` → `feature_map`, `features`, `imagenet_logits`.

    Raises:
        ArtifactError: the file is not the one that was shipped.
    """
    data = (FOLDER / f"{name}.onnx").read_bytes()
    if hashlib.sha256(data).hexdigest() != network_record(name)["sha256"]:
        raise ArtifactError(f"The bundled network {name} is damaged.", hint="Install tellapart again.")
    return onnx.load_model_from_string(data)


@cache
def imagenet_head(backbone: Backbone) -> Head:
    """The ImageNet head of the first network of `backbone`, (1000, D); it weighs the other networks' features 0.

    Raises:
        ArtifactError: the file is not the one that was shipped.
    """
    stored = {w.name: w for w in read_network(backbone.networks[0]).graph.initializer}
    own = numpy_helper.to_array(stored["imagenet.weight.stored"]) * numpy_helper.to_array(stored["imagenet.scale"]).T
    weight = np.zeros((len(own), backbone.n_features), np.float32)
    weight[:, : own.shape[1]] = own
    return Head(weight, numpy_helper.to_array(stored["imagenet.bias.stored"]).astype(np.float32))


class GraphBuilder:
    """An ONNX graph under construction; weights are inline, never external."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, op: str, inputs: list[str], outputs: list[str], **attributes: Any) -> None:
        """Append one node."""
        self.nodes.append(helper.make_node(op, inputs, outputs, name=f"{op}:{outputs[0]}", **attributes))

    def constant(self, name: str, values: np.ndarray[Any, Any] | np.generic) -> str:
        """Store `values` under `name`; returns `name`."""
        self.weights.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def include(self, graph: onnx.GraphProto) -> None:
        """Take over all nodes and weights of `graph`."""
        self.nodes.extend(graph.node)
        self.weights.extend(graph.initializer)

    def finish(self, name: str, input_px: int, outputs: dict[str, list[str | int]]) -> onnx.ModelProto:
        """The model `pixels` (uint8, N×px×px×3) → float32 `outputs` {name: shape}, checked."""
        pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["N", input_px, input_px, 3])
        values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in outputs.items()]
        nodes, weights = self._needed_by(set(outputs))
        graph = helper.make_graph(nodes, name, [pixels], values, initializer=weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="tellapart")
        model.ir_version = 8  # what runtimes of 2022 and later read
        onnx.checker.check_model(model)
        return model

    def _needed_by(self, names: set[str]) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
        """The nodes and weights that the values `names` depend on, in order."""
        nodes = []
        for node in reversed(self.nodes):
            if names.intersection(node.output):
                nodes.append(node)
                names.update(node.input)
        return nodes[::-1], [weight for weight in self.weights if weight.name in names]


def add_backbone(g: GraphBuilder, backbone: Backbone) -> None:
    """Add `backbone` to `g`: from `pixels` to `features`, `feature_map` and `imagenet_logits`.

    `features` (N, D) and `feature_map` (N, D, h, w) join the networks in order; `imagenet_logits` (N, 1000) are the
    first network's. With a mirrored backbone the features and logits are means over both views, while the feature map
    stays that of the photo as it is, so that it can be laid over the photo.
    """
    view = "pixels"
    if backbone.mirrored:
        for bound, value in (("start", -1), ("end", LAST_INDEX), ("axis", 2), ("step", -1)):
            g.constant(f"mirror.{bound}", np.array([value], np.int64))
        g.constant("mirror.half", np.float32(0.5))
        g.add("Slice", ["pixels", "mirror.start", "mirror.end", "mirror.axis", "mirror.step"], ["mirrored"])
        view = "both_views"
        g.add("Concat", ["pixels", "mirrored"], [view], axis=0)
    for name in backbone.networks:
        network = compose.add_prefix(read_network(name), f"{name}/").graph
        for node in network.node:
            for i, source in enumerate(node.input):
                if source == f"{name}/pixels":
                    node.input[i] = view
        g.include(network)
        if backbone.mirrored:
            _merge_views(g, name)
    for output in ("features", "feature_map"):
        parts = [_output(backbone, name, output) for name in backbone.networks]
        if len(parts) == 1:
            g.add("Identity", parts, [output])
        else:
            g.add("Concat", parts, [output], axis=1)
    g.add("Identity", [_output(backbone, backbone.networks[0], "imagenet_logits")], ["imagenet_logits"])


def _output(backbone: Backbone, name: str, output: str) -> str:
    return f"{name}/{output}.merged" if backbone.mirrored else f"{name}/{output}"


def _merge_views(g: GraphBuilder, name: str) -> None:
    """Join both views of network `name`; the first half of the batch is the photo, the second its mirror image."""
    for output in ("features", "imagenet_logits", "feature_map"):
        views = [f"{name}/{output}.photo", f"{name}/{output}.mirror"]
        g.add("Split", [f"{name}/{output}"], views, axis=0)
        merged = f"{name}/{output}.merged"
        if output == "feature_map":
            g.add("Identity", views[:1], [merged])
            continue
        g.add("Add", views, [f"{name}/{output}.sum"])
        g.add("Mul", [f"{name}/{output}.sum", "mirror.half"], [merged])


def build_graph(backbone: Backbone) -> onnx.ModelProto:
    """The whole of `backbone` as one graph: `pixels` → `features`, `feature_map`, `imagenet_logits`."""
    g = GraphBuilder()
    add_backbone(g, backbone)
    d = backbone.n_features
    shapes: dict[str, list[str | int]] = {
        "features": ["N", d],
        "feature_map": ["N", d, "h", "w"],
        "imagenet_logits": ["N", 1000],
    }
    return g.finish("backbone", backbone.input_px, shapes)


def build_imagenet(backbone: Backbone) -> bytes:
    """The network as it was published: `pixels` → `probs` (N, 1000), serialised."""
    g = GraphBuilder()
    add_backbone(g, backbone)
    g.add("Softmax", ["imagenet_logits"], ["probs"], axis=1)
    data: bytes = g.finish("imagenet", backbone.input_px, {"probs": ["N", 1000]}).SerializeToString()
    return data

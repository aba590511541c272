"""The backbones: what turns pixels into features, as a graph.

The three bundled networks are EfficientNet-Lite0, 1 and 2 with ImageNet weights (Apache-2.0), written as ONNX by
`scripts/make_backbones`. `Bundled` names which of them look at the photo, at what size, and whether they also look at
its mirror image. Any other network is `Converted`: a graph that `deep/` made, with the same input and outputs. The rest
of the product knows only what the two have in common, a `Backbone`.
"""

import hashlib
import json
from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnx
from onnx import numpy_helper

from tellapart.engine.builder import GraphBuilder, Shapes
from tellapart.engine.head import Head
from tellapart.errors import ArtifactError, MissingExtraError

FOLDER = Path(__file__).parent / "backbones"
FEATURES_PER_NETWORK = 1280
N_IMAGENET = 1000  # classes
LAST_INDEX = np.iinfo(np.int64).min  # where a reversed ONNX Slice ends so that index 0 is included

Json = dict[str, Any]


class Backbone(Hashable, Protocol):
    """What turns `pixels` (uint8, N×px×px×3) into `features` (N, D)."""

    @property
    def input_px(self) -> int:
        """Px, the side of its square input."""

    @property
    def n_features(self) -> int:
        """D, the length of one feature vector."""

    @property
    def key(self) -> str:
        """Names this backbone exactly; equal keys give equal features."""

    @property
    def title(self) -> str:
        """What a person reads."""

    @property
    def imagenet(self) -> Head | None:
        """Its ImageNet head, which sees the first features or all of them; None where it has none, or no longer."""

    @property
    def origin(self) -> list[Json]:
        """For the manifest: its networks, and where their weights came from."""

    @property
    def outputs(self) -> Shapes:
        """The shape of each output that its graph has: `features`, perhaps `feature_map` and `imagenet_logits`."""

    def add_to(self, g: "GraphBuilder") -> None:
        """Add its graph to `g`, from `pixels` to its outputs."""


@dataclass(frozen=True)
class Bundled:
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

    @property
    def imagenet(self) -> Head:
        """The ImageNet head of the first network, (1000, D); it weighs the other networks' features 0.

        Raises:
            ArtifactError: the file is not the one that was shipped.
        """
        return _imagenet_head(self)

    @property
    def origin(self) -> list[Json]:
        """Where the weights of each network came from, their SHA-256 and size."""
        return [{"name": name, **network_record(name)} for name in self.networks]

    @property
    def outputs(self) -> Shapes:
        """The shape of each output."""
        return output_shapes(self.n_features)

    def add_to(self, g: "GraphBuilder") -> None:
        """Add to `g`: from `pixels` to `features`, `feature_map` and `imagenet_logits`.

        `features` (N, D) and `feature_map` (N, D, h, w) join the networks in order; `imagenet_logits` (N, 1000) are
        the first network's. With a mirrored backbone the features and logits are means over both views, while the
        feature map stays that of the photo as it is, so that it can be laid over the photo.
        """
        view = _add_mirror_image(g) if self.mirrored else "pixels"
        for name in self.networks:
            g.include(read_network(name), prefix=f"{name}/", pixels=view)
            if self.mirrored:
                _merge_views(g, name)
        suffix = ".merged" if self.mirrored else ""
        for output in ("features", "feature_map"):
            parts = [f"{name}/{output}{suffix}" for name in self.networks]
            if len(parts) == 1:
                g.add("Identity", parts, [output])
            else:
                g.add("Concat", parts, [output], axis=1)
        g.add("Identity", [f"{self.networks[0]}/imagenet_logits{suffix}"], ["imagenet_logits"])


@dataclass(frozen=True)
class Converted:
    """Any other network, as one graph.

    Args:
        name: what it is called, such as `resnet34`.
        title: what a person reads.
        input_px: side of its square input.
        n_features: D.
        graph: serialised ONNX: `pixels` (uint8, N×px×px×3) → `features` (N, D), and where the network has them
            `feature_map` (N, D, h, w), whose mean over the places the features are, and `imagenet_logits` (N, 1000).
        source: where its weights came from, a sentence.
        imagenet: the head (1000, d) that makes `imagenet_logits` of the first d features, where there is one.
    """

    name: str
    title: str
    input_px: int
    n_features: int
    graph: bytes = field(repr=False)
    source: str
    imagenet: Head | None = field(default=None, repr=False, compare=False)

    @cached_property
    def sha256(self) -> str:
        """Hexadecimal SHA-256 of the graph."""
        return hashlib.sha256(self.graph).hexdigest()

    @property
    def key(self) -> str:
        """Names this backbone exactly; equal keys give equal features."""
        return f"{self.name}@{self.input_px}#{self.sha256[:12]}"

    @property
    def origin(self) -> list[Json]:
        """Where the weights came from."""
        return [{"name": self.name, "source": self.source, "sha256": self.sha256, "bytes": len(self.graph)}]

    @property
    def outputs(self) -> Shapes:
        """The shape of each output."""
        has = {value.name for value in onnx.load_model_from_string(self.graph).graph.output}
        return {name: shape for name, shape in output_shapes(self.n_features).items() if name in has}

    def add_to(self, g: "GraphBuilder") -> None:
        """Add to `g`: from `pixels` to the outputs that the network has."""
        g.include(onnx.load_model_from_string(self.graph), prefix="network/", pixels="pixels")
        for output in self.outputs:
            g.add("Identity", [f"network/{output}"], [output])


def output_shapes(d: int) -> Shapes:
    """The outputs that a backbone of D features may have."""
    return {"features": ["N", d], "feature_map": ["N", d, "h", "w"], "imagenet_logits": ["N", N_IMAGENET]}


# Chosen on validation photos only: docs/backbones.md holds the table of accuracy against time.
QUALITIES = {
    "fast": Bundled(("lite0",), 224),
    "balanced": Bundled(("lite1",), 288),
    "best": Bundled(("lite1", "lite2"), 288, mirrored=True),
}
IMAGENET = Bundled(("lite2",), 260)  # the largest network at the size it was trained for


@cache
def _records() -> dict[str, Json]:
    records: dict[str, Json] = json.loads((FOLDER / "backbones.json").read_text(encoding="utf-8"))
    return records


def network_record(name: str) -> Json:
    """Where the weights of the bundled network `name` came from, their SHA-256 and size."""
    return _records()[name]


@cache
def measured(quality: str) -> Json:
    """What docs/backbones.md says of a quality.

    `accuracy` is the mean over four photo sets, out-of-fold; `of_balanced` how many times as fast as `balanced` it is.
    """
    table: dict[str, Json] = json.loads((FOLDER / "measured.json").read_text(encoding="utf-8"))
    return table[quality]


@cache
def imagenet_class_names() -> tuple[str, ...]:
    """The 1,000 class names of the ImageNet head, in its order."""
    return tuple((FOLDER / "imagenet_classes.txt").read_text(encoding="utf-8").splitlines())


def shipped(path: Path) -> bytes:
    """The content of a file of the package that a copy for answering alone has not.

    Raises:
        MissingExtraError: this is such a copy.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise MissingExtraError(
            "This copy of tellapart answers with the model that it came with: it has no network of its own.",
            hint="Do it where all of it is installed: pip install tellapart",
        ) from error


def read_network(name: str) -> onnx.ModelProto:
    """The bundled network `name`: `pixels` → `feature_map`, `features`, `imagenet_logits`.

    Raises:
        ArtifactError: the file is not the one that was shipped.
        MissingExtraError: this copy of tellapart was made without it.
    """
    data = shipped(FOLDER / f"{name}.onnx")
    if hashlib.sha256(data).hexdigest() != network_record(name)["sha256"]:
        raise ArtifactError(f"The bundled network {name} is damaged.", hint="Install tellapart again.")
    return onnx.load_model_from_string(data)


@cache
def _imagenet_head(backbone: Bundled) -> Head:
    stored = {w.name: w for w in read_network(backbone.networks[0]).graph.initializer}
    own = numpy_helper.to_array(stored["imagenet.weight.stored"]) * numpy_helper.to_array(stored["imagenet.scale"]).T
    weight = np.zeros((len(own), backbone.n_features), np.float32)
    weight[:, : own.shape[1]] = own
    return Head(weight, numpy_helper.to_array(stored["imagenet.bias.stored"]).astype(np.float32))


def _add_mirror_image(g: GraphBuilder) -> str:
    """Both views of each photo, first all photos as they are; returns the value's name."""
    for bound, value in (("start", -1), ("end", LAST_INDEX), ("axis", 2), ("step", -1)):
        g.constant(f"mirror.{bound}", np.array([value], np.int64))
    g.constant("mirror.half", np.float32(0.5))
    g.add("Slice", ["pixels", "mirror.start", "mirror.end", "mirror.axis", "mirror.step"], ["mirrored"])
    g.add("Concat", ["pixels", "mirrored"], ["both_views"], axis=0)
    return "both_views"


def _merge_views(g: GraphBuilder, name: str) -> None:
    """Join both views of network `name`; the first half of the batch is the photo, the second its mirror image."""
    for output in ("features", "imagenet_logits", "feature_map"):
        views = [f"{name}/{output}.photo", f"{name}/{output}.mirror"]
        g.add("Split", [f"{name}/{output}"], views, axis=0, num_outputs=2)
        merged = f"{name}/{output}.merged"
        if output == "feature_map":
            g.add("Identity", views[:1], [merged])
            continue
        g.add("Add", views, [f"{name}/{output}.sum"])
        g.add("Mul", [f"{name}/{output}.sum", "mirror.half"], [merged])


def build_graph(backbone: Backbone) -> onnx.ModelProto:
    """The whole of `backbone` as one graph: `pixels` → its outputs."""
    g = GraphBuilder()
    backbone.add_to(g)
    return g.finish("backbone", backbone.input_px, backbone.outputs)


def build_imagenet(backbone: Bundled) -> bytes:
    """The network as it was published: `pixels` → `probs` (N, 1000), serialised."""
    g = GraphBuilder()
    backbone.add_to(g)
    g.add("Softmax", ["imagenet_logits"], ["probs"], axis=1)
    shapes: Shapes = {"probs": ["N", N_IMAGENET]}
    data: bytes = g.finish("imagenet", backbone.input_px, shapes).SerializeToString()
    return data

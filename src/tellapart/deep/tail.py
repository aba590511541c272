"""The last stages of a bundled network in torch, and back into its graph.

The bundled networks are ONNX graphs of a handful of operations, so they are read straight into torch, and what was
trained is written back under the same names: nothing is exported, and the trunk stays the very one that was shipped.
Batch norm is already folded into the convolutions, which is what fine-tuning on few photos wants anyway: its statistics
stay frozen.

The network that comes out keeps the untrained last stages beside the trained ones. Both read the same trunk. The
trained features tell the classes apart; the untrained ones, and the ImageNet head on top of them, still say what is
none of these.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from tellapart.engine.backbone import FEATURES_PER_NETWORK, Bundled, Converted, output_shapes, read_network
from tellapart.engine.builder import GraphBuilder, Shapes
from tellapart.engine.runner import Network
from tellapart.errors import TrainingError

N_STAGES = 7
MAX_DIFFERENCE = 1e-4  # between torch and the graph, of the largest feature
FROZEN = ".depthwise."  # convolutions that take each channel alone: one in a hundred weights, half of the time
TUNED = "tuned"  # what the names of the trained copy begin with


@dataclass(frozen=True)
class Cut:
    """Where a bundled network is cut in two.

    Args:
        network: its name, such as `lite1`.
        input_px: side of its input.
        stage: the first of the stages, 0 to 6, that train.
        value: the name of the activations that go in there.
    """

    network: str
    input_px: int
    stage: int
    value: str

    @property
    def title(self) -> str:
        """The network, as a person reads it."""
        return Bundled((self.network,), self.input_px).title


def cut_before(network: str, input_px: int, stage: int) -> Cut:
    """The place before `stage` of the bundled `network`."""
    graph = read_network(network).graph
    first = next(node for node in graph.node if node.op_type == "Conv" and node.output[0].startswith(f"stage{stage}."))
    return Cut(network, input_px, stage, first.input[0])


def trunk(place: Cut) -> bytes:
    """The serialised graph `pixels` → `activations`, (N, channels, h, w): all that comes before `place`."""
    g = GraphBuilder()
    g.include(read_network(place.network))
    g.add("Identity", [place.value], ["activations"])
    shapes: Shapes = {"activations": ["N", "channels", "h", "w"]}
    data: bytes = g.finish("trunk", place.input_px, shapes).SerializeToString()
    return data


class Tail(nn.Module):
    """All that comes after a place: activations (N, channels, h, w) → features (N, D).

    Args:
        place: where the network is cut.
    """

    def __init__(self, place: Cut) -> None:
        super().__init__()
        self.place = place
        graph = read_network(place.network).graph
        self.nodes = [node for node in _after(graph, place) if node.op_type != "Cast"]
        stored = {w.name.removesuffix(".stored"): numpy_helper.to_array(w) for w in graph.initializer}
        self.names = [name for node in self.nodes if node.op_type == "Conv" for name in node.input[1:]]
        self.weights = nn.ParameterDict(
            {_key(name): nn.Parameter(torch.from_numpy(stored[name].astype(np.float32))) for name in self.names}
        )
        for name in self.names:
            self.weights[_key(name)].requires_grad_(FROZEN not in name)

    def forward(self, activations: Tensor) -> Tensor:
        """Features (N, D) of `activations` (N, channels, h, w)."""
        values = {self.place.value: activations}
        for node in self.nodes:
            x = values[node.input[0]]
            if node.op_type == "Conv":
                weight, bias = (self.weights[_key(name)] for name in node.input[1:])
                y = _convolve(x, weight, bias, node)
            elif node.op_type == "Clip":
                y = functional.relu6(x)
            elif node.op_type == "Add":
                y = x + values[node.input[1]]
            else:  # the mean over all places, and its flattening
                y = x.mean((2, 3)) if x.ndim == 4 else x
            values[node.output[0]] = y
        return values["features"]

    def groups(self) -> list[list[nn.Parameter]]:
        """The weights that train by stage, first stage first, the last 1×1 convolution last."""
        stages = [*(f"stage{n}" for n in range(self.place.stage, N_STAGES)), "head"]
        trained = {name: self.weights[_key(name)] for name in self.names if self.weights[_key(name)].requires_grad}
        return [[weight for name, weight in trained.items() if name.startswith(f"{stage}.")] for stage in stages]

    @torch.no_grad()
    def round_half(self) -> None:
        """Make every weight one that float16 holds, as the graph stores it."""
        for weight in self.parameters():
            weight.copy_(weight.half().float())

    def to_graph(self) -> dict[str, NDArray[np.float32]]:
        """The weights by their names in the graph."""
        return {name: self.weights[_key(name)].detach().float().cpu().numpy() for name in self.names}


def _after(graph: onnx.GraphProto, place: Cut) -> list[onnx.NodeProto]:
    """The nodes between `place` and the features, in order."""
    reached, nodes = {place.value}, []
    for node in graph.node:
        if reached.intersection(node.input) and not node.output[0].startswith("imagenet"):
            reached.update(node.output)
            nodes.append(node)
    return nodes


def _key(name: str) -> str:
    return name.replace(".", "-")  # a dot is not allowed in torch's names of parameters


def _convolve(x: Tensor, weight: Tensor, bias: Tensor, node: onnx.NodeProto) -> Tensor:
    """Convolution with TensorFlow's SAME padding, which puts the odd pixel at the end.

    A 1×1 convolution is a product of matrices, which processors are best at. One that takes each channel alone is
    computed in float32 whatever the rest is: PyTorch's gradients of it are 4 to 10 times slower in bfloat16 (2.15, on a
    processor with units for it).
    """
    if weight.shape[-1] == 1:
        return functional.linear(x.permute(0, 2, 3, 1), weight.flatten(1), bias).permute(0, 3, 1, 2)
    with torch.autocast(x.device.type, enabled=False):
        return _convolve_apart(x.float(), weight, bias, node)


def _convolve_apart(x: Tensor, weight: Tensor, bias: Tensor, node: onnx.NodeProto) -> Tensor:
    """The same of each channel alone."""
    attributes = {a.name: a for a in node.attribute}
    stride, groups = attributes["strides"].ints[0], attributes["group"].i
    size = weight.shape[-1]
    short = [max((-(-side // stride) - 1) * stride + size - side, 0) for side in x.shape[-2:]]
    if all(missing == size - 1 for missing in short):
        return functional.conv2d(x, weight, bias, stride, size // 2, 1, groups)
    high, wide = short
    x = functional.pad(x, (wide // 2, wide - wide // 2, high // 2, high - high // 2))
    return functional.conv2d(x, weight, bias, stride, 0, 1, groups)


def tuned_network(place: Cut, weights: Mapping[str, NDArray[np.float32]], source: str) -> Converted:
    """The bundled network with a second, trained copy of what comes after `place`.

    Its features are those of the untrained network, then those of the trained one, as are the maps.

    Args:
        place: where it is cut.
        weights: of the trained copy, by their names in the graph.
        source: what was trained on, a sentence.
    """
    model = read_network(place.network)
    original = model.graph
    g = GraphBuilder()
    g.include(model)
    for name, values in weights.items():
        g.constant(f"{TUNED}/{name}.stored", values.astype(np.float16))
        g.add("Cast", [f"{TUNED}/{name}.stored"], [f"{TUNED}/{name}"], to=onnx.TensorProto.FLOAT)
    inner = {output for node in _after(original, place) for output in node.output} | set(weights)
    for node in _after(original, place):
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.name = f"{TUNED}/{node.name}"
        copy.input[:] = [f"{TUNED}/{name}" if name in inner else name for name in node.input]
        copy.output[:] = [f"{TUNED}/{name}" for name in node.output]
        g.nodes.append(copy)
    return _joined(g, place, source)


def prove(backbone: Converted, place: Cut, tail: Tail, pixels: NDArray[np.uint8]) -> None:
    """That the graph of `tuned_network` says of photos what `tail` says in torch.

    Args:
        backbone: the graph.
        place: where the network is cut.
        tail: its weights rounded as in the graph.
        pixels: (N, px, px, 3).

    Raises:
        TrainingError: it does not; names by how much.
    """
    before = Network(trunk(place), place.input_px, ["activations"], streams=1)
    whole = Network(backbone.graph, place.input_px, ["features"], streams=1)
    for image in pixels:
        with torch.no_grad():
            expected = tail(torch.from_numpy(before(image)["activations"])[None])[0].numpy()
        got = whole(image)["features"][FEATURES_PER_NETWORK:]
        difference = float(np.abs(got - expected).max() / max(np.abs(expected).max(), np.finfo(np.float32).tiny))
        if not difference <= MAX_DIFFERENCE:
            raise TrainingError(
                f"The written network differs from the trained one, by {difference:.1e} of its largest feature.",
                hint="No model was written. Please report this, with what `pip freeze` prints.",
            )


def _joined(g: GraphBuilder, place: Cut, source: str) -> Converted:
    """Both copies as one network."""
    for output in ("features", "feature_map"):
        for node in g.nodes:
            node.output[:] = [f"plain/{output}" if name == output else name for name in node.output]
            node.input[:] = [f"plain/{output}" if name == output else name for name in node.input]
        g.add("Concat", [f"plain/{output}", f"{TUNED}/{output}"], [output], axis=1)
    bundled = Bundled((place.network,), place.input_px)
    d = 2 * FEATURES_PER_NETWORK
    model = g.finish("tuned", place.input_px, output_shapes(d))
    return Converted(
        name=f"{place.network}-tuned",
        title=f"{bundled.title}, fine-tuned from stage {place.stage} on",
        input_px=place.input_px,
        n_features=d,
        graph=model.SerializeToString(deterministic=True),
        source=source,
        imagenet=bundled.imagenet,
    )

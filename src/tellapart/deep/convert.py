"""A network of PyTorch as a backbone's graph and a head, and the proof that the graph is the network.

The last linear layer becomes the head; what goes into it are the features. Normalisation goes into the graph, so that
the graph takes pixels. Weights are stored as float16 and computed with in float32, like those of the bundled networks.
"""

import contextlib
import copy
import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx_ir.passes.common import ClearMetadataAndDocStringPass
from torch import Tensor, nn

from tellapart.deep.custom_network import said
from tellapart.deep.head_finder import ClassifierHead, TensorSite, find_head
from tellapart.deep.networks import Built
from tellapart.engine.backbone import Converted, output_shapes
from tellapart.engine.builder import OPSET, GraphBuilder
from tellapart.engine.graph_rules import ALLOWED_OPS
from tellapart.engine.head import Head
from tellapart.engine.runner import Network
from tellapart.errors import TrainingError
from tellapart.text import counted, some

MAX_DIFFERENCE = 1e-4  # of a feature, of the largest one, with float32 weights: the graph is the network
MIN_COSINE = 0.9999  # of a photo's features, with float16 weights: rounding costs next to nothing
LARGE = 1024  # numbers; below, halving a table saves nothing worth its rounding
MAX_FLOAT16 = float(np.finfo(np.float16).max)
KEEPS = "The tensor attribute.* assigned during export"  # a cache, as EfficientViT has; the proof says if it mattered
N_NOISE = 2  # images of noise that a conversion is proven on where no photos are given


@dataclass(frozen=True)
class Proof:
    """How near the graph is to the network.

    Args:
        n: images compared.
        largest_difference: of any feature with float32 weights, as a share of the image's largest.
        smallest_cosine: of any image's features with float16 weights.
    """

    n: int
    largest_difference: float
    smallest_cosine: float


def convert(
    built: Built, *, n_classes: int | None = None, pixels: NDArray[np.uint8] | None = None
) -> tuple[Converted, Head]:
    """The backbone and the head of a network, proven.

    A network with one output, the log-odds of the second class, gets a head of two rows, the first of zeros: its
    softmax is the sigmoid. The network given is not changed, wherever it is and whatever its mode.

    Args:
        built: a network that ends in a linear layer.
        n_classes: C, to be checked; None takes what the network has.
        pixels: (N, px, px, 3), real photos to prove it on; noise unless given.

    Raises:
        TrainingError: it ends otherwise, has operations that no model folder may hold, or the graph answers otherwise.
    """
    module = copy.deepcopy(built.module).to("cpu", torch.float32).eval().requires_grad_(False)
    for layer in module.modules():
        if getattr(layer, "fused_attn", None) is True:
            layer.fused_attn = False  # type: ignore[assignment]  # timm's switch; plain products run everywhere
    classifier_head = find_head(module, built.input_px, built.title)
    head = _two_rows(classifier_head.head)
    if n_classes is not None and len(head.weight) != n_classes:
        raise TrainingError(f"{built.title} tells {len(head.weight)} classes apart, not {n_classes}.")
    exact = _graph(built, module, classifier_head)
    stored = _as_float16(exact, built.input_px)
    if pixels is None:
        size = (N_NOISE, built.input_px, built.input_px, 3)
        pixels = np.random.default_rng(0).integers(0, 256, size, np.uint8)
    prove(built, exact.SerializeToString(), stored, pixels)
    d = head.weight.shape[1]
    return Converted(built.name, built.title, built.input_px, d, stored, built.weights), head


def prove(built: Built, exact: bytes, stored: bytes, pixels: NDArray[np.uint8]) -> Proof:
    """That both graphs, with float32 and with float16 weights, give the network's features of `pixels` (N, px, px, 3).

    Raises:
        TrainingError: one of them does not; names by how much.
    """
    module = copy.deepcopy(built.module).to("cpu", torch.float32).eval()
    head = find_head(module, built.input_px, built.title).site
    wrapped = _FromPixels(module, built, (head,))
    full, half = (Network(graph, built.input_px, ["features"], streams=1) for graph in (exact, stored))
    differences, cosines = [], []
    for image in pixels:
        with torch.no_grad():
            expected = wrapped(torch.from_numpy(image[None].copy()))[0][0].numpy()
        largest = max(float(np.abs(expected).max()), float(np.finfo(np.float32).tiny))
        differences.append(float(np.abs(full(image)["features"] - expected).max()) / largest)
        rounded = half(image)["features"]
        lengths = max(float(np.linalg.norm(rounded) * np.linalg.norm(expected)), float(np.finfo(np.float32).tiny))
        cosines.append(float(rounded @ expected) / lengths)
    proof = Proof(len(pixels), float(np.max(differences)), float(np.min(cosines)))
    if not proof.largest_difference <= MAX_DIFFERENCE:
        raise TrainingError(
            f"The graph of {built.title} is not the network: a feature differs by {proof.largest_difference:.1e} of "
            f"the largest (at most {MAX_DIFFERENCE:g}).",
            hint="Nothing was written. Take another network.",
        )
    if not proof.smallest_cosine >= MIN_COSINE:
        raise TrainingError(
            f"{built.title} does not bear weights of 16 bits: the features of a photo turn by a cosine of "
            f"{proof.smallest_cosine:.6f} (at least {MIN_COSINE:g}).",
            hint="Nothing was written. Take another network, or train with a smaller learning rate.",
        )
    return proof


def _two_rows(head: Head) -> Head:
    if len(head.weight) > 1:
        return head
    return Head(np.vstack([np.zeros_like(head.weight), head.weight]), np.append(np.float32(0), head.bias))


class _FromPixels(nn.Module):
    """(N, px, px, 3) uint8 → what stands at `sites` while the network looks at it."""

    def __init__(self, module: nn.Module, built: Built, sites: tuple[TensorSite, ...]) -> None:
        super().__init__()
        self.module = module
        self.sites = sites
        self.mean = nn.Buffer(255 * torch.tensor(built.mean).view(1, 3, 1, 1))
        self.std = nn.Buffer(255 * torch.tensor(built.std).view(1, 3, 1, 1))

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        x = (pixels.float().permute(0, 3, 1, 2).contiguous() - self.mean) / self.std
        with contextlib.ExitStack() as stack:
            seen = [stack.enter_context(site.watched(self.module)) for site in self.sites]
            self.module(x)
        return tuple(site.shaped(values[0]) for site, values in zip(self.sites, seen, strict=True))


def _graph(built: Built, module: nn.Module, classifier_head: ClassifierHead) -> onnx.ModelProto:
    """`pixels` → `features` and, where the network has one, `feature_map`, with float32 weights.

    Raises:
        TrainingError: it cannot be exported, or has operations that no model folder may hold.
    """
    names = ["features", "feature_map"] if classifier_head.feature_map else ["features"]
    sites = tuple(site for site in (classifier_head.site, classifier_head.feature_map) if site)
    model = _exported(built, _FromPixels(module, built, sites).eval(), names)
    strange = sorted({node.op_type for node in model.graph.node} - ALLOWED_OPS)
    if strange:
        raise TrainingError(
            f"{built.title} has {counted(len(strange), 'operation')} that a model folder must not hold: "
            f"{some(strange)}.",
            hint="Take another network.",
        )
    g = GraphBuilder()
    g.include(model)
    shapes = output_shapes(classifier_head.head.weight.shape[1])
    return g.finish(built.name, built.input_px, {name: shapes[name] for name in names})


def _exported(built: Built, module: _FromPixels, names: list[str]) -> onnx.ModelProto:
    """What PyTorch's exporter makes of it, without what it notes of this machine: files and lines of code."""
    px = built.input_px
    try:
        with _unprinted_failures(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=KEEPS)
            traced = torch.export.export(
                module, (torch.zeros(2, px, px, 3, dtype=torch.uint8),), dynamic_shapes=({0: torch.export.Dim.AUTO},)
            )
            _in_plain_words(traced.graph)
            program: Any = torch.onnx.export(  # None is for the exporter of before
                traced, input_names=["pixels"], output_names=names, opset_version=OPSET, dynamo=True, verbose=False
            )
    except Exception as error:  # a person's own code, run with stand-ins for numbers, fails in any way
        raise TrainingError(
            f"{built.title} cannot be written as a graph: {said(_first_cause(error))}",
            hint="Take another network, or its own input size. In a network of your own, let `forward` calculate with "
            "tensors alone, and decide nothing by what a photo shows.",
        ) from error
    if not traced.range_constraints:  # N is a number
        raise TrainingError(
            f"{built.title} fixes how many photos it looks at in one go.",
            hint="In its `forward`, write x.shape[0] for len(x), and let no loop go over photos.",
        )
    ClearMetadataAndDocStringPass()(program.model)
    model: onnx.ModelProto = program.model_proto
    return model


def _in_plain_words(graph: torch.fx.Graph) -> None:
    """Say two things otherwise, for which the exporter finds operations that no model folder may hold.

    The mean over all places became one that copies photo by photo, where channels come last in memory (ConvNeXt);
    numbers taken from a table by one list, a gathering by many (Swin).
    """
    ops = torch.ops.aten
    for node in graph.nodes:
        if node.target is ops.adaptive_avg_pool2d.default and list(node.args[1]) == [1, 1]:
            node.target, node.args = ops.mean.dim, (node.args[0], [-1, -2], True)
        elif node.target is ops.index.Tensor and len(node.args[1]) == 1:
            which = node.args[1][0].meta["val"]
            if which.ndim == 1 and which.dtype == torch.int64:
                node.target, node.args = ops.index_select.default, (node.args[0], 0, node.args[1][0])


def _first_cause(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


@contextlib.contextmanager
def _unprinted_failures() -> Iterator[None]:
    """Standard error is held back, and dropped at a failure: PyTorch then prints a whole graph, and we say why."""
    held = io.StringIO()
    with contextlib.redirect_stderr(held):
        yield
    if said := held.getvalue().strip():
        warnings.warn(said, stacklevel=3)


def _as_float16(model: onnx.ModelProto, input_px: int) -> bytes:
    """`model` with its large weights stored as float16 and cast to float32, serialised."""
    g = GraphBuilder()
    casts: list[onnx.NodeProto] = []
    for weight in model.graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size <= LARGE or float(np.abs(values).max()) > MAX_FLOAT16:
            g.weights.append(weight)
            continue
        stored = g.constant(f"{weight.name}.stored", values.astype(np.float16))
        casts.append(
            helper.make_node("Cast", [stored], [weight.name], name=f"Cast:{weight.name}", to=TensorProto.FLOAT)
        )
    g.nodes = [*casts, *model.graph.node]
    shapes = {
        value.name: [d.dim_value if d.HasField("dim_value") else d.dim_param for d in value.type.tensor_type.shape.dim]
        for value in model.graph.output
    }
    data: bytes = g.finish(model.graph.name, input_px, shapes).SerializeToString(deterministic=True)
    return data

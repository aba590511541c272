"""What the graph of a stranger's model must be like before any engine sees it.

`refuse_unsafe` reads bytes and fields, and runs nothing. Limits on what a graph may take when it runs cannot be read
off it alone; those are tried in a process of its own (engine/trial.py). docs/decisions/0012 says why there are two.
"""

import math
from collections.abc import Iterator
from typing import Final

import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, numpy_helper

from tellapart.errors import ArtifactError
from tellapart.text import shown

OPSETS: Final = (17, 18)  # that we wrote, and write
MAX_NODES: Final = 5_000  # our largest bundled graph has 600; engines take time that grows with the square of it
MAX_ELEMENTS: Final = 2**27  # of one tensor: 512 MB of float32; the largest of VGG16 has 103 million
MAX_VALUES: Final = 2**25  # of what a graph computes between two operations, unless its photo or its weights are large:
MAX_VALUES_A_PIXEL: Final = 256  # the attention of a ViT of 518 px has 170, the first layer of VGG16 64
MAX_DIMENSIONS: Final = 8
MAX_STRUCTURE_BYTES: Final = 8_000_000  # of a file without its weights; ours have 0.1 to 0.3 MB
MAX_FIELDS: Final = 100_000  # records that a file has, weights counted as one; ours have 5,000

# What classifiers are made of. No control flow, no custom domain, nothing that reads a file.
ALLOWED_OPS = frozenset(
    """
    Add AveragePool BatchNormalization Cast Clip Concat Constant Conv Div Dropout Equal Erf Expand Flatten Gather Gelu
    Gemm GlobalAveragePool GlobalMaxPool HardSigmoid HardSwish Identity InstanceNormalization LayerNormalization
    LeakyRelu MatMul Max MaxPool Min Mul Neg Pad Pow Reciprocal ReduceL2 ReduceMax ReduceMean ReduceSum Relu Reshape
    Resize Shape Sigmoid Slice Softmax Split Sqrt Squeeze Sub Tanh Transpose Unsqueeze Where
    """.split()  # noqa: SIM905  # a list of quoted words would take forty lines
)
# Numbers only: no texts, no complex ones, none of 4 or 8 floating bits that runtimes read differently.
ELEMENT_BYTES: Final = {
    TensorProto.FLOAT: 4,
    TensorProto.FLOAT16: 2,
    TensorProto.DOUBLE: 8,
    TensorProto.UINT8: 1,
    TensorProto.INT8: 1,
    TensorProto.INT32: 4,
    TensorProto.INT64: 8,
    TensorProto.BOOL: 1,
}
HEAD: Final = "head.weight"  # what compose.py calls the head's weights, (C, D)
OUTPUTS: Final = frozenset({"probs", "logits", "unknown_score", "features", "feature_map", "imagenet_logits"})
_SIZES_AT: Final = {"Expand": 1, "Reshape": 1, "Resize": 3}  # which input is the shape of what comes out

_GRAPH, _NODE, _INITIALIZER, _RAW_DATA = 7, 1, 5, 9  # numbers of the fields in onnx.proto
_WIRE_VARINT, _WIRE_64, _WIRE_BYTES, _WIRE_32 = 0, 1, 2, 5


def refuse_unsafe(model: bytes, *, n_classes: int | None = None, input_px: int | None = None) -> None:
    """Walk the graph before any runtime sees it.

    Args:
        model: the content of model.onnx.
        n_classes: C, how many probabilities a photo must get; None does not say.
        input_px: px, the side of its square input; None does not say.

    Raises:
        ArtifactError: it is not ONNX, keeps data outside the file, has an operation that classifiers do not need, is
            larger or put together otherwise than ours, or has another number of classes.
    """
    _refuse_crowded(model)
    try:
        proto = onnx.load_model_from_string(model)
    except DecodeError as error:
        raise _not_onnx() from error
    graph = proto.graph
    _refuse_what_runs_or_reads(proto)
    if not graph.node or [i.name for i in graph.input] != ["pixels"]:
        raise _not_ours()
    if n_classes is not None and n_classes not in _widths(graph, "probs"):
        raise ArtifactError(
            f"The model's graph does not tell {n_classes} classes apart.", hint="Copy the whole folder again."
        )
    tensors = [*graph.initializer, *(a.t for node in graph.node for a in node.attribute if a.HasField("t"))]
    for tensor in tensors:
        _refuse_tensor(tensor)
    _refuse_loose_ends(proto)
    _refuse_large_shapes(graph)
    _refuse_other_ends(graph, n_classes, input_px)


def most_values(proto: onnx.ModelProto, input_px: int) -> int:
    """How many numbers any value that the graph computes may have: 134 MB for a photo of 224 px and small weights."""
    tensors = (*proto.graph.initializer, *(a.t for node in proto.graph.node for a in node.attribute if a.HasField("t")))
    largest = max((math.prod(tensor.dims) for tensor in tensors), default=0)
    return min(MAX_ELEMENTS, max(MAX_VALUES, MAX_VALUES_A_PIXEL * input_px**2, largest))


def _not_onnx() -> ArtifactError:
    return ArtifactError("The model's graph is not ONNX.", hint="Copy the whole folder again.")


def _not_ours() -> ArtifactError:
    return ArtifactError("The model's graph is not one of ours.", hint="Name a folder that tellapart wrote.")


def _broken() -> ArtifactError:
    return ArtifactError("The model's graph is not put together as a graph must be.", hint="Do not use this model.")


def _too_large(what: str) -> ArtifactError:
    return ArtifactError(f"The model's graph {what}, more than a model of ours has.", hint="Do not use this model.")


def _refuse_crowded(model: bytes) -> None:
    """Counts records on the bytes: parsing itself takes fifty times the memory of a record of two bytes.

    Source: Protocol Buffers, Encoding, wire types.
    """
    view, budget = memoryview(model), _Budget(MAX_FIELDS)
    structure, n_nodes = len(model), 0
    for field, start, end in _fields(view, 0, len(view), budget):
        if field != _GRAPH:
            continue
        for part, first, last in _fields(view, start, end, budget):
            n_nodes += part == _NODE
            if n_nodes > MAX_NODES:
                raise _too_large(f"has more than {MAX_NODES:,} operations")
            if part == _INITIALIZER:
                inner = _fields(view, first, last, budget)
                structure -= sum(stop - begin for number, begin, stop in inner if number == _RAW_DATA)
    if structure > MAX_STRUCTURE_BYTES:
        raise _too_large(f"has {structure / 1e6:.0f} MB besides its weights")


class _Budget:
    """How many more records may be read."""

    def __init__(self, left: int) -> None:
        self.left = left


def _fields(view: memoryview, at: int, end: int, budget: _Budget) -> Iterator[tuple[int, int, int]]:
    """(number, start, end) of the records between `at` and `end` that hold bytes; the others are let pass."""
    while at < end:
        budget.left -= 1
        if budget.left < 0:
            raise _too_large(f"has more than {MAX_FIELDS:,} records")
        tag, at = _varint(view, at, end)
        kind = tag & 7
        if kind == _WIRE_VARINT:
            _, at = _varint(view, at, end)
        elif kind in (_WIRE_64, _WIRE_32):
            at += 8 if kind == _WIRE_64 else 4
        elif kind == _WIRE_BYTES:
            size, at = _varint(view, at, end)
            if size > end - at:
                raise _not_onnx()
            yield tag >> 3, at, at + size
            at += size
        else:
            raise _not_onnx()
    if at != end:
        raise _not_onnx()


def _varint(view: memoryview, at: int, end: int) -> tuple[int, int]:
    """(value, where it ends)."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            break
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise _not_onnx()


def _refuse_what_runs_or_reads(proto: onnx.ModelProto) -> None:
    """Refuses control flow, other operations, and data that is not in the file."""
    graph = proto.graph
    if proto.functions or proto.training_info:
        raise ArtifactError("The model's graph has a graph inside, which no classifier needs.")
    sparse, tensors = list(graph.sparse_initializer), list(graph.initializer)
    for node in graph.node:
        if node.domain not in ("", "ai.onnx") or node.op_type not in ALLOWED_OPS:
            raise ArtifactError(f"The model's graph has an operation we do not run: '{shown(str(node.op_type)[:40])}'.")
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.graphs:
                raise ArtifactError("The model's graph has a graph inside, which no classifier needs.")
            tensors += [attribute.t, *attribute.tensors]
            sparse += [attribute.sparse_tensor, *attribute.sparse_tensors]
    tensors += [part for tensor in sparse for part in (tensor.values, tensor.indices)]
    if any(t.data_location == TensorProto.EXTERNAL or t.external_data for t in tensors):
        raise ArtifactError("The model keeps data outside its file, which is not safe.", hint="Do not use this model.")
    if any(_is_rare(attribute) for node in graph.node for attribute in node.attribute) or graph.sparse_initializer:
        raise _not_ours()


def _is_rare(attribute: onnx.AttributeProto) -> bool:
    """Whether it is of a kind that ONNX has and classifiers do not need."""
    a = attribute
    many = (a.sparse_tensors, a.tensors, a.type_protos, a.ref_attr_name)
    return any(many) or a.HasField("sparse_tensor") or a.HasField("tp")


def _refuse_tensor(tensor: onnx.TensorProto) -> None:
    """Refuses a tensor that is too large, of a type that we do not write, or without exactly its numbers."""
    dims = list(tensor.dims)
    if tensor.data_type not in ELEMENT_BYTES or tensor.HasField("segment") or tensor.string_data:
        raise _not_ours()
    if len(dims) > MAX_DIMENSIONS or any(d < 0 for d in dims):
        raise _broken()
    n = math.prod(dims)
    if n > MAX_ELEMENTS:
        raise _too_large(f"has a constant of {n:,} numbers")
    lists = (tensor.float_data, tensor.int32_data, tensor.int64_data, tensor.double_data, tensor.uint64_data)
    n_listed = sum(map(len, lists))
    if tensor.HasField("raw_data"):
        whole = len(tensor.raw_data) == n * ELEMENT_BYTES[tensor.data_type] and not n_listed
    else:
        whole = n_listed == n and max(map(len, lists)) == n
    if not whole:
        raise _broken()


def _refuse_loose_ends(proto: onnx.ModelProto) -> None:
    """Refuses what is no graph: circles, values from nowhere or from two places, operations with other inputs."""
    graph = proto.graph
    if [o.domain in ("", "ai.onnx") for o in proto.opset_import] != [True]:
        raise _not_ours()
    (opset,) = proto.opset_import
    if opset.version not in OPSETS:
        raise _not_ours()
    context = onnx.checker.C.CheckerContext()
    context.ir_version = proto.ir_version
    context.opset_imports = {"": opset.version}
    known = {"pixels"}
    names = [name for node in graph.node for name in (*node.input, *node.output, *(a.name for a in node.attribute))]
    if not all(isinstance(name, str) for name in (*names, *(weight.name for weight in graph.initializer))):
        raise _broken()  # bytes that are no text
    for name in (weight.name for weight in graph.initializer):
        if not name or name in known:
            raise _broken()
        known.add(name)
    for node in graph.node:
        if any(name and name not in known for name in node.input):  # in order, so there is no circle
            raise _broken()
        named = [name for name in node.output if name]
        if not named or known.intersection(named) or len(set(named)) < len(named):
            raise _broken()
        known.update(named)
        try:
            onnx.checker.check_node(node, context)
        except (onnx.checker.ValidationError, RuntimeError, TypeError, ValueError) as error:
            raise _broken() from error
    if any(value.name not in known for value in graph.output):
        raise _broken()


def _refuse_large_shapes(graph: onnx.GraphProto) -> None:
    """Refuses a shape among the constants that is larger than any of ours."""
    constants = {weight.name: weight for weight in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            constants.update((node.output[0], a.t) for a in node.attribute if a.HasField("t"))
    for node in graph.node:
        at = _SIZES_AT.get(node.op_type, len(node.input))
        tensor = constants.get(node.input[at]) if at < len(node.input) else None
        if tensor is None or tensor.data_type != TensorProto.INT64 or math.prod(tensor.dims) > MAX_DIMENSIONS:
            continue
        n = math.prod(max(int(size), 1) for size in numpy_helper.to_array(tensor).ravel())
        if n > MAX_ELEMENTS:
            raise _too_large(f"makes a tensor of {n:,} numbers")


def _refuse_other_ends(graph: onnx.GraphProto, n_classes: int | None, input_px: int | None) -> None:
    """Refuses an input, outputs or a head of another type or shape than ours have."""
    pixels = graph.input[0].type.tensor_type
    sides = [side.dim_value for side in pixels.shape.dim][1:]
    if pixels.elem_type != TensorProto.UINT8 or len(sides) != 3 or sides[2] != 3 or sides[0] != sides[1]:
        raise _not_ours()
    if input_px is not None and sides[0] != input_px:
        raise _not_ours()
    names = [value.name for value in graph.output]
    types = {value.type.tensor_type.elem_type for value in graph.output}
    if len(set(names)) < len(names) or not OUTPUTS.issuperset(names) or types != {TensorProto.FLOAT}:
        raise _not_ours()
    head = next((list(weight.dims) for weight in graph.initializer if weight.name == HEAD), None)
    if head is not None and (len(head) != 2 or head[0] != (n_classes or head[0])):
        raise _not_ours()


def _widths(graph: onnx.GraphProto, output: str) -> list[int]:
    """The last dimension of that output, if the graph has it."""
    shapes = [value.type.tensor_type.shape.dim for value in graph.output if value.name == output]
    return [shape[-1].dim_value for shape in shapes if shape]

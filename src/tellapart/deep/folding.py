"""What a graph would work out anew for every photo although it is always the same, worked out once.

An exporter writes down how a network reads its input's height and width and computes paddings and shapes from them.
Our inputs have one size, so that all of that is known but for N, the number of photos.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper, shape_inference
from onnx.reference import ReferenceEvaluator

from tellapart.engine.backbone import needed

OPSET = 17
MAX_PASSES = 12  # one uncovers shapes for the next; deep transformers need about four
SMALL = 4096  # numbers; a larger result is kept only where it is no larger than what it is made from
NOT_FOLDED = frozenset({"Constant", "Shape", "Cast"})  # a Cast of stored weights is what keeps them small

Known = NDArray[Any]
"""A value of the graph; of type object, with None for what depends on N."""


def fold(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` with everything worked out that does not depend on the photo or on N; the input's other sides are fixed.

    Outputs stay outputs of a node. The model given is not changed.
    """
    model = _copy(model)
    for _ in range(MAX_PASSES):
        before = [node.op_type for node in model.graph.node], len(model.graph.initializer)
        _one_pass(model)
        if before == ([node.op_type for node in model.graph.node], len(model.graph.initializer)):
            break
    return model


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def _one_pass(model: onnx.ModelProto) -> None:
    graph = model.graph
    shapes = _shapes(model)
    outputs = {value.name for value in graph.output}
    known: dict[str, Known] = {w.name: numpy_helper.to_array(w) for w in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    made: dict[str, Known] = {}
    for node in graph.node:
        if node.op_type == "Constant":
            made[node.output[0]] = known[node.output[0]] = _constant(node)
            continue
        if node.op_type == "Reshape" and node.input[1] in known:
            _settle(node, known, made)
        value = _work_out(node, known, shapes)
        if value is not None:
            known[node.output[0]] = value
        if value is None or value.dtype == object or node.output[0] in outputs:
            nodes.append(node)
        else:
            made[node.output[0]] = value
    used = {name for node in nodes for name in node.input} | outputs
    weights = [w for w in graph.initializer if w.name in used and w.name not in made]
    weights += [numpy_helper.from_array(value, name) for name, value in made.items() if name in used]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(needed(nodes, outputs))
    graph.initializer.extend(weights)


def _constant(node: onnx.NodeProto) -> Known:
    value = helper.get_attribute_value(node.attribute[0])
    if isinstance(value, onnx.TensorProto):
        return np.asarray(numpy_helper.to_array(value))
    return np.asarray(value, np.float32 if node.attribute[0].name.startswith("value_float") else np.int64)


def _shapes(model: onnx.ModelProto) -> dict[str, list[int | None]]:
    """{value: its sides, None for what depends on N}, of values whose rank is known; large weights go by shape."""
    light = onnx.ModelProto()
    light.opset_import.extend(model.opset_import)
    light.ir_version = model.ir_version
    light.graph.node.extend(model.graph.node)
    light.graph.input.extend(model.graph.input)
    light.graph.output.extend(model.graph.output)
    for weight in model.graph.initializer:
        if int(np.prod(weight.dims)) <= SMALL:
            light.graph.initializer.append(weight)
        else:
            light.graph.input.append(helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims))
    graph = shape_inference.infer_shapes(light, data_prop=True).graph
    found: dict[str, list[int | None]] = {}
    for value in (*graph.value_info, *graph.input, *graph.output):
        kind = value.type.tensor_type
        if kind.HasField("shape"):
            found[value.name] = [d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim]
    return found


def _settle(node: onnx.NodeProto, known: dict[str, Known], made: dict[str, Known]) -> None:
    """Give a Reshape a fixed shape where one side alone depends on N: -1 says "whatever remains"."""
    shape = known[node.input[1]]
    if shape.dtype != object:
        return
    sides = list(shape)
    if sides.count(None) == 1 and all(side is None or side > 0 for side in sides):
        name = f"{node.output[0]}.shape"
        made[name] = known[name] = np.array([-1 if side is None else side for side in sides], np.int64)
        node.input[1] = name


def _work_out(node: onnx.NodeProto, known: Mapping[str, Known], shapes: Mapping[str, list[int | None]]) -> Known | None:
    """The value of the node's only output, if anything is known of it."""
    if len(node.output) != 1:
        return None
    if node.op_type == "Shape":
        return _sides(node, shapes)
    given = [known.get(name) for name in node.input if name]
    if not given or any(value is None for value in given):
        return None
    values = [value for value in given if value is not None]
    if any(value.dtype == object for value in values):
        return _partly(node, values)
    if node.op_type in NOT_FOLDED and values[0].size > SMALL:
        return None
    return _evaluate(node, dict(zip((name for name in node.input if name), values, strict=True)))


def _evaluate(node: onnx.NodeProto, values: dict[str, Known]) -> Known | None:
    """What the node makes of `values`; None where that is large, or cannot be worked out here."""
    given = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
        for name, v in values.items()
    ]
    graph = helper.make_graph([node], "one", given, [onnx.ValueInfoProto(name=node.output[0])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    try:
        (result,) = ReferenceEvaluator(model).run(None, values)
    except (NotImplementedError, RuntimeError, TypeError, ValueError):
        return None  # left to the runtime
    result = np.asarray(result)
    return result if result.size <= max(SMALL, *(value.size for value in values.values())) else None


def _sides(node: onnx.NodeProto, shapes: Mapping[str, list[int | None]]) -> Known | None:
    sides = shapes.get(node.input[0])
    if sides is None:
        return None
    span = {a.name: a.i for a in node.attribute}
    sides = sides[span.get("start", 0) : span.get("end", len(sides))]
    return np.array(sides, np.int64 if None not in sides else object)


def _partly(node: onnx.NodeProto, values: list[Known]) -> Known | None:
    """What becomes of sides of which some depend on N; None where that is not worth knowing."""
    first, *rest = values
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    result: Known
    if node.op_type == "Gather" and attributes.get("axis", 0) == 0 and rest[0].dtype != object:
        result = np.asarray(first[rest[0].astype(int)] if rest[0].ndim else np.array(first[int(rest[0])], object))
    elif node.op_type == "Slice" and all(v.dtype != object and v.size == 1 for v in rest):
        start, end, step = int(rest[0].item()), int(rest[1].item()), int(rest[3].item()) if len(rest) > 3 else 1
        result = first[start:end:step]
    elif node.op_type == "Concat" and all(value.ndim == 1 for value in values):
        result = np.concatenate([value.astype(object) for value in values])
    elif node.op_type == "Unsqueeze" and first.ndim == 0:
        result = first.reshape(1)
    elif node.op_type == "Squeeze" and first.size == 1:
        result = first.reshape(())
    elif node.op_type in ("Cast", "Identity"):
        result = first
    elif node.op_type in ("Add", "Sub", "Mul", "Div") and all(value.size == 1 for value in values):
        result = np.full(np.broadcast_shapes(*(value.shape for value in values)), None, object)
    else:
        return None
    if None not in result.reshape(-1).tolist():
        return np.asarray(result, np.int64)
    return np.asarray(result, object)

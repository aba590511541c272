"""A smaller file with the same answers: weights as whole numbers of 8 bits with one scale for each output."""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

LEVELS = 127  # of an int8 on each side of zero


def shrink(model: bytes, wanted: str = "") -> bytes:
    """The graph in `model` with 8-bit weights; everything is still computed in float32.

    Args:
        model: a serialised graph whose large weights are float16 and cast where they are used.
        wanted: part of the names of the weights to shrink; empty shrinks all.
    """
    proto = onnx.load_model_from_string(model)
    weights = {w.name: w for w in proto.graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in proto.graph.node:
        stored = weights.get(node.input[0]) if node.op_type == "Cast" else None
        if (
            stored is None
            or stored.data_type != TensorProto.FLOAT16
            or len(stored.dims) < 2
            or wanted not in stored.name
        ):
            nodes.append(node)
            continue
        whole, scale = _rounded(numpy_helper.to_array(stored).astype(np.float32))
        stored.CopyFrom(numpy_helper.from_array(whole, stored.name))
        proto.graph.initializer.append(numpy_helper.from_array(scale, f"{stored.name}.scale"))
        (made,) = node.output
        nodes.append(helper.make_node("Cast", [stored.name], [f"{made}.whole"], name=node.name, to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Mul", [f"{made}.whole", f"{stored.name}.scale"], [made], name=f"Mul:{made}"))
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    onnx.checker.check_model(proto)
    data: bytes = proto.SerializeToString(deterministic=True)
    return data


def _rounded(weight: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """`weight` as int8 and the scale of each output, its first axis."""
    largest = np.abs(weight).max(axis=tuple(range(1, weight.ndim)), keepdims=True)
    scale = np.maximum(largest / LEVELS, np.finfo(np.float32).tiny)
    return np.round(weight / scale).astype(np.int8), scale.astype(np.float32)

"""Graphs put together node by node."""

from collections.abc import Sequence, Set
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, compose, defs, helper, numpy_helper, version_converter

OPSET = 18  # the lowest that PyTorch writes; the bundled networks and models of before are opset 17

Shapes = dict[str, list[str | int]]  # of a graph's outputs: numbers, and names of what varies


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

    def include(self, model: onnx.ModelProto, *, prefix: str = "", pixels: str = "pixels") -> None:
        """Take over all nodes and weights of `model`, its names behind `prefix`, its input being the value `pixels`.

        A model of an earlier opset is raised to ours.
        """
        graph = _raised(model).graph
        graph = compose.add_prefix_graph(graph, prefix) if prefix else graph
        for node in graph.node:
            for i, source in enumerate(node.input):
                if source == f"{prefix}pixels":
                    node.input[i] = pixels
        self.nodes.extend(graph.node)
        self.weights.extend(graph.initializer)

    def finish(self, name: str, input_px: int, outputs: Shapes) -> onnx.ModelProto:
        """The model `pixels` (uint8, N×px×px×3) → float32 `outputs` {name: shape}, checked."""
        pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["N", input_px, input_px, 3])
        values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in outputs.items()]
        nodes = needed(self.nodes, set(outputs))
        used = {name for node in nodes for name in node.input}
        weights = [weight for weight in self.weights if weight.name in used]
        graph = helper.make_graph(nodes, name, [pixels], values, initializer=weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="tellapart")
        model.ir_version = 8  # what runtimes of 2022 and later read
        onnx.checker.check_model(model)
        return model


def _raised(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` with its operations as `OPSET` has them; itself where none of them has changed, which saves 0.2 s."""
    version = next(one.version for one in model.opset_import if one.domain in ("", "ai.onnx"))
    if version >= OPSET or all(defs.get_schema(n.op_type, OPSET).since_version <= version for n in model.graph.node):
        return model
    return version_converter.convert_version(model, OPSET)


def needed(nodes: Sequence[onnx.NodeProto], outputs: Set[str]) -> list[onnx.NodeProto]:
    """Those of `nodes` that the values `outputs` depend on, in order."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(node.input)
    return kept[::-1]

"""Graphs put together node by node."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tellapart.engine.builder import OPSET, GraphBuilder, needed


def mean_colour(scale=1.0):
    """pixels → their mean by channel, times `scale`; and the sum, which nothing needs."""
    builder = GraphBuilder()
    builder.add("Cast", ["pixels"], ["real"], to=TensorProto.FLOAT)
    axes = builder.constant("axes", np.array([1, 2], np.int64))
    builder.add("ReduceMean", ["real", axes], ["mean"], keepdims=0)
    builder.add("Mul", ["mean", builder.constant("scale", np.float32(scale))], ["colour"])
    builder.add("Add", ["mean", builder.constant("unused", np.ones(3, np.float32))], ["more"])
    return builder


def test_only_what_the_outputs_need_is_kept():
    proto = mean_colour().finish("colour", 4, {"colour": ["N", 3]})
    assert [node.output[0] for node in proto.graph.node] == ["real", "mean", "colour"]
    assert {weight.name for weight in proto.graph.initializer} == {"axes", "scale"}
    assert (proto.opset_import[0].version, proto.ir_version) == (OPSET, 8)


def test_a_graph_within_a_graph_has_names_of_its_own():
    inner = mean_colour(2.0).finish("colour", 4, {"colour": ["N", 3]})
    builder = mean_colour(1.0)
    builder.include(inner, prefix="inner.", pixels="pixels")
    builder.add("Sub", ["inner.colour", "colour"], ["both"])
    proto = builder.finish("both", 4, {"both": ["N", 3]})
    names = [node.output[0] for node in proto.graph.node]
    assert len(names) == len(set(names))
    assert {"mean", "inner.mean"} < set(names)
    assert [value.name for value in proto.graph.input] == ["pixels"]


def test_an_included_graph_may_see_another_value_than_the_pixels():
    builder = GraphBuilder()
    builder.add("Identity", ["pixels"], ["seen"])
    builder.include(mean_colour().finish("colour", 4, {"colour": ["N", 3]}), pixels="seen")
    proto = builder.finish("colour", 4, {"colour": ["N", 3]})
    assert [list(node.input) for node in proto.graph.node][:2] == [["pixels"], ["seen"]]


def test_an_earlier_opset_is_raised():
    value, mean = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("pixels", ["N", 3]), ("mean", ["N"]))
    )
    node = helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[1], keepdims=0)  # axes are an input since 18
    old = helper.make_model(
        helper.make_graph([node], "old", [value], [mean]), opset_imports=[helper.make_opsetid("", 17)]
    )
    builder = GraphBuilder()
    builder.include(old)
    [reduced] = [one for one in builder.nodes if one.op_type == "ReduceMean"]
    assert len(reduced.input) == 2


def test_nodes_come_in_order_and_a_wrong_graph_is_no_model():
    nodes = mean_colour().nodes
    assert needed(nodes, {"mean"}) == nodes[:2]
    builder = GraphBuilder()
    builder.add("Nonsense", ["pixels"], ["colour"])
    with pytest.raises(onnx.checker.ValidationError):
        builder.finish("colour", 4, {"colour": ["N", 3]})

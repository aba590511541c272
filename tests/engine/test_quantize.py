"""Rounding to 8 bits: near, idempotent, and what a model's graph computes with."""

import numpy as np
import onnx
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from tellapart.engine.backbone import QUALITIES
from tellapart.engine.quantize import rounded, whole
from tellapart.model.artifact import load_artifact

tables = arrays(np.float32, array_shapes(min_dims=2, max_dims=2), elements=st.floats(-1e3, 1e3, width=32))


@given(tables)
def test_rounded_rows_are_within_half_a_step(rows):
    numbers, scale = whole(rows)
    assert numbers.dtype == np.int8
    assert scale.shape == (len(rows), 1)
    assert (np.abs(rounded(rows) - rows) <= scale * 0.5001).all()


@given(tables)
def test_rounding_again_changes_no_number(rows):
    numbers, scale = whole(rows)
    again, scale_again = whole(rounded(rows))
    assert np.array_equal(numbers, again)
    assert np.allclose(scale, scale_again, rtol=1e-6)


def test_the_imagenet_head_is_what_the_graph_holds(model):
    graph = onnx.load_model_from_string(load_artifact(model).model).graph
    stored = {w.name: onnx.numpy_helper.to_array(w) for w in graph.initializer}
    (numbers,) = [values for name, values in stored.items() if name.endswith("imagenet.weight.stored")]
    (scale,) = [values for name, values in stored.items() if name.endswith("imagenet.scale")]
    assert numbers.dtype == stored["unknown.centres.stored"].dtype == np.int8
    assert np.array_equal(numbers * scale.T, QUALITIES["fast"].imagenet.weight)

"""The whole classifier as one graph: pixels in, calibrated probabilities out."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from onnx import TensorProto, load_model_from_string

from tellapart.classifier.ood import LOGIT_WEIGHT, Centres
from tellapart.classifier.probe import CalibratedHead
from tellapart.engine.backbone import Backbone
from tellapart.engine.builder import GraphBuilder, Shapes
from tellapart.engine.quantize import whole

SMALLEST_NORM = np.float32(np.finfo(np.float32).tiny)  # so that features of zero have a direction


def compose(backbone: Backbone, fitted: CalibratedHead, metadata: Mapping[str, Any]) -> bytes:
    """The whole classifier as one serialised graph.

    `pixels` (uint8, N×px×px×3, RGB) → `probs` (N, C) after temperature, `logits` (N, C) before it, `unknown_score`
    (N,), `features` (N, D), and what the backbone has of `feature_map` (N, D, h, w) and `imagenet_logits` (N, 1000),
    for what an unknown photo looks like.

    Args:
        backbone: what makes the features.
        fitted: head, temperature and centres.
        metadata: kept in the graph's metadata as JSON, so that the file alone is enough.
    """
    n_classes, d = fitted.head.weight.shape
    g = GraphBuilder()
    backbone.add_to(g)
    g.constant("head.weight", fitted.head.weight)
    g.constant("head.bias", fitted.head.bias)
    g.add("Gemm", ["features", "head.weight", "head.bias"], ["logits"], transB=1)
    g.constant("head.temperature", np.float32(fitted.temperature))
    g.add("Div", ["logits", "head.temperature"], ["logits.tempered"])
    g.add("Softmax", ["logits.tempered"], ["probs"], axis=1)
    _add_ood_score(g, fitted.centres, d)
    own: Shapes = {"probs": ["N", n_classes], "logits": ["N", n_classes], "unknown_score": ["N"]}
    shapes = own | backbone.outputs
    model = g.finish("tellapart", backbone.input_px, shapes)
    for key, value in metadata.items():
        model.metadata_props.add(key=f"tellapart.{key}", value=json.dumps(value, ensure_ascii=False))
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def with_metadata(model: bytes, metadata: Mapping[str, Any]) -> bytes:
    """The graph `model` with these entries of its metadata in place of those of the same names."""
    graph = load_model_from_string(model)
    changed = {f"tellapart.{key}": json.dumps(value, ensure_ascii=False) for key, value in metadata.items()}
    for entry in graph.metadata_props:
        entry.value = changed.pop(entry.key, entry.value)
    for key, value in changed.items():
        graph.metadata_props.add(key=key, value=value)
    data: bytes = graph.SerializeToString(deterministic=True)
    return data


def _add_ood_score(g: GraphBuilder, centres: Centres, d: int) -> None:
    """`unknown_score` = 1 - the largest cosine with a centre; classifier/ood.py says of what."""
    seen = "unknown.features"
    g.constant("unknown.axis", np.array([1], np.int64))
    if centres.imagenet is None:
        _add_direction(g, "features", seen)
    else:
        _add_direction(g, _first(g, centres.imagenet.weight.shape[1], d), seen)
        g.add("ReduceMean", ["imagenet_logits", "unknown.axis"], ["unknown.mean_logit"], keepdims=1)
        g.add("Sub", ["imagenet_logits", "unknown.mean_logit"], ["unknown.centred_logits"])
        _add_direction(g, "unknown.centred_logits", "unknown.logits")
        g.constant("unknown.logit_weight", LOGIT_WEIGHT)
        g.add("Mul", ["unknown.logits", "unknown.logit_weight"], ["unknown.weighted_logits"])
        g.add("Concat", [seen, "unknown.weighted_logits"], ["unknown.both"], axis=1)
        g.constant("unknown.length", np.hypot(np.float32(1), LOGIT_WEIGHT))
        g.add("Div", ["unknown.both", "unknown.length"], ["unknown.seen"])
        seen = "unknown.seen"
    numbers, scale = whole(centres.vectors)
    g.constant("unknown.centres.stored", np.ascontiguousarray(numbers.T))
    g.constant("unknown.centres.scale", scale.T)
    g.add("Cast", ["unknown.centres.stored"], ["unknown.centres"], to=TensorProto.FLOAT)
    g.constant("unknown.one", np.float32(1))
    g.add("MatMul", [seen, "unknown.centres"], ["unknown.products"])
    g.add("Mul", ["unknown.products", "unknown.centres.scale"], ["unknown.cosines"])
    g.add("ReduceMax", ["unknown.cosines", "unknown.axis"], ["unknown.nearest"], keepdims=0)
    g.add("Sub", ["unknown.one", "unknown.nearest"], ["unknown_score"])


def _first(g: GraphBuilder, n: int, d: int) -> str:
    """The name of the first `n` of all `d` features."""
    if n == d:
        return "features"
    for name, value in (("start", 0), ("end", n)):
        g.constant(f"unknown.{name}", np.array([value], np.int64))
    g.add("Slice", ["features", "unknown.start", "unknown.end", "unknown.axis"], ["unknown.part"])
    return "unknown.part"


def _add_direction(g: GraphBuilder, values: str, direction: str) -> None:
    """`direction` = `values` scaled to length 1."""
    g.constant(f"{direction}.smallest", SMALLEST_NORM)
    g.add("ReduceL2", [values, "unknown.axis"], [f"{direction}.norm"], keepdims=1)
    g.add("Max", [f"{direction}.norm", f"{direction}.smallest"], [f"{direction}.safe_norm"])
    g.add("Div", [values, f"{direction}.safe_norm"], [direction])

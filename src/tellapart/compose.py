"""The whole classifier as one graph: pixels in, calibrated probabilities out."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from tellapart.engine.backbone import Backbone, GraphBuilder, add_backbone
from tellapart.probe import FittedProbe

SMALLEST_NORM = np.float32(np.finfo(np.float32).tiny)  # so that features of zero have a direction


def compose(backbone: Backbone, fitted: FittedProbe, metadata: Mapping[str, Any]) -> bytes:
    """The whole classifier as one serialised graph.

    `pixels` (uint8, N×px×px×3, RGB) → `probs` (N, C) after temperature, `logits` (N, C) before it, `unknown_score`
    (N,), `features` (N, D), `feature_map` (N, D, h, w).

    Args:
        backbone: what makes the features.
        fitted: head, temperature and centres.
        metadata: kept in the graph's metadata as JSON, so that the file alone is enough.
    """
    n_classes, d = fitted.head.weight.shape
    g = GraphBuilder()
    add_backbone(g, backbone)
    g.constant("head.weight", fitted.head.weight)
    g.constant("head.bias", fitted.head.bias)
    g.add("Gemm", ["features", "head.weight", "head.bias"], ["logits"], transB=1)
    g.constant("head.temperature", np.float32(fitted.temperature))
    g.add("Div", ["logits", "head.temperature"], ["logits.tempered"])
    g.add("Softmax", ["logits.tempered"], ["probs"], axis=1)
    _add_unknown_score(g, fitted.centres)
    shapes: dict[str, list[str | int]] = {
        "probs": ["N", n_classes],
        "logits": ["N", n_classes],
        "unknown_score": ["N"],
        "features": ["N", d],
        "feature_map": ["N", d, "h", "w"],
    }
    model = g.finish("tellapart", backbone.input_px, shapes)
    for key, value in metadata.items():
        model.metadata_props.add(key=f"tellapart.{key}", value=json.dumps(value, ensure_ascii=False))
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _add_unknown_score(g: GraphBuilder, centres: np.ndarray[Any, Any]) -> None:
    """`unknown_score` = 1 - max over centres of the cosine with `features`."""
    g.constant("unknown.centres", np.ascontiguousarray(centres.T))
    g.constant("unknown.smallest", SMALLEST_NORM)
    g.constant("unknown.one", np.float32(1))
    g.add("ReduceL2", ["features"], ["unknown.norm"], axes=[1], keepdims=1)
    g.add("Max", ["unknown.norm", "unknown.smallest"], ["unknown.safe_norm"])
    g.add("Div", ["features", "unknown.safe_norm"], ["unknown.direction"])
    g.add("MatMul", ["unknown.direction", "unknown.centres"], ["unknown.cosines"])
    g.add("ReduceMax", ["unknown.cosines"], ["unknown.nearest"], axes=[1], keepdims=0)
    g.add("Sub", ["unknown.one", "unknown.nearest"], ["unknown_score"])

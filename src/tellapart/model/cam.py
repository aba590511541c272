"""Where in a photo the head found what speaks for a class: a class-activation map, and a picture of it to lay over."""

import base64
import io

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from PIL import Image

from tellapart.engine.graph_rules import HEAD
from tellapart.engine.head import Head

BIAS = "head.bias"  # what compose.py calls it
FEATURE_MAP = "feature_map"  # what compose.py calls the map
COLOUR = (255, 80, 0)  # an orange that is seen on most photos
STRONGEST = 200  # of 255: the opacity where the activation is 1, so that the photo is still seen below
LEVELS = 32  # of opacity; fewer make the file a third as large, and nobody sees the steps


def head_weight(model: bytes) -> NDArray[np.float32] | None:
    """The head's weights (C, D) in the serialised graph `model`; None for a graph without such a head."""
    stored = next((w for w in onnx.load_model_from_string(model).graph.initializer if w.name == HEAD), None)
    return None if stored is None else numpy_helper.to_array(stored).astype(np.float32)


def head_of(model: bytes) -> Head:
    """The head in the serialised graph `model`, which is one of ours."""
    stored = {w.name: w for w in onnx.load_model_from_string(model).graph.initializer}
    weight, bias = (numpy_helper.to_array(stored[name]).astype(np.float32) for name in (HEAD, BIAS))
    return Head(weight, bias)


def has_heatmap(model: bytes) -> bool:
    """Whether the serialised graph `model` gives what a heatmap is drawn of: the map whose mean its features are."""
    return head_weight(model) is not None and any(
        value.name == FEATURE_MAP for value in onnx.load_model_from_string(model).graph.output
    )


def for_class(weight: NDArray[np.float32], label: int) -> NDArray[np.float32]:
    """The (D,) weights that speak for class `label` against the others, from the head's weights (C, D).

    Probabilities do not change when the same vector is added to every class's weights, so what all classes share says
    nothing about one of them; it is taken out.
    """
    row: NDArray[np.float32] = weight[label] - weight.mean(axis=0)
    return row


def class_activation(feature_map: NDArray[np.float32], weight_row: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much each cell speaks for a class: (h, w) in [0, 1], the strongest cell 1, cells that speak against it 0.

    All 0 where no cell speaks for the class.

    Args:
        feature_map: (D, h, w); the features are its mean over h and w.
        weight_row: (D,), what the class weighs each feature with.

    Source: Zhou, Khosla, Lapedriza, Oliva and Torralba, Learning Deep Features for Discriminative Localization, CVPR
    2016, section 2.
    """
    evidence = np.tensordot(weight_row, feature_map, axes=1).clip(0)
    strongest = evidence.max(initial=0)
    activation: NDArray[np.float32] = (evidence / strongest if strongest > 0 else evidence).astype(np.float32)
    return activation


def heatmap_png(activation: NDArray[np.float32], side_px: int) -> bytes:
    """A PNG to lay over the (side_px, side_px) square that the model sees: RGBA, the more opaque the stronger.

    Args:
        activation: (h, w) in [0, 1].
        side_px: px, the side of the model's input.
    """
    cells = Image.fromarray(activation.astype(np.float32))
    smooth = np.asarray(cells.resize((side_px, side_px), Image.Resampling.BICUBIC)).clip(0, 1)
    opacity = np.rint(smooth * (LEVELS - 1)) * (STRONGEST / (LEVELS - 1))
    overlay = np.empty((side_px, side_px, 4), np.uint8)
    overlay[..., :3] = COLOUR
    overlay[..., 3] = np.rint(opacity)
    buffer = io.BytesIO()
    Image.fromarray(overlay).save(buffer, "PNG")
    return buffer.getvalue()


def data_uri(png: bytes) -> str:
    """The PNG as a text that a page shows without asking anyone."""
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"

"""The classifier for browsers: a decoded photo of any size in, so that no page has to know how to resize.

Pillow's antialiased bilinear filter is written out as two weighted sums, one for each axis. ONNX has
an operation for it, `Resize` with `antialias`, which runtimes understand differently: OpenVINO's pixels were 44 of 255
off on average (version 2026.4). What stands here is arithmetic that every runtime does alike.
"""

from functools import cache

import numpy as np
import onnx
from onnx import TensorProto, helper
from PIL import Image

from tellapart.data.preprocess import Preprocess
from tellapart.engine.builder import OPSET, GraphBuilder
from tellapart.model.cam import has_heatmap

PHOTO = "photo"  # the input: (H, W, 3) uint8 RGB
HEATMAP = "heat"  # how much each cell of the feature map speaks for the likeliest class, (h, w)
UNIT = 2**22  # of Pillow's weights, which are whole numbers
TURN = [1, 0, 2]  # rows become columns
OUTPUTS = ("probs", "unknown_score", "imagenet_logits")


def web_graph(model: bytes, preprocessing: Preprocess) -> bytes:
    """The graph in `model` with its preprocessing in front.

    `photo` (uint8, H×W×3, RGB, upright) → `pixels` (1, px, px, 3) uint8, `probs` (1, C), `unknown_score` (1,), and
    `imagenet_logits` (1, 1000) and `heat` (h, w) where the model has them, or the map that the heatmap is made of.
    """
    original = onnx.load_model_from_string(model)
    g = GraphBuilder()
    _add_preprocess(g, preprocessing)
    g.include(original)
    heated = has_heatmap(model)
    if heated:
        _add_heatmap(g)
    outputs = [_plain(value) for value in original.graph.output if value.name in OUTPUTS]
    px = preprocessing.input_px
    outputs.append(helper.make_tensor_value_info("pixels", TensorProto.UINT8, [1, px, px, 3]))
    if heated:
        outputs.append(helper.make_tensor_value_info(HEATMAP, TensorProto.FLOAT, ["h", "w"]))
    photo = helper.make_tensor_value_info(PHOTO, TensorProto.UINT8, ["H", "W", 3])
    graph = helper.make_graph(g.nodes, "tellapart-web", [photo], outputs, initializer=g.weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="tellapart")
    made.ir_version = original.ir_version
    onnx.checker.check_model(made)
    data: bytes = made.SerializeToString(deterministic=True)
    return data


def _plain(value: onnx.ValueInfoProto) -> onnx.ValueInfoProto:
    """The same output for exactly one photo."""
    dims = [d.dim_value or d.dim_param for d in value.type.tensor_type.shape.dim]
    return helper.make_tensor_value_info(value.name, value.type.tensor_type.elem_type, [1, *dims[1:]])


def _add_preprocess(g: GraphBuilder, preprocessing: Preprocess) -> None:
    """`photo` → `pixels`, as data/preprocess.py does it, in the order of Pillow's two passes."""
    px = preprocessing.input_px
    numbers = {"zero": 0, "half": 0.5, "one": 1, "two": 2, "px": px, "unit": UNIT, "part": 1 / UNIT}
    for name, value in numbers.items():
        g.constant(f"pre.{name}", np.float64(value))
    g.constant("pre.steps", np.arange(px)[:, None] + 0.5)
    g.add("Shape", [PHOTO], ["pre.shape"])
    g.add("Cast", ["pre.shape"], ["pre.sizes"], to=TensorProto.DOUBLE)
    for i, axis in enumerate(("height", "width")):
        g.constant(f"pre.{axis}.which", np.int64(i))
        g.add("Gather", ["pre.sizes", f"pre.{axis}.which"], [f"pre.{axis}"])
        g.add("Sub", [f"pre.{axis}", "pre.px"], [f"pre.{axis}.more"])
    g.add("Min", ["pre.height", "pre.width"], ["pre.side"])
    _add_order(g)
    g.constant("pre.lines", np.array([0, -1], np.int64))
    g.add("Reshape", ["pre.lying", "pre.lines"], ["pre.first.flat"])
    _add_sums(g, "first", "pre.first.flat", preprocessing)  # (px, n*3)
    g.constant("pre.apart", np.array([px, -1, 3], np.int64))
    g.add("Reshape", ["pre.first.sums", "pre.apart"], ["pre.halfway"])
    g.add("Transpose", ["pre.halfway"], ["pre.halfway.turned"], perm=TURN)  # (n, px, 3)
    g.add("Reshape", ["pre.halfway.turned", "pre.lines"], ["pre.second.flat"])
    _add_sums(g, "second", "pre.second.flat", preprocessing)  # (px, px*3)
    g.add("Reshape", ["pre.second.sums", "pre.apart"], ["pre.whole"])
    g.add("Transpose", ["pre.whole"], ["pre.whole.turned"], perm=TURN)
    g.add("Where", ["pre.rows_first", "pre.whole.turned", "pre.whole"], ["pre.upright"])
    g.constant("pre.square", np.array([1, px, px, 3], np.int64))
    g.add("Reshape", ["pre.upright", "pre.square"], ["pre.batch"])
    g.add("Cast", ["pre.batch"], ["pixels"], to=TensorProto.UINT8)


def _add_order(g: GraphBuilder) -> None:
    """`pre.lying`: the photo with the axis that is summed first in front; `pre.first` and `pre.second`, their sizes.

    Pillow sums over columns first; from version 13 on over rows, when they lose more than twice as many lines as the
    columns do. Between the passes it rounds to whole numbers, so the order shows: in the wrong one, a probability of
    200 photos moved by up to 0.03.
    """
    if not pillow_turns():
        g.constant("pre.rows_first", np.bool_(False))
        g.add("Identity", ["pre.width"], ["pre.first"])
        g.add("Identity", ["pre.height"], ["pre.second"])
        g.add("Transpose", [PHOTO], ["pre.lying"], perm=TURN)
        return
    g.add("Mul", ["pre.width.more", "pre.two"], ["pre.width.twice"])
    g.add("Max", ["pre.width.twice", "pre.zero"], ["pre.width.least"])
    g.add("Greater", ["pre.height.more", "pre.width.least"], ["pre.rows_first"])
    g.add("Where", ["pre.rows_first", "pre.height", "pre.width"], ["pre.first"])
    g.add("Where", ["pre.rows_first", "pre.width", "pre.height"], ["pre.second"])
    as_it_is = helper.make_node("Identity", [PHOTO], ["pre.as_it_is"])
    turned = helper.make_node("Transpose", [PHOTO], ["pre.turned"], perm=TURN)
    g.add(
        "If",
        ["pre.rows_first"],
        ["pre.lying"],
        then_branch=_branch(as_it_is, "pre.as_it_is"),
        else_branch=_branch(turned, "pre.turned"),
    )


@cache
def pillow_turns() -> bool:
    """Whether the Pillow that is installed sums over the rows of a tall image first."""
    tall = np.random.default_rng(0).integers(0, 256, (64, 16, 3), dtype=np.uint8)
    small, photo = (8, 8), Image.fromarray(tall)
    at_once = photo.resize(small, Image.Resampling.BILINEAR)
    columns_first = photo.resize((8, 64), Image.Resampling.BILINEAR).resize(small, Image.Resampling.BILINEAR)
    return not np.array_equal(np.asarray(at_once), np.asarray(columns_first))


def _branch(node: onnx.NodeProto, output: str) -> onnx.GraphProto:
    value = helper.make_tensor_value_info(output, TensorProto.UINT8, [None, None, 3])
    return helper.make_graph([node], output, [], [value])


def _add_sums(g: GraphBuilder, axis: str, lines: str, preprocessing: Preprocess) -> None:
    """`pre.AXIS.sums` (px, M), the weighted sums over the first axis of `lines` (n, M), rounded to whole numbers.

    Output i is centred at b + (i + ½)·s, where the box that is kept starts at b and holds s lines for each output.
    Line j weighs 1 - |j + ½ - centre| / max(s, 1), or nothing where that is negative; weights then add up to 1, and
    are rounded to multiples of 1 / `UNIT`. Float64 holds all of it exactly.
    """

    def name(part: str) -> str:
        return f"pre.{axis}.{part}"

    size, px = f"pre.{axis}", preprocessing.input_px
    box = "pre.side" if preprocessing.resize_mode == "crop" else size
    g.add("Sub", [size, box], [name("spare")])
    g.add("Mul", [name("spare"), "pre.half"], [name("start")])
    g.add("Div", [box, "pre.px"], [name("scale")])
    g.add("Max", [name("scale"), "pre.one"], [name("reach")])
    g.add("Mul", ["pre.steps", name("scale")], [name("offsets")])
    g.add("Add", [name("offsets"), name("start")], [name("centres")])  # (px, 1)
    g.add("Sub", [name("centres"), name("reach")], [name("from")])
    g.add("Add", [name("from"), "pre.half"], [name("from.rounded")])
    g.add("Floor", [name("from.rounded")], [name("from.whole")])
    g.add("Max", [name("from.whole"), "pre.zero"], [name("first")])
    # As many lines as the widest sum needs: 2·reach, rounded up, and one.
    g.add("Ceil", [name("reach")], [name("reach.whole")])
    g.add("Mul", [name("reach.whole"), "pre.two"], [name("reach.both")])
    g.add("Add", [name("reach.both"), "pre.one"], [name("taps")])
    g.add("Range", ["pre.zero", name("taps"), "pre.one"], [name("tap")])  # (K,)
    g.add("Add", [name("first"), name("tap")], [name("lines")])  # (px, K)
    g.add("Add", [name("lines"), "pre.half"], [name("middles")])
    g.add("Sub", [name("middles"), name("centres")], [name("away")])
    g.add("Abs", [name("away")], [name("distance")])
    g.add("Reciprocal", [name("reach")], [name("slope")])
    g.add("Mul", [name("distance"), name("slope")], [name("share")])
    g.add("Sub", ["pre.one", name("share")], [name("triangle")])
    g.add("Relu", [name("triangle")], [name("raw")])
    g.add("Less", [name("lines"), size], [name("inside")])
    g.add("Where", [name("inside"), name("raw"), "pre.zero"], [name("kept")])
    g.constant(name("last_axis"), np.array([1], np.int64))
    g.add("ReduceSum", [name("kept"), name("last_axis")], [name("total")], keepdims=1)
    g.add("Div", [name("kept"), name("total")], [name("exact")])
    g.add("Mul", [name("exact"), "pre.unit"], [name("exact.units")])
    g.add("Add", [name("exact.units"), "pre.half"], [name("exact.up")])
    g.add("Floor", [name("exact.up")], [name("weights")])
    g.add("Sub", [size, "pre.one"], [name("last")])
    g.add("Min", [name("lines"), name("last")], [name("lines.safe")])
    g.add("Cast", [name("lines.safe")], [name("index")], to=TensorProto.INT64)
    g.add("Gather", [lines, name("index")], [name("gathered")], axis=0)  # (px, K, M)
    g.add("Cast", [name("gathered")], [name("values")], to=TensorProto.DOUBLE)
    g.add("Unsqueeze", [name("weights"), name("last_axis")], [name("weights.row")])  # (px, 1, K)
    g.add("MatMul", [name("weights.row"), name("values")], [name("summed")])  # (px, 1, M)
    g.add("Mul", [name("summed"), "pre.part"], [name("summed.parts")])
    g.add("Add", [name("summed.parts"), "pre.half"], [name("summed.up")])
    g.add("Floor", [name("summed.up")], [name("rounded")])
    g.constant(name("two_axes"), np.array([px, -1], np.int64))
    g.add("Reshape", [name("rounded"), name("two_axes")], [name("sums")])


def _add_heatmap(g: GraphBuilder) -> None:
    """`heat` (h, w): how much each cell of the feature map speaks for the likeliest class; model.cam says of what.

    What all classes share is taken out of its weights, and cells that speak against it are below 0.
    """
    g.add("ArgMax", ["logits"], ["heat.winner"], axis=1, keepdims=0)
    g.add("Gather", ["head.weight", "heat.winner"], ["heat.own"], axis=0)  # (1, D)
    g.constant("heat.rows", np.array([0], np.int64))
    g.add("ReduceMean", ["head.weight", "heat.rows"], ["heat.shared"], keepdims=1)
    g.add("Sub", ["heat.own", "heat.shared"], ["heat.weights"])
    g.add("Shape", ["feature_map"], ["heat.shape"])
    g.constant("heat.cells", np.array([2, 3], np.int64))
    g.add("Gather", ["heat.shape", "heat.cells"], ["heat.size"])
    g.constant("heat.flat", np.array([0, 0, -1], np.int64))
    g.add("Reshape", ["feature_map", "heat.flat"], ["heat.map"])  # (1, D, h*w)
    g.add("MatMul", ["heat.weights", "heat.map"], ["heat.row"])  # (1, 1, h*w)
    g.add("Reshape", ["heat.row", "heat.size"], [HEATMAP])

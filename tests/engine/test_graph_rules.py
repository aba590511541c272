"""Graphs of strangers, hashes right: none ends or stops the program that names the model, none answers nonsense.

Run as a script, it is the child that tries spoiled graphs one after the other: FOLDER SEED FIRST LAST.
"""

import io
import json
import os
import random
import shutil
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from tellapart.engine import trial
from tellapart.engine.graph_rules import ALLOWED_OPS, MAX_ELEMENTS, MAX_NODES, MAX_VALUES, most_values, refuse_unsafe
from tellapart.errors import ArtifactError, TellapartError
from tellapart.export.bundle import ModelSource
from tellapart.export.graphs import any_runtime, cannot_run
from tellapart.export.photos import ProofPhoto
from tellapart.export.proof import prove
from tellapart.export.single_file import onnx_file, openvino_files
from tellapart.export.web_graph import web_graph
from tellapart.model.artifact import (
    EVALUATION,
    MANIFEST,
    MODEL,
    TRAINED_ON,
    facts_of,
    load_artifact,
    seal,
    sha256,
    to_json,
)
from tellapart.model.cam import head_weight
from tellapart.model.explain import _early_layers, _map_names, first_filters
from tellapart.model.prediction import Predictor, load
from tellapart.timing import no_progress

OLD = Path(__file__).parents[1] / "artifacts" / "format-1"
PX = 16
LONGEST_S = 100  # for one graph, refused or answered, on a machine that does other work too
ODD = (-1, 0, 1, 2, 3, 7, 255, 65_536, 2**31 - 1, 2**31, -(2**31), 2**40, 2**62, -(2**63))


def colours():
    """The graph of the oldest model: a classifier by mean colour of 16 x 16 pixels, three classes."""
    return onnx.load(OLD / MODEL)


def written(folder, proto, **changes):
    """A model folder around the graph, properly sealed."""
    manifest = json.loads((OLD / MANIFEST).read_bytes()) | changes
    del manifest["files"]
    data = proto if isinstance(proto, bytes) else proto.SerializeToString()
    evaluation = to_json({"headline": "18 of 20 test photos right."})
    files = seal(manifest, {MODEL: data, TRAINED_ON: b"", EVALUATION: evaluation})
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def refusal(folder):
    """What is said about the folder, and how long that took."""
    started = time.monotonic()
    with pytest.raises(ArtifactError) as caught:
        load_artifact(folder)
    return caught.value.message, time.monotonic() - started


def constant(proto, name, values):
    proto.graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
    return name


def before_softmax(proto, *nodes, last):
    """`nodes` put before the softmax, and the value `last` added to what it gets."""
    at = next(i for i, node in enumerate(proto.graph.node) if node.op_type == "Softmax")
    rest = list(proto.graph.node)[at:]
    given = rest[0].input[0]
    del proto.graph.node[at:]
    proto.graph.node.extend(nodes)
    proto.graph.node.append(helper.make_node("Add", [given, last], ["spoiled.logits"]))
    rest[0].input[0] = "spoiled.logits"
    proto.graph.node.extend(rest)
    return proto


def test_a_small_file_cannot_ask_for_a_gigabyte(tmp_path):
    proto = colours()
    constant(proto, "side", np.array([16_000, 16_000], np.int64))
    nodes = [
        helper.make_node("Constant", [], ["zero"], value=numpy_helper.from_array(np.zeros((1, 1), np.float32))),
        helper.make_node("Expand", ["zero", "side"], ["large"]),
        helper.make_node("ReduceMean", ["large"], ["mean"], keepdims=0),
    ]
    message, seconds = refusal(written(tmp_path / "m", before_softmax(proto, *nodes, last="mean")))
    assert message == "The model's graph makes a tensor of 256,000,000 numbers, more than a model of ours has."
    assert seconds < 2


def test_nor_by_a_shape_that_it_computes(tmp_path):
    proto = colours()
    constant(proto, "root", np.array([2_000], np.int64))
    constant(proto, "zero", np.zeros((1, 1), np.float32))
    nodes = [
        helper.make_node("Mul", ["root", "root"], ["square"]),
        helper.make_node("Concat", ["square", "square"], ["side"], axis=0),
        helper.make_node("Expand", ["zero", "side"], ["large"]),
        helper.make_node("ReduceMean", ["large"], ["mean"], keepdims=0),
    ]
    message, _ = refusal(written(tmp_path / "m", before_softmax(proto, *nodes, last="mean")))
    assert message.startswith("The model's graph ")


@pytest.mark.parametrize(("side", "refused"), [(8_000, True), (5_500, False)])
def test_nor_for_a_quarter_of_one(tmp_path, side, refused):
    """A value may have what networks of this input have, not what the file could ask for; both sides of the limit."""
    proto = colours()
    constant(proto, "side", np.array([side, side], np.int64))
    nodes = [
        helper.make_node("ReduceMean", ["features"], ["seen"], keepdims=0),
        helper.make_node("Expand", ["seen", "side"], ["large"]),
        helper.make_node("ReduceMean", ["large"], ["mean"], keepdims=0),
    ]
    folder = written(tmp_path / "m", before_softmax(proto, *nodes, last="mean"))
    if refused:
        assert refusal(folder)[0] == "The model's graph has values too large for it."
    else:
        assert load_artifact(folder).class_names


def test_networks_of_large_photos_and_of_large_weights_have_room():
    proto = colours()
    assert most_values(proto, 16) == most_values(proto, 224) == MAX_VALUES
    assert most_values(proto, 518) > 24 * 1370**2  # the attention of DINOv2's largest
    assert most_values(proto, 2048) == MAX_ELEMENTS
    weight = proto.graph.initializer.add(name="of VGG16", data_type=TensorProto.FLOAT16, dims=[4096, 25_088])
    assert most_values(proto, 224) == np.prod(weight.dims)


def test_nor_by_doubling(tmp_path):
    proto = colours()
    nodes, last = [helper.make_node("Cast", ["pixels"], ["doubled0"], to=TensorProto.FLOAT)], "doubled0"
    for i in range(1, 25):
        nodes.append(helper.make_node("Concat", [last, last], [f"doubled{i}"], axis=0))
        last = f"doubled{i}"
    nodes.append(helper.make_node("ReduceMean", [last], ["mean"], keepdims=0))
    message, _ = refusal(written(tmp_path / "m", before_softmax(proto, *nodes, last="mean")))
    assert message == "The model's graph has values too large for it."


def test_nor_by_a_shape_that_a_photo_chooses(tmp_path):
    """Harmless with every image of the trial: the size is the first pixel's value."""
    proto = colours()
    constant(proto, "zero", np.zeros(1, np.float32))
    constant(proto, "at", np.array([0], np.int64))
    constant(proto, "all", np.array([-1], np.int64))
    nodes = [
        helper.make_node("Reshape", ["pixels", "all"], ["row"]),
        helper.make_node("Gather", ["row", "at"], ["first"]),
        helper.make_node("Cast", ["first"], ["size"], to=TensorProto.INT64),
        helper.make_node("Expand", ["zero", "size"], ["large"]),
        helper.make_node("ReduceSum", ["large"], ["sum"], keepdims=0),
    ]
    message, _ = refusal(written(tmp_path / "m", before_softmax(proto, *nodes, last="sum")))
    assert message == "The model's graph has values too large for it."


@pytest.mark.parametrize("n", [MAX_NODES + 1, 60_000, 3_000_000])
def test_a_crowd_of_operations_is_refused_at_once(tmp_path, n):
    proto = colours()
    if n > 100_000:  # records of two bytes; each would take a hundred in memory
        data = proto.SerializeToString() + b"\x3a" + bytes(varint(2 * n)) + b"\x0a\x00" * n
    else:
        nodes = [helper.make_node("Identity", [f"i{k - 1}" if k else "zero"], [f"i{k}"]) for k in range(n)]
        constant(proto, "zero", np.zeros((1, 1), np.float32))
        data = before_softmax(proto, *nodes, last=f"i{n - 1}").SerializeToString()
    message, seconds = refusal(written(tmp_path / "m", data))
    assert message == "The model's graph has more than 5,000 operations, more than a model of ours has."
    assert seconds < 2


def varint(value):
    while value > 0x7F:
        yield value & 0x7F | 0x80
        value >>= 7
    yield value


def test_a_crowd_of_anything_else_is_too():
    data = colours().SerializeToString()
    texts = data + b"\x3a" + bytes(varint(400_000)) + b"\x52\x00" * 200_000
    with pytest.raises(ArtifactError, match="has more than 100,000 records"):
        refuse_unsafe(texts)
    with pytest.raises(ArtifactError, match="has 9 MB besides its weights"):
        refuse_unsafe(data + b"\x32" + bytes(varint(9_000_000)) + b" " * 9_000_000)


def changed(change):
    proto = colours()
    change(proto)
    return proto


def first(proto, op):
    return next(node for node in proto.graph.node if node.op_type == op)


def weight_of(proto):
    return next(w for w in proto.graph.initializer if len(w.dims) == 2)


BROKEN = {
    "feeds itself": lambda p: p.graph.node[3].input.__setitem__(0, p.graph.node[3].output[0]),
    "circle of two": lambda p: p.graph.node[1].input.__setitem__(0, p.graph.node[2].output[0]),
    "value from nowhere": lambda p: p.graph.node[1].input.__setitem__(0, "nowhere"),
    "value from two places": lambda p: p.graph.node[2].output.__setitem__(0, p.graph.node[1].output[0]),
    "weight called pixels": lambda p: setattr(p.graph.initializer[0], "name", "pixels"),
    "convolution of one input": lambda p: setattr(first(p, "Cast"), "op_type", "Conv"),
    "attribute missing": lambda p: first(p, "Cast").ClearField("attribute"),
    "attribute of another type": lambda p: (first(p, "Cast").attribute[0].ClearField("i"),
                                            setattr(first(p, "Cast").attribute[0], "type", 3)),
    "attribute unknown": lambda p: first(p, "Softmax").attribute.append(helper.make_attribute("body", 1)),
    "too little data": lambda p: setattr(weight_of(p), "raw_data", weight_of(p).raw_data[:-1]),
    "too much data": lambda p: setattr(weight_of(p), "raw_data", weight_of(p).raw_data + b"\0"),
    "no data": lambda p: weight_of(p).ClearField("raw_data"),
    "negative side": lambda p: weight_of(p).dims.__setitem__(0, -3),
    "ten dimensions": lambda p: weight_of(p).dims.extend([1] * 8),
}  # fmt: skip
FOREIGN = {
    "other opset": lambda p: setattr(p.opset_import[0], "version", 9),
    "two opsets": lambda p: p.opset_import.append(p.opset_import[0]),
    "texts": lambda p: setattr(weight_of(p), "data_type", TensorProto.STRING),
    "complex numbers": lambda p: setattr(weight_of(p), "data_type", TensorProto.COMPLEX64),
    "type that does not exist": lambda p: setattr(weight_of(p), "data_type", 999),
    "float pixels": lambda p: setattr(p.graph.input[0].type.tensor_type, "elem_type", TensorProto.FLOAT),
    "other side": lambda p: setattr(p.graph.input[0].type.tensor_type.shape.dim[1], "dim_value", 32),
    "unknown output": lambda p: p.graph.output.append(
        helper.make_tensor_value_info(p.graph.node[0].output[0], TensorProto.FLOAT, ["N", PX, PX, 3])),
    "integer answers": lambda p: setattr(p.graph.output[0].type.tensor_type, "elem_type", TensorProto.INT64),
    "sparse weight": lambda p: p.graph.sparse_initializer.add(),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_graph_reaches_no_engine(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(trial, "_run", None)  # would raise TypeError if it were asked
    message, _ = refusal(written(tmp_path / "m", changed(BROKEN[kind])))
    assert message == "The model's graph is not put together as a graph must be."


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_is_not_like_ours_reaches_no_engine(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(trial, "_run", None)
    message, _ = refusal(written(tmp_path / "m", changed(FOREIGN[kind])))
    assert message == "The model's graph is not one of ours."


@pytest.mark.parametrize("name", [b"Softmax", b"logits", b"probs", b"axis"])
def test_names_that_are_no_text(tmp_path, name):
    data = colours().SerializeToString()
    assert data.count(name)
    message, _ = refusal(written(tmp_path / "m", data.replace(name, b"\xff" * len(name))))
    assert message.startswith("The model's graph ")
    assert message.isprintable()


def test_a_constant_that_says_it_is_huge(tmp_path):
    proto = changed(lambda p: (weight_of(p).dims.__setitem__(0, 2**20), weight_of(p).dims.__setitem__(1, 2**20)))
    assert MAX_ELEMENTS < 2**40
    message, _ = refusal(written(tmp_path / "m", proto))
    assert message == "The model's graph has a constant of 1,099,511,627,776 numbers, more than a model of ours has."


def with_a_nan(proto):
    values = numpy_helper.to_array(weight_of(proto)).copy()
    values[0, 0] = np.nan
    weight_of(proto).CopyFrom(numpy_helper.from_array(values, weight_of(proto).name))
    return proto


def test_weights_that_are_no_numbers(tmp_path):
    """Our engine takes the smaller of NaN and a bound to be the bound, and answers; others say NaN."""
    message, _ = refusal(written(tmp_path / "m", with_a_nan(colours())))
    assert message == "The model's graph has weights that are no numbers."


NONSENSE = {
    "NaN": lambda p: before_softmax(p, helper.make_node("Sqrt", [constant(p, "minus", np.float32(-1))], ["nan"]),
                                    last="nan"),
    "sum of two": lambda p: (setattr(first(p, "Softmax"), "op_type", "Sigmoid"),
                             first(p, "Sigmoid").ClearField("attribute")),
    "infinite score": lambda p: p.graph.node.extend([]) or setattr(
        next(w for w in p.graph.initializer if not w.dims and numpy_helper.to_array(w) == 1), "raw_data",
        np.float32(np.inf).tobytes()),
}  # fmt: skip


@pytest.mark.parametrize("kind", NONSENSE)
def test_answers_that_are_no_probabilities_are_refused_when_loaded(tmp_path, kind):
    message, _ = refusal(written(tmp_path / "m", changed(NONSENSE[kind])))
    assert message == "The model's graph answers with numbers that are no probabilities."


def test_or_when_a_photo_brings_them_out(tmp_path):
    """NaN for a photo whose first value is 100 alone, which the trial does not show it."""
    proto = colours()
    for name, values in (("at", [0]), ("all", [-1])):
        constant(proto, name, np.array(values, np.int64))
    constant(proto, "hundred", np.array([100], np.float32))
    nodes = [
        helper.make_node("Reshape", ["pixels", "all"], ["row"]),
        helper.make_node("Gather", ["row", "at"], ["first"]),
        helper.make_node("Cast", ["first"], ["value"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["value", "hundred"], ["off"]),
        helper.make_node("Div", ["off", "off"], ["ratio"]),
    ]
    model = written(tmp_path / "m", before_softmax(proto, *nodes, last="ratio"))
    predictor = load(model)
    assert predictor.predict(np.full((20, 20, 3), 40, np.uint8)).answer
    with pytest.raises(ArtifactError, match="numbers that are no probabilities"):
        predictor.predict(np.full((20, 20, 3), 100, np.uint8))


def test_what_leads_nowhere_never_runs(tmp_path):
    """`explain` runs values between nodes, but none that the trial did not."""
    proto = colours()
    constant(proto, "zero", np.zeros((1, 1, 1, 1), np.float32))
    constant(proto, "side", np.array([1, 1, 8_000, 16_000], np.int64))
    proto.graph.node.append(helper.make_node("Expand", ["zero", "side"], ["large"]))
    proto.graph.node.append(helper.make_node("Relu", ["large"], ["dead"]))
    artifact = load_artifact(written(tmp_path / "m", proto))
    layers, _ = _early_layers(artifact, np.zeros((PX, PX, 3), np.uint8))
    assert "dead" not in _map_names(onnx.load_model_from_string(artifact.model))
    assert not layers


def test_other_forms_of_answers(tmp_path):
    proto = colours()
    proto.graph.output[[o.name for o in proto.graph.output].index("features")].name = "imagenet_logits"
    for node in proto.graph.node:
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                if name == "features":
                    names[i] = "imagenet_logits"
    message, _ = refusal(written(tmp_path / "m", proto))
    assert message == "The model's graph answers in another form than ours."


def busy(proto):
    """Minutes of products from a file of a megabyte."""
    constant(proto, "square", np.full((512, 512), 1 / 512, np.float32))
    constant(proto, "tall", np.array([2**16, 1], np.int64))
    constant(proto, "none", np.zeros((1, 512), np.float32))
    nodes, last = [helper.make_node("Expand", ["none", "tall"], ["h0"])], "h0"
    nodes += [helper.make_node("Cast", ["pixels"], ["p"], to=TensorProto.FLOAT),
              helper.make_node("ReduceMean", ["p"], ["pm"], keepdims=0),
              helper.make_node("Add", ["h0", "pm"], ["h1"])]  # fmt: skip
    last = "h1"
    for i in range(2, 60):
        nodes.append(helper.make_node("MatMul", [last, "square"], [f"h{i}"]))
        last = f"h{i}"
    nodes.append(helper.make_node("ReduceMean", [last], ["mean"], keepdims=0))
    return before_softmax(proto, *nodes, last="mean")


@pytest.mark.slow
def test_a_graph_that_computes_for_minutes_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(trial, "CPU_S", 2)
    monkeypatch.setattr(trial, "MEMORY_BYTES", 4_000_000_000)
    message, seconds = refusal(written(tmp_path / "m", busy(colours())))
    assert message == "The model's graph takes too long to load."
    assert seconds < 40


def test_a_graph_that_wants_more_memory_than_there_is_for_it(tmp_path, monkeypatch):
    monkeypatch.setattr(trial, "MEMORY_BYTES", 300_000_000)
    message, _ = refusal(written(tmp_path / "m", busy(colours())))
    assert message in ("The model's graph cannot be run.", "The model's graph needs too much memory.",
                       "The model's graph ends the process that runs it.")  # fmt: skip


def test_only_the_first_command_waits_for_the_trial(tmp_path, monkeypatch):
    monkeypatch.setenv("TELLAPART_CACHE_DIR", str(tmp_path / "cache"))
    model = written(tmp_path / "m", colours())
    load_artifact(model)
    with monkeypatch.context() as patch:
        patch.setattr(trial, "_run", None)
        load_artifact(model)
        trial.forget_graphs()
        with pytest.raises(TypeError):
            load_artifact(model)
    refused = written(tmp_path / "refused", changed(NONSENSE["sum of two"]))
    for _ in range(2):  # what was refused is not remembered
        refusal(refused)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may become somebody else")
def test_a_cache_that_may_not_be_looked_into(tmp_path):
    """As in a container whose user has no home: nothing is known, so the graph is tried."""
    code = """
        import os
        from tellapart.engine import trial
        trial._run = lambda asked, patience_s: print("tried") or {}
        trial._place("", 3, 16)  # what is imported late is imported while it may be read
        os.seteuid(65_534)
        trial.try_graph(b"", "0" * 64, n_classes=3, input_px=16)
    """
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "TELLAPART_CACHE_DIR": str(closed / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "tried\n", done.stderr


def test_a_child_without_secrets(tmp_path, monkeypatch):
    """A graph that takes over the engine finds no token."""
    seen = tmp_path / "environment"
    spy = tmp_path / "spy"
    spy.write_text(f"#!/bin/sh\nenv > {seen}\nexit 3\n")
    spy.chmod(0o755)
    monkeypatch.setenv("TELLAPART_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setattr(sys, "executable", str(spy))
    message, _ = refusal(written(tmp_path / "m", colours()))
    assert message == "The model's graph could not be tried in a process of its own."
    assert "secret" not in seen.read_text()
    assert "PATH=" in seen.read_text()


def test_a_model_trained_here_needs_no_trial(model, monkeypatch):
    """The cache that it was trained with knows it; any other cache tries it, and finds it well."""
    load_artifact(model)
    assert Predictor.from_artifact(load_artifact(model)).predict(np.zeros((9, 9, 3), np.uint8)).probs


# ---- the fuzzer ----


def spoil(rng, proto):
    """Change the graph in one of many ways; returns the kind."""
    kind = rng.choice(KINDS)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        kind(rng, proto.graph)
    return kind.__name__


def other_operation(rng, graph):
    rng.choice(graph.node).op_type = rng.choice(sorted(ALLOWED_OPS))


def other_input(rng, graph):
    node = rng.choice([n for n in graph.node if n.input])
    names = ["pixels", ""] + [w.name for w in graph.initializer] + [o for n in graph.node for o in n.output]
    node.input[rng.randrange(len(node.input))] = rng.choice(names)


def earlier_input(rng, graph):
    """One that is there already, so that only types and shapes can be wrong."""
    at = rng.randrange(1, len(graph.node))
    node = graph.node[at]
    names = ["pixels"] + [w.name for w in graph.initializer] + [o for n in graph.node[:at] for o in n.output]
    if node.input:
        node.input[rng.randrange(len(node.input))] = rng.choice(names)


def fewer_inputs(rng, graph):
    node = rng.choice([n for n in graph.node if n.input])
    del node.input[rng.randrange(len(node.input))]


def more_inputs(rng, graph):
    rng.choice(graph.node).input.append(rng.choice([w.name for w in graph.initializer]))


def odd_attribute(rng, graph):
    attribute = rng.choice([a for n in graph.node for a in n.attribute])
    if attribute.ints:
        attribute.ints[rng.randrange(len(attribute.ints))] = rng.choice(ODD)
    elif attribute.type == onnx.AttributeProto.INT:
        attribute.i = rng.choice(ODD)
    elif attribute.type == onnx.AttributeProto.FLOAT:
        attribute.f = rng.choice((float("nan"), float("inf"), -1e38, 0.0))
    else:
        attribute.s = rng.choice((b"", b"SAME_UPPER", b"cubic", b"x" * 1000))


def longer_attribute(rng, graph):
    lists = [a for n in graph.node for a in n.attribute if a.ints]
    if lists:
        rng.choice(lists).ints.extend(rng.choices(ODD, k=rng.randrange(1, 9)))


def no_attribute(rng, graph):
    del rng.choice([n for n in graph.node if n.attribute]).attribute[0]


def known_attribute(rng, graph):
    node = rng.choice(graph.node)
    schema = onnx.defs.get_schema(node.op_type, 17)
    if schema.attributes:
        name = rng.choice(sorted(schema.attributes))
        value = rng.choice((rng.choice(ODD), [rng.choice(ODD)] * rng.randrange(1, 5), 0.5, "linear"))
        node.attribute.append(helper.make_attribute(name, value))


def other_shape(rng, graph):
    weight = rng.choice(graph.initializer)
    values = numpy_helper.to_array(weight).ravel()
    sides = [d for d in range(1, min(len(values), 5000) + 1) if len(values) % d == 0]
    side = rng.choice(sides)
    shape = rng.choice(((side, len(values) // side), (len(values),), (1, 1, side, len(values) // side), (side, -1, 1)))
    weight.CopyFrom(numpy_helper.from_array(values.reshape(shape), weight.name))


def other_size(rng, graph):
    weight = rng.choice(graph.initializer)
    values = numpy_helper.to_array(weight)
    shape = [rng.choice((0, 1, 2, 3, 5, 64)) for _ in range(rng.randrange(5))]
    weight.CopyFrom(numpy_helper.from_array(np.zeros(shape, values.dtype), weight.name))


def other_type(rng, graph):
    weight = rng.choice(graph.initializer)
    dtype = rng.choice((np.float16, np.float32, np.float64, np.int8, np.uint8, np.int32, np.int64, np.bool_))
    with np.errstate(all="ignore"):
        weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight).astype(dtype), weight.name))


def odd_values(rng, graph):
    weight = rng.choice(graph.initializer)
    values = numpy_helper.to_array(weight).copy()
    flat = values.reshape(-1)
    odd = rng.choice((*ODD, float("nan"), float("inf"), 1e30, 1e-45))
    with np.errstate(all="ignore"):
        flat[: rng.choice((1, len(flat)))] = np.array(odd).astype(values.dtype)
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))


def random_bits(rng, graph):
    weight = rng.choice(graph.initializer)
    weight.raw_data = rng.randbytes(len(weight.raw_data))


def without_node(rng, graph):
    del graph.node[rng.randrange(len(graph.node))]


def swapped_nodes(rng, graph):
    i, j = rng.randrange(len(graph.node)), rng.randrange(len(graph.node))
    one, other = onnx.NodeProto(), onnx.NodeProto()
    one.CopyFrom(graph.node[i])
    other.CopyFrom(graph.node[j])
    graph.node[i].CopyFrom(other)
    graph.node[j].CopyFrom(one)


def node_between(rng, graph):
    """A new operation of any kind between two that are there."""
    at = rng.randrange(1, len(graph.node))
    node = graph.node[at]
    if not node.input:
        return
    i = rng.randrange(len(node.input))
    names = [w.name for w in graph.initializer] + [o for n in graph.node[:at] for o in n.output]
    fresh = f"between{rng.random()}"
    op = rng.choice(sorted(ALLOWED_OPS - {"Gelu"}))
    schema = onnx.defs.get_schema(op, 17)
    n_inputs = max(schema.min_input, min(schema.max_input, rng.randrange(1, 4)))
    inputs = [node.input[i], *rng.choices(names, k=max(n_inputs - 1, 0))]
    made = helper.make_node(op, inputs[:n_inputs], [fresh])
    for name, attribute in schema.attributes.items():
        if attribute.required or rng.random() < 0.3:
            kinds = {"INT": rng.choice(ODD[:6]), "INTS": rng.choices(ODD[:6], k=rng.randrange(1, 5)), "FLOAT": 0.5,
                     "FLOATS": [0.5], "STRING": rng.choice(("linear", "nearest", "SAME_UPPER", "edge"))}  # fmt: skip
            value = kinds.get(attribute.type.name)
            if value is not None:
                made.attribute.append(helper.make_attribute(name, value))
    node.input[i] = fresh
    later = list(graph.node)[at:]
    del graph.node[at:]
    graph.node.extend([made, *later])


def constant_between(rng, graph):
    """A value replaced by a constant of an odd shape."""
    node = rng.choice([n for n in graph.node if n.input])
    name = f"constant{rng.random()}"
    shape = [rng.choice((0, 1, 2, 3, 16, 1000)) for _ in range(rng.randrange(5))]
    if np.prod(shape) < 1e6:
        values = np.full(shape, rng.choice((0, 1, -1, 300))).astype(rng.choice(("f4", "i8", "u1", "f2")))
        graph.initializer.append(numpy_helper.from_array(values, name))
        node.input[rng.randrange(len(node.input))] = name


def other_output(rng, graph):
    names = [o for n in graph.node for o in n.output]
    rng.choice(graph.output).name = rng.choice([*names, "features", "probs"])


def declared_otherwise(rng, graph):
    value = rng.choice([*graph.output, *graph.input]).type.tensor_type
    if value.shape.dim:
        side = rng.choice(value.shape.dim)
        side.dim_value = rng.choice((0, 1, 3, 1000, 2**40))
    else:
        value.elem_type = rng.choice((1, 2, 7, 10))


def renamed(rng, graph):
    """A value takes an output's name, in all places."""
    old = rng.choice([o for n in graph.node for o in n.output])
    new = rng.choice(("features", "feature_map", "imagenet_logits", "logits", "unknown_score", "head.weight"))
    for node in graph.node:
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                if name == old:
                    names[i] = new


KINDS = (
    other_operation, other_input, earlier_input, fewer_inputs, more_inputs, odd_attribute, longer_attribute,
    no_attribute, known_attribute, other_shape, other_size, other_type, odd_values, random_bits, without_node,
    swapped_nodes, node_between, node_between, node_between, constant_between, other_output, declared_otherwise,
    renamed,
)  # fmt: skip


def ask(folder):
    """Everything that commands do with a graph, by the way that they do it; what came of it."""
    try:
        artifact = load_artifact(folder)
        predictor = Predictor.from_artifact(artifact, explains=True)
        rng = np.random.default_rng(1)
        preprocessing = artifact.preprocess
        pixels = rng.integers(0, 256, (preprocessing.input_px, preprocessing.input_px, 3), np.uint8)
        for image in (pixels, pixels // 3, np.full_like(pixels, 100)):
            probs = np.array(list(predictor.predict(image).probs.values()))
            assert np.isfinite(probs).all()
            assert abs(probs.sum() - 1) < 0.01
        _early_layers(artifact, pixels)
        first_filters(artifact.model)
        head_weight(artifact.model)
        facts_of(artifact)
    except ArtifactError as error:
        return error.message
    for form in (by_onnx, by_ir, by_page):
        with suppress(TellapartError):
            form(ModelSource(folder, artifact, no_progress), pixels)
    return "answered"


def by_onnx(source, pixels):
    asked(onnx_file(source, "out").form, source, pixels)


def by_ir(source, pixels):
    asked(openvino_files(source, "out").form, source, pixels)


def by_page(source, pixels):
    """What web_folder does with the graph where there is no browser to ask."""
    with cannot_run("A browser", onnx.checker.ValidationError, onnx.version_converter.ConvertError):
        graph = web_graph(source.artifact.model, source.artifact.preprocess)
    any_runtime(graph)[0](pixels)


def asked(form, source, pixels):
    """The form's answer about one photo, held to what the model itself says of it."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    expected = Predictor.from_artifact(source.artifact).predict(buffer.getvalue())
    photos = [ProofPhoto("noise.png", buffer.getvalue(), expected)]
    prove(photos, form(photos), form, "")


def child(folder, seed, first_case, last_case):
    proto = onnx.load(folder / MODEL)
    for case in range(first_case, last_case):
        rng = random.Random(f"{seed} {case}")
        spoiled = onnx.ModelProto()
        spoiled.CopyFrom(proto)
        kind = spoil(rng, spoiled)
        data = bytearray(spoiled.SerializeToString())
        if rng.random() < 0.1:
            kind = "flipped_bytes"
            for _ in range(rng.randrange(1, 4)):
                data[rng.randrange(len(data))] = rng.randrange(256)
        place = folder.with_name(f"case-{case}")
        shutil.copytree(folder, place)
        (place / MODEL).write_bytes(data)
        record = json.loads((place / MANIFEST).read_bytes())
        record["files"][MODEL] = sha256(bytes(data))
        (place / MANIFEST).write_text(json.dumps(record))
        print(json.dumps({"case": case, "kind": kind}), flush=True)
        started = time.monotonic()
        said = ask(place)
        print(json.dumps({"said": said, "seconds": round(time.monotonic() - started, 2)}), flush=True)
        shutil.rmtree(place)


def run_cases(folder, seed, n):
    """[(kind, what was said, seconds)] of n cases; a case that ends the process, or breaks it, fails."""
    command = [sys.executable, "-W", "error", __file__, str(folder), str(seed), "0", str(n)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, (done.returncode, lines[-1:], done.stderr[-3000:])
    return [(asked["kind"], said["said"], said["seconds"]) for asked, said in zip(lines[::2], lines[1::2], strict=True)]


def test_no_spoiled_graph_ends_or_stops_the_program(tmp_path, fuzz_cases, capsys):
    folder = written(tmp_path / "model", colours())
    n = fuzz_cases(4)
    rows = run_cases(folder, 12, n)
    assert len(rows) == n
    assert max(seconds for _, _, seconds in rows) < LONGEST_S
    if n >= 100:
        with capsys.disabled():
            for said in sorted({said for _, said, _ in rows}):
                print(f"{sum(row[1] == said for row in rows):6,}  {said}")
            print(f"slowest: {max(rows, key=lambda row: row[2])}")


def test_nor_of_a_trained_model(model, tmp_path, fuzz_cases):
    """`TELLAPART_FUZZ_CASES=3000` spoils it in 300 ways."""
    folder = Path(shutil.copytree(model, tmp_path / "model"))
    n = max(fuzz_cases(20) // 10, 1)  # larger graphs, so fewer
    rows = run_cases(folder, 13, n)
    assert len(rows) == n
    assert max(seconds for _, _, seconds in rows) < LONGEST_S


def test_rules_alone_of_a_trained_model(model, fuzz_cases):
    """Read, and never run: each of these is let through or refused in a sentence, and many are refused."""
    proto = onnx.load(model / MODEL)
    said = []
    for case in range(fuzz_cases(60)):
        spoiled = onnx.ModelProto()
        spoiled.CopyFrom(proto)
        spoil(random.Random(f"rules {case}"), spoiled)
        try:
            refuse_unsafe(spoiled.SerializeToString(), n_classes=4, input_px=224)
        except ArtifactError as error:
            said.append(error)
    assert len(said) > fuzz_cases(60) / 5
    assert all(error.message.startswith("The model's graph ") and error.message.isprintable() for error in said)
    assert all(error.hint for error in said)


if __name__ == "__main__":
    child(Path(sys.argv[1]), *map(int, sys.argv[2:]))

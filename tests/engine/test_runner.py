"""One compiled graph gives one answer, however many ask."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest

from tellapart.engine.backbone import Bundled, build_graph
from tellapart.engine.builder import GraphBuilder
from tellapart.engine.runner import Network
from tellapart.errors import ArtifactError
from tellapart.parallel import n_cores

PX = 64


def small_graph():
    """`mean` (N, 3) of each colour, and `brightest` (N,)."""
    g = GraphBuilder()
    g.add("Cast", ["pixels"], ["as_float"], to=onnx.TensorProto.FLOAT)
    places, all_of_it = (g.constant(n, np.array(axes, np.int64)) for n, axes in (("hw", [1, 2]), ("hwc", [1, 2, 3])))
    g.add("ReduceMean", ["as_float", places], ["mean"], keepdims=0)
    g.add("ReduceMax", ["as_float", all_of_it], ["brightest"], keepdims=0)
    return g.finish("small", PX, {"mean": ["N", 3], "brightest": ["N"]}).SerializeToString()


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (24, PX, PX, 3), np.uint8)


@pytest.fixture(scope="module")
def lite0():
    return build_graph(Bundled(("lite0",), PX)).SerializeToString()


@pytest.mark.parametrize("streams", [1, 2, 4])
def test_many_threads_give_the_bits_of_one(lite0, images, streams):
    network = Network(lite0, PX, ["features"], streams=streams)
    expected = [network(image)["features"].tobytes() for image in images]
    gate = threading.Barrier(8)

    def ask(start):
        gate.wait()
        return [(i, network(images[i])["features"].tobytes()) for i in np.roll(np.arange(len(images)), start)]

    with ThreadPoolExecutor(8) as executor:
        for answers in executor.map(ask, range(8)):
            assert all(answer == expected[i] for i, answer in answers)


def dense_graph():
    """`features` (N, 32): two dense layers, as tutorials' networks end; threads that share one would share its sums."""
    rng = np.random.default_rng(1)
    g = GraphBuilder()
    g.add("Cast", ["pixels"], ["as_float"], to=onnx.TensorProto.FLOAT)
    g.add("Flatten", ["as_float"], ["row"], axis=1)
    n_inputs = PX * PX * 3
    for before, after, n_outputs in (("row", "hidden", 128), ("positive", "features", 32)):
        weight = rng.normal(0, n_inputs**-0.5, (n_inputs, n_outputs)).astype(np.float32)
        g.add("MatMul", [before, g.constant(f"{after}_weight", weight)], [after])
        if after == "hidden":
            g.add("Relu", ["hidden"], ["positive"])
        n_inputs = n_outputs
    return g.finish("dense", PX, {"features": ["N", 32]}).SerializeToString()


@pytest.mark.parametrize("kind", ["bundled", "dense"])
def test_the_number_of_streams_changes_no_bit(lite0, images, kind):
    graph = lite0 if kind == "bundled" else dense_graph()
    one, *others = (Network(graph, PX, ["features"], streams=s) for s in (1, 2, 3, 8, n_cores()))
    for image in images[:6]:
        expected = one(image)["features"].tobytes()
        assert all(other(image)["features"].tobytes() == expected for other in others)


def test_answers_are_the_callers_own(lite0, images):
    """A later call does not write into an earlier answer."""
    network = Network(lite0, PX, ["features"], streams=1)
    first = network(images[0])["features"]
    kept = first.copy()
    network(images[1])
    assert np.array_equal(first, kept)
    assert first.flags.writeable


def test_outputs_come_by_name_in_any_order(images):
    network = Network(small_graph(), PX, ["brightest", "mean"], streams=1)
    for image in images[:4]:
        outputs = network(image)
        assert list(outputs) == ["brightest", "mean"]
        assert outputs["brightest"] == image.max()
        assert np.allclose(outputs["mean"], image.mean(axis=(0, 1)), atol=1e-3)


def test_images_that_are_not_contiguous(images):
    network = Network(small_graph(), PX, ["mean"], streams=1)
    flipped = images[0][:, ::-1]
    assert not flipped.flags.c_contiguous
    assert np.allclose(network(flipped)["mean"], flipped.mean(axis=(0, 1)), atol=1e-3)
    column = images[0].transpose(1, 0, 2)
    assert np.allclose(network(column)["mean"], column.mean(axis=(0, 1)), atol=1e-3)


def bad_graphs():
    good = onnx.load_model_from_string(small_graph())
    unknown = onnx.ModelProto()
    unknown.CopyFrom(good)
    unknown.graph.node[0].op_type = "NoSuchOperation"
    renamed = onnx.ModelProto()
    renamed.CopyFrom(good)
    renamed.graph.input[0].name = renamed.graph.node[0].input[0] = "image"
    return {
        "nothing": b"",
        "not ONNX": b"not a graph at all",
        "cut": small_graph()[:40],
        "unknown operation": unknown.SerializeToString(),
        "no pixels": renamed.SerializeToString(),
    }


@pytest.mark.parametrize("kind", bad_graphs())
def test_a_bad_graph_is_refused(kind):
    with pytest.raises(ArtifactError) as caught:
        Network(bad_graphs()[kind], PX, ["mean"], streams=1)
    assert caught.value.message == "The model's graph cannot be run."


def test_a_missing_output_is_refused():
    with pytest.raises(ArtifactError):
        Network(small_graph(), PX, ["probs"], streams=1)


def test_a_size_that_the_graph_cannot_take_is_refused():
    g = GraphBuilder()
    g.constant("weight", np.zeros((PX * PX * 3, 2), np.float32))
    g.add("Cast", ["pixels"], ["as_float"], to=onnx.TensorProto.FLOAT)
    g.add("Flatten", ["as_float"], ["flat"], axis=1)
    g.add("MatMul", ["flat", "weight"], ["probs"])
    model = g.finish("fixed", PX, {"probs": ["N", 2]}).SerializeToString()
    assert Network(model, PX, ["probs"], streams=1)(np.zeros((PX, PX, 3), np.uint8))["probs"].shape == (2,)
    with pytest.raises(ArtifactError):
        Network(model, PX // 2, ["probs"], streams=1)


FORKED = """
import os, sys, threading
import numpy as np
from tellapart.engine.runner import Network, _Initialised
from tests_graph import graph, px
from concurrent.futures import ThreadPoolExecutor
network = Network(graph, px, ["features"], streams=2)
images = np.random.default_rng(0).integers(0, 256, (6, px, px, 3), np.uint8)
ask = lambda image: network(image)["features"].tobytes()
def everyone():
    with ThreadPoolExecutor(2) as executor:
        return list(executor.map(ask, images))
first = everyone() if sys.argv[1] == "asked" else None
if sys.argv[1] == "held":  # by a thread that will not be in the child
    threading.Thread(target=lambda: (_Initialised.lock.acquire(), threading.Event().wait()), daemon=True).start()
children = []
for how in ("asks", "asks and forks", "asks nothing"):
    pid = os.fork()
    if not pid:
        said = None if how == "asks nothing" else everyone()
        if how == "asks and forks" and not os.fork():
            assert everyone() == said
            sys.exit()
        elif how == "asks and forks":
            assert os.wait()[1] == 0
        assert None in (said, first) or said == first
        sys.exit()
    children.append(pid)
print(*(os.waitpid(pid, 0)[1] for pid in children))
if first:
    assert everyone() == first
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("before", ["asked", "compiled only", "held"])
def test_a_forked_process_answers_and_ends(lite0, tmp_path, before):
    """With threads and in its own children too, the same bits; one that only inherited the network ends as well."""
    (tmp_path / "lite0").write_bytes(lite0)
    (tmp_path / "tests_graph.py").write_text(f"graph, px = open({str(tmp_path / 'lite0')!r}, 'rb').read(), {PX}")
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKED, before]
    child = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert (child.stdout, child.returncode) == ("0 0 0\n", 0), child.stderr

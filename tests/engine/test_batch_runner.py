"""Batches by ONNX Runtime, whose processor stands for a GPU: the same features, whoever shares a batch."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from onnx import TensorProto, helper

from tellapart.engine.backbone import QUALITIES, build_graph
from tellapart.engine.batch_runner import CUDA, BatchRunner, refuse_disagreement
from tellapart.engine.network_proof import BOUND
from tellapart.engine.runner import Network
from tellapart.errors import InputError, MissingExtraError

FAST = QUALITIES["fast"]


@pytest.fixture(scope="module")
def graph():
    return build_graph(FAST).SerializeToString()


@pytest.fixture(scope="module")
def runner(graph):
    pytest.importorskip("onnxruntime")
    return BatchRunner(graph, FAST.input_px, ["features"], provider="CPUExecutionProvider", batch=4)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 255, (9, FAST.input_px, FAST.input_px, 3), np.uint8)


def test_a_photo_s_features_are_those_of_the_network_and_do_not_depend_on_company(graph, runner, images):
    network = Network(graph, FAST.input_px, ["features"], streams=1)
    alone = [runner(image)["features"] for image in images]
    with ThreadPoolExecutor(9) as threads:
        together = list(threads.map(lambda image: runner(image)["features"], images))
    for image, one, other in zip(images, alone, together, strict=True):
        assert np.array_equal(one, other)
        expected = network(image)["features"]
        assert one.shape == expected.shape
        assert np.abs(one - expected).max() <= BOUND * np.abs(expected).max()


def test_what_goes_wrong_in_a_batch_is_told_to_who_asked_and_the_next_is_answered(runner, images):
    with pytest.raises(ValueError, match="broadcast"):
        runner(images[0][:5])
    assert np.isfinite(runner(images[0])["features"]).all()


def test_a_graph_that_takes_one_photo_a_call_is_refused_in_a_sentence():
    pytest.importorskip("onnxruntime")
    pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, [1, 8, 8, 3])
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, 8, 8, 3])
    node = helper.make_node("Cast", ["pixels"], ["features"], to=TensorProto.FLOAT)
    model = helper.make_model(
        helper.make_graph([node], "one", [pixels], [features]), opset_imports=[helper.make_opsetid("", 17)]
    )
    model.ir_version = 8
    one = BatchRunner(model.SerializeToString(), 8, ["features"], provider="CPUExecutionProvider")
    with pytest.raises(InputError, match="batches of 32 photos") as caught:
        one(np.zeros((8, 8, 3), np.uint8))
    assert "--device" in caught.value.hint


def test_without_a_gpu_a_sentence_says_so(graph):
    with pytest.raises((InputError, MissingExtraError), match="ONNX Runtime") as caught:
        BatchRunner(graph, FAST.input_px, ["features"], provider=CUDA)
    assert caught.value.hint


@pytest.mark.parametrize("difference", [2 * BOUND, float("nan"), float("inf")])
def test_other_features_are_refused(difference):
    refuse_disagreement(BOUND, BOUND)
    with pytest.raises(InputError, match="other features"):
        refuse_disagreement(difference, BOUND)

"""The proof that `doctor` runs: the picture, what is known of it, and that a wrong network is noticed."""

import json

import numpy as np
import onnxruntime
import pytest

from tellapart.engine.backbone import Bundled, build_graph
from tellapart.engine.network_proof import BOUND, EVERY, PROOF, PROVEN, difference, drawn_picture


def test_each_bundled_network_is_proven_once() -> None:
    assert sorted(name for backbone in PROVEN for name in backbone.networks) == ["lite0", "lite1", "lite2"]
    assert list(json.loads(PROOF.read_text())) == [backbone.key for backbone in PROVEN]  # else: make_network_proof


@pytest.mark.parametrize("backbone", PROVEN, ids=lambda backbone: backbone.networks[0])
def test_another_engine_agrees_with_what_is_known(backbone: Bundled) -> None:
    session = onnxruntime.InferenceSession(build_graph(backbone).SerializeToString())
    [features] = session.run(["features"], {"pixels": drawn_picture(backbone.input_px)[None]})
    known = np.array(json.loads(PROOF.read_text())[backbone.key])
    assert np.abs(features[0, ::EVERY] - known).max() < BOUND * known.max()


def test_bfloat16_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is far below what rounding to eight bits of fraction does; three in four of those are not needed."""
    known = np.array(json.loads(PROOF.read_text())[PROVEN[0].key], np.float32)
    coarse = (known.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    assert np.abs(coarse - known).max() / known.max() > BOUND
    assert difference(PROVEN[0]) < BOUND / 10

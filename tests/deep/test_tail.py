"""The bundled network in torch is the bundled network, and what was trained goes back into its graph unchanged."""

import numpy as np
import pytest
import torch

from tellapart.data.photo import decode
from tellapart.data.preprocess import Preprocess, preprocess
from tellapart.deep.tail import N_STAGES, Tail, cut_before, prove, trunk, tuned_network
from tellapart.engine.backbone import FEATURES_PER_NETWORK, Bundled, build_graph
from tellapart.engine.runner import Network
from tellapart.errors import TrainingError

OUTPUTS = ["features", "feature_map", "imagenet_logits"]


def network_of(backbone):
    return Network(build_graph(backbone).SerializeToString(), backbone.input_px, OUTPUTS, streams=1)


@pytest.fixture(scope="module")
def pixels(clothing):
    return [preprocess(decode(clothing.read(i)), Preprocess(96)) for i in (0, 30, 70)]


def tail_says(place, pixels, tail):
    looked = Network(trunk(place), place.input_px, ["activations"], streams=1)(pixels)["activations"]
    with torch.no_grad():
        return tail(torch.from_numpy(looked)[None])[0].numpy()


@pytest.mark.parametrize(("name", "stage"), [("lite0", 6), ("lite0", 1), ("lite1", 5), ("lite2", 4)])
@pytest.mark.parametrize("px", [96, 97])
def test_trunk_and_tail_are_the_network(name, stage, px, clothing):
    place = cut_before(name, px, stage)
    image = preprocess(decode(clothing.read(3)), Preprocess(px))
    expected = network_of(Bundled((name,), px))(image)["features"]
    assert np.abs(tail_says(place, image, Tail(place)) - expected).max() < 1e-4


def test_all_weights_are_in_one_stage_each():
    tail = Tail(cut_before("lite0", 96, 4))
    groups = tail.groups()
    assert len(groups) == N_STAGES - 4 + 1
    grouped = [id(p) for group in groups for p in group]
    assert sorted(grouped) == sorted(id(p) for p in tail.parameters() if p.requires_grad)
    assert all(groups)


def test_an_untrained_copy_says_what_the_network_says(pixels):
    place = cut_before("lite0", 96, 5)
    backbone = tuned_network(place, Tail(place).to_graph(), "nothing")
    tuned, clean = network_of(backbone), network_of(Bundled(("lite0",), 96))
    assert backbone.n_features == 2 * FEATURES_PER_NETWORK
    for image in pixels:
        both, one = tuned(image), clean(image)
        for part in (slice(None, FEATURES_PER_NETWORK), slice(FEATURES_PER_NETWORK, None)):
            assert np.array_equal(both["features"][part], one["features"])
            assert np.array_equal(both["feature_map"][part], one["feature_map"])
        assert np.array_equal(both["imagenet_logits"], one["imagenet_logits"])


def test_what_was_trained_is_what_answers_and_the_rest_stays(pixels):
    place = cut_before("lite0", 96, 5)
    tail = Tail(place)
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in tail.parameters():
            weight.mul_(1 + 0.05 * torch.randn_like(weight))
    tail.round_half()
    backbone = tuned_network(place, tail.to_graph(), "chance")
    prove(backbone, place, tail, np.stack(pixels))
    tuned, clean = network_of(backbone), network_of(Bundled(("lite0",), 96))
    for image in pixels:
        both, one = tuned(image), clean(image)
        assert np.array_equal(both["features"][:FEATURES_PER_NETWORK], one["features"])
        learned = both["features"][FEATURES_PER_NETWORK:]
        assert np.abs(learned - tail_says(place, image, tail)).max() < 1e-4
        assert np.abs(learned - one["features"]).max() > 0.05
        assert np.allclose(both["feature_map"].mean(axis=(1, 2)), both["features"], atol=1e-5)


def test_a_graph_of_other_weights_is_no_proof(pixels):
    place = cut_before("lite0", 96, 6)
    tail = Tail(place)
    backbone = tuned_network(place, tail.to_graph(), "other")
    with torch.no_grad():
        next(tail.parameters()).mul_(1.01)
    with pytest.raises(TrainingError, match="differs from the trained one"):
        prove(backbone, place, tail, np.stack(pixels))


def test_key_and_origin_name_what_it_is(pixels):
    place = cut_before("lite1", 96, 6)
    one = tuned_network(place, Tail(place).to_graph(), "80 photos")
    other = tuned_network(place, {n: 2 * w for n, w in Tail(place).to_graph().items()}, "80 photos")
    assert one.key != other.key
    assert one.title == "EfficientNet-Lite1 at 96 px, fine-tuned from stage 6 on"
    assert one.origin[0]["source"] == "80 photos"
    assert one.imagenet.weight.shape == (1000, FEATURES_PER_NETWORK)

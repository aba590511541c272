"""What computes is chosen by name, proven before it is believed, and part of what features are called."""

import numpy as np
import pytest

from tellapart.engine.device import DEVICES, PROCESSOR, PROVEN, Proven, device_in, device_key
from tellapart.engine.network_proof import BOUND
from tellapart.errors import InputError

PICTURE = np.zeros((4, 4, 3), np.uint8)


def sums(image):
    """A runner whose features follow from the image alone."""
    return {"features": np.array([image.sum() + 1, 5], np.float32)}


def test_names_tell_devices_apart_and_those_of_the_processor_stay_as_they_were():
    names = [f"lite0@224 crop{device_key(device)}" for device in DEVICES]
    assert names[0] == "lite0@224 crop"
    assert len(set(names)) == len(DEVICES)
    assert [device_in(name) for name in names] == [("lite0@224 crop", device) for device in DEVICES]
    assert DEVICES[0] == PROCESSOR


def test_the_first_photos_are_computed_by_both_and_the_rest_by_one():
    asked = []
    proven = Proven(sums, lambda image: asked.append(1) or sums(image), PICTURE)
    for value in range(2 * PROVEN):
        image = np.full((4, 4, 3), value, np.uint8)
        assert np.array_equal(proven(image)["features"], sums(image)["features"])
    assert len(asked) == PROVEN + 1


def test_a_device_that_errs_only_on_photos_is_refused_before_their_features_are_given_out():
    def errs(image):
        return {"features": sums(image)["features"] * (1.01 if image.any() else 1)}

    proven = Proven(errs, sums, PICTURE)
    with pytest.raises(InputError, match="other features"):
        proven(np.ones((4, 4, 3), np.uint8))
    with pytest.raises(InputError, match="other features"):
        Proven(errs, sums, PICTURE + 1)


def test_answers_are_held_against_the_processor_s_too():
    """As shares of one, for the largest of many probabilities is small."""

    def says(by):
        return lambda image: {**sums(image), "probs": np.array([0.01 + by, 0.01 - by], np.float32)}

    Proven(says(BOUND / 2), says(0), PICTURE)
    with pytest.raises(InputError, match="other answers"):
        Proven(says(BOUND * 2), says(0), PICTURE)

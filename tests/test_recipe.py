"""Recipes refuse what would be silently ignored."""

import pytest

from tellapart.errors import InputError
from tellapart.recipe import FineTune, LinearProbe, Reading, Scratch


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LinearProbe(Reading(weights="resnet34.pth")), "weights is of a network that is not named."),
        (lambda: LinearProbe(Reading(input_px=96)), "input_px is of a network that is not named."),
        (lambda: FineTune(weights="resnet34.pth"), "weights is of a network that is not named."),
    ],
)
def test_weights_and_sizes_belong_to_a_network_that_is_named(make, message):
    with pytest.raises(InputError) as caught:
        make()
    assert caught.value.message == message
    assert "--network" in caught.value.hint


def test_beside_a_name_they_are_taken():
    assert LinearProbe(Reading(network="resnet34", weights="resnet34.pth", input_px=96)).reading.input_px == 96
    assert FineTune(input_px=160).input_px == 160  # the bundled network trains at any size
    assert Scratch(weights="small.pth").weights == "small.pth"

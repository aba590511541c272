"""One file of a stopped training; test_loop.py goes on from it."""

import pytest
import torch

from tellapart.deep.checkpoint import Checkpoint, read, write
from tellapart.errors import InputError

THIS = {"recipe": {"epochs": 3}, "photos": [1, 2]}


@pytest.fixture
def path(tmp_path):
    write(
        tmp_path / "m.checkpoint",
        Checkpoint({"network/w": torch.arange(6.0).view(2, 3)}, {"seconds": 1.5}),
        training=THIS,
    )
    return tmp_path / "m.checkpoint"


def test_what_was_written_is_read(path):
    found = read(path, training={"recipe": {"epochs": 3}, "photos": (1, 2)})  # as JSON has them
    assert torch.equal(found.tensors["network/w"], torch.arange(6.0).view(2, 3))
    assert found.facts == {"seconds": 1.5}


def test_there_is_none(tmp_path):
    with pytest.raises(InputError, match=r'^There is no training to go on with: "none\.checkpoint" is not there\.$'):
        read(tmp_path / "none.checkpoint", training=THIS)


@pytest.mark.parametrize("data", [b"", b"\0" * 8, b"\xff" * 100])
def test_a_damaged_one(path, data):
    path.write_bytes(data)
    with pytest.raises(InputError, match=r'^The checkpoint "m\.checkpoint" is damaged\.$'):
        read(path, training=THIS)


def test_one_of_another_version(path):
    path.write_bytes(path.read_bytes().replace(rb"\"format\": 1", rb"\"format\": 2"))
    with pytest.raises(InputError, match="was written by another version"):
        read(path, training=THIS)


def test_one_of_another_training_names_what_differs(path):
    with pytest.raises(InputError, match=r"is of another training; what differs: network, recipe\."):
        read(path, training={**THIS, "recipe": {"epochs": 4}, "network": "mine"})


def test_other_epochs_are_refused_with_what_to_do_instead(tmp_path):
    place = tmp_path / "model.checkpoint"
    write(place, Checkpoint({"w": torch.zeros(1)}, {}), training={"epochs": 30, "network": "first-cnn"})
    with pytest.raises(InputError, match=r"is of a training of 30 epochs\. One of 50 is another") as caught:
        read(place, training={"epochs": 50, "network": "first-cnn"})
    assert caught.value.hint == "Finish it with --epochs 30 --resume, or train 50 epochs anew, without --resume."
    with pytest.raises(InputError, match=r"what differs: epochs, network\."):
        read(place, training={"epochs": 50, "network": "small-resnet"})

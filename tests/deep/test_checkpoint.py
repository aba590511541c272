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

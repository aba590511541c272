"""Files of weights: numbers and never code, put where they belong, or refused with a reason."""

import pickle

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tellapart.deep.weights import Weights, load, read_weights
from tellapart.errors import InputError


def network(n_classes=3, width=4):
    torch.manual_seed(n_classes)
    return nn.Sequential(nn.Linear(2, width), nn.ReLU(), nn.Linear(width, n_classes))


class Harm:
    def __reduce__(self):
        return print, ("harm",)


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
def test_what_was_saved_is_read(tmp_path, name):
    state = network().state_dict()
    (save_file if name.endswith("safetensors") else torch.save)(state, tmp_path / name)
    found = read_weights(str(tmp_path / name))
    assert all(torch.equal(found.state[key], state[key]) for key in state)
    assert found.origin.startswith(f"file {name}, sha256 ")


def test_a_file_that_would_run_something_is_refused(tmp_path, capsys):
    (tmp_path / "w.pth").write_bytes(pickle.dumps(Harm()))
    with pytest.raises(InputError, match="cannot be read as weights"):
        read_weights(str(tmp_path / "w.pth"))
    assert "harm" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": torch.tensor([1.0, float("nan")])}, "hold numbers that are none"),
        ({}, "holds something else than the weights of one network"),
        ([torch.ones(2)], "cannot be read as weights"),
    ],
)
def test_other_things_are_refused(tmp_path, content, message):
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(InputError, match=message):
        read_weights(str(tmp_path / "w.pth"))


def test_a_file_of_another_kind_or_none(tmp_path):
    with pytest.raises(InputError, match="There is no file"):
        read_weights(str(tmp_path / "w.pth"))
    (tmp_path / "w.onnx").touch()
    with pytest.raises(InputError, match="is not a file of weights") as caught:
        read_weights(str(tmp_path / "w.onnx"))
    assert caught.value.hint == "Weights end in .safetensors, .pth, .pt."


def test_a_head_for_other_classes_keeps_its_own():
    mine, theirs = network(3), network(7)
    head = mine[2].weight.clone()
    load(mine, Weights(theirs.state_dict(), "file w, sha256 0"), "Mine")
    assert torch.equal(mine[0].weight, theirs[0].weight)
    assert torch.equal(mine[2].weight, head)


def test_weights_of_another_network_say_what_does_not_fit():
    state = {**network(width=5).state_dict(), "extra.weight": torch.ones(1)}
    del state["0.bias"]
    with pytest.raises(InputError) as caught:
        load(network(), Weights(state, "file w.pth, sha256 0"), "Mine")
    assert caught.value.message == (
        "The weights (file w.pth) are not those of Mine: 1 layer missing (0); "
        "1 layer not of this network (extra); 2 layers of another shape (0, 2)."
    )

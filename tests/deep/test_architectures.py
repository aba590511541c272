"""Our networks to train from nothing: their sizes, what they take, and that they learn."""

import pytest
import torch

from tellapart.deep.architectures import OWN, FirstCNN, SmallResNet, TutorialCNN, n_parameters, own_parameters
from tellapart.deep.summary import as_text, summary
from tellapart.errors import InputError


def test_the_first_lessons_network_is_the_known_one():
    assert own_parameters("first-cnn") == n_parameters(FirstCNN(2)) == 1_615_905
    assert FirstCNN(2)(torch.zeros(2, 3, 120, 120)).shape == (2, 1)
    assert FirstCNN(3)(torch.zeros(2, 3, 120, 120)).shape == (2, 3)


def test_the_tutorials_network_is_the_known_one():
    assert n_parameters(TutorialCNN(10)) == 62_006
    assert TutorialCNN(10)(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


def test_the_small_residual_network_is_small():
    assert n_parameters(SmallResNet(10)) == own_parameters("small-resnet", 10) == 412_954


@pytest.mark.parametrize("px", [8, 32, 96, 101, 128])
def test_the_small_residual_network_takes_any_size(px):
    assert SmallResNet(10)(torch.zeros(2, 3, px, px)).shape == (2, 10)


@pytest.mark.parametrize("cls", [FirstCNN, TutorialCNN])
def test_dense_networks_take_other_sizes_until_nothing_is_left(cls):
    assert cls(3, 64)(torch.zeros(1, 3, 64, 64)).shape == (1, 3)
    with pytest.raises(InputError, match=r"^The photos are too small for this network"):
        cls(3, 8)


@pytest.mark.parametrize("name", OWN)
def test_each_learns_to_tell_dark_from_bright(name):
    torch.manual_seed(0)
    network = OWN[name](3)
    px = network.input_px
    labels = torch.arange(12) % 3
    x = 0.3 * torch.randn(12, 3, px, px) + (labels - 1).view(-1, 1, 1, 1)
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    losses = []
    for _ in range(12):
        loss = torch.nn.functional.cross_entropy(network(x), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize("name", OWN)
def test_the_table_adds_up_and_leaves_the_network_as_it_was(name):
    network = OWN[name](4).train()
    next(network.children()).eval()
    modes = [layer.training for layer in network.modules()]
    before = {key: value.clone() for key, value in network.state_dict().items()}
    rows = summary(network, network.input_px)
    assert sum(row.n_parameters for row in rows) == n_parameters(network)
    assert rows[-1].shape == (4,)
    assert [layer.training for layer in network.modules()] == modes
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    assert not any(layer._forward_hooks for layer in network.modules())


def test_the_table_is_what_keras_would_say():
    rows = summary(FirstCNN(2), 120)
    assert [(row.kind, row.shape, row.n_parameters) for row in rows if row.n_parameters] == [
        ("Conv2d", (32, 118, 118), 896),
        ("Conv2d", (32, 57, 57), 9_248),
        ("Linear", (64,), 1_605_696),
        ("Linear", (1,), 65),
    ]
    lines = as_text(rows).splitlines()
    assert lines[-1].split() == ["total", "1,615,905"]
    assert lines[0].split() == ["layer", "kind", "gives", "parameters"]
    assert len({len(line) for line in lines}) == 1


def test_a_layer_that_runs_twice_counts_once_and_loose_parameters_count():
    class Twice(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 3, 1)
            self.scale = torch.nn.Parameter(torch.ones(5))

        def forward(self, x):
            return self.conv(self.conv(x)) * self.scale.sum()

    rows = summary(Twice(), 4)
    assert [row.n_parameters for row in rows] == [12, 0, 5]

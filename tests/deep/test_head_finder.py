"""How networks end, without a graph: test_convert.py has what becomes of it."""

import numpy as np
import pytest
import torch
from torch import nn

from tellapart.deep.head_finder import TensorSite, find_head
from tellapart.errors import TrainingError

PX = 16


def found(*layers):
    torch.manual_seed(0)
    module = nn.Sequential(*layers).eval()
    return module, find_head(module, PX, "Mine")


def pooled():
    return [nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1)]


def test_features_are_what_the_last_linear_layer_sees():
    module, end = found(*pooled(), nn.Flatten(), nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    assert end.site == TensorSite("6", "in", 0, flat=True)
    assert np.array_equal(end.head.weight, module[6].weight.detach().numpy())
    assert np.array_equal(end.head.bias, module[6].bias.detach().numpy())
    assert end.feature_map is None


def test_a_map_is_the_last_value_whose_mean_they_are():
    _, end = found(*pooled(), nn.Flatten(), nn.Linear(4, 3))
    assert end.feature_map == TensorSite("2", "in", 0)


def test_behind_a_convolution_of_one_place_the_map_is_none():
    module, end = found(*pooled(), nn.Conv2d(4, 6, 1), nn.Hardswish(), nn.Flatten(), nn.Linear(6, 3, bias=False))
    assert end.feature_map is None
    assert end.head.weight.shape == (3, 6)
    assert not end.head.bias.any()
    x = torch.randn(2, 3, PX, PX)
    with end.site.watched(module) as seen, torch.no_grad():
        logits = module(x)
    assert np.allclose(end.head.logits(end.site.shaped(seen[0]).numpy()), logits.numpy(), atol=1e-6)


def test_a_convolution_of_one_place_may_be_the_head():
    module, end = found(*pooled(), nn.Conv2d(4, 3, 1), nn.Flatten(), nn.Softmax(1))
    assert np.array_equal(end.head.weight, module[3].weight.detach().flatten(1).numpy())
    assert end.feature_map == TensorSite("2", "in", 0)


class ChannelsLast(nn.Module):
    """As transformers for pictures and ConvNeXt have it: one layer used twice, the mean over the middle axes."""

    def __init__(self):
        super().__init__()
        self.patches, self.block, self.head = nn.Conv2d(3, 4, 4, 4), nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x):
        x = self.block(self.block(self.patches(x).permute(0, 2, 3, 1)))
        return self.head(x.mean((1, 2)))


def test_channels_may_come_last_and_a_layer_may_run_twice():
    module = ChannelsLast().eval()
    end = find_head(module, PX, "Mine")
    assert end.feature_map == TensorSite("block", "out", 1, channels_last=True)
    with end.feature_map.watched(module) as maps, end.site.watched(module) as seen, torch.no_grad():
        module(torch.randn(2, 3, PX, PX))
    assert torch.allclose(end.feature_map.shaped(maps[0]).mean((2, 3)), seen[0], atol=1e-6)
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in module.modules())


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Conv2d(3, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()],
        [*pooled(), nn.Flatten(), nn.Linear(4, 3), nn.Tanh()],
        [nn.Conv2d(3, 4, 3), nn.Flatten(2), nn.Linear(196, 3)],
    ],
    ids=["no linear layer", "more behind it", "not one row a photo"],
)
def test_another_end_is_refused(layers):
    with pytest.raises(TrainingError, match=r"^Mine does not end in one linear layer\.$"):
        found(*layers)

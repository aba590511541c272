"""Three networks to train from nothing, each with the input that it was made for."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from tellapart.errors import InputError

Triple = tuple[float, float, float]
IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)  # of ImageNet's training photos, in [0, 1]; what most weights expect
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)


class FirstCNN(nn.Module):
    """Two convolutions, two dense layers: what a first lesson builds.

    With two classes it ends in one number, the log-odds of the second class, as such lessons have it; otherwise in one
    logit a class. (N, 3, px, px) → (N, 1) or (N, C).

    Source: Chollet, Building powerful image classification models using very little data, Keras blog 2016, with two
    convolutions of 32 filters on 120 px instead of three on 150 px.

    Args:
        n_classes: C.
        input_px: side of the square input; most parameters depend on it.

    Raises:
        InputError: nothing is left of so small an input.
    """

    title: ClassVar[str] = "Two convolutions and two dense layers"
    input_px: ClassVar[int] = 120
    mean: ClassVar[Triple] = (0.0, 0.0, 0.0)
    std: ClassVar[Triple] = (1.0, 1.0, 1.0)

    def __init__(self, n_classes: int, input_px: int = 120) -> None:
        super().__init__()
        self.maps = nn.Sequential(
            nn.Conv2d(3, 32, 3),
            nn.MaxPool2d(2),
            nn.ReLU(),  # after the pool, which changes nothing but the time: a quarter of the numbers are left
            nn.Conv2d(32, 32, 3),
            nn.MaxPool2d(2),
            nn.ReLU(),
        )
        left = _places(_places(input_px, 3), 3)
        self.dense = nn.Sequential(nn.Flatten(), nn.Linear(32 * left * left, 64), nn.ReLU())
        self.head = nn.Linear(64, 1 if n_classes == 2 else n_classes)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):  # as Keras begins: it learns faster than from torch's start
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.get_parameter("bias"))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, px, px) → logits."""
        logits: Tensor = self.head(self.dense(self.maps(x)))
        return logits


class TutorialCNN(nn.Module):
    """The network of PyTorch's own tutorial: (N, 3, px, px) → (N, C).

    Source: Training a Classifier, PyTorch tutorials; after LeCun et al., Gradient-based learning applied to document
    recognition, Proceedings of the IEEE 1998, figure 2.

    Args:
        n_classes: C.
        input_px: side of the square input.

    Raises:
        InputError: nothing is left of so small an input.
    """

    title: ClassVar[str] = "PyTorch's tutorial network"
    input_px: ClassVar[int] = 32
    mean: ClassVar[Triple] = (0.5, 0.5, 0.5)
    std: ClassVar[Triple] = (0.5, 0.5, 0.5)

    def __init__(self, n_classes: int, input_px: int = 32) -> None:
        super().__init__()
        self.maps = nn.Sequential(
            nn.Conv2d(3, 6, 5),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(6, 16, 5),
            nn.MaxPool2d(2),
            nn.ReLU(),
        )
        left = _places(_places(input_px, 5), 5)
        self.dense = nn.Sequential(
            nn.Flatten(), nn.Linear(16 * left * left, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU()
        )
        self.head = nn.Linear(84, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, px, px) → logits."""
        logits: Tensor = self.head(self.dense(self.maps(x)))
        return logits


class SmallResNet(nn.Module):
    """A residual network small enough to learn about 1,000 photos from nothing in minutes: (N, 3, px, px) → (N, C).

    All convolutions have stride 1, and pools halve the sides. On 830 photos of `clothing` it has 0.69 of 270 validation
    photos right after a minute on two cores (AMD EPYC, float32); with strides it had 0.57 at 64 px, and 0.23 at 128 px.
    Any `input_px` of 8 or more will do.

    Source: Page, How to Train Your ResNet, part 4, myrtle.ai 2018 (ResNet-9), with a quarter of its maps. It ends in
    the mean of each map instead of its largest value, so that a heatmap can show where an answer comes from.

    Args:
        n_classes: C.
    """

    title: ClassVar[str] = "Small residual network"
    input_px: ClassVar[int] = 32
    mean: ClassVar[Triple] = IMAGENET_MEAN
    std: ClassVar[Triple] = IMAGENET_STD

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.maps = nn.Sequential(
            _conv(3, 16),
            _conv(16, 32, halves=True),
            Residual(32),
            _conv(32, 64, halves=True),
            _conv(64, 128, halves=True),
            Residual(128),
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(128, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, px, px) → logits."""
        logits: Tensor = self.head(self.pool(self.maps(x)).flatten(1))
        return logits


class Residual(nn.Module):
    """Two convolutions whose output is added to their input."""

    def __init__(self, n_maps: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_conv(n_maps, n_maps), _conv(n_maps, n_maps))

    def forward(self, x: Tensor) -> Tensor:
        """(N, n_maps, h, w) → the same."""
        maps: Tensor = x + self.body(x)
        return maps


def _conv(n_in: int, n_out: int, *, halves: bool = False) -> nn.Sequential:
    """A 3×3 convolution that keeps the edges, its batch norm, and, where it `halves` the sides, a pool."""
    conv = nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)
    pool = [nn.MaxPool2d(2)] if halves else []
    return nn.Sequential(conv, nn.BatchNorm2d(n_out), *pool, nn.ReLU())


def _places(px: int, kernel: int) -> int:
    """How many places a side remain after a convolution without padding and a pooling of 2."""
    left = (px - kernel + 1) // 2
    if left < 1:
        raise InputError("The photos are too small for this network.", hint="Choose a larger input size.")
    return left


OWN: dict[str, type[FirstCNN] | type[TutorialCNN] | type[SmallResNet]] = {
    "first-cnn": FirstCNN,
    "tutorial-cnn": TutorialCNN,
    "small-resnet": SmallResNet,
}


def own_network(name: str, n_classes: int, input_px: int | None) -> nn.Module:
    """The network `name` of `OWN` with random weights.

    Raises:
        InputError: the input is too small for it.
    """
    if name == "small-resnet":
        return SmallResNet(n_classes)
    size = {} if input_px is None else {"input_px": input_px}
    return FirstCNN(n_classes, **size) if name == "first-cnn" else TutorialCNN(n_classes, **size)


def n_parameters(module: nn.Module) -> int:
    """How many numbers training may change."""
    return sum(p.numel() for p in module.parameters())


def own_parameters(name: str, n_classes: int = 2) -> int:
    """Parameters of the network `name` of `OWN`, counted without making any of them."""
    with torch.device("meta"):
        return n_parameters(own_network(name, n_classes, None))

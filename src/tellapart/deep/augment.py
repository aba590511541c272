"""Random changes to training photos, by name, so that a network sees each of them differently in every epoch.

Batches stay on the device they are on. Whatever is random is drawn on the CPU, from PyTorch's global generator and
before any pixel is touched: a seed then gives the same boxes and angles on every device, and nothing waits for a GPU.
(`augmix` alone also asks the generator of the GPU for its weights; the same seed sets it.)
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional as nn_functional
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from tellapart.errors import InputError
from tellapart.text import did_you_mean, quoted

MEANINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "flip": "left and right are swapped, half of the time",
        "crop": "a part of the photo, stretched a little",
        "rotate": "turned by up to 15 degrees",
        "colour": "brighter or darker, with more or less contrast and colour",
        "randaugment": "two changes out of fourteen, drawn for each photo (slow)",
        "augmix": "several chains of changes, blended (slowest)",
        "erasing": "a box is painted over, half of the time",
        "mixup": "two photos and their labels are blended",
        "cutmix": "a box of one photo, and its share of the label, is put into another",
    }
)
NAMES: Final = tuple(MEANINGS)
"""Every augmentation, in the order in which they are applied: shape, then colour, then boxes, then mixing."""

STORED_SHARE: Final = 8 / 7  # of the side, kept for crops: 256 for 224 px, as is usual for ImageNet
FLIP_SHARE: Final = 0.5
CROP_AREA: Final = (0.5, 1.0)  # not the 0.08 of ImageNet: with few photos, what names the class is then often cut off
CROP_RATIO: Final = 4 / 3  # width to height, or height to width, at most
ROTATION: Final = 15.0  # degrees, either way
COLOUR: Final = 0.3  # brightness, contrast and colourfulness are each times 1 ± at most this; hue often names a class
GREY: Final = (0.2989, 0.587, 0.114)  # what red, green and blue weigh in grey: ITU-R BT.601, as torchvision has it
ERASED_SHARE: Final = 0.5  # of photos, as in the paper
ERASED_AREA: Final = (0.02, 1 / 3)
ERASED_RATIO: Final = 3.3
MIXUP_ALPHA: Final = 0.2  # from the paper's 0.1 to 0.4 for ImageNet
CUTMIX_ALPHA: Final = 1.0  # as in the paper: every share is as likely
PIECE: Final = 8  # photos changed at a time: as float32, more leave a CPU's cache, and colour takes twice as long

Change = Callable[[Tensor, int], Tensor]


@dataclass(frozen=True)
class Augment:
    """Which augmentations training uses.

    Args:
        names: any of `NAMES`, in any order.
        input_px: side of the photos that the network gets.
        n_classes: C.

    Raises:
        InputError: a name is unknown.
    """

    names: tuple[str, ...]
    input_px: int
    n_classes: int

    def __post_init__(self) -> None:
        for name in self.names:
            if name not in MEANINGS:
                meant = did_you_mean(name, NAMES)
                raise InputError(
                    f"There is no augmentation {quoted(name)}.", hint=f"{meant}There are: {', '.join(NAMES)}."
                )

    @property
    def stored_px(self) -> int:
        """Side at which photos should be kept for this: larger than `input_px` where parts of them are cut out."""
        return math.ceil(self.input_px * STORED_SHARE) if "crop" in self.names else self.input_px

    def photos(self, batch: Tensor) -> Tensor:
        """The photos, each changed by a draw of its own: (N, 3, input_px, input_px) uint8, on the same device.

        Args:
            batch: (N, 3, S, S) uint8, RGB, not normalised; left as it is. S is `input_px`; with `crop` it may be more,
                and best is `stored_px`.

        Raises:
            InputError: the photos are of another size or type.
        """
        side = batch.shape[-1]
        fits = side >= self.input_px if "crop" in self.names else side == self.input_px
        square = batch.ndim == 4 and len(batch) > 0 and tuple(batch.shape[1:3]) == (3, side)
        if batch.dtype != torch.uint8 or not square or not fits:
            raise InputError(
                f"Photos must be uint8 of (N, 3, {self.stored_px}, {self.stored_px}). "
                f"Got {str(batch.dtype).removeprefix('torch.')} of {tuple(batch.shape)}.",
            )
        changes = [change for name, change in _CHANGES.items() if name in self.names]
        if not changes:
            return batch
        return torch.cat([self._changed(piece, changes) for piece in torch.split(batch, PIECE)])

    def mix(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Each photo mixed with the one before it, by one share for the whole batch, and their labels by that share.

        With both `mixup` and `cutmix`, each batch gets one of them, by the toss of a coin.

        Args:
            x: (N, 3, input_px, input_px) float, normalised or not; left as it is. In random order, as otherwise
                photos of one class, which are stored together, would be mixed with each other.
            labels: (N, C) float, one-hot or softer, each row adding up to 1.

        Source: Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018; Yun et al., CutMix, ICCV 2019.
        """
        kinds: list[Callable[..., Any]] = []
        if "mixup" in self.names:
            kinds.append(v2.MixUp(alpha=MIXUP_ALPHA, num_classes=self.n_classes))
        if "cutmix" in self.names:
            kinds.append(v2.CutMix(alpha=CUTMIX_ALPHA, num_classes=self.n_classes))
        if not kinds:
            return x, labels
        kind = kinds[int(torch.randint(len(kinds), ()))] if len(kinds) > 1 else kinds[0]
        mixed, mixed_labels = kind(x, labels)
        return mixed, mixed_labels

    def _changed(self, piece: Tensor, changes: list[Change]) -> Tensor:
        for change in changes:
            piece = change(piece, self.input_px)
        return piece


def _uniform(n: int, low: float, high: float) -> Tensor:
    """(n,) draws between `low` and `high`, on the CPU."""
    return torch.rand(n) * (high - low) + low


def _boxes(n: int, side: int, area: tuple[float, float], ratio: float) -> Tensor:
    """(n, 4) int: top, left, height, width of random boxes inside a square.

    Args:
        n: how many.
        side: of the square, in pixels.
        area: least and most, as a fraction of the square.
        ratio: most of width to height, and of height to width.
    """
    areas = _uniform(n, *area)
    ratios = _uniform(n, -math.log(ratio), math.log(ratio)).exp()
    sizes = side * torch.stack([areas / ratios, areas * ratios], dim=1).sqrt()
    sizes = sizes.round().clamp(1, side)
    corners = (torch.rand(n, 2) * (side - sizes + 1)).floor()
    return torch.cat([corners, sizes], dim=1).int()


def _flip(batch: Tensor, input_px: int) -> Tensor:
    """Only those that were drawn are copied: choosing between both for every pixel takes three times as long."""
    chosen = (torch.rand(len(batch)) < FLIP_SHARE).nonzero().flatten().to(batch.device, non_blocking=True)
    return batch.index_copy(0, chosen, batch[chosen].flip(3))


def _crop(batch: Tensor, input_px: int) -> Tensor:
    """One call a photo: on a CPU, resizing of bytes is twice as fast as sampling the whole batch, and smooths."""
    boxes = _boxes(len(batch), batch.shape[-1], CROP_AREA, CROP_RATIO).tolist()
    size = [input_px, input_px]
    cut = [functional.resized_crop(photo, *box, size, antialias=True) for photo, box in zip(batch, boxes, strict=True)]
    return torch.stack(cut)


def _rotate(batch: Tensor, input_px: int) -> Tensor:
    return turned(batch, _uniform(len(batch), -ROTATION, ROTATION))


def turned(batch: Tensor, degrees: Tensor) -> Tensor:
    """The photos (N, 3, S, S) uint8, each turned to the left by its own of the `degrees` (N,), which are on the CPU.

    One call a batch, as v2 would turn all photos alike. Corners show the mirrored edge: black ones would stand out.
    """
    angles = torch.deg2rad(degrees)
    cos, sin, zero = angles.cos(), angles.sin(), torch.zeros_like(angles)
    turns = torch.stack([cos, -sin, zero, sin, cos, zero], dim=1).view(-1, 2, 3).to(batch.device, non_blocking=True)
    grid = nn_functional.affine_grid(turns, list(batch.shape), align_corners=False)
    return _bytes(nn_functional.grid_sample(batch.float(), grid, padding_mode="reflection", align_corners=False))


def _colour(batch: Tensor, input_px: int) -> Tensor:
    return coloured(batch, _uniform(3 * len(batch), 1 - COLOUR, 1 + COLOUR).view(3, -1))


def coloured(batch: Tensor, factors: Tensor) -> Tensor:
    """The photos (N, 3, S, S) uint8, each with its own brightness, contrast and colourfulness.

    One product of matrices for all three changes, as v2 has one draw a batch and passes over it for each. Brightness
    b, contrast c and colourfulness s of a pixel x with grey g(x), in a photo whose mean grey is m, give
    bc(sx + (1-s)g(x)) + (1-c)bm. That is linear in x; v2 differs only where it clips to bytes in between.

    Args:
        batch: the photos.
        factors: (3, N) b, c and s, where 1 changes nothing; on the CPU.
    """
    b, c, s = factors[:, :, None, None].to(batch.device, non_blocking=True)
    grey = torch.tensor([[GREY]]).to(batch.device, non_blocking=True)  # (1, 1, 3)
    identity = torch.eye(3).to(batch.device, non_blocking=True)
    matrix = b * c * (s * identity + (1 - s) * grey)  # (N, 3, 3); grey is the same row for each channel
    x = batch.flatten(2).float()
    offset = (1 - c) * b * (grey @ x.mean(dim=2, keepdim=True))  # (N, 1, 1)
    return _bytes(torch.baddbmm(offset, matrix, x)).view_as(batch)


def _randaugment(batch: Tensor, input_px: int) -> Tensor:
    """Source: Cubuk et al., RandAugment, NeurIPS 2020; 2 changes of strength 9 of 30, for ImageNet.

    v2 has one draw a call, so that each photo needs its own.
    """
    change = v2.RandAugment(num_ops=2, magnitude=9, interpolation=v2.InterpolationMode.BILINEAR)
    return torch.stack([change(photo) for photo in batch])


def _augmix(batch: Tensor, input_px: int) -> Tensor:
    """Source: Hendrycks et al., AugMix, ICLR 2020, section 3; without its loss, which would need three passes.

    v2 has one draw a call, so that each photo needs its own.
    """
    change = v2.AugMix(interpolation=v2.InterpolationMode.BILINEAR)
    return torch.stack([change(photo) for photo in batch])


def _erase(batch: Tensor, input_px: int) -> Tensor:
    """Source: Zhong et al., Random Erasing Data Augmentation, AAAI 2020; one random colour a box.

    One choice for the whole batch, as v2 would paint the same box over all photos.
    """
    n, side = len(batch), batch.shape[-1]
    boxes = _boxes(n, side, ERASED_AREA, ERASED_RATIO)
    boxes[torch.rand(n) >= ERASED_SHARE, 2:] = 0  # a box without height or width hides nothing
    colours = torch.randint(256, (n, 3, 1, 1), dtype=torch.uint8).to(batch.device, non_blocking=True)
    top, left, height, width = boxes.T.unsqueeze(2).to(batch.device, non_blocking=True)  # each (N, 1)
    places = torch.arange(side).to(batch.device, non_blocking=True)
    rows = (places >= top) & (places < top + height)  # (N, H)
    columns = (places >= left) & (places < left + width)  # (N, W)
    hidden = (rows.unsqueeze(2) & columns.unsqueeze(1)).unsqueeze(1)  # (N, 1, H, W)
    return torch.where(hidden, colours, batch)


def _bytes(x: Tensor) -> Tensor:
    """`x` rounded to uint8; overwrites it."""
    return x.round_().clamp_(0, 255).to(torch.uint8)


_CHANGES: Final[Mapping[str, Change]] = MappingProxyType(
    {
        "flip": _flip,
        "crop": _crop,
        "rotate": _rotate,
        "colour": _colour,
        "randaugment": _randaugment,
        "augmix": _augmix,
        "erasing": _erase,
    }
)

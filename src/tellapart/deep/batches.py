"""What a network in training is fed: photos, or what the stages that do not train made of them.

Either way photos are decoded before the first epoch, once for each size that is needed, and kept in temporary files
that vanish with the process; an epoch reads no photo of the person's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tellapart.data.preprocess import Preprocess, ResizeMode, read_pixels
from tellapart.data.source import Dataset
from tellapart.deep.architectures import Triple
from tellapart.deep.augment import Augment
from tellapart.engine.runner import Network
from tellapart.features.extract import memory_mapped
from tellapart.parallel import map_in_order, n_cores
from tellapart.timing import Progress

STAGE = "decoding photos"
VIEWS_STAGE = "looking at photos"
MOST_BYTES = 8 * 2**30  # of a temporary file
AT_ONCE = 16  # photos a core


class Batches(Protocol):
    """N photos, numbered as in the data set."""

    def augmented(self, photos: NDArray[np.int64]) -> Tensor:
        """What the network gets of `photos` to train on; random draws are from torch's global generator."""

    def clean(self, photos: NDArray[np.int64]) -> Tensor:
        """What it gets of them to answer."""


@dataclass(frozen=True)
class Pixels:
    """Photos as the network sees them.

    Args:
        stored: (N, S, S, 3) uint8, to train on.
        whole: (N, px, px, 3) uint8, exactly what the finished model gets.
        augment: how photos are changed.
        mean: of the channels in [0, 1], taken off.
        std: of the channels, divided by.
        device: where batches go.
    """

    stored: NDArray[np.uint8]
    whole: NDArray[np.uint8]
    augment: Augment
    mean: Triple
    std: Triple
    device: torch.device

    def augmented(self, photos: NDArray[np.int64]) -> Tensor:
        """(n, 3, px, px) float32, changed and normalised."""
        return self._normalised(self.augment.photos(self._channels_first(self.stored, photos)))

    def clean(self, photos: NDArray[np.int64]) -> Tensor:
        """(n, 3, px, px) float32, normalised."""
        return self._normalised(self._channels_first(self.whole, photos))

    def _channels_first(self, stored: NDArray[np.uint8], photos: NDArray[np.int64]) -> Tensor:
        rows = torch.from_numpy(stored[photos])
        if self.device.type == "cuda":
            rows = rows.pin_memory().to(self.device, non_blocking=True)
        return rows.permute(0, 3, 1, 2)

    def _normalised(self, pixels: Tensor) -> Tensor:
        mean, std = (torch.tensor(v, device=pixels.device).view(1, 3, 1, 1) for v in (self.mean, self.std))
        return pixels.to(torch.float32, memory_format=torch.channels_last).div_(255).sub_(mean).div_(std)


@dataclass(frozen=True)
class Activations:
    """What the trunk made of photos, once; the stages after it train on that.

    Args:
        views: (V + 1, N, h, w, channels) float16: of each photo as it is, then of V changed copies.
        device: where batches go.
    """

    views: NDArray[np.float16]
    device: torch.device

    def augmented(self, photos: NDArray[np.int64]) -> Tensor:
        """(n, channels, h, w) float32 of one view of each photo, drawn at random."""
        drawn = torch.randint(len(self.views), (len(photos),)).numpy()
        return self._moved(self.views[drawn, photos])

    def clean(self, photos: NDArray[np.int64]) -> Tensor:
        """(n, channels, h, w) float32 of the photos as they are."""
        return self._moved(self.views[0, photos])

    def _moved(self, rows: NDArray[np.float16]) -> Tensor:
        return torch.from_numpy(rows).to(self.device).float().permute(0, 3, 1, 2)


def read_both_sizes(
    dataset: Dataset,
    learned: NDArray[np.int64],
    augmented: NDArray[np.int64],
    input_px: int,
    stored_px: int,
    resize_mode: ResizeMode,
    progress: Progress,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The photos `learned` as the finished model gets them, and those `augmented` at the size they are changed at."""
    clean = read_all(dataset, input_px, resize_mode, progress, learned)
    return clean, clean if stored_px == input_px else read_all(dataset, stored_px, resize_mode, progress, augmented)


def read_all(
    dataset: Dataset, side_px: int, resize_mode: ResizeMode, progress: Progress, chosen: NDArray[np.int64] | None = None
) -> NDArray[np.uint8]:
    """(N, side_px, side_px, 3) uint8 of the photos `chosen`, or of all, memory-mapped; the others stay 0."""
    preprocessing = Preprocess(side_px, resize_mode)
    pixels = memory_mapped((dataset.n, side_px, side_px, 3), np.dtype(np.uint8))
    wanted = np.arange(dataset.n) if chosen is None else chosen

    def read(k: int) -> None:
        index = int(wanted[k])
        with dataset.naming(index):
            pixels[index] = read_pixels(dataset.read(index), preprocessing)

    _each(read, range(len(wanted)), lambda done: progress(STAGE, done, len(wanted)))
    return pixels


def trunk_activations(
    trunk: Network,
    clean: NDArray[np.uint8],
    stored: NDArray[np.uint8],
    augment: Augment,
    learned: NDArray[np.int64],
    augmented: NDArray[np.int64],
    n_views: int,
    progress: Progress,
) -> NDArray[np.float16]:
    """(V + 1, N, h, w, channels) float16: what the trunk makes of photos, and of changed copies.

    All others stay 0. Fewer views are made where they would take more than MOST_BYTES.

    Args:
        trunk: pixels → `activations`.
        clean: (N, px, px, 3) uint8.
        stored: (N, S, S, 3) uint8, what copies are made of.
        augment: how copies are changed; draws from torch's global generator.
        learned: which photos go through it.
        augmented: which of them have copies too.
        n_views: V.
        progress: called with (stage, done, total).
    """
    n = len(clean)
    channels, high, wide = trunk(clean[0])["activations"].shape
    one = n * channels * high * wide * np.dtype(np.float16).itemsize
    n_views = min(n_views, max(MOST_BYTES // one - 1, 0))
    views = memory_mapped((n_views + 1, n, high, wide, channels), np.dtype(np.float16))
    total = len(learned) + n_views * len(augmented)

    def keep(view: int, photos: NDArray[np.int64], pixels: NDArray[np.uint8], done: int) -> None:
        def run(k: int) -> None:
            views[view, photos[k]] = trunk(pixels[k])["activations"].transpose(1, 2, 0)

        _each(run, range(len(photos)), lambda k: progress(VIEWS_STAGE, done + k, total))

    done = 0
    for part in _parts(learned):
        keep(0, part, clean[part], done)
        done += len(part)
    for view in range(1, n_views + 1):
        for part in _parts(augmented):
            copies = augment.photos(torch.from_numpy(stored[part]).permute(0, 3, 1, 2))
            keep(view, part, copies.permute(0, 2, 3, 1).contiguous().numpy(), done)
            done += len(part)
    return views


def _parts(photos: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The photos in parts of a few for each core: memory does not grow with their number."""
    return np.array_split(photos, -(-len(photos) // (AT_ONCE * n_cores())))


def _each(work: Callable[[int], None], items: range, said: Callable[[int], None]) -> None:
    """Do `work` for each of `items` on every core."""
    for done, _ in enumerate(map_in_order(work, items, name="photos"), start=1):
        said(done)

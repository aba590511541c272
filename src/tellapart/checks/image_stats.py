"""How each photo looks and how it was stored, in a few numbers: what the checks of quality and shortcuts start from.

One pass over the photos, each decoded small. What a photo shows is not asked here; that is for features.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.photo import StoredAs, decode, stored_as
from tellapart.data.preprocess import as_pillow
from tellapart.data.source import Dataset
from tellapart.parallel import map_in_order
from tellapart.timing import Progress, no_progress

STAGE = "looking at photos"
DECODED_PX = 576  # the shorter side that it is decoded at: as for the usual network, so that both look at one image
SHORT_SIDE_PX = 128  # a photo is judged with its shorter side this long: the same blur then counts alike in each
SEGMENT_PX = 8  # along which an edge is followed; blur that spoils a photo for the backbone is about as wide
EDGE = 0.08  # of the range of brightness: a segment that changes less has no edge to judge by
MIN_EDGES = 8  # segments; with fewer the photo has nothing to be sharp or blurred
STEEPEST = 0.9  # quantile of the edges: a photo is sharp if something in it is
GRID = 7  # cells a side; the outer ones are the outer seventh of the photo
LINE_PX = 2  # of SHORT_SIDE_PX: a frame drawn around the photo
DARKEST, BRIGHTEST = 0.005, 0.98  # quantiles of luma; a thing on white paper may fill one pixel in a hundred
CHUNK = 8  # photos a task
CHUNKS_AHEAD = 4  # chunks a core that are opened before their turn
LUMA = np.array([299, 587, 114], np.float64)  # thousandths; Rec. 601, as in JPEG
WHITE = 255_000  # the luma of white in them

FIRST, LAST, ALL = GRID, GRID + 1, GRID + 2  # rows of `_weights`, after those of the cells
RIM = np.nonzero(np.pad(np.zeros((GRID - 2, GRID - 2)), 1, constant_values=1))  # rows and columns of the outer cells
LINES = (np.array([FIRST, LAST, ALL, ALL]), np.array([ALL, ALL, FIRST, LAST]))
_NOTHING = Image.new("RGB", (0, 0))


@dataclass(frozen=True)
class ImageStats:
    """The looks of N photos. Fractions of the full range are in [0, 1].

    Args:
        format: (N,) what the file's content is, such as "JPEG".
        camera: (N,) the camera's model as EXIF names it, or "".
        day: (N,) on which the photo was taken as EXIF says, such as 2024-05-31, or "".
        bytes: (N,) int64 size of the file.
        width_px, height_px: (N,) int64 of the upright photo at its own size.
        brightness: (N,) mean luma.
        darkest, brightest: (N,) luma that 1 in 200 pixels is below, and 1 in 50 above.
        contrast: (N,) standard deviation of the channel that varies most, as a fraction of the full range.
        saturation: (N,) mean of (max - min) / max over the channels.
        sharpness: (N,) how much of an edge's step lies between two neighbouring pixels: 1 for hard edges, about
            1 / w for edges w pixels wide; NaN for a photo without edges.
        border: (N, B) mean colour and spread of the cells around the photo's rim, and of the lines along its sides.
    """

    format: NDArray[np.str_]
    camera: NDArray[np.str_]
    day: NDArray[np.str_]
    bytes: NDArray[np.int64]
    width_px: NDArray[np.int64]
    height_px: NDArray[np.int64]
    brightness: NDArray[np.float32]
    darkest: NDArray[np.float32]
    brightest: NDArray[np.float32]
    contrast: NDArray[np.float32]
    saturation: NDArray[np.float32]
    sharpness: NDArray[np.float32]
    border: NDArray[np.float32]


@dataclass(frozen=True)
class _File:
    """A photo's file, read, and the photo in small."""

    stored: StoredAs
    bytes: int
    small: Image.Image


def image_stats_of(dataset: Dataset, progress: Progress = no_progress) -> ImageStats:
    """The looks of every photo of `dataset`, in their order.

    Workers decode; this thread alone measures, for arithmetic on small arrays gains nothing from a second thread.

    Args:
        dataset: photos that can be read.
        progress: called with (stage, done, total).

    Raises:
        PhotoError: a photo cannot be read any more.
    """
    progress(STAGE, 0, dataset.n)
    files: list[_File] = []
    numbers: list[NDArray[np.float32]] = []

    def open_one(index: int) -> _File:
        with dataset.naming(index):
            return _open(dataset.read(index))

    def open_some(start: int) -> list[_File]:
        return [open_one(i) for i in range(start, min(start + CHUNK, dataset.n))]

    for chunk in map_in_order(open_some, range(0, dataset.n, CHUNK), ahead=CHUNKS_AHEAD, name="image_stats"):
        numbers += [measure(file.small) for file in chunk]
        files += [replace(file, small=_NOTHING) for file in chunk]
        progress(STAGE, len(files), dataset.n)
    stored = [file.stored for file in files]
    facts = [
        (s.kind, s.camera, s.day, file.bytes, s.width_px, s.height_px) for s, file in zip(stored, files, strict=True)
    ]
    return stats_of(facts, numbers)


def stats_of(facts: Sequence[tuple[str, str, str, int, int, int]], rows: list[NDArray[np.float32]]) -> ImageStats:
    """The looks of N photos.

    Args:
        facts: (N,) of each its format, camera, day, bytes, width and height.
        rows: (N,) of each what `measure` gives.
    """
    n_border = (4 * GRID - 4) * 4 + 16
    numbers = np.stack(rows) if rows else np.zeros((0, 6 + n_border), np.float32)
    kinds, cameras, days, sizes, widths, heights = zip(*facts, strict=True) if facts else [()] * 6
    return ImageStats(
        format=np.array(kinds, np.str_),
        camera=np.array(cameras, np.str_),
        day=np.array(days, np.str_),
        bytes=np.array(sizes, np.int64),
        width_px=np.array(widths, np.int64),
        height_px=np.array(heights, np.int64),
        brightness=numbers[:, 0],
        darkest=numbers[:, 1],
        brightest=numbers[:, 2],
        contrast=numbers[:, 3],
        saturation=numbers[:, 4],
        sharpness=numbers[:, 5],
        border=numbers[:, 6:],
    )


def _open(data: bytes) -> _File:
    image = decode(data, min_side_px=DECODED_PX)
    return _File(stored_as(data, image), len(data), _small(as_pillow(image)))


def measure(image: NDArray[np.uint8] | Image.Image) -> NDArray[np.float32]:
    """(6 + B,) numbers of an (H, W, 3) image: six of its whole, then its border."""
    channels = np.ascontiguousarray(np.asarray(_small(as_pillow(image))).transpose(2, 0, 1))
    planes = _planes(channels)
    height, width = planes.shape[1:]
    down, across = _weights(height), _weights(width)
    means = (down @ planes @ across.T) / np.outer(down.sum(axis=1), across.sum(axis=1))
    squares = np.einsum("chw,chw->c", planes[:3], planes[:3]) / (height * width)
    contrast = np.sqrt((squares - means[:3, ALL, ALL] ** 2).max().clip(0)) / 255
    luma = np.divide(planes[3], WHITE, dtype=np.float32)
    tails = np.sort(luma[::2, ::2], axis=None)
    ends = _quantile(tails, DARKEST), _quantile(tails, BRIGHTEST)
    whole = np.array([means[3, ALL, ALL] / WHITE, *ends, contrast, _saturation(*channels), sharpness(luma)])
    spreads = np.sqrt((means[4] - means[3] ** 2).clip(0)) / WHITE
    colours = means[:3].transpose(1, 2, 0) / 255
    lines = np.column_stack([colours[LINES], spreads[LINES]])
    return np.concatenate([whole, colours[RIM].ravel(), spreads[RIM], lines.ravel()], dtype=np.float32)


def _planes(channels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(5, H, W) of `channels` (3, H, W): red, green, blue, luma in thousandths, and its square.

    All are whole numbers, and no sum of them by `_weights` reaches 2**53. So sums are the same on every processor, in
    whatever order it adds.
    """
    planes = np.empty((5, *channels.shape[1:]))
    planes[:3] = channels
    luma = np.multiply(planes[0], LUMA[0], out=planes[3])
    luma += LUMA[1] * planes[1]
    luma += LUMA[2] * planes[2]
    np.square(luma, out=planes[4])
    return planes


@lru_cache(maxsize=64)
def _weights(n: int) -> NDArray[np.float64]:
    """(GRID + 3, n): which of `n` pixels lie in each cell, the first line, the last line, and the whole; 1 or 0.

    A pixel lies where its middle does. In fewer pixels than cells, that nearest to a cell's middle is the cell's.
    """
    middles, half = (2 * np.arange(GRID)[:, None] + 1) * n, max(n, GRID)  # all in parts of a pixel: whole numbers
    pixels = (2 * np.arange(n) + 1) * GRID
    weights = np.ones((GRID + 3, n))
    weights[:GRID] = (middles - half < pixels) & (pixels <= middles + half)
    weights[FIRST, LINE_PX:] = weights[LAST, :-LINE_PX] = 0
    return weights


def _small(image: Image.Image) -> Image.Image:
    """The image with a shorter side of at most SHORT_SIDE_PX and a longer one of at most eight times that."""
    width, height = image.size
    scale = min(1, SHORT_SIDE_PX / min(height, width))
    size = (min(max(1, round(width * scale)), 8 * SHORT_SIDE_PX), min(max(1, round(height * scale)), 8 * SHORT_SIDE_PX))
    # With a gap of 1 it is first shrunk by a whole factor, which is twice as fast.
    return image if size == image.size else image.resize(size, Image.Resampling.BOX, reducing_gap=1.0)


def _saturation(red: NDArray[np.uint8], green: NDArray[np.uint8], blue: NDArray[np.uint8]) -> float:
    most, least = (pick(pick(red, green), blue) for pick in (np.maximum, np.minimum))
    spread = (most - least).astype(np.float32)
    spread /= np.maximum(most, 1, out=most).astype(np.float32)  # making room takes longer than the arithmetic
    return float(spread.mean())


def _quantile(ascending: NDArray[np.float32], q: float) -> float:
    """As `np.quantile`, which takes many times as long for so few numbers."""
    last = len(ascending) - 1
    below = math.floor(q * last)
    low, high = float(ascending[below]), float(ascending[min(below + 1, last)])
    return low + (q * last - below) * (high - low)


def sharpness(luma: NDArray[np.float32]) -> float:
    """How steep the steepest edges of `luma` (H, W) in [0, 1] are, in the direction in which they are least steep.

    Rows and columns are cut into segments of SEGMENT_PX. In each, the largest step between two neighbours is held
    against the segment's whole range, so neither brightness nor contrast counts. Blur by motion spoils one direction
    only, hence the lesser of two. NaN where no direction has edges enough.
    """
    found = [_steepness(lines) for lines in (np.ascontiguousarray(luma.T), luma)]
    known = [value for value in found if value is not None]
    return min(known) if known else float("nan")


def _steepness(lines: NDArray[np.float32]) -> float | None:
    """Of the segments that lie across `lines`: numpy is many times faster across lines than along short pieces."""
    n_segments = len(lines) // SEGMENT_PX
    segments = lines[: n_segments * SEGMENT_PX].reshape(n_segments, SEGMENT_PX, lines.shape[1])
    ranges = segments.max(axis=1) - segments.min(axis=1)
    edges = ranges > EDGE
    if np.count_nonzero(edges) < MIN_EDGES:
        return None
    steps = segments[:, 1:] - segments[:, :-1]
    steepest = np.abs(steps, out=steps).max(axis=1)
    return _quantile(np.sort(steepest[edges] / ranges[edges]), STEEPEST)

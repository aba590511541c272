"""Copies of photos as they come about: saved again, resized, turned, cropped, framed, marked, sent by a messenger.

Each is made anew from its photo with a random generator of its own, so that any of them can be made again.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from tellapart.data.source import Dataset

LOSSLESS = 95  # JPEG quality of copies that were not saved on purpose at a lower one
FILTERS = tuple(Image.Resampling)  # "any filter": nearest, box, bilinear, Hamming, bicubic, Lanczos
PLAIN = ((255, 255, 255), (0, 0, 0), (221, 221, 221))  # half of all borders and marks; the others have any colour

Change = Callable[[Image.Image, np.random.Generator], Image.Image]


def scaled(image: Image.Image, share: float, rng: np.random.Generator) -> Image.Image:
    """`share` of each side, by any filter."""
    size = max(1, round(image.width * share)), max(1, round(image.height * share))
    return image.resize(size, FILTERS[rng.integers(len(FILTERS))])


def cropped_somewhere(image: Image.Image, share: float, rng: np.random.Generator) -> Image.Image:
    """`share` of each side, from anywhere."""
    width, height = round(image.width * share), round(image.height * share)
    x, y = int(rng.integers(image.width - width + 1)), int(rng.integers(image.height - height + 1))
    return image.crop((x, y, x + width, y + height))


def colour(rng: np.random.Generator) -> tuple[int, ...]:
    """White, black, light grey or any colour."""
    return PLAIN[rng.integers(3)] if rng.random() < 0.5 else tuple(int(level) for level in rng.integers(0, 256, 3))


def bordered(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A border of 3 to 12.5 % of the side: all around, of one width or of four, or on some sides only."""
    widths = rng.uniform(0.03, 0.125, 4) * (rng.random(4) < 0.7)
    if not widths.any() or rng.random() < 0.3:
        widths = np.full(4, rng.uniform(0.03, 0.125))
    sides = np.array([image.width, image.height, image.width, image.height])
    return ImageOps.expand(image, tuple(int(px) for px in np.rint(widths * sides)), colour(rng))


def marked(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A written plate over 2 to 5 % of the photo, anywhere."""
    image = image.copy()
    area = rng.uniform(0.02, 0.05) * image.width * image.height
    width = min(0.95 * image.width, np.sqrt(area * rng.uniform(0.5, 6)))
    height = min(0.95 * image.height, area / width)
    x, y = rng.uniform(0, image.width - width), rng.uniform(0, image.height - height)
    draw = ImageDraw.Draw(image)
    draw.rectangle((x, y, x + width, y + height), fill=colour(rng))
    draw.text((x + 1, y + 1), "(c) someone", fill=colour(rng))
    return image


def brightened(image: Image.Image, factor: float) -> Image.Image:
    """Every level times `factor`, at most white."""
    return ImageEnhance.Brightness(image).enhance(factor)


def turned(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """By a quarter, a half or three quarters."""
    ways = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)
    return image.transpose(ways[rng.integers(3)])


# What is done to the photo, and the JPEG quality that it is saved with; None is a PNG.
KINDS: dict[str, tuple[Change, int | None]] = {
    "half the size": (lambda image, rng: scaled(image, 0.5, rng), LOSSLESS),
    "double the size": (lambda image, rng: scaled(image, 2, rng), LOSSLESS),
    "JPEG 25": (lambda image, rng: image, 25),
    "JPEG 50": (lambda image, rng: image, 50),
    "JPEG 95": (lambda image, rng: image, 95),
    "mirrored": (lambda image, rng: ImageOps.mirror(image), LOSSLESS),
    "turned by quarters": (turned, LOSSLESS),
    "cropped to 90 % of each side": (lambda image, rng: cropped_somewhere(image, 0.9, rng), LOSSLESS),
    "border": (bordered, LOSSLESS),
    "brightness × 0.7": (lambda image, rng: brightened(image, 0.7), LOSSLESS),
    "brightness × 0.7 to 1.4": (lambda image, rng: brightened(image, rng.uniform(0.7, 1.4)), LOSSLESS),
    "brightness × 1.4": (lambda image, rng: brightened(image, 1.4), LOSSLESS),
    "mark over at most 5 %": (marked, LOSSLESS),
    "60 % of the size, JPEG 60": (lambda image, rng: scaled(image, 0.6, rng), 60),
    "screenshot": (lambda image, rng: scaled(bordered(image, rng), rng.uniform(0.5, 1.2), rng), None),
}


@dataclass
class Planted:
    """A copy of one kind of each of the photos `chosen` of `dataset`."""

    dataset: Dataset
    chosen: np.ndarray
    kind: str
    seed: int

    @property
    def n(self) -> int:
        return len(self.chosen)

    def read(self, index: int) -> bytes:
        change, quality = KINDS[self.kind]
        rng = np.random.default_rng([self.seed, list(KINDS).index(self.kind), index])
        with Image.open(io.BytesIO(self.dataset.read(int(self.chosen[index])))) as image:
            copy = change(ImageOps.exif_transpose(image).convert("RGB"), rng)
        file = io.BytesIO()
        copy.save(file, "PNG") if quality is None else copy.save(file, "JPEG", quality=quality)
        return file.getvalue()

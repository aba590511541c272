"""From a decoded image to the pixels that a network gets: the one definition, for training and for every answer."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.data import photo
from tellapart.errors import InputError

ResizeMode = Literal["crop", "squash"]
RESIZE_MODES: tuple[str, ...] = get_args(ResizeMode)
DECODE_MARGIN = 2  # a photo is decoded at this many times the input's side at least: scaling while decoding is fast,
# but differs from scaling afterwards, by up to 8 of 255 at once the side and under 3 of 255 at twice


@dataclass(frozen=True)
class Preprocess:
    """How an image becomes square.

    Args:
        input_px: side of the square, in pixels.
        resize_mode: `crop` keeps the shape and the middle square; `squash` keeps the whole photo and changes its shape.
            Measured in docs/backbones.md.
    """

    input_px: int
    resize_mode: ResizeMode = "crop"

    def __post_init__(self) -> None:
        if self.resize_mode not in RESIZE_MODES:
            raise InputError(
                f"There is no fit '{self.resize_mode}'.", hint=f"Choose one of: {', '.join(RESIZE_MODES)}."
            )

    @property
    def min_side_px(self) -> int:
        """The shorter side that a decoded photo needs, if the photo has it."""
        return DECODE_MARGIN * self.input_px

    @property
    def key(self) -> str:
        """Names this preprocessing exactly; the number is raised when its pixels change."""
        return f"{self.resize_mode}-bilinear-1@{self.input_px}"


def as_pillow(image: NDArray[np.uint8] | Image.Image) -> Image.Image:
    """The image as Pillow holds it: a copy of an array (H, W, 3), made once where several ask of the same photo."""
    return image if isinstance(image, Image.Image) else Image.fromarray(image)


def preprocess(image: NDArray[np.uint8] | Image.Image, preprocessing: Preprocess) -> NDArray[np.uint8]:
    """The (px, px, 3) uint8 pixels of `image` (H, W, 3) uint8 that a network gets.

    Resizing is Pillow's antialiased bilinear filter: every source pixel counts, so a 48-megapixel photo and its
    thumbnail come out alike.
    """
    picture = as_pillow(image)
    width_px, height_px = picture.size
    box = (0.0, 0.0, float(width_px), float(height_px))
    if preprocessing.resize_mode == "crop":
        side_px = min(height_px, width_px)
        left, top = (width_px - side_px) / 2, (height_px - side_px) / 2
        box = (left, top, left + side_px, top + side_px)
    size = (preprocessing.input_px, preprocessing.input_px)
    return np.asarray(picture.resize(size, Image.Resampling.BILINEAR, box=box))


def read_pixels(data: bytes, preprocessing: Preprocess) -> NDArray[np.uint8]:
    """The (px, px, 3) uint8 that a network gets of a photo's bytes.

    Raises:
        PhotoError: the photo cannot be read.
    """
    return preprocess(photo.decode(data, min_side_px=preprocessing.min_side_px), preprocessing)


def read_whole(data: bytes, longest_px: int) -> NDArray[np.uint8]:
    """The (H, W, 3) uint8 pixels of a whole photo, neither side above `longest_px`; for people, not for networks.

    Raises:
        PhotoError: the photo cannot be read.
    """
    image = Image.fromarray(photo.decode(data, min_side_px=longest_px))
    image.thumbnail((longest_px, longest_px), Image.Resampling.BILINEAR)
    return np.asarray(image)

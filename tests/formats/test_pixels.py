"""From Pillow's images to upright sRGB, without a file; test_photo.py has whole photos."""

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from tellapart.errors import PhotoError
from tellapart.formats.pixels import conversion, srgb, to_8_bit, upright


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_as_pillow_turns_it(orientation):
    pixels = np.arange(3 * 5 * 3, dtype=np.uint8).reshape(3, 5, 3)
    image = Image.fromarray(pixels)
    image.getexif()[0x0112] = orientation
    turned = upright(pixels, orientation)
    assert np.array_equal(turned, np.asarray(ImageOps.exif_transpose(image)))
    assert turned.flags.c_contiguous


@pytest.mark.parametrize(
    ("grey", "expected"),
    [
        (np.array([[0, 65535, 32768]], np.uint16), [0, 255, 128]),
        (np.array([[0, 300, -5]], np.int32), [2, 77, 1]),  # -8 is black, 1015 is white
        (np.array([[0, 2**31 - 1]], np.int32), [0, 255]),
        (np.array([[0, 0.5, 1]], np.float32), [0, 128, 255]),
        (np.array([[0, 128, np.nan]], np.float32), [0, 128, 0]),
    ],
)
def test_deeper_pixels_are_scaled_by_their_range(grey, expected):
    assert np.asarray(to_8_bit(Image.fromarray(grey))).ravel().tolist() == expected


def test_pixels_without_a_range_are_refused_and_others_left_alone():
    with pytest.raises(PhotoError, match="no fixed range"):
        to_8_bit(Image.fromarray(np.array([[1e9]], np.float32)))
    image = Image.new("RGB", (2, 2))
    assert to_8_bit(image) is image


def test_a_clear_grey_level_becomes_alpha():
    image = Image.fromarray(np.array([[0, 65535]], np.uint16))
    image.info["transparency"] = 65535
    assert np.asarray(to_8_bit(image).getchannel("A")).tolist() == [[255, 0]]


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("L", 77, (77, 77, 77)),
        ("RGBA", (10, 20, 30, 255), (10, 20, 30)),
        ("RGBA", (10, 20, 30, 0), (255, 255, 255)),
        ("LA", (0, 0), (255, 255, 255)),
        ("CMYK", (0, 0, 0, 255), (0, 0, 0)),
        ("1", 1, (255, 255, 255)),
    ],
)
def test_every_kind_of_pixel_is_red_green_and_blue_over_white(mode, colour, expected):
    assert srgb(Image.new(mode, (2, 3), colour), b"").tolist() == [[list(expected)] * 2] * 3


def test_strips_are_one_photo(monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (50, 7, 3), np.uint8)
    monkeypatch.setattr("tellapart.formats.pixels._STRIP_PX", 20)
    assert np.array_equal(srgb(Image.fromarray(pixels), b""), pixels)


def test_a_profile_is_obeyed_unless_it_says_nothing_or_is_broken():
    plain = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert conversion(plain, "RGB") is None
    assert conversion(b"no profile", "RGB") is None
    assert conversion(b"", "LAB") is not None

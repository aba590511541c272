"""PNGs of 16 bits whose photo uses fewer show what their twin of 8 bits shows."""

import struct
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tellapart.data import photo
from tellapart.formats.deep_png import stated_span
from tellapart.formats.levels import Span

from .png_files import COLOUR, GREY, KINDS, deep, png


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", [1, 4, 16, 64, 257])
@pytest.mark.parametrize("interlaced", [False, True])
def test_fewer_bits_in_files_of_16_are_no_black(kind, step, interlaced):
    image = photo.decode(png(deep(kind, step), kind, interlaced=interlaced))
    assert np.abs(image - KINDS[kind].astype(float)).mean() < 1


@pytest.mark.parametrize("kind", [4, 6])
def test_alpha_has_a_range_of_its_own(kind):
    for alpha, shown in ((65535, True), (1023, True), (0, False)):
        image = photo.decode(png(deep(kind, 4, alpha), kind))
        assert np.abs(image - (KINDS[kind].astype(float) if shown else 255)).mean() < 1


def test_full_range_colours_are_as_pillow_and_browsers_have_them():
    values = np.random.default_rng(0).integers(0, 65536, COLOUR.shape).astype(np.uint16)
    data = png(values, 2)
    assert np.array_equal(photo.decode(data), np.asarray(Image.open(BytesIO(data))))
    assert np.array_equal(photo.decode(data), values >> 8)


@pytest.mark.parametrize(
    ("bits", "white"),
    [(10, 1023), (12, 4095), (16, 65535), (8, 1023)],  # with 8, a pixel is brighter than the file says
)
@pytest.mark.parametrize("kind", KINDS)
def test_significant_bits_say_the_range(kind, bits, white):
    n = 1 if kind in (0, 4) else 3
    said = (b"sBIT", bytes([bits] * n + [16] * (kind in (4, 6))))
    image = photo.decode(png(deep(kind, 3), kind, said))
    assert np.abs(image - KINDS[kind] * (3 * 255 / white)).mean() < 1


def test_significant_bits_of_8_bit_photos_change_nothing():
    assert np.array_equal(photo.decode(png(COLOUR, 2, (b"sBIT", b"\5\6\5"))), COLOUR)


def test_a_photo_spread_over_16_bits_as_the_specification_asks_stays_as_it_is():
    ten = GREY.astype(np.uint16) * 4
    spread = ten << 6 | ten >> 4
    image = photo.decode(png(spread, 0, (b"sBIT", b"\x0a")))
    assert np.abs(image - (spread / 257.0)).max() <= 0.5


def test_a_transparent_colour_of_16_bits_is_found_exactly():
    values = deep(2, 257)
    values[:, :5] = (1000, 2000, 3000)
    values[:, 5:10] = (1001, 2000, 3000)
    image = photo.decode(png(values, 2, (b"tRNS", struct.pack(">3H", 1000, 2000, 3000))))
    assert (image[:, :5] == 255).all()
    assert (image[:, 5:10] == (3, 7, 11)).all()


def test_where_significant_bits_are_not_said():
    assert stated_span(png(GREY, 0)) is None
    assert stated_span(png(GREY, 0, (b"sBIT", b"\x0c"))) == Span(0, 4095)
    assert stated_span(png(GREY, 0, (b"sBIT", b"\0"))) is None


@pytest.mark.parametrize("turn", [3, 6])
def test_deep_photos_are_upright(turn):
    exif = Image.Exif()
    exif[0x0112] = turn
    body = exif.tobytes().removeprefix(b"Exif\0\0")
    eight, sixteen = (photo.decode(png(v, 2, (b"eXIf", body))) for v in (COLOUR, deep(2, 4)))
    assert eight.shape == sixteen.shape
    assert np.abs(eight.astype(int) - sixteen).max() <= 1

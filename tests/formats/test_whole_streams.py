"""A photo whose compressed pixels end before its last row is refused, however well its file ends."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tellapart.data import photo
from tellapart.errors import PhotoError
from tellapart.formats import header

from .png_files import KINDS, deep, png
from .tiff_files import picture


def code_of(data):
    try:
        return photo.decode(data).shape
    except PhotoError as error:
        return error.code


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("interlaced", [False, True])
def test_a_png_that_lacks_rows_is_cut_off(kind, dtype, interlaced):
    values = deep(kind, 257) if dtype is np.uint16 else (deep(kind, 257) >> 8).astype(np.uint8)
    for kept in (0, 0.1, 0.5, 0.9, 0.995):
        assert code_of(png(values, kind, interlaced=interlaced, kept=kept)) in ("truncated", "damaged")
    assert code_of(png(values, kind, interlaced=interlaced)) == (*values.shape[:2], 3)


@pytest.mark.parametrize("interlaced", [False, True])
def test_a_png_that_ends_in_black_is_whole(interlaced):
    black = np.zeros((40, 30, 3), np.uint8)
    assert code_of(png(black, 2, interlaced=interlaced)) == (40, 30, 3)
    assert code_of(png(black, 2, interlaced=interlaced, kept=0.9)) == "truncated"


def gif(interlaced, kept, colours=64):
    """A GIF whose only frame has the first share of its codes, and a proper end."""
    file = BytesIO()
    Image.fromarray(picture()).quantize(colours).save(file, "GIF", interlace=interlaced)
    data = file.getvalue()
    at = header.check_gif(data).at
    begin = at + 11 + (6 << (data[at + 9] & 7) if data[at + 9] & 0x80 else 0)
    codes, here = b"", begin
    while n := data[here]:
        codes, here = codes + data[here + 1 : here + 1 + n], here + 1 + n
    codes = codes[: int(kept * len(codes))]
    blocks = b"".join(bytes([len(codes[i : i + 255])]) + codes[i : i + 255] for i in range(0, len(codes), 255))
    return data[:begin] + blocks + b"\0;"


@pytest.mark.parametrize("interlaced", [0, 1])
@pytest.mark.parametrize("colours", [2, 3, 64, 256])
def test_a_gif_that_lacks_rows_is_cut_off(interlaced, colours):
    for kept in (0, 0.2, 0.5, 0.9):
        assert code_of(gif(interlaced, kept, colours)) in ("truncated", "damaged")
    assert code_of(gif(interlaced, 1, colours)) == (50, 37, 3)


@pytest.mark.parametrize("colour", [0, 1])
def test_a_gif_of_one_colour_is_whole(colour):
    file = BytesIO()
    Image.new("P", (300, 200), colour).save(file, "GIF")
    assert code_of(file.getvalue()) == (200, 300, 3)


@pytest.mark.parametrize("place", [(0, 0), (20, 10), (123, 90)])
def test_what_a_small_first_frame_of_a_gif_leaves_clear_is_white(place):
    file = BytesIO()
    small = Image.fromarray(picture()).quantize(16)
    small.save(file, "GIF")
    data = bytearray(file.getvalue())
    at = header.check_gif(bytes(data)).at
    data[6:10] = (160).to_bytes(2, "little") + (140).to_bytes(2, "little")
    data[at + 1 : at + 5] = b"".join(n.to_bytes(2, "little") for n in place)
    image = photo.decode(bytes(data))
    assert image.shape == (140, 160, 3)
    left, top = place
    inside = image[top : top + 50, left : left + 37]
    assert np.array_equal(inside, np.asarray(small.convert("RGB")))
    outside = np.ones(image.shape[:2], bool)
    outside[top : top + 50, left : left + 37] = False
    assert (image[outside] == 255).all()

"""A photo whose compressed pixels end before its last row is refused, however well its file ends."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tellapart.data import photo
from tellapart.errors import PhotoError
from tellapart.formats import header, tiff_page

from .png_files import KINDS, deep, png
from .tiff_files import Page, picture, tiff


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


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_jpeg_that_ends_between_its_scans_is_cut_off(mode):
    file = BytesIO()
    Image.fromarray(picture(64, 64)).convert(mode).save(file, "JPEG", progressive=True)
    data = file.getvalue()
    assert code_of(data) == (64, 64, 3)
    scans = [at for at in range(len(data)) if data.startswith(b"\xff\xda", at)]
    assert len(scans) > 3
    for at in scans[1:]:
        begin = data.rindex(b"\xff\xc4", 0, at)  # its table of codes
        assert code_of(data[:begin] + b"\xff\xd9") == "truncated"
        assert code_of(data[:begin]) == "truncated"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("rows", [50, 8])
def test_a_tiff_whose_strips_are_shorter_than_their_rows_is_cut_off(dtype, rows):
    """Where the bytes are there and of nothing else, only the count is wrong, and the photo is whole."""
    values = picture().astype(dtype) * (257 if dtype is np.uint16 else 1)
    data = tiff(Page(values, 2, rows=rows))
    page = tiff_page.find_photo(data)
    sizes, places = page.numbers(data, 279), page.numbers(data, 273)
    assert code_of(data) == (50, 37, 3)
    half = [int(size) // 2 for size in sizes]
    close = np.cumsum([int(places[0]), *half])[:-1].tolist()
    shifted = tiff(Page(values, 2, rows=rows, tags={273: (4, close), 279: (4, half)}))
    small = tiff(Page(values, 2, rows=rows, tags={279: (4, half)}))
    assert np.array_equal(photo.decode(small), photo.decode(data))
    if rows < 50:  # each ends within the next
        assert code_of(shifted) == "truncated"
    behind = len(data) - int(sizes[-1]) // 2
    end = tiff(Page(values, 2, rows=rows, tags={273: (4, [*map(int, places[:-1]), behind]), 279: (4, half)}))
    assert code_of(end) == "truncated"

"""TIFFs of more than 8 bits show what their twin of 8 bits shows, however they are stored."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tellapart.data import photo
from tellapart.errors import PhotoError
from tellapart.formats import tiff_parts

from .tiff_files import DEFLATE, LZW, PACKBITS, RAW, SHORT, Page, grey_picture, picture, tiff

GREY, COLOUR = grey_picture(), picture()
FORMS = [(order, big) for order in "<>" for big in (False, True)]


def apart(data, wanted):
    """Mean difference of 255 between the decoded file and (H, W, 1 or 3) uint8."""
    image = photo.decode(data).astype(float)
    assert image.shape == (*wanted.shape[:2], 3)
    return np.abs(image - wanted).mean()


def refused(data):
    with pytest.raises(PhotoError) as caught:
        photo.decode(data)
    return caught.value


@pytest.mark.parametrize("step", [1, 4, 16, 64, 257])  # 8, 10, 12, 14 and 16 bits
@pytest.mark.parametrize(("order", "big"), FORMS)
def test_fewer_bits_in_files_of_16_are_no_black(order, big, step):
    for values, photometric in ((GREY, 1), (COLOUR, 2)):
        data = tiff(Page(values.astype(np.uint16) * step, photometric), order=order, big=big)
        assert apart(data, values) < 1


@pytest.mark.parametrize("compression", [RAW, LZW, DEFLATE, PACKBITS])
@pytest.mark.parametrize("predictor", [1, 2])
@pytest.mark.parametrize("tile", [None, (16, 16), (64, 48)])
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_way_of_storing_it_shows_the_photo(compression, predictor, tile, planar, order):
    page = Page(
        COLOUR.astype(np.uint16) * 4, 2, compression=compression, predictor=predictor, tile=tile, planar=planar, rows=7
    )
    assert apart(tiff(page, order=order), COLOUR) < 1


@pytest.mark.parametrize("bits", [9, 10, 11, 12, 13, 14])
@pytest.mark.parametrize("order", ["<", ">"])
def test_bits_that_cross_bytes(bits, order):
    for values, photometric in ((GREY, 1), (COLOUR, 2)):
        page = Page(values.astype(np.uint16) << (bits - 8), photometric, bits=bits, compression=DEFLATE)
        assert apart(tiff(page, order=order), values) < 1.5  # 8 bits shifted up end a little below white


@pytest.mark.parametrize(
    "values",
    [
        (GREY.astype(np.int16) - 128).astype(np.int8),
        GREY.astype(np.int16) * 128,
        (GREY.astype(np.int32) * 257 - 32768).astype(np.int16),
        GREY.astype(np.uint32) * 16_843_009,
        GREY.astype(np.uint32) * 257,
        GREY.astype(np.int32) * 8_421_504,
        (GREY / 255).astype(np.float32),
        GREY.astype(np.float32) * 4,
    ],
    ids=["int8", "int16", "int16 below zero", "uint32", "16 bits in 32", "int32", "float", "float of 10 bits"],
)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [RAW, DEFLATE])
def test_every_kind_of_number(values, order, compression):
    assert apart(tiff(Page(values, 1, compression=compression), order=order), GREY) < 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.float32])
@pytest.mark.parametrize("order", ["<", ">"])
def test_white_is_zero_where_the_file_says_so(dtype, order):
    whole = dtype(1) if dtype is np.float32 else np.iinfo(dtype).max
    stored = ((255 - GREY.astype(np.float64)) / 255 * float(whole)).astype(dtype)
    assert apart(tiff(Page(stored, 0), order=order), GREY) < 1
    assert apart(tiff(Page(stored, 1), order=order), 255 - GREY) < 1
    if dtype is not np.uint32:  # which Pillow does not open
        image = Image.open(BytesIO(tiff(Page(stored, 0))))
        image.load()
        assert np.abs(photo.decode_image(image).astype(float) - GREY).mean() < 1


@pytest.mark.parametrize("bits", [1, 2, 4, 10, 12])
def test_white_is_zero_in_other_depths(bits):
    levels = (1 << bits) - 1
    stored = ((GREY.astype(np.uint32) * levels + 127) // 255).astype(np.uint8 if bits <= 8 else np.uint16)
    light = photo.decode(tiff(Page(stored, 1, bits=bits)))
    assert np.abs(255 - light.astype(int) - photo.decode(tiff(Page(stored, 0, bits=bits)))).max() <= 1
    assert light.std() > 20


def test_what_the_file_says_of_its_range_is_believed():
    third = GREY.astype(np.uint16) * 3  # up to 690
    for tags, white in (
        ({}, 1023),
        ({341: (SHORT, [2000])}, 2000),
        ({281: (SHORT, [3000])}, 4095),
        ({281: (SHORT, [600])}, 1023),  # a pixel is brighter
        ({270: (2, list(b'<Pixels SignificantBits="12"/>\0'))}, 4095),
        ({340: (SHORT, [60]), 341: (SHORT, [800])}, (60, 800)),
    ):
        black, full = white if isinstance(white, tuple) else (0, white)
        wanted = np.clip((third.astype(float) - black) * 255 / (full - black), 0, 255)
        assert apart(tiff(Page(third, 1, tags=tags)), wanted) < 1


@pytest.mark.parametrize(("extra", "alpha", "shown"), [(2, 65535, 1), (2, 1023, 1), (2, 0, 0), (0, 0, 1)])
def test_alpha_beside_deep_colours(extra, alpha, shown):
    for values, photometric in ((GREY, 1), (COLOUR, 2)):
        channel = np.full((*values.shape[:2], 1), alpha, np.uint16)
        data = tiff(Page(np.dstack([values.astype(np.uint16) * 4, channel]), photometric, tags={338: (SHORT, [extra])}))
        assert apart(data, values if shown else np.full_like(values, 255)) < 1


def test_deep_inks_become_light():
    ink = np.dstack([255 - COLOUR, np.zeros_like(GREY)]).astype(np.uint16)
    assert apart(tiff(Page(ink * 257, 5)), COLOUR) < 2


@pytest.mark.parametrize("turn", range(1, 9))
def test_deep_photos_are_upright(turn):
    exif = {274: (SHORT, [turn])}
    eight, deep = (photo.decode(tiff(Page(COLOUR.astype(kind) * step, 2, tags=exif)))
                   for kind, step in ((np.uint8, 1), (np.uint16, 4)))  # fmt: skip
    assert eight.shape == deep.shape
    assert np.abs(eight.astype(int) - deep).max() <= 1


def test_16_bits_of_colour_are_as_pillow_has_them():
    values = np.random.default_rng(0).integers(0, 65536, COLOUR.shape).astype(np.uint16)
    data = tiff(Page(values, 2))
    assert np.array_equal(photo.decode(data), np.asarray(Image.open(BytesIO(data))))


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        (Page(np.zeros((9, 9, 13), np.uint16), 1, planar=True), "A TIFF with 13 bands cannot be read."),
        (Page(np.zeros((9, 9, 9), np.uint8), 1), "A TIFF with 9 bands cannot be read."),
        (Page(np.zeros((9, 9, 4), np.uint8), 1), "A TIFF with 4 bands cannot be read."),
        (Page(np.zeros((9, 9, 3), np.float32), 2), "A TIFF with 32-bit floats a colour cannot be read."),
        (Page(np.zeros((9, 9, 1), np.float64), 1), "A TIFF with 64-bit floats cannot be read."),
        (Page(np.zeros((9, 9, 1), np.float16), 1), "A TIFF with 16-bit floats cannot be read."),
        (Page(np.zeros((9, 9, 1), np.uint64), 1), "A TIFF with channels of 64 bits cannot be read."),
        (
            Page(np.zeros((9, 9, 1), np.uint8), 1, tags={259: (SHORT, [34887])}),
            "A TIFF with a rare kind of compression cannot be read.",
        ),
    ],
)
@pytest.mark.parametrize(("order", "big"), FORMS)
def test_healthy_files_that_are_not_read_are_not_called_damaged(page, sentence, order, big):
    error = refused(tiff(page, order=order, big=big))
    assert (error.code, error.message) == ("unsupported", sentence)
    assert "8 bits" in error.hint


@pytest.mark.parametrize("compression", [RAW, DEFLATE, LZW])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_missing_parts_are_not_filled_with_black(compression, dtype):
    page = Page(COLOUR.astype(dtype), 2, compression=compression, rows=10)
    whole = tiff(page)
    assert apart(whole, COLOUR) < 2
    codes = {refused(whole[: len(whole) // 3]).code, refused(tiff(Page(
        COLOUR.astype(dtype), 2, compression=compression, rows=10, tags={257: (4, [70])}))).code}  # fmt: skip
    assert codes <= {"truncated", "damaged"}
    beyond = tiff(Page(COLOUR.astype(dtype), 2, rows=50, tags={273: (4, [10_000_000])}))
    assert refused(beyond).code == "truncated"


def test_parts_of_a_photo_are_unpacked_a_few_at_a_time(monkeypatch):
    pages = [
        Page(COLOUR.astype(np.uint16) * 4, 2, compression=DEFLATE, rows=9, planar=True),
        Page(COLOUR.astype(np.uint16) * 4, 2, rows=50),
        Page(COLOUR.astype(np.uint16) * 4, 2, tile=(16, 32), compression=LZW),
    ]
    together = [photo.decode(tiff(page)) for page in pages]
    for n_bytes in (1, 700, 2000):
        monkeypatch.setattr(tiff_parts, "_BAND_BYTES", n_bytes)
        assert all(np.array_equal(photo.decode(tiff(p)), t) for p, t in zip(pages, together, strict=True))


def test_tiles_far_larger_than_the_photo_are_refused():
    page = Page(GREY.astype(np.uint16), 1, tags={322: (4, [60_000]), 323: (4, [60_000]), 324: (4, [8]), 325: (4, [9])})
    assert refused(tiff(page)).code == "too_complex"


def test_a_deep_photo_over_the_limit_is_refused_before_it_is_unpacked():
    page = Page(GREY.astype(np.uint16), 1, tags={256: (4, [10_000]), 257: (4, [5_001])})
    assert refused(tiff(page)).code == "too_large"


@pytest.mark.parametrize("seed", range(60))
def test_broken_bytes_give_an_image_or_a_photo_error(seed):
    rng = np.random.default_rng(seed)
    page = Page(
        COLOUR.astype(np.uint16) * 4, 2, compression=[RAW, DEFLATE][seed % 2], tile=[None, (16, 16)][seed // 2 % 2]
    )
    data = bytearray(tiff(page, order="<>"[seed % 2], big=seed % 3 == 0))
    for _ in range(8):
        at = rng.integers(0, 16) if rng.random() < 0.2 else len(data) - rng.integers(1, 300)
        data[at] = rng.integers(0, 256)
    try:
        result = photo.decode(bytes(data))
    except PhotoError as error:
        result = error
    if isinstance(result, PhotoError):
        assert result.message.endswith(".")
    else:
        assert result.dtype == np.uint8

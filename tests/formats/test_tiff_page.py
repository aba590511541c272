"""Which page of a TIFF is the photo, and which files are a camera's raw ones."""

import struct

import numpy as np
import pytest

from tellapart.data import photo
from tellapart.errors import PhotoError
from tellapart.formats.pixels import upright

from .tiff_files import DEFLATE, LONG, SHORT, Page, picture, tiff

PHOTO = picture()
SMALL = PHOTO[::3, ::3]
FORMS = [(order, big) for order in "<>" for big in (False, True)]
REDUCED, MASK = {254: (LONG, [1])}, {254: (LONG, [4])}
RAW = "The file is a camera's raw file, which cannot be read."


def page(values=PHOTO, tags=None, **options):
    return Page(values, 2, tags=tags or {}, **options)


def sensor(photometric=32803, tags=None):
    """A camera's mosaic of colours, or what is one already and no picture yet."""
    return Page(PHOTO[..., :1].astype(np.uint16) * 16, photometric, tags={254: (LONG, [0]), **(tags or {})})


def refused(data):
    with pytest.raises(PhotoError) as caught:
        photo.decode(data)
    return caught.value.code, caught.value.message


@pytest.mark.parametrize(("order", "big"), FORMS)
@pytest.mark.parametrize(
    "pages",
    [
        (page(),),
        (page(), page(SMALL, REDUCED)),
        (page(SMALL, REDUCED), page()),
        (page(SMALL, REDUCED), page(SMALL, REDUCED), page()),
        (page(SMALL, {255: (SHORT, [2])}), page()),
        (page(SMALL, MASK), page()),
        (page(SMALL, REDUCED, below=(page(),)),),
        (page(below=(page(SMALL, REDUCED),)),),
        (page(SMALL, REDUCED), page(compression=DEFLATE, tile=(16, 16))),
    ],
)
def test_the_photo_is_no_preview(order, big, pages):
    assert np.array_equal(photo.decode(tiff(*pages, order=order, big=big)), PHOTO)


def test_a_file_of_previews_alone_shows_the_first():
    assert np.array_equal(photo.decode(tiff(page(SMALL, REDUCED), page(PHOTO, REDUCED))), SMALL)


@pytest.mark.parametrize(("order", "big"), FORMS)
def test_a_big_file_of_either_order_is_read(order, big):
    for values, photometric in ((PHOTO, 2), (PHOTO[..., :1], 1), (PHOTO[..., :1].astype(np.uint16) * 4, 1)):
        for options in ({}, {"compression": DEFLATE}, {"tile": (32, 16)}, {"planar": values.shape[2] == 3}):
            image = photo.decode(tiff(Page(values, photometric, **options), order=order, big=big))
            wanted = PHOTO if photometric == 2 else PHOTO[..., :1]
            assert np.abs(image.astype(int) - wanted).max() <= 1


@pytest.mark.parametrize(("order", "big"), FORMS)
@pytest.mark.parametrize("turn", range(1, 9))
def test_the_photo_behind_a_preview_is_upright(order, big, turn):
    pages = page(SMALL, {**REDUCED, 274: (SHORT, [1])}), page(tags={274: (SHORT, [turn])})
    assert np.array_equal(photo.decode(tiff(*pages, order=order, big=big)), upright(PHOTO, turn))


@pytest.mark.parametrize(("order", "big"), FORMS)
@pytest.mark.parametrize(
    "pages",
    [
        (page(SMALL, {**REDUCED, 50706: (1, [1, 4, 0, 0])}, below=(sensor(),)),),  # DNG
        (page(SMALL, {50706: (1, [1, 6, 0, 0])}),),
        (page(SMALL, REDUCED, below=(page(), sensor())),),  # NEF, ARW, SRW
        (page(SMALL), sensor()),
        (sensor(), page(SMALL)),  # PEF
        (sensor(34892),),  # made of a mosaic, and linear
    ],
)
def test_raw_files_are_named(order, big, pages):
    assert refused(tiff(*pages, order=order, big=big)) == ("unsupported", RAW)


def test_canon_s_raw_file_is_named():
    block = struct.pack("<H12x", 1) + b"\0" * 16
    assert refused(b"II*\0\x10\0\0\0CR\2\0" + bytes(4) + block) == ("unsupported", RAW)


@pytest.mark.parametrize("tag", [50707, 50708, 37399, 33421, 33434])
def test_a_developed_photo_that_keeps_a_camera_s_tags_is_read(tag):
    assert np.array_equal(photo.decode(tiff(page(tags={tag: (SHORT, [1])}))), PHOTO)

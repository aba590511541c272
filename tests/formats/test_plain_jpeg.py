"""A small JPEG and nothing else: what could be read as another kind of file is refused."""

import io

import pytest
from PIL import Image

from tellapart.formats.plain_jpeg import MAX_SIDE_PX, is_plain_jpeg


def jpeg(width=30, height=20, mode="RGB", **options):
    file = io.BytesIO()
    Image.effect_noise((width, height), 50).convert(mode).save(file, "JPEG", **options)
    return file.getvalue()


def part(marker, body):
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2) + body


@pytest.mark.parametrize(
    "data",
    [jpeg(), jpeg(mode="L"), jpeg(progressive=True), jpeg(optimize=True), jpeg(MAX_SIDE_PX, 1), jpeg(quality=98)],
)
def test_what_a_jpeg_of_ours_may_be(data):
    assert is_plain_jpeg(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8\xff\xd9",
        jpeg()[:-1],
        jpeg() + b"<script>",
        b"GIF89a" + jpeg(),
        jpeg()[:2] + part(0xFE, b"a comment") + jpeg()[2:],
        jpeg()[:2] + part(0xE1, b"Exif\0\0") + jpeg()[2:],
        jpeg()[:2] + part(0xE0, b"PK\3\4hidden") + jpeg()[2:],
        jpeg(MAX_SIDE_PX + 1, 8),
        jpeg(mode="CMYK"),
        jpeg() + jpeg(),
    ],
    ids=["nothing", "no picture", "cut off", "more behind", "more before", "comment", "EXIF", "other JFIF", "large",
         "inks", "two"],
)  # fmt: skip
def test_nothing_else_is_one(data):
    assert not is_plain_jpeg(data)


def test_no_cut_and_no_spoiled_byte_of_its_frame_ends_in_an_error():
    data = jpeg()
    assert not any(is_plain_jpeg(data[:at]) for at in range(len(data)))
    for at in range(200):
        is_plain_jpeg(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])

"""Files that are no photo are named for what they are."""

import struct

import pytest

from tellapart.data import photo
from tellapart.errors import PhotoError
from tellapart.formats.kinds import name_of

PIXELS = bytes(range(1, 201))
CURSOR = b"\0\0\2\0\1\0" + b"\x20\x20\0\0\1\0\1\0" + struct.pack("<II", 40, 22) + bytes(40)


def tga(kind=2, depth=24, mapped=0, width=5, height=4):
    return struct.pack("<BBBHHBHHHHBB", 0, mapped, kind, 0, 0, 0, 0, 0, width, height, depth, 0x20) + PIXELS


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (CURSOR, "a mouse pointer"),
        (tga(), "a TGA picture"),
        (tga(3, 8), "a TGA picture"),
        (tga(10, 32), "a TGA picture"),
        (tga(1, 8, 1), "a TGA picture"),
        (b"anything" + PIXELS + b"TRUEVISION-XFILE.\0", "a TGA picture"),
        (b"P5 4 4 1023\n" + PIXELS, "a PGM or PPM picture"),
        (b"P6\n# made\n4 4\n65535\n" + PIXELS, "a PGM or PPM picture"),
        (b"Pf\n4 4\n-1.0\n" + PIXELS, "a PGM or PPM picture"),
        (b"\xff\x4f\xff\x51" + PIXELS, "a JPEG 2000 photo"),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + PIXELS, "a JPEG 2000 photo"),
        (b"II\xbc\1" + PIXELS, "a JPEG XR photo"),
        (b"IIRO\x08\0\0\0" + PIXELS, "a camera's raw file"),
        (b"IIU\0\x18\0\0\0" + PIXELS, "a camera's raw file"),
        (b"FUJIFILMCCD-RAW 0201" + PIXELS, "a camera's raw file"),
        (bytes(128) + b"DICM" + PIXELS, "a medical picture (DICOM)"),
        (b"SIMPLE  =                    T" + PIXELS, "an astronomical picture (FITS)"),
        (b"\x89HDF\r\n\x1a\n" + PIXELS, "a scientific data file (HDF5)"),
        (b"\x93NUMPY\1\0" + PIXELS, "an array of NumPy"),
        (b"v/1\1" + PIXELS, "an OpenEXR picture"),
        (b"\n<!DOCTYPE html><html><body>404", "a web page"),
        (b"<?xml version='1.0'?><svg xmlns=''>", "a vector drawing"),
        (b"RIFF\x10\0\0\0AVI LIST" + PIXELS, "a video"),
        (b"\0\0\1\0\1\0" + PIXELS, "an icon"),
    ],
)
def test_other_kinds_are_named(data, name):
    assert name_of(data) == name
    with pytest.raises(PhotoError) as caught:
        photo.decode(data)
    assert (caught.value.code, caught.value.message) == ("unsupported", f"The file is {name}, which cannot be read.")


@pytest.mark.parametrize("data", [b"", b"hello", PIXELS, bytes(18) + b"x", b"P5", b"P9 4 4 255\n", tga(width=0)])
def test_what_is_not_known_has_no_name(data):
    assert name_of(data) is None

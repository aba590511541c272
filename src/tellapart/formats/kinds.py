"""Names for files that are no photo which can be read, by how they begin."""

import re
from collections.abc import Callable
from typing import Final

_RAW: Final = "a camera's raw file"
_BEGINNINGS: Final = (
    (b"%PDF", "a PDF document"),
    (b"8BPS", "a Photoshop document"),
    (b"gimp xcf", "a GIMP document"),
    (b"%!PS", "a PostScript document"),
    (b"\xc5\xd0\xd3\xc6", "a PostScript document"),
    (b"\0\0\1\0", "an icon"),
    (b"icns", "an icon"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a compressed archive"),
    (b"7z\xbc\xaf\x27\x1c", "a compressed archive"),
    (b"Rar!\x1a\x07", "a compressed archive"),
    (b"BZh", "a compressed archive"),
    (b"\xfd7zXZ\0", "a compressed archive"),
    (b"\x28\xb5\x2f\xfd", "a compressed archive"),
    (b"\xff\x0a", "a JPEG XL photo"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL photo"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 photo"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 photo"),
    (b"II\xbc\1", "a JPEG XR photo"),
    (b"BPG\xfb", "a BPG photo"),
    (b"qoif", "a QOI picture"),
    (b"DDS ", "a texture of a game"),
    (b"v/1\1", "an OpenEXR picture"),
    (b"#?RADIANCE", "a Radiance HDR picture"),
    (b"#?RGBE", "a Radiance HDR picture"),
    (b"SIMPLE  =", "an astronomical picture (FITS)"),
    (b"\x89HDF\r\n\x1a\n", "a scientific data file (HDF5)"),
    (b"\x93NUMPY", "an array of NumPy"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"\0\0\1\xba", "a video"),
    (b"\xd7\xcd\xc6\x9a", "a vector drawing"),
    (b"IIRO", _RAW),  # Olympus
    (b"IIRS", _RAW),
    (b"MMOR", _RAW),
    (b"IIU\0", _RAW),  # Panasonic, Leica
    (b"FUJIFILMCCD-RAW", _RAW),
    (b"FOVb", _RAW),  # Sigma
    (b"\0MRM", _RAW),  # Minolta
    (b"II\x1a\0\0\0HEAPCCDR", _RAW),  # Canon before 2004
)
_NETPBM: Final = re.compile(rb"P[1-7][ \t\r\n#]|P[Ff]\r?\n")
_CURSOR_PLANES: Final = 16  # entries of a cursor file that are believed
_TGA_KINDS: Final = {1: (8, 16), 2: (15, 16, 24, 32), 3: (8, 16), 9: (8, 16), 10: (15, 16, 24, 32), 11: (8, 16)}


def name_of(data: bytes) -> str | None:
    """What the file is, with its article, where it is no photo that can be read; None for what is not known."""
    named = next((name for beginning, name in _BEGINNINGS if data.startswith(beginning)), None)
    return named or next((name for is_one, name in _LOOKS if is_one(data)), None)


def _is_web_page(data: bytes) -> bool:
    head = data[:1024].lower().lstrip(b"\xef\xbb\xbf \t\r\n")
    return head.startswith((b"<!doctype html", b"<html", b"<head"))


def _is_cursor(data: bytes) -> bool:
    """A cursor begins as some TGAs do; its list of pictures tells them apart.

    Source: Microsoft, Icons in Win32, 1995: ICONDIR and ICONDIRENTRY.
    """
    n = int.from_bytes(data[4:6], "little")
    if data[:4] != b"\0\0\2\0" or not 0 < n <= _CURSOR_PLANES or len(data) < 6 + 16 * n:
        return False
    size, place = int.from_bytes(data[14:18], "little"), int.from_bytes(data[18:22], "little")
    return data[9] == 0 and place >= 6 + 16 * n and 0 < size <= len(data) - place


def _is_tga(data: bytes) -> bool:
    """TGA has no signature in front: its fields have to be ones that a picture has.

    Source: Truevision, TGA File Format Specification 2.0, 1991.
    """
    if len(data) < 18:
        return False
    if data[-18:] == b"TRUEVISION-XFILE.\0":
        return True
    map_kind, kind, depth = data[1], data[2], data[16]
    width, height = int.from_bytes(data[12:14], "little"), int.from_bytes(data[14:16], "little")
    mapped = kind in (1, 9)
    return (
        depth in _TGA_KINDS.get(kind, ())
        and map_kind in ((1,) if mapped else (0, 1))
        and 0 < width <= 20_000
        and 0 < height <= 20_000
        and data[17] & 0xC0 == 0
        and (kind > 8 or len(data) >= 18 + width * height * ((depth + 7) // 8))
    )


_LOOKS: Final[tuple[tuple[Callable[[bytes], object], str], ...]] = (
    (lambda data: data[128:132] == b"DICM", "a medical picture (DICOM)"),
    (lambda data: data[:4] == b"RIFF" and data[8:12] == b"AVI ", "a video"),
    (_NETPBM.match, "a PGM or PPM picture"),
    (lambda data: b"<svg" in data[:1024].lower(), "a vector drawing"),
    (_is_web_page, "a web page"),
    (lambda data: data[257:262] == b"ustar", "an archive"),
    (_is_cursor, "a mouse pointer"),
    (_is_tga, "a TGA picture"),
)

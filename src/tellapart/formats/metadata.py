"""What a photo carries beside its pixels: added up in a TIFF, and kept away from the decoders elsewhere.

Tags may all name the same bytes, so that a file of 1 MB asks for gigabytes, and each fraction among them becomes an
object of Python. A TIFF's tags say how its pixels are stored and have to be read; nobody needs those of other
formats, whose orientation and colour profile we read ourselves.
"""

import re
from typing import Final, Literal

from tellapart.errors import PhotoError
from tellapart.formats import exif
from tellapart.formats.header import read_jpeg, sniff, too_complex
from tellapart.formats.heif_boxes import box_at, read_meta
from tellapart.formats.tiff_tags import TYPE_BYTES, Form, first_block, form_of, places, read_block, value_of

MAX_TAGS: Final = 100_000  # in all blocks of all pages: 5,000 pages of 20; 0.1 s
MAX_NUMBERS: Final = 500_000  # on a page: places and sizes of 16 × 16 tiles in the largest photo are 400,000; 75 MB
MAX_TAG_BYTES: Final = 100_000_000  # on a page: an edited photo's layers; Pillow and libtiff hold three copies
SHARED_BYTES: Final = 1 << 20  # by which they may exceed the file: two resolutions may stand in one place

_BYTES: Final = frozenset({1, 2, 7})  # types that stay bytes: BYTE, ASCII, UNDEFINED
_PLACES: Final = frozenset({3, 4, 6, 8, 9, 13, 16, 17, 18})  # types that can say where another block stands
_BLOCKS: Final = frozenset({330, 34665, 34853, 40965})  # SubIFDs, EXIF, GPS, interoperability

_DECODED: Final = frozenset({*range(0xC0, 0xD0), *range(0xDB, 0xE0), 0xE0, 0xEE}) - {
    0xC8
}  # frames, tables, JFIF, Adobe
_EXIF_ITEM: Final = re.compile(rb"(infe\x02.{7}|infe\x03.{9})Exif", re.DOTALL)  # version, flags, number, protection


def check_tiff(data: bytes) -> None:
    """Refuses a TIFF whose tags ask for more than a photo's do, on any of its pages.

    A page's own tags count together with those of the blocks that they name, since all are read together. What
    would lie behind the end of the file counts for nothing: broken EXIF is common, and read by nobody.

    Raises:
        PhotoError: `too_complex`.
    """
    form = form_of(data)
    page = first_block(data, form)
    pages: set[int] = set()
    n_tags = 0
    while 0 < page < len(data) and page not in pages:
        pages.add(page)
        n, page = _check_page(data, page, form)
        n_tags += n + 1
        if n_tags > MAX_TAGS:
            raise too_complex("It has more tags than a photo does.")


def jpeg_without_metadata(data: bytes, scan_at: int) -> bytes:
    """The same JPEG with nothing in front of its first scan but what decoding needs, and its colour profile.

    Pillow would read EXIF and the list of a camera's further pictures as it opens the file. The rest is put together
    anew, so that it finds no segment that `header.read_jpeg` did not see.

    Args:
        data: a JPEG that `header.read_jpeg` has read.
        scan_at: where its first scan begins.
    """
    kept, at = [data[:2]], 2
    while (at := data.find(b"\xff", at) + 1) <= scan_at:
        marker = data[at]
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD7:  # fill bytes and markers without a length
            continue
        end = at + 1 + int.from_bytes(data[at + 1 : at + 3])
        profile = marker == 0xE2 and data.startswith(b"ICC_PROFILE\0", at + 3)
        if end >= at + 3 and (profile or marker in _DECODED):
            kept.append(data[at - 1 : end])
        at = max(end, at + 3)
    return b"".join([*kept, data[scan_at:]])


def boxes_without_exif(data: bytes) -> bytes:
    """The same AVIF without EXIF, for its readers: how it is turned stands in boxes of its own.

    Only the four letters that name the item's type are replaced, so that nothing moves.
    """
    return _EXIF_ITEM.sub(rb"\1skip", data)


def taken(data: bytes) -> tuple[str, str]:
    """The day on which a photo was taken, as 2024-05-31, and the camera's model; each "" where its EXIF is silent.

    Args:
        data: the content of a file; one that is no photo says nothing.
    """
    try:
        block = exif_of(data)
    except PhotoError:
        return "", ""
    return exif.day_taken(block), exif.camera_model(block)


def exif_of(data: bytes) -> bytes:
    """The EXIF of a photo in any format, as `formats.exif` reads it; nothing is decoded, and b"" is for none.

    Raises:
        PhotoError: it is no photo, or a damaged one.

    Source: PNG, third edition, 2025, 11.3.3.5; RFC 9649, 2024, 2.7.1.5; ISO/IEC 23008-12:2022, annex A.2.
    """
    kind = sniff(data)
    if kind == "JPEG":
        return read_jpeg(data).exif
    if kind == "TIFF":
        return data
    if kind == "PNG":
        return _chunk(data, b"eXIf", 8, name_at=4, order="big", around=12)
    if kind == "WEBP":
        return _chunk(data, b"EXIF", 12, name_at=0, order="little", around=8)
    return _exif_item(data) if kind in ("HEIF", "AVIF") else b""


def _chunk(data: bytes, wanted: bytes, at: int, *, name_at: int, order: Literal["little", "big"], around: int) -> bytes:
    """The content of the first chunk of that name in a row that begins at `at`; b"" without.

    Args:
        name_at: where in a chunk its name stands, the length standing in the other four of the first eight bytes.
        around: bytes of a chunk beside its content.
    """
    for _ in range(MAX_TAGS):
        size = int.from_bytes(data[at + 4 - name_at : at + 8 - name_at], order)
        name = data[at + name_at : at + name_at + 4]
        if len(name) < 4 or name == wanted:
            return data[at + 8 : at + 8 + size] if name == wanted else b""
        at += size + around + (size % 2 if order == "little" else 0)
    return b""


def _exif_item(data: bytes) -> bytes:
    """EXIF of a HEIC or AVIF: an item, whose first four bytes say how far behind them it begins."""
    at, meta = 0, None
    while meta is None:
        box = box_at(data, at, len(data), top=True)
        if box is None:
            return b""
        at, meta = box.end, box if box.kind == b"meta" else None
    photo = read_meta(data, meta)
    item = next((item for item, kind in photo.kinds.items() if kind == b"Exif"), None)
    content = b"".join(data[start:end] for start, end in photo.places.get(item, ())) if item is not None else b""
    return content[4 + int.from_bytes(content[:4]) :]


def _check_page(data: bytes, page: int, form: Form) -> tuple[int, int]:
    """How much there was to look at, and where the next page stands."""
    n_tags, n_numbers, n_bytes, following = 0, 0, 0, 0
    waiting, seen = [page], set[int]()
    while waiting:
        block = waiting.pop()
        if block in seen:  # blocks may name each other
            continue
        seen.add(block)
        tags, after = read_block(data, block, form)
        following = after if block == page else following
        n_tags += len(tags)
        for tag, kind, count, value in tags:
            present, inline = value_of(data, kind, count, value, form)
            n_bytes += 0 if inline else len(present)
            n_numbers += 0 if kind in _BYTES else len(present) // TYPE_BYTES.get(kind, 1)
            if tag in _BLOCKS and kind in _PLACES:
                named = places(present, kind, form)
                waiting += named
                n_tags += len(named)
        if n_tags > MAX_TAGS:
            raise too_complex("It has more tags than a photo does.")
        if n_numbers > MAX_NUMBERS or n_bytes > min(MAX_TAG_BYTES, len(data) + SHARED_BYTES):
            raise too_complex("Its tags ask for more than a photo's do.")
    return n_tags, following

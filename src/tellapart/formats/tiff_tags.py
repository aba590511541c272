"""The tags of a TIFF as they stand in the file: where each block lies, and what each tag's value is.

Nothing is decoded, and nothing is believed: what lies behind the end of the file is left out.
Source: TIFF Revision 6.0, 1992, section 2; BigTIFF as libtiff reads it.
"""

import struct
from typing import Final, Literal, NamedTuple, cast

from tellapart.formats.header import too_complex

MAX_BLOCK_TAGS: Final = 10_000  # in one block of a TIFF; cameras write 5 to 300
MAX_PLACES: Final = 100_000  # of other blocks that one tag may name
TYPE_BYTES: Final = {
    **dict.fromkeys((1, 2, 6, 7), 1), **dict.fromkeys((3, 8), 2), **dict.fromkeys((4, 9, 11, 13), 4),
    **dict.fromkeys((5, 10, 12, 16, 17, 18), 8),
}  # fmt: skip


class Form(NamedTuple):
    """How a TIFF writes its numbers: classic or BigTIFF, little-endian or big."""

    order: Literal["little", "big"]
    n_tags: struct.Struct
    tag: struct.Struct
    place: struct.Struct


def form_of(data: bytes) -> Form:
    """How the TIFF `data` writes its numbers, by its first four bytes."""
    sign, order = ("<", "little") if data[:1] == b"I" else (">", "big")
    formats = ("Q", "HHQ8s", "Q") if 43 in data[2:4] else ("H", "HHI4s", "I")
    return Form(cast(Literal["little", "big"], order), *(struct.Struct(sign + each) for each in formats))


def first_block(data: bytes, form: Form) -> int:
    """Where the first page's tags stand."""
    place: int = form.place.unpack_from(data.ljust(16, b"\0"), 8 if form.place.size == 8 else 4)[0]
    return place


def read_block(data: bytes, at: int, form: Form) -> tuple[list[tuple[int, int, int, bytes]], int]:
    """(tag, type, count, value) of each of a block's tags that are there, and the place named after them."""
    start = at + form.n_tags.size
    if start > len(data):
        return [], 0
    (n_tags,) = form.n_tags.unpack_from(data, at)
    if n_tags > MAX_BLOCK_TAGS:
        raise too_complex("It has more tags than a photo does.")
    end = start + n_tags * form.tag.size
    whole = min(n_tags, (len(data) - start) // form.tag.size)
    tags = list(form.tag.iter_unpack(data[start : start + whole * form.tag.size]))
    (after,) = form.place.unpack_from(data, end) if end + form.place.size <= len(data) else (0,)
    return tags, after


def value_of(data: bytes, kind: int, count: int, value: bytes, form: Form) -> tuple[memoryview, bool]:
    """As much of a tag's value as the file holds, and whether it stands in the tag itself."""
    size = count * TYPE_BYTES.get(kind, 0)
    if size <= len(value):
        return memoryview(value)[:size], True
    (place,) = form.place.unpack(value)
    return memoryview(data)[place : place + size], False


def places(value: memoryview, kind: int, form: Form) -> list[int]:
    """The whole numbers of a tag's value, such as where other blocks stand."""
    size = TYPE_BYTES[kind]
    whole = min(len(value) // size, MAX_PLACES + 1)
    return [int.from_bytes(value[at : at + size], form.order) for at in range(0, whole * size, size)]

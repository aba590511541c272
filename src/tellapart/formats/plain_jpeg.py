"""Whether a file is a small JPEG and nothing else, from its first byte to its last.

A model's example photos are copied into pages and served on the origin of whoever uses the model. So such a file may
hold what a JPEG of ours holds and no more: no metadata, no comment, no byte before, between or after that anything
could read as another kind of file. Nothing is decoded.
"""

import re
from collections.abc import Iterator
from typing import Final

MAX_SIDE_PX: Final = 1_024  # of an example photo; ours have 320
MAX_SCANS: Final = 20  # ours have one; a progressive file about ten
_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
_JFIF, _ADOBE = 0xE0, 0xEE
_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended, progressive
_BEGINS: Final = {_JFIF: b"JFIF\0", _ADOBE: b"Adobe"}
_LARGEST: Final = {  # bytes of each kind of part that may be there; tables of both kinds, the restart interval
    **dict.fromkeys(_FRAMES, 20), _SCAN: 14, _JFIF: 16, _ADOBE: 14, 0xC4: 3_000, 0xDB: 600, 0xDD: 4,
}  # fmt: skip
_NEXT_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7]")


def is_plain_jpeg(data: bytes) -> bool:
    """Whether `data` is a JPEG of at most `MAX_SIDE_PX` a side that holds nothing but its picture.

    Source: ITU-T T.81, 1992, annex B.
    """
    try:
        parts = list(_parts(data))
    except ValueError:
        return False
    kinds = [marker for marker, _ in parts]
    frames = [body for marker, body in parts if marker in _FRAMES]
    named = all(body.startswith(_BEGINS[marker]) for marker, body in parts if marker in _BEGINS)
    return len(frames) == 1 and _is_small(frames[0]) and 0 < kinds.count(_SCAN) <= MAX_SCANS and named


def _parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(marker, content) of every part between the first and the last two bytes.

    Raises:
        ValueError: a part that a JPEG of ours has not, or bytes that are in none.
    """
    at = 2
    if not data.startswith(bytes([0xFF, _START])):
        raise ValueError
    while data[at:] != bytes([0xFF, _END]):
        marker, size = data[at + 1 : at + 2], int.from_bytes(data[at + 2 : at + 4])
        end = at + 2 + size
        if data[at : at + 1] != b"\xff" or not 2 <= size <= _LARGEST.get(int.from_bytes(marker), 0) or end > len(data):
            raise ValueError
        yield marker[0], data[at + 4 : end]
        at = end
        if marker[0] == _SCAN:
            found = _NEXT_MARKER.search(data, at)
            if found is None:
                raise ValueError
            at = found.start()


def _is_small(frame: bytes) -> bool:
    """Whether it is a grey or coloured picture of 8 bits and an allowed size."""
    if len(frame) < 6 or frame[0] != 8 or frame[5] not in (1, 3) or len(frame) != 6 + 3 * frame[5]:
        return False
    height_px, width_px = int.from_bytes(frame[1:3]), int.from_bytes(frame[3:5])
    return 0 < height_px <= MAX_SIDE_PX and 0 < width_px <= MAX_SIDE_PX

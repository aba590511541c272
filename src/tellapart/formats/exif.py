"""What EXIF says of a photo, read from its bytes; a broken block says nothing."""

import re
from typing import Final, Literal

MAX_CAMERA_BYTES: Final = 64  # of a camera's name; the longest have about 30 letters

_ORIENTATION, _CAMERA_MODEL = 0x0112, 0x0110  # tags of EXIF
_EXIF_BLOCK: Final = 0x8769
_TAKEN: Final = 0x9003  # when the shutter opened; editors leave it alone


def orientation(exif: bytes) -> int:
    """The EXIF orientation, 1 to 8; 1 where it is absent, or the block broken.

    Args:
        exif: a TIFF header and what follows, with or without the "Exif" prefix.
    """
    found = _find_tag(exif, _ORIENTATION)
    if found is None:
        return 1
    tiff, at, order = found
    n_bytes = {3: 2, 4: 4}.get(int.from_bytes(tiff[at + 2 : at + 4], order), 0)  # SHORT or LONG; else it says nothing
    value = int.from_bytes(tiff[at + 8 : at + 8 + n_bytes], order)
    return value if 1 <= value <= 8 else 1


def camera_model(exif: bytes) -> str:
    """The camera's model as EXIF names it, "" where it is absent, or the block broken.

    Args:
        exif: as for `orientation`.
    """
    found = _find_tag(exif, _CAMERA_MODEL)
    return "" if found is None else _text_of(*found)


def day_taken(exif: bytes) -> str:
    """The day on which the photo was taken, as 2024-05-31; "" where EXIF does not say it, or the block is broken.

    Args:
        exif: as for `orientation`.
    """
    block = _find_tag(exif, _EXIF_BLOCK)
    if block is None:
        return ""
    tiff, at, order = block
    found = _find_tag(exif, _TAKEN, int.from_bytes(tiff[at + 8 : at + 12], order))
    day = re.match(r"(\d{4}):(\d\d):(\d\d)\b", "" if found is None else _text_of(*found))
    return "-".join(day.groups()) if day and day[1] != "0000" else ""


def _text_of(tiff: bytes, at: int, order: Literal["little", "big"]) -> str:
    """The text of a tag whose entry stands at `at`."""
    n_bytes = min(int.from_bytes(tiff[at + 4 : at + 8], order), MAX_CAMERA_BYTES)
    place = at + 8 if n_bytes <= 4 else int.from_bytes(tiff[at + 8 : at + 12], order)
    return tiff[place : place + n_bytes].split(b"\0")[0].decode("ascii", "replace").strip()


def _find_tag(exif: bytes, wanted: int, block: int | None = None) -> tuple[bytes, int, Literal["little", "big"]] | None:
    """The TIFF of an EXIF block, where a tag's entry stands in its first block or in that at `block`, and the order."""
    tiff = exif.removeprefix(b"Exif\0\0")
    if tiff[:4] not in (b"II*\0", b"MM\0*"):
        return None
    order: Literal["little", "big"] = "little" if tiff[0] == 0x49 else "big"
    tags = (int.from_bytes(tiff[4:8], order) if block is None else block) + 2
    end = tags + 12 * int.from_bytes(tiff[tags - 2 : tags], order)
    for at in range(tags, min(end, len(tiff) - 11), 12):
        if int.from_bytes(tiff[at : at + 2], order) == wanted:
            return tiff, at, order
    return None

"""One label of one photo as a file of labels gives it, whatever tool wrote the file."""

import os
import re
from typing import Final, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from tellapart.data.listing import reason_by_name

NO_FILE: Final = "that name no file"
NO_LABEL: Final = "without a label"
SEVERAL: Final = "with several labels at once"
_UPLOAD: Final = re.compile(r"[0-9a-f]{8}-(?=.)", re.DOTALL)
_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_LOCAL_FILES: Final = "/data/local-files/"
_UPLOADS: Final = "/data/upload/"


class Given(NamedTuple):
    """A label that a file gives.

    Attributes:
        path: of the photo, as written, with "/" between its parts.
        label: the class; "" where `why` says why there is none.
        why: what is wrong, as it stands behind "3 rows"; "" where there is a label.
        uploaded: whether the path's name may be one that Label Studio made at an upload: eight letters before it, and
            what is no letter, digit, dot or line gone.
        stem: whether the path has no extension.
    """

    path: str
    label: str
    why: str = ""
    uploaded: bool = False
    stem: bool = False


class Labels(NamedTuple):
    """What a file of labels says.

    Attributes:
        kind: which tool wrote it, as people call it.
        rows: in the order of the file.
        notes: sentences about what of it is not taken.
    """

    kind: str
    rows: list[Given]
    notes: tuple[str, ...] = ()


def of_address(address: str, label: str, why: str = "") -> Given:
    """A label of the photo at an address or a path, as labelling tools write it; nothing is ever fetched."""
    if address.startswith("data:"):
        return Given("", label, why or NO_FILE)
    path, uploaded = address.replace("\\", "/"), False
    if _LOCAL_FILES in path:
        path = (parse_qs(_split(path)[1]).get("d") or [""])[0].replace("\\", "/")
    elif _ADDRESS.match(path) or path.startswith(_UPLOADS):
        uploaded = _UPLOADS in path
        path = unquote(_split(path)[0])
    return Given(path, label, why or ("" if path.strip("/") else NO_FILE), uploaded)


def _split(address: str) -> tuple[str, str]:
    """The path and the query of an address."""
    try:
        parts = urlsplit(address)
    except ValueError:  # half an address of a machine
        return address.partition("?")[0], address.partition("?")[2]
    return parts.path, parts.query


def may_be_photo(value: object) -> bool:
    """Whether a value is text that ends in a name which a photo may have."""
    if not isinstance(value, str) or not value:
        return False
    name = of_address(value, "").path.rpartition("/")[2]
    return bool(os.path.splitext(name)[1]) and not reason_by_name(name)


def before_upload(name: str) -> str:
    """The file's name before Label Studio put eight letters in front of it; the same where it did not."""
    return _UPLOAD.sub("", name, count=1) if _UPLOAD.match(name) else name


def as_uploaded(name: str) -> str:
    """What Label Studio makes of a file's name at an upload, but for the letters in front."""
    return re.sub(r"(?u)[^-\w.]", "", name.strip().replace(" ", "_"))

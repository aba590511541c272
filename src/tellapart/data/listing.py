"""The files below a folder, each with the reason why it cannot be a photo, if there is one.

Nothing is opened here: a listing of 70,000 files has to take about a second. What a file truly is, its
content says later, when it is decoded.
"""

import os
from collections.abc import Iterator
from typing import NamedTuple

from tellapart.errors import InputError
from tellapart.text import quoted

# Left behind by systems and tools, never by the person: not even counted. Hidden names are strays as well.
STRAY_NAMES = frozenset(
    {
        "__macosx", "__pycache__", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r",
        "@eadir", "$recycle.bin", "system volume information",
    }
)  # fmt: skip

ARCHIVE_EXTENSIONS = frozenset({"7z", "bz2", "gz", "jar", "rar", "tar", "tgz", "xz", "zip", "zst"})
# Extensions that are surely no photo. Unknown ones (.jfif, .cr2, none at all) stay in: content decides.
_OTHER = (
    "aae aac ai avi bat bin c cfg cmd conf cpp css csv csvw db doc docx dll exe flac h5 hdf5 "
    "htm html ini ipynb java js json jsonl key keras lnk log m4a m4v mat md mid mkv mov mp3 "
    "mp4 mpeg mpg msg npy npz numbers odp ods odt ogg onnx pages parquet pbtxt pdf php pickle "
    "pkl ppt pptx ps1 pt pth py rb rst rtf safetensors sh so sql sqlite srt tfrecord tmp toml "
    "tsv txt url wav webm wma wmv xls xlsx xml xmp yaml yml"
)
OTHER_EXTENSIONS = ARCHIVE_EXTENSIONS.union(_OTHER.split())


class Found(NamedTuple):
    """One file below a source.

    Attributes:
        parts: the folders that lead to it and its own name, from the source down.
        place: where its bytes are: a path on disk, or a member name inside a zip.
        reason: why it cannot be a photo; empty when it may be one.
    """

    parts: tuple[str, ...]
    place: str
    reason: str = ""


class Listing(NamedTuple):
    """Every file and every folder below a source, in no promised order; strays are left out."""

    files: list[Found]
    folders: set[tuple[str, ...]]


def list_folder(root: str) -> Listing:
    """Every file and folder below `root`; links are followed, except back to a folder they lie in.

    Raises:
        InputError: a folder cannot be opened.
    """
    listing = Listing([], set())
    waiting: list[tuple[str, tuple[str, ...], tuple[tuple[int, int], ...]]] = [(root, (), ())]
    while waiting:
        folder, parts, above = waiting.pop()
        above = (*above, _identity(folder))
        if parts:
            listing.folders.add(parts)
        for entry in _entries(folder):
            below = (*parts, entry.name)
            if is_stray(entry.name):
                continue
            if not _is_folder(entry):
                listing.files.append(Found(below, entry.path, _reason_on_disk(entry)))
            elif entry.is_symlink() and _identity(entry.path) in above:
                continue
            else:
                waiting.append((entry.path, below, above))
    return listing


def is_stray(name: str) -> bool:
    """Whether a file or folder of this name belongs to a system or a tool and is left out without a word."""
    hidden = name.startswith(".") and not _waits_in_cloud(name)
    return hidden or name.casefold() in STRAY_NAMES


def extension(name: str) -> str:
    """The part after the last dot in lower case, without the dot; empty where there is none."""
    return os.path.splitext(name)[1][1:].lower()


def reason_by_name(name: str) -> str:
    """Why a file of this name cannot be a photo; empty when it may be one."""
    if _waits_in_cloud(name):
        return "still in iCloud, not on this computer"
    ending = extension(name)
    return f"not a photo file (.{ending})" if ending in OTHER_EXTENSIONS else ""


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError as error:
        raise InputError(
            f"The folder {quoted(folder)} cannot be opened: {error.strerror}.",
            hint="Check that you may read it, or move it out of the dataset.",
        ) from error


def _identity(folder: str) -> tuple[int, int]:
    try:
        status = os.stat(folder)
    except OSError:  # _entries says so, in words, when it comes to open it
        return (-1, -1)
    return status.st_dev, status.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _reason_on_disk(entry: os.DirEntry[str]) -> str:
    reason = reason_by_name(entry.name)
    if reason:
        return reason
    try:
        if not entry.is_file():
            return "broken link" if entry.is_symlink() else "not a regular file"
        return "empty file" if entry.stat().st_size == 0 else ""
    except OSError:
        return "cannot be opened"


def _waits_in_cloud(name: str) -> bool:
    return name.startswith(".") and name.endswith(".icloud")

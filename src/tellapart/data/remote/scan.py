"""What an address names -> every file with its class and split: a folder of a store, or a table of addresses.

    s3://bucket/photos           folders of classes, as on a disk; also gs://, az:// and hf://
    https://host/labels.csv      a table, elsewhere or on this machine, a photo a row; CSV, JSONL or parquet

A table from elsewhere never names files of this machine.
"""

from collections.abc import Sequence
from typing import NamedTuple

from tellapart.data.layout import Placed, arrange
from tellapart.data.listing import Found, Listing, is_stray, reason_by_name
from tellapart.data.meaning.own_folders import refuse_no_photos, without_own
from tellapart.data.photo import MAX_FILE_BYTES
from tellapart.data.remote.address import below, without_secrets
from tellapart.data.remote.door import Entry, listed
from tellapart.data.remote.photos import RemotePhotos


class Scanned(NamedTuple):
    """Every file with its class and split, all class names, how photos are read, how the source is called, and
    sentences for the person."""

    placed: list[Placed]
    class_names: set[str]
    photos: RemotePhotos
    name: str
    notes: list[str]


def scan_folder(address: str) -> Scanned:
    """The photos in a folder of a store, by the folders of classes that they lie in; none is opened.

    Raises:
        InputError: there is no such folder, or no photo in it, or it cannot be listed.
        MissingExtraError: the driver of this store is not installed.
    """
    root = address.rstrip("/")
    name = without_secrets(root)
    entries = list(listed(root))
    listing = _listing(root, entries)
    refuse_no_photos(listing, name)
    listing, left_out = without_own(listing)
    arranged = arrange(listing, f"{name}/")
    return Scanned(arranged.placed, arranged.class_names, _photos(root, entries), name, [*left_out, *arranged.notes])


def _listing(root: str, entries: Sequence[Entry]) -> Listing:
    listing = Listing([], set())
    for entry in entries:
        parts = tuple(entry.name.split("/"))
        if any(map(is_stray, parts)):
            continue
        listing.folders.update(parts[:depth] for depth in range(1, len(parts)))
        listing.files.append(Found(parts, below(root, entry.name), _reason(entry, parts[-1])))
    return listing


def _reason(entry: Entry, name: str) -> str:
    reason = reason_by_name(name) or ("" if entry.size else "empty file")
    return reason or ("larger than 200 MB" if entry.size > MAX_FILE_BYTES else "")


def _photos(root: str, entries: Sequence[Entry]) -> RemotePhotos:
    return RemotePhotos(
        root,
        sizes={below(root, entry.name): entry.size for entry in entries if entry.size >= 0},
        etags={below(root, entry.name): entry.etag for entry in entries if entry.etag},
    )

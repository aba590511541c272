"""What an address names -> every file with its class and split: a folder of a store, a table of addresses, or tars.

    s3://bucket/photos                folders of classes, as on a disk; also gs://, az:// and hf://
    https://host/labels.csv           a table, a photo a row; CSV, JSONL or parquet; parquet from this machine too
    s3://bucket/train-{00..63}.tar    tars as WebDataset has them; from this machine too

A table from elsewhere never names files of this machine.
"""

import os
from collections.abc import Sequence
from typing import NamedTuple

from tellapart.data.groups import NONE, refuse_column
from tellapart.data.label_file import Table, place_rows
from tellapart.data.layout import Placed, arrange
from tellapart.data.listing import Found, Listing, is_stray, reason_by_name
from tellapart.data.meaning.class_names import NO_LABEL, is_missing, normal, whole_numbers, whole_numbers_note
from tellapart.data.meaning.own_folders import refuse_no_photos, without_own
from tellapart.data.meaning.split_words import plain_split
from tellapart.data.photo import MAX_FILE_BYTES
from tellapart.data.remote.address import below, is_address, parent, without_secrets
from tellapart.data.remote.door import Entry, listed
from tellapart.data.remote.photos import RemotePhotos, photos_named
from tellapart.data.remote.tables import PARQUET, kind_of_table, read_table
from tellapart.data.remote.tar_index import Member
from tellapart.data.remote.tars import TarPhotos, is_tars, open_tars, splits_by_name
from tellapart.text import counted, quoted, shown


class Scanned(NamedTuple):
    """What was found.

    Attributes:
        placed: every file with its class, split and group.
        class_names: all of them.
        photos: how they are read; None where they are files of this machine.
        name: how the source is called.
        prefix: before every name that is shown.
        notes: sentences for the person.
        grouped_by: which column says the groups.
    """

    placed: list[Placed]
    class_names: set[str]
    photos: RemotePhotos | TarPhotos | None
    name: str
    prefix: str
    notes: list[str]
    grouped_by: str | None = None


def is_elsewhere(source: str) -> bool:
    """Whether this is read here: an address, or a table in parquet or tars on this machine."""
    return is_address(source) or is_tars(source) or (kind_of_table(source) == PARQUET and os.path.isfile(source))


def scan_elsewhere(source: str, group_by: str | None, *, allow_private: bool) -> Scanned:
    """The photos of an address; none is opened.

    Args:
        source: the address, or the path of a table in parquet or of tars.
        group_by: the column that says which rows belong together; None takes one of the usual names, `none` none.
        allow_private: whether hosts of this network are asked.

    Raises:
        InputError: there is nothing, or no photo in it, or it cannot be listed or read.
        MissingExtraError: what reads it is not installed.
    """
    if is_tars(source):
        return _scan_tars(source, group_by)
    if kind_of_table(source):
        table = read_table(source, group_by, allow_private=allow_private)
        return _of_table(table, source, allow_private=allow_private)
    return _scan_folder(source, group_by)


def _of_table(table: Table, source: str, *, allow_private: bool) -> Scanned:
    name = shown(without_secrets(source))
    folder = parent(name) if is_address(source) else os.path.dirname(name)
    line = "row" if kind_of_table(source) == PARQUET else "line"
    placed = place_rows(table.rows, name, folder, line)
    photos = photos_named(((row.place, row.whole) for row in table.rows), allow_private=allow_private)
    class_names = {file.class_name for file in placed} - {""}
    return Scanned(placed, class_names, photos, name, f"{folder}/" if folder else "", table.notes, table.grouped_by)


def _scan_folder(address: str, group_by: str | None) -> Scanned:
    root = address.rstrip("/")
    name = without_secrets(root)
    refuse_column(group_by, name)
    entries = list(listed(root))
    listing = _listing(root, entries)
    refuse_no_photos(listing, name)
    listing, left_out = without_own(listing)
    arranged = arrange(listing, f"{name}/")
    notes = [*left_out, *arranged.notes]
    return Scanned(arranged.placed, arranged.class_names, _photos(root, entries), name, f"{name}/", notes)


def _listing(root: str, entries: Sequence[Entry]) -> Listing:
    listing = Listing([], set())
    for entry in entries:
        _add(listing, entry.name, below(root, entry.name), _reason(entry))
    return listing


def _add(listing: Listing, name: str, place: str, reason: str) -> None:
    parts = tuple(name.split("/"))
    if not any(map(is_stray, parts)):
        listing.folders.update(parts[:depth] for depth in range(1, len(parts)))
        listing.files.append(Found(parts, place, reason))


def _reason(entry: Entry) -> str:
    reason = reason_by_name(entry.name.rpartition("/")[2]) or ("" if entry.size else "empty file")
    return reason or (f"larger than {MAX_FILE_BYTES // 1_000_000} MB" if entry.size > MAX_FILE_BYTES else "")


def _photos(root: str, entries: Sequence[Entry]) -> RemotePhotos:
    return RemotePhotos(
        root,
        sizes={below(root, entry.name): entry.size for entry in entries if entry.size >= 0},
        etags={below(root, entry.name): entry.etag for entry in entries if entry.etag},
    )


def _scan_tars(source: str, group_by: str | None) -> Scanned:
    photos, found = open_tars(source)
    name = shown(without_secrets(source))
    if any(member.label for _, member in found):
        return _of_samples(photos, found, name, group_by)
    refuse_column(group_by, name)
    listing = Listing([], set())
    for place, member in found:
        _add(listing, member.name, place, member.reason)
    refuse_no_photos(listing, name)
    listing, left_out = without_own(listing)
    arranged = arrange(listing, f"{name}/")
    notes = [*left_out, *arranged.notes]
    return Scanned(arranged.placed, arranged.class_names, photos, name, f"{name}/", notes)


def _of_samples(photos: TarPhotos, found: Sequence[tuple[str, Member]], name: str, group_by: str | None) -> Scanned:
    """Photos whose classes stand beside them."""
    splits, notes = _splits(photos, found)
    labels = {member.label for _, member in found if member.label}
    same = whole_numbers(list(labels))
    if same:
        notes.append(whole_numbers_note(same, name))
    placed = []
    for place, member in found:
        reason = member.reason or (NO_LABEL if is_missing(member.label) else "")
        label = "" if reason else normal(same.get(member.label, member.label))
        group = "" if group_by == NONE or is_missing(member.group) else normal(member.group)
        placed.append(Placed(shown(place), place, label, "" if reason else splits[place], reason, group))
    grouped = "group" if any(file.group for file in placed) else None
    return Scanned(placed, {file.class_name for file in placed if file.class_name}, photos, name, "", notes, grouped)


def _splits(photos: TarPhotos, found: Sequence[tuple[str, Member]]) -> tuple[dict[str, str], list[str]]:
    """{place: its split}: as said beside every photo, or by the names of the tars where all say one."""
    used = [(place, member) for place, member in found if not member.reason]
    said = {place: plain_split(member.split) for place, member in used}
    if said and all(said.values()):
        return said, []
    words = {tar: plain_split(word) for tar, word in splits_by_name(list(photos.files)).items()}
    if len(set(words.values())) > 1 and all(words.values()):
        tars = counted(len(words), "tar")
        note = f"The names of the {tars} say the split: {', '.join(map(quoted, sorted(set(words.values()))))}."
        return {place: words[photos.members[place][0]] for place, _ in used}, [note]
    return dict.fromkeys((place for place, _ in found), ""), []

"""Photos that nobody has labelled: every photo of a folder or a zip, whatever folders it lies in.

scan_any         as `scan`, but photos in no class folders are photos without a label
scan_unlabelled  all photos, and no labels, whatever the folders are called
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from tellapart.data.archive import Archive, is_zip, open_archive
from tellapart.data.label_file import JSON_EXTENSIONS, TABLE_EXTENSIONS
from tellapart.data.layout import NOT_INSIDE_CLASS
from tellapart.data.listing import extension, list_folder
from tellapart.data.meaning.class_names import NO_LABEL
from tellapart.data.meaning.own_folders import refuse_no_photos, without_own
from tellapart.data.meaning.split_words import SPLIT_TYPE
from tellapart.data.remote.scan import is_elsewhere, scan_elsewhere
from tellapart.data.remote.tables import kind_of_table
from tellapart.data.source import Container, Dataset, Skipped, scan
from tellapart.errors import InputError, NoClassesError
from tellapart.text import quoted, shown

_LOOSE: Final = (NOT_INSIDE_CLASS, NO_LABEL)  # photos all the same
_TABLES: Final = TABLE_EXTENSIONS | JSON_EXTENSIONS


def scan_any(source: str, *, group_by: str | None = None, allow_private: bool = False) -> Dataset:
    """The dataset in `source`; where photos lie in no class folders, all of them, of the one class "".

    Raises:
        InputError: as for `scan`, but for photos without class folders.
    """
    try:
        return scan(source, group_by=group_by, allow_private=allow_private)
    except NoClassesError:
        if group_by is not None:
            raise
        return scan_unlabelled(source, allow_private=allow_private)


def scan_unlabelled(source: str, *, allow_private: bool = False) -> Dataset:
    """Every photo of a folder or a zip, of a table or a data set, with no label: of the one class "".

    Raises:
        InputError: there is no such source, or no photo in it.
    """
    if is_elsewhere(source) and not kind_of_table(source):
        found = scan_elsewhere(source, None, allow_private=allow_private)
        files = sorted((one.photo, one.place, "" if one.reason in _LOOSE else one.reason) for one in found.placed)
        return _unlabelled(found.name, files, found.photos, found.notes)
    name = shown(source.replace(os.sep, "/").rstrip("/") or source)
    archive: Archive | None = None
    if os.path.isdir(source):
        listing, prefix = list_folder(source), "" if name == "." else f"{name}/"
    elif os.path.isfile(source) and extension(source) not in _TABLES and is_zip(source, name):
        archive = open_archive(source, name=name)
        listing, prefix = archive.listing, f"{name}/"
    else:
        named = scan(source, allow_private=allow_private)
        unlabelled, splits = np.zeros(named.n, np.int32), np.zeros(named.n, SPLIT_TYPE)
        return replace(named, class_names=("",), labels=unlabelled, splits=splits, groups=None)
    refuse_no_photos(listing, name)
    listing, left_out = without_own(listing)
    files = sorted((shown(prefix + "/".join(file.parts)), file.place, file.reason) for file in listing.files)
    return _unlabelled(name, files, archive, left_out)


def _unlabelled(
    name: str, files: list[tuple[str, str, str]], archive: Container | None, notes: Sequence[str]
) -> Dataset:
    """The dataset of these (photo, place, why it is none or "")."""
    used = [(photo, place) for photo, place, reason in files if not reason]
    if not used:
        raise InputError(
            f"There are no photos in {quoted(name)}.", hint="Name a folder that holds photos, at any depth."
        )
    return Dataset(
        source=name,
        class_names=("",),
        photos=tuple(photo for photo, _ in used),
        places=tuple(place for _, place in used),
        labels=np.zeros(len(used), np.int32),
        splits=np.zeros(len(used), SPLIT_TYPE),
        skipped=tuple(Skipped(photo, reason) for photo, _, reason in files if reason),
        archive=archive,
        notes=tuple(notes),
    )

"""Photos that nobody has labelled: every photo of a folder or a zip, whatever folders it lies in.

scan_any         as `scan`, but photos in no class folders are photos without a label
scan_unlabelled  all photos, and no labels, whatever the folders are called
"""

import os
from dataclasses import replace
from typing import Final

import numpy as np

from tellapart.data.archive import is_zip, open_archive
from tellapart.data.label_file import JSON_EXTENSIONS, TABLE_EXTENSIONS
from tellapart.data.listing import extension, list_folder
from tellapart.data.meaning.own_folders import refuse_no_photos, without_own
from tellapart.data.source import Dataset, Skipped, scan
from tellapart.data.split import SPLIT_TYPE
from tellapart.errors import InputError, NoClassesError
from tellapart.text import quoted, shown

_TABLES: Final = TABLE_EXTENSIONS | JSON_EXTENSIONS


def scan_any(source: str, *, group_by: str | None = None) -> Dataset:
    """The dataset in `source`; where photos lie in no class folders, all of them, of the one class "".

    Raises:
        InputError: as for `scan`, but for photos without class folders.
    """
    try:
        return scan(source, group_by=group_by)
    except NoClassesError:
        if group_by is not None:
            raise
        return scan_unlabelled(source)


def scan_unlabelled(source: str) -> Dataset:
    """Every photo of a folder or a zip, of a table or a data set, with no label: of the one class "".

    Raises:
        InputError: there is no such source, or no photo in it.
    """
    name = shown(source.replace(os.sep, "/").rstrip("/") or source)
    archive = None
    if os.path.isdir(source):
        listing, prefix = list_folder(source), "" if name == "." else f"{name}/"
    elif os.path.isfile(source) and extension(source) not in _TABLES and is_zip(source, name):
        archive = open_archive(source, name=name)
        listing, prefix = archive.listing, f"{name}/"
    else:
        named = scan(source)
        unlabelled, splits = np.zeros(named.n, np.int32), np.zeros(named.n, SPLIT_TYPE)
        return replace(named, class_names=("",), labels=unlabelled, splits=splits, groups=None)
    refuse_no_photos(listing, name)
    listing, left_out = without_own(listing)
    files = sorted((shown(prefix + "/".join(file.parts)), file.place, file.reason) for file in listing.files)
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
        notes=tuple(left_out),
    )

"""A zip taken apart: each photo in it is stored as one that was handed over by itself."""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from tellapart.data import photo
from tellapart.data.archive import Archive, open_archive
from tellapart.data.listing import Found
from tellapart.errors import InputError, PhotoError
from tellapart.studio.collected import INCOMING, keep
from tellapart.studio.heap import identity, known_files
from tellapart.studio.work.desk import Desk
from tellapart.timing import Progress

NAME: Final = re.compile(rf"{INCOMING}[0-9a-f]{{16}}\.zip")
MAX_TOLD: Final = 200  # files that are refused, told by name


def _read(archive: Archive, file: Found) -> bytes:
    """The bytes of a photo in the zip; raises PhotoError for what is none."""
    if file.reason:
        raise PhotoError(file.reason, code="not_a_photo")
    content = archive.read(file.place)
    photo.decode(content, min_side_px=64)
    return content


def unzip(desk: Desk, asked: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Store what can be read of the zip `zip`, and say why the rest cannot.

    `photos` has (identity, where it lay, whether it is no photo of the studio yet) of each.

    Raises:
        InputError: it is no zip, or one that could do harm.
    """
    name = asked.get("zip")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InputError("There is no such zip.", hint="Send it again.")
    path = desk.folder / name
    here = {one.id for one in desk.heap}
    kept = {own for place, own in known_files(desk.folder).items() if os.path.exists(place)}
    photos: dict[str, list[Any]] = {}
    n_known = 0
    refused: list[list[str]] = []
    try:
        archive = open_archive(str(path), name=str(asked.get("name") or "the zip"))
        files = archive.listing.files
        for done, file in enumerate(files, start=1):
            whole = "/".join(file.parts)
            try:
                content = _read(archive, file)
            except PhotoError as error:
                refused.append([whole, error.message])
            else:
                own = identity(content)
                n_known += own in here or own in photos
                photos.setdefault(own, [own, whole, own not in here])
                if own not in kept:
                    kept.add(own)
                    keep(desk.folder, whole, content, own)
            progress("taking the zip apart", done, len(files))
    finally:
        with suppress(OSError):
            path.unlink()
    return {"photos": [*photos.values()], "n_known": n_known, "n_refused": len(refused), "refused": refused[:MAX_TOLD]}

"""Photos without labels that a person names: files, folders, globs."""

import difflib
import glob
import os
from collections.abc import Iterable

from tellapart.data.listing import is_stray, list_folder
from tellapart.data.meaning.own_folders import without_own
from tellapart.errors import InputError
from tellapart.text import quoted


def scan_photos(args: Iterable[str]) -> tuple[str, ...]:
    """The photos to predict, as paths on disk, in the order given and without repeats.

    A file named outright is kept whatever it is called. A folder gives all photos below it, sorted by name.
    A glob that the shell left alone is expanded here.

    Raises:
        InputError: a name matches nothing, or a folder has no photos.
    """
    return tuple(dict.fromkeys(path for arg in args for path in _expand(arg)))


def nearest(path: str) -> str:
    """A hint: the sibling of that name that the person may have meant, or where it was looked for."""
    parent, wanted = os.path.split(path.rstrip(os.sep))
    try:
        siblings = [entry for entry in sorted(os.listdir(parent or ".")) if not is_stray(entry)]
    except (OSError, ValueError):
        return f"There is no folder {quoted(parent)} either." if parent else ""
    folded = {sibling.casefold(): sibling for sibling in reversed(siblings)}
    close = difflib.get_close_matches(wanted.casefold(), folded, n=1)
    if close:
        return f"Did you mean {quoted(os.path.join(parent, folded[close[0]]))}?"
    return f"It was looked for in {quoted(os.path.abspath(parent or '.'))}."


def _expand(arg: str) -> list[str]:
    if os.path.isdir(arg):
        photos = sorted(file.place for file in without_own(list_folder(arg))[0].files if not file.reason)
        if not photos:
            raise InputError(
                f"There are no photos in the folder {quoted(arg)}.",
                hint="Name a folder that holds photos, at any depth.",
            )
        return photos
    if os.path.lexists(arg):  # before globbing: "[1].jpg" is a name as well
        return [arg]
    if not glob.has_magic(arg):
        raise InputError(f"There is no photo {quoted(arg)}.", hint=nearest(arg))
    hits = [hit for hit in sorted(glob.glob(arg, recursive=True)) if not is_stray(os.path.basename(hit))]
    photos = [path for hit in hits for path in ([hit] if not os.path.isdir(hit) else _expand(hit))]
    if not photos:
        raise InputError(f"No photo matches {quoted(arg)}.", hint="* stands for any letters, ** for any folders.")
    return photos

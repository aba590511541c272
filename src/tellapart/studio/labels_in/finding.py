"""Which photo of the studio a row of a file of labels means: by content, else by path, else by its file name alone.

Whatever a path says, at most a file of the size of one of the photos is opened, and only to be hashed.
"""

import os
import posixpath
import stat
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Final

from tellapart.data.meaning.class_names import normal
from tellapart.studio.heap import Photo, identity_of_file
from tellapart.studio.labels_in.given import NO_FILE, Given, as_uploaded, before_upload

UNKNOWN: Final = "of photos that are not here"
AMBIGUOUS: Final = "that could mean several photos"


class Finder:
    """The photos of a studio, to be found by what rows say of them.

    Args:
        photos: all of them.
        rows: of one file, all of them.
        folder: where the file lies, and its relative paths begin; "" where that is not known.
    """

    def __init__(self, photos: Sequence[Photo], rows: Iterable[Given], folder: str = "") -> None:
        self._photos = photos
        self._folder = os.path.abspath(folder) if folder else ""
        self._ids = {photo.id for photo in photos}
        self._by_place = {photo.place: photo.id for photo in photos}
        self._parts = {photo.id: _parts(photo.name) for photo in photos}
        self._named = self._by(lambda name: name)
        paths: defaultdict[str, set[tuple[str, ...]]] = defaultdict(set)
        for row in rows:
            parts = _parts(row.path)
            if parts:
                paths[before_upload(parts[-1]) if row.uploaded else parts[-1]].add(parts)
        self._repeated = {name for name, of_name in paths.items() if len(of_name) > 1}

    def find(self, row: Given) -> tuple[str, str]:
        """The photo's identity, and ""; or "" and why it is not known, as it stands behind "3 rows"."""
        parts = _parts(row.path)
        if not parts:
            return "", NO_FILE
        if not (row.stem or row.uploaded):
            there = self._on_disk(row.path)
            if there is not None:
                return (there, "") if there in self._ids else ("", UNKNOWN)
        spellings = [(parts[-1], self._stems if row.stem else self._named)]
        if row.uploaded:
            before = before_upload(parts[-1])
            spellings += [(before, self._named), (before, self._uploads), (parts[-1], self._uploads)]
        for name, photos in spellings:
            if found := photos.get(name, ()):
                return self._one_of(found, parts[:-1], name, told=not row.uploaded)
        return "", UNKNOWN

    def _one_of(self, found: Sequence[str], folders: tuple[str, ...], name: str, *, told: bool) -> tuple[str, str]:
        """The one among photos of this name that lies in these folders, or is alone.

        Args:
            found: their identities.
            folders: that the row says.
            name: of its file.
            told: whether they are the photo's own, and not those of a tool.
        """
        best: list[str] = []
        n_best = 1
        for photo in found if told else ():
            own = self._parts[photo][:-1]
            if own == folders:
                best = [photo]
                break
            n = min(len(own), len(folders))
            if n and own[-n:] == folders[-n:] and n >= n_best:
                best, n_best = ([*best, photo] if n == n_best else [photo]), n
        if not best and len(found) == 1 and name not in self._repeated:
            best = list(found)
        return (best[0], "") if len(best) == 1 else ("", AMBIGUOUS)

    def _on_disk(self, path: str) -> str | None:
        """What the file at a path is known by, where it is one; None where there is none that may be looked at.

        A relative path may not lead out of the file's folder, and nothing on another machine is looked at.
        """
        if path.startswith("//") or not (os.path.isabs(path) or self._folder):
            return None
        place = os.path.abspath(os.path.join(self._folder, path))
        if not os.path.isabs(path) and not place.startswith(os.path.join(self._folder, "")):
            return None
        if place in self._by_place:
            return self._by_place[place]
        try:
            status = os.stat(place)
        except (OSError, ValueError):
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        return identity_of_file(place) if status.st_size in self._sizes else ""

    @cached_property
    def _sizes(self) -> set[int]:
        return {size for photo in self._photos if (size := _size(photo.place)) is not None}

    @cached_property
    def _stems(self) -> dict[str, list[str]]:
        return self._by(lambda name: os.path.splitext(name)[0])

    @cached_property
    def _uploads(self) -> dict[str, list[str]]:
        return self._by(as_uploaded)

    def _by(self, key: Callable[[str], str]) -> dict[str, list[str]]:
        photos: defaultdict[str, list[str]] = defaultdict(list)
        for photo, parts in self._parts.items():
            photos[key(parts[-1])].append(photo)
        return dict(photos)


def _parts(path: str) -> tuple[str, ...]:
    """The names that lead to a file, in normal form, without those that lead up."""
    whole = posixpath.normpath(normal(path)).split("/")
    return tuple(part for part in whole if part not in ("", ".", ".."))


def _size(place: str) -> int | None:
    try:
        return os.stat(place).st_size
    except OSError:
        return None

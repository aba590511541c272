"""Photos without labels that a person names by addresses: one, a folder of a store, a table of them, or tars."""

import io
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Protocol

from tellapart.data.groups import as_text
from tellapart.data.label_file import JSON_EXTENSIONS, PATH_COLUMNS
from tellapart.data.listing import extension, is_stray, reason_by_name
from tellapart.data.meaning.named_photos import scan_photos
from tellapart.data.meaning.table_text import cells_of, json_lines, read_text, text_of
from tellapart.data.remote.address import (
    WEB,
    below,
    from_table,
    is_address,
    last_name,
    parent,
    scheme_of,
    without_secrets,
)
from tellapart.data.remote.door import READERS, listed, read_file
from tellapart.data.remote.photos import RemotePhotos
from tellapart.data.remote.tables import MAX_TABLE_BYTES, PARQUET, cells_in, kind_of_table
from tellapart.data.remote.tars import is_tars, open_tars
from tellapart.errors import InputError, PhotoError
from tellapart.formats.metadata import taken
from tellapart.parallel import map_in_order
from tellapart.text import quoted


class _Reader(Protocol):
    def read(self, place: str) -> bytes:
        """The bytes of one photo; raises PhotoError."""


class Fetched(io.BytesIO):
    """A photo that was fetched, as an open file that says its name; reading it says why it could not be.

    Args:
        name: as it is said.
        content: the bytes, or what was wrong.
    """

    def __init__(self, name: str, content: bytes | PhotoError) -> None:
        super().__init__(content if isinstance(content, bytes) else b"")
        self.name = name
        self._error = content if isinstance(content, PhotoError) else None

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes; raises PhotoError."""
        if self._error is not None:
            raise self._error
        return super().read(size)


class Named:
    """Photos in the order in which they were named, here and elsewhere; each once.

    Args:
        names: what a person named.
        allow_private: whether hosts of this network are asked.

    Raises:
        InputError: a name matches nothing, or cannot be listed or read.
    """

    def __init__(self, names: Iterable[str], *, allow_private: bool = False) -> None:
        self._allow_private = allow_private
        self._readers: dict[str, _Reader] = {}
        self.taken: dict[str, tuple[str, str]] = {}
        found = [self._expanded(name) for name in names]
        self.photos: tuple[str, ...] = tuple(dict.fromkeys(chain.from_iterable(found)))

    def _expanded(self, name: str) -> list[str]:
        if not (is_address(name) or is_tars(name) or kind_of_table(name)):
            return list(scan_photos([name]))
        reader, places = _elsewhere(name, allow_private=self._allow_private)
        if not places:
            raise InputError(
                f"There are no photos in {quoted(without_secrets(name), longest=300)}.",
                hint="Name a folder that holds photos, at any depth.",
            )
        self._readers.update((place, reader) for place in places)
        return places

    def fetched(self, photos: Iterable[str]) -> Iterable[str | Fetched]:
        """The photos one by one: paths as they are, those elsewhere fetched, several at once, a few ahead.

        What their EXIF says of day and camera is kept in `taken`.
        """
        if not self._readers:
            return map(self._fetch, photos)
        return map_in_order(self._fetch, photos, n_workers=READERS, ahead=1, name="fetch")

    def _fetch(self, photo: str) -> str | Fetched:
        reader, name = self._readers.get(photo), photo
        if reader is None and not is_address(photo):
            return photo
        if reader is None:  # from standard input
            name = without_secrets(photo)
            reader = RemotePhotos("", self._allow_private, {name: photo})
        try:
            content: bytes | PhotoError = reader.read(name)
        except PhotoError as error:
            content = error
        except InputError as error:  # no address that is read
            content = PhotoError(error.message, code="unreadable", hint=error.hint)
        if isinstance(content, bytes):
            self.taken[name] = taken(content)
        return Fetched(name, content)


def _elsewhere(name: str, *, allow_private: bool) -> tuple[_Reader, list[str]]:
    if is_tars(name):
        tars, found = open_tars(name)
        return tars, [place for place, member in found if not member.reason]
    if kind_of_table(name):
        return _of_table(name, allow_private=allow_private)
    if scheme_of(name) in WEB or _is_photo(last_name(name)):
        kept = without_secrets(name)
        return RemotePhotos("", allow_private, {kept: name}), [kept]
    root = name.rstrip("/")
    names = sorted(entry.name for entry in listed(root) if entry.size)
    photos = [one for one in names if not any(map(is_stray, one.split("/"))) and not reason_by_name(one)]
    return RemotePhotos(root), [below(root, one) for one in photos]


def _is_photo(name: str) -> bool:
    return bool(extension(name)) and not reason_by_name(name)


def _of_table(source: str, *, allow_private: bool) -> tuple[_Reader, list[str]]:
    """The photos that a table names; one on this machine names addresses."""
    name = without_secrets(source)
    content = read_file(source, MAX_TABLE_BYTES, allow_private=allow_private) if is_address(source) else None
    if kind_of_table(source) == PARQUET:
        cells: Mapping[str, list[str]] = cells_in(source if content is None else io.BytesIO(content), name)
        paths = cells[_path_column(cells, name)]
    else:
        text = read_text(source, name) if content is None else text_of(content, name)
        paths = list(_paths_in(text, kind_of_table(source), name))
    whole: dict[str, str] = {}
    for path in paths:
        if not is_address(source) and not is_address(path):
            raise InputError(
                f"{quoted(name)} is taken for a table of addresses, and names {quoted(path)}.",
                hint="Paths are given as they are, or on standard input: … | tellapart predict MODEL -",
            )
        address = from_table(path, parent(source))
        if is_address(source) and scheme_of(source) in WEB and scheme_of(address) not in WEB:
            raise InputError(
                f"{quoted(name)} is from the web and names a photo in a store: {quoted(without_secrets(address))}.",
                hint="It would be read with your credentials. If you trust the table, save it here and name the file.",
            )
        whole.setdefault(without_secrets(address), address)
    return RemotePhotos("", allow_private, whole), list(whole)


def _paths_in(text: str, kind: str, name: str) -> Iterator[str]:
    if kind in JSON_EXTENSIONS:
        for line, row in json_lines(text, name):
            path = next((as_text(row[column]) for column in PATH_COLUMNS if row.get(column)), "")
            if not path:
                raise InputError(f"Line {line} of {quoted(name)} has no path.", hint='Write {"uri": "https://…"}.')
            yield path
        return
    at = -1
    for _, cells in cells_of(text, name):
        if at < 0:  # the first line, which may name the columns
            folded = [cell.lower() for cell in cells]
            at = next((folded.index(column) for column in PATH_COLUMNS if column in folded), -1)
            if at >= 0:
                continue
            at = 0
        if at < len(cells) and cells[at]:
            yield cells[at]


def _path_column(cells: Mapping[str, list[str]], name: str) -> str:
    folded = {column.lower(): column for column in cells}
    found = next((folded[usual] for usual in PATH_COLUMNS if usual in folded), None)
    if found is None:
        raise InputError(f"{quoted(name)} has no column of addresses.", hint="Name it uri.")
    return found

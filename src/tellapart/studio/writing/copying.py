"""The labelled photos as copies in class folders of a new folder, or in a zip: all of it or nothing.

What is written beside takes its place under its name when it is whole; nothing that is there is overwritten. Copies are
compared with what the studio knows of a photo while they are made: one that was changed meanwhile is not among them.
"""

import errno
import hashlib
import os
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, Final

from tellapart.data.archive import MAX_ENTRIES, MAX_TOTAL_BYTES
from tellapart.errors import InputError
from tellapart.storage.atomic import NEW_FILE, flush_folder
from tellapart.storage.moves import in_words
from tellapart.storage.partial import partial_file, partial_folder
from tellapart.studio.heap import ID_LETTERS, Photo
from tellapart.studio.journal import NAME as JOURNAL
from tellapart.studio.state import Mark
from tellapart.studio.table import NAME as TABLE
from tellapart.studio.table import Written, label_file
from tellapart.studio.writing.layout import class_folders
from tellapart.text import counted, for_shell, quoted, shown, some
from tellapart.timing import Progress

_CHUNK_BYTES: Final = 1 << 20
_FIRST_YEAR, _LAST_YEAR = 1980, 2107  # of a date in a zip


class ChangedError(Exception):
    """A photo is not there any more, or is another one than was labelled."""


def write_folders(
    out: str,
    source: str,
    photos: Sequence[Photo],
    marks: Mapping[str, Mark],
    progress: Progress,
    *,
    groups: Mapping[str, str] | None = None,
    splits: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Copy the labelled photos into class folders of a new folder, with photos.csv beside them.

    Args:
        out: the folder to make.
        source: what the studio was opened on; nothing is written into it.
        photos: of the studio.
        marks: what is said of them.
        progress: called with (stage, done, total).
        groups: {id: the name of its group}, as for `label_file`.
        splits: {id: its split}, as for `label_file`.

    Returns:
        What was written, as the page is told of it.

    Raises:
        InputError: there is something at `out` already, it cannot be written, or no photo has a label.
    """
    layout = class_folders(photos, marks)
    target = new_place(out, source)
    written, lost = [], []
    with _in_sentences(target), partial_folder(target) as partial:
        for done, (photo, path) in enumerate(layout.places, start=1):
            place = partial / path
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                with place.open("xb") as file:
                    _copy(photo, file)
                os.utime(place, (photo.modified_s, photo.modified_s))
                written.append((photo, path))
            except ChangedError:
                place.unlink()
                lost.append(photo.name)
            progress("copying photos", done, len(layout.places))
        table = _table(photos, written, marks, groups, splits)
        (partial / TABLE).write_bytes(table.content)
        _free(target)
        partial.rename(target)
        flush_folder(target.parent)
    trained_on = target if layout.whole and not splits else target / TABLE
    return _told(target, len(written), [*layout.notes, *_lost(lost), table.left], str(trained_on))


def write_zip(
    out: str,
    source: str,
    photos: Sequence[Photo],
    marks: Mapping[str, Mark],
    journal: Path,
    progress: Progress,
    *,
    groups: Mapping[str, str] | None = None,
    splits: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Write the labelled photos in class folders, photos.csv and the journal as one zip.

    Args:
        out: the file to make.
        source: as for `write_folders`.
        photos: as for `write_folders`.
        marks: as for `write_folders`.
        journal: the studio's.
        progress: called with (stage, done, total).
        groups: as for `write_folders`.
        splits: as for `write_folders`.

    Raises:
        InputError: as for `write_folders`.
    """
    layout = class_folders(photos, marks)
    target = new_place(out, source)
    written, lost, n_bytes = [], [], 0
    with _in_sentences(target), partial_file(target, NEW_FILE) as partial:
        with partial.open("wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for done, (photo, path) in enumerate(layout.places, start=1):
                try:
                    n_bytes += _add(archive, photo, path)
                    written.append((photo, path))
                except ChangedError:
                    lost.append(photo.name)
                progress("writing photos", done, len(layout.places))
            now = time.localtime()[:6]
            table = _table(photos, written, marks, groups, splits)
            for name, content in ((TABLE, table.content), (JOURNAL, journal.read_bytes())):
                archive.writestr(_entry(name, now), content, zipfile.ZIP_DEFLATED)
        _publish(partial, target)
    notes = [*layout.notes, *_lost(lost), table.left]
    if len(written) > MAX_ENTRIES - 2 or n_bytes > MAX_TOTAL_BYTES or not layout.whole:
        notes.append(
            f"To train on it, unpack it and name its {TABLE}: `train` reads zips of up to {MAX_ENTRIES:,} files and "
            f"{MAX_TOTAL_BYTES // 10**9} GB, by their folders."
        )
        return _told(target, len(written), notes, "")
    if splits:
        notes.append(f"`train` reads the folders of a zip and draws its own test: for this page's, name its {TABLE}.")
    return _told(target, len(written), notes, str(target))


def new_place(out: str, source: str) -> Path:
    """The place that a person named, where there is nothing yet.

    Raises:
        InputError: there is something, or it is no place for what is written.
    """
    if not out.strip() or "\0" in out:
        raise InputError("There is no name for what is to be written.", hint="Type one.")
    target = Path(os.path.abspath(os.path.expanduser(out.strip())))
    if os.path.isdir(source) and Path(os.path.realpath(target)).is_relative_to(os.path.realpath(source)):
        raise InputError(
            f"{quoted(str(target))} lies among the photos, which would then be there twice.",
            hint="Name a place outside of their folder.",
        )
    _free(target)
    return target


def _free(target: Path) -> None:
    if os.path.lexists(target):
        raise InputError(
            f"There is something at {quoted(str(target))} already, and nothing is overwritten.",
            hint="Choose another name.",
        )


def _publish(partial: Path, target: Path) -> None:
    """Give a whole file its name, unless something has it meanwhile."""
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    try:
        os.link(partial, target)  # which never overwrites
    except FileExistsError:
        _free(target)
    except OSError:  # a disk without links
        _free(target)
        partial.rename(target)
    flush_folder(target.parent)


@contextmanager
def _in_sentences(target: Path) -> Iterator[None]:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise InputError(
            f"{quoted(str(target))} cannot be written: {in_words(error)}.",
            hint="Nothing was left there. Make room, or choose another disk."
            if full
            else "Choose another place, or mend its permissions.",
        ) from error


def _copy(photo: Photo, out: IO[bytes]) -> int:
    """The bytes of a photo, while they are those that were labelled; how many there are.

    Raises:
        ChangedError: they are not.
        OSError: they cannot be written.
    """
    digest, n_bytes = hashlib.sha256(), 0
    with ExitStack() as stack:
        try:
            file = stack.enter_context(open(photo.place, "rb"))
        except OSError as error:
            raise ChangedError from error
        while chunk := _read(file):
            digest.update(chunk)
            out.write(chunk)
            n_bytes += len(chunk)
    if digest.hexdigest()[:ID_LETTERS] != photo.id:
        raise ChangedError
    return n_bytes


def _read(file: BinaryIO) -> bytes:
    try:
        return file.read(_CHUNK_BYTES)
    except OSError as error:  # of the photo, not of what is written
        raise ChangedError from error


def _add(archive: zipfile.ZipFile, photo: Photo, path: str) -> int:
    """Add a photo to a zip; one that has changed leaves nothing in it that could be taken for it.

    It is read once before, because what was written into a zip cannot be taken back.
    """
    with open(os.devnull, "wb") as nowhere:
        _copy(photo, nowhere)
    when = time.localtime(photo.modified_s)[:6]
    entry = _entry(path, when)
    entry.file_size = n_bytes = os.stat(photo.place).st_size
    try:
        with archive.open(entry, "w", force_zip64=n_bytes > zipfile.ZIP64_LIMIT // 2) as file:
            return _copy(photo, file)
    except ChangedError as error:
        raise InputError(f"{quoted(photo.name)} was changed while it was read.", hint="Write it once more.") from error


def _entry(name: str, when: tuple[int, ...]) -> zipfile.ZipInfo:
    year = min(max(when[0], _FIRST_YEAR), _LAST_YEAR)
    date = (year, *when[1:]) if year == when[0] else (year, 1, 1, 0, 0, 0)
    entry = zipfile.ZipInfo(name, date)  # type: ignore[arg-type]  # six numbers
    entry.external_attr = 0o100644 << 16
    return entry


def _table(
    photos: Sequence[Photo],
    places: Sequence[tuple[Photo, str]],
    marks: Mapping[str, Mark],
    groups: Mapping[str, str] | None,
    splits: Mapping[str, str] | None,
) -> Written:
    """The label file with paths relative to the folder that it lies in.

    Raises:
        InputError: no photo could be written.
    """
    if not places:
        raise InputError(
            "Every labelled photo was changed or taken away since it was read.", hint="Press Look again, and look why."
        )
    written = {photo.id for photo, _ in places}
    others = [
        photo for photo in photos if photo.id not in written and (not marks[photo.id].label or marks[photo.id].out)
    ]
    return label_file([*(photo._replace(place=path) for photo, path in places), *others], marks, groups, splits)


def _lost(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    those = some([quoted(name) for name in names])
    return [f"{counted(len(names), 'photo')} were changed or taken away since, and are not in it: {those}."]


def _told(target: Path, n_photos: int, notes: Sequence[str], trained_on: str) -> dict[str, Any]:
    return {
        "path": shown(str(target)),
        "n_photos": n_photos,
        "notes": [note for note in notes if note],
        "command": f"tellapart train {for_shell(trained_on)} -o my-model" if trained_on else "",
    }

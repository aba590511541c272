"""Suspect photos out of the dataset, and back again: moved into a folder beside it, never deleted.

    plan         what would be moved, and what would not, and why
    quarantine   moves it
    held         what lies in the quarantine now
    undo         moves everything back

Every move is on disk as a line of `moved.jsonl` before it happens, and where a photo is now is asked of the file
system, never of the list. So a kill at any moment leaves nothing that `undo` cannot put back: a line whose file is not
in the quarantine is a move that did not happen. Between two file systems a move is a copy, checked by its hash, and
only then the original goes; a kill between the two leaves both.
"""

import errno
import os
import shlex
import stat
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from tellapart.checks.finding import Finding
from tellapart.data.listing import list_folder
from tellapart.data.source import MIN_PHOTOS_PER_CLASS, Dataset
from tellapart.errors import InputError
from tellapart.storage.atomic import LEFT_BY_SYSTEMS, refuse_unwritable_file, write_file
from tellapart.storage.moves import PARTIAL, Record, append_line, flush, in_words, inside, move_file, read_list, sha256
from tellapart.text import quoted, shown
from tellapart.timing import Progress, no_progress

LIST = "moved.jsonl"
README = "README.txt"
SUFFIX = ".quarantine"  # photos -> photos.quarantine, beside it

Parts = tuple[str, ...]  # the names that lead to a file, from a root down


@dataclass(frozen=True)
class Move:
    """One photo to move: its name in the dataset, its path below the source with "/", and why."""

    photo: str
    path: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Kept:
    """One photo that stays where it is, and why."""

    photo: str
    reason: str


@dataclass(frozen=True)
class Quarantined:
    """What was moved into `folder`, or would be, in the order of the findings; and what was not."""

    folder: Path
    moves: tuple[Move, ...]
    kept: tuple[Kept, ...]


@dataclass(frozen=True)
class Restored:
    """What `undo` did: the paths below the source that are back, and what stays in the quarantine."""

    folder: Path
    paths: tuple[str, ...]
    kept: tuple[Kept, ...]

    @property
    def n(self) -> int:
        """The number of photos put back."""
        return len(self.paths)


def plan(dataset: Dataset, findings: Sequence[Finding], folder: str | os.PathLike[str] | None = None) -> Quarantined:
    """What `quarantine` would move; nothing is changed.

    A photo of several findings moves once. A class keeps two photos, and two training photos where it has them; what
    would go below that stays, so give the gravest findings first.

    Args:
        dataset: the readable photos, as scanned from a folder.
        findings: whose `suspects` are to go; names of photos, or of files below the source that are not used.
        folder: the quarantine; beside the source by default.

    Raises:
        InputError: the source is no folder, or the quarantine is inside it or holds something else.
    """
    root, folder = _places(_folder_of(dataset), folder)
    _refuse_foreign(root, folder)
    suspects = _suspects(findings)
    paths = _paths(dataset, suspects)
    room = _Room(dataset)
    moves: list[Move] = []
    kept: list[Kept] = []
    for photo, reasons in suspects.items():
        problem = _problem(root, paths.get(photo)) or room.refuses(photo)
        if problem:
            kept.append(Kept(photo, problem))
        else:
            moves.append(Move(photo, "/".join(paths[photo] or ()), reasons))
    return Quarantined(folder, tuple(moves), tuple(kept))


def quarantine(
    dataset: Dataset,
    findings: Sequence[Finding],
    folder: str | os.PathLike[str] | None = None,
    *,
    progress: Progress = no_progress,
) -> Quarantined:
    """Move the suspects of `findings` out of the dataset's folder, and write down how to undo it.

    A second run adds to the first. A photo that cannot be moved stays, with the reason; so may any number of them. A
    link is moved itself, never what it leads to.

    Args:
        dataset: as for `plan`.
        findings: as for `plan`.
        folder: the quarantine; beside the source by default.
        progress: called with (stage, done, total).

    Raises:
        InputError: as for `plan`, or the quarantine cannot be written.
    """
    planned = plan(dataset, findings, folder)
    if not planned.moves:
        return Quarantined(planned.folder, (), planned.kept)
    root = Path(os.path.realpath(dataset.source))
    refuse_unwritable_file(planned.folder / LIST)
    (planned.folder / LIST).touch()
    flush([planned.folder])
    write_file(planned.folder / README, _readme(os.path.abspath(dataset.source)))
    moved, kept = [], list(planned.kept)
    for done, move in enumerate(planned.moves, start=1):
        try:
            _move(root, planned.folder, move)
        except OSError as error:
            kept.append(Kept(move.photo, in_words(error)))
        else:
            moved.append(move)
        progress("moving photos", done, len(planned.moves))
    flush({(base / move.path).parent for move in moved for base in (root, planned.folder)})
    return Quarantined(planned.folder, tuple(moved), tuple(kept))


def held(source: str | os.PathLike[str], folder: str | os.PathLike[str] | None = None) -> tuple[str, ...]:
    """The paths below `source` of the photos that lie in its quarantine now, those moved first coming first.

    Raises:
        InputError: `source` is no folder, or the quarantine belongs to another one.
    """
    root, folder = _places(source, folder)
    records = read_list(folder / LIST)
    _refuse_other_source(records, root, folder)
    return tuple(record.home for record in records if _lies_at(inside(folder, record.held)))


def undo(source: str | os.PathLike[str], folder: str | os.PathLike[str] | None = None) -> Restored:
    """Put everything in the quarantine back where it was below `source`.

    Nothing is overwritten: where a file has appeared meanwhile, the photo stays in the quarantine. The quarantine's
    folder goes when nothing is left in it but what tellapart wrote there.

    Raises:
        InputError: `source` is no folder, or the quarantine belongs to another one.
    """
    root, folder = _places(source, folder)
    if not (folder / LIST).is_file():
        return Restored(folder, (), ())
    records = read_list(folder / LIST)
    _refuse_other_source(records, root, folder)
    paths: list[str] = []
    kept: dict[str, str] = {}
    for record in reversed(records):  # of two photos that had one name, the later one was there last
        origin, home = inside(folder, record.held), inside(root, record.home)
        if origin is None or not _lies_at(origin):
            continue
        problem = _put_back(origin, home)
        if problem:
            kept[record.held] = problem
        else:
            paths.append(record.home)
    flush({(root / path).parent for path in paths})
    left = _tidy(folder)
    return Restored(
        folder,
        tuple(reversed(paths)),
        tuple(Kept(name, kept.get(name, f"{LIST} does not say where it was")) for name in left),
    )


def _folder_of(dataset: Dataset) -> str:
    """The dataset's source, when photos can be moved out of it."""
    if dataset.archive is not None:
        raise InputError(
            f"Photos cannot be moved out of the {dataset.archive.kind} {quoted(dataset.source)}.",
            hint="Unpack it and name the folder instead.",
        )
    if not os.path.isdir(dataset.source):
        raise InputError(
            f"{quoted(dataset.source)} is a list of photos, which may lie anywhere, so none of them is moved.",
            hint="Remove the lines of the photos that you do not want.",
        )
    return dataset.source


def _places(source: str | os.PathLike[str], folder: str | os.PathLike[str] | None) -> tuple[Path, Path]:
    """The real paths of the source and of its quarantine, neither inside the other."""
    name = shown(os.fspath(source))
    if not os.path.isdir(source):
        raise InputError(
            f"There is no folder {quoted(name)}.", hint="Photos are moved out of, and back to, folders only."
        )
    root = Path(os.path.realpath(source))
    place = Path(os.path.realpath(os.path.abspath(source) + SUFFIX if folder is None else folder))
    if place.is_relative_to(root) or root.is_relative_to(place):
        raise InputError(
            f"The quarantine {quoted(str(place))} must be outside {quoted(name)}, and not around it.",
            hint="Name another folder for it.",
        )
    return root, place


def _refuse_foreign(root: Path, folder: Path) -> None:
    """Returns when `folder` is free, or is already the quarantine of `root`."""
    if folder.is_dir() and not (folder / LIST).is_file() and set(os.listdir(folder)) - LEFT_BY_SYSTEMS:
        raise InputError(
            f"{quoted(str(folder))} holds something else already, so no photos are moved there.",
            hint="Rename that folder.",
        )
    _refuse_other_source(read_list(folder / LIST), root, folder)


def _refuse_other_source(records: Sequence[Record], root: Path, folder: Path) -> None:
    """A source that is no longer there was renamed, and its quarantine is believed to have gone with it."""
    for other in {record.source for record in records} - {str(root)}:
        if "\0" not in other and os.path.isdir(other):
            raise InputError(
                f"{quoted(str(folder))} is the quarantine of {quoted(other)}.",
                hint="Name that folder, or another quarantine.",
            )


def _suspects(findings: Sequence[Finding]) -> dict[str, tuple[str, ...]]:
    """{photo: one reason for each finding that suspects it}, in order."""
    suspects: dict[str, tuple[str, ...]] = {}
    for finding in findings:
        rows = {name: row for row in reversed(finding.photos) for name in row}
        for photo in dict.fromkeys(finding.suspects):
            about = ", ".join(word for word in rows.get(photo, ()) if word != photo)
            reason = finding.kind.replace("_", " ") + (f": {about}" if about else "")
            suspects[photo] = (*suspects.get(photo, ()), reason)
    return suspects


def _paths(dataset: Dataset, photos: Iterable[str]) -> dict[str, Parts | None]:
    """Where those `photos` are below the source that can be found there; None where two files share the name."""
    source = Path(dataset.source)
    wanted = set(photos)
    found: dict[str, Parts | None] = {}
    for photo, place in zip(dataset.photos, dataset.places, strict=True):
        if photo in wanted and Path(place).is_relative_to(source):
            found[photo] = None if photo in found else Path(place).relative_to(source).parts
    if wanted - found.keys():  # files that cannot be used have no place in the dataset
        prefix = "" if dataset.source == "." else f"{dataset.source}/"
        others: dict[str, Parts | None] = {}
        for file in list_folder(dataset.source).files:
            name = shown(prefix + "/".join(file.parts))
            if name in wanted and name not in found:
                others[name] = None if name in others else file.parts
        found |= others
    return found


def _problem(root: Path, parts: Parts | None) -> str:
    """Why the file at `parts` below `root` is not moved; empty when it is."""
    if parts is None:
        return "it is not found in the folder under this name, or two files share the name"
    path = inside(root, "/".join(parts))
    if path is None:
        return "it lies behind a link to another folder"
    try:
        mode = path.lstat().st_mode
    except OSError as error:
        return in_words(error)
    return "" if stat.S_ISREG(mode) or stat.S_ISLNK(mode) else "it is neither a file nor a link"


class _Room:
    """How many photos each class can still spare."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._index = {photo: i for i, photo in enumerate(dataset.photos)}
        self._trains = np.isin(dataset.splits, ["", "train"])
        self._all = Counter(dataset.labels.tolist())
        self._training = Counter(dataset.labels[self._trains].tolist())

    def refuses(self, photo: str) -> str:
        """Why `photo` must stay; empty when it may go, and then it counts as gone."""
        index = self._index.get(photo)
        if index is None:
            return ""  # it cannot be used, so no class loses it
        label = int(self._dataset.labels[index])
        counts = [self._all, self._training] if self._trains[index] else [self._all]
        if any(count[label] <= MIN_PHOTOS_PER_CLASS for count in counts):
            name = quoted(self._dataset.class_names[label])
            return f"the class {name} would be left with fewer than {MIN_PHOTOS_PER_CLASS} photos to train on"
        for count in counts:
            count[label] -= 1
        return ""


def _lies_at(path: Path | None) -> bool:
    return path is not None and os.path.lexists(path)


def _move(root: Path, folder: Path, move: Move) -> None:
    origin, target = inside(root, move.path), _free(folder, move.path)
    if origin is None or target is None:
        raise OSError(errno.ELOOP, "it lies behind a link to another folder")
    record: dict[str, object] = {
        "from": move.path,
        "to": target.relative_to(folder).as_posix(),
        "why": move.reasons,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "sha256": sha256(origin),
        "source": str(root),
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    append_line(folder / LIST, record)
    move_file(origin, target)


def _free(folder: Path, path: str) -> Path | None:
    """A path below `folder` that nothing has yet; None when it would lead elsewhere."""
    wanted = inside(folder, path)
    free, number = wanted, 1
    while wanted is not None and _lies_at(free):
        number += 1
        free = wanted.with_name(f"{wanted.stem} ({number}){wanted.suffix}")
    return free


def _put_back(origin: Path, home: Path | None) -> str:
    """Moves a photo back; or says why it stays."""
    if home is None:
        return "the place where it was is now behind a link to another folder"
    if os.path.lexists(home):
        same = sha256(home) == sha256(origin) != ""
        return "the same file is in its place already" if same else "there is a file of this name again"
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        move_file(origin, home)
    except OSError as error:
        return in_words(error)
    return ""


def _tidy(folder: Path) -> list[str]:
    """Removes what tellapart made, as far as no photo is left; the photos that are left, by name."""
    left = []
    for place, _, files in os.walk(folder, topdown=False):
        below = Path(place)
        for name in files:
            if name.startswith(".") and PARTIAL in name:
                (below / name).unlink(missing_ok=True)  # a copy that never became whole; its original is in place
            elif below != folder or name not in {LIST, README} | LEFT_BY_SYSTEMS:
                left.append((below / name).relative_to(folder).as_posix())
        if below != folder:
            with suppress(OSError):  # not empty
                below.rmdir()
    if not left:
        (folder / README).unlink(missing_ok=True)
        (folder / LIST).unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()
    return sorted(left)


def _readme(source: str) -> bytes:
    return (
        f"These files were moved out of {shown(source)} by: tellapart check --fix\n"
        "Nothing was deleted.\n\n"
        f"{LIST} says of each file where it was, where it is now, why and when it was moved, and its SHA-256.\n\n"
        f"To put everything back:\n  tellapart check {shlex.quote(shown(source))} --undo\n\n"
        "Delete this folder when you are sure that you do not need them.\n"
    ).encode("utf-8", "replace")

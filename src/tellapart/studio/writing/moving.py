"""Labelled photos moved into class folders of the very folder that the studio is on, and back again.

Each move is on the disk as a line of `moved.jsonl` in the studio's folder before it happens, as `check --fix` has it;
a kill at any moment leaves nothing that cannot be put back. Photos are known by their content: the studio knows them
where they are then.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from tellapart.data.layout import Placed
from tellapart.data.meaning.class_names import RESERVED_CLASS_NAMES, normal
from tellapart.data.meaning.split_words import plain_split
from tellapart.errors import InputError
from tellapart.storage.atomic import refuse_unwritable_file, write_file
from tellapart.storage.moves import (
    Record,
    flush,
    in_words,
    inside,
    lies_at,
    move_listed,
    put_back,
    read_list,
    refuse_read_only,
    sha256,
)
from tellapart.studio.heap import known_files, placed_files
from tellapart.studio.state import Mark
from tellapart.studio.writing.layout import Names, safe_name
from tellapart.text import counted, for_shell, quoted, shown, some
from tellapart.timing import Progress

LIST: Final = "moved.jsonl"


class Move(NamedTuple):
    """A file and the folder that it belongs into, both below the source with "/"."""

    path: str
    folder: str
    label: str


class Plan(NamedTuple):
    """What is to be moved, and how many photos lie in class folders that are not theirs and stay there."""

    moves: list[Move]
    n_astray: int


def move_into_classes(source: str, state: Path, marks: Mapping[str, Mark], progress: Progress) -> dict[str, Any]:
    """Move each labelled photo, and its copies, into its class's folder; what lies there already stays.

    Args:
        source: the folder that the studio is on.
        state: the folder where it keeps what it knows.
        marks: what is said of the photos.
        progress: called with (stage, done, total).

    Raises:
        InputError: the source is no folder, photos cannot be moved out of theirs, or the list cannot be written.
    """
    root = _root(source)
    records = read_list(state / LIST)
    _refuse_other_source(records, root, state / LIST)
    planned = plan(source, known_files(state), marks)
    if planned.moves:
        refuse_read_only({(root / move.path).parent for move in planned.moves})
        refuse_unwritable_file(state / LIST)
        (state / LIST).touch()
        flush([state])
    moved, stayed, touched = 0, [], set()
    for done, move in enumerate(planned.moves, start=1):
        name = safe_name(os.path.basename(move.path))
        try:
            pair = move_listed(
                state / LIST, (root, move.path), (root, f"{move.folder}/{name}"), [f"class {move.label}"]
            )
        except OSError as error:
            stayed.append(f"{quoted(move.path)} ({in_words(error)})")
        else:
            moved += 1
            touched |= {path.parent for path in pair}
        progress("moving photos", done, len(planned.moves))
    flush(touched)
    _remove_empty(root, touched)
    whole = not planned.n_astray and not stayed
    return {
        "path": shown(str(root)),
        "n_photos": moved,
        "notes": list(_notes(planned, stayed)),
        "command": f"tellapart train {for_shell(source)} -o my-model" if whole else "",
    }


def move_back(source: str, state: Path, progress: Progress) -> dict[str, Any]:
    """Put everything back that was moved and is as it was; nothing is overwritten.

    Args:
        source: as for `move_into_classes`.
        state: as for `move_into_classes`.
        progress: called with (stage, done, total).

    Raises:
        InputError: the source is no folder, or its list cannot be read or is another's.
    """
    root = _root(source)
    records = read_list(state / LIST)
    _refuse_other_source(records, root, state / LIST)
    back, kept, stays, touched = 0, [], [], set()
    for done, record in enumerate(reversed(records), start=1):  # what was moved twice goes back in two steps
        origin, home = inside(root, record.held), inside(root, record.home)
        progress("putting photos back", done, len(records))
        if origin is None or not lies_at(origin):
            continue
        problem = "it is another file now" if record.sha256 != sha256(origin) else put_back(origin, home)
        if problem:
            kept.append(record)
            stays.append(f"{quoted(record.held)}: {problem}")
        else:
            back += 1
            touched |= {origin.parent, (root / record.home).parent}
    flush(touched)
    _remove_empty(root, touched)
    _keep(state / LIST, list(reversed(kept)))
    notes = [f"{counted(len(stays), 'photo')} stay where they are. {some(stays)}."] if stays else []
    return {"path": shown(str(root)), "n_photos": back, "notes": notes, "command": ""}


def n_moved(source: str, state: Path) -> int:
    """How many files can be put back."""
    if not os.path.isdir(source):
        return 0
    root = Path(os.path.realpath(source))
    with suppress(InputError):
        return sum(lies_at(inside(root, record.held)) for record in read_list(state / LIST))
    return 0


def plan(source: str, known: Mapping[str, str], marks: Mapping[str, Mark]) -> Plan:
    """What `move_into_classes` would move; nothing is changed.

    Args:
        source: the folder.
        known: {place: identity} of its files.
        marks: what is said of each identity.

    Raises:
        InputError: the source cannot be read.
    """
    files = [file for file in placed_files(source)[0] if not file.reason]
    has_split = any(file.split for file in files)
    homes = _Homes(source, files)
    moves, n_astray = [], 0
    for file in sorted(files):
        mark = marks.get(known.get(file.place, ""), Mark())
        if not mark.label or mark.out:
            n_astray += bool(file.class_name) and file.class_name.casefold() not in RESERVED_CLASS_NAMES
        elif file.class_name != mark.label:
            folder = homes.of(file.split or ("train" if has_split else ""), mark.label)
            moves.append(Move(_below(source, file.place), folder, mark.label))
    return Plan(moves, n_astray)


class _Homes:
    """Where the folders of classes are, or should be, below a source.

    Args:
        source: the folder.
        files: those in it, as its folders place them.
    """

    def __init__(self, source: str, files: Sequence[Placed]) -> None:
        self._known: dict[tuple[str, str], tuple[list[str], int]] = {}  # the folder's parts, and which is the class
        self._there = frozenset(os.listdir(source))
        self._names = Names(self._there)
        self._new: dict[str, str] = {}
        for file in files:
            parts = _below(source, file.place).split("/")[:-1]
            at = next((n for n, part in enumerate(parts) if file.class_name and normal(part) == file.class_name), -1)
            if at >= 0 and (file.split, file.class_name) not in self._known:
                of_split = [n for n, part in enumerate(parts) if file.split and plain_split(part) == file.split]
                self._known[file.split, file.class_name] = parts[: max([at, *of_split[:1]]) + 1], at

    def of(self, split: str, label: str) -> str:
        """The folder of a class in a part, below the source with "/"."""
        if (split, label) in self._known:
            return "/".join(self._known[split, label][0])
        if label not in self._new:  # one name in every part
            beside = [parts[at] for (_, name), (parts, at) in self._known.items() if name == label]
            wanted = beside[0] if beside else safe_name(label)
            free = bool(beside) or (wanted == label and wanted in self._there)  # an empty folder of the class
            self._new[label] = wanted if free else self._names.take(wanted)
        for (other, _), (parts, at) in self._known.items():
            if other == split:
                return "/".join([*parts[:at], self._new[label], *parts[at + 1 :]])
        return "/".join(filter(None, (split, self._new[label])))


def _root(source: str) -> Path:
    if not os.path.isdir(source):
        raise InputError(
            f"{quoted(shown(source))} is a list of photos, which may lie anywhere, so none of them is moved.",
            hint="Copy them into class folders instead.",
        )
    return Path(os.path.realpath(source))


def _refuse_other_source(records: Sequence[Record], root: Path, path: Path) -> None:
    """A source that is no longer there was renamed, and what was moved in it has gone with it."""
    for other in {record.source for record in records} - {str(root)}:
        if "\0" not in other and os.path.isdir(other):
            raise InputError(f"{quoted(str(path))} is about {quoted(other)}.", hint="Move that file away.")


def _below(source: str, place: str) -> str:
    return os.path.relpath(place, source).replace(os.sep, "/")


def _keep(path: Path, records: Sequence[Record]) -> None:
    """Make the list say these, or be gone."""
    if not records:
        path.unlink(missing_ok=True)
        return
    lines = (
        {"from": one.home, "to": one.held, "why": one.why, "when": _now(), "sha256": one.sha256, "source": one.source}
        for one in records
    )
    write_file(path, "".join(json.dumps(line) + "\n" for line in lines).encode())


def _remove_empty(root: Path, folders: set[Path]) -> None:
    """Remove those folders below the root that nothing is in any more: they would be classes without photos."""
    for folder in folders:
        while folder != root and folder.is_relative_to(root):
            try:
                folder.rmdir()
            except OSError:
                break
            folder = folder.parent  # noqa: PLW2901  # the next one up


def _notes(planned: Plan, stayed: Sequence[str]) -> Iterator[str]:
    if stayed:
        yield f"{counted(len(stayed), 'photo')} could not be moved: {some(stayed)}."
    if planned.n_astray:
        yield (
            f"{counted(planned.n_astray, 'photo')} without a label, or left out, stay in class folders: train on "
            "photos.csv, not on the folder."
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

"""Suspect photos out of the dataset, and back again: moved into a folder beside it, never deleted.

    quarantine   moves what `removal.plan` says
    held         what lies in the quarantine now
    taken_out    what was moved and is not back, whether or not it lies there still
    undo         moves everything back

Every move is on disk as a line of `moved.jsonl` before it happens, and where a photo is now is asked of the file
system, never of the list. So a kill at any moment leaves nothing that `undo` cannot put back: a line whose file is not
in the quarantine is a move that did not happen. Between two file systems a move is a copy, checked by its hash, and
only then the original goes; a kill between the two leaves both.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tellapart.checks.finding import Finding
from tellapart.checks.removal import LIST, Kept, Quarantined, places, plan, refuse_other_source
from tellapart.data.source import Dataset
from tellapart.errors import InputError
from tellapart.storage.atomic import LEFT_BY_SYSTEMS, refuse_unwritable_file, write_file
from tellapart.storage.moves import (
    PARTIAL,
    Record,
    flush,
    in_words,
    inside,
    lies_at,
    move_listed,
    put_back,
    read_list,
    refuse_read_only,
)
from tellapart.text import for_shell, shown
from tellapart.timing import Progress, no_progress

README = "README.txt"


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


def quarantine(
    dataset: Dataset,
    findings: Sequence[Finding],
    folder: str | os.PathLike[str] | None = None,
    *,
    progress: Progress = no_progress,
) -> Quarantined:
    """Move the suspects of `findings` out of the dataset's folder, and write down how to undo it.

    A second run adds to the first. Where a folder may not be written to, nothing moves at all. A photo that cannot be
    moved for another reason stays, with the reason; so may any number of them. A link is moved itself, never what it
    leads to.

    Args:
        dataset: as for `plan`.
        findings: as for `plan`.
        folder: the quarantine; beside the source by default.
        progress: called with (stage, done, total).

    Raises:
        InputError: as for `plan`, or the quarantine or a folder that photos would leave cannot be written.
    """
    planned = plan(dataset, findings, folder)
    if not planned.moves:
        return Quarantined(planned.folder, (), planned.kept)
    root = Path(os.path.realpath(dataset.source))
    refuse_read_only({(root / move.path).parent for move in planned.moves})
    refuse_unwritable_file(planned.folder / LIST)
    (planned.folder / LIST).touch()
    flush([planned.folder])
    write_file(planned.folder / README, _readme(os.path.abspath(dataset.source)))
    moved, kept = [], list(planned.kept)
    for done, move in enumerate(planned.moves, start=1):
        try:
            move_listed(planned.folder / LIST, (root, move.path), (planned.folder, move.path), why=move.reasons)
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
    root, folder = places(source, folder)
    records = read_list(folder / LIST)
    refuse_other_source(records, root, folder)
    return tuple(record.home for record in records if lies_at(inside(folder, record.held)))


def taken_out(source: str | os.PathLike[str], folder: str | os.PathLike[str] | None = None) -> tuple[Record, ...]:
    """What was moved out of `source` and is not back, first moves first; a photo deleted from the quarantine counts.

    Nothing is known, and nothing refused, where the source is no folder or the list cannot be read or is another's.
    """
    try:
        root, folder = places(source, folder)
        records = read_list(folder / LIST)
        refuse_other_source(records, root, folder)
    except InputError:
        return ()
    return tuple(record for record in records if not lies_at(inside(root, record.home)))


def undo(source: str | os.PathLike[str], folder: str | os.PathLike[str] | None = None) -> Restored:
    """Put everything in the quarantine back where it was below `source`.

    Nothing is overwritten: where a file has appeared meanwhile, the photo stays in the quarantine. The quarantine's
    folder goes when nothing is left in it but what tellapart wrote there.

    Raises:
        InputError: `source` is no folder, or the quarantine belongs to another one.
    """
    root, folder = places(source, folder)
    if not (folder / LIST).is_file():
        return Restored(folder, (), ())
    records = read_list(folder / LIST)
    refuse_other_source(records, root, folder)
    paths: list[str] = []
    kept: dict[str, str] = {}
    for record in reversed(records):  # of two photos that had one name, the later one was there last
        origin, home = inside(folder, record.held), inside(root, record.home)
        if origin is None or not lies_at(origin):
            continue
        problem = put_back(origin, home)
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
        f"To put everything back:\n  tellapart check {for_shell(source)} --undo\n\n"
        "Delete the photos here when you are sure that you do not need them. As long as the list is here,\n"
        "tellapart train says what was taken out of the test.\n"
    ).encode("utf-8", "replace")

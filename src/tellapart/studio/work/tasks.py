"""What the child can be asked for, by name."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from tellapart.errors import InputError
from tellapart.studio.journal import NAME as JOURNAL
from tellapart.studio.work.desk import Desk
from tellapart.studio.work.doubts import doubts
from tellapart.studio.writing.copying import write_folders, write_zip
from tellapart.studio.writing.moving import move_back, move_into_classes
from tellapart.timing import Progress

# Given the desk, what was asked, and whom to tell how it goes on; what comes back is JSON.
Task = Callable[[Desk, Mapping[str, Any], Progress], Any]


def read(desk: Desk, _: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Read every photo, so that all else is quick."""
    seen = desk.seen(progress)
    return {"n_photos": len(seen.photos), "unreadable": list(seen.unreadable.items())}


def copy_out(desk: Desk, asked: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Copy the labelled photos into class folders of a new folder."""
    return write_folders(_out(asked), desk.source, desk.heap, desk.state.marks, progress)


def zip_out(desk: Desk, asked: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Write the labelled photos, their table and the journal as a zip."""
    return write_zip(_out(asked), desk.source, desk.heap, desk.state.marks, desk.folder / JOURNAL, progress)


def move(desk: Desk, _: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Move the labelled photos into the folders of their classes."""
    return move_into_classes(desk.source, desk.folder, desk.state.marks, progress)


def unmove(desk: Desk, _: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Put back what was moved."""
    return move_back(desk.source, desk.folder, progress)


def _out(asked: Mapping[str, Any]) -> str:
    out = asked.get("out")
    if not isinstance(out, str):
        raise InputError("The page does not say where to write it.", hint="Reload the page.")
    return out


TASKS: Final[Mapping[str, Task]] = {
    "read": read,
    "doubts": doubts,
    "copy_out": copy_out,
    "zip_out": zip_out,
    "move": move,
    "unmove": unmove,
}

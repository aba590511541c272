"""What was said, written for others: copies in class folders, a zip, photos moved into order and back."""

from collections.abc import Mapping
from typing import Any

from tellapart.errors import InputError
from tellapart.studio.draw import groups_of, splits_of
from tellapart.studio.journal import NAME as JOURNAL
from tellapart.studio.work.desk import Desk
from tellapart.studio.work.stacks import draw_on
from tellapart.studio.writing.copying import write_folders, write_zip
from tellapart.studio.writing.moving import move_back, move_into_classes
from tellapart.timing import Progress


def copy_out(desk: Desk, asked: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Copy the labelled photos into class folders of a new folder."""
    out, marks, draw = _out(asked), desk.state.marks, draw_on(desk, progress)
    groups, splits = groups_of(desk.heap, draw), splits_of(marks, draw)
    return write_folders(out, desk.source, desk.heap, marks, progress, groups=groups, splits=splits)


def zip_out(desk: Desk, asked: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Write the labelled photos, their table and the journal as a zip."""
    out, marks, draw = _out(asked), desk.state.marks, draw_on(desk, progress)
    groups, splits = groups_of(desk.heap, draw), splits_of(marks, draw)
    return write_zip(out, desk.source, desk.heap, marks, desk.folder / JOURNAL, progress, groups=groups, splits=splits)


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

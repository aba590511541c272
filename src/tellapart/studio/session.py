"""One studio at work: its photos, its journal, and what its page is told."""

import os
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from tellapart.storage.atomic import write_file
from tellapart.studio.actions import ENOUGH_FOR_OTHER, line_for
from tellapart.studio.heap import Heap, Photo, Progress, read_heap
from tellapart.studio.journal import Journal
from tellapart.studio.state import FOUND, Line, Mark, Side
from tellapart.studio.table import NAME as TABLE
from tellapart.studio.table import label_file
from tellapart.text import counted, for_shell, shown

FOUND_AT_ONCE = 1_000  # photos of one line, so that a kill in between loses little


class Session:
    """What holds now; every change is in the journal first.

    Args:
        source: what the person named.
        folder: where the journal is.
        journal: open.
        beside: whether it lies beside the photos, where a person looks for it.

    Attributes:
        groups: {photo id: the name of its group}, where that is not what the source says.
        splits: {photo id: train, val, test or crossed}, where that is not what the source says.
    """

    def __init__(self, source: str, folder: Path, journal: Journal, *, beside: bool) -> None:
        self.source = source
        self.folder = folder
        self.journal = journal
        self.beside = beside
        self.heap = Heap((), (), (), ())
        self.by_id: dict[str, Photo] = {}
        self.groups: Mapping[str, str] = {}
        self.splits: Mapping[str, str] = {}
        self._turn = Lock()  # one line after the other, whatever becomes of who asked

    def look(self, progress: Progress | None = None) -> int:
        """Read the source (again); how many photos were not known before.

        Raises:
            InputError: it cannot be read, or what was found cannot be saved.
        """
        heap = read_heap(self.source, self.folder, progress)
        with self._turn:
            return self._take(heap)

    def _take(self, heap: Heap) -> int:
        state = self.journal.state
        classes = [*state.classes] if state.lines else [*heap.class_names]
        new = [photo for photo in heap.photos if photo.id not in state.marks]
        for start in range(0, len(new), FOUND_AT_ONCE) or ([0] if classes and not state.lines else []):
            part = new[start : start + FOUND_AT_ONCE]
            classes += sorted({photo.label for photo in part} - {"", *classes})
            marks = {photo.id: Mark(photo.label, none=photo.none) for photo in part}
            same = tuple(classes) == state.classes
            before = Side({}, None if same else state.classes)
            self.journal.add(Line(FOUND, before, Side(marks, None if same else tuple(classes))))
        self.heap = heap
        self.by_id = {photo.id: photo for photo in heap.photos}
        return len(new)

    def do(self, asked: Mapping[str, Any]) -> None:
        """Do what a page asks for; it is on the disk when this returns.

        Raises:
            InputError: it cannot be done, or not be saved.
        """
        with self._turn:
            line = line_for(self.journal.state, asked)
            if line is not None:
                self.journal.add(line)

    @property
    def n_lines(self) -> int:
        """How many lines the journal has."""
        return len(self.journal.state.lines)

    def write(self) -> dict[str, Any]:
        """Write what was said as a label file; where it is, what is in it, and the command that trains on it.

        Raises:
            InputError: no photo has a label, or it cannot be written.
        """
        with self._turn:
            written = label_file(self.heap.photos, self.journal.state.marks, self.groups, self.splits)
        path = self.folder / TABLE
        write_file(path, written.content)
        return {
            "path": shown(str(path)),
            "n_photos": written.n_photos,
            "left": written.left,
            "command": f"tellapart train {for_shell(str(path))} -o my-model",
        }

    def described(self) -> str:
        """How much there is, in a sentence."""
        marks = [self.journal.state.marks[photo.id] for photo in self.heap.photos]
        n_labelled = sum(bool(mark.label or mark.none) for mark in marks)
        unusable = f" {counted(len(self.heap.unusable), 'file')} cannot be used." if self.heap.unusable else ""
        return f"{counted(len(marks), 'photo')}, {n_labelled:,} of them labelled.{unusable} Kept in {self.folder}."

    def whole(self) -> dict[str, Any]:
        """All that a page shows."""
        marks = self.journal.state.marks
        photos = [
            [photo.id, photo.name, photo.modified_s, photo.split, photo.n_files, *_told(marks[photo.id])]
            for photo in self.heap.photos
        ]
        return {
            **self._common(),
            "name": shown(os.path.basename(os.path.abspath(self.source))),
            "kept_in": shown(str(self.folder)),
            "beside": self.beside,
            "photos": photos,
            "notes": list(self.heap.notes),
            "unusable": [list(pair) for pair in self.heap.unusable],
            "enough_for_other": ENOUGH_FOR_OTHER,
        }

    def changes(self, n_lines: int) -> dict[str, Any]:
        """What the lines from number `n_lines` on have changed."""
        state = self.journal.state
        touched = state.touched_since(max(n_lines, 0))
        photos = {photo: _told(state.marks[photo]) for photo in touched if photo in self.by_id}
        return {**self._common(), "photos": photos}

    def _common(self) -> dict[str, Any]:
        state = self.journal.state
        undo, redo = (state.lines[at[-1]].do if at else None for at in (state.done, state.undone))
        return {"n": len(state.lines), "classes": list(state.classes), "undo": undo, "redo": redo}


def _told(mark: Mark) -> list[Any]:
    return [mark.label, mark.none, mark.out, list(mark.right), mark.by, mark.stack]

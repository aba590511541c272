"""One studio at work: its photos, its journal, and what its page is told."""

import os
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from operator import is_
from pathlib import Path
from threading import Lock
from typing import Any

from tellapart.errors import InputError
from tellapart.server.shell.problem import as_json
from tellapart.storage.atomic import write_file
from tellapart.studio.actions import ENOUGH_FOR_OTHER, line_for
from tellapart.studio.collected import demo_photos, keep
from tellapart.studio.draw import Draw, draw_of, firsts_of, groups_of, splits_of
from tellapart.studio.handed import GONE, Batch, Words, added, by_folders, told_of
from tellapart.studio.heap import Heap, Photo, Progress, identity, is_collected, read_heap
from tellapart.studio.journal import Journal
from tellapart.studio.labels_in.reading import read_labels
from tellapart.studio.labels_in.taking import Effect, match
from tellapart.studio.state import ADD, DRAWN, FOUND, REDO, UNDO, Line, Mark, Side, state_of
from tellapart.studio.table import NAME as TABLE
from tellapart.studio.table import label_file, older_table
from tellapart.text import counted, for_shell, shown

FOUND_AT_ONCE = 1_000  # photos of one line, so that a kill in between loses little
UNSAID = Mark()  # most of 50,000 photos, and told at once they are the first screen's time
TOLD_OF_UNSAID = ["", False, False, [], "", "", False, False]


class Session:
    """What holds now; every change is in the journal first.

    Args:
        source: what the person named.
        folder: where the journal is.
        journal: open.
        beside: whether it lies beside the photos, where a person looks for it.
    """

    def __init__(self, source: str, folder: Path, journal: Journal, *, beside: bool) -> None:
        self.source = source
        self.folder = folder
        self.journal = journal
        self.beside = beside
        self.heap = Heap((), (), (), ())  # without those that were handed over, and taken back
        self.by_id: dict[str, Photo] = {}  # with them
        self._found = self.heap  # with them, and all that was found
        self._arrived: dict[str, Path] = {}  # handed over since
        self._first: Mapping[str, str] = {}  # of the scene of a photo, once the photos were read
        self._first_known = False
        self._draw: Draw | None = None
        self._sent: tuple[tuple[object, ...], bytes] | None = None
        self._reading = Lock()  # what was read of the source later is shown later
        self._turn = Lock()  # one line after the other, whatever becomes of who asked

    def look(self, progress: Progress | None = None) -> int:
        """Read the source (again); how many photos were not known before.

        Raises:
            InputError: it cannot be read, or what was found cannot be saved.
        """
        with self._reading:
            heap = read_heap(self.source, self.folder, progress)
            with self._turn:
                n_new = self._find(heap)
                self._arrived.clear()
                self._show(heap)
                return n_new

    def _find(self, heap: Heap, but: Set[str] = frozenset()) -> int:
        """Write down which photos of the heap were not known before, but those in `but`; how many.

        Those that were handed to a page which was closed before all had come are one action, as a batch is.
        """
        state = self.journal.state
        classes = [*state.classes] if state.lines else [*heap.class_names]
        unknown = [photo for photo in heap.photos if photo.id not in but and self._is_new(photo)]
        handed = [photo.id for photo in unknown if is_collected(photo, self.folder)]
        new = [photo for photo in unknown if not is_collected(photo, self.folder)]
        for start in range(0, len(new), FOUND_AT_ONCE) or ([0] if classes and not state.lines else []):
            part = new[start : start + FOUND_AT_ONCE]
            classes += sorted({photo.label for photo in part} - {"", *classes})
            marks = {photo.id: Mark(photo.label, none=photo.none) for photo in part}
            same = tuple(classes) == state.classes
            before = Side({}, None if same else state.classes)
            self.journal.add(Line(FOUND, before, Side(marks, None if same else tuple(classes))))
        if handed:
            self.journal.add(Line(ADD, Side(dict.fromkeys(handed, GONE)), Side(dict.fromkeys(handed, UNSAID))))
        return len(unknown)

    def _is_new(self, photo: Photo) -> bool:
        """Whether nothing is known of it; or it was taken back once, and now lies in the source itself."""
        mark = self.journal.state.marks.get(photo.id)
        return mark is None or (mark.gone and not is_collected(photo, self.folder))

    def _is_gone(self, photo: Photo) -> bool:
        return self.journal.state.marks[photo.id].gone and is_collected(photo, self.folder)

    def _show(self, found: Heap) -> None:
        """From now on the photos are those of `found`, but for what nothing is known of, and what was taken back."""
        known = [photo for photo in found.photos if photo.id in self.journal.state.marks]
        here = tuple(photo for photo in known if not self._is_gone(photo))
        if {photo.id for photo in here} != {photo.id for photo in self.heap.photos}:
            self._first_known = False  # what is new has no stack yet
        self.by_id = {photo.id: photo for photo in known}  # first: who sees the heap sees these
        self._found, self.heap, self._draw = found, replace(found, photos=here), None

    @property
    def draw(self) -> Draw:
        """Which photos are for the test; before the photos were read, what was written down of it."""
        if (draw := self._draw) is None:
            state, heap = self.journal.state, self.heap
            fixed = state.drawn if self._first_known else {**dict.fromkeys(state.marks, False), **state.drawn}
            draw = draw_of(heap.photos, state.marks, self._first, fixed, self.journal.seed)
            if heap is self.heap:  # else another thread shows other photos by now
                self._draw = draw
        return draw

    @property
    def read(self) -> bool:
        """Whether the photos were read, so that it is known what is a stack."""
        return self._first_known

    def drew(self, found: Sequence[Sequence[str]]) -> None:
        """The photos were read, and show these stacks: what chance makes of them is written down.

        Raises:
            InputError: it cannot be saved.
        """
        with self._turn:
            self._first, self._first_known, self._draw = firsts_of(found), True, None
            draw, state = self.draw, self.journal.state
            new = [photo.id for photo in self.heap.photos if photo.id not in state.drawn]
            if new and not draw.own:
                drawn = {photo: photo in draw.tests for photo in new}
                self.journal.add(Line(DRAWN, Side(), Side(), drawn=drawn))
                self._draw = None

    def do(self, asked: Mapping[str, Any]) -> int:
        """Do what a page asks for; it is on the disk when this returns. How many photos were left as they are.

        What one word is said of at once leaves out the photos of the test: each takes a look of its own.

        Raises:
            InputError: it cannot be done, or not be saved.
        """
        with self._turn:
            photos = asked.get("photos")
            n_left, asked = 0, dict(asked)
            if asked.get("do") in ("label", "none") and isinstance(photos, list):
                named = [photo for photo in photos if isinstance(photo, str)]
                kept = self._sayable(named, by=str(asked.get("by", "")))
                n_left = len(named) - len(kept)
                if n_left and not kept:
                    return n_left
                if n_left:
                    asked["photos"] = kept
                elif any(photo in self.draw.tests for photo in named):
                    asked.pop("by", None)  # chance chose them
            line = line_for(self.journal.state, asked)
            if line is not None:
                self.journal.add(line)
                if line.do in ("split", "join", UNDO, REDO):
                    self._draw = None
                if line.of is not None and self.journal.state.lines[line.of].do == ADD:
                    self._find(self._found, but={*self._arrived.copy()})  # one may lie in the source, too
                    self._show(self._found)
            return n_left

    def _sayable(self, photos: Sequence[str], *, by: str) -> list[str]:
        if by == "strip" and not self.draw.own:
            return [photo for photo in photos if photo not in self.draw.tests]
        return self.draw.without_tests(photos)

    def keep(self, content: bytes, name: str) -> dict[str, Any]:
        """Store a photo that was handed over; what it is known by, and whether it is here already.

        It is shown once `add` has said so; without that, when the source is looked at again.

        Raises:
            InputError: it cannot be stored.
        """
        photo = identity(content)
        there = self.by_id.get(photo)
        place = Path(there.place) if there else self._arrived.get(photo)
        if place is None or not place.exists():
            self._arrived[photo] = keep(self.folder, name, content, photo)
        return {"photo": photo, "known": there is not None and not self._is_gone(there)}

    def add(self, batch: Batch) -> dict[str, Any]:
        """Make photos that were handed over photos of the studio, as one action; what a page is told of it.

        Raises:
            InputError: a class cannot be called so, or it cannot be saved.
        """
        words = by_folders(batch.paths) if batch.by_folder and not batch.label else Words({})
        with self._reading:
            heap = read_heap(self.source, self.folder)
            return self._add(batch, words, heap)

    def _add(self, batch: Batch, words: Words, heap: Heap) -> dict[str, Any]:
        with self._turn:
            own = {photo.id for photo in heap.photos if photo.id in batch.paths and is_collected(photo, self.folder)}
            there = {photo.id for photo in heap.photos}
            here = {photo: path for photo, path in batch.paths.items() if photo in there}
            batch, kept = replace(batch, paths=here), {*here} - {*self.draw.without_tests([*here])}
            if any(photo in self.draw.tests for photo in here):
                batch = replace(batch, by="")  # chance chose them
            self._find(heap, but={*own, *self._arrived.copy()})
            line = added(self.journal.state, batch, words, own, kept)
            if line is not None:
                self.journal.add(line)
            for photo in here:
                self._arrived.pop(photo, None)
            self._show(heap)
        return told_of(self.journal.state, batch, words, line)

    def keep_demo(self) -> int:
        """Store the photos that come with tellapart, without their classes; how many.

        Raises:
            InputError: there are photos already, or they cannot be stored.
        """
        if self.heap.photos:
            raise InputError(
                "There are photos already.", hint="For a first look, begin anew: tellapart studio new-folder"
            )
        photos = demo_photos()
        kept = [self.keep(content, f"demo-{number:02}.jpg")["photo"] for number, content in enumerate(photos, start=1)]
        self.add(Batch(dict.fromkeys(kept, ""), frozenset(kept)))
        return len(photos)

    def labels(self, content: bytes, name: str, how: str, folder: str = "") -> dict[str, Any]:
        """Take the labels in a file, or look at what taking them would do.

        Args:
            content: of the file.
            name: how the person called it.
            how: "look"; "new", only to photos without a label; or "all", also in the place of other labels.
            folder: where the file lies, and its relative paths begin; "" where that is not known.

        Raises:
            InputError: it has no labels that can be understood, or they cannot be saved.
        """
        heap = self.heap
        matched = match(read_labels(content, name), name, heap.photos, self.journal.state.classes, folder)
        with self._turn:
            effect = Effect(self.journal.state, matched)
            line = effect.line(replacing=how == "all") if how in ("new", "all") else None
            if line is not None:
                self.journal.add(line)
        return effect.told()

    @property
    def n_lines(self) -> int:
        """How many lines the journal has."""
        return len(self.journal.state.lines)

    def _marks(self, n_lines: int | None) -> Mapping[str, Mark]:
        """What was said of each photo; after so many lines, or now."""
        state = self.journal.state
        if n_lines is None:
            return state.marks
        return {**dict.fromkeys(state.marks, Mark()), **state_of(state.lines[:n_lines]).marks}

    def write(self, n_lines: int | None = None) -> dict[str, Any]:
        """Write what was said as a label file; where it is, what is in it, and the command that trains on it.

        Args:
            n_lines: what was said after so many lines of the journal, into a file of its own; None for what holds now.

        Raises:
            InputError: no photo has a label, or it cannot be written.
        """
        with self._turn:
            marks = self._marks(n_lines)
            groups = groups_of(self.heap.photos, self.draw)
            splits = splits_of(marks, self.draw) if self._first_known or self.journal.state.drawn else {}
            written = label_file(self.heap.photos, marks, groups, splits)
        path = self.folder / (TABLE if n_lines is None else older_table(n_lines))
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
            [photo.id, photo.name, photo.modified_s, photo.split, photo.n_files, *self._told(photo, marks)]
            for photo in self.by_id.values()
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

    def whole_as_sent(self) -> bytes:
        """`whole` as JSON, made anew only where something has changed: of 50,000 photos it takes 0.2 s."""
        if self._sent is None or not all(map(is_, self._sent[0], self._shown_by())):
            by, content = self._shown_by(), as_json(self.whole())
            self._sent = by, content
        return self._sent[1]

    def _shown_by(self) -> tuple[object, ...]:
        """What decides what a page is shown; where each is the same object, so is that."""
        lines = self.journal.state.lines
        return lines[-1] if lines else None, self.heap, self.draw

    def changes(self, n_lines: int) -> dict[str, Any]:
        """What the lines from number `n_lines` on have changed."""
        state = self.journal.state
        touched = state.touched_since(max(n_lines, 0))
        photos = {photo: self._told(self.by_id[photo], state.marks) for photo in touched if photo in self.by_id}
        return {**self._common(), "photos": photos, "n_photos": len(self.by_id)}

    def _common(self) -> dict[str, Any]:
        state = self.journal.state
        undo, redo = (state.lines[at[-1]].do if at else None for at in (state.done, state.undone))
        return {"n": len(state.lines), "classes": list(state.classes), "undo": undo, "redo": redo}

    def _told(self, photo: Photo, marks: Mapping[str, Mark]) -> list[Any]:
        """What a page may know of a photo: that it is for the test only once it has a word."""
        mark = marks[photo.id]
        if mark == UNSAID:
            return TOLD_OF_UNSAID
        test = photo.id in self.draw.tests and bool(mark.label or mark.none)
        gone = self._is_gone(photo)
        return [mark.label, mark.none, mark.out, list(mark.right), mark.by, mark.stack, test, gone]

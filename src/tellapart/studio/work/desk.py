"""What the child of a studio has at hand: the photos, what was said of them, and how the network sees them."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tellapart.data import photo as photo_files
from tellapart.data.duplicates import Duplicates
from tellapart.features.copies import Looks, find_copies
from tellapart.features.extract import Extractor, bundled_extractor
from tellapart.recipe import Reading
from tellapart.studio.heap import Photo
from tellapart.studio.journal import NAME, Follower
from tellapart.studio.state import State
from tellapart.studio.work.versions import Version, read_versions
from tellapart.timing import Progress

READING: Final = Reading()  # as `train` reads photos unless told otherwise


@dataclass(frozen=True)
class Seen:
    """The N readable photos of a heap, as the network sees them.

    Args:
        photos: (N,) of them.
        values: (N, D) float32 features, memory-mapped.
        pixel_hashes: (N,) equal ones look exactly the same to the network.
        pictures: (N, SIDE_PX, SIDE_PX) uint8, small and grey; copies are found by them.
        unreadable: {identity: why a photo cannot be read}.
        looks: what pairs of them looked like that were asked about.
    """

    photos: tuple[Photo, ...]
    values: NDArray[np.float32]
    pixel_hashes: NDArray[np.bytes_]
    pictures: NDArray[np.uint8]
    unreadable: Mapping[str, str]
    looks: Looks

    @cached_property
    def row(self) -> dict[str, int]:
        """{identity: its row}."""
        return {photo.id: row for row, photo in enumerate(self.photos)}

    @cached_property
    def duplicates(self) -> Duplicates:
        """Copies among all photos of the heap, labelled or not, and which of them show one scene."""
        return find_copies(self.values, self.pictures, self.pixel_hashes, self.looks)


@dataclass(frozen=True)
class _Files:
    """The photos of a heap as an extractor reads them."""

    photos: Sequence[Photo]

    @property
    def n(self) -> int:
        return len(self.photos)

    def read(self, index: int) -> bytes:
        """The bytes of a photo; raises PhotoError."""
        return photo_files.read(self.photos[index].place)


class Desk:
    """Everything that a task needs. To be used as a context.

    Args:
        folder: where the studio's journal is; it is followed, never written to.
        source: what the person named.

    Attributes:
        looks: what pairs of photos looked like that were asked about before.
        tell_first: called with what of a task's result is known before the rest.
    """

    def __init__(self, folder: Path, source: str) -> None:
        self.folder = folder
        self.source = source
        self.heap: tuple[Photo, ...] = ()
        self._follower = Follower(folder / NAME)
        self._stack = ExitStack()
        self._extractor: Extractor | None = None
        self._seen: Seen | None = None
        self._kept: dict[str, tuple[object, Any]] = {}
        self.at_hand: object = None  # what the last score rests on, for `score`
        self._versions: list[Version] | None = None
        self.looks = Looks()
        self.tell_first: Callable[[Mapping[str, Any]], None] = lambda _: None

    def __enter__(self) -> "Desk":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def take(self, heap: Sequence[Sequence[Any]] | None) -> None:
        """Take the photos of the studio where they are others than before, and what was said of them since."""
        if heap is not None:
            self.heap = tuple(Photo(*row) for row in heap)
            self._seen = None
        self._follower.catch_up()

    @property
    def state(self) -> State:
        """What is said of the photos."""
        return self._follower.state

    @property
    def seed(self) -> str:
        """Of the journal: what is drawn by chance is drawn by it."""
        return self._follower.seed

    def kept(self, what: str, mark: object, make: Callable[[], Any]) -> Any:
        """What is costly to make, made anew only where its `mark` is another than before."""
        before = self._kept.get(what)
        if before is None or before[0] != mark:
            before = self._kept[what] = mark, make()
        return before[1]

    @property
    def versions(self) -> list[Version]:
        """Of the score, as they are kept; who keeps another one adds it here."""
        if self._versions is None:
            self._versions = read_versions(self.folder)
        return self._versions

    @property
    def extractor(self) -> Extractor:
        """What makes features, and remembers them between runs."""
        if self._extractor is None:
            self._extractor = self._stack.enter_context(bundled_extractor(READING.quality, READING.resize_mode))
        return self._extractor

    def seen(self, progress: Progress) -> Seen:
        """Every photo of the heap through the network; those that were read before come from the cache."""
        if self._seen is None:
            features = self.extractor.extract(_Files(self.heap), progress=progress)
            use = features.usable
            whole = len(use) == len(self.heap)
            values, hashes, pictures = features.values, features.pixel_hashes, features.pictures
            self._seen = Seen(
                photos=tuple(self.heap[i] for i in use),
                values=values if whole else values[use],
                pixel_hashes=hashes if whole else hashes[use],
                pictures=pictures if whole else pictures[use],
                unreadable={self.heap[i].id: error.message for i, error in sorted(features.errors.items())},
                looks=self.looks,
            )
        return self._seen

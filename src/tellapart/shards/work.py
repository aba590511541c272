"""What is handed to other processes so that they make shards: plain values, and what answers to them.

Whoever hands out work knows no photos and no networks. A job says how to begin, once, and opens in each process
something that makes one shard at a time. Only numbers come back.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from tellapart.data.remote.place import Place


class Begun(NamedTuple):
    """What there is to do; it says nothing of single photos, so it stays small.

    Args:
        waiting: the shards that are to be made, ascending.
        sizes: photos in every shard, by its number.
        locks: the file of locks, by an absolute path or an address.
        changed: files that are in the source now and not in the list, or the other way round.
        mark: names the folder of shards; a process that sees another one under its path is told by it.
    """

    waiting: tuple[int, ...]
    sizes: tuple[int, ...]
    locks: Place
    changed: int
    mark: str


@dataclass(frozen=True)
class Embedded:
    """What a run did.

    Args:
        made: shards that it wrote.
        photos: in them.
        changed: files that are in the source now and not in the list, or the other way round.
    """

    made: int
    photos: int
    changed: int


class Maker(Protocol):
    """Makes shards in one process, which has everything ready for it."""

    def place(self, shard: int) -> Place:
        """The file of a shard."""

    def is_done(self, shard: int) -> bool:
        """Whether a shard need not be made any more."""

    def make(self, shard: int, tell: Callable[[int], None]) -> None:
        """Write a shard; `tell` is called with how many photos of it are done, and what it raises stops the work."""


class Job(Protocol):
    """Work that can be handed out; it travels between processes and so consists of plain values."""

    @property
    def stage(self) -> str:
        """What is done to photos, for the progress that a person sees."""

    @property
    def on_gpu(self) -> bool:
        """Whether a process that makes shards computes on a GPU, and so needs one for itself."""

    def begin(self) -> Begun:
        """Find the photos, and begin or go on with the folder of shards; once, where the person is."""

    def maker(self, begun: Begun, n_workers: int) -> AbstractContextManager[Maker]:
        """What makes shards in this process, with so many threads, on any machine that sees the same paths."""

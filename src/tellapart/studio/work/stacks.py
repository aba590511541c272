"""Stacks: photos of one scene, which are one tile, one label and one unit of every split."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.studio.draw import Draw, draw_of, firsts_of, stack_name
from tellapart.studio.state import Mark
from tellapart.studio.work.desk import Desk, Seen
from tellapart.timing import Progress


def found_stacks(seen: Seen, marks: Mapping[str, Mark]) -> list[list[str]]:
    """The stacks of two photos or more that their look makes: identities, each from the first that was ever found."""
    n_found = {photo: number for number, photo in enumerate(marks)}
    members: dict[int, list[str]] = {}
    for photo, group in zip(seen.photos, seen.duplicates.groups.tolist(), strict=True):
        members.setdefault(group, []).append(photo.id)
    return [sorted(own, key=n_found.__getitem__) for own in members.values() if len(own) > 1]


def stacks_of(seen: Seen, marks: Mapping[str, Mark]) -> NDArray[np.int32]:
    """(N,) the stack of each photo of `seen`, numbered in their order; photos of one scene share it.

    What a person has split or joined is so; else the look decides. A photo that comes later is where the first one of
    its scene is. The page's `stacks.js` says the same.

    Args:
        seen: the photos.
        marks: what is said of each.
    """
    first = firsts_of(found_stacks(seen, marks))
    names = [stack_name(photo.id, first.get(photo.id, photo.id), marks) for photo in seen.photos]
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int32)


def draw_on(desk: Desk, progress: Progress) -> Draw:
    """Which photos of the heap are for the test."""
    seen, state = desk.seen(progress), desk.state
    return draw_of(desk.heap, state.marks, firsts_of(found_stacks(seen, state.marks)), state.drawn, desk.seed)


def members_of(stacks: NDArray[np.int32]) -> Sequence[NDArray[np.int64]]:
    """The rows of each stack of `stacks` (N,), numbered without a gap."""
    order = np.argsort(stacks, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(stacks[order])) + 1) if len(stacks) else []

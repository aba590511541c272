"""Which photos are for the test: drawn by chance, before anybody looks, and for good.

One stack in five of the heap, by a hash of the journal's seed and the stack's name, is labelled one at a time and
without a proposal, and is what the score is of. What was drawn is written into the journal, so that a heap that grows
changes nothing about it. A source that has a test of its own keeps that one.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from tellapart.studio.heap import Photo
from tellapart.studio.state import CHOSEN_BY, Mark

TEST_SHARE: Final = 5  # one stack in so many is for the test
LEAST_TESTED: Final = 50  # labelled test stacks; below, what chance chose trains too, and is tested in turn
OWN_TESTS: Final = ("test", "val", "crossed")  # of a source; the first that it has is its test


def is_drawn(stack: str, seed: str) -> bool:
    """Whether the stack of that name is for the test: one in five, for good."""
    return int.from_bytes(sha256(f"{seed} {stack}".encode()).digest()[:8]) % TEST_SHARE == 0


def stack_name(photo: str, first: str, marks: Mapping[str, Mark]) -> str:
    """Of the stack of a photo whose scene was found with the photo `first`."""
    return marks[photo].stack or marks[first].stack or first


def firsts_of(found: Iterable[Sequence[str]]) -> dict[str, str]:
    """{photo: the first one of its scene}, of stacks that looks make."""
    return {photo: own[0] for own in found for photo in own}


@dataclass(frozen=True)
class Draw:
    """What chance decided about a heap.

    Args:
        stacks: {photo: the name of its stack}.
        tests: photos that are for the test.
        own: whether the source says so.
    """

    stacks: Mapping[str, str]
    tests: frozenset[str]
    own: bool = False

    def without_tests(self, photos: Sequence[str]) -> list[str]:
        """Those that one word may be said of at once: all of a single stack, else those that are not for the test."""
        if self.own or len({self.stacks.get(photo, photo) for photo in photos}) == 1:
            return list(photos)
        return [photo for photo in photos if photo not in self.tests]


def draw_of(
    photos: Sequence[Photo],
    marks: Mapping[str, Mark],
    first: Mapping[str, str],
    fixed: Mapping[str, bool],
    seed: str,
) -> Draw:
    """Which of `photos` are for the test.

    A stack that has photos of both kinds, because a later photo joined two, only trains: part of it may have been shown
    with a proposal.

    Args:
        photos: the heap.
        marks: what is said of each.
        first: {photo: the first one of its scene}; others stand alone.
        fixed: {photo: whether it is for the test}, as it was written down before.
        seed: of the journal.
    """
    names = {photo.id: stack_name(photo.id, first.get(photo.id, photo.id), marks) for photo in photos}
    own = next((split for split in OWN_TESTS if any(photo.split == split for photo in photos)), "")
    if own:
        return Draw(names, frozenset(photo.id for photo in photos if photo.split == own), own=True)
    members: dict[str, list[str]] = defaultdict(list)
    for photo, name in names.items():
        members[name].append(photo)
    tests: set[str] = set()
    for name, those in members.items():
        said = {fixed[photo] for photo in those if photo in fixed}
        if said == {True} or (not said and is_drawn(name, seed)):
            tests.update(those)
    return Draw(names, frozenset(tests))


def splits_of(marks: Mapping[str, Mark], draw: Draw) -> dict[str, str]:
    """{photo: test, train or crossed} of the labelled ones; nothing where the source says it.

    `test` never trains. Below LEAST_TESTED test stacks what chance chose is `crossed`: it trains, and is tested by a
    head that has not seen it. What a strip, a suggestion or a likeness chose only trains: such photos are easier or
    harder than the heap, and a score of them would be too.
    """
    if draw.own:
        return {}
    said = [photo for photo in draw.stacks if marks[photo].label and not marks[photo].out]
    by_chance = {photo for photo in said if marks[photo].by not in CHOSEN_BY}
    if n_tested(marks, draw) >= LEAST_TESTED:
        return {photo: "test" if photo in draw.tests and photo in by_chance else "train" for photo in said}
    return {photo: "crossed" if photo in by_chance else "train" for photo in said}


def n_tested(marks: Mapping[str, Mark], draw: Draw) -> int:
    """How many test stacks have a label."""
    said = (photo for photo in draw.tests if marks[photo].label and not marks[photo].out)
    return len({draw.stacks[photo] for photo in said if marks[photo].by not in CHOSEN_BY})


def groups_of(photos: Sequence[Photo], draw: Draw) -> dict[str, str]:
    """{photo: its stack}, of the stacks of several photos; a group that the source gives stands."""
    sizes: dict[str, int] = defaultdict(int)
    for photo in photos:
        sizes[draw.stacks[photo.id]] += 1
    return {photo.id: draw.stacks[photo.id] for photo in photos if not photo.group and sizes[draw.stacks[photo.id]] > 1}

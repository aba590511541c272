"""Groups that cross a split: those that a person gave, and those that days, cameras and file names hint at.

A test photo of a day, a camera or a series that was learned from too is answered with what is special about that day.
Whether it is, shows where the same photos are asked twice of heads that learned from as many photos: once with and once
without those of its day.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.checks.finding import Finding
from tellapart.checks.image_stats import ImageStats
from tellapart.data.duplicates import classes_of_one
from tellapart.data.groups import Groups, said_by
from tellapart.data.meaning.class_names import normal
from tellapart.data.source import Dataset
from tellapart.metrics.paired import Comparison
from tellapart.text import counted, quoted, some

LEAST_STRADDLING = 10  # test photos; of fewer no difference is beyond chance
LARGEST_GROUP = 0.5  # of the photos that have one; a camera that took most of them divides nothing
MEAN_SIZE = 2.0  # of a group; below it names begin alike by chance
CLEAR_P = 0.01  # of two equally good ways to learn; several groupings are tried
LEAST_GAIN = 0.02  # of the share right that is worth a sentence
MOST_FIELDS = 3  # numbers that are taken off the end of a file name, one after the other
N_SHOWN = 24  # photos of a finding

_LAST_NUMBER = re.compile(r"(?:[\W_]*\d+[\W_]*)\Z")
WITHOUT_GROUPS = "; until then photos are divided without the groups"
NOT_TESTED = "; until then they are learned from, and not tested"


@dataclass(frozen=True, eq=False)
class Kin:
    """A way in which photos may belong together.

    Args:
        what: what photos of one group are, as it ends "photos …".
        other: what a head did not learn from, as in "without those of the same day".
        names: (N,) the group of each photo, or "".
    """

    what: str
    other: str
    names: tuple[str, ...]

    @property
    def groups(self) -> Groups:
        """As groups that a person could have given."""
        return Groups(self.names, self.what, "column")


# Asks the test photos twice; None where too few of them can be. `Comparison.n_only_b` are right with their kin alone.
Ask = Callable[[NDArray[np.int32]], Comparison | None]


def group_findings(dataset: Dataset) -> Iterator[Finding]:
    """What is wrong with the groups that a person gave."""
    groups, bound = dataset.groups, dataset.bound
    if groups is None:
        return
    by = f"the {said_by(groups.kind, groups.by)}"
    if dataset.given_split and not dataset.crossed and (rows := _straddling(dataset, groups.names)):
        n_test = int(dataset.tested.sum())
        yield Finding(
            "group_leak",
            f"{len(rows):,} of {counted(n_test, 'test photo')} are of groups (by {by}) that are trained on too, so the "
            "score may say how well it knows these groups.",
            "Put all photos of a group on one side; training reports the score with and without these.",
            tuple(rows),
            sure="Certain: counted.",
        )
    if bound is None and groups.asked and not dataset.given_split:
        return  # training refuses to begin, and that is said
    if bound is None:
        yield Finding(
            "one_group",
            f"Grouped by {by}, each class is one group, so none can be tested on a group that it has not learned from.",
            f"Add photos of a second group to each class{'' if dataset.given_split else WITHOUT_GROUPS}.",
            sure="Certain: counted.",
        )
    elif alone := classes_of_one(dataset.labels, bound):
        yield Finding(
            "one_group",
            f"All photos of {some([quoted(dataset.class_names[c]) for c in alone])} are of one group (by {by}).",
            f"Add photos of another group{'' if dataset.given_split else NOT_TESTED}.",
            sure="Certain: counted.",
        )


def kin_findings(dataset: Dataset, stats: ImageStats, ask: Ask) -> Iterator[Finding]:
    """Days, cameras and series of files that cross a given split and change its score; of series the clearest alone.

    Args:
        dataset: N photos with a split of their own.
        stats: their looks.
        ask: what tells whether it matters.
    """
    if dataset.crossed or not dataset.given_split:
        return
    yield from (finding for _, finding in _clear(dataset, days_and_cameras(stats), ask))
    of_names = _clear(dataset, series(dataset), ask)
    if of_names:
        yield max(of_names, key=lambda item: item[0])[1]


def _clear(dataset: Dataset, kinds: Sequence[Kin], ask: Ask) -> list[tuple[float, Finding]]:
    """The findings about those that cross the split and change its score, each with by how much."""
    found = []
    for kin in kinds:
        rows = _straddling(dataset, kin.names)
        if len(rows) < LEAST_STRADDLING or not _divides(kin, dataset):
            continue
        said = ask(kin.groups.numbers)
        if said and said.p_value < CLEAR_P and said.difference >= LEAST_GAIN:
            found.append((said.difference, _finding(kin, rows, said, dataset)))
    return found


def days_and_cameras(stats: ImageStats) -> list[Kin]:
    """What EXIF says of when and with what photos were taken."""
    return [
        Kin("taken on one day", "the same day", tuple(stats.day.tolist())),
        Kin("taken with one camera", "the same camera", tuple(stats.camera.tolist())),
    ]


def series(dataset: Dataset) -> list[Kin]:
    """What names of files below their class begin with, when one number after the other is taken off their ends."""
    inside = [photo.removeprefix(f"{dataset.source}/") for photo in dataset.photos]
    paths = [_below_class(name, dataset.class_names[c]) for name, c in zip(inside, dataset.labels, strict=True)]
    said = [Kin("whose files lie in one folder", "the same folder", tuple(os.path.dirname(path) for path in paths))]
    stems = [os.path.splitext(path)[0] for path in paths]
    for _ in range(MOST_FIELDS):
        stems = [_LAST_NUMBER.sub("", stem) for stem in stems]
        said.append(Kin("whose file names begin alike", "the same beginning", tuple(stems)))
    return said


def _below_class(photo: str, class_name: str) -> str:
    """The part of a photo's name that follows the folder of its class; its last part where there is none.

    Of an absolute path it is the last such folder: what lies above the photos may be called like a class, too.
    """
    parts = normal(photo).split("/")
    folders = [i for i, part in enumerate(parts[:-1]) if part == class_name]
    if folders:
        return "/".join(parts[folders[-1 if os.path.isabs(photo) else 0] + 1 :])
    return parts[-1]


def _divides(kin: Kin, dataset: Dataset) -> bool:
    """Whether these groups are neither single photos nor nearly all, and a class has several of them."""
    named = np.array(kin.names) != ""
    _, sizes = np.unique(np.array(kin.names)[named], return_counts=True)
    many = len(sizes) > 1 and sizes.mean() >= MEAN_SIZE and sizes.max() <= LARGEST_GROUP * named.sum()
    return bool(many and kin.groups.can_be_kept(dataset.labels))


def _straddling(dataset: Dataset, names: tuple[str, ...]) -> list[tuple[str, str, str]]:
    """For each test photo with a training photo of its group: both, and the group."""
    training = {names[i]: i for i in np.flatnonzero(~dataset.tested)[::-1] if names[i]}
    tested = (i for i in np.flatnonzero(dataset.tested) if names[i] in training)
    return [(dataset.photos[i], dataset.photos[training[names[i]]], names[i]) for i in tested]


def _finding(kin: Kin, rows: list[tuple[str, str, str]], said: Comparison, dataset: Dataset) -> Finding:
    n_test = int(dataset.tested.sum())
    return Finding(
        "kin",
        f"{len(rows):,} of {n_test:,} test photos have training photos beside them {kin.what}, and the score is better "
        f"for it: {said.n_b_right:,} of {said.n:,} are right, {said.n_a_right:,} where nothing of {kin.other} was "
        "learned from.",
        "New photos will be of other days and series. Put photos that belong together on one side; or put all in one "
        "folder for each class and let “train --group-by” keep them together.",
        tuple(rows[:N_SHOWN]),
        sure=(
            "Both times the heads had learned from as many photos of each class; such a difference comes by chance in "
            f"at most {said.p_value:.1g} of cases."
        ),
    )

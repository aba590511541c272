"""Photos that are likely in the wrong class, by what heads that never saw them say.

The given class is judged by its own out-of-fold probability, held against what an average other class gets.
cleanlab was measured beside it. Its counting of confident learning, with a threshold for each class, was nowhere
better; with ten classes that look alike, 4 of 10 photos that it named were in the right class. Its default finds more
wrong ones in two sets of three, and names many more right ones with them: benchmarks/checks.py.

Source: Northcutt, Jiang and Chuang, Confident Learning, J. Artif. Intell. Res. 70 (2021), section 3: labels judged by
out-of-sample probabilities and ranked by self-confidence.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.checks.finding import Finding
from tellapart.data.source import Dataset
from tellapart.text import counted, quoted

MIN_PHOTOS = 100  # with answers; of fewer, the heads know too little: half of the suspects were right all along
MIN_ANSWERS_PER_CLASS = 10  # with answers, on average; for the same reason
LARGEST_GROUP = 0.2  # of a class; without a larger group in training, heads hardly know the class they judge
UNLIKELY = 0.2  # the given class's odds, against an average other class's
SURE = (
    "In photo sets where we had put 5 of 100 photos into a wrong class, 8 to 9 of 10 such suspects were wrong, and 7 "
    "to 9 of 10 wrong ones were found. In sets as they came 1 photo in 100 was named, and less than half of those were "
    "wrong, so look before you move."
)
BESIDE_TRAINING = (
    "Training judges the photos that it learns from, without the test, so it names fewer, and near the limit others."
)


@dataclass(frozen=True)
class Suspect:
    """A photo that is likely in the wrong class.

    Args:
        index: row of the probabilities.
        looks_like: the most probable class.
        odds: the given class's odds against an average other class; the smaller, the likelier it is wrong.
    """

    index: int
    looks_like: int
    odds: float


def suspects(
    probs: NDArray[np.float64], labels: NDArray[np.integer], groups: NDArray[np.integer] | None = None
) -> list[Suspect]:
    """Photos whose label is likely wrong, likeliest first; none where there are too few photos to tell.

    Args:
        probs: (M, C) calibrated out-of-fold probabilities; rows of NaN stand for photos without an answer.
        labels: (M,) given classes in [0, C).
        groups: (M,) photos of one group, which no fold divides, share a number; None where each stands alone.
    """
    n_classes = probs.shape[1]
    known = ~np.isnan(probs).any(axis=1)
    enough = max(MIN_PHOTOS, MIN_ANSWERS_PER_CLASS * len(np.unique(labels[known])))
    if n_classes < 2 or np.count_nonzero(known) < enough:
        return []
    given = probs[np.arange(len(probs)), labels]
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = given * (n_classes - 1) / (1 - given)
    answers = np.where(known, np.nan_to_num(probs).argmax(axis=1), labels)
    doubtful = known & (odds < UNLIKELY) & (answers != labels)
    if groups is not None:
        doubtful &= _share_of_class(labels, groups) <= LARGEST_GROUP
    found = np.flatnonzero(doubtful)
    return [Suspect(int(i), int(answers[i]), float(odds[i])) for i in found[np.argsort(odds[found], kind="stable")]]


def _share_of_class(labels: NDArray[np.integer], groups: NDArray[np.integer]) -> NDArray[np.float64]:
    """(M,) how much of its class the photo's group is; nothing for a photo that stands alone."""
    _, group_of, counts = np.unique(np.stack([groups, labels], axis=1), axis=0, return_inverse=True, return_counts=True)
    sizes = counts[group_of.ravel()]
    return np.where(sizes > 1, sizes / np.bincount(labels)[labels], 0.0)


def mislabel_findings(
    dataset: Dataset, probs: NDArray[np.float64], groups: NDArray[np.int32] | None = None
) -> list[Finding]:
    """The finding about photos of `dataset` in the wrong class, if any.

    Args:
        dataset: N photos.
        probs: (N, C) calibrated out-of-fold probabilities; rows of NaN for photos without an answer.
        groups: (N,) as for `suspects`.
    """
    found = suspects(probs, dataset.labels, groups)
    if not found:
        return []
    names, n = dataset.class_names, len(found)
    photos = tuple(
        (
            dataset.photos[suspect.index],
            f"in {quoted(names[dataset.labels[suspect.index]])}",
            f"looks like {quoted(names[suspect.looks_like])}",
        )
        for suspect in found
    )
    return [
        Finding(
            "mislabelled",
            f"{counted(n, 'photo')} {'is' if n == 1 else 'are'} likely in the wrong class.",
            "Look at each and move it to the right folder, if it is wrong.",
            photos,
            sure=f"{SURE} {BESIDE_TRAINING}",
            suspects=tuple(row[0] for row in photos),
        )
    ]

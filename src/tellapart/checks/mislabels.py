"""Photos that are likely in the wrong class, by heads that never saw them and by the photos most like them.

Two witnesses who err on different photos. Heads that learned from other scenes say how probable the given class is; the
most similar photos vote with the classes that they are filed in, those of the same scene too: if all but one of a
scene are filed as plums, the one is the likelier mistake. Their product ranks better than either, on five sets of
photos (docs/trust.md). A scene that is misfiled as a whole vouches for itself, which costs a little there.

cleanlab was measured beside it. Its counting of confident learning, with a threshold for each class, was nowhere
better; with ten classes that look alike, 4 of 10 photos that it named were in the right class. Its default finds more
wrong ones in one set of five, and names many more right ones everywhere: benchmarks/swapped_labels.py.

Source: Northcutt, Jiang and Chuang, Confident Learning, J. Artif. Intell. Res. 70 (2021), section 3: labels judged by
out-of-sample probabilities and ranked by self-confidence. Wilson, IEEE Trans. Syst. Man Cybern. 2 (1972): labels edited
by their nearest neighbours.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tellapart.checks.finding import Finding
from tellapart.data.duplicates import Duplicates, conflicting, most_alike
from tellapart.data.source import Dataset
from tellapart.text import counted, quoted

MIN_PHOTOS = 100  # with answers; of fewer, the heads know too little: a third of the suspects may be right
MIN_ANSWERS_PER_CLASS = 6  # with answers, on average; for the same reason
NEIGHBOURS = 15  # that vote, each as much as it is alike; 10 and 20 rank nearly as well
UNLIKELY = 0.05  # the given class's odds, by heads and neighbours, against an average other class's
SURE = (
    "In photo sets where we had put 5 of 100 photos into a wrong class, 8 to 10 of 10 such suspects were wrong, of the "
    "first 20 about 18 to 20, and 7 to 9 of 10 wrong ones were found. In sets as they came 1 photo in 100 was named, "
    "and less than half of those were wrong, so look before you move."
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


def suspects(probs: NDArray[np.float64], labels: NDArray[np.integer], features: NDArray[np.float32]) -> list[Suspect]:
    """Photos whose label is likely wrong, likeliest first; none where there are too few photos to tell.

    Args:
        probs: (M, C) calibrated out-of-fold probabilities; rows of NaN stand for photos without an answer.
        labels: (M,) given classes in [0, C).
        features: (M, D) by a network that never saw the labels.
    """
    n_classes = probs.shape[1]
    known = ~np.isnan(probs).any(axis=1)
    enough = max(MIN_PHOTOS, MIN_ANSWERS_PER_CLASS * len(np.unique(labels[known])))
    if n_classes < 2 or np.count_nonzero(known) < enough:
        return []
    doubted = np.flatnonzero(known)
    doubted = doubted[probs[doubted].argmax(axis=1) != labels[doubted]]
    joint = probs[doubted] * _votes(features, labels, doubted, n_classes)
    given = joint[np.arange(len(doubted)), labels[doubted]]
    odds = given * (n_classes - 1) / np.maximum(joint.sum(axis=1) - given, np.finfo(np.float64).tiny)
    found = np.flatnonzero(odds < UNLIKELY)
    answers = joint.argmax(axis=1)
    return [
        Suspect(int(doubted[i]), int(answers[i]), float(odds[i])) for i in found[np.argsort(odds[found], kind="stable")]
    ]


def _votes(
    features: NDArray[np.float32], labels: NDArray[np.integer], asked: NDArray[np.int64], n_classes: int
) -> NDArray[np.float64]:
    """(A, C) how many of the photos most like each one asked about are of each class, and one vote for all of them."""
    alike, cosines = most_alike(features, asked, NEIGHBOURS)
    votes = np.full((len(asked), n_classes), 1 / n_classes)
    np.add.at(votes, (np.arange(len(asked))[:, None], labels[alike]), np.maximum(cosines, 0))
    return votes


def with_suspects(
    findings: Sequence[Finding],
    dataset: Dataset,
    duplicates: Duplicates,
    probs: NDArray[np.float64],
    features: NDArray[np.float32],
) -> list[Finding]:
    """`findings`, and what is known of photos of `dataset` in the wrong class, if anything.

    Of two photos that show the same in two classes the finding about these says which is likelier wrong, and nothing
    else asks about them again.

    Args:
        findings: of the audit.
        dataset: N photos.
        duplicates: among them.
        probs: (N, C) as for `suspects`.
        features: (N, D).
    """
    alone, paired = (
        tuple(_row(dataset, s) for s in some)
        for some in set_apart(suspects(probs, dataset.labels, features), conflicting(dataset.labels, duplicates))
    )
    told = [replace(f, likely_wrong=paired) if f.kind == "label_conflict" else f for f in findings]
    return [*told, *([_mislabelled(alone)] if alone else [])]


def set_apart(found: Sequence[Suspect], torn: NDArray[np.integer]) -> tuple[list[Suspect], list[Suspect]]:
    """Suspects that nothing else asks about, and those among the photos `torn`, which show the same in two classes."""
    indices = set(torn.tolist())
    return [s for s in found if s.index not in indices], [s for s in found if s.index in indices]


def _row(dataset: Dataset, suspect: Suspect) -> tuple[str, ...]:
    names, given = dataset.class_names, dataset.labels[suspect.index]
    return (
        dataset.photos[suspect.index],
        f"in {quoted(names[given])}",
        f"looks like {quoted(names[suspect.looks_like])}",
    )


def _mislabelled(photos: tuple[tuple[str, ...], ...]) -> Finding:
    n = len(photos)
    return Finding(
        "mislabelled",
        f"{counted(n, 'photo')} {'is' if n == 1 else 'are'} likely in the wrong class.",
        "Look at each and move it to the right folder, if it is wrong. The first are the surest.",
        photos,
        sure=f"{SURE} {BESIDE_TRAINING}",
        suspects=tuple(row[0] for row in photos),
    )

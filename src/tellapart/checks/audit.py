"""What is wrong with a dataset, before any training: findings that a person can act on."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.data.duplicates import Duplicates, Pair
from tellapart.data.source import Dataset, Skipped
from tellapart.text import counted, quoted, some

FEW_PHOTOS = 20  # a class; below this accuracy depends more on which photos than on how many
IMBALANCE = 3.0  # largest class over smallest, from where on it is worth saying
SURE_OF_PIXELS = "Exact copies have the same pixels."
SURE_OF_LIKENESS = "Of 1.4 million pairs of photos of different classes that we measured, none was called a duplicate."
COUNTED = "Certain: counted."


@dataclass(frozen=True)
class Finding:
    """One thing that a person may want to mend.

    Args:
        kind: stable name, such as `leak`.
        sentence: what, and how many.
        advice: what to do.
        photos: the photos it is about, worst first, each with a note; for pairs the photo, its twin and the kind.
        sure: how sure this is, in words, with its number where there is one.
        suspects: photos, named as in the dataset, that are better set aside; never all of a set of copies, unless
            they contradict each other.
    """

    kind: str
    sentence: str
    advice: str
    photos: tuple[tuple[str, ...], ...] = ()
    sure: str = ""
    suspects: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The finding as a JSON-able dict."""
        return asdict(self)


def audit(dataset: Dataset, skipped: Sequence[Skipped], duplicates: Duplicates) -> list[Finding]:
    """All findings about the readable photos of `dataset`, gravest first.

    Args:
        dataset: readable photos only, in the order that `duplicates` numbers them.
        skipped: files found but not used.
        duplicates: copies among the photos.
    """
    return [
        *_conflicts(dataset, duplicates),
        *_leaks(dataset, duplicates),
        *_unused(skipped),
        *_copies(dataset, duplicates),
        *_all_alike(dataset, duplicates),
        *_small_classes(dataset),
        *_imbalance(dataset),
    ]


def class_counts(dataset: Dataset) -> NDArray[np.int64]:
    """(C,) photos of each class."""
    return np.bincount(dataset.labels, minlength=len(dataset.class_names)).astype(np.int64)


def conflicting(labels: NDArray[np.int32], duplicates: Duplicates) -> NDArray[np.int64]:
    """Indices of photos that show the same as a photo of another class, and of all their copies."""
    torn = [i for p in duplicates.pairs if labels[p.first] != labels[p.second] for i in (p.first, p.second)]
    return np.flatnonzero(np.isin(duplicates.copies, duplicates.copies[torn]))


def classes_of_one(labels: NDArray[np.int32], groups: NDArray[np.int32]) -> list[int]:
    """The classes of two photos or more whose photos are all of one group."""
    members = {int(c): groups[labels == c] for c in np.unique(labels)}
    return [c for c, own in members.items() if len(own) > 1 and (own == own[0]).all()]


def leaked_pairs(duplicates: Duplicates, splits: NDArray[np.str_]) -> list[Pair]:
    """For every test photo with a copy among the photos that train, one pair (test photo, its twin).

    Args:
        duplicates: among N photos.
        splits: (N,) of "train", "val" and "test"; what is not "test" trains.
    """
    leaks: dict[int, Pair] = {}
    is_test = splits == "test"
    for group, members in _groups(duplicates.copies):
        del group
        twins = [m for m in members if not is_test[m]]
        if twins:
            leaks |= {m: Pair(m, twins[0], "exact") for m in members if is_test[m]}
    for pair in duplicates.pairs:
        first, second = (pair.first, pair.second) if is_test[pair.first] else (pair.second, pair.first)
        if pair.kind == "near" and is_test[first] and not is_test[second]:
            leaks.setdefault(first, Pair(first, second, "near"))
    return [leaks[index] for index in sorted(leaks)]


def _groups(numbers: NDArray[np.int32]) -> Iterator[tuple[int, list[int]]]:
    """Groups of two members or more."""
    order = np.argsort(numbers, kind="stable")
    values, starts = np.unique(numbers[order], return_index=True)
    for value, members in zip(values, np.split(order, starts[1:]), strict=True):
        if len(members) > 1:
            yield int(value), [int(m) for m in members]


def _names(dataset: Dataset, pairs: Sequence[Pair]) -> tuple[tuple[str, ...], ...]:
    return tuple((dataset.photos[p.first], dataset.photos[p.second], p.kind) for p in pairs)


def _photos(dataset: Dataset, indices: Iterable[int]) -> tuple[str, ...]:
    """The names at `indices`, each once, in the order of the dataset."""
    return tuple(dataset.photos[index] for index in sorted(set(indices)))


def _sure(pairs: Sequence[Pair]) -> str:
    kinds = {pair.kind for pair in pairs}
    parts = [sentence for kind, sentence in (("exact", SURE_OF_PIXELS), ("near", SURE_OF_LIKENESS)) if kind in kinds]
    return " ".join(parts)


def spare_copies(duplicates: Duplicates, splits: NDArray[np.str_]) -> dict[str, list[int]]:
    """{"exact": …, "near": …}: photos that may go while one that looks the same stays on the same side of the split.

    Args:
        duplicates: among N photos.
        splits: (N,) of "train", "val" and "test", or of ""; a side is "test" or the rest.
    """
    is_test = splits == "test"
    stands_for = np.arange(len(splits))
    for _, members in _groups(duplicates.copies):
        for side in (True, False):
            same = [m for m in members if is_test[m] == side]
            stands_for[same] = same[:1]
    alike: defaultdict[int, set[int]] = defaultdict(set)
    for pair in duplicates.pairs:
        if pair.kind == "near" and is_test[pair.first] == is_test[pair.second]:
            first, second = sorted((int(stands_for[pair.first]), int(stands_for[pair.second])))
            alike[second].add(first)
    near: set[int] = set()
    for index in sorted(alike):  # a photo goes only for one that stays, so a chain is not reduced to its first link
        if alike[index] - near:
            near.add(index)
    exact = np.flatnonzero(stands_for != np.arange(len(splits)))
    return {"exact": [int(i) for i in exact], "near": sorted(near)}


def _conflicts(dataset: Dataset, duplicates: Duplicates) -> Iterator[Finding]:
    pairs = [p for p in duplicates.pairs if dataset.labels[p.first] != dataset.labels[p.second]]
    if pairs:
        torn = conflicting(dataset.labels, duplicates)
        # Copies are linked in a chain, so of many of them the pairs are few.
        what = counted(len(pairs), "pair") + " of photos" if len(torn) <= 2 * len(pairs) else f"{len(torn):,} photos"
        whole = class_counts(dataset) == np.bincount(dataset.labels[torn], minlength=len(dataset.class_names))
        listed = some([quoted(name) for name, is_torn in zip(dataset.class_names, whole, strict=True) if is_torn])
        yield Finding(
            "label_conflict",
            f"{what} show the same thing under different class names."
            + (f" All photos of {listed} are among them." if listed else ""),
            "Look at each pair and delete the photo that is in the wrong folder.",
            _names(dataset, pairs),
            sure=_sure(pairs),
            suspects=_photos(dataset, torn.tolist()),
        )


def _leaks(dataset: Dataset, duplicates: Duplicates) -> Iterator[Finding]:
    leaks = leaked_pairs(duplicates, dataset.splits) if dataset.given_split else []
    if leaks:
        n_test = int((dataset.splits == "test").sum())
        yield Finding(
            "leak",
            f"{len(leaks)} of {n_test} test photos are also training photos, so a score on them means little.",
            "Take them out of the test folder; training reports the score with and without them.",
            _names(dataset, leaks),
            sure=_sure(leaks),
            suspects=_photos(dataset, (p.first for p in leaks)),
        )


def _unused(skipped: Sequence[Skipped]) -> Iterator[Finding]:
    if skipped:
        yield Finding(
            "unusable",
            f"{counted(len(skipped), 'file')} cannot be used.",
            "Convert or delete them; they are left out of training.",
            tuple((s.photo, s.reason) for s in skipped),
            sure="Certain: each was tried.",
            suspects=tuple(s.photo for s in skipped),
        )


def _copies(dataset: Dataset, duplicates: Duplicates) -> Iterator[Finding]:
    side = list(zip(dataset.splits == "test", dataset.labels, strict=True))  # others are leaks or conflicts
    spare = spare_copies(duplicates, dataset.splits)
    for kind, what in (("exact", "exact copies"), ("near", "near duplicates")):
        pairs = [p for p in duplicates.pairs if p.kind == kind and side[p.first] == side[p.second]]
        if pairs:
            yield Finding(
                f"{kind}_duplicate",
                f"{counted(len(pairs), 'pair')} of photos are {what}.",
                "They add little; keep one of each. A split that training makes never puts them on both sides.",
                _names(dataset, pairs),
                sure=_sure(pairs),
                suspects=_photos(dataset, spare[kind]),
            )


def _all_alike(dataset: Dataset, duplicates: Duplicates) -> Iterator[Finding]:
    copied, alike = (classes_of_one(dataset.labels, g) for g in (duplicates.copies, duplicates.scenes))
    for classes, said in (
        (copied, "are copies of one photo"),
        ([c for c in alike if c not in copied], "look alike, as if taken in one go"),
    ):
        if classes:
            yield Finding(
                "all_alike",
                f"All photos of {some([quoted(dataset.class_names[c]) for c in classes])} {said}.",
                "Add photos taken at another time and place; until then no score says how well others are recognised.",
                sure=SURE_OF_PIXELS if classes is copied else SURE_OF_LIKENESS,
            )


def _small_classes(dataset: Dataset) -> Iterator[Finding]:
    counts = class_counts(dataset)
    small = [i for i in np.argsort(counts) if counts[i] < FEW_PHOTOS]
    if small:
        listed = ", ".join(f"{quoted(dataset.class_names[i])} ({counts[i]})" for i in small[:5])
        yield Finding(
            "few_photos",
            f"{counted(len(small), 'class', 'classes')} with fewer than {FEW_PHOTOS} photos: {listed}"
            f"{' and others' if len(small) > 5 else ''}.",
            "Add photos of these classes first; it is where more photos help most.",
            sure=COUNTED,
        )


def _imbalance(dataset: Dataset) -> Iterator[Finding]:
    sentence = imbalance_sentence(dataset)
    if sentence:
        yield Finding(
            "imbalance", sentence, "Add photos of the smaller classes; training makes up for it in part.", sure=COUNTED
        )


def imbalance_sentence(dataset: Dataset) -> str | None:
    """How uneven the classes are, when it is worth saying."""
    counts = class_counts(dataset)
    most, least = int(counts.argmax()), int(np.where(counts > 0, counts, counts.max()).argmin())
    if counts[most] < IMBALANCE * counts[least]:
        return None
    return (
        f"{quoted(dataset.class_names[most])} has {counts[most]} photos and {quoted(dataset.class_names[least])} "
        f"has {counts[least]}; in training, photos of small classes weigh more."
    )

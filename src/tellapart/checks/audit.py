"""What is wrong with a dataset, before any training: findings that a person can act on."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.checks.finding import Finding
from tellapart.data.duplicates import Duplicates, Pair, classes_of_one, conflicting, leaked_pairs, spare_copies
from tellapart.data.source import Dataset, Skipped
from tellapart.data.split import given_split
from tellapart.text import counted, quoted, some

FEW_PHOTOS = 20  # a class; below this accuracy depends more on which photos than on how many
IMBALANCE = 3.0  # largest class over smallest, from where on it is worth saying
SURE_OF_PIXELS = "Exact copies have the same pixels."
SURE_OF_LIKENESS = "Of 1.4 million pairs of photos of different classes that we measured, none was called a duplicate."
COUNTED = "Certain: counted."


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


def _names(dataset: Dataset, pairs: Sequence[Pair]) -> tuple[tuple[str, ...], ...]:
    return tuple((dataset.photos[p.first], dataset.photos[p.second], p.kind) for p in pairs)


def _photos(dataset: Dataset, indices: Iterable[int]) -> tuple[str, ...]:
    """The names at `indices`, each once, in the order of the dataset."""
    return tuple(dataset.photos[index] for index in sorted(set(indices)))


def _of_pairs(n: int) -> str:
    """So many pairs, with words that take a plural."""
    return "2 photos" if n == 1 else f"{n:,} pairs of photos"


def _sure(pairs: Sequence[Pair]) -> str:
    kinds = {pair.kind for pair in pairs}
    parts = [sentence for kind, sentence in (("exact", SURE_OF_PIXELS), ("near", SURE_OF_LIKENESS)) if kind in kinds]
    return " ".join(parts)


def _conflicts(dataset: Dataset, duplicates: Duplicates) -> Iterator[Finding]:
    pairs = [p for p in duplicates.pairs if dataset.labels[p.first] != dataset.labels[p.second]]
    if pairs:
        torn = conflicting(dataset.labels, duplicates)
        # Copies are linked in a chain, so of many of them the pairs are few.
        what = _of_pairs(len(pairs)) if len(torn) <= 2 * len(pairs) else f"{len(torn):,} photos"
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
    leaks = (
        leaked_pairs(duplicates, given_split(dataset.splits).sides(dataset.n))
        if dataset.given_split and not dataset.crossed
        else []
    )
    if leaks:
        n_test = int(dataset.tested.sum())
        yield Finding(
            "leak",
            f"{len(leaks):,} of {counted(n_test, 'test photo')} "
            f"{'is also a training photo' if len(leaks) == 1 else 'are also training photos'}, "
            "so a score on them means little.",
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
    side = 2 * dataset.labels + (dataset.tested & (not dataset.crossed))  # copies across sides are leaks or conflicts
    spare = spare_copies(duplicates, side)
    for kind, what in (("exact", "exact copies"), ("near", "near duplicates")):
        pairs = [p for p in duplicates.pairs if p.kind == kind and side[p.first] == side[p.second]]
        if pairs:
            yield Finding(
                f"{kind}_duplicate",
                f"{_of_pairs(len(pairs))} are {what}.",
                "They add little; keep one of each. A split that training makes never puts them on both sides.",
                _names(dataset, pairs),
                sure=_sure(pairs),
                suspects=_photos(dataset, spare[kind]),
            )


def _all_alike(dataset: Dataset, duplicates: Duplicates) -> Iterator[Finding]:
    copied, alike = (classes_of_one(dataset.labels, g) for g in (duplicates.copies, duplicates.groups))
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

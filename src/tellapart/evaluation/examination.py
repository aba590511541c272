"""Scoring a finished model on labelled photos that are new to it, through its own graph."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.data.source import Dataset, Skipped
from tellapart.errors import InputError, PhotoError
from tellapart.evaluation.coverage import real_photos
from tellapart.evaluation.document import counts_json, inside, leaks_and_rest, score
from tellapart.features.extract import hash_pixels
from tellapart.metrics.conformal import Guarantee
from tellapart.model.artifact import Artifact
from tellapart.model.prediction import Answers, Predictor
from tellapart.parallel import map_in_order
from tellapart.text import counted, quoted, some
from tellapart.timing import Progress

Json = dict[str, Any]


@dataclass(frozen=True)
class Answered:
    """A model's answers to M readable photos of a dataset.

    Args:
        usable: (M,) indices of the photos.
        probs: (M, C).
        unknown: (M,) unknown scores.
        pixel_hashes: (M,) hexadecimal.
        skipped: photos that could not be read, with reasons.
    """

    usable: NDArray[np.int64]
    probs: NDArray[np.float32]
    unknown: NDArray[np.float32]
    pixel_hashes: Sequence[str]
    skipped: tuple[Skipped, ...]


def refuse_unknown_classes(dataset: Dataset, class_names: Sequence[str]) -> None:
    """Returns when the model knows every class of `dataset`.

    Raises:
        InputError: names the classes it does not know, and those it does.
    """
    strangers = [quoted(name) for name in dataset.class_names if name not in class_names]
    if strangers:
        raise InputError(
            f"The model does not know {counted(len(strangers), 'class', 'classes')} of {quoted(dataset.source)}: "
            f"{some(strangers)}.",
            hint=f"It knows: {', '.join(class_names[:20])}. Rename the folders so that the names are the same.",
        )


def test_part(dataset: Dataset) -> Dataset:
    """The photos to score: the `test` part where the source has one, else all."""
    chosen = np.flatnonzero(dataset.splits == "test")
    return replace(dataset.subset(chosen), skipped=dataset.skipped) if len(chosen) else dataset


def answer_all(predictor: Predictor, dataset: Dataset, progress: Progress) -> Answered:
    """Ask the model about every photo.

    Raises:
        InputError: not one can be read.
    """
    usable, answers, hashes, skipped = [], [], [], []

    def ask(index: int) -> tuple[Answers, str] | PhotoError:
        try:
            pixels = predictor.pixels(dataset.read(index))
        except PhotoError as error:
            return error
        return predictor.answers(pixels), hash_pixels(pixels).hex()

    for index, result in enumerate(map_in_order(ask, range(dataset.n), name="answer")):
        progress("answering", index + 1, dataset.n)
        if isinstance(result, PhotoError):
            skipped.append(Skipped(dataset.photos[index], result.message))
            continue
        usable.append(index)
        answers.append(result[0])
        hashes.append(result[1])
    if not usable:
        raise InputError(f"No photo of {quoted(dataset.source)} can be read.")
    return Answered(
        np.array(usable, np.int64),
        np.stack([a.probs for a in answers]),
        np.array([a.unknown_score for a in answers], np.float32),
        hashes,
        tuple(skipped),
    )


def new_evaluation(answered: Answered, dataset: Dataset, artifact: Artifact) -> Json:
    """Every number about these answers, as `train` gives for its own test photos.

    Args:
        answered: what the model said.
        dataset: whose photos they are.
        artifact: the model.
    """
    names = artifact.class_names
    readable = replace(dataset.subset(answered.usable), skipped=())
    everyone = np.arange(readable.n)
    seen = np.array([h in artifact.trained_on for h in answered.pixel_hashes], bool)
    without = score(answered.probs[~seen], readable, everyone[~seen], names) if seen.any() else None
    leaks = [
        {"photo": inside(readable, readable.photos[i]), "twin": "a training photo", "kind": "exact"}
        for i in np.flatnonzero(seen)
    ]
    column = np.array([names.index(name) for name in readable.class_names], np.int32)
    skipped = sorted((*dataset.skipped, *answered.skipped), key=lambda s: s.photo)
    kept = artifact.manifest.get("promise")
    promised = Guarantee(**kept) if kept else None
    return score(answered.probs, readable, everyone, names) | {
        "unknown": real_photos(
            answered.probs, answered.unknown, column[readable.labels], artifact.thresholds, promised
        ),
        "leaks": leaks_and_rest(leaks, without),
        "model": artifact.manifest["model"],
        **counts_json(readable, skipped),
    }

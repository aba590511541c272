"""What a finished model says about labelled photos that are new to it, and which of them it learned from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.data.grey_picture import grey_picture
from tellapart.data.photo import decode
from tellapart.data.preprocess import preprocess
from tellapart.data.source import Dataset, Skipped
from tellapart.errors import InputError, PhotoError
from tellapart.features.extract import hash_pixels
from tellapart.model.prediction import Answers, Predictor
from tellapart.parallel import map_in_order
from tellapart.text import quoted
from tellapart.timing import Progress


@dataclass(frozen=True)
class Answered:
    """A model's answers to M readable photos of a dataset.

    Args:
        usable: (M,) indices of the photos.
        probs: (M, C).
        ood_scores: (M,) OOD scores.
        pixel_hashes: (M,) hexadecimal.
        skipped: photos that could not be read, with reasons.
        pictures: (M, SIDE_PX, SIDE_PX) uint8, small and grey; None if they were not wanted.
        features: (M, D) float32, what the model's head sees; None if they were not wanted, or the model keeps them.
    """

    usable: NDArray[np.int64]
    probs: NDArray[np.float32]
    ood_scores: NDArray[np.float32]
    pixel_hashes: Sequence[str]
    skipped: tuple[Skipped, ...]
    pictures: NDArray[np.uint8] | None = None
    features: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class TrainingCopies:
    """Which of M photos a model learned from.

    Args:
        exact: (M,) it learned from the very pixels.
        near: (M,) it learned from a photo of which this is a copy: resized, saved again, turned or cropped.
        looked_for: in words, what could be looked for.
    """

    exact: NDArray[np.bool_]
    near: NDArray[np.bool_]
    looked_for: str

    @property
    def all(self) -> NDArray[np.bool_]:
        """(M,) either of both."""
        return self.exact | self.near


def answer_all(predictor: Predictor, dataset: Dataset, progress: Progress, *, looks: bool = False) -> Answered:
    """Ask the model about every photo.

    Args:
        predictor: the model.
        dataset: the photos.
        progress: called with (stage, done, total).
        looks: whether that by which copies are found is kept too.

    Raises:
        InputError: not one can be read.
    """
    usable, answers, hashes, skipped, pictures = [], [], [], [], []

    def ask(index: int) -> tuple[Answers, str, NDArray[np.uint8] | None] | PhotoError:
        try:
            image = decode(dataset.read(index), min_side_px=predictor.preprocessing.min_side_px)
        except PhotoError as error:
            return error
        pixels = preprocess(image, predictor.preprocessing)
        return predictor.answers(pixels), hash_pixels(pixels).hex(), grey_picture(image) if looks else None

    for index, result in enumerate(map_in_order(ask, range(dataset.n), name="answer")):
        progress("answering", index + 1, dataset.n)
        if isinstance(result, PhotoError):
            skipped.append(Skipped(dataset.photos[index], result.message))
            continue
        usable.append(index)
        answers.append(result[0])
        hashes.append(result[1])
        pictures.append(result[2])
    if not usable:
        raise InputError(f"No photo of {quoted(dataset.source)} can be read.")
    features = [a.features for a in answers if a.features is not None]
    return Answered(
        np.array(usable, np.int64),
        np.stack([a.probs for a in answers]),
        np.array([a.ood_score for a in answers], np.float32),
        hashes,
        tuple(skipped),
        np.stack([picture for picture in pictures if picture is not None]) if looks else None,
        np.stack(features) if features else None,
    )

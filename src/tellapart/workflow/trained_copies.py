"""Which photos a model learned from in another form: resized, saved again, turned, cropped.

Exact copies are known by the model folder alone. Others are found where the training photos, or what is remembered of
them, are still on this machine; the sentence says how far that was so.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.data.source import Dataset
from tellapart.engine.backbone import QUALITIES
from tellapart.evaluation.answering import Answered, TrainingCopies
from tellapart.features.copies import copies_between
from tellapart.features.extract import Extractor, bundled_extractor
from tellapart.features.known_photos import KnownPhotos, known_photos
from tellapart.model.artifact import Artifact, sha256
from tellapart.storage.photo_locations import load_locations
from tellapart.text import counted
from tellapart.timing import Progress

ALL_LOOKED_AT = "Copies of training photos were looked for, resized, turned and cropped ones too."
NONE_LOOKED_AT = (
    "Only exact copies of training photos could be looked for: this machine has neither the training photos nor what "
    "is remembered of them."
)


@dataclass(frozen=True)
class TrainingPhotos:
    """What is known here of the photos that a model learned from.

    Args:
        artifact: the model.
        known: how some of them look; None where nothing is known.
        extractor: what their features are from; None with nothing known.
    """

    artifact: Artifact
    known: KnownPhotos | None = None
    extractor: Extractor | None = None

    @property
    def looks(self) -> bool:
        """Whether there is anything that new photos can be held against."""
        return self.known is not None

    @property
    def said(self) -> str:
        """In words, what copies could be looked for."""
        n, n_known = len(self.artifact.trained_on), 0 if self.known is None else len(self.known.hashes)
        if n and n_known == n:
            return ALL_LOOKED_AT
        if not n_known:
            return NONE_LOOKED_AT
        return (
            f"Resized, turned and cropped copies could be looked for of {n_known:,} of "
            f"{counted(n, 'training photo')}; of the others, which this machine does not remember, exact copies alone."
        )


@contextmanager
def training_photos(artifact: Artifact, progress: Progress) -> Iterator[TrainingPhotos]:
    """What this machine still knows of the photos that the model learned from."""
    quality = artifact.manifest["model"]["quality"]
    if quality not in QUALITIES:
        yield TrainingPhotos(artifact)
        return
    places = load_locations(sha256(artifact.model), "train")
    with bundled_extractor(quality, artifact.preprocess.resize_mode) as extractor:
        known = known_photos(artifact.trained_on, places, extractor, artifact.preprocess, progress)
        yield TrainingPhotos(artifact, known, extractor) if known.hashes else TrainingPhotos(artifact)


def copies_of(training: TrainingPhotos, answered: Answered, dataset: Dataset, progress: Progress) -> TrainingCopies:
    """Which of the photos that were answered are copies of photos that the model learned from.

    Args:
        training: what is known of these.
        answered: by the model, with looks if `training` has any.
        dataset: whose photos they are.
        progress: called with (stage, done, total) if they have to be looked at with another network.
    """
    trained_on, known = training.artifact.trained_on, training.known
    exact = np.array([own in trained_on for own in answered.pixel_hashes], bool)
    near = np.zeros(len(exact), bool)
    new = np.flatnonzero(~exact)
    if known is not None and training.extractor is not None and answered.pictures is not None and len(new):
        values = _features(training.extractor, training.artifact, answered, dataset, progress)
        pairs = copies_between(values[new], answered.pictures[new], known.values, known.pictures)
        near[new[pairs[:, 0]]] = True
    return TrainingCopies(exact, near, training.said)


def _features(
    extractor: Extractor, artifact: Artifact, answered: Answered, dataset: Dataset, progress: Progress
) -> NDArray[np.float32]:
    """(M, D) of the answered photos, as `extractor` makes them: the model's own where it is the same network."""
    if artifact.manifest["backbone"]["key"] == extractor.backbone.key and answered.features is not None:
        return answered.features
    return extractor.extract(dataset.subset(answered.usable), progress=progress).values

"""Photos that a program has in its hands, whatever they are, as a dataset; and a probe on them as a model folder."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.classifier.trained import Trained
from tellapart.data.meaning.split_words import SPLIT_TYPE
from tellapart.data.preprocess import Preprocess
from tellapart.data.source import Dataset
from tellapart.data.split import ALWAYS_TRAINS, Split
from tellapart.evaluation.document import tested
from tellapart.model.artifact import CARD, EVALUATION, REPORT, seal, to_json
from tellapart.model.compose import compose
from tellapart.model.photo_like import Taken, content_of, image_of
from tellapart.report.sections import shown_photos
from tellapart.workflow.model_folder import card, describe, model_facts, model_files, page, pictures_of, proven


@dataclass(frozen=True)
class Given:
    """N photos that may be no files; a dataset reads them by their numbers.

    Args:
        items: (N,) paths, contents, images or arrays.
        preprocessing: how they will be read: an image is made no larger than that takes.
    """

    items: Sequence[Taken]
    preprocessing: Preprocess

    @property
    def kind(self) -> str:
        """What people call it."""
        return "list"

    def read(self, place: str) -> bytes:
        """The photo's file; of an image in memory, its pixels as a file that loses nothing.

        Raises:
            PhotoError: it cannot be read.
        """
        item = self.items[int(place)]
        if isinstance(item, str | bytes):
            return content_of(item)
        file = io.BytesIO()
        Image.fromarray(image_of(item, self.preprocessing)).save(file, "BMP")  # by no library but Pillow's own code
        return file.getvalue()


def given_dataset(
    names: Sequence[str], items: Sequence[Taken], labels: NDArray[np.int32], class_names: Sequence[str], given: Given
) -> Dataset:
    """A dataset of these photos in this order; one that has no path is called by its number."""
    on_disk = all(isinstance(item, str) for item in items)
    called = tuple(name or f"photo {number}" for number, name in enumerate(names))
    return Dataset(
        "the list",
        tuple(class_names),
        called,
        called if on_disk else tuple(map(str, range(len(items)))),
        labels,
        np.full(len(items), "", SPLIT_TYPE),
        archive=None if on_disk else given,
    )


def probe_folder(trained: Trained, name: str) -> dict[str, bytes]:
    """{file name: content} of the model folder of a probe that learned from all of its photos.

    They test in turn, as in a training with few photos: each is asked of a head that has not seen it.
    """
    prepared, folds = trained.prepared, trained.folds
    nobody = np.zeros(0, np.int64)
    crossed = Split(np.arange(len(folds)), nobody, np.flatnonzero(folds > ALWAYS_TRAINS), "crossed", folds=folds)
    trained = replace(trained, split=crossed)
    description = describe(trained, name=name)
    model = compose(prepared.backbone, trained.calibrated, description)
    proof, examples = proven(model, description, trained)
    evaluation, kept = tested(trained)
    evaluation = replace(evaluation, model=model_facts(model, description), proof=proof)
    pages = {
        REPORT: page(evaluation, pictures_of(prepared.dataset, shown_photos(evaluation)), name),
        CARD: card(evaluation, description),
        EVALUATION: to_json(evaluation.to_json()),
    }
    return seal(description, model_files(model, trained, kept) | examples | pages)

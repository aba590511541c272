"""What the written model says of a photo that is tried: its answer, where it looked, which photos are most alike."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tellapart.model.artifact import load_artifact
from tellapart.model.cam import class_activation, data_uri, for_class, head_weight, heatmap_png
from tellapart.model.naming import MANIFEST
from tellapart.model.prediction import Predictor
from tellapart.parallel import n_cores
from tellapart.studio.work.desk import Desk
from tellapart.studio.work.likeness import directions, most_alike
from tellapart.timing import Progress

N_ALIKE: Final = 6  # photos most alike: as many as fit beside an answer

Model = tuple[Predictor, NDArray[np.float32] | None]


def trial(desk: Desk, asked: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """The answer about one photo.

    Args:
        desk: the labelled photos are looked among for the most alike.
        asked: `pixels`, (px, px, 3) uint8 as the model gets them, in base64; `model`, its folder; and `whole`, whether
            the heatmap and the photos most alike are wanted too, which a moving picture has no time for.
        progress: told how far the reading of the photos is, where that was not done.

    Raises:
        ArtifactError: the model cannot be trusted or understood.
    """
    predictor, weight = desk.kept("model", _mark(asked["model"]), lambda: _opened(asked["model"]))
    px = predictor.preprocessing.input_px
    pixels = np.frombuffer(base64.b64decode(asked["pixels"]), np.uint8).reshape(px, px, 3)
    answers = predictor.answers(pixels)
    prediction = predictor.prediction(answers)
    said = {**prediction.to_json(), "between": list(prediction.between), "heatmap": None, "alike": None}
    if asked.get("whole") is not True:
        return said
    if weight is not None and answers.feature_map is not None:
        row = for_class(weight, int(answers.probs.argmax()))
        said["heatmap"] = data_uri(heatmap_png(class_activation(answers.feature_map, row), px))
    if answers.features is not None:
        said["alike"] = _alike(desk, answers.features, progress)
    return said


def _alike(desk: Desk, own: NDArray[np.float32], progress: Progress) -> list[str]:
    """The labelled photos that the network sees as most alike."""
    seen, marks = desk.seen(progress), desk.state.marks
    rows = [row for row, photo in enumerate(seen.photos) if marks[photo.id].label and not marks[photo.id].out]
    if not rows or own.shape != seen.values.shape[1:]:
        return []
    middle = seen.values.mean(axis=0)
    (asked,) = directions(own[None], middle)
    return [seen.photos[rows[i]].id for i in most_alike(asked, directions(seen.values[rows], middle), N_ALIKE)]


def _mark(model: str) -> tuple[str, int, int]:
    """Changes when the folder does."""
    status = (Path(model) / MANIFEST).stat()
    return model, status.st_mtime_ns, status.st_ino


def _opened(model: str) -> Model:
    artifact = load_artifact(Path(model))
    predictor = Predictor.from_artifact(artifact, streams=n_cores(), explains=True, looks=True)
    return predictor, head_weight(artifact.model)

"""The model that is served: compiled, with everything the page says about it, in memory before the first request."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import ArtifactError
from tellapart.model.artifact import EVALUATION, MODEL, Artifact, facts_of, load_artifact
from tellapart.model.cam import class_activation, data_uri, for_class, head_weight, heatmap_png
from tellapart.model.example_names import shown_classes
from tellapart.model.headline import score_of_headline
from tellapart.model.prediction import Predictor
from tellapart.parallel import n_cores


@dataclass(frozen=True)
class ServingModel:
    """One model, ready to answer. Safe to use from several threads.

    Args:
        predictor: the compiled graph.
        head: the head's weights (C, D), for heatmaps; None for a graph without them.
        facts: what `/v1/model` says.
        examples: JPEG files of the model's example photos.
    """

    predictor: Predictor
    head: NDArray[np.float32] | None
    facts: Mapping[str, Any]
    examples: tuple[bytes, ...]

    def answer(self, pixels: NDArray[np.uint8], *, heatmap: bool) -> dict[str, Any]:
        """What the API says about one photo.

        Args:
            pixels: (px, px, 3) uint8, preprocessed.
            heatmap: whether to draw where the likeliest class was seen.
        """
        answers = self.predictor.answers(pixels)
        said = self.predictor.prediction(answers).to_json()
        del said["photo"]
        said["heatmap"] = None
        if heatmap and self.head is not None and answers.feature_map is not None:
            row = for_class(self.head, int(answers.probs.argmax()))
            activation = class_activation(answers.feature_map, row)
            said["heatmap"] = data_uri(heatmap_png(activation, self.predictor.preprocessing.input_px))
        said["seen"] = None
        return said


def open_model(folder: Path, *, streams: int | None = None) -> ServingModel:
    """Read, verify and compile the model in `folder`.

    Args:
        folder: what `tellapart train` wrote.
        streams: photos in flight at once; None is one a core.

    Raises:
        ArtifactError: it cannot be trusted or understood.
    """
    artifact = load_artifact(folder)
    return ServingModel(
        Predictor.from_artifact(artifact, streams=streams or n_cores(), explains=True),
        head_weight(artifact.model),
        _facts(artifact, _evaluation(artifact)),
        tuple(artifact.examples.values()),
    )


def _evaluation(artifact: Artifact) -> dict[str, Any]:
    try:
        n_test, accuracy = score_of_headline(artifact.evaluation)
        scores = accuracy and {key: float(accuracy[key]) for key in ("value", "low", "high")}
        said = {
            "headline": artifact.evaluation["headline"] and artifact.headline,
            "headline_with_leaks": artifact.headline_with_leaks,
            "n_test": int(n_test),
            "accuracy": scores,
        }
    except (AttributeError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise ArtifactError(f"The model's {EVALUATION} is incomplete.", hint="Train again.") from error
    if scores and not np.isfinite(list(scores.values())).all():
        raise ArtifactError(f"The model's {EVALUATION} has no finite accuracy.", hint="Train again.")
    return said


def _facts(artifact: Artifact, evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """What `/v1/model` says, but for the server's limits."""
    manifest = artifact.manifest
    shown = [
        {"src": f"/v1/examples/{number}", "class_name": class_name}
        for number, class_name in enumerate(shown_classes(artifact).values(), start=1)
    ]
    return {
        "name": manifest["name"],
        "class_names": list(artifact.class_names),
        **evaluation,
        **facts_of(artifact),
        "sha256": manifest["files"][MODEL],
        "examples": shown,
    }

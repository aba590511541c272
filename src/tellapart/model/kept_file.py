"""out_of_fold.json: the scores that a model's thresholds rest on, as JSON with columns of float32 in base64."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.classifier.kept_scores import KeptScores, Scored
from tellapart.errors import ArtifactError

MOST_VALUES = 4_000_000  # numbers in all, 21 MB; a model of more classes or photos keeps none
_OWN = ("scenes", "nearness", "unseen_confidences")
_SETS = ("out_of_fold", "tested", "reference")
_NEAR_REFERENCE = "near_reference"  # of models of few photos only
_TESTED_SCENES = "tested_scenes"  # where test photos of one scene repeat
_COLUMNS = {"labels", "probs", "ood_scores"}


def kept_file(kept: KeptScores) -> bytes | None:
    """The content of the file; None where there are too many values to keep."""
    n_classes = kept.out_of_fold.probs.shape[1]
    known = [rows for rows in (kept.reference, kept.near_reference) if rows is not None]
    n_rows = 2 * len(kept.out_of_fold) + len(kept.tested) + sum(map(len, known))
    if n_rows * (n_classes + 2) > MOST_VALUES:
        return None
    facts: dict[str, Any] = {"n_classes": n_classes}
    for name in _SETS:
        said = getattr(kept, name)
        facts[name] = None if said is None else _columns(said)
    facts["scenes"] = kept.scenes.tolist()
    facts["nearness"], facts["unseen_confidences"] = _packed(kept.nearness), _packed(kept.unseen_confidences)
    if kept.near_reference is not None:
        facts[_NEAR_REFERENCE] = _packed(kept.near_reference)
    if kept.tested_scenes is not None:
        facts[_TESTED_SCENES] = kept.tested_scenes.tolist()
    return json.dumps(facts, separators=(",", ":"), allow_nan=False).encode()


def _columns(said: Scored) -> dict[str, Any]:
    return {"labels": said.labels.tolist(), "probs": _packed(said.probs), "ood_scores": _packed(said.ood_scores)}


def parse_kept(data: bytes, n_classes: int) -> KeptScores:
    """The scores in the file `data` of a model of `n_classes`.

    Raises:
        ArtifactError: it is not such a file.
    """
    try:
        facts = _facts(data, n_classes)
        own = _scored(facts["out_of_fold"], n_classes)
        tested = _scored(facts["tested"], n_classes)
        reference = None if facts["reference"] is None else _scored(facts["reference"], n_classes)
        scenes = _whole(facts["scenes"], len(own), len(own) + 1)
        nearness = _unpacked(facts["nearness"], (len(own), n_classes))
        unseen = _unpacked(facts["unseen_confidences"], (len(own),), may_lack=True)
        near = facts.get(_NEAR_REFERENCE)
        near_reference = None if near is None else _unpacked(near, (-1, n_classes))
        alike = facts.get(_TESTED_SCENES)
        tested_scenes = None if alike is None else _whole(alike, len(tested), len(tested))
    except (ValueError, TypeError, LookupError, RecursionError, binascii.Error, OverflowError) as error:
        raise ArtifactError("The model's out-of-fold values are damaged.", hint="Train again.") from error
    return KeptScores(own, scenes, nearness, unseen, tested, reference, near_reference, tested_scenes)


def _facts(data: bytes, n_classes: int) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(data)
    if facts["n_classes"] != n_classes or set(facts) - {_NEAR_REFERENCE, _TESTED_SCENES} != {
        "n_classes",
        *_SETS,
        *_OWN,
    }:
        raise ValueError
    return facts


def _scored(facts: Mapping[str, Any], n_classes: int) -> Scored:
    if set(facts) != _COLUMNS:
        raise ValueError
    n = len(facts["labels"])
    probs = _unpacked(facts["probs"], (n, n_classes))
    if n and not (probs.min() >= 0 and np.allclose(probs.sum(axis=1), 1, atol=1e-3)):
        raise ValueError
    return Scored(_whole(facts["labels"], n, n_classes), probs, _unpacked(facts["ood_scores"], (n,)))


def _whole(values: Any, n: int, below: int) -> NDArray[np.int32]:
    """(n,) whole numbers in [0, below)."""
    if not isinstance(values, list) or len(values) != n or not all(type(v) is int and 0 <= v < below for v in values):
        raise ValueError
    return np.array(values, np.int32)


def _packed(values: NDArray[np.floating]) -> str:
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode()


def _unpacked(text: Any, shape: tuple[int, ...], *, may_lack: bool = False) -> NDArray[np.float32]:
    """An array of this shape, -1 for as long as it is; NaN stands for no number where that is allowed."""
    values = np.frombuffer(base64.b64decode(text, validate=True), "<f4").reshape(shape).astype(np.float32)
    if shape[0] < 0 and not len(values):
        raise ValueError
    if np.isinf(values).any() or (np.isnan(values).any() and not may_lack):
        raise ValueError
    return values

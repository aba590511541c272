"""What a manifest must hold, key by key, for a model folder to be ours."""

import math
from collections.abc import Mapping, Set
from typing import Any

THRESHOLDS = {"unknown_score", "confidence", "n"}
CLASS_THRESHOLD = {"label", "class_name", "probability", "recall", "kept", "low", "high", "n", "n_scenes"}
GUARANTEE = {"kept", "low", "high", "n", "n_refused", "n_refused_least"}  # what metrics.conformal.Guarantee holds


def is_complete(manifest: Mapping[str, Any], files_needed: Set[str]) -> bool:
    """Whether all that a model says of itself is there, each in its type and within its limits, those files too."""
    names, preprocessing, limits, files = (
        manifest.get(k) for k in ("class_names", "preprocess", "thresholds", "files")
    )
    model, data = manifest.get("model"), manifest.get("data")
    return (
        isinstance(names, list)
        and _is_texts(names)
        and len(set(names)) == len(names)
        and isinstance(manifest.get("name"), str)
        and isinstance(model, dict)
        and _is_texts([model.get(k) for k in ("quality", "backbone", "tellapart")])
        and isinstance(data, dict)
        and isinstance(data.get("n_train"), int)
        and isinstance(preprocessing, dict)
        and isinstance(preprocessing.get("input_px"), int)
        and 8 <= preprocessing["input_px"] <= 2048
        and preprocessing.get("fit") in ("squash", "crop")
        and isinstance(limits, dict)
        and _are_thresholds(limits, names)
        and _is_guarantee(manifest.get("promise"))
        and _is_known_as(manifest.get("known_as", {}), names)
        and isinstance(files, dict)
        and _is_texts(list(files.values()))
        and files_needed <= set(files)
    )


def _are_thresholds(limits: Mapping[str, Any], class_names: list[str]) -> bool:
    """Whether they are thresholds of a model of these classes; models of before have three keys."""
    own = limits.get("never_miss", [])
    return (
        THRESHOLDS <= set(limits) <= THRESHOLDS | {"early", "answer", "never_miss", "n_torn", "n_scenes"}
        and limits.get("early", True) is True
        and isinstance(limits["n"], int)
        and isinstance(limits.get("n_torn", 0), int)
        and _are_scenes(limits)
        and all(_is_limit(limits[k]) for k in ("unknown_score", "confidence"))
        and _is_share(limits.get("answer", 1))
        and isinstance(own, list)
        and all(_is_class_threshold(threshold, class_names) for threshold in own)
        and len({threshold["label"] for threshold in own}) == len(own)
    )


def _is_class_threshold(value: object, class_names: list[str]) -> bool:
    """Whether it is the threshold of a class not to be missed, and the name is that of its label."""
    return (
        isinstance(value, dict)
        and set(value) == CLASS_THRESHOLD
        and all(type(value[k]) is int and value[k] >= 0 for k in ("label", "n", "n_scenes"))
        and value["label"] < len(class_names)
        and value["class_name"] == class_names[value["label"]]
        and all(_is_share(value[k]) for k in ("probability", "recall", "kept", "low", "high"))
    )


def _is_known_as(value: object, class_names: list[str]) -> bool:
    """Whether it says of some classes what they were called when the model was trained; most models have none."""
    return (
        isinstance(value, dict)
        and set(value) <= set(class_names)
        and all(isinstance(then, str) for then in value.values())
        and len({value.get(name, name) for name in class_names}) == len(class_names)
    )


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value <= 1


def _is_guarantee(value: object) -> bool:
    """Whether it is a guarantee; models of the first days have none."""
    if value is None:
        return True
    return (
        isinstance(value, dict)
        and GUARANTEE <= set(value) <= GUARANTEE | {"n_scenes"}
        and _are_scenes(value)
        and all(_is_limit(v) and v is not None for v in value.values())
    )


def _are_scenes(value: Mapping[str, Any]) -> bool:
    """Whether the scenes, where they are counted, are fewer than the photos that they are of."""
    n_scenes = value.get("n_scenes", 1)
    return type(n_scenes) is int and n_scenes >= 1 and ("n_scenes" not in value or n_scenes < value["n"])


def _is_limit(value: object) -> bool:
    """Whether it is a threshold; 1e999 is JSON, but infinite."""
    return value is None or (isinstance(value, int | float) and abs(value) < math.inf)


def _is_texts(values: object) -> bool:
    return isinstance(values, list) and bool(values) and all(isinstance(v, str) for v in values)

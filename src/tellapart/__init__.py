"""tellapart: a folder of photos in, a classifier you can trust out.

    import tellapart

    tellapart.train("photos/", "burgers")
    tellapart.load("burgers").predict("lunch.jpg").answer

The names below are the stable ones; everything else may move between versions.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tellapart.data.source import Dataset as Dataset
    from tellapart.data.source import scan as scan
    from tellapart.errors import ArtifactError as ArtifactError
    from tellapart.errors import InputError as InputError
    from tellapart.errors import MissingExtraError as MissingExtraError
    from tellapart.errors import PhotoError as PhotoError
    from tellapart.errors import TellapartError as TellapartError
    from tellapart.errors import TrainingError as TrainingError
    from tellapart.model.prediction import Predictor as Predictor
    from tellapart.model.prediction import load as load
    from tellapart.model.predictions import Prediction as Prediction
    from tellapart.model.predictions import Predictions as Predictions
    from tellapart.recipe import FineTune as FineTune
    from tellapart.recipe import LinearProbe as LinearProbe
    from tellapart.recipe import Reading as Reading
    from tellapart.recipe import Scratch as Scratch
    from tellapart.recipe import Wishes as Wishes
    from tellapart.workflow.check import check as check
    from tellapart.workflow.compare import compare as compare
    from tellapart.workflow.estimator import PhotoClassifier as PhotoClassifier
    from tellapart.workflow.evaluate import evaluate as evaluate
    from tellapart.workflow.explain import explain as explain
    from tellapart.workflow.fit import TrainingOptions as TrainingOptions
    from tellapart.workflow.suggest import suggest as suggest
    from tellapart.workflow.threshold import threshold as threshold
    from tellapart.workflow.train import train as train

_PLACES = {
    "ArtifactError": "errors",
    "Dataset": "data.source",
    "Evaluation": "evaluation.evaluation",
    "FineTune": "recipe",
    "InputError": "errors",
    "LinearProbe": "recipe",
    "MissingExtraError": "errors",
    "PhotoClassifier": "workflow.estimator",
    "PhotoError": "errors",
    "Prediction": "model.predictions",
    "Predictions": "model.predictions",
    "Predictor": "model.prediction",
    "Reading": "recipe",
    "Scratch": "recipe",
    "TellapartError": "errors",
    "TrainingError": "errors",
    "TrainingOptions": "workflow.fit",
    "Wishes": "recipe",
    "check": "workflow.check",
    "compare": "workflow.compare",
    "evaluate": "workflow.evaluate",
    "explain": "workflow.explain",
    "export": "export.folder",
    "load": "model.prediction",
    "scan": "data.source",
    "suggest": "workflow.suggest",
    "threshold": "workflow.threshold",
    "train": "workflow.train",
}

# `import openvino` tells its makers so, over the network and without asking. Where the package that sends is absent, it
# has a silent one of its own; so for this process it is absent. docs/decisions/0002-dependencies.md
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None: Python's mark for "not there"


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import tellapart` costs nothing."""
    if name == "__version__":
        return import_module("importlib.metadata").version("tellapart")
    if name == "__all__":  # of `from tellapart import *`, which must not fail where an extra is absent
        return __dir__()
    if name not in _PLACES:
        raise AttributeError(f"module 'tellapart' has no attribute '{name}'")
    found = getattr(import_module(f"tellapart.{_PLACES[name]}"), name)
    if name == "export":  # importing it put the package of that name here, which would be found from now on
        globals()[name] = found
    return found


def __dir__() -> list[str]:
    absent = set() if import_module("tellapart.extras").has("sklearn") else {"PhotoClassifier"}
    return ["__version__", *(name for name in _PLACES if name not in absent)]

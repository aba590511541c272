"""The probe as a scikit-learn estimator: photos in, class names out."""

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tellapart.classifier.decision import Thresholds, claiming
from tellapart.classifier.kept_scores import Scored
from tellapart.classifier.probe import CalibratedHead
from tellapart.classifier.temperature import calibrated
from tellapart.classifier.trained import Trained
from tellapart.data.duplicates import united
from tellapart.data.groups import Groups, as_text, is_no_value
from tellapart.data.preprocess import Preprocess
from tellapart.data.source import Dataset
from tellapart.data.split import Split
from tellapart.engine.backbone import QUALITIES
from tellapart.errors import InputError, PhotoError
from tellapart.evaluation.wishes import decide
from tellapart.extras import missing
from tellapart.features.copies import find_copies
from tellapart.features.extract import Features, bundled_extractor
from tellapart.features.prepare import Prepared
from tellapart.model.artifact import MODEL, MODEL_FILES
from tellapart.model.cam import head_of
from tellapart.model.naming import MANIFEST
from tellapart.model.photo_like import TAKEN, PhotoLike, Taken, each_of, is_one, pixels_of, taken
from tellapart.model.prediction import Predictor
from tellapart.recipe import LinearProbe, Reading, Wishes
from tellapart.storage.atomic import refuse_unwritable, write_folder
from tellapart.text import quoted
from tellapart.workflow.fit import fit_probe_on
from tellapart.workflow.given import Given, given_dataset, probe_folder

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils import column_or_1d
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted
except ModuleNotFoundError as error:
    raise missing("sklearn", "PhotoClassifier needs scikit-learn, which is not installed.") from error

NAME = "PhotoClassifier"  # of a model folder that has no name yet: the one in a pickle


@dataclass(frozen=True)
class Restored:
    """What answers in a classifier that was sent: the head of its model folder, and the folder.

    Args:
        files: {name: content} of the model folder.
        predictor: the folder's graph.
        key: names the backbone that it was fitted on; where this version bundles the same, features that are
            remembered are used, and the answers are the same to the bit.
        temperature: of the head.
        thresholds: those of the folder.
    """

    files: Mapping[str, bytes]
    predictor: Predictor
    key: str
    temperature: float
    thresholds: Thresholds

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> "Restored":
        """From the content of a model folder that this program wrote."""
        manifest = json.loads(files[MANIFEST])
        how, thresholds = manifest["preprocess"], Thresholds.from_json(manifest["thresholds"])
        preprocessing = Preprocess(how["input_px"], how["fit"])
        predictor = Predictor(tuple(manifest["class_names"]), preprocessing, thresholds, files[MODEL])
        return cls(files, predictor, manifest["backbone"]["key"], manifest["temperature"], thresholds)

    def probs(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """(N, C) calibrated probabilities of `features` (N, D) by the backbone `key`."""
        return calibrated(head_of(self.files[MODEL]).logits(features), self.temperature)

    def probs_of(self, items: Iterable[Taken]) -> NDArray[np.float64]:
        """(N, C) the same of photos, by the graph, whatever backbones this version bundles."""
        pixels = (pixels_of(item, self.predictor.preprocessing) for item in items)
        return np.array([self.predictor.answers(one).probs for one in pixels], np.float64)


class PhotoClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A probe on frozen features that works wherever scikit-learn takes a classifier.

    Features are cached by content, so cross-validation and a grid search read every photo once.

    Args:
        quality: `fast`, `balanced` or `best`.
        fit_photos: `crop` or `squash`, how a photo becomes square.
        class_balance: in [0, 1]; 1 makes all classes count alike however many photos they have.
        never_miss: {label: share of its photos that no other label may be given to}: {"defect": 0.99}; `predict`
            then gives that label from its own decision threshold on, and the likeliest of several such labels.
        n_folds: of the inner cross-validation that chooses the regularisation.
        seed: of the folds.

    Attributes:
        classes_: (C,) sorted labels as given to `fit`.
        n_features_in_: 1, a path.
    """

    def __init__(
        self,
        quality: str = "balanced",
        *,
        fit_photos: str = "crop",
        class_balance: float = 0.5,
        never_miss: Mapping[Any, float] | None = None,
        n_folds: int = 5,
        seed: int = 0,
    ) -> None:
        self.quality = quality
        self.fit_photos = fit_photos
        self.class_balance = class_balance
        self.never_miss = never_miss
        self.n_folds = n_folds
        self.seed = seed

    def fit(self, X: Iterable[PhotoLike], y: ArrayLike, groups: ArrayLike | None = None) -> "PhotoClassifier":
        """Train on photos `X` (N,) with labels `y` (N,) of any kind.

        A photo is what `predict` of a model takes: a path, a file's content, an open file, an image or an array. Photos
        of equal `groups` (N,), where they are given, are never divided when something is chosen; one without a group
        (None, NaN, "") stands alone.

        Raises:
            InputError: a photo cannot be read, a label is missing, labels are numbers that are no classes, there are
                fewer than two classes, or `never_miss` names a label that does not exist or takes more photos of it.
            TypeError: `X` is one photo, or one of them is nothing that can be a photo.
        """
        names, items = self._taken(X)
        self.classes_, inverse = np.unique(_labels(y, len(items)), return_inverse=True)
        together = None if groups is None else tuple(as_text(group) for group in np.asarray(groups, object).ravel())
        if together is not None and len(together) != len(items):
            raise InputError(
                f"There must be one group for each photo. Got {len(items)} photos and {len(together)} groups."
            )
        if len(self.classes_) < 2:
            raise InputError(f"A classifier needs at least two classes. Got {len(self.classes_)} class.")
        trained = self._trained(names, items, np.asarray(inverse, np.int32), together)
        if self.never_miss:
            thresholds = self._decided(trained.calibrated, trained.prepared.duplicates.groups)
            trained = replace(trained, calibrated=replace(trained.calibrated, thresholds=thresholds))
        self.fitted_: CalibratedHead | Restored = trained.calibrated
        self._learned = trained
        self._seen_by = (self.quality, self.fit_photos)  # parameters may be set anew before the next `fit`
        self.n_features_in_ = 1
        return self

    def predict_proba(self, X: Iterable[PhotoLike]) -> NDArray[np.float64]:
        """(N, C) calibrated probabilities, columns in the order of `classes_`."""
        check_is_fitted(self, "fitted_")
        names, items = self._taken(X)
        fitted = self.fitted_
        if isinstance(fitted, Restored) and fitted.key not in {QUALITIES[self._seen_by[0]].key}:
            return fitted.probs_of(items)
        return fitted.probs(self._features(*self._dataset(names, items, self._seen_by)).values)

    def predict(self, X: Iterable[PhotoLike]) -> NDArray[np.generic]:
        """(N,) the likeliest label of each photo, or one that must not be missed."""
        probs = self.predict_proba(X)
        thresholds = self.fitted_.thresholds
        chosen = np.array([_chosen(p, thresholds) for p in probs], np.intp)
        winners: NDArray[np.generic] = self.classes_[chosen]
        return winners

    def save(self, folder: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write the model folder that `tellapart.load`, `predict`, `serve` and `export` take, with its report.

        Its score is a cross-validation of the photos that `fit` was given.

        Args:
            folder: where to; written as a whole.
            force: whether an existing model folder may be replaced.

        Raises:
            InputError: the folder cannot be written.
            TrainingError: the written model would not answer as this classifier.
        """
        check_is_fitted(self, "fitted_")
        target = Path(folder)
        refuse_unwritable(target, force=force, ours=MODEL_FILES)
        write_folder(target, self._files(target.name))

    def _files(self, name: str) -> Mapping[str, bytes]:
        """The content of the model folder; of one that was sent, as it was sent."""
        return self.fitted_.files if isinstance(self.fitted_, Restored) else probe_folder(self._learned, name)

    def __getstate__(self) -> dict[str, Any]:
        """For those who must send it: parameters, labels, and what was learned as the bytes of its model folder."""
        state = dict(super().__getstate__())
        if state.pop("fitted_", None) is not None:
            state.pop("_learned", None)
            state["folder"] = dict(self._files(NAME))
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """What `__getstate__` gave."""
        files = state.get("folder")
        super().__setstate__({key: value for key, value in state.items() if key != "folder"})
        if files is not None:
            self.fitted_ = Restored.from_files(files)

    def _trained(
        self, names: Sequence[str], items: Sequence[Taken], labels: NDArray[np.int32], groups: Sequence[str] | None
    ) -> Trained:
        recipe = LinearProbe(
            Reading(quality=self.quality, resize_mode=self.fit_photos),  # type: ignore[arg-type]  # checked there
            class_balance=self.class_balance,
            n_folds=self.n_folds,
            seed=self.seed,
        )
        dataset, preprocessing, quality = self._dataset(names, items, (self.quality, self.fit_photos), labels)
        read = self._features(dataset, preprocessing, quality)
        found = find_copies(read.values, read.pictures, read.pixel_hashes)
        if groups is not None:
            numbers = Groups(tuple(groups), "groups", "column").numbers
            found = replace(found, groups=united(found.groups, numbers))
        prepared = Prepared(
            dataset=dataset,
            values=read.values,
            pixel_hashes=read.pixel_hashes,
            duplicates=found,
            skipped=(),
            features=read,
            backbone=QUALITIES[self.quality],
            preprocessing=preprocessing,
            pictures=read.pictures,
        )
        everyone, nobody = np.arange(dataset.n), np.zeros(0, np.int64)
        return fit_probe_on(prepared, Split(everyone, nobody, nobody, "made"), recipe)

    def _decided(self, fitted: CalibratedHead, groups: NDArray[np.int32]) -> Thresholds:
        said = fitted.out_of_fold
        scored = Scored(said.labels, calibrated(said.logits, fitted.temperature).astype(np.float32), said.ood_scores)
        names = [str(label) for label in self.classes_]
        wishes = Wishes(never_miss={str(label): share for label, share in (self.never_miss or {}).items()})
        return decide(wishes, scored, groups[said.indices], names, fitted.thresholds)

    def _taken(self, photos: Iterable[PhotoLike]) -> tuple[list[str], list[Taken]]:
        """The path or name of each photo, and what there is of it."""
        if getattr(photos, "ndim", 0) == 2 and hasattr(photos, "columns") and photos.shape[1] == 1:  # type: ignore[attr-defined]
            photos = photos.iloc[:, 0]  # type: ignore[attr-defined]  # a column of paths is a data frame of one
        if is_one(photos):
            what = (
                f"{photos.dtype} array of {photos.shape}" if isinstance(photos, np.ndarray) else type(photos).__name__
            )
            raise TypeError(f"X must be a list of photos, each {TAKEN}. Got one {what}.")
        names, items = [], []
        for number, (name, item) in enumerate(taken(each_of(photos))):
            if isinstance(item, PhotoError):
                raise InputError(f"{quoted(name or f'photo {number}')}: {item.message}", hint=item.hint) from item
            names.append(name)
            items.append(item)
        return names, items

    def _dataset(
        self,
        names: Sequence[str],
        items: Sequence[Taken],
        seen_by: tuple[str, str],
        labels: NDArray[np.int32] | None = None,
    ) -> tuple[Dataset, Preprocess, str]:
        """The photos, and how and by which quality they are seen."""
        with bundled_extractor(*seen_by) as extractor:  # type: ignore[arg-type]  # checked there
            preprocessing = extractor.preprocessing
        classes = ["photo"] if labels is None else [str(label) for label in self.classes_]
        numbers = np.zeros(len(items), np.int32) if labels is None else labels
        return given_dataset(names, items, numbers, classes, Given(items, preprocessing)), preprocessing, seen_by[0]

    def _features(self, dataset: Dataset, preprocessing: Preprocess, quality: str) -> Features:
        with bundled_extractor(quality, preprocessing.resize_mode) as extractor:
            features = extractor.extract(dataset)
        for index, error in sorted(features.errors.items()):
            raise InputError(f"{quoted(dataset.photos[index])}: {error.message}", hint=error.hint) from error
        return features

    def __sklearn_tags__(self):  # type: ignore[no-untyped-def]
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        return tags


def _labels(y: ArrayLike, n: int) -> NDArray[Any]:
    """(n,) labels of classes.

    Raises:
        InputError: one is missing, there are more or fewer than photos, or they are no classes.
    """
    if y is None:
        raise InputError("PhotoClassifier requires y to be passed, but the target y is None.")
    labels = np.asarray(y)
    if labels.ndim == 2 and labels.shape[1] > 1:
        hint = "Give the name of its class for each photo; of one column a class, y.argmax(axis=1)."
        raise InputError(f"y should be a 1d array of labels. Got {labels.shape}.", hint=hint)
    labels = column_or_1d(labels, warn=True)
    _refuse_missing(np.asarray(y, object).ravel())  # as they were given: numpy makes NaN beside names a name
    if len(labels) != n:
        raise InputError(f"There must be one label for each photo. Got {n} photos and {len(labels)} labels.")
    try:
        check_classification_targets(labels)
        np.unique(labels)
    except (ValueError, TypeError) as error:
        raise InputError(
            f"Labels must be classes. {error}" if isinstance(error, ValueError) else "Labels must be of one type.",
            hint="Numbers that measure something are no classes; name the classes, or round them to whole numbers.",
        ) from error
    return np.asarray(labels)


def _refuse_missing(labels: Iterable[object]) -> None:
    named = set()
    for number, label in enumerate(labels):
        if is_no_value(label) or (isinstance(label, float | np.floating) and not math.isfinite(label)):
            raise InputError(
                f"Input y contains NaN, None or NA: the label of photo {number} is missing: {label}. "
                "It may contain no infinity either.",
                hint="Leave that photo out.",
            )
        named.add(isinstance(label, str))
    if len(named) > 1:
        raise InputError("Labels must be all names or all numbers. Got both.", hint="Make all of them names: str(y).")


def _chosen(probs: NDArray[np.float64], thresholds: Thresholds) -> int:
    """The likeliest of the labels not to be missed that claim the photo; without any, the likeliest of all."""
    among = claiming(probs, thresholds) or range(len(probs))
    return max(among, key=lambda label: probs[label])

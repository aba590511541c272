"""The probe as a scikit-learn estimator: photo paths in, class names out."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tellapart.classifier.decision import Thresholds, claiming
from tellapart.classifier.kept_scores import Scored
from tellapart.classifier.probe import CalibratedHead, fit_probe, make_folds
from tellapart.classifier.temperature import calibrated
from tellapart.data.groups import Groups, as_text, is_no_value, united
from tellapart.data.source import Dataset
from tellapart.errors import InputError
from tellapart.evaluation.wishes import decide
from tellapart.extras import missing
from tellapart.features.copies import find_copies
from tellapart.features.extract import Features, bundled_extractor
from tellapart.recipe import LinearProbe, Reading, Wishes
from tellapart.text import quoted

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils.validation import check_is_fitted
except ModuleNotFoundError as error:
    raise missing("sklearn", "PhotoClassifier needs scikit-learn, which is not installed.") from error

Paths = Sequence[str | os.PathLike[str]]


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

    def fit(self, paths: Paths, y: ArrayLike, groups: ArrayLike | None = None) -> "PhotoClassifier":
        """Train on photos at `paths` (N,) with labels `y` (N,) of any kind.

        Photos of equal `groups` (N,), where they are given, are never divided when something is chosen; one without a
        group (None, NaN, "") stands alone.

        Raises:
            InputError: a photo cannot be read, there are fewer than two classes, or `never_miss` names a label that
                does not exist or takes more photos of it.
        """
        if any(map(is_no_value, np.asarray(y, object).ravel())):  # an array of texts would say "nan"
            raise InputError("Input y contains NaN, None or NA.", hint="Leave out the photos that have no label.")
        labels = np.asarray(y)
        self.classes_, inverse = np.unique(labels, return_inverse=True)
        if len(paths) != len(labels):
            raise InputError(
                f"There must be one label for each photo. Got {len(paths)} photos and {len(labels)} labels."
            )
        names = None if groups is None else tuple(as_text(group) for group in np.asarray(groups, object).ravel())
        if names is not None and len(names) != len(labels):
            raise InputError(
                f"There must be one group for each photo. Got {len(labels)} photos and {len(names)} groups."
            )
        if len(self.classes_) < 2:
            raise InputError(f"A classifier needs at least two classes. Got {len(self.classes_)}.")
        recipe = LinearProbe(
            Reading(quality=self.quality), class_balance=self.class_balance, n_folds=self.n_folds, seed=self.seed
        )
        numbers = np.asarray(inverse, np.int32)
        read, n_classes = self._read(paths), len(self.classes_)
        features = read.values
        together = find_copies(features, read.pictures, read.pixel_hashes).groups
        if names is not None:
            together = united(together, Groups(names, "groups", "column").numbers)
        fitted = fit_probe(features, numbers, make_folds(numbers, together, recipe), n_classes, recipe, scenes=together)
        if self.never_miss:
            fitted = replace(fitted, thresholds=self._decided(fitted, together))
        self.fitted_ = fitted
        self.n_features_in_ = 1
        return self

    def predict_proba(self, paths: Paths) -> NDArray[np.float64]:
        """(N, C) calibrated probabilities, columns in the order of `classes_`."""
        check_is_fitted(self, "fitted_")
        return self.fitted_.probs(self._read(paths).values)

    def predict(self, paths: Paths) -> NDArray[np.generic]:
        """(N,) the likeliest label of each photo, or one that must not be missed."""
        probs = self.predict_proba(paths)
        thresholds = self.fitted_.thresholds
        chosen = np.array([_chosen(p, thresholds) for p in probs], np.intp)
        winners: NDArray[np.generic] = self.classes_[chosen]
        return winners

    def _decided(self, fitted: CalibratedHead, groups: NDArray[np.int32]) -> Thresholds:
        said = fitted.out_of_fold
        scored = Scored(said.labels, calibrated(said.logits, fitted.temperature).astype(np.float32), said.ood_scores)
        names = [str(label) for label in self.classes_]
        wishes = Wishes(never_miss={str(label): share for label, share in (self.never_miss or {}).items()})
        return decide(wishes, scored, groups[said.indices], names, fitted.thresholds)

    def _read(self, paths: Paths) -> Features:
        paths = [os.fspath(path) for path in np.asarray(paths, object).ravel()]
        dataset = Dataset.from_lists(paths, ["photo"] * len(paths))
        with bundled_extractor(self.quality, self.fit_photos) as extractor:  # type: ignore[arg-type]  # checked there
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


def _chosen(probs: NDArray[np.float64], thresholds: Thresholds) -> int:
    """The likeliest of the labels not to be missed that claim the photo; without any, the likeliest of all."""
    among = claiming(probs, thresholds) or range(len(probs))
    return max(among, key=lambda label: probs[label])

"""scikit-learn's own checks of an estimator, all of them: they hand over tables of numbers, so each row is painted."""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import check_is_fitted, validate_data

from tellapart import PhotoClassifier

SIDE_PX = 64
# Each of these takes half a minute: hundreds of pictures three times over, or a whole model folder in each pickle. What
# they hold is held on photos in test_estimator.py.
LONG = {"check_classifiers_train", "check_estimators_pickle", "check_positive_only_tag_during_fit"}
# {name of a check: why it need not pass}. Empty: all do. As it is, `PhotoClassifier` says by its tags that it takes no
# tables of numbers, and scikit-learn then asks next to nothing.
EXPECTED_TO_FAIL: dict[str, str] = {}


class Painted(PhotoClassifier):
    """Takes tables of numbers, and shows each row to the classifier as a picture: a coloured square for each number."""

    def _taken(self, photos):
        return super()._taken([painted(row) for row in photos])

    def fit(self, X, y, groups=None):
        X = validate_data(self, X, dtype=np.float64)
        n = self.n_features_in_
        super().fit(X, y, groups)
        self.n_features_in_ = n
        return self

    def predict_proba(self, X):
        check_is_fitted(self, "fitted_")
        return super().predict_proba(validate_data(self, X, dtype=np.float64, reset=False))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.one_d_array = tags.input_tags.string = False
        return tags


def painted(row):
    values = np.clip(128 + 40 * row, 0, 255).astype(np.uint8)
    columns = int(np.ceil(np.sqrt(len(row))))
    square = SIDE_PX // columns
    image = np.full((SIDE_PX, SIDE_PX, 3), 128, np.uint8)
    for i, value in enumerate(values.tolist()):
        top, left = (square * place for place in divmod(i, columns))
        image[top : top + square, left : left + square] = value, 255 - value, 3 * value % 256
    return image


def expected(_estimator):
    return EXPECTED_TO_FAIL


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the checks provoke warnings, and look for those that should be there
@parametrize_with_checks([Painted("fast")], expected_failed_checks=expected)
def test_a_check_of_scikit_learn(estimator, check, request, thorough):
    if not thorough and any(name in request.node.name for name in LONG):
        pytest.skip("half a minute each; in scripts/test --all")
    check(estimator)

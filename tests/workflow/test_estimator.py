"""Wherever scikit-learn takes a classifier, it takes this one."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score

from tellapart.errors import InputError
from tellapart.workflow.estimator import PhotoClassifier


@pytest.fixture(scope="module")
def photos(clothing):
    """60 photos of three classes: paths and string labels."""
    keep = [i for i in range(clothing.n) if clothing.labels[i] != 0]
    names = np.array(clothing.class_names)[clothing.labels[keep]]
    return [clothing.places[i] for i in keep], names


@pytest.fixture(scope="module")
def fitted(photos, session_cache):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TELLAPART_CACHE_DIR", str(session_cache))
        return PhotoClassifier("fast", n_folds=3).fit(*photos)


def test_parameters_are_scikit_learns(photos):
    made = PhotoClassifier("fast", class_balance=1.0, n_folds=3, seed=7, fit_photos="squash")
    assert made.get_params() == {
        "quality": "fast",
        "class_balance": 1.0,
        "never_miss": None,
        "n_folds": 3,
        "seed": 7,
        "fit_photos": "squash",
    }
    copy = clone(made)
    assert copy is not made
    assert copy.get_params() == made.get_params()
    assert copy.set_params(seed=8).seed == 8
    assert is_classifier(made)
    assert "PhotoClassifier" in repr(made)


def test_a_label_not_to_be_missed_is_given_from_its_own_threshold_on(fitted, photos, session_cache, monkeypatch):
    monkeypatch.setenv("TELLAPART_CACHE_DIR", str(session_cache))
    paths, names = photos
    wary = PhotoClassifier("fast", n_folds=3, never_miss={"hat": 0.8}).fit(paths, names)
    [threshold] = wary.fitted_.thresholds.never_miss
    probs = wary.predict_proba(paths)
    assert np.array_equal(probs, fitted.predict_proba(paths)), "probabilities stay as they are"
    claimed = probs[:, 0] >= threshold.prob
    expected = np.where(claimed, "hat", wary.classes_[probs.argmax(axis=1)])
    assert np.array_equal(wary.predict(paths), expected)
    with pytest.raises(InputError, match="takes 99 photos"):
        PhotoClassifier("fast", never_miss={"hat": 0.99}).fit(paths, names)
    with pytest.raises(InputError, match='no class "hut"'):
        PhotoClassifier("fast", never_miss={"hut": 0.8}).fit(paths, names)


def test_string_labels_come_back(fitted, photos):
    paths, names = photos
    assert fitted.classes_.tolist() == ["hat", "pants", "shoes"]
    winners = fitted.predict(paths)
    assert winners.dtype == names.dtype
    assert accuracy_score(names, winners) == fitted.score(paths, names) >= 0.95
    probs = fitted.predict_proba(paths)
    assert probs.shape == (60, 3)
    assert np.allclose(probs.sum(axis=1), 1)
    assert np.array_equal(fitted.classes_[probs.argmax(axis=1)], winners)


@pytest.mark.parametrize(
    "kind", [list, np.array, lambda paths: np.array(paths)[:, None]], ids=["list", "array", "column"]
)
def test_paths_of_every_kind(fitted, photos, kind):
    paths = photos[0][:6]
    assert np.array_equal(fitted.predict(kind(paths)), fitted.predict(paths))


@pytest.mark.parametrize("labels", [np.array([7, -3, 100]), np.array([True, False, True]), np.array([0.5, 1.5, 2.5])])
def test_labels_of_other_kinds(photos, labels):
    paths, names = photos
    y = labels[np.unique(names, return_inverse=True)[1]]
    got = PhotoClassifier("fast", n_folds=3).fit(paths, y)
    assert got.classes_.tolist() == sorted(set(labels.tolist()))
    assert (got.predict(paths) == y).mean() >= 0.95


def test_cross_validation(photos):
    scores = cross_val_score(PhotoClassifier("fast", n_folds=2), *photos, cv=StratifiedKFold(2))
    assert scores.shape == (2,)
    assert scores.min() >= 0.8


def test_grid_search(photos):
    search = GridSearchCV(
        PhotoClassifier("fast", n_folds=2),
        {"class_balance": [0.0, 1.0], "seed": [0]},
        cv=2,
        scoring="neg_log_loss",
        error_score="raise",
    ).fit(*photos)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_params_["class_balance"] in (0.0, 1.0)
    assert search.predict(photos[0][:4]).shape == (4,)


def test_same_seed_same_bytes(fitted, photos):
    again = clone(fitted).fit(*photos)
    assert again.fitted_.head.weight.tobytes() == fitted.fitted_.head.weight.tobytes()
    assert again.predict_proba(photos[0]).tobytes() == fitted.predict_proba(photos[0]).tobytes()


def test_not_fitted():
    with pytest.raises(NotFittedError):
        PhotoClassifier().predict(["a.jpg"])


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (PhotoClassifier("fats"), "There is no quality 'fats'."),
        (PhotoClassifier("fast", fit_photos="stretch"), "There is no fit 'stretch'."),
    ],
)
def test_unknown_options(photos, made, message):
    with pytest.raises(InputError) as caught:
        made.fit(*photos)
    assert caught.value.message == message
    assert caught.value.hint.startswith("Choose one of: ")


def test_one_class_is_not_enough(photos):
    with pytest.raises(InputError) as caught:
        PhotoClassifier("fast").fit(photos[0][:5], ["hat"] * 5)
    assert caught.value.message == "A classifier needs at least two classes. Got 1."


def test_as_many_labels_as_photos(photos):
    with pytest.raises(InputError) as caught:
        PhotoClassifier("fast").fit(photos[0], photos[1][:-1])
    assert caught.value.message == "There must be one label for each photo. Got 60 photos and 59 labels."


def test_a_photo_that_cannot_be_read_is_named(photos, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no photo")
    with pytest.raises(InputError) as caught:
        PhotoClassifier("fast").fit([*photos[0], broken], [*photos[1], "hat"])
    assert str(broken) in caught.value.message
    with pytest.raises(InputError):
        PhotoClassifier("fast").fit([*photos[0], tmp_path / "missing.jpg"], [*photos[1], "hat"])


def without_scikit_learn(code):
    """What a Python that has no scikit-learn prints: the mark for a module that is not there is Python's own."""
    script = f"import sys; sys.modules['sklearn'] = None\n{code}"
    child = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr
    return child.stdout.splitlines()


def test_without_scikit_learn_it_says_what_to_install():
    said = without_scikit_learn("""
import tellapart
for ask in (lambda: tellapart.PhotoClassifier, lambda: __import__("tellapart.workflow.estimator")):
    try:
        ask()
    except tellapart.MissingExtraError as error:
        print(error.message)
        print(error.hint)
""")
    assert (
        said
        == [
            "PhotoClassifier needs scikit-learn, which is not installed.",
            'Run: pip install "tellapart[sklearn]"',
        ]
        * 2
    )


@pytest.mark.slow
def test_without_scikit_learn_everything_else_is_there():
    said = without_scikit_learn("""
import tellapart
from tellapart import *
print(len(dir(tellapart)), "PhotoClassifier" in dir(tellapart), train.__name__, __version__ == tellapart.__version__)
""")
    assert said == ["24 False train True"]


def test_groups_stay_together_where_something_is_chosen(photos, fitted, session_cache, monkeypatch):
    monkeypatch.setenv("TELLAPART_CACHE_DIR", str(session_cache))
    paths, names = photos
    groups = [f"{name} {i % 4}" for i, name in enumerate(names)]
    grouped = PhotoClassifier("fast", n_folds=3).fit(paths, names, groups=groups)
    said = grouped.fitted_.out_of_fold
    assert len(said.indices) == len(paths)
    assert not np.array_equal(said.logits, fitted.fitted_.out_of_fold.logits)
    with pytest.raises(InputError, match=r"one group for each photo\. Got 60 photos and 2 groups"):
        PhotoClassifier("fast").fit(paths, names, groups=["a", "b"])
    some = [None, float("nan"), "", *range(len(paths) - 3)]
    alone = PhotoClassifier("fast", n_folds=3).fit(paths, names, groups=some)
    assert np.array_equal(
        alone.predict_proba(paths[:9]), PhotoClassifier("fast", n_folds=3).fit(paths, names).predict_proba(paths[:9])
    )


@pytest.mark.parametrize("missing", [None, np.nan, "NA", np.datetime64("NaT")])
@pytest.mark.parametrize("labels", ["text", "numbers"])
def test_a_missing_label_is_refused_as_scikit_learn_does(photos, missing, labels):
    paths, names = photos
    given = list(names) if labels == "text" else [float(name == names[0]) for name in names]
    given[3] = pytest.importorskip("pandas").NA if isinstance(missing, str) else missing
    with pytest.raises(ValueError, match="Input y contains NaN, None or NA"):
        PhotoClassifier("fast", n_folds=3).fit(paths, given)

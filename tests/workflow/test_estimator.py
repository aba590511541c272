"""Wherever scikit-learn takes a classifier, it takes this one."""

import io
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone, is_classifier
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from tellapart.errors import InputError
from tellapart.model.artifact import load_artifact
from tellapart.model.prediction import load
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


@pytest.mark.parametrize("labels", [np.array([7, -3, 100]), np.array([True, False, True]), np.array([1.0, 2.0, 4.0])])
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
    assert caught.value.message == "A classifier needs at least two classes. Got 1 class."


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
    assert said == ["28 False train True"]


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


def as_column(names):
    return names[:, None]


def test_a_column_of_labels_is_taken_with_a_warning(photos, fitted):
    paths, names = photos
    with pytest.warns(DataConversionWarning, match="column-vector y was passed"):
        column = PhotoClassifier("fast", n_folds=3).fit(paths, as_column(names))
    assert np.array_equal(column.predict_proba(paths), fitted.predict_proba(paths))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (lambda y: np.eye(3, dtype=int)[np.unique(y, return_inverse=True)[1]], r"1d array of labels\. Got \(60, 3\)"),
        (lambda y: [None, *y[1:]], "label of photo 0 is missing: None"),
        (lambda y: [*y[:-1], float("nan")], "label of photo 59 is missing: nan"),
        (lambda y: np.r_[np.nan, np.arange(59) % 3], "label of photo 0 is missing: nan"),
        (lambda y: np.linspace(0, 1, 60), "Labels must be classes.*continuous"),
        (lambda y: [1, *y[1:]], "all names or all numbers"),
        (lambda y: None, "target y is None"),
        (lambda y: "hat", "."),
    ],
    ids=["one-hot", "None", "NaN", "NaN among numbers", "continuous", "mixed", "nothing", "a word"],
)
def test_what_are_no_labels(photos, labels, message):
    paths, names = photos
    with pytest.raises(ValueError, match=message):
        PhotoClassifier("fast").fit(paths, labels(np.array(names, object)))


def kinds_of(paths):
    pandas = pytest.importorskip("pandas")
    each = [lambda p: Path(p).read_bytes(), lambda p: io.BytesIO(Path(p).read_bytes()), Path, str]
    each.append(lambda p: Image.open(io.BytesIO(Path(p).read_bytes())))
    kinds = [[kind(path) for path in paths] for kind in each]
    return [*kinds, pandas.Series(paths), pandas.DataFrame({"path": paths}), iter(paths)]


def test_photos_of_every_kind_are_learned_and_answered_alike(photos, fitted):
    paths, names = photos[0][::4], photos[1][::4]
    first = PhotoClassifier("fast", n_folds=3).fit(paths, names)
    for kind in kinds_of(paths):
        again = PhotoClassifier("fast", n_folds=3).fit(kind, names)
        assert np.array_equal(again.predict_proba(paths), first.predict_proba(paths))
    for kind in kinds_of(paths):
        assert np.array_equal(fitted.predict_proba(kind), fitted.predict_proba(paths))
    arrays = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    assert np.abs(fitted.predict_proba(arrays) - fitted.predict_proba(paths)).max() < 0.1


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros((4, 2)), r"X must be a list of photos, each a path.*float64 array of \(4, 2\)"),
        (np.array([["a", "b"]] * 4), r"array of paths must be one row"),
        ("a.jpg", "X must be a list of photos"),
        (3, "A photo must be a path"),
        ([3, 4, 5, 6], r"A photo must be a path.*Got int\."),
    ],
    ids=["numbers", "two columns", "one path", "a number", "a list of numbers"],
)
def test_what_is_no_list_of_photos(fitted, bad, message):
    with pytest.raises(TypeError, match=message):
        PhotoClassifier("fast").fit(bad, list("abab"))
    with pytest.raises(TypeError, match=message):
        fitted.predict(bad)


def test_parameters_set_after_fit_wait_for_the_next(fitted, photos):
    paths = photos[0][:6]
    before = fitted.predict_proba(paths)
    sent = pickle.loads(pickle.dumps(fitted))
    own = fitted.get_params()
    try:
        for each in (fitted, sent):
            each.set_params(quality="balanced", fit_photos="squash")
            assert np.array_equal(each.predict_proba(paths), before)
    finally:
        fitted.set_params(**own)


def test_in_a_pipeline(photos):
    paths, names = photos
    as_text = FunctionTransformer(lambda rows: [row["photo"] for row in rows])
    made = make_pipeline(as_text, PhotoClassifier("fast", n_folds=2))
    rows = [{"photo": path} for path in paths]
    assert made.fit(rows, names).score(rows, names) >= 0.95
    assert made.set_params(photoclassifier__seed=3).get_params()["photoclassifier__seed"] == 3


@pytest.mark.slow
def test_saved_it_is_a_model_folder_that_answers_alike(photos, fitted, tmp_path):
    paths, _ = photos
    fitted.save(tmp_path / "garments")
    artifact = load_artifact(tmp_path / "garments")
    assert artifact.class_names == ("dress", "hat", "pants", "shoes")[1:]
    assert "of 60 photos right" in artifact.headline
    said = load(tmp_path / "garments").predict(paths[:9])
    by_graph = np.array([[one.probs[name] for name in fitted.classes_] for one in said])
    assert np.abs(by_graph - fitted.predict_proba(paths[:9])).max() < 1e-4
    with pytest.raises(InputError):
        fitted.save(tmp_path / "garments")
    fitted.save(tmp_path / "garments", force=True)
    with pytest.raises(NotFittedError):
        PhotoClassifier().save(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


@pytest.mark.slow
def test_sent_it_answers_the_same_to_the_bit_and_by_its_graph_where_the_backbone_is_another(photos, fitted, tmp_path):
    paths, _ = photos
    sent = pickle.loads(pickle.dumps(fitted))
    assert sent.get_params() == fitted.get_params()
    assert np.array_equal(sent.predict_proba(paths), fitted.predict_proba(paths))
    assert np.array_equal(sent.predict(paths), fitted.predict(paths))
    again = pickle.loads(pickle.dumps(sent))
    again.save(tmp_path / "sent")
    assert load(tmp_path / "sent").class_names == tuple(fitted.classes_)
    other = replace(sent.fitted_, key="a backbone of another version")
    sent.fitted_ = other
    assert np.abs(sent.predict_proba(paths[:9]) - fitted.predict_proba(paths[:9])).max() < 1e-4
    assert not hasattr(pickle.loads(pickle.dumps(PhotoClassifier("fast", seed=3))), "fitted_")

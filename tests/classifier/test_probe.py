"""The head is scikit-learn's, and whatever is chosen is chosen on photos that it has not seen."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from tellapart.classifier import probe
from tellapart.classifier.ood import directions, fit_centres
from tellapart.classifier.probe import fit_heads, fit_probe, make_folds
from tellapart.data.split import ALWAYS_TRAINS
from tellapart.recipe import LinearProbe

EXACT = LinearProbe(tolerance=1e-5, class_balance=0.0)  # finer than float32 can always reach stops with a warning


def blobs(sizes, d=20, seed=0, spread=1.0):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes).astype(np.int32)
    order = rng.permutation(len(labels))
    scale, offset = 10.0 ** rng.uniform(-2, 2, d), rng.standard_normal(d) * 5
    x = rng.standard_normal((len(sizes), d))[labels] + spread * rng.standard_normal((len(labels), d))
    return (x * scale + offset).astype(np.float32)[order], labels[order]


def fit_head(features, labels, n_classes, recipe, c):
    return fit_heads(features, labels, n_classes, recipe, [c])[c]


def everyone_alone(labels):
    return np.arange(len(labels), dtype=np.int32)


def folds_of(labels, recipe=None):
    return make_folds(labels, everyone_alone(labels), recipe or LinearProbe())


def towards_the_median(standardised, deviations):
    return standardised * np.sqrt(deviations / np.median(deviations))


def pipeline(features, labels, c, weights=None):
    model = LogisticRegression(C=c, tol=1e-8, max_iter=5000, class_weight=weights)
    scaled = FunctionTransformer(towards_the_median, kw_args={"deviations": features.astype(np.float64).std(axis=0)})
    return make_pipeline(StandardScaler(), scaled, model).fit(features.astype(np.float64), labels)


@pytest.mark.parametrize("sizes", [(30, 30, 30), (60, 8, 25, 3)])
@pytest.mark.parametrize("c", [1e-3, 3e-2, 1.0])
def test_the_folded_head_is_scikit_learns_pipeline(sizes, c):
    features, labels = blobs(sizes)
    expected = pipeline(features, labels, c).decision_function(features.astype(np.float64))
    got = fit_head(features, labels, len(sizes), EXACT, c).logits(features)
    assert np.abs(got - expected).max() <= 2e-3 * max(1, np.abs(expected).max())


def test_heads_fitted_one_after_the_other_are_those_fitted_alone():
    features, labels = blobs((30, 30, 30))
    cs = (1e-2, 1e-3, 1e-1)
    together = fit_heads(features, labels, 3, EXACT, cs)
    for c in cs:
        alone = fit_head(features, labels, 3, EXACT, c).logits(features)
        assert np.abs(together[c].logits(features) - alone).max() <= 2e-3 * max(1, np.abs(alone).max())


def test_two_classes_are_scikit_learns_one_row_halved():
    """Half a row each has half the penalty that the whole row has, so theirs is the one at twice the C."""
    features, labels = blobs((40, 30))
    model = pipeline(features, labels, 0.02)
    got = fit_head(features, labels, 2, EXACT, 0.01).logits(features)
    assert got.shape == (70, 2)
    assert np.allclose(got[:, 1] - got[:, 0], model.decision_function(features.astype(np.float64)), atol=1e-3)
    assert np.allclose(got.sum(axis=1), 0, atol=1e-3)


@pytest.mark.parametrize("balance", [0.0, 0.5, 1.0])
def test_class_balance_is_a_weight_of_each_photo(balance):
    features, labels = blobs((80, 20, 5))
    raw = np.array([80.0, 20.0, 5.0]) ** -balance
    raw *= 105 / (raw * [80, 20, 5]).sum()
    expected = pipeline(features, labels, 0.01, dict(enumerate(raw))).decision_function(features.astype(np.float64))
    got = fit_head(features, labels, 3, replace(EXACT, class_balance=balance), 0.01).logits(features)
    assert np.abs(got - expected).max() <= 2e-3 * max(1, np.abs(expected).max())


def test_balance_helps_the_small_class():
    features, labels = blobs((200, 10), spread=3.0)
    recalls = [
        (
            fit_head(features, labels, 2, LinearProbe(class_balance=b), 1e-3).logits(features).argmax(1)[labels == 1]
            == 1
        ).mean()
        for b in (0.0, 1.0)
    ]
    assert recalls[1] > recalls[0]


@pytest.mark.parametrize("absent", [0, 1, 2, 3])
def test_a_class_without_photos_is_never_answered(absent):
    features, labels = blobs((20, 20, 20))
    labels = np.array([c for c in range(4) if c != absent], np.int32)[labels]
    head = fit_head(features, labels, 4, LinearProbe(), 0.01)
    logits = head.logits(features)
    assert np.isfinite(logits).all()
    assert head.weight.shape == (4, features.shape[1])
    assert not (logits.argmax(axis=1) == absent).any()
    assert ((logits.max(axis=1) - logits[:, absent]) > 50).all()


def test_constant_features_do_no_harm():
    features, labels = blobs((20, 20))
    features[:, 3] = 7.0
    head = fit_head(features, labels, 2, LinearProbe(), 0.01)
    assert np.isfinite(head.weight).all()
    assert np.allclose(head.weight[:, 3], 0)
    still = fit_head(np.full((40, 5), 2.0, np.float32), labels, 2, LinearProbe(), 0.01)
    assert np.isfinite(still.weight).all()


def test_a_feature_that_hardly_moves_is_not_blown_up():
    """Of few photos of two classes told apart by one feature, one that hardly moves and says nothing takes no part."""
    features, labels = blobs((4, 4), d=8, spread=0.2)
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    features[:, 0] = 1e-4 * (labels - 0.5)  # chance gave it the labels
    weight = fit_head(features.astype(np.float32), labels, 2, LinearProbe(), 0.1).weight
    effect = np.abs(weight[1] - weight[0]) * features.std(axis=0)
    assert effect[0] < 0.05 * effect[1:].max()


def test_moments_of_many_rows_are_those_of_all(monkeypatch):
    features, _ = blobs((500, 700))
    monkeypatch.setattr(probe, "MOMENTS_BLOCK", 97)
    mean, scale = probe._moments(features)
    assert np.allclose(mean, features.astype(np.float64).mean(axis=0))
    assert np.allclose(scale, features.astype(np.float64).std(axis=0))


def test_heads_never_see_the_photos_they_are_asked_about(monkeypatch):
    """Each out-of-fold row belongs to photos that its head was not fitted on; so do the centres."""
    features, labels = blobs((30, 25, 20))
    features[:, 0] = np.arange(75)  # every photo carries its number
    folds = folds_of(labels)
    seen = []
    real_fold = probe._fit_fold

    def fold(known, out, n_classes, recipe):
        result = real_fold(known, out, n_classes, recipe)
        x, y, train = known.features, known.labels, np.setdiff1d(known.indices, out)
        seen.append((set(train.tolist()), result.indices.tolist()))
        assert set(folds[out]).isdisjoint(folds[train])
        heads = fit_heads(x[train], y[train], 3, recipe, recipe.inverse_regularisation)
        for c, logits in result.logits.items():
            assert np.allclose(logits, heads[c].logits(x[result.indices]), rtol=1e-4, atol=1e-4)
        views = directions(x, None)
        centres = fit_centres(views[train], y[train], seed=0)
        assert np.array_equal(result.nearness, centres.nearness(views[result.indices], 3))
        return result

    monkeypatch.setattr(probe, "_fit_fold", fold)
    fitted = fit_probe(features, labels, folds, 3, LinearProbe())
    assert len(seen) == 5
    assert sorted(fitted.out_of_fold.indices.tolist()) == list(range(75))
    assert np.array_equal(fitted.out_of_fold.labels, labels[fitted.out_of_fold.indices])
    for train, out in seen:
        assert not train & set(out)


def test_a_memorised_photo_is_not_known_out_of_fold():
    """Features that are pure noise: in-sample all right, out-of-fold no better than chance."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((120, 400)).astype(np.float32)
    labels = (np.arange(120) % 2).astype(np.int32)
    fitted = fit_probe(features, labels, folds_of(labels), 2, LinearProbe())
    own = (fitted.head.logits(features).argmax(axis=1) == labels).mean()
    out = (fitted.out_of_fold.logits.argmax(axis=1) == fitted.out_of_fold.labels).mean()
    assert own > 0.95
    assert out < 0.7


def test_photos_that_always_train_are_never_asked_about():
    features, labels = blobs((30, 30))
    folds = np.where(np.arange(60) < 40, ALWAYS_TRAINS, 0).astype(np.int32)
    fitted = fit_probe(features, labels, folds, 2, LinearProbe())
    assert sorted(fitted.out_of_fold.indices.tolist()) == list(range(40, 60))
    assert fitted.thresholds.n == 20


def test_groups_stay_in_one_fold():
    _, labels = blobs((40, 40))
    groups = (np.arange(80) // 4).astype(np.int32)
    labels = (groups % 2).astype(np.int32)
    folds = make_folds(labels, groups, LinearProbe())
    assert all(len(set(folds[groups == s])) == 1 for s in range(20))
    assert set(folds) == {0, 1, 2, 3, 4}


def test_choosing_uses_at_most_so_many_photos_and_the_head_uses_all(monkeypatch):
    features, labels = blobs((300, 100, 60))
    fitted_on = []
    monkeypatch.setattr(probe, "fit_heads", lambda x, *rest: fitted_on.append(len(x)) or fit_heads(x, *rest))
    recipe = LinearProbe(max_choosing_photos=120, inverse_regularisation=(1e-3, 1e-2))
    fitted = fit_probe(features, labels, folds_of(labels), 3, recipe)
    assert abs(len(fitted.out_of_fold.indices) - 120) <= 3
    assert fitted_on.count(460) == 1
    assert all(n <= 122 for n in fitted_on if n != 460)
    shares = np.bincount(fitted.out_of_fold.labels) / len(fitted.out_of_fold.labels)
    assert np.allclose(shares, np.array([300, 100, 60]) / 460, atol=0.02)


def test_the_best_c_is_the_one_of_least_nll():
    features, labels = blobs((60, 60, 60), spread=2.0)
    fitted = fit_probe(features, labels, folds_of(labels), 3, LinearProbe())
    assert set(fitted.choice_nll) == set(LinearProbe().inverse_regularisation)
    assert fitted.choice_nll[fitted.inverse_regularisation] == min(fitted.choice_nll.values())


@pytest.mark.parametrize("sizes", [(2, 2), (2, 3), (2, 2, 2), (2, 40), (3, 2, 50)])
def test_tiny_sets_work(sizes):
    features, labels = blobs(sizes, spread=0.2)
    fitted = fit_probe(features, labels, folds_of(labels), len(sizes), LinearProbe())
    probs = fitted.probs(features)
    assert probs.shape == (len(labels), len(sizes))
    assert np.isfinite(probs).all()
    assert (probs.argmax(axis=1) == labels).mean() >= 0.75
    if len(labels) < 30:
        assert 0.5 < fitted.temperature < 2
        assert fitted.thresholds.ood_score is None
        assert fitted.thresholds.confidence is None


@pytest.mark.parametrize("folds", [[0, 0, 0, 0], [-1, -1, -1, -1], [0, 1, 0, 1]])
def test_folds_that_leave_nothing_to_choose_by(folds):
    features, labels = blobs((2, 2), spread=0.1)
    labels = np.array([0, 1, 0, 1], np.int32)
    fitted = fit_probe(features, labels, np.array(folds, np.int32), 2, LinearProbe())
    assert len(fitted.out_of_fold.indices) == 0
    assert fitted.temperature == 1.0
    assert fitted.inverse_regularisation in LinearProbe().inverse_regularisation
    assert np.isfinite(fitted.probs(features)).all()


def everything(fitted):
    return (
        fitted.head.weight.tobytes(),
        fitted.head.bias.tobytes(),
        fitted.temperature,
        fitted.centres.vectors.tobytes(),
        fitted.thresholds,
        fitted.out_of_fold.logits.tobytes(),
        fitted.choice_nll,
    )


def test_same_seed_same_bytes(clothing, clothing_features):
    runs = [
        fit_probe(clothing_features.values, clothing.labels, folds_of(clothing.labels), 4, LinearProbe())
        for _ in range(2)
    ]
    assert everything(runs[0]) == everything(runs[1])


def test_real_garments_are_told_apart_out_of_fold(clothing, clothing_features):
    seen = []
    fitted = fit_probe(
        clothing_features.values,
        clothing.labels,
        folds_of(clothing.labels),
        4,
        LinearProbe(),
        progress=lambda done, total: seen.append((done, total)),
    )
    right = fitted.out_of_fold.logits.argmax(axis=1) == fitted.out_of_fold.labels
    assert right.mean() >= 0.85
    assert np.allclose(fitted.probs(clothing_features.values).sum(axis=1), 1)
    assert seen == [(i, 6) for i in range(1, 7)]


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 99))
def test_shuffling_photos_changes_no_answer(seed):
    features, labels = blobs((25, 25), seed=seed)
    folds = folds_of(labels)
    order = np.random.default_rng(seed).permutation(50)
    recipe = LinearProbe(tolerance=1e-4, inverse_regularisation=(1e-3, 1e-2))
    a = fit_probe(features, labels, folds, 2, recipe)
    b = fit_probe(features[order], labels[order], folds[order], 2, recipe)
    assert np.array_equal(np.sort(order[b.out_of_fold.indices]), np.sort(a.out_of_fold.indices))
    for c in recipe.inverse_regularisation:
        assert a.choice_nll[c] == pytest.approx(b.choice_nll[c], rel=0.02, abs=0.01)
    if a.inverse_regularisation == b.inverse_regularisation:
        assert np.allclose(a.probs(features), b.probs(features), atol=0.02)


def test_an_exception_in_progress_stops_the_fit():
    features, labels = blobs((20, 20))

    def stop(done, total):
        raise KeyError("enough")

    with pytest.raises(KeyError):
        fit_probe(features, labels, folds_of(labels), 2, LinearProbe(), progress=stop)

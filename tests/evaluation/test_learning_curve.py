"""The curve is what fitting again would give, and it says nothing where it knows nothing."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.classifier.probe import fit_heads, fit_probe, make_folds
from tellapart.data.split import ALWAYS_TRAINS
from tellapart.evaluation.evaluation import as_json
from tellapart.evaluation.learning_curve import (
    FARTHEST,
    USUAL_SLOPE,
    Curve,
    fit_slope,
    learning_curve,
    nested_positions,
)
from tellapart.recipe import LinearProbe

RECIPE = LinearProbe(inverse_regularisation=(0.01,))


def blobs(sizes, d=12, seed=0, spread=2.0):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes).astype(np.int32)
    features = rng.standard_normal((len(sizes), d))[labels] + spread * rng.standard_normal((len(labels), d))
    order = rng.permutation(len(labels))
    return features[order].astype(np.float32), labels[order]


def alone(labels):
    return np.arange(len(labels), dtype=np.int32)


def curve_of(features, labels, n_classes, recipe=RECIPE, folds=None, groups=None):
    groups = alone(labels) if groups is None else groups
    folds = make_folds(labels, groups, recipe) if folds is None else folds
    fitted = fit_probe(features, labels, folds, n_classes, recipe)
    return learning_curve(features, labels, folds, groups, n_classes, recipe, fitted), fitted


def a_curve(slope=0.3, slope_sd=0.05, error=0.1, error_sd=0.1, n=800, n_now=1000):
    return Curve(
        (n // 2, n), (1 - error * 2**slope, 1 - error), 1000, n_now, np.log(error), error_sd**2, slope, slope_sd**2
    )


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=60),
    st.floats(0.01, 1),
    st.floats(0.01, 1),
    st.integers(0, 5),
)
def test_smaller_shares_lie_inside_larger_ones_and_hold_every_class(photos, s, t, seed):
    labels, groups = (np.array(column, np.int32) for column in zip(*photos, strict=True))
    s, t = sorted((s, t))
    positions = nested_positions(labels, groups, np.random.default_rng(seed))
    small, large = positions < s, positions < t
    assert not (small & ~large).any()
    assert set(labels[small]) == set(labels)
    for c in np.unique(labels):
        assert abs(small[labels == c].sum() - s * (labels == c).sum()) < 1
        cut = [g for g in np.unique(groups[labels == c]) if len(set(small[(labels == c) & (groups == g)])) == 2]
        assert len(cut) <= 1, "only the group at the edge is cut"


def test_groups_join_whole_whatever_their_photos_order():
    labels, groups = np.zeros(40, np.int32), np.tile(np.arange(10, dtype=np.int32), 4)
    half = nested_positions(labels, groups, np.random.default_rng(0)) < 0.5
    assert half.sum() == 20
    assert all(half[groups == g].all() or not half[groups == g].any() for g in range(10))


def test_the_points_are_what_fitting_again_gives():
    """A twin that fits fold by fold and share by share, one photo asked at a time."""
    features, labels = blobs((60, 60, 60))
    recipe = replace(RECIPE, tolerance=1e-3)
    folds = make_folds(labels, alone(labels), recipe)
    curve, fitted = curve_of(features, labels, 3, recipe, folds)
    said = fitted.out_of_fold
    rng = np.random.default_rng(recipe.seed)
    right = {1 / 8: 0, 1 / 4: 0, 1 / 2: 0}
    for fold in range(5):
        pool = np.array([i for i in said.indices if folds[i] != fold])
        positions = nested_positions(labels[pool], pool.astype(np.int32), rng)
        for share in right:
            train = pool[positions < share]
            head = fit_heads(features[train], labels[train], 3, recipe, [0.01])[0.01]
            out = [i for i in said.indices if folds[i] == fold]
            right[share] += sum(int(head.logits(features[i : i + 1]).argmax() == labels[i]) for i in out)
    last = (said.logits.argmax(axis=1) == said.labels).mean()
    assert curve.overall.accuracies == pytest.approx([n / 180 for n in right.values()] + [last])
    assert curve.overall.n_photos == (18, 36, 72, 144)
    assert curve.overall.n_now == 180
    assert [k.n_photos for k in curve.per_class] == [(6, 12, 24, 48)] * 3
    mean = np.mean([k.accuracies for k in curve.per_class], axis=0)
    assert np.allclose(curve.overall.accuracies, mean), "classes are of one size, so recalls average to the accuracy"


def test_smaller_shares_are_asked_about_photos_that_they_have_not_seen():
    """Noise that can be learned by heart: a head that saw the photos would be right."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((160, 300)).astype(np.float32)
    labels = (np.arange(160) % 2).astype(np.int32)
    curve, _ = curve_of(features, labels, 2)
    assert max(curve.overall.accuracies) < 0.7
    assert (fit_heads(features, labels, 2, RECIPE, [0.01])[0.01].logits(features).argmax(1) == labels).mean() > 0.95


def test_a_validation_part_is_asked_and_the_rest_trains():
    features, labels = blobs((80, 80))
    folds = np.where(np.arange(160) < 100, ALWAYS_TRAINS, 0).astype(np.int32)
    curve, _ = curve_of(features, labels, 2, folds=folds)
    assert curve.overall.n_asked == 60
    assert curve.overall.n_photos[-1] == 100
    assert curve.overall.n_photos[0] == pytest.approx(100 / 8, abs=1.1)


def test_more_photos_are_seen_to_help_and_the_curve_repeats():
    features, labels = blobs((120, 120, 120), d=40, spread=2.5)
    curve, _ = curve_of(features, labels, 3)
    assert curve.overall.accuracies[0] < curve.overall.accuracies[-1] - 0.03
    assert curve == curve_of(features, labels, 3)[0]


def test_a_class_with_few_photos_has_no_curve_of_its_own():
    features, labels = blobs((60, 60, 4))
    curve, _ = curve_of(features, labels, 3)
    assert curve.per_class[2] is None
    assert curve.per_class[0] is not None
    assert curve.summary().per_class[2] is None


@pytest.mark.parametrize("sizes", [(2, 2), (1, 1), (3, 3, 3), (15, 15)])
def test_too_few_photos_give_no_curve(sizes):
    features, labels = blobs(sizes)
    assert curve_of(features, labels, len(sizes))[0] is None


def test_many_classes_of_few_photos_start_later_or_not_at_all():
    features, labels = blobs((5,) * 20)
    assert curve_of(features, labels, 20)[0] is None or curve_of(features, labels, 20)[0].overall.n_photos[0] >= 40


def test_perfect_answers_and_identical_photos_do_no_harm():
    features, labels = blobs((60, 60), spread=0.01)
    curve, _ = curve_of(features, labels, 2)
    assert curve.overall.accuracies[-1] == 1
    now = curve.overall.error_at(120)
    assert 0 < now.low < now.value < now.high
    same, _ = curve_of(np.ones((80, 5), np.float32), np.tile([0, 1], 40).astype(np.int32), 2)
    assert same is None or np.isfinite(same.overall.log_error)


def test_the_slope_of_a_true_power_law_is_found_with_many_photos():
    rng, n = np.random.default_rng(0), np.array([100.0, 200.0, 400.0, 800.0])
    for slope in (0.1, 0.45):
        luck = rng.uniform(size=200_000)
        wrong = luck < 0.2 * (n[:, None] / 800) ** -slope
        found, variance = fit_slope(wrong, n, np.arange(200_000))
        # With BEND allowed for, even so many photos leave the usual slope some say.
        assert abs(found - slope) < abs(USUAL_SLOPE - slope)
        assert abs(found - slope) < 2 * variance**0.5


def test_the_slope_of_few_photos_is_the_usual_one_and_doubtful():
    wrong = np.zeros((4, 50), bool)
    wrong[:, 0] = True
    found, variance = fit_slope(wrong, np.array([5.0, 10.0, 20.0, 40.0]), np.arange(50))
    assert 0.15 < found < 0.35
    assert variance**0.5 > 0.08


def test_photos_of_one_group_count_as_one():
    rng = np.random.default_rng(0)
    wrong = rng.uniform(size=(3, 50)) < np.array([[0.4], [0.3], [0.2]])
    n = np.array([20.0, 40.0, 80.0])
    once = fit_slope(wrong, n, np.arange(50))
    many = fit_slope(np.repeat(wrong, 20, axis=1), n, np.repeat(np.arange(50), 20))
    as_if = fit_slope(np.repeat(wrong, 20, axis=1), n, np.arange(1000))
    assert many[1] > as_if[1]
    assert many[0] == pytest.approx(once[0], abs=0.03)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.02, 0.8), st.floats(0.001, 0.2), st.floats(0.005, 0.6), st.floats(0.01, 0.5))
def test_what_is_foretold_hangs_together(slope, slope_sd, error, error_sd):
    curve = a_curve(slope, slope_sd, error, error_sd)
    errors = [curve.error_at(n) for n in (1000, 1500, 2000, 8000)]
    assert [e.value for e in errors] == sorted((e.value for e in errors), reverse=True)
    assert all(0 <= e.low <= e.value <= e.high <= 1 for e in errors)
    gain = curve.gain()
    assert (gain is None) == curve.flat
    if gain:
        assert 0 <= gain.low <= gain.value <= gain.high <= curve.error_at(1000).high
        assert gain.value == pytest.approx(curve.error_at(1000).value - curve.error_at(2000).value)
    needed = curve.photos_for(0.8)
    if needed:
        assert 0 < needed.low <= needed.more <= (FARTHEST - 1) * 1000
        assert needed.high is None or needed.high >= needed.more
        assert curve.kept(1 + needed.more / 1000).value <= 0.8 + 1e-9


def test_the_photos_needed_are_those_of_the_formula():
    needed = a_curve(slope=0.5, slope_sd=0.02).photos_for(0.5)
    assert needed.more == pytest.approx(3000, rel=0.01)  # 0.5 = 4 ** -0.5: four times as many
    assert needed.low < 3000 < needed.high


@pytest.mark.parametrize(
    "curve", [a_curve(slope=0.0), a_curve(slope=0.1, slope_sd=0.09), a_curve(slope=0.15, slope_sd=0.01)]
)
def test_nobody_says_when_a_flat_or_slow_curve_halves_its_mistakes(curve):
    assert curve.photos_for(0.5) is None


def test_far_ahead_nothing_is_foretold():
    assert a_curve().gain(FARTHEST * 1.01) is None


def test_the_usual_recipe_and_json(clothing_features, clothing):
    features, labels = np.asarray(clothing_features.values), clothing.labels
    curve, _ = curve_of(features, labels, 4, replace(LinearProbe(), inverse_regularisation=(0.01, 0.03)))
    said = as_json(curve.summary())
    assert said["overall"]["n_asked"] == 80
    assert said["overall"]["n_now"] == 80
    assert len(said["per_class"]) == 4
    assert 0 < said["overall"]["error_now"]["low"] <= said["overall"]["error_now"]["high"] <= 1

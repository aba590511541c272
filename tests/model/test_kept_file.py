"""out_of_fold.json gives back what was kept, and refuses everything else."""

import base64
import json
from dataclasses import replace

import numpy as np
import pytest

from tellapart.classifier.kept_scores import KeptScores, Scored
from tellapart.errors import ArtifactError
from tellapart.model import kept_file as module
from tellapart.model.kept_file import kept_file, parse_kept


def scored(n, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.ones(n_classes), n).astype(np.float32)
    return Scored(rng.integers(0, n_classes, n).astype(np.int32), probs, rng.random(n).astype(np.float32))


def kept(n=20, reference=True):
    rng = np.random.default_rng(1)
    unseen = np.where(rng.random(n) < 0.5, np.nan, rng.random(n)).astype(np.float32)
    nearness = rng.random((n, 3)).astype(np.float32)
    scenes = np.arange(n, dtype=np.int32) // 2
    return KeptScores(scored(n), scenes, nearness, unseen, scored(7, seed=2), scored(5, seed=3) if reference else None)


def same(a, b):
    for name in ("labels", "probs", "ood_scores"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


@pytest.mark.parametrize("n", [0, 1, 20])
@pytest.mark.parametrize("reference", [True, False])
def test_what_is_kept_comes_back_to_the_last_bit(n, reference):
    before = kept(n, reference)
    after = parse_kept(kept_file(before), 3)
    same(before.out_of_fold, after.out_of_fold)
    same(before.tested, after.tested)
    assert (after.reference is not None) == reference
    if reference:
        same(before.reference, after.reference)
    assert after.near_reference is None
    for name in ("scenes", "nearness", "unseen_confidences"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))


def test_few_photos_keep_what_an_early_threshold_goes_by():
    near = np.random.default_rng(4).random((9, 3)).astype(np.float32)
    after = parse_kept(kept_file(replace(kept(), near_reference=near)), 3)
    np.testing.assert_array_equal(after.near_reference, near)
    np.testing.assert_array_equal(after.scores_to_fit, 1 - near.max(axis=1))
    assert parse_kept(kept_file(kept()), 3).scores_to_fit is None


def test_scenes_of_test_photos_are_kept_where_they_repeat():
    alike = np.array([0, 0, 1, 2, 2, 2, 3], np.int32)
    after = parse_kept(kept_file(replace(kept(), tested_scenes=alike)), 3)
    np.testing.assert_array_equal(after.tested_scenes, alike)
    assert parse_kept(kept_file(kept()), 3).tested_scenes is None
    assert b"tested_scenes" not in kept_file(kept())


def test_too_many_values_are_not_kept(monkeypatch):
    monkeypatch.setattr(module, "MOST_VALUES", 100)
    assert kept_file(kept()) is None


def changed(**changes):
    facts = json.loads(kept_file(kept()))
    for key, value in changes.items():
        place, _, inner = key.partition("__")
        if inner:
            facts[place][inner] = value
        else:
            facts[place] = value
    return json.dumps(facts).encode()


def packed(values):
    return base64.b64encode(np.asarray(values, "<f4").tobytes()).decode()


@pytest.mark.parametrize("data", [
    b"", b"{", b"[]", b"null", b"{}", b"\xff", b"[" * 100_000,
    changed(n_classes=4), changed(more=1), changed(scenes=[0]), changed(scenes=[-1] * 20), changed(scenes=[True] * 20),
    changed(scenes=["0"] * 20), changed(scenes=[10**30] * 20), changed(nearness="x"), changed(nearness=5),
    changed(nearness=packed([1.0])), changed(nearness=packed([np.nan] * 60)), changed(reference=[]),
    changed(unseen_confidences=packed([np.inf] * 20)), changed(out_of_fold=None), changed(tested__labels=[3] * 7),
    changed(tested__labels=[0] * 6), changed(tested__probs=packed([2.0] * 21)), changed(tested__more=1),
    changed(tested__probs=packed([-1.0, 1.0, 1.0] * 7)), changed(tested__ood_scores=packed([np.inf] * 7)),
    changed(tested_scenes=[0]), changed(tested_scenes=[7] * 7), changed(tested_scenes="x"), changed(near_reference=""),
    changed(near_reference=packed([1.0] * 4)), changed(near_reference=packed([np.nan] * 3)),
])  # fmt: skip
def test_anything_else_is_refused_in_a_sentence(data):
    with pytest.raises(ArtifactError, match="out-of-fold values are damaged"):
        parse_kept(data, 3)

"""Scenes are whole, classes even, a half within its sample, whatever the scenes are called."""

import numpy as np
import pytest

from tellapart.shards.deal import deal

N = 20_000
HOW = {"n_sample": 4000, "n_held_out": 2000, "test_share": 0.2, "least_of_class": 50}


@pytest.fixture(scope="module")
def photos():
    """Photos in scenes of 1 to 40; classes from most of all down to three photos of one scene."""
    rng = np.random.default_rng(0)
    scenes = np.repeat(np.arange(N), rng.integers(1, 41, N))[:N].astype(np.int32)
    labels = rng.choice(4, N, p=[0.6, 0.3, 0.08, 0.02])[scenes].astype(np.int32)
    labels[-3:], scenes[-3:] = 4, scenes.max() + 1
    return labels, scenes


def parts(dealt):
    return [dealt.sample, dealt.held_out, dealt.rest, dealt.test]


def test_each_photo_is_in_one_part_and_no_scene_in_two(photos):
    labels, scenes = photos
    dealt = deal(labels, scenes, **HOW)
    assert (sum(part.astype(int) for part in parts(dealt)) == 1).all()
    of_scenes = [set(scenes[part].tolist()) for part in parts(dealt)]
    assert sum(map(len, of_scenes)) == len(set(scenes.tolist()))
    assert not (dealt.half & ~dealt.sample).any()


def test_parts_are_about_as_large_as_asked_in_each_class(photos):
    labels, scenes = photos
    dealt = deal(labels, scenes, **HOW)
    for label in range(3):
        own = labels == label
        assert dealt.test[own].mean() == pytest.approx(0.2, abs=0.05)
        assert dealt.held_out[own].mean() == pytest.approx(0.1, abs=0.05)
        assert dealt.half[own].sum() == pytest.approx(dealt.sample[own].sum() / 2, abs=45)
    assert dealt.sample[labels == 4].all(), "a class of one scene is learned"
    assert dealt.sample.sum() == pytest.approx(4000, rel=0.1)


def test_only_what_belongs_together_matters_and_not_how_it_is_numbered(photos):
    labels, scenes = photos
    other = np.random.default_rng(5).permutation(int(scenes.max()) + 1).astype(np.int32)[scenes]
    for one, two in zip(parts(deal(labels, scenes, **HOW)), parts(deal(labels, other, **HOW)), strict=True):
        assert (one == two).all()


def test_a_given_test_is_kept(photos):
    labels, scenes = photos
    given = np.arange(N) % 7 == 0
    dealt = deal(labels, scenes, **HOW, given_test=given)
    assert (dealt.test == given).all()
    assert not set(scenes[dealt.sample].tolist()) & set(scenes[dealt.held_out].tolist())

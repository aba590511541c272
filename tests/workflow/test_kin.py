"""Test photos asked with and without their kin: a planted day is seen, an idle one is not."""

import numpy as np
import pytest

from tellapart.data.duplicates import find_duplicates
from tellapart.data.preprocess import Preprocess
from tellapart.data.source import Dataset
from tellapart.engine.backbone import QUALITIES
from tellapart.features.prepare import Prepared
from tellapart.recipe import LinearProbe
from tellapart.workflow.kin import asked_twice

FAST = QUALITIES["fast"]
N_CLASSES, N_DAYS, N_PHOTOS = 3, 12, 8  # of each class; photos of each day


def prepared_set(day_matters, seed):
    """Photos of three classes; what is special about a day outweighs what is special about a class, or is not there."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(N_CLASSES), N_DAYS * N_PHOTOS).astype(np.int32)
    days = np.repeat(np.arange(N_CLASSES * N_DAYS), N_PHOTOS).astype(np.int32)
    of_class, of_day = rng.standard_normal((N_CLASSES, 64)), rng.standard_normal((N_CLASSES * N_DAYS, 64))
    features = 0.35 * of_class[labels] + day_matters * of_day[days] + rng.standard_normal((len(labels), 64))
    splits = np.where(rng.random(len(labels)) < 0.3, "test", "train").astype("U5")
    photos = tuple(f"album/{i:03}.jpg" for i in range(len(labels)))
    dataset = Dataset("album", tuple("abc"), photos, photos, labels, splits)
    hashes = np.array([f"{i:032x}" for i in range(len(labels))], "S32")
    values = features.astype(np.float32)
    known = (values, hashes, find_duplicates(values, hashes), (), None, FAST, Preprocess(224))
    return Prepared(dataset, *known), days


@pytest.mark.parametrize("seed", range(3))
def test_a_day_that_gives_photos_away_is_seen(seed):
    prepared, days = prepared_set(1.0, seed)
    said = asked_twice(prepared, LinearProbe())(days)
    assert said.p_value < 0.01
    assert said.n_b_right > said.n_a_right
    assert said.n == (prepared.dataset.splits == "test").sum()


@pytest.mark.parametrize("seed", range(5))
def test_a_day_that_tells_nothing_makes_no_difference(seed):
    prepared, days = prepared_set(0.0, seed)
    said = asked_twice(prepared, LinearProbe())(days)
    assert said.p_value > 0.01


def test_where_too_few_can_be_asked_nobody_says_anything():
    prepared, _ = prepared_set(0.0, 0)
    assert asked_twice(prepared, LinearProbe())(np.zeros(prepared.dataset.n, np.int32)) is None
    assert asked_twice(prepared, LinearProbe())(prepared.dataset.labels) is None

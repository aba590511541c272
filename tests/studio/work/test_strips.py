"""Strips: what is proposed is cheap to mend, no stack is in two, and nothing that must not be in one is."""

import numpy as np
import pytest

from tellapart.engine.backbone import QUALITIES
from tellapart.studio.work.proposals import fit_head
from tellapart.studio.work.strips import COLD, LONGEST, next_strips

N_CLASSES, N_EACH = 4, 80


@pytest.fixture(scope="module")
def blobs():
    """Features of four classes that lie apart, and the class of each."""
    rng = np.random.default_rng(0)
    backbone = QUALITIES["balanced"]
    centres = rng.normal(size=(N_CLASSES, backbone.n_features))
    truth = np.repeat(np.arange(N_CLASSES, dtype=np.int32), N_EACH)
    features = np.abs(centres[truth] + rng.normal(size=(len(truth), backbone.n_features))).astype(np.float32)
    order = rng.permutation(len(truth))
    return features[order], truth[order]


def labelled(truth, n):
    return np.where(np.arange(len(truth)) < n, truth, -1).astype(np.int32)


@pytest.mark.parametrize("n", [0, 3, COLD, 310])
def test_strips_share_no_stack_and_take_only_what_is_free(blobs, n):
    features, truth = blobs
    labels = labelled(truth, n)
    free = (labels < 0) & (np.arange(len(truth)) % 5 > 0)
    head = fit_head(features, labels, N_CLASSES, QUALITIES["balanced"])
    strips = next_strips(features, labels, free, head, 6)
    rows = np.concatenate([strip.rows for strip in strips])
    assert len(rows) == len(set(rows.tolist())) > 0
    assert free[rows].all()
    assert all(0 < len(strip.rows) <= LONGEST and 0 <= strip.sure <= 1 for strip in strips)
    assert all((strip.label >= 0) == (n >= COLD) for strip in strips)


def test_what_is_proposed_is_right_where_classes_lie_apart(blobs):
    features, truth = blobs
    labels = labelled(truth, COLD)
    head = fit_head(features, labels, N_CLASSES, QUALITIES["balanced"])
    for strip in next_strips(features, labels, labels < 0, head, 6):
        assert (truth[strip.rows] == strip.label).mean() > 0.95
        assert strip.sure > 0.9
    for strip in next_strips(features, labelled(truth, 0), np.ones(len(truth), bool), None, 4):
        assert np.bincount(truth[strip.rows]).max() > 0.9 * len(strip.rows)  # a cluster is of one class


@pytest.mark.parametrize("n_free", [0, 1, 5])
def test_the_last_few_are_a_strip_as_well(blobs, n_free):
    features, truth = blobs
    free = np.arange(len(truth)) < n_free
    for head in (None, fit_head(features, labelled(truth, 300), N_CLASSES, QUALITIES["balanced"])):
        labels = np.full(len(truth), -1, np.int32) if head is None else np.where(free, -1, truth).astype(np.int32)
        strips = next_strips(features[free] if head is None else features, labels[free] if head is None else labels,
                             free[free] if head is None else free, head, 6)  # fmt: skip
        assert sum(len(strip.rows) for strip in strips) == n_free

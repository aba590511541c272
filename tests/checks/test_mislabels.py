"""Wrong labels are found where they are planted, and nothing is claimed where nobody can know."""

import numpy as np
import pytest

from tellapart.checks.mislabels import MIN_PHOTOS, UNLIKELY, mislabel_findings, suspects
from tellapart.classifier.probe import fit_probe, make_folds
from tellapart.classifier.temperature import calibrated
from tellapart.data.source import Dataset
from tellapart.recipe import LinearProbe


def slow_suspects(probs, labels):
    """One photo after the other, in the words of the docstring."""
    found = []
    for i, (row, label) in enumerate(zip(probs, labels, strict=True)):
        others = [row[c] for c in range(len(row)) if c != label]
        odds = row[label] / (sum(others) / len(others)) if sum(others) else float("inf")
        if odds < UNLIKELY and row.argmax() != label:
            found.append((odds, i, int(row.argmax())))
    return [(i, c) for _, i, c in sorted(found)]


@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_suspects_equal_the_slow_twin(n_classes):
    rng = np.random.default_rng(n_classes)
    probs = rng.dirichlet(np.full(n_classes, 0.3), 400)
    labels = rng.integers(0, n_classes, 400)
    found = suspects(probs, labels)
    assert [(s.index, s.looks_like) for s in found] == slow_suspects(probs, labels)
    assert len(found) > 20
    assert [s.odds for s in found] == sorted(s.odds for s in found)


def test_photos_without_an_answer_are_no_suspects():
    rng = np.random.default_rng(0)
    probs, labels = rng.dirichlet(np.full(3, 0.3), 400), rng.integers(0, 3, 400)
    full = suspects(probs, labels)
    probs[full[0].index] = np.nan
    assert [s.index for s in suspects(probs, labels)] == [s.index for s in full[1:]]


def test_nothing_is_claimed_from_few_photos():
    rng = np.random.default_rng(0)
    probs, labels = rng.dirichlet(np.full(2, 0.1), MIN_PHOTOS), rng.integers(0, 2, MIN_PHOTOS)
    assert suspects(probs, labels)
    assert suspects(probs[1:], labels[1:]) == []
    assert suspects(np.full((MIN_PHOTOS, 2), np.nan), labels) == []
    assert suspects(np.ones((MIN_PHOTOS, 1)), np.zeros(MIN_PHOTOS, int)) == []
    many = rng.dirichlet(np.full(50, 0.1), 400)
    assert suspects(many, np.arange(400) % 50) == []  # 8 a class


def test_a_class_that_is_one_group_is_not_judged():
    labels = np.arange(200) % 2
    probs = np.where(labels[:, None] == [0, 1], 0.99, 0.01).astype(float)
    groups = np.arange(200)
    odd = np.flatnonzero(labels == 1)[:60]
    probs[odd] = [0.99, 0.01]
    assert len(suspects(probs, labels, groups)) == 60
    groups[odd] = odd[0]
    assert suspects(probs, labels, groups) == []
    groups[odd[:50]] = np.arange(300, 350)
    assert len(suspects(probs, labels, groups)) == 60  # a group of ten is a tenth of its class


def test_the_finding_names_the_class_it_looks_like():
    labels = (np.arange(200) % 2).astype(np.int32)
    probs = np.where(labels[:, None] == [0, 1], 0.9, 0.1).astype(float)
    probs[7], probs[4] = [0.99, 0.01], [0.05, 0.95]
    names = tuple(f"{i}.jpg" for i in range(200))
    dataset = Dataset("photos", ("cat", "dog"), names, names, labels, np.full(200, ""))
    [finding] = mislabel_findings(dataset, probs)
    assert finding.kind == "mislabelled"
    assert finding.sentence == "2 photos are likely in the wrong class."
    assert finding.photos == (
        ("7.jpg", 'in "dog"', 'looks like "cat"'),
        ("4.jpg", 'in "cat"', 'looks like "dog"'),
    )
    assert finding.suspects == ("7.jpg", "4.jpg")
    assert mislabel_findings(dataset, np.where(labels[:, None] == [0, 1], 0.9, 0.1)) == []


def test_planted_swaps_are_found_among_features():
    """Ten clouds of 40 photos; 20 labels are wrong."""
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(10, dtype=np.int32), 40)
    features = (3 * rng.standard_normal((10, 32))[truth] + 2 * rng.standard_normal((400, 32))).astype(np.float32)
    swapped = rng.choice(400, 20, replace=False)
    labels = truth.copy()
    labels[swapped] = (labels[swapped] + rng.integers(1, 10, 20)) % 10
    recipe = LinearProbe()
    fitted = fit_probe(features, labels, make_folds(labels, np.arange(400, dtype=np.int32), recipe), 10, recipe)
    probs = np.full((400, 10), np.nan)
    probs[fitted.out_of_fold.indices] = calibrated(fitted.out_of_fold.logits, fitted.temperature)
    found = {s.index: s.looks_like for s in suspects(probs, labels)}
    assert len(set(found) & set(swapped.tolist())) >= 17
    assert len(set(found) - set(swapped.tolist())) <= 4
    assert np.mean([truth[i] == c for i, c in found.items()]) >= 0.8

"""Wrong labels are found where they are planted, and nothing is claimed where nobody can know."""

from dataclasses import replace

import numpy as np
import pytest

from tellapart.checks.finding import Finding
from tellapart.checks.mislabels import MIN_PHOTOS, NEIGHBOURS, UNLIKELY, suspects, with_suspects
from tellapart.classifier.probe import fit_probe, make_folds
from tellapart.data.duplicates import find_duplicates
from tellapart.data.source import Dataset
from tellapart.recipe import LinearProbe


def slow_suspects(probs, labels, features):
    """One photo after the other, in the words of the docstring."""
    found, centred = [], features.astype(float) - features.astype(float).mean(axis=0)
    for i, (row, label) in enumerate(zip(probs, labels, strict=True)):
        if row.argmax() == label:
            continue
        cosines = centred @ centred[i] / np.linalg.norm(centred, axis=1) / np.linalg.norm(centred[i])
        cosines[i] = -2
        votes = [1 / len(row)] * len(row)
        for j in sorted(range(len(labels)), key=lambda j: -cosines[j])[:NEIGHBOURS]:
            votes[labels[j]] += max(cosines[j], 0)
        joint = row * votes
        others = [joint[c] for c in range(len(row)) if c != label]
        odds = joint[label] / (sum(others) / len(others))
        if odds < UNLIKELY:
            found.append((odds, i, int(joint.argmax())))
    return [(i, c) for _, i, c in sorted(found)]


def photos_of(n, n_classes, seed=0):
    """Probabilities, labels and features that have nothing to do with each other."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((n, 8)).astype(np.float32)
    return rng.dirichlet(np.full(n_classes, 0.3), n), rng.integers(0, n_classes, n), features


def clouds(swapped=20):
    """Ten clouds of 40 photos, far enough apart to be told; labels of which some are wrong, and which those are."""
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(10, dtype=np.int32), 40)
    features = (3 * rng.standard_normal((10, 32))[truth] + 2 * rng.standard_normal((400, 32))).astype(np.float32)
    wrong = rng.choice(400, swapped, replace=False)
    labels = truth.copy()
    labels[wrong] = (labels[wrong] + rng.integers(1, 10, swapped)) % 10
    return features, labels, truth, set(wrong.tolist())


def out_of_fold(features, labels, groups=None):
    recipe = LinearProbe()
    groups = np.arange(len(labels), dtype=np.int32) if groups is None else groups
    n_classes = labels.max() + 1
    fitted = fit_probe(features, labels, make_folds(labels, groups, recipe), n_classes, recipe)
    return fitted.out_of_fold_probs(len(labels))


@pytest.mark.parametrize(("n", "n_classes"), [(400, 2), (400, 3), (1300, 10)])
def test_suspects_equal_the_slow_twin(n, n_classes):
    probs, labels, features = photos_of(n, n_classes, seed=n_classes)
    found = suspects(probs, labels, features)
    assert [(s.index, s.looks_like) for s in found] == slow_suspects(probs, labels, features)
    assert len(found) > 20
    assert [s.odds for s in found] == sorted(s.odds for s in found)
    assert all(s.looks_like != labels[s.index] for s in found)


def test_photos_without_an_answer_are_no_suspects():
    probs, labels, features = photos_of(400, 3)
    full = suspects(probs, labels, features)
    probs[full[0].index] = np.nan
    assert [s.index for s in suspects(probs, labels, features)] == [s.index for s in full[1:]]


def test_nothing_is_claimed_from_few_photos():
    rng = np.random.default_rng(0)
    probs, labels, features = photos_of(MIN_PHOTOS, 2)
    assert suspects(probs, labels, features)
    assert suspects(probs[1:], labels[1:], features[1:]) == []
    assert suspects(np.full((MIN_PHOTOS, 2), np.nan), labels, features) == []
    assert suspects(np.ones((MIN_PHOTOS, 1)), np.zeros(MIN_PHOTOS, int), features) == []
    many, features = rng.dirichlet(np.full(60, 0.1), 480), rng.standard_normal((480, 8)).astype(np.float32)
    assert suspects(many, np.arange(480) % 60, features)  # 8 a class
    assert suspects(many[:300], np.arange(300) % 60, features[:300]) == []  # 5 a class


def test_photos_of_the_same_thing_vouch_for_each_other_and_accuse_the_odd_one():
    """A burst that no head has seen is taken for another class; one frame of another burst is filed wrongly."""
    features, labels, truth, _ = clouds(swapped=0)
    rng = np.random.default_rng(1)
    features[:30] = 8 * rng.standard_normal(32) + 0.1 * rng.standard_normal((30, 32))
    features[60:80] = features[40] + 0.1 * rng.standard_normal((20, 32))
    labels[79] = 3
    probs = np.full((400, 10), 0.01)
    probs[np.arange(400), truth] = 0.91
    probs[:30], probs[:30, 7] = 0.01, 0.91
    [found] = suspects(probs, labels, features)
    assert (found.index, found.looks_like) == (79, 1)


def dataset_of(labels, names):
    photos = tuple(f"{i}.jpg" for i in range(len(labels)))
    return Dataset("photos", names, photos, photos, labels, np.full(len(labels), ""))


def test_the_finding_names_the_class_it_looks_like_the_surest_first():
    features, labels, truth, wrong = clouds()
    dataset, alike = dataset_of(labels, tuple("abcdefghij")), find_duplicates(features, hashes(400))
    probs = out_of_fold(features, labels)
    found = suspects(probs, labels, features)
    [finding] = with_suspects([], dataset, alike, probs, features)
    assert finding.kind == "mislabelled"
    assert finding.sentence == f"{len(found)} photos are likely in the wrong class."
    assert finding.suspects == tuple(f"{s.index}.jpg" for s in found)
    first = found[0]
    assert first.index in wrong
    names = dataset.class_names
    assert finding.photos[0] == (
        f"{first.index}.jpg", f'in "{names[labels[first.index]]}"', f'looks like "{names[truth[first.index]]}"',
    )  # fmt: skip
    right = np.full((400, 10), 0.01)
    right[np.arange(400), labels] = 0.91
    assert with_suspects([], dataset, alike, right, features) == []


def hashes(n):
    return np.array([b"%032d" % i for i in range(n)], "S32")


def test_the_same_thing_in_two_classes_is_asked_about_once():
    """A wrong photo that is a copy of a right one is known by that pair alone, which says which of the two it is."""
    features, labels, truth, wrong = clouds()
    probs = out_of_fold(features, labels)
    ranked = [s.index for s in suspects(probs, labels, features)]
    torn = ranked[2]
    twin = next(i for i in range(400) if i not in wrong and truth[i] == truth[torn])
    copied = hashes(400)
    copied[twin] = copied[torn]
    dataset, alike = dataset_of(labels, tuple("abcdefghij")), find_duplicates(features, copied)
    pair = tuple(f"{i}.jpg" for i in sorted((torn, twin)))
    conflict, leak = Finding("label_conflict", "", "", (pair,), suspects=pair), Finding("leak", "", "")
    first, other, finding = with_suspects([conflict, leak], dataset, alike, probs, features)
    names = dataset.class_names
    row = (f"{torn}.jpg", f'in "{names[labels[torn]]}"', f'looks like "{names[truth[torn]]}"')
    assert first == replace(conflict, likely_wrong=(row,))
    assert first.to_json()["likely_wrong"] == (row,)
    assert other == leak
    assert finding.suspects == tuple(f"{i}.jpg" for i in ranked if i != torn)


def test_planted_swaps_are_found_among_features():
    features, labels, truth, wrong = clouds()
    ranked = suspects(out_of_fold(features, labels), labels, features)
    found = {s.index: s.looks_like for s in ranked}
    assert len(set(found) & wrong) >= 17
    assert len(set(found) - wrong) <= 4
    assert np.mean([truth[i] == c for i, c in found.items()]) >= 0.8
    assert {s.index for s in ranked[:10]} <= wrong

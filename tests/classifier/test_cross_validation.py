"""No photo is answered by a probe that has seen it."""

from dataclasses import replace

import numpy as np
import pytest

from tellapart.classifier.cross_validation import cross_validate
from tellapart.classifier.probe import fit_probe, make_folds
from tellapart.data.split import ALWAYS_TRAINS, cross_validated_split
from tellapart.engine.backbone import QUALITIES
from tellapart.features.prepare import prepare
from tellapart.recipe import LinearProbe, Reading
from tellapart.timing import Stopwatch, no_progress

RECIPE = LinearProbe(Reading(quality="fast"))


@pytest.fixture(scope="module")
def prepared(clothing, extractor):
    return prepare(clothing, extractor, no_progress, Stopwatch())


def folds_of(prepared):
    found = prepared.duplicates
    return cross_validated_split(prepared.dataset.labels, found.groups, found.copies, n_folds=RECIPE.n_folds).folds


def test_answers_are_those_of_a_probe_fitted_without_the_fold(prepared):
    folds = folds_of(prepared)
    crossed = cross_validate(prepared, folds, np.flatnonzero(folds != ALWAYS_TRAINS), RECIPE)
    assert np.allclose(crossed.probs.sum(axis=1), 1)
    out = folds == 2
    imagenet = QUALITIES["fast"].imagenet
    labels, groups = prepared.dataset.labels[~out], prepared.duplicates.groups[~out]
    alone = fit_probe(prepared.values[~out], labels, make_folds(labels, groups, RECIPE), 4, RECIPE, imagenet=imagenet)
    assert np.allclose(crossed.probs[out], alone.probs(prepared.values[out]), atol=1e-5)
    assert np.allclose(crossed.ood_scores[out], alone.centres.ood_scores(prepared.values[out]), atol=1e-5)


def test_labels_that_mean_nothing_score_like_chance(prepared):
    shuffled = np.random.default_rng(0).permutation(prepared.dataset.labels).astype(np.int32)
    lottery = replace(prepared, dataset=replace(prepared.dataset, labels=shuffled))
    every = np.arange(prepared.dataset.n)
    right = cross_validate(lottery, folds_of(lottery), every, RECIPE).probs.argmax(axis=1) == shuffled
    assert right.mean() < 0.45  # 0.25 by chance, sd 0.05; a probe that had seen them would get them all
    honest = cross_validate(prepared, folds_of(prepared), every, RECIPE).probs.argmax(axis=1) == prepared.dataset.labels
    assert honest.mean() > 0.85

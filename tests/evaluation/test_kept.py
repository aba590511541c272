"""What a training keeps is what was said by heads that had not seen the photo, or not even its class."""

import numpy as np
import pytest

from tellapart.classifier.decision import LEAST_PROMISED
from tellapart.classifier.probe import fit_heads
from tellapart.classifier.temperature import calibrated
from tellapart.engine.ood_reference import ood_reference
from tellapart.evaluation import document
from tellapart.evaluation.kept import of_reference
from tellapart.features.prepare import prepare
from tellapart.recipe import LinearProbe, Reading
from tellapart.timing import Stopwatch, no_progress
from tellapart.workflow.fit import fit, split_photos

RECIPE = LinearProbe(Reading(quality="fast"))


@pytest.fixture(scope="module")
def trained(clothing, extractor):
    prepared = prepare(clothing, extractor, no_progress, Stopwatch())
    return fit(prepared, split_photos(prepared, RECIPE, may_cross=True), RECIPE)


@pytest.fixture(scope="module")
def kept(trained):
    return document.tested(trained)[1]


def test_rough_heads_without_a_class_say_what_heads_fitted_to_the_end_say(trained, kept):
    fitted, learned = trained.calibrated, trained.split.learned
    said, c_chosen = fitted.out_of_fold, fitted.inverse_regularisation
    features, labels = trained.prepared.values[learned], trained.prepared.dataset.labels[learned]
    for c in np.unique(said.labels):
        own, others = said.labels == c, labels != c
        head = fit_heads(features[others], labels[others], len(fitted.head.bias), RECIPE, [c_chosen])[c_chosen]
        logits = head.logits(features[said.indices[own]])
        expected = calibrated(logits, fitted.temperature).max(axis=1)
        knowing = calibrated(np.delete(fitted.head.logits(features[said.indices[own]]), c, axis=1), fitted.temperature)
        off, knowing_off = kept.unseen_confidences[own] - expected, knowing.max(axis=1) - expected
        assert abs(off.mean()) < 0.15
        assert np.abs(off).mean() < np.abs(knowing_off).mean(), "which the head that knows the class does not"


def test_the_reference_to_fit_on_is_kept_where_photos_are_few(trained, kept):
    fitted = trained.calibrated
    known = ood_reference(trained.prepared.backbone)
    reference, near = of_reference(fitted, known)
    np.testing.assert_array_equal(reference.ood_scores, fitted.centres.ood_scores(known.counted().features))
    assert (near is None) == (fitted.thresholds.n >= LEAST_PROMISED)
    if near is not None:
        np.testing.assert_allclose(1 - near.max(axis=1), fitted.centres.ood_scores(known.to_fit), atol=1e-6)
    assert of_reference(fitted, None) == (None, None)
    assert len(kept.reference) == len(reference)

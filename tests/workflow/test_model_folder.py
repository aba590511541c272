"""A model is written only if its graph answers, file to probabilities, as the head that was tested."""

from dataclasses import replace

import pytest

from tellapart.errors import PhotoError, TrainingError
from tellapart.features.prepare import prepare
from tellapart.model.compose import compose
from tellapart.recipe import LinearProbe, Reading
from tellapart.timing import Stopwatch, no_progress
from tellapart.workflow.fit import fit, split_photos
from tellapart.workflow.model_folder import MAX_PROOF_DIFFERENCE, describe, proven

RECIPE = LinearProbe(Reading(quality="fast", test_share=0.2))


@pytest.fixture(scope="module")
def trained(clothing, extractor):
    prepared = prepare(clothing, extractor, no_progress, Stopwatch())
    return fit(prepared, split_photos(prepared, RECIPE, may_cross=False), RECIPE)


@pytest.fixture(scope="module")
def written(trained):
    description = describe(trained, name="garments")
    return compose(trained.prepared.backbone, trained.calibrated, description), description


def test_the_graph_of_the_tested_head_is_proven(trained, written):
    proof, examples = proven(*written, trained)
    assert proof.n > 0
    assert proof.largest_difference <= MAX_PROOF_DIFFERENCE
    assert examples


def test_a_photo_that_is_gone_before_the_proof_is_named(trained, written):
    dataset = trained.prepared.dataset
    gone = replace(dataset, places=tuple(f"{place}.gone" for place in dataset.places))
    with pytest.raises(PhotoError, match=r'^".*/.*\.jpg" can no longer be read: The file does not exist\.$'):
        proven(*written, replace(trained, prepared=replace(trained.prepared, dataset=gone)))


def test_the_graph_of_another_head_is_not_written(trained, written):
    """A bias that is off by a hundredth moves a probability by more than rounding does."""
    fitted = trained.calibrated
    bias = fitted.head.bias.copy()
    bias[0] += 0.02 * fitted.temperature
    other = replace(trained, calibrated=replace(fitted, head=replace(fitted.head, bias=bias)))
    with pytest.raises(TrainingError, match=r"answers '.*' differently from the tested one"):
        proven(*written, other)

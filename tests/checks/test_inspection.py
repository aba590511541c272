"""All findings together: complete, in order, and about photos that are there."""

import numpy as np
import pytest

from tellapart.checks.finding import Finding
from tellapart.checks.inspection import BY_SEVERITY, by_gravity, inspect
from tellapart.data.duplicates import find_duplicates
from tellapart.data.preprocess import Preprocess
from tellapart.data.source import Dataset, Skipped
from tellapart.engine.backbone import QUALITIES
from tellapart.features.prepare import Prepared

FAST = QUALITIES["fast"]


@pytest.fixture
def prepared(clothing, clothing_features):
    """Eighty garments and the first hat again, filed as a dress; two class names that clash."""
    order = [*range(clothing.n), 20]
    dataset = clothing.subset(order)
    labels = dataset.labels.copy()
    labels[-1] = 0
    photos = (*dataset.photos[:-1], "again.jpg")
    dataset = Dataset("list", ("dress", "Dresses", "pants", "shoes"), photos, dataset.places, labels, dataset.splits)
    values, hashes = clothing_features.values[order], clothing_features.pixel_hashes[order]
    skipped = (Skipped("notes.txt", "The file is not a photo."),)
    known = (values, hashes, find_duplicates(values, hashes), skipped, clothing_features)
    return Prepared(dataset, *known, FAST, Preprocess(FAST.input_px))


def test_findings_come_gravest_first_and_name_photos_that_are_there(prepared):
    steps = []
    findings = inspect(prepared, progress=lambda *step: steps.append(step))
    kinds = [finding.kind for finding in findings]
    assert kinds == sorted(kinds, key=BY_SEVERITY.index)
    assert {"label_conflict", "unusable", "name_clash"} <= set(kinds)
    assert "mislabelled" not in kinds
    assert steps[-1] == ("looking at photos", 81, 81)
    known = {*prepared.dataset.photos, "notes.txt"}
    for finding in findings:
        assert set(finding.suspects) <= known
        assert len(set(finding.suspects)) == len(finding.suspects)
        assert {row[0] for row in finding.photos} <= known
        assert finding.sure
        assert finding.sentence.endswith(".")


def test_without_enough_answers_nothing_is_said_about_labels(prepared):
    probs = np.full((81, 4), np.nan)
    assert inspect(prepared, probs) == inspect(prepared)


def test_every_kind_has_its_place():
    findings = [Finding(kind, "", "") for kind in sorted(BY_SEVERITY)]
    assert [finding.kind for finding in by_gravity(findings)] == list(BY_SEVERITY)

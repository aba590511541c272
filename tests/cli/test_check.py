"""What `check` prints of its findings."""

import numpy as np

from tellapart.checks.finding import Finding
from tellapart.cli.check import _print_findings
from tellapart.data.duplicates import find_duplicates
from tellapart.data.preprocess import Preprocess
from tellapart.data.source import Dataset
from tellapart.engine.backbone import QUALITIES
from tellapart.features.prepare import Prepared


def test_a_pair_in_two_classes_says_which_is_likelier_wrong(capsys):
    photos = ("photos/cat/1.jpg", "photos/dog/2.jpg")
    dataset = Dataset("photos", ("cat", "dog"), photos, photos, np.arange(2, dtype=np.int32), np.full(2, ""))
    features, hashes = np.eye(2, 8, dtype=np.float32), np.full(2, b"0" * 32)
    alike, fast = find_duplicates(features, hashes), QUALITIES["fast"]
    prepared = Prepared(dataset, features, hashes, alike, (), None, fast, Preprocess(fast.input_px))
    wrong = (photos[1], 'in "dog"', 'looks like "cat"')
    finding = Finding("label_conflict", "1 pair.", "Look.", ((*photos, "exact"),), likely_wrong=(wrong,))
    _print_findings(prepared, [finding])
    assert '  · cat/1.jpg  ·  dog/2.jpg, looks like "cat"  ·  exact\n' in capsys.readouterr().out

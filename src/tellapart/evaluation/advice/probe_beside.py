"""A probe on the same photos, beside a network that was trained from nothing: whether the training was worth it."""

from dataclasses import dataclass

import numpy as np

from tellapart.classifier.probe import fit_probe, make_folds
from tellapart.classifier.trained import Trained
from tellapart.data.duplicates import leaked_pairs
from tellapart.features.prepare import Prepared
from tellapart.metrics.paired import compare_answers

CLEARLY_P = 0.05


@dataclass(frozen=True)
class ProbeBeside:
    """How many of the same test photos each had right.

    Args:
        n_test: test photos, those left out that are nearly training photos.
        n_right: of the network.
        n_right_probe: of a probe that learned from the same photos with the bundled network.
        p_value: how often two equally good ones would differ at least so much by chance.
    """

    n_test: int
    n_right: int
    n_right_probe: int
    p_value: float

    @property
    def clearly_better(self) -> bool:
        """Whether the probe is better by more than chance explains."""
        return self.n_right_probe > self.n_right and self.p_value < CLEARLY_P


def probe_beside(bundled: Prepared, trained: Trained) -> ProbeBeside | None:
    """Fit a probe to the photos that the network learned from and ask both about the test photos.

    The features were computed to find copies before the training, so it costs one fit of a probe.

    Args:
        bundled: all photos, as the bundled network sees them, in the order of `trained.prepared`.
        trained: the network's head, photos and split.

    Returns:
        None where no test photo is left.
    """
    dataset, split, recipe = bundled.dataset, trained.split, trained.probe
    labels, groups, learned = dataset.labels, bundled.duplicates.groups, split.learned
    leaked = [pair.first for pair in leaked_pairs(bundled.duplicates, split.sides(dataset.n))]
    test = split.test[~np.isin(split.test, leaked)]
    if not len(test):
        return None
    folds = make_folds(labels[learned], groups[learned], recipe)
    probe = fit_probe(bundled.values[learned], labels[learned], folds, len(dataset.class_names), recipe)
    right = trained.calibrated.head.logits(trained.prepared.values[test]).argmax(axis=1) == labels[test]
    right_probe = probe.head.logits(bundled.values[test]).argmax(axis=1) == labels[test]
    found = compare_answers(right, right_probe, groups[test].astype(np.intp))
    return ProbeBeside(len(test), int(right.sum()), int(right_probe.sum()), found.p_value)

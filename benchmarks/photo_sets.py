"""The photo sets that trust is measured on, which of them were used to choose, and models of them."""

import argparse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace

import numpy as np

from tellapart.classifier.probe import CalibratedHead, fit_probe, make_folds
from tellapart.classifier.temperature import calibrated
from tellapart.data.preprocess import Preprocess
from tellapart.data.source import scan
from tellapart.data.split import make_split, stratified_group_split
from tellapart.engine.backbone import QUALITIES
from tellapart.engine.ood_reference import ood_reference
from tellapart.features.cache import FeatureCache
from tellapart.features.extract import Extractor
from tellapart.features.prepare import prepare
from tellapart.recipe import LinearProbe, Reading
from tellapart.timing import Stopwatch, no_progress

PLACES = {
    "clothing": "clothing",
    "hotdog": "hotdog",
    "instruments": "instruments",
    "unknown": "unknown",
    "fruits, white": "fruits/train_white",
    "fruits, white test": "fruits/test_white",
    "fruits, market": "fruits/train_market",
    "fruits, market test": "fruits/test_market",
}
MODELS = ("clothing", "hotdog", "instruments")
SOURCES = ("objects", "cups", "textures")  # of the photos in `unknown`
PART_SEED = 77  # of the four fifths of `instruments` that it was chosen on
QUICK = 3  # with --quick, every third photo


@dataclass(frozen=True)
class Photos:
    """N photos of one set; `names` such as `hat/1.jpg`, `splits` empty where the set brings none."""

    features: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    copies: np.ndarray
    hashes: np.ndarray
    names: np.ndarray
    splits: np.ndarray

    @property
    def n(self) -> int:
        return len(self.labels)

    @property
    def n_classes(self) -> int:
        return int(self.labels.max()) + 1

    def part(self, rows: np.ndarray) -> "Photos":
        return Photos(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


def load(options: argparse.Namespace, quality: str, names: Iterable[str] = PLACES) -> dict[str, Photos]:
    """The sets `names` as the backbone of `quality` sees them; from the cache where they are in it."""
    backbone = QUALITIES[quality]
    extractor = Extractor(backbone, Preprocess(backbone.input_px), FeatureCache())
    sets = {}
    for name in names:
        dataset = scan(options.data / PLACES[name])
        if options.quick and name in MODELS:
            dataset = dataset.subset(np.arange(0, dataset.n, QUICK))
        known = prepare(dataset, extractor, no_progress, Stopwatch())
        dataset = known.dataset
        sets[name] = Photos(
            features=np.array(known.values),
            labels=dataset.labels,
            groups=known.duplicates.groups,
            copies=known.duplicates.copies,
            hashes=known.pixel_hashes,
            names=np.array(["/".join(place.split("/")[-2:]) for place in dataset.places]),
            splits=dataset.splits,
        )
    return sets


def held_out(photos: Photos, seed: int) -> tuple[Photos, Photos]:
    """The photos that train and those that test, without leaks; divided as `train` does where no split is given."""
    if not photos.splits[0]:
        split = make_split(photos.labels, photos.groups, photos.copies, seed=seed)
        return photos.part(split.train), photos.part(split.test)
    train = photos.part(photos.splits == "train")
    return train, photos.part((photos.splits == "test") & ~np.isin(photos.hashes, train.hashes))


def market(sets: Mapping[str, Photos]) -> Photos:
    """Fruits in a market: those that train and those that test, in one."""
    train, test = sets["fruits, market"], sets["fruits, market test"]
    test = replace(test, groups=test.groups + train.n)
    both = Photos(*(np.concatenate([getattr(train, f.name), getattr(test, f.name)]) for f in fields(Photos)))
    return replace(both, splits=np.repeat(["train", "test"], [train.n, test.n]))


def undivided(photos: Photos) -> Photos:
    """`photos` without the split that they came with."""
    return replace(photos, splits=np.full(photos.n, ""))


def used_to_choose(names: np.ndarray) -> np.ndarray:
    """(N,) bool, which photos of `unknown` were looked at when the OOD score was chosen.

    They are those that a threshold may be fitted on: the other half is what reports count.
    """
    known = ood_reference(QUALITIES[Reading.quality])
    assert known is not None
    used, after = np.zeros(len(names), bool), 0
    for source in ("objects", "cups", "textures"):  # as the reference has them, each sorted by name
        own = np.flatnonzero(np.char.startswith(names, f"{source}/"))
        own = own[np.argsort(names[own])]
        used[own] = known.fitted_on[after : after + len(own)]
        after += len(own)
    return used


def of_unknown(unknown: Photos, chosen: np.ndarray) -> dict[str, Photos]:
    """Those of its photos that are `chosen`, by source."""
    return {s: unknown.part(chosen & np.char.startswith(unknown.names, f"{s}/")) for s in SOURCES}


def to_choose_with(sets: Mapping[str, Photos]) -> dict[str, Photos]:
    """What the OOD score and the gates were chosen on: training photos, and half of `unknown`."""
    instruments, unknown = sets["instruments"], sets["unknown"]
    shown = {name: held_out(sets[name], 0)[0] for name in ("clothing", "hotdog")}
    shown["instruments"] = instruments.part(_part_of(instruments) == 0)
    return shown | of_unknown(unknown, used_to_choose(unknown.names))


def never_used(sets: Mapping[str, Photos]) -> dict[str, Photos]:
    """The rest: test photos, a fifth of `instruments` and the other half of `unknown`."""
    instruments, unknown = sets["instruments"], sets["unknown"]
    shown = {name: held_out(sets[name], 0)[1] for name in ("clothing", "hotdog")}
    shown["instruments"] = instruments.part(_part_of(instruments) == 1)
    return shown | of_unknown(unknown, ~used_to_choose(unknown.names))


def all_others(sets: Mapping[str, Photos]) -> dict[str, Photos]:
    """All of `unknown`, test photos and fruits, to show to models of something else; fruits are beyond the bars."""
    unknown = sets["unknown"]
    fruits = {name: sets[name] for name in ("fruits, white test", "fruits, market test")}
    return never_used(sets) | of_unknown(unknown, np.ones(unknown.n, bool)) | fruits


def _part_of(instruments: Photos) -> np.ndarray:
    return stratified_group_split(instruments.labels, instruments.groups, [0.8, 0.2], seed=PART_SEED)


def fit(
    photos: Photos, seed: int, quality: str = Reading.quality, *, folds: np.ndarray | None = None
) -> CalibratedHead:
    """A model of `photos`, as `tellapart train` fits it; in `folds` where they are given."""
    recipe, backbone = LinearProbe(Reading(quality=quality), seed=seed), QUALITIES[quality]
    known = ood_reference(backbone)
    return fit_probe(
        photos.features,
        photos.labels,
        make_folds(photos.labels, photos.groups, recipe) if folds is None else folds,
        photos.n_classes,
        recipe,
        scenes=photos.groups,
        imagenet=backbone.imagenet,
        reference=None if known is None else known.to_fit,
    )


def refused(fitted: CalibratedHead, ood_scores: np.ndarray, probs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N,) bool each: who gets "none of these", and who gets "not sure"."""
    limits = fitted.thresholds
    far = ood_scores > (np.inf if limits.ood_score is None else limits.ood_score)
    return far, ~far & (probs.max(axis=1) < (0 if limits.confidence is None else limits.confidence))


def asked(fitted: CalibratedHead, photos: Photos) -> tuple[np.ndarray, np.ndarray]:
    return refused(fitted, fitted.centres.ood_scores(photos.features), fitted.probs(photos.features))


def of_training(fitted: CalibratedHead) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """OOD scores, probabilities and labels of the photos learned from, by probes that had not seen them."""
    said = fitted.out_of_fold
    return said.ood_scores, calibrated(said.logits, fitted.temperature), said.labels

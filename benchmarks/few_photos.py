"""A few photos of each class: how good the head is, and whether the range beside its score holds the truth.

    python benchmarks/few_photos.py ../shared/data

Three pieces, head, range and chosen; each writes its table into the record as it grows, and leaves the others alone.

**The head.** So many photos of each class are drawn from a set's training photos; others of them are asked. Beside
our scaling of features the one that was ours until it was measured: each feature divided by its own standard deviation
among the photos drawn, C from the grid that was for it. `Unrelated refused` are photos of cups, objects and textures
that got no class name: the half of `unknown` that no threshold is fitted on, asked of models fitted in the folds of
`train`; before, no threshold was set by so few.

**The range.** The same draws, each with its cross-validated score and range as `train` would give it, and the truth:
the accuracy of the head that learned from all photos drawn, on photos that were not drawn. C is fixed, so that
hundreds of draws can be had; `chosen` has fewer draws, each with C chosen inside each fold as
`train` chooses it, and for the model that is written. `Wilson alone` counts the luck of the test, not that of which
photos were drawn. Draws are shared out between `--workers` processes, each of one thread: more threads than cores took
many times as long. What is done is written after each set and size.

Fruits on white paper are frames of one turning fruit: what is drawn and what is asked share no turn. No test folder is
read.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

import measure
from photo_sets import load as load_sets
from photo_sets import refused, used_to_choose
from suggest import Photos, load
from tellapart.classifier.probe import CalibratedHead, fit_heads, fit_probe, make_folds
from tellapart.data.split import cross_validated_split
from tellapart.engine.backbone import QUALITIES
from tellapart.engine.ood_reference import ood_reference
from tellapart.metrics.intervals import CROSSED_INFLATION, share_interval
from tellapart.recipe import LinearProbe, Reading

SETS = {
    "clothing": ("clothing/train", (3, 5, 10, 20)),
    "instruments": ("instruments", (3, 5, 10, 20)),
    "hotdog": ("hotdog/train", (3, 5, 10, 20)),
    "fruits, market": ("fruits/train_market", (4,)),
    "fruits, white": ("fruits/train_white", (4,)),
}
RANGE_SIZES = (4, 5, 10, 20)
MOST_ASKED = 150  # photos of a class
RANGE_DRAWS = 400
CHOSEN_DRAWS = 100
RANGE_C = 0.1
PIECES = {
    "head": "The head",
    "range": "The range",
    "chosen": "The range where C is chosen",
}
BEFORE = LinearProbe(inverse_regularisation=(3e-3, 1e-2, 3e-2, 1e-1))


def draw(photos: Photos, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """`n` photos of each class to learn from and up to MOST_ASKED others to ask, of no group that is learned from."""
    rng = np.random.default_rng([n, seed])
    of_class = [rng.permutation(np.flatnonzero(photos.labels == c)) for c in range(int(photos.labels.max()) + 1)]
    learned = np.concatenate([own[:n] for own in of_class])
    asked = np.concatenate([own[n : n + MOST_ASKED] for own in of_class])
    return learned, asked[~np.isin(photos.groups[asked], photos.groups[learned])]


def fitted(features: np.ndarray, photos: Photos, learned: np.ndarray, recipe: LinearProbe) -> CalibratedHead:
    labels, groups = photos.labels[learned], photos.groups[learned]
    n_classes = int(photos.labels.max()) + 1
    return fit_probe(features, labels, make_folds(labels, groups, recipe), n_classes, recipe)


def scored(probs: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Accuracy and mean log-loss."""
    of_class = probs[np.arange(len(labels)), labels]
    return float((probs.argmax(axis=1) == labels).mean()), float(-np.log(np.clip(of_class, 1e-12, 1)).mean())


def unrelated(photos: Photos, learned: np.ndarray, seed: int, unknown: np.ndarray) -> tuple[float, float]:
    """The share of `unknown` (M, D) that gets no class name: by thresholds as `train` sets them, and by none early."""
    labels, groups, copies = (each[learned] for each in (photos.labels, photos.groups, photos.copies))
    backbone = QUALITIES[Reading.quality]
    known, n_classes = ood_reference(backbone), int(photos.labels.max()) + 1
    assert known is not None
    head = fit_probe(
        photos.features[learned],
        labels,
        cross_validated_split(labels, groups, copies, seed=seed).folds,
        n_classes,
        LinearProbe(),
        scenes=groups,
        imagenet=backbone.imagenet,
        reference=known.to_fit,
    )
    ood_scores, probs, limits = head.centres.ood_scores(unknown), head.probs(unknown), head.thresholds
    before = replace(head, thresholds=replace(limits, ood_score=None)) if limits.early else head
    now, then = (float(np.logical_or(*refused(each, ood_scores, probs)).mean()) for each in (head, before))
    return now, then


def head_row(photos: Photos, n: int, count: int, unknown: np.ndarray) -> measure.Row:
    ours, before, far = [], [], []
    for seed in range(count):
        learned, asked = draw(photos, n, seed)
        features, labels = photos.features[learned], photos.labels[asked]
        far.append(unrelated(photos, learned, seed, unknown))
        ours.append(scored(fitted(features, photos, learned, LinearProbe()).probs(photos.features[asked]), labels))
        deviation = features.std(axis=0)
        deviation[deviation == 0] = 1  # features of deviation 1 are scaled by nothing else
        head = fitted(features / deviation, photos, learned, BEFORE)
        before.append(scored(head.probs(photos.features[asked] / deviation), labels))
    (right, loss), (right_before, loss_before) = np.mean(ours, axis=0), np.mean(before, axis=0)
    return {
        "Accuracy": f"{right:.3f}",
        "before": f"{right_before:.3f}",
        "more": f"{100 * (right - right_before):+.1f} ± {100 * np.std(np.subtract(ours, before)[:, 0]):.1f}",
        "Log-loss": f"{loss:.2f}",
        "log-loss before": f"{loss_before:.2f}",
        "Unrelated refused": f"{100 * np.mean(far, axis=0)[0]:.1f} %",
        "refused before": f"{100 * np.mean(far, axis=0)[1]:.1f} %",
    }


def drawn(photos: Photos, n: int, seed: int, *, choose: bool) -> tuple[float, ...]:
    """Of one draw: truth, score, whether Wilson's range and ours hold the truth, and the width of each."""
    learned, asked = draw(photos, n, seed)
    labels, groups, copies = (each[learned] for each in (photos.labels, photos.groups, photos.copies))
    folds = cross_validated_split(labels, groups, copies, seed=seed).folds
    with threadpool_limits(1):
        truth = right(photos, asked, learned, choose=choose).mean()
        own = np.zeros(len(learned), bool)
        for fold in np.unique(folds[folds >= 0]):
            own[folds == fold] = right(photos, learned[folds == fold], learned[folds != fold], choose=choose)
    own, groups = own[folds >= 0], groups[folds >= 0]
    alone = len(np.unique(groups)) == len(groups)
    ranges = [share_interval(own, None if alone else groups, inflation=f) for f in (1.0, CROSSED_INFLATION)]
    held = [low <= truth <= high for low, high in ranges]
    return (truth, own.mean(), *held, *(high - low for low, high in ranges))


def right(photos: Photos, asked: np.ndarray, learned: np.ndarray, *, choose: bool) -> np.ndarray:
    """Which of `asked` a head of `learned` answers rightly, with C chosen out of fold or fixed."""
    n_classes = int(photos.labels.max()) + 1
    if choose:
        head = fitted(photos.features[learned], photos, learned, LinearProbe()).head
    else:
        recipe = replace(LinearProbe(), tolerance=1e-3)
        head = fit_heads(photos.features[learned], photos.labels[learned], n_classes, recipe, [RANGE_C])[RANGE_C]
    answers: np.ndarray = head.logits(photos.features[asked]).argmax(axis=1) == photos.labels[asked]
    return answers


def range_row(photos: Photos, n: int, count: int, workers: ProcessPoolExecutor, *, choose: bool) -> measure.Row:
    one = partial(drawn, photos, n, choose=choose)
    found = list(workers.map(one, range(count), chunksize=max(1, count // 8)))
    truth, score, plain, ours, plain_width, width = np.mean(found, axis=0)
    off = 100 * np.std([f[1] - f[0] for f in found]) / np.sqrt(count)
    return {
        "Draws": count,
        "Truth": f"{truth:.3f}",
        "Score less truth": f"{100 * (score - truth):+.1f} ± {off:.1f}",
        "Held": f"{100 * ours:.1f} %",
        "Wilson alone": f"{100 * plain:.1f} %",
        "Width": f"{100 * width:.0f} points",
        "Width to Wilson's": f"{width / plain_width:.2f}",
    }


def more_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workers", type=int, default=2, help="processes; 2 unless told")
    parser.add_argument("--only", default=",".join(PIECES), help="pieces, with commas; all unless told")
    parser.add_argument("--draws", type=int, default=RANGE_DRAWS, help=f"for the range; {RANGE_DRAWS} unless told")
    parser.add_argument("--choose", type=int, default=CHOSEN_DRAWS, help=f"with C chosen; {CHOSEN_DRAWS} unless told")


def main() -> None:
    options = measure.arguments(__doc__, repeats=6, more=more_options)
    wanted = options.only.split(",")
    if wrong := sorted(set(wanted) - set(PIECES)):
        raise SystemExit(f"There is no piece {wrong}. There are: {', '.join(PIECES)}.")
    if options.quick:
        options.draws, options.choose = 20, 2
    set_of_others = load_sets(options, Reading.quality, ["unknown"])["unknown"]
    unknown = set_of_others.features[~used_to_choose(set_of_others.names)]
    tables: dict[str, list[measure.Row]] = {piece: [] for piece in wanted}
    with ProcessPoolExecutor(options.workers) as workers:
        for name, (place, sizes) in SETS.items():
            photos = load(options.data / place)
            for n in sizes[:1] if options.quick else sizes:
                of = {"Photos": name, "Of each class": n}
                for piece in wanted:
                    if piece == "head":
                        with threadpool_limits(1):
                            row = head_row(photos, n, options.repeats, unknown)
                    elif n in RANGE_SIZES:
                        choose = piece == "chosen"
                        count = options.choose if choose else options.draws
                        row = range_row(photos, n, count, workers, choose=choose)
                    else:
                        continue
                    tables[piece].append(of | row)
                    measure.report_piece(options, PIECES, piece, {PIECES[piece]: tables[piece]})


if __name__ == "__main__":
    main()

"""More photos in shards than are learned from at once: a sample first, and the rest where more photos still help.

Copies are found within cells, and scenes dealt whole. What the report, the advice and the thresholds rest on is a
sample of the photos that learn, and tested photos beside it: for them all goes as with fewer photos. Only the head may
then learn from all, shard by shard.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tellapart.classifier.probe import fit_heads
from tellapart.classifier.streaming import MAX_PASSES, Streamed, fit_streaming, log_losses
from tellapart.classifier.trained import Trained
from tellapart.data.duplicates import group, kept_together
from tellapart.data.source import Skipped
from tellapart.data.split import TEST_SHARE, Split
from tellapart.errors import InputError
from tellapart.features.cells import copies_in_cells
from tellapart.features.extract import Extractor
from tellapart.features.prepare import Prepared, refuse_unreadable
from tellapart.recipe import LinearProbe
from tellapart.shards.deal import Deal, deal
from tellapart.shards.many import Kept, ManyPhotos, Part, many_photos
from tellapart.shards.reading import Photos
from tellapart.timing import Progress, Stopwatch

TRIED = np.exp2(np.arange(-12, 13) / 4)  # times the temperature of the sample; a step hardly changes the log-loss
STILL_FALLS = 0.005  # of the log-loss, when the sample doubles; ten times the photos then give some two percent

Json = dict[str, Any]


def solved_closely(recipe: LinearProbe) -> LinearProbe:
    """The recipe with a solver that goes on for longer.

    Where 50,000 photos are told apart nearly without mistakes the slope of the loss is small far from the optimum, and
    a head that stopped there was worse than one of half the photos.
    """
    return replace(recipe, tolerance=recipe.tolerance / 10)


@dataclass(frozen=True)
class Sizes:
    """How many photos are many, and how many of these do what.

    Args:
        at_once: with at most so many photos that learn, all are learned from at once; to hold more against each other
            for copies takes minutes.
        sample: of more, so many are learned from first.
        least_of_class: of a rare class, the sample has so many all the same.
        held_out: so many tell whether more photos help, at most a tenth.
        tested: at most so many are tested on; with 20,000 a score is known to 0.7 points.
    """

    at_once: int = 50_000
    sample: int = 50_000
    least_of_class: int = 50
    held_out: int = 50_000
    tested: int = 20_000


@dataclass(frozen=True)
class Many:
    """N photos that were dealt.

    Args:
        rows: all that can be used.
        labels: (N,) of them.
        dealt: who learns first, who is held out, who learns last, who is tested.
        chosen: their numbers of those that the report is about, ascending.
        split: of these.
    """

    rows: ManyPhotos
    labels: NDArray[np.int32]
    dealt: Deal
    chosen: NDArray[np.int64]
    split: Split


def are_many(photos: Photos, recipe: object, sizes: Sizes) -> bool:
    """Whether so many photos learn that a head is fitted on a sample first; networks are trained on all of them."""
    if not isinstance(recipe, LinearProbe) or recipe.reading.network:
        return False
    dataset = photos.dataset
    share = 1 - (recipe.reading.test_share or TEST_SHARE)
    return (dataset.n - dataset.tested.sum() if dataset.given_split else dataset.n * share) > sizes.at_once


def prepare_many(
    photos: Photos, extractor: Extractor, recipe: LinearProbe, sizes: Sizes, progress: Progress, clock: Stopwatch
) -> tuple[Prepared, Many]:
    """The photos that the report is about, as `prepare` gives them, and what is known of all.

    Raises:
        InputError: more than half cannot be read, the source says crossed, or there is no room on the disk.
    """
    if photos.dataset.crossed:
        raise InputError(
            f"Crossed photos are tested by heads that are fitted in turn, on at most {sizes.at_once:,} photos.",
            hint="Write train and test into the column split instead.",
        )
    with clock("features"):
        rows = many_photos(photos, progress)
        refuse_unreadable(photos.dataset, rows.errors)
    with clock("duplicates"):
        copies = copies_in_cells(rows, rows.pixel_hashes, progress=progress)
        dataset = photos.dataset.subset(rows.usable)
        scenes = copies.groups
        if (bound := dataset.bound) is not None:
            same = group(rows.n, np.concatenate([copies.exact, copies.near]))
            scenes = kept_together((copies.groups, same, copies.copies), bound)
    with clock("split"):
        many = _dealt(rows, scenes, recipe, sizes)
    with clock("features"):
        features = rows.of(many.chosen, progress)
    duplicates = copies.among(many.chosen)
    unreadable = [Skipped(photos.dataset.photos[i], error.message) for i, error in sorted(rows.errors.items())]
    prepared = Prepared(
        dataset=dataset.subset(many.chosen),
        values=features.values,
        pixel_hashes=features.pixel_hashes,
        duplicates=replace(duplicates, groups=_numbered(scenes[many.chosen])),
        skipped=tuple(sorted((*photos.dataset.skipped, *unreadable), key=lambda s: s.photo)),
        features=features,
        backbone=extractor.backbone,
        preprocessing=extractor.preprocessing,
        groups_found=None if bound is None else duplicates.groups,
        pictures=features.pictures,
    )
    return prepared, many


def _dealt(rows: ManyPhotos, scenes: NDArray[np.int32], recipe: LinearProbe, sizes: Sizes) -> Many:
    dataset = rows.photos.dataset
    labels = dataset.labels[rows.usable]
    given = dataset.tested[rows.usable] if dataset.given_split else None
    given = given if given is not None and given.any() else None
    share = recipe.reading.test_share or TEST_SHARE
    n_learn = rows.n * (1 - share) if given is None else rows.n - given.sum()
    dealt = deal(
        labels,
        scenes,
        n_sample=sizes.sample,
        n_held_out=min(sizes.held_out, round(n_learn / 10)),
        test_share=share,
        least_of_class=sizes.least_of_class,
        given_test=given,
        seed=recipe.seed,
    )
    tested = np.flatnonzero(dealt.test)
    if len(tested) > sizes.tested:
        nobody = np.zeros(len(tested), bool)
        fewer = deal(
            labels[tested], scenes[tested], n_sample=sizes.tested, n_held_out=0, test_share=0, given_test=nobody
        )
        tested = tested[fewer.sample]
    chosen = np.sort(np.concatenate([np.flatnonzero(dealt.sample), tested]))
    is_tested = dealt.test[chosen]
    kind = "made" if given is None else "given"
    split = Split(np.flatnonzero(~is_tested), np.zeros(0, np.int64), np.flatnonzero(is_tested), kind)
    return Many(rows, labels, dealt, chosen, split)


def _numbered(groups: NDArray[np.int32]) -> NDArray[np.int32]:
    return np.unique(groups, return_inverse=True)[1].astype(np.int32)


def learned_from_all(trained: Trained, many: Many, progress: Progress) -> Trained:
    """`trained` with a head of all photos that learn, if that is better on photos that are held out; and what was seen.

    Whether it is tried, two samples tell: it is not where the log-loss hardly falls from half of the sample to all.
    Each head is judged at the temperature that suits it best: that of the sample was set with heads of far fewer
    photos, and the surer a head of more photos is, the less it fits.
    """
    fitted, dealt, probe = trained.calibrated, many.dealt, trained.probe
    c, n_classes = fitted.inverse_regularisation, len(trained.prepared.dataset.class_names)
    if c is None:
        raise ValueError("a head that was fitted here has a C")
    half = np.flatnonzero(dealt.half[many.chosen])
    with threadpool_limits(1):
        labels = trained.prepared.dataset.labels[half]
        smaller = fit_heads(trained.prepared.values_of(half), labels, n_classes, probe, [c])[c]
    held_out = Part(many.rows, many.labels, dealt.held_out)
    temperatures = fitted.temperature * TRIED
    of_half, of_sample = log_losses([smaller, fitted.head], held_out, temperatures).min(axis=1).tolist()
    streamed, of_all, temperature = None, None, fitted.temperature
    if dealt.rest.any() and of_half - of_sample > STILL_FALLS * of_sample:
        with Kept(Part(many.rows, many.labels, dealt.sample | dealt.rest)) as pieces:
            streamed = fit_streaming(
                pieces,
                n_classes,
                c,
                probe.class_balance,
                start=fitted.head,
                progress=lambda done, total: progress("fitting the head on all photos", done, total),
            )
        progress("fitting the head on all photos", MAX_PASSES, MAX_PASSES)
        losses = log_losses([streamed.head], held_out, temperatures)[0]
        of_all, temperature = float(losses.min()), float(temperatures[losses.argmin()])
    better = streamed is not None and of_all is not None and of_all < of_sample
    told = _told(many, len(half), [of_half, of_sample, of_all], streamed, better=better)
    if streamed is None or not better:
        return replace(trained, rows=told)
    beyond = many.rows.pixel_hashes[dealt.rest]
    # Thresholds rest on what was said out of fold, by smaller heads: that stays what it was at their temperature.
    said = fitted.out_of_fold
    said = replace(said, logits=said.logits * (temperature / fitted.temperature))
    calibrated = replace(fitted, head=streamed.head, temperature=temperature, out_of_fold=said)
    return replace(trained, calibrated=calibrated, rows=told, beyond=beyond)


def _told(many: Many, n_half: int, losses: list[float | None], streamed: Streamed | None, *, better: bool) -> Json:
    """What evaluation.json says of it."""
    dealt, n_sample = many.dealt, int(many.dealt.sample.sum())
    n_all = n_sample + int(dealt.rest.sum())
    counts = (n_half, n_sample, n_all)
    return {
        "n_learn": n_all,
        "n_held_out": int(dealt.held_out.sum()),
        "n_test": int(dealt.test.sum()),
        "n_learned": n_all if better else n_sample,
        "held_out_log_loss": [
            {"n": n, "log_loss": loss} for n, loss in zip(counts, losses, strict=True) if loss is not None
        ],
        "passes": None if streamed is None else streamed.n_passes,
        "converged": None if streamed is None else streamed.converged,
    }

"""Does it get worse in the dark? The test photos once more, each corrupted in every way, through the model's own graph.

Each photo is decoded once and takes the way every photo takes, with the damage done between decoding and preprocessing.
What counts is the accuracy kept: right answers on corrupted photos for each right answer on the photos as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tellapart.classifier.decision import NONE_OF_THESE, NOT_SURE, withheld
from tellapart.data import photo
from tellapart.data.preprocess import preprocess
from tellapart.data.source import Dataset
from tellapart.errors import PhotoError
from tellapart.evaluation.corruption import (
    CORRUPTIONS,
    DAYLIGHT_K,
    KELVINS,
    SEVERITIES,
    border_only,
    corrupt,
    white_balance,
    working_size,
)
from tellapart.metrics.intervals import Share, kept_intervals, no_information_p_value, share_interval, worth
from tellapart.model.prediction import Predictor
from tellapart.parallel import map_in_order
from tellapart.text import counted, quoted
from tellapart.timing import Progress, no_progress

STAGE = "robustness"
MAX_TEST_PHOTOS = 300  # of the test; with 34 answers each, one to two minutes on two cores
CLEARLY_P = 0.01  # of the borders alone; a warning that comes by chance once in a hundred models
HARDLY_HURT = 0.95  # accuracy kept from which on nobody would notice


@dataclass(frozen=True)
class Variant:
    """One way to show a photo.

    Args:
        name: of the corruption, "white balance", "border only" or "clean".
        severity: of a corruption.
        kelvin: of a white balance.
    """

    name: str
    severity: str | None = None
    kelvin: int | None = None


CLEAN = Variant("clean")
BORDER = Variant("border only")
DAMAGE = tuple(Variant(name, severity) for name in CORRUPTIONS for severity in SEVERITIES)
BALANCES = tuple(Variant("white balance", kelvin=kelvin) for kelvin in KELVINS)
VARIANTS = (CLEAN, *DAMAGE, *BALANCES, BORDER)


@dataclass(frozen=True)
class CleanScores(Share):
    """The accuracy on photos as they are, and the shares that got no class name; None for no photos."""

    n_right: int
    not_sure: float | None
    none_of_these: float | None


@dataclass(frozen=True, kw_only=True)
class VariantScores:
    """What became of the photos in one variant, of which `severity` or `kelvin` says which.

    Args:
        name: of the variant.
        severity: of a corruption.
        kelvin: of a white balance.
        accuracy: the share right.
        n_right: photos right.
        kept: right answers for each that is right as it is.
        not_sure: the share that got "not sure".
        none_of_these: the share that got "none of these".
    """

    name: str
    severity: str | None = None
    kelvin: int | None = None
    accuracy: float | None
    n_right: int
    kept: Share
    not_sure: float | None
    none_of_these: float | None


@dataclass(frozen=True)
class BorderBaseline:
    """What always answering the commonest class would get."""

    class_name: str | None
    value: float | None


@dataclass(frozen=True)
class BorderScores(Share):
    """The accuracy with the middle of each photo hidden; `p_value` of it by luck alone, `clearly_above` if small."""

    n_right: int
    baseline: BorderBaseline
    p_value: float | None
    clearly_above: bool | None


@dataclass(frozen=True)
class Robustness:
    """How many right answers a model keeps. Shares are in [0, 1]; what cannot be known is None.

    Args:
        n: photos that were asked about.
        n_test: test photos there are.
        n_unreadable: of those chosen, that could not be read.
        clean: as they are.
        corruptions: each corruption in each severity, worst first.
        white_balance: each wrong white balance, worst first.
        mean_kept: the accuracy kept on average over the corruptions, white balances aside.
        border_only: with the middle hidden.
        sentences: the worst of it for people.
    """

    n: int
    n_test: int
    n_unreadable: int
    clean: CleanScores
    corruptions: tuple[VariantScores, ...]
    white_balance: tuple[VariantScores, ...]
    mean_kept: Share
    border_only: BorderScores
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Said:
    """What the model said about M photos in each of V variants.

    Args:
        right: (V, M) whether the likeliest class is the true one, said aloud or not.
        not_sure: (V, M) whether the answer was "not sure".
        none_of_these: (V, M) whether it was "none of these".
        groups: (M,) which photos belong together, or None.
    """

    right: NDArray[np.bool_]
    not_sure: NDArray[np.bool_]
    none_of_these: NDArray[np.bool_]
    groups: NDArray[np.intp] | None


def measure_robustness(
    predictor: Predictor,
    dataset: Dataset,
    indices: Sequence[int] | NDArray[np.integer],
    *,
    groups: NDArray[np.integer] | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
    max_photos: int = MAX_TEST_PHOTOS,
) -> Robustness:
    """How many right answers a model keeps on corrupted test photos.

    `kept` is at least 0, above 1 where corrupted photos do better, and None where no clean photo is right.

    Args:
        predictor: the finished model.
        dataset: whose classes the model knows all, by name.
        indices: its test photos, which took no part in training.
        groups: (len(indices),) which test photos belong together; intervals then widen accordingly.
        seed: of noise, of the choice of photos and of the intervals.
        progress: told the photos done, under the name "robustness".
        max_photos: that many are chosen by lot where there are more, of each class in proportion.
    """
    test = np.asarray(indices, np.intp)
    column = {name: i for i, name in enumerate(predictor.class_names)}
    labels = np.array([column[dataset.class_names[label]] for label in dataset.labels[test]], np.intp)
    chosen = _chosen(labels, max_photos, seed)
    codes, usable = _ask_all(predictor, dataset, test[chosen], seed, progress)
    winner, state = codes[:, usable, 0], codes[:, usable, 1]
    used = chosen[usable]
    said = _Said(
        winner == labels[used],
        state == _STATES.index(NOT_SURE),
        state == _STATES.index(NONE_OF_THESE),
        None if groups is None else np.asarray(groups, np.intp)[used],
    )
    known = labels[used]
    rows = _rows(said, seed)
    result = Robustness(
        n=len(used),
        n_test=len(test),
        n_unreadable=len(chosen) - len(used),
        clean=_clean(said),
        corruptions=_worst_first(rows, DAMAGE) if known.size else (),
        white_balance=_worst_first(rows, BALANCES) if known.size else (),
        mean_kept=_mean_kept(said, seed),
        border_only=_border(said, known, predictor.class_names),
    )
    return replace(result, sentences=tuple(_sentences(result)))


_STATES = (None, NOT_SURE, NONE_OF_THESE)  # said in place of a class name


def _chosen(labels: NDArray[np.intp], at_most: int, seed: int) -> NDArray[np.intp]:
    """Positions of at most `at_most` photos, ascending, each class in proportion and none left out if that can be."""
    if len(labels) <= at_most:
        return np.arange(len(labels))
    order = np.random.default_rng(seed).permutation(len(labels))
    place = np.empty(len(labels))  # of a photo in its class, from 0 to below 1
    for label in np.unique(labels):
        members = order[labels[order] == label]
        place[members] = np.arange(len(members)) / len(members)
    return np.sort(order[np.argsort(place[order], kind="stable")][:at_most])


def _ask_all(
    predictor: Predictor, dataset: Dataset, indices: NDArray[np.intp], seed: int, progress: Progress
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(V, N, 2) of `_ask` about every photo, and (N,) which could be read."""
    n = len(indices)
    codes, usable = np.zeros((len(VARIANTS), n, 2), np.int64), np.zeros(n, bool)

    def ask(index: int) -> NDArray[np.int64] | None:
        return _ask(predictor, dataset, index, seed)

    progress(STAGE, 0, n)
    for i, result in enumerate(map_in_order(ask, indices.tolist(), name="robustness")):
        progress(STAGE, i + 1, n)
        if result is not None:
            usable[i], codes[:, i] = True, result
    return codes, usable


def _ask(predictor: Predictor, dataset: Dataset, index: int, seed: int) -> NDArray[np.int64] | None:
    """(V, 2) of one photo: the likeliest class, and which of `_STATES` was answered; None if it cannot be read."""
    preprocessing = predictor.preprocessing
    try:
        image = photo.decode(dataset.read(index), min_side_px=preprocessing.min_side_px)
    except PhotoError:
        return None
    clean, small = preprocess(image, preprocessing), working_size(image, at_least_px=preprocessing.input_px)
    codes = np.empty((len(VARIANTS), 2), np.int64)
    for row, variant in enumerate(VARIANTS):
        if variant == CLEAN:
            pixels = clean
        elif variant == BORDER:
            pixels = border_only(clean)  # of what the network sees, not of what the crop removes
        elif variant.kelvin is not None:
            pixels = preprocess(white_balance(small, variant.kelvin), preprocessing)
        else:
            pixels = preprocess(corrupt(small, variant.name, variant.severity or "", seed=(seed, index)), preprocessing)
        answers = predictor.answers(pixels)
        instead = withheld(answers.probs, answers.ood_score or 0.0, predictor.thresholds)
        codes[row] = answers.probs.argmax(), _STATES.index(instead)
    return codes


def _worst_first(rows: Sequence[VariantScores], variants: Sequence[Variant]) -> tuple[VariantScores, ...]:
    """Those of `rows`, which are in the order of `VARIANTS`, that belong to `variants`."""
    by_variant = dict(zip(VARIANTS, rows, strict=True))
    return tuple(sorted((by_variant[v] for v in variants), key=lambda row: row.n_right))


def _clean(said: _Said) -> CleanScores:
    right = said.right[0]
    low, high = share_interval(right, said.groups) if right.size else (None, None)
    n_right = int(right.sum())
    return CleanScores(_mean(right), low, high, n_right, _mean(said.not_sure[0]), _mean(said.none_of_these[0]))


def _mean(flags: NDArray[np.bool_]) -> float | None:
    return float(flags.mean()) if flags.size else None


def _rows(said: _Said, seed: int) -> list[VariantScores]:
    """What is said about each variant, in the order of `VARIANTS`."""
    kept = _kept(said, said.right.astype(np.float64), seed)
    return [
        VariantScores(
            name=variant.name,
            severity=variant.severity,
            kelvin=variant.kelvin,
            accuracy=_mean(said.right[i]),
            n_right=int(said.right[i].sum()),
            kept=kept[i],
            not_sure=_mean(said.not_sure[i]),
            none_of_these=_mean(said.none_of_these[i]),
        )
        for i, variant in enumerate(VARIANTS)
    ]


def _mean_kept(said: _Said, seed: int) -> Share:
    """The accuracy kept on average over the corruptions, white balances aside."""
    rows = [VARIANTS.index(variant) for variant in DAMAGE]
    return _kept(said, said.right[rows].mean(axis=0, keepdims=True), seed)[0]


def _kept(said: _Said, corrupted: NDArray[np.float64], seed: int) -> list[Share]:
    """The accuracy kept of each row of `corrupted` (V, M); all None where no clean photo is right."""
    clean = said.right[0]
    if not clean.any():
        return [Share(None, None, None)] * len(corrupted)
    values = corrupted.sum(axis=1) / clean.sum()
    ends = kept_intervals(clean, corrupted, groups=said.groups, seed=seed)
    return [
        Share(float(value), float(min(low, value)), float(max(high, value)))
        for value, (low, high) in zip(values, ends, strict=True)
    ]


def _border(said: _Said, labels: NDArray[np.intp], class_names: Sequence[str]) -> BorderScores:
    """The accuracy with the middle of each photo hidden, beside always answering the commonest class."""
    if not labels.size:
        return BorderScores(None, None, None, 0, BorderBaseline(None, None), None, None)
    right = said.right[VARIANTS.index(BORDER)]
    counts = np.bincount(labels, minlength=len(class_names))
    baseline = float(counts.max() / len(labels))
    n = len(labels) if said.groups is None else max(1, int(worth(right, said.groups)))
    p_value = no_information_p_value(int(right.sum()) * n // len(labels), n, baseline)
    low, high = share_interval(right, said.groups)
    return BorderScores(
        _mean(right),
        low,
        high,
        int(right.sum()),
        BorderBaseline(class_names[int(counts.argmax())], baseline),
        p_value,
        bool(p_value < CLEARLY_P),
    )


def _sentences(result: Robustness) -> list[str]:
    """At most three: the dark, what hurts most, and the borders, or else the white balance."""
    n = result.n
    if n == 0:
        return ["There are no test photos, so nothing is known about spoiled ones."]
    if result.clean.n_right == 0:
        return [
            f"Not one of {counted(n, 'test photo')} is right as it is, so there is nothing to lose on spoiled ones."
        ]
    dark = next(row for row in result.corruptions if (row.name, row.severity) == ("darkness", "medium"))
    worst = next(row for row in result.corruptions if row.severity == "strong")
    balance = result.white_balance[0]
    sentences = [f"In the dark it keeps {_of_100(dark)}, measured on {counted(n, 'test photo')}."]
    if (worst.kept.value or 0.0) >= HARDLY_HURT:
        sentences.append(f"Nothing that was tried hurts much: at worst, with {worst.name}, it keeps {_of_100(worst)}.")
    else:
        quiet = round(100 * ((worst.not_sure or 0.0) + (worst.none_of_these or 0.0)))
        sentences.append(
            f"{worst.name[0].upper()}{worst.name[1:]} hurts most: when strong, it keeps "
            f"{_of_100(worst)}, and says “not sure” or “none of these” to {quiet} of 100 photos."
        )
    if result.border_only.clearly_above:
        sentences.append(_border_sentence(result.border_only))
    elif balance.kelvin != DAYLIGHT_K and (balance.kept.value or 0.0) < HARDLY_HURT:
        colour = "blue" if (balance.kelvin or 0) < DAYLIGHT_K else "orange"
        sentences.append(f"When the white balance is wrong and photos turn {colour}, it keeps {_of_100(balance)}.")
    return sentences


def _of_100(row: VariantScores) -> str:
    """Such as `61 of every 100 right answers (52 to 70 is plausible)`; more than all of them is all of them."""
    value, low, high = (min(100, round(100 * (end or 0.0))) for end in (row.kept.value, row.kept.low, row.kept.high))
    return f"{value} of every 100 right answers ({f'{low} to {high}' if low != high else low} is plausible)"


def _border_sentence(border: BorderScores) -> str:
    value, always = round(100 * (border.value or 0.0)), round(100 * (border.baseline.value or 0.0))
    return (
        f"With the middle of each photo hidden it still gets {value} of 100 right, where always answering "
        f"{quoted(border.baseline.class_name or '')} would get {always}. Either your things reach the "
        "edge of the photo, or it goes by the background: test it on photos from another place."
    )

"""Does it get worse in the dark? The test photos once more, each corrupted in every way, through the model's own graph.

Each photo is decoded once and takes the way every photo takes, with the damage done between decoding and preprocessing.
What counts is the accuracy kept: right answers on corrupted photos for each right answer on the photos as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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
from tellapart.metrics.intervals import BOOTSTRAP_RESAMPLES, no_information_p_value, share_interval, worth
from tellapart.model.prediction import Predictor
from tellapart.parallel import map_in_order
from tellapart.text import counted, quoted
from tellapart.timing import Progress, no_progress

STAGE = "robustness"
MAX_TEST_PHOTOS = 300  # of the test; with 34 answers each, one to two minutes on two cores
CLEARLY_P = 0.01  # of the borders alone; a warning that comes by chance once in a hundred models
HARDLY_HURT = 0.95  # accuracy kept from which on nobody would notice

Json = dict[str, Any]


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

    def to_json(self) -> Json:
        """Its name, and whichever of severity and kelvin it has."""
        more = {"severity": self.severity, "kelvin": self.kelvin}
        return {"name": self.name} | {key: value for key, value in more.items() if value is not None}


CLEAN = Variant("clean")
BORDER = Variant("border only")
DAMAGE = tuple(Variant(name, severity) for name in CORRUPTIONS for severity in SEVERITIES)
BALANCES = tuple(Variant("white balance", kelvin=kelvin) for kelvin in KELVINS)
VARIANTS = (CLEAN, *DAMAGE, *BALANCES, BORDER)


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


def robustness(
    predictor: Predictor,
    dataset: Dataset,
    indices: Sequence[int] | NDArray[np.integer],
    *,
    groups: NDArray[np.integer] | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
    max_photos: int = MAX_TEST_PHOTOS,
) -> Json:
    """How many right answers a model keeps on corrupted test photos, ready for `json.dump`.

    Shares are in [0, 1]. What cannot be known is None. `corruptions` and `white_balance` are sorted, worst first.
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
    counts = {"n": len(used), "n_test": len(test), "n_unreadable": len(chosen) - len(used)}
    return counts | _summary(said, labels[used], predictor.class_names, seed)


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


def kept_intervals(
    clean: NDArray[np.bool_],
    corrupted: NDArray[np.floating],
    *,
    groups: NDArray[np.intp] | None = None,
    n_resamples: int = BOOTSTRAP_RESAMPLES,
    seed: int = 0,
) -> NDArray[np.float64]:
    """(V, 2) plausible range of the accuracy kept, sum(corrupted) / sum(clean), of each variant; 95 %.

    A Bayesian bootstrap of photos, or of whole groups, that keeps the pairs together: each draws a weight at random.
    Four photos that nobody took join in, of half a weight each (both right, only the clean one, only the corrupted one,
    neither), so that the range does not shrink to a point when no answer changed. That is Jeffreys' prior.

    Args:
        clean: (N,) which photos are right as they are; N >= 1.
        corrupted: (V, N) in [0, 1], which are right when corrupted.
        groups: (N,) which photos belong together; None when each stands alone.
        n_resamples: how often weights are drawn; the same draws serve all variants.
        seed: the same seed gives the same ranges.

    Source: Rubin, Ann. Stat. 9 (1981), for the weights.
    """
    n, n_variants = clean.size, len(corrupted)
    group_of = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
    n_groups = int(group_of.max()) + 1
    sums = np.zeros((n_groups, n_variants + 1))
    np.add.at(sums, group_of, np.column_stack([clean, corrupted.T]).astype(np.float64))
    rng = np.random.default_rng(seed)
    drawn = rng.standard_gamma(1.0, (n_resamples, n_groups)) @ sums
    both, lost, gained = rng.standard_gamma(0.5, (3, n_resamples)) * n / n_groups  # "neither" adds to no sum
    ratios = (drawn[:, 1:] + (both + gained)[:, None]) / (drawn[:, 0] + both + lost)[:, None]
    ends: NDArray[np.float64] = np.quantile(ratios, [0.025, 0.975], axis=0).T
    return ends


def _summary(said: _Said, labels: NDArray[np.intp], class_names: Sequence[str], seed: int) -> Json:
    rows = _rows(said, seed)
    by_name = dict(zip(VARIANTS, rows, strict=True))

    def worst_first(variants: Sequence[Variant]) -> list[Json]:
        return sorted((by_name[v] for v in variants), key=lambda row: row["n_right"])

    summary: Json = {
        "clean": _clean(said),
        "corruptions": worst_first(DAMAGE) if labels.size else [],
        "white_balance": worst_first(BALANCES) if labels.size else [],
        "mean_kept": _mean_kept(said, seed),
        "border_only": _border(said, labels, class_names),
    }
    return summary | {"sentences": _sentences(summary, len(labels))}


def _clean(said: _Said) -> Json:
    right = said.right[0]
    low, high = share_interval(right, said.groups) if right.size else (None, None)
    return {
        "value": _mean(right),
        "low": low,
        "high": high,
        "n_right": int(right.sum()),
        "not_sure": _mean(said.not_sure[0]),
        "none_of_these": _mean(said.none_of_these[0]),
    }


def _mean(flags: NDArray[np.bool_]) -> float | None:
    return float(flags.mean()) if flags.size else None


def _rows(said: _Said, seed: int) -> list[Json]:
    """What is said about each variant, in the order of `VARIANTS`."""
    kept = _kept(said, said.right.astype(np.float64), seed)
    return [
        variant.to_json()
        | {
            "accuracy": _mean(said.right[i]),
            "n_right": int(said.right[i].sum()),
            "kept": kept[i],
            "not_sure": _mean(said.not_sure[i]),
            "none_of_these": _mean(said.none_of_these[i]),
        }
        for i, variant in enumerate(VARIANTS)
    ]


def _mean_kept(said: _Said, seed: int) -> Json:
    """The accuracy kept on average over the corruptions, white balances aside."""
    rows = [VARIANTS.index(variant) for variant in DAMAGE]
    return _kept(said, said.right[rows].mean(axis=0, keepdims=True), seed)[0]


def _kept(said: _Said, corrupted: NDArray[np.float64], seed: int) -> list[Json]:
    """The accuracy kept of each row of `corrupted` (V, M); all None where no clean photo is right."""
    clean = said.right[0]
    if not clean.any():
        return [{"value": None, "low": None, "high": None} for _ in corrupted]
    values = corrupted.sum(axis=1) / clean.sum()
    ends = kept_intervals(clean, corrupted, groups=said.groups, seed=seed)
    return [
        {"value": float(value), "low": float(min(low, value)), "high": float(max(high, value))}
        for value, (low, high) in zip(values, ends, strict=True)
    ]


def _border(said: _Said, labels: NDArray[np.intp], class_names: Sequence[str]) -> Json:
    """The accuracy with the middle of each photo hidden, beside always answering the commonest class."""
    if not labels.size:
        nothing: Json = dict.fromkeys(("value", "low", "high", "p_value", "clearly_above"))
        return nothing | {"n_right": 0, "baseline": {"class_name": None, "value": None}}
    right = said.right[VARIANTS.index(BORDER)]
    counts = np.bincount(labels, minlength=len(class_names))
    baseline = float(counts.max() / len(labels))
    n = len(labels) if said.groups is None else max(1, int(worth(right, said.groups)))
    p_value = no_information_p_value(int(right.sum()) * n // len(labels), n, baseline)
    low, high = share_interval(right, said.groups)
    return {
        "value": _mean(right),
        "low": low,
        "high": high,
        "n_right": int(right.sum()),
        "baseline": {"class_name": class_names[int(counts.argmax())], "value": baseline},
        "p_value": p_value,
        "clearly_above": bool(p_value < CLEARLY_P),
    }


def _sentences(summary: Json, n: int) -> list[str]:
    """At most three: the dark, what hurts most, and the borders, or else the white balance."""
    if n == 0:
        return ["There are no test photos, so nothing is known about spoiled ones."]
    if summary["clean"]["n_right"] == 0:
        return [
            f"Not one of {counted(n, 'test photo')} is right as it is, so there is nothing to lose on spoiled ones."
        ]
    dark = next(row for row in summary["corruptions"] if (row["name"], row["severity"]) == ("darkness", "medium"))
    worst = next(row for row in summary["corruptions"] if row["severity"] == "strong")
    balance = summary["white_balance"][0]
    sentences = [f"In the dark it keeps {_of_100(dark)}, measured on {counted(n, 'test photo')}."]
    if worst["kept"]["value"] >= HARDLY_HURT:
        sentences.append(
            f"Nothing that was tried hurts much: at worst, with {worst['name']}, it keeps {_of_100(worst)}."
        )
    else:
        quiet = round(100 * (worst["not_sure"] + worst["none_of_these"]))
        sentences.append(
            f"{worst['name'][0].upper()}{worst['name'][1:]} hurts most: when strong, it keeps "
            f"{_of_100(worst)}, and says “not sure” or “none of these” to {quiet} of 100 photos."
        )
    if summary["border_only"]["clearly_above"]:
        sentences.append(_border_sentence(summary["border_only"]))
    elif balance["kelvin"] != DAYLIGHT_K and balance["kept"]["value"] < HARDLY_HURT:
        colour = "blue" if balance["kelvin"] < DAYLIGHT_K else "orange"
        sentences.append(f"When the white balance is wrong and photos turn {colour}, it keeps {_of_100(balance)}.")
    return sentences


def _of_100(row: Json) -> str:
    """Such as `61 of every 100 right answers (52 to 70 is plausible)`; more than all of them is all of them."""
    value, low, high = (min(100, round(100 * row["kept"][key])) for key in ("value", "low", "high"))
    return f"{value} of every 100 right answers ({f'{low} to {high}' if low != high else low} is plausible)"


def _border_sentence(border: Json) -> str:
    value, baseline = round(100 * border["value"]), border["baseline"]
    return (
        f"With the middle of each photo hidden it still gets {value} of 100 right, where always answering "
        f"{quoted(baseline['class_name'])} would get {round(100 * baseline['value'])}. Either your things reach the "
        "edge of the photo, or it goes by the background: test it on photos from another place."
    )

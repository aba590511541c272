"""Labels swapped in real training photos: how many of those named are wrong, and how many wrong ones are named.

The piece `labels` of benchmarks/checks.py. One label in twenty is swapped: for any other class; for the class that
heads find likeliest beside the right one, as a person would mix them up; or whole scenes, as bursts in a wrong folder.
cleanlab is asked about the same probabilities, and ranks by self-confidence.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from cleanlab.filter import find_label_issues

import measure
from tellapart.checks.mislabels import suspects
from tellapart.classifier.cross_validation import out_of_fold_probs
from tellapart.features.prepare import Prepared
from tellapart.recipe import LinearProbe

SETS = {
    "clothing": "clothing/train",
    "instruments": "instruments",
    "hotdog": "hotdog/train",
    "fruits, white": "fruits/train_white",
    "fruits, market": "fruits/train_market",
}
SWAPPED = 0.05  # of the labels
FIRST = 20  # suspects that a person looks at in one go
WANTED = 18  # of these wrong
WANTED_OF_FEW = 5  # where fewer than 18 are swapped
SCENES = (2, 10)  # photos of a scene that is swapped as a whole
FIRST_SEED = 100  # of the swaps; those below were looked at when ranking and threshold were chosen
CLEANLAB = ("prune_by_noise_rate", "confident_learning")  # its default, and the counting it is named for

Find = Callable[[np.ndarray, np.ndarray], list[int]]


@dataclass(frozen=True)
class Draw:
    """(N,) labels of which those at `swapped` are wrong, and what heads say that learned them from other scenes."""

    labels: np.ndarray
    swapped: np.ndarray
    probs: np.ndarray


def swaps(options, sets: Mapping[str, Prepared]) -> dict[str, list[measure.Row]]:
    """The tables of the piece, by their titles."""
    tables: dict[str, list[measure.Row]] = {"Labels swapped at random": [], "Labels swapped otherwise": []}
    for name, prepared in sets.items():
        labels, seeds = prepared.dataset.labels, range(FIRST_SEED, FIRST_SEED + options.repeats)
        as_it_came = said(prepared, labels)
        ways: dict[str, Find] = {
            "tellapart": lambda probs, labels, features=prepared.values: [
                s.index for s in suspects(probs, labels, features)
            ],
            **{f"cleanlab, {way}": partial(cleanlab_issues, way) for way in CLEANLAB},
        }
        draws = [drawn(prepared, any_class, seed) for seed in seeds]
        for way, find in ways.items():
            found = {"Named in the set as it came": len(find(as_it_came, labels))}
            tables["Labels swapped at random"].append({"Photos": name, "Way": way} | row(draws, find) | found)
        for what, swap in (("the likeliest other class", partial(likeliest, as_it_came)), ("whole scenes", scenes)):
            draws = [drawn(prepared, swap, seed) for seed in seeds]
            if all(len(draw.swapped) for draw in draws):
                tables["Labels swapped otherwise"].append(
                    {"Photos": name, "Swapped for": what} | row(draws, ways["tellapart"])
                )
        print(f"  labels: {name}", file=sys.stderr, flush=True)
    return tables


def said(prepared: Prepared, labels: np.ndarray) -> np.ndarray:
    """(N, C) as `check` asks for them, were the photos labelled so."""
    return out_of_fold_probs(replace(prepared, dataset=replace(prepared.dataset, labels=labels)), LinearProbe())


def drawn(prepared: Prepared, swap: Callable[[Prepared, np.random.Generator], np.ndarray], seed: int) -> Draw:
    labels = swap(prepared, np.random.default_rng(seed))
    return Draw(labels, np.flatnonzero(labels != prepared.dataset.labels), said(prepared, labels))


def any_class(prepared: Prepared, rng: np.random.Generator) -> np.ndarray:
    """(N,) labels, some swapped for any other."""
    dataset, labels = prepared.dataset, prepared.dataset.labels.copy()
    swapped = rng.choice(dataset.n, round(SWAPPED * dataset.n), replace=False)
    n_classes = len(dataset.class_names)
    labels[swapped] = (labels[swapped] + rng.integers(1, n_classes, len(swapped))) % n_classes
    return labels


def likeliest(probs: np.ndarray, prepared: Prepared, rng: np.random.Generator) -> np.ndarray:
    """(N,) labels, some swapped for the likeliest other by `probs` (N, C)."""
    labels = prepared.dataset.labels.copy()
    others = np.nan_to_num(probs)
    others[np.arange(len(labels)), labels] = -1
    swapped = rng.choice(len(labels), round(SWAPPED * len(labels)), replace=False)
    labels[swapped] = others[swapped].argmax(axis=1)
    return labels


def scenes(prepared: Prepared, rng: np.random.Generator) -> np.ndarray:
    """(N,) labels, those of some scenes swapped as a whole; none where too few photos are of small scenes."""
    groups, labels = prepared.duplicates.groups, prepared.dataset.labels.copy()
    numbers, sizes = np.unique(groups, return_counts=True)
    small = numbers[(SCENES[0] <= sizes) & (sizes <= SCENES[1])]
    if np.isin(groups, small).sum() < SWAPPED * len(labels):
        return labels
    n_classes = len(prepared.dataset.class_names)
    for scene in rng.permutation(small):
        members = groups == scene
        labels[members] = (labels[members][0] + rng.integers(1, n_classes)) % n_classes
        if np.count_nonzero(labels != prepared.dataset.labels) >= SWAPPED * len(labels):
            break
    return labels


def cleanlab_issues(way: str, probs: np.ndarray, labels: np.ndarray) -> list[int]:
    """The photos that cleanlab names, of those that a head without them has answered."""
    seen = np.flatnonzero(~np.isnan(probs).any(axis=1))
    ranked = find_label_issues(
        labels[seen], probs[seen], filter_by=way, return_indices_ranked_by="self_confidence", n_jobs=1
    )
    return seen[ranked].tolist()


def row(draws: list[Draw], find: Find) -> measure.Row:
    """How `find` does on all of them."""
    precision, recall, first = [], [], []
    for draw in draws:
        named = find(draw.probs, draw.labels)
        right = np.isin(named, draw.swapped)
        precision.append(100 * right.sum() / max(1, len(named)))
        recall.append(100 * right.sum() / len(draw.swapped))
        first.append(int(right[:FIRST].sum()))
    fewest = min(len(draw.swapped) for draw in draws)
    wanted = WANTED if fewest >= WANTED else WANTED_OF_FEW
    return {
        "Swapped": f"{fewest} of {len(draws[0].labels)}",
        "Right, of those named": measure.spread(precision).text(" %", 0),
        "Found, of those swapped": measure.spread(recall).text(" %", 0),
        f"Right, of the first {FIRST}": f"{np.mean(first):.1f} ({min(first)} to {max(first)})",
        "Draws with enough of them": f"{sum(n >= wanted for n in first)} of {len(first)} with ≥ {wanted}",
    }

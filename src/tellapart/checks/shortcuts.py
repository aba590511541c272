"""Whether something that is not the thing itself tells the classes apart: format, size, light, the photo's border.

A classifier learns whatever separates its photos. Where all photos of one class are PNGs, or come from another
camera, it may learn that, be right on every photo of the same folder, and fail elsewhere. So each such cue is given to
a small classifier of its own, which answers photos that it has not seen. Only one photo of each group is asked about:
a burst shares its light and its class, and proves nothing forty times over. Colour is no cue here; too often it is the
thing itself.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, special

from tellapart.checks.finding import Finding
from tellapart.checks.image_stats import ImageStats
from tellapart.data.source import Dataset
from tellapart.data.split import stratified_group_split
from tellapart.metrics.intervals import no_information_p_value
from tellapart.text import quoted, some

MIN_GROUPS_PER_CLASS = 10  # of different groups; smaller classes are left out of the question
MAX_PHOTOS_ASKED = 10_000  # dealt to the classes evenly; enough to see any cue that matters
N_FOLDS = 5
N_BINS = 8  # of a number: a cue may lie in the middle of its range
MAX_KINDS = 20  # of formats or cameras, the commonest; the others count as one
SHRINK = 0.1  # of the pooled covariance towards its diagonal; more where there are few photos for it
SEPARATES = 0.5  # of the way from the commonest class to all right; real sets without a shortcut reach 0.30
PICKS_OUT = 0.65  # share of the class's photos found, less that of others taken for it; such sets reach 0.48
RARE = 1e-5  # p-value asked for besides; of 1,200 simulated sets of 30 to 200 photos that tell nothing, 1 passed
N_SHOWN = 24  # photos of a finding

ADVICE = {
    "file format": "Save the photos of all classes in one format; a model could learn the format's traces instead.",
    "camera": "Take photos of every class with every camera; a model could learn the camera instead.",
    "file size": "Find out what makes these files different (another program, another size) and make all alike.",
    "size in pixels": "Take or save the photos of all classes at the same sizes; a model could learn them instead.",
    "brightness": "Unless that is how the thing itself looks, take photos of all classes in the same light.",
    "sharpness": "Unless that is how the thing itself looks, take photos of all classes with the same care.",
    "border": "Look for a frame, a mark or one background for each class; take each class on many backgrounds.",
}
# What may be no more than the shadow of another cue (a PNG is also a larger file) is named only if it is the clearer.
SHADOWS = {
    "file size": ("file format", "size in pixels", "sharpness", "brightness", "border"),
    "sharpness": ("size in pixels",),
    "border": ("brightness",),
}


@dataclass(frozen=True)
class Cue:
    """What one cue alone makes of M photos, each answered by a classifier that had not seen it.

    Args:
        name: such as "file format".
        answers: (M,) the class answered, classes taken to be as common as they are.
        balanced: (M,) the same with all classes taken to be equally common.
    """

    name: str
    answers: NDArray[np.int64]
    balanced: NDArray[np.int64]


def cue_columns(stats: ImageStats) -> dict[str, NDArray[np.float64]]:
    """{cue: (N, D)} what the classifier of each cue may look at; of two as clear, the first is named."""
    width, height, size = (a.astype(np.float64) for a in (stats.width_px, stats.height_px, stats.bytes))
    light = (stats.brightness, stats.contrast, stats.darkest, stats.brightest)
    return {
        "file format": _one_hot(stats.format),
        "camera": _one_hot(stats.camera),
        "size in pixels": _binned(width, height, width / height),
        "border": stats.border.astype(np.float64),
        "brightness": _binned(*light),
        "sharpness": _binned(np.nan_to_num(stats.sharpness, nan=-1.0)),
        "file size": _binned(size, size / (width * height)),
    }


def _one_hot(values: NDArray[np.str_]) -> NDArray[np.float64]:
    _, numbers, counts = np.unique(values, return_inverse=True, return_counts=True)
    common = np.argsort(-counts, kind="stable")[: min(MAX_KINDS, len(counts) - 1)]
    return np.asarray(numbers[:, None] == common, np.float64)


def _binned(*numbers: NDArray[np.floating]) -> NDArray[np.float64]:
    """(N, D) zeros and ones for the bins of each of `numbers` (N,); a value that many photos share is its own bin."""
    columns = []
    for values in numbers:
        edges = np.unique(np.quantile(values, np.arange(1, N_BINS) / N_BINS, method="nearest"))
        place = np.searchsorted(edges, values, "left") + np.searchsorted(edges, values, "right")
        columns.append(place[:, None] == np.unique(place)[1:])
    return np.concatenate(columns, axis=1).astype(np.float64)


def read_cues(stats: ImageStats, rows: NDArray[np.int64], labels: NDArray[np.int64]) -> list[Cue]:
    """What each cue makes of the photos `rows` (M,) of `labels` (M,), which run from 0 without a gap.

    A cue in which all photos are alike is left out.
    """
    folds = stratified_group_split(
        labels.astype(np.int32), np.arange(len(rows), dtype=np.int32), [1 / N_FOLDS] * N_FOLDS, seed=0
    )
    cues = []
    for name, columns in cue_columns(stats).items():
        x = columns[rows]
        x = x[:, x.std(axis=0) > 0]
        if x.shape[1]:
            cues.append(Cue(name, *cross_validated(x, labels, folds)))
    return cues


def cross_validated(
    x: NDArray[np.float64], labels: NDArray[np.int64], folds: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(M,) answers of linear discriminants fitted on the other folds, with priors as found and with equal ones.

    Args:
        x: (M, D).
        labels: (M,) in [0, C), each class in two folds or more.
        folds: (M,).

    Source: Fisher's discriminant with a shrunk covariance; Hastie, Tibshirani and Friedman, The Elements of
    Statistical Learning (2009), sections 4.3 and 4.3.1.
    """
    answers, balanced = np.empty((2, len(x)), np.int64)
    for fold in np.unique(folds):
        out = folds == fold
        weight, bias, log_prior = _discriminant(x[~out], labels[~out])
        scores = x[out] @ weight.T + bias
        answers[out], balanced[out] = (scores + log_prior).argmax(axis=1), scores.argmax(axis=1)
    return answers, balanced


def _discriminant(
    x: NDArray[np.float64], labels: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Weights (C, D), offsets (C,) and log priors (C,) of the linear discriminant."""
    counts = np.bincount(labels)
    means = np.zeros((len(counts), x.shape[1]))
    np.add.at(means, labels, x)
    means /= counts[:, None]
    within = x - means[labels]
    covariance = within.T @ within / len(x)
    spread = np.diag(covariance)
    shrink = max(SHRINK, x.shape[1] / (x.shape[1] + len(x)))
    floor = 1e-3 * spread.mean() + 1e-9  # a column may be constant within each class: that is the clearest cue of all
    weight = linalg.solve((1 - shrink) * covariance + np.diag(shrink * spread + floor), means.T, assume_a="pos").T
    return weight, -(weight * means).sum(axis=1) / 2, np.log(counts / counts.sum())


def shortcut_findings(dataset: Dataset, groups: NDArray[np.int32], stats: ImageStats) -> list[Finding]:
    """Cues that tell the classes of `dataset` apart without the thing itself; none where there are too few photos.

    Args:
        dataset: N photos.
        groups: (N,) photos of one group share a number.
        stats: of the photos.
    """
    rows = _asked(dataset.labels, groups)
    classes, labels = np.unique(dataset.labels[rows], return_inverse=True)
    if len(classes) < 2:
        return []
    cues = {cue.name: cue for cue in read_cues(stats, rows, labels)}
    found = {name: _separated(cue, labels) for name, cue in cues.items()}
    findings = []
    for name, separated in found.items():
        news = [c for c, clearness in separated.items() if not _in_shadow(name, c, clearness, found)]
        if news:
            findings.append(_finding(cues[name], dataset, rows, classes, labels, news))
    return findings


def _in_shadow(name: str, c: int, clearness: float, found: dict[str, dict[int, float]]) -> bool:
    """Whether another cue, of which this one may be the shadow, tells class `c` apart more clearly, or as clearly."""
    order = list(found)
    stronger = [other for other in SHADOWS.get(name, ()) if found.get(other, {}).get(c, 0.0) >= clearness]
    return any(found[other][c] > clearness or order.index(other) < order.index(name) for other in stronger)


def _asked(labels: NDArray[np.int32], groups: NDArray[np.int32]) -> NDArray[np.int64]:
    """(M,) the first photo of each group, of classes with enough of them, and not too many of any class."""
    first = np.sort(np.unique(groups, return_index=True)[1])
    counts = np.bincount(labels[first], minlength=1)
    enough = counts >= MIN_GROUPS_PER_CLASS
    most = max(MIN_GROUPS_PER_CLASS, MAX_PHOTOS_ASKED // max(1, int(enough.sum())))
    rng = np.random.default_rng(0)
    parts = [rng.permutation(first[labels[first] == c])[:most] for c in np.flatnonzero(enough)]
    return np.sort(np.concatenate([np.zeros(0, np.int64), *parts]))


def _separated(cue: Cue, labels: NDArray[np.int64]) -> dict[int, float]:
    """{class: how clearly} of those that the cue tells from the others; all of them where it does so on the whole."""
    if _overall(cue, labels) >= SEPARATES:
        counts, right = np.bincount(labels), int((cue.answers == labels).sum())
        if no_information_p_value(right, len(labels), counts.max() / len(labels)) < RARE:
            return dict(enumerate(_counted(cue, labels)[2].tolist()))
    return _picked_out(cue, labels)


def _picked_out(cue: Cue, labels: NDArray[np.int64]) -> dict[int, float]:
    """{class: how clearly} of those that the cue finds, each against all others; the clearest first."""
    counts = np.bincount(labels)
    hits, taken, clear = _counted(cue, labels)
    found = [int(c) for c in np.argsort(-clear, kind="stable") if clear[c] >= PICKS_OUT]
    rare = RARE / len(counts)
    return {c: float(clear[c]) for c in found if exact_p_value(hits[c], taken[c], counts[c], len(labels)) < rare}


def _counted(cue: Cue, labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """(C,) photos of each class that are taken for it, other photos that are, and the one share less the other."""
    counts = np.bincount(labels)
    hits = np.bincount(labels[cue.balanced == labels], minlength=len(counts))
    taken = np.bincount(cue.balanced, minlength=len(counts)) - hits
    return hits, taken, hits / counts - taken / (len(labels) - counts)


def _overall(cue: Cue, labels: NDArray[np.int64]) -> float:
    """How far the cue gets on the way from always answering the commonest class, 0, to all right, 1."""
    baseline = np.bincount(labels).max() / len(labels)
    return float(((cue.answers == labels).mean() - baseline) / (1 - baseline))


def exact_p_value(hits: int, taken: int, n_class: int, n: int) -> float:
    """How often chance alone would put `hits` or more of the class among the `hits` + `taken` photos taken for it.

    Args:
        hits: photos of the class that are taken for it.
        taken: other photos that are.
        n_class: photos of the class.
        n: all photos.

    Source: Fisher's exact test, one-sided: the upper tail of the hypergeometric distribution.
    """
    drawn = hits + taken
    more = np.arange(hits, min(drawn, n_class) + 1)
    ways = _log_choose(n_class, more) + _log_choose(n - n_class, drawn - more) - _log_choose(n, drawn)
    return float(np.exp(ways).sum())


def _log_choose(n: int, k: NDArray[np.int64] | int) -> NDArray[np.float64]:
    k = np.asarray(k, np.float64)
    with np.errstate(invalid="ignore"):
        ways = special.gammaln(n + 1.0) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
    return np.where((k >= 0) & (k <= n), ways, -np.inf)


def _finding(
    cue: Cue,
    dataset: Dataset,
    rows: NDArray[np.int64],
    classes: NDArray[np.int32],
    labels: NDArray[np.int64],
    found: list[int],
) -> Finding:
    names = [quoted(dataset.class_names[c]) for c in classes]
    clear = [c for c in _picked_out(cue, labels) if c in found]
    picked = some([_picked(cue, labels, names, c) for c in clear])
    sentence = f"The {cue.name} alone tells {picked}."
    if _overall(cue, labels) >= SEPARATES:
        counts = np.bincount(labels)
        sentence = (
            f"The {cue.name} alone puts {(cue.answers == labels).sum():,} of {len(labels):,} photos into the right "
            f"class; always answering {names[int(counts.argmax())]} would get {counts.max():,}."
        )
        if clear and len(counts) > 2:
            sentence += f" Above all it tells {picked}."
    shown = np.flatnonzero(np.isin(labels, found) & (cue.balanced == labels))[:N_SHOWN]
    return Finding(
        "shortcut",
        sentence,
        ADVICE[cue.name],
        tuple((dataset.photos[rows[i]], names[labels[i]]) for i in shown),
        sure=(
            "Counted on photos that the rule had not seen, one of each scene. "
            "In sets without a shortcut, a cue got at most a third of the way from guessing to all right."
        ),
    )


def _picked(cue: Cue, labels: NDArray[np.int64], names: list[str], c: int) -> str:
    of_class, said = labels == c, cue.balanced == c
    return (
        f"{names[c]} from the rest (finds {(of_class & said).sum():,} of its {of_class.sum():,} photos, "
        f"and takes {(said & ~of_class).sum():,} of the {(~of_class).sum():,} others for it)"
    )

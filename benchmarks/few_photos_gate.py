"""Whether "none of these" is right from three photos a class: photos of other things refused, and one's own kept.

    python benchmarks/few_photos_gate.py ../shared/data

Training photos only. A draw takes a few photos of each class, of two classes or of all, and a model is fitted on them
as `tellapart train` fits it. Asked are photos of the same classes that were not drawn, and photos of other things: of
the other sets, and that half of `unknown` on which nothing is ever fitted. `--repeats` is the number of draws; where
two classes are drawn, twice as many. The rule was chosen on these sets and on the other half of `unknown`.
"""

import argparse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

import measure
from photo_sets import Photos, asked, fit, load, of_unknown, used_to_choose
from tellapart.classifier.decision import FADES_FROM, FAR_SHARE, LEAST_PROMISED, fit_thresholds
from tellapart.classifier.probe import CalibratedHead
from tellapart.data.split import cross_validated_split
from tellapart.engine.backbone import QUALITIES
from tellapart.engine.ood_reference import ood_reference
from tellapart.recipe import LinearProbe, Reading

SETS = {  # trained on: the same kind of thing elsewhere, which is not of another kind
    "clothing": "",
    "instruments": "",
    "hotdog": "",
    "fruits, market": "fruits, white",
    "fruits, white": "fruits, market",
}
PER_CLASS = (3, 5, 10)
TWO, ALL = "two", "all"
MOST_ASKED = 250  # photos of one set
DRAWN, CUPS, JUMP = 15, 77, 24  # seeds
MOST_OWN, MOST_OWN_ON_ONE, LEAST_FAR, LEAST_FAR_ON_ONE = 0.05, 0.10, 0.90, 0.70
SIZES = (6, 8, 9, 10, 11, 12, 13, 15, 18)  # a class, where the promise takes over

Rule = Callable[[np.ndarray, np.ndarray], float]
Shares = Mapping[str, float]


@dataclass(frozen=True)
class Asked:
    """What one model said.

    Args:
        n: photos out of fold.
        early: whether its threshold is early.
        own: the share of its own photos refused, and `far` of other things by where they are from.
        scores: OOD scores out of fold, of the reference that may be fitted on, of own photos and of other things.
    """

    n: int
    early: bool
    own: float
    far: Shares
    scores: tuple[np.ndarray, np.ndarray, np.ndarray, Mapping[str, np.ndarray]]


def at_most(photos: Photos, n: int, rng: np.random.Generator) -> Photos:
    return photos.part(np.sort(rng.permutation(photos.n)[:n]))


def drawn(photos: Photos, classes: Iterable[int], n: int, rng: np.random.Generator) -> tuple[Photos, Photos]:
    """`n` photos of each of `classes` to learn from, and others of them to ask about, copies of the former left out."""
    own = [np.flatnonzero(photos.labels == c) for c in classes]
    rows = np.concatenate([np.sort(rng.permutation(of_class)[:n]) for of_class in own])
    train, rest = photos.part(rows), photos.part(np.setdiff1d(np.concatenate(own), rows))
    known = np.unique(train.labels)
    train, rest = (replace(p, labels=np.searchsorted(known, p.labels).astype(np.int32)) for p in (train, rest))
    return train, at_most(rest.part(~np.isin(rest.hashes, train.hashes)), MOST_ASKED, rng)


def crossed(photos: Photos, seed: int) -> CalibratedHead:
    """A model of few photos, which all learn and choose in the folds that `train` makes of them."""
    recipe = LinearProbe()
    copies = np.unique(photos.hashes, return_inverse=True)[1].astype(np.int32)
    split = cross_validated_split(photos.labels, photos.groups, copies, n_folds=recipe.n_folds, seed=seed)
    return fit(photos, seed, folds=split.folds)


def ask(train: Photos, own: Photos, others: Mapping[str, Photos], seed: int) -> Asked:
    fitted = crossed(train, seed)
    known = ood_reference(QUALITIES[Reading.quality])
    assert known is not None
    far = {source: float(np.logical_or(*asked(fitted, photos)).mean()) for source, photos in others.items()}
    ood_scores = fitted.centres.ood_scores
    scores = (
        fitted.out_of_fold.ood_scores,
        ood_scores(known.to_fit),
        ood_scores(own.features),
        {source: ood_scores(photos.features) for source, photos in others.items()},
    )
    return Asked(
        fitted.thresholds.n, fitted.thresholds.early, float(np.logical_or(*asked(fitted, own)).mean()), far, scores
    )


def others_of(name: str, sets: Mapping[str, Photos]) -> dict[str, Photos]:
    """What a model of the set `name` is shown: the other sets, and the half of `unknown` that fits nothing."""
    rng = np.random.default_rng(DRAWN)
    far = {other: at_most(sets[other], MOST_ASKED, rng) for other in SETS if other not in (name, SETS[name])}
    unknown = sets["unknown"]
    return far | of_unknown(unknown, ~used_to_choose(unknown.names))


Found = dict[tuple[str, int, str], list[Asked]]


def every_draw(options: argparse.Namespace, sets: Mapping[str, Photos]) -> Found:
    """{(two or all, photos a class, set): what models of so many photos said}."""
    found: Found = {}
    for name in SETS:
        others, photos = others_of(name, sets), sets[name]
        least = np.bincount(photos.labels).min()
        for n in (n for n in PER_CLASS if n < least):
            for kind in (TWO, ALL) if photos.n_classes > 2 else (TWO,):
                for draw in range(options.repeats * (2 if kind == TWO else 1)):
                    rng = np.random.default_rng((DRAWN, n, draw, len(name)))
                    classes = np.arange(photos.n_classes) if kind == ALL else rng.permutation(photos.n_classes)[:2]
                    train, own = drawn(photos, np.sort(classes), n, rng)
                    found.setdefault((kind, n, name), []).append(ask(train, own, others, draw))
    return found


def percent(values: Iterable[float]) -> str:
    """Mean, least and most of shares."""
    every = 100 * np.array(list(values))
    return f"{every.mean():.1f} ({every.min():.0f} to {every.max():.0f})"


def far_of(one: Asked) -> float:
    return float(np.mean(list(one.far.values())))


def rows_by_set(found: Found) -> list[measure.Row]:
    rows = []
    for (kind, n, name), draws in found.items():
        by_source = {s: float(np.mean([d.far[s] for d in draws])) for s in draws[0].far}
        worst = min(by_source, key=lambda s: by_source[s])
        rows.append(
            {
                "Trained on": name,
                "Classes": kind,
                "Photos a class": n,
                "Out of fold": max(d.n for d in draws),
                "Early": "yes" if all(d.early for d in draws) else "",
                "Own refused, of 100": percent(d.own for d in draws),
                "Other things refused, of 100": percent(far_of(d) for d in draws),
                "Least refused": f"{100 * by_source[worst]:.0f}: {worst}",
                "Other things refused before": percent(_before(d) for d in draws),
            }
        )
    return rows


def _before(one: Asked) -> float:
    """The share of other things refused where no threshold is early."""
    own, _, _, others = one.scores
    limit = fit_thresholds(own, np.ones(len(own))).ood_score
    return 0.0 if limit is None else float(np.mean([(far > limit).mean() for far in others.values()]))


def bars(found: Found) -> list[measure.Row]:
    """Over sets, each in the mean over its draws; where all classes are drawn, hot dogs count with their two."""
    rows = []
    for kind in (TWO, ALL):
        for n in PER_CLASS:
            draws = {name: found.get((kind, n, name), found.get((TWO, n, name), [])) for name in SETS}
            rows.append({"Classes": kind, "Photos a class": n} | bars_row({k: v for k, v in draws.items() if v}))
    return rows


def bars_row(draws: Mapping[str, list[Asked]]) -> measure.Row:
    own = {name: float(np.mean([d.own for d in every])) for name, every in draws.items()}
    far = {name: float(np.mean([far_of(d) for d in every])) for name, every in draws.items()}
    pairs = {(a, s): float(np.mean([d.far[s] for d in every])) for a, every in draws.items() for s in every[0].far}
    of_kind = {s: float(np.mean([v for (_, other), v in pairs.items() if other == s])) for _, s in pairs}
    mean_own, mean_far = float(np.mean(list(own.values()))), float(np.mean(list(far.values())))
    most, least, kind = (
        max(own, key=own.__getitem__),
        min(far, key=far.__getitem__),
        min(of_kind, key=of_kind.__getitem__),
    )
    low = sorted(pairs, key=pairs.__getitem__)[: sum(v < LEAST_FAR_ON_ONE for v in pairs.values())]
    return {
        "Own refused": f"{100 * mean_own:.1f}",
        "≤ 5": _bar(mean_own <= MOST_OWN),
        "Most, by set": f"{100 * own[most]:.1f}: {most}",
        "≤ 10": _bar(own[most] <= MOST_OWN_ON_ONE),
        "Other things refused": f"{100 * mean_far:.1f}",
        "≥ 90": _bar(mean_far >= LEAST_FAR),
        "Least, by set": f"{100 * far[least]:.1f}: {least}",
        "Least, by kind of things": f"{100 * of_kind[kind]:.1f}: {kind}",
        "≥ 70": _bar(min(far[least], of_kind[kind]) >= LEAST_FAR_ON_ONE),
        "Single pairs below 70": f"{len(low)} of {len(pairs)}"
        + "".join(f"; {name} shown {source} {100 * pairs[name, source]:.0f}" for name, source in low),
    }


def _bar(holds: bool) -> str:
    return "met" if holds else "missed"


def _end(spreads: float) -> Rule:
    return lambda own, others: float(own.mean() + spreads * own.std(ddof=1))


def _worst(own: np.ndarray, others: np.ndarray) -> float:
    return float(own.max())


def _half(end: Rule) -> Rule:
    return lambda own, others: float((end(own, others) + np.quantile(others, 0.1)) / 2)


def _fading(rule: Rule) -> Rule:
    """`rule`, and the promise from where there is one, with the same way from one to the other for each."""

    def threshold(own: np.ndarray, others: np.ndarray) -> float:
        promised = min(max((len(own) - FADES_FROM) / (LEAST_PROMISED - FADES_FROM), 0), 1)
        rank = max(1, int(FAR_SHARE * (len(own) + 1)))
        return (1 - promised) * rule(own, others) + promised * float(np.sort(own)[-rank])

    return threshold


RULES = {
    "none below 24 photos (before)": None,
    "two spreads beyond the mean": _fading(_end(2)),
    "the furthest of one's own": _fading(_worst),
    "what 9 in 10 of the reference lie beyond": _fading(lambda own, others: float(np.quantile(others, 0.1))),
    "halfway: the furthest, the reference": _fading(_half(_worst)),
    "halfway: 1.25 spreads, the reference": _fading(_half(_end(1.25))),
    "**halfway: 1.5 spreads, the reference**": _fading(_half(_end(1.5))),
    "halfway: 1.75 spreads, the reference": _fading(_half(_end(1.75))),
    "halfway: 2 spreads, the reference": _fading(_half(_end(2))),
}


def rules(found: Found) -> list[measure.Row]:
    """Other rules on the same scores, for two classes: own and other things refused, mean over sets and worst set."""
    rows: list[measure.Row] = []
    for title, rule in RULES.items():
        row: measure.Row = {"Threshold": title}
        for n in PER_CLASS:
            own, far = [], []
            for name in (name for name in SETS if (TWO, n, name) in found):
                told = [_by(rule, d) for d in found[TWO, n, name]]
                own.append(np.mean([t[0] for t in told]))
                far.append(np.mean([t[1] for t in told]))
            row[f"{n} a class: own (most)"] = f"{100 * np.mean(own):.1f} ({100 * max(own):.1f})"
            row[f"{n} a class: others (least)"] = f"{100 * np.mean(far):.1f} ({100 * min(far):.1f})"
        rows.append(row)
    return rows


def _by(rule: Rule | None, one: Asked) -> tuple[float, float]:
    if rule is None:
        return 0.0, _before(one)
    out_of_fold, reference, own, others = one.scores
    limit = rule(out_of_fold.astype(float), reference.astype(float))
    return float((own > limit).mean()), float(np.mean([(far > limit).mean() for far in others.values()]))


def cups(options: argparse.Namespace, sets: Mapping[str, Photos]) -> list[measure.Row]:
    """Ten hot dogs and ten violins: who gets no name."""
    hotdog, instruments, unknown = sets["hotdog"], sets["instruments"], sets["unknown"]
    both = []
    for photos, start in ((hotdog, "hot"), (instruments, "violin")):
        kind = photos.part(np.array([n.startswith(start) for n in photos.names]))
        both.append(kind)
    shown = of_unknown(unknown, ~used_to_choose(unknown.names))
    told: dict[str, list[float]] = {}
    for draw in range(2 * options.repeats):
        rng = np.random.default_rng((CUPS, draw))
        parts = [drawn(p, [int(p.labels[0])], 10, rng) for p in both]
        train, own = (_joined(*(part[i] for part in parts)) for i in (0, 1))
        one = ask(train, own, shown, draw)
        for source, share in {"Hot dogs and violins": one.own, **one.far}.items():
            told.setdefault(source, []).append(share)
    n = {"Hot dogs and violins": "up to 500", **{s: p.n for s, p in shown.items()}}
    return [{"Photos": s, "Asked": n[s], "No class name, of 100": percent(shares)} for s, shares in told.items()]


def _joined(first: Photos, second: Photos) -> Photos:
    """Photos of two sets as two classes."""
    columns = {}
    for field in vars(first):
        values = getattr(first, field), getattr(second, field)
        if field == "labels":
            values = np.zeros(first.n, np.int32), np.ones(second.n, np.int32)
        elif field in ("groups", "copies"):
            values = values[0], values[1] + values[0].max() + 1
        columns[field] = np.concatenate(values)
    return Photos(**columns)


def takes_over(options: argparse.Namespace, sets: Mapping[str, Photos]) -> list[measure.Row]:
    """What happens as photos are added, two classes, where the promise begins: each draw grows by the same photos."""
    names = ("clothing", "instruments", "hotdog")
    rows: list[measure.Row] = []
    for n in SIZES:
        told: list[Asked] = []
        for name in names:
            photos, others = sets[name], others_of(name, sets)
            for draw in range(options.repeats):
                rng = np.random.default_rng((JUMP, draw))
                classes = np.sort(rng.permutation(photos.n_classes)[:2])
                most, own = drawn(photos, classes, SIZES[-1], rng)
                first = np.concatenate([np.flatnonzero(most.labels == c)[:n] for c in (0, 1)])
                told.append(ask(most.part(first), own, others, draw))
        limits = [fit_thresholds(d.scores[0], np.ones(d.n), d.scores[1]).ood_score for d in told]
        rows.append(
            {
                "Photos a class": n,
                "Out of fold": 2 * n,
                "Early": "yes" if told[0].early else "",
                "Threshold, mean": f"{np.mean([limit for limit in limits if limit is not None]):.3f}",
                "Own refused, of 100": f"{100 * np.mean([d.own for d in told]):.1f}",
                "Other things refused, of 100": f"{100 * np.mean([far_of(d) for d in told]):.1f}",
            }
        )
    return rows


def gate_tables(options: argparse.Namespace, sets: Mapping[str, Photos]) -> dict[str, list[measure.Row]]:
    """Every table, by title."""
    found = every_draw(options, sets)
    return {
        "The bars of few photos": bars(found),
        "None of these from few photos": rows_by_set(found),
        "Ten hot dogs and ten violins": cups(options, sets),
        "Where the promise takes over": takes_over(options, sets),
        "Thresholds that were tried": rules(found),
    }


def main() -> None:
    options = measure.arguments(__doc__, repeats=12)
    sets = load(options, Reading.quality, (*SETS, "unknown"))
    sets = {name: photos.part(photos.splits != "test") if photos.splits[0] else photos for name, photos in sets.items()}
    measure.report(options, gate_tables(options, sets), quality=Reading.quality)


if __name__ == "__main__":
    main()

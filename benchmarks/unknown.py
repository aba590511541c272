"""Whether models know what they do not know: photos of other things, the promise, new classes, photos that changed.

    python benchmarks/unknown.py ../shared/data

Models are fitted as `tellapart train` fits them and asked about photos that took no part in it. `--repeats` is the
number of seeds: of the folds, the centres and, for `instruments`, of the split.

The OOD score was chosen on training photos, on half of `unknown` (105 of 210 photos) and on four fifths of
`instruments`. The bars are therefore counted twice: with all of `unknown`, and with the half that was never used. What
the gates refuse, and what passes a model of hot dogs, is counted with that half only, as reports do. What the gates may
refuse was chosen on the same photos, and the table that says why reads no others.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

import measure
from photo_sets import (
    MODELS,
    SOURCES,
    Photos,
    all_others,
    asked,
    fit,
    held_out,
    load,
    market,
    never_used,
    of_training,
    refused,
    to_choose_with,
    undivided,
    used_to_choose,
)
from rivals import CONFIDENCE, OURS, auroc, let_through, scores
from tellapart.classifier.decision import repeats
from tellapart.classifier.kept_scores import KeptScores, Scored
from tellapart.evaluation.coverage import refusals
from tellapart.evaluation.wishes import guarantee_of
from tellapart.metrics.conformal import observed_in_band
from tellapart.recipe import Reading

QUALITIES = ("fast", "balanced", "best")
BARS = [(name, shown) for name in ("clothing", "hotdog") for shown in (*MODELS, *SOURCES) if shown != name]
LEAST_AUROC, MOST_OF_A_PAIR, MOST_ON_AVERAGE = 0.97, 0.10, 0.05
EVERY, FRESH = "all", "never used to choose"
SPLITS = 20  # of each set, for the promise
FEWER = 4  # seeds, at most, where every seed fits a model for each class
SHARES = ((0.02, 0.03), (0.03, 0.02), (0.04, 0.01))
NEW_KINDS = {  # trained on: shown
    "fruits, white": ("fruits, white test", "fruits, market", "fruits, market test"),
    "fruits, market": ("fruits, market test", "fruits, white test"),
}

Values = dict[tuple[str, ...], list[float]]
Sets = Mapping[str, Photos]


def across(values: Iterable[float], digits: int = 3, scale: float = 1, unit: str = "") -> str:
    """Mean, least and most, such as `0.05 (0.03 to 0.08)`; one number where they agree."""
    every = [scale * value for value in values]
    if not every:
        return ""
    mean, low, high = (f"{value:.{digits}f}" for value in (np.mean(every), min(every), max(every)))
    return f"{mean}{unit}" + (f" ({low} to {high})" if low != high else "")


def percent(values: Iterable[float]) -> str:
    return across(values, 1, 100, " %")


def note(row: object) -> None:
    print(f"  {row}", file=sys.stderr, flush=True)


def far_photos(options, every: Mapping[str, Sets]) -> dict[str, list[measure.Row]]:
    """How every score tells photos of other things from real ones, and whom the gates refuse."""
    ranks: Values = {}
    passed: Values = {}
    gates: list[measure.Row] = []
    for quality, sets in every.items():
        shown = {EVERY: all_others(sets), FRESH: never_used(sets)}
        for name in MODELS:
            told: dict[str, list[float]] = {}
            for seed in range(options.repeats):
                train, real = held_out(sets[name], seed)
                fitted = fit(train, seed, quality)
                for way, score in scores(fitted, train, seed).items():
                    of_real = score(real.features)
                    for which, source, photos in _not_of(name, shown):
                        key, of_far = (quality, way, which, name, source), score(photos.features)
                        ranks.setdefault(key, []).append(auroc(of_real, of_far))
                        passed.setdefault(key, []).append(let_through(of_real, of_far))
                for source, photos in {"Real photos": real, **shown[EVERY], **shown[FRESH]}.items():
                    if source != name:
                        told.setdefault(source, []).append(float(np.logical_or(*asked(fitted, photos)).mean()))
            columns = ("Real photos", *shown[EVERY])
            gates.append({"Quality": quality, "Trained on": name} | {c: percent(told.get(c, [])) for c in columns})
            note(gates[-1])
    return {
        "The bars": [bars_row(q, which, ranks, passed) for q in every for which in (EVERY, FRESH)],
        "Beside other scores": scores_rows(ranks, passed),
        "Every pair": pair_rows(tuple(every), ranks, passed, shown[EVERY]),
        "Refused by the models' own gates": gates,
    }


def _not_of(name: str, shown: Mapping[str, Sets]) -> list[tuple[str, str, Photos]]:
    return [(w, source, photos) for w, by in shown.items() for source, photos in by.items() if source != name]


def _of_bars(values: Values, quality: str, way: str, which: str) -> dict[tuple[str, str], list[float]]:
    return {pair: values[quality, way, which, *pair] for pair in BARS}


def _worst(by_pair: Mapping[tuple[str, str], list[float]], sign: int) -> str:
    pair = max(by_pair, key=lambda p: sign * float(np.mean(by_pair[p])))
    return f"{across(by_pair[pair])}: {pair[0]} shown {pair[1]}"


def bars_row(quality: str, which: str, ranks: Values, passed: Values) -> measure.Row:
    of_ranks, of_passed = (_of_bars(values, quality, OURS, which) for values in (ranks, passed))
    aurocs, shares = np.array(list(of_ranks.values())), np.array(list(of_passed.values()))  # (pairs, seeds)
    return {
        "Quality": quality,
        "Photos of `unknown`": which,
        "Least AUROC": _worst(of_ranks, -1),
        "≥ 0.97": bar(aurocs.mean(axis=1) >= LEAST_AUROC, aurocs >= LEAST_AUROC),
        "Most let through": _worst(of_passed, 1),
        "≤ 10 %": bar(shares.mean(axis=1) <= MOST_OF_A_PAIR, shares <= MOST_OF_A_PAIR),
        "Let through, mean of pairs": across(shares.mean(axis=0)),
        "≤ 5 %": bar(
            np.array([shares.mean() <= MOST_ON_AVERAGE]), shares.mean(axis=0, keepdims=True) <= MOST_ON_AVERAGE
        ),
    }


def bar(holds: np.ndarray, by_seed: np.ndarray) -> str:
    """Whether a bar `holds` for each pair in the mean, and of `by_seed` (pairs, seeds), with how many seeds for all."""
    missed = f"missed on {(~holds).sum()} of {len(holds)}" if len(holds) > 1 else "missed"
    return f"{'met' if holds.all() else missed}; {by_seed.all(axis=0).sum()} of {by_seed.shape[1]} seeds"


def scores_rows(ranks: Values, passed: Values) -> list[measure.Row]:
    rows: list[measure.Row] = []
    for quality, way in dict.fromkeys(key[:2] for key in ranks):
        row: measure.Row = {"Quality": quality, "Score": way}
        for title, values, sign in (("AUROC", ranks, -1), ("Let through", passed, 1)):
            by_pair = _of_bars(values, quality, way, EVERY)
            row[f"{title}, mean of pairs"] = across(np.mean(list(by_pair.values()), axis=0))
            row[f"{title}, worst pair"] = _worst(by_pair, sign)
        rows.append(row)
    return rows


def pair_rows(qualities: Iterable[str], ranks: Values, passed: Values, shown: Sets) -> list[measure.Row]:
    rows: list[measure.Row] = []
    for name, source in dict.fromkeys(key[3:] for key in ranks if key[2] == EVERY):
        row: measure.Row = {"Trained on": name, "Shown": f"{shown[source].n} {source}"}
        for quality in qualities:
            key = (quality, OURS, EVERY, name, source)
            row[f"{quality}: AUROC"] = f"{np.mean(ranks[key]):.3f}"
            row[f"{quality}: let through"] = across(passed[key])
        rows.append(row)
    return rows


def who_passes(options, sets: Sets) -> list[measure.Row]:
    """Which photos of `unknown` a model of hot dogs gives a class name, and which one."""
    train, unknown = held_out(sets["hotdog"], 0)[0], sets["unknown"]
    unknown = unknown.part(~used_to_choose(unknown.names))  # what reports count: nothing is fitted on it
    kinds = sorted({name.split("/")[0] for name in train.names})
    found: dict[str, Counter[str]] = {kind: Counter() for kind in kinds}
    for seed in range(options.repeats):
        fitted = fit(train, seed)
        answers = fitted.probs(unknown.features).argmax(axis=1)
        for i in np.flatnonzero(~np.logical_or(*asked(fitted, unknown))):
            found[kinds[answers[i]]][_shown(unknown.names[i])] += 1
    most = max(1, options.repeats // 2)
    return [
        {
            "Answer": kind,
            f"Of {unknown.n} photos": f"{by_name.total() / options.repeats:.1f}",
            f"Those with at least {most} of {options.repeats} seeds": ", ".join(
                f"{name} ({n})" for name, n in by_name.most_common() if n >= most
            ),
        }
        for kind, by_name in found.items()
    ]


def _shown(name: str) -> str:
    """What a photo shows: of `objects/n02085620_Chihuahua.JPEG`, `Chihuahua`."""
    source, file = name.split("/")
    return file.partition("_")[2].rpartition(".")[0].replace("_", " ") if source == "objects" else name


def guarantees(options, sets: Sets) -> list[measure.Row]:
    """Whether as many real photos get a class name as each model promised."""
    splits = options.repeats if options.quick else SPLITS
    ways = {
        "clothing, the split it came with": (sets["clothing"], options.repeats),
        "hotdog, the split it came with, without leaks": (sets["hotdog"], options.repeats),
        "fruits in a market, the split it came with": (market(sets), options.repeats),
        "clothing, divided anew": (undivided(sets["clothing"]), splits),
        "hotdog, divided anew": (undivided(sets["hotdog"]), splits),
        "instruments, divided anew": (sets["instruments"], splits),
    }
    rows = [
        guarantee_row(title, *[guarantee_kept(photos, seed) for seed in range(n)])
        for title, (photos, n) in ways.items()
    ]
    note(rows)
    return rows


def guarantee_kept(photos: Photos, seed: int) -> dict:
    train, real = held_out(photos, seed)
    fitted = fit(train, seed)
    named = ~np.logical_or(*asked(fitted, real))
    right = fitted.probs(real.features).argmax(axis=1) == real.labels
    guaranteed = guarantee_of(fitted.thresholds)
    assert guaranteed is not None
    n_scenes = len(np.unique(real.groups)) if repeats(real.groups) else None
    observed = observed_in_band(int(named.sum()), real.n, guaranteed, n_scenes)
    return {
        "promised": guaranteed,
        "n": real.n,
        "named": float(named.mean()),
        "kept": observed.holds,
        "too few": int(named.sum()) < observed.low,
        "right": float(right.mean()),
        "right of named": float(right[named].mean()),
    }


def guarantee_row(title: str, *found: dict) -> measure.Row:
    guaranteed, n = found[0]["promised"], sorted(f["n"] for f in found)
    return {
        "Photos": title,
        "Learned from": guaranteed.n,
        "Tested": f"{n[0]}" if n[0] == n[-1] else f"{n[0]} to {n[-1]}",
        "Promised": f"{100 * guaranteed.kept:.1f} % ({100 * guaranteed.low:.1f} to {100 * guaranteed.high:.1f})",
        "Got a class name": percent(f["named"] for f in found),
        "Kept": f"{sum(f['kept'] for f in found)} of {len(found)}",
        "Too few named": sum(f["too few"] for f in found),
        "Right, of all": percent(f["right"] for f in found),
        "Right, of those named": percent(f["right of named"] for f in found),
    }


def left_out(options, sets: Sets) -> dict[str, list[measure.Row]]:
    """Every class left out in turn; the head, the centres and the thresholds know nothing of it."""
    rows: list[measure.Row] = []
    estimates: list[measure.Row] = []
    for name in ("clothing", "instruments", "fruits, market"):
        photos = held_out(sets[name], 0)[0] if name == "clothing" else sets[name]
        classes = range(2 if options.quick else photos.n_classes)
        seeds = [without_each(photos, classes, seed) for seed in range(min(FEWER, options.repeats))]
        means = {title: [float(found[title].mean()) for found in seeds] for title in seeds[0]}
        by_class = {title: np.mean([found[title] for found in seeds], axis=0) for title in seeds[0]}
        gates, off = by_class["gates"], by_class["estimate"] - by_class["far"]
        ends = [(gates[c], photos.names[photos.labels == classes[c]][0]) for c in (gates.argmin(), gates.argmax())]
        rows.append(
            {
                "Photos": name,
                "Classes": len(gates),
                "Refused": percent(means["gates"]),
                "By class": " to ".join(f"{100 * share:.0f} % ({name.split('/')[0]})" for share, name in ends),
                "Real photos refused": percent(means["real"]),
                f"Refused by {CONFIDENCE}, 5 % of real photos": percent(means["doubt"]),
                "AUROC, unknown score": across(means["AUROC"]),
                f"AUROC, {CONFIDENCE}": across(means["AUROC of doubt"]),
            }
        )
        estimates.append(
            {
                "Photos": name,
                "“None of these”, all fitted without the class": percent(means["far"]),
                "The report's estimate": percent(means["estimate"]),
                "Off for a class, mean": f"{100 * np.abs(off).mean():.1f} points",
                "At most": f"{100 * np.abs(off).max():.1f} points",
                "Correlation over classes": f"{np.corrcoef(by_class['estimate'], by_class['far'])[0, 1]:.2f}",
            }
        )
        note((rows[-1], estimates[-1]))
    return {"Each class left out in turn": rows, "The report's estimate of that": estimates}


def without_each(photos: Photos, classes: Iterable[int], seed: int) -> dict[str, np.ndarray]:
    """(classes,) of each class's photos, what a model without it says of them."""
    names = [str(c) for c in range(photos.n_classes)]
    whole = fit(photos, seed)
    ood_scores, probs, labels = of_training(whole)
    own = Scored(labels, probs.astype(np.float32), ood_scores)
    unasked = np.full(len(labels), np.nan, np.float32)
    kept = KeptScores(own, np.arange(len(labels)), whole.out_of_fold.nearness, unasked, own)
    card = refusals(whole.thresholds, kept, names, None)
    estimates = {row.class_name: row.value for row in card.left_out or ()}
    rows = []
    for c in classes:
        own = photos.labels == c
        rest, new = photos.part(~own), photos.part(own)
        fitted = fit(replace(rest, labels=rest.labels - (rest.labels > c).astype(np.int32)), seed)
        of_real, real_probs, _ = of_training(fitted)
        far, unsure = asked(fitted, new)
        doubts = 1 - real_probs.max(axis=1), 1 - fitted.probs(new.features).max(axis=1)
        rows.append(
            {
                "gates": (far | unsure).mean(),
                "far": far.mean(),
                "estimate": estimates[names[c]],
                "real": np.logical_or(*refused(fitted, of_real, real_probs)).mean(),
                "doubt": 1 - let_through(*doubts),
                "AUROC": auroc(of_real, fitted.centres.ood_scores(new.features)),
                "AUROC of doubt": auroc(*doubts),
            }
        )
    return {title: np.array([row[title] for row in rows]) for title in rows[0]}


def shares(options, sets: Sets) -> list[measure.Row]:
    """What 5 % of real photos buy, by how they are shared out among the gates."""
    shown, rows = to_choose_with(sets), []
    for name in MODELS:
        models = [fit(shown[name], seed) for seed in range(options.repeats)]
        for far_share, doubt_share in SHARES:
            through: dict[str, list[float]] = {}
            unsure_wrong, unnamed_wrong = [], []
            for fitted in models:
                ood_scores, probs, labels = of_training(fitted)
                limits = replace(
                    fitted.thresholds,
                    ood_score=-at_rank(-ood_scores, far_share),
                    confidence=at_rank(probs.max(axis=1), doubt_share),
                )
                model, wrong = replace(fitted, thresholds=limits), probs.argmax(axis=1) != labels
                far, unsure = refused(model, ood_scores, probs)
                unsure_wrong.append(float(unsure[wrong].mean()))
                unnamed_wrong.append(float((far | unsure)[wrong].mean()))
                for _, source, photos in _not_of(name, {EVERY: shown}):
                    passed = ~np.logical_or(*asked(model, photos))
                    through.setdefault(source, []).append(float(passed.mean()))
            worst = max(through, key=lambda s: float(np.mean(through[s])))
            rows.append(
                {
                    "Trained on": name,
                    "“None of these” + “not sure”": f"{100 * far_share:.0f} + {100 * doubt_share:.0f} %",
                    "Let through, mean of five": percent(np.mean(list(through.values()), axis=0)),
                    "Worst of five": f"{percent(through[worst])}: {worst}",
                    "Garments let through": percent(through.get("clothing", [])),
                    "Mistakes that get “not sure”": percent(unsure_wrong),
                    "Mistakes that get no class name": percent(unnamed_wrong),
                }
            )
            note(rows[-1])
    return rows


def at_rank(values: np.ndarray, share: float) -> float:
    return float(np.sort(values)[int(share * (len(values) + 1)) - 1])


def changed(options, sets: Sets) -> list[measure.Row]:
    """What becomes of real photos of a kind that the model never saw."""
    rows: list[measure.Row] = []
    for name, kinds in NEW_KINDS.items():
        models = [fit(sets[name], seed) for seed in range(options.repeats)]
        for kind in kinds:
            photos = sets[kind]
            told = [asked(fitted, photos) for fitted in models]
            right = [fitted.probs(photos.features).argmax(axis=1) == photos.labels for fitted in models]
            named = [~(far | unsure) for far, unsure in told]
            left = [100 * h[k].mean() for h, k in zip(right, named, strict=True) if k.any()]
            rows.append(
                {
                    "Trained on": name,
                    "Shown": f"{photos.n} {kind}",
                    "Right, were all answered": percent(hits.mean() for hits in right),
                    "“None of these”": percent(far.mean() for far, _ in told),
                    "“Not sure”": percent(unsure.mean() for _, unsure in told),
                    "Got a class name": across([k.sum() for k in named], 0),
                    "Right, of those": across(left, 0, unit=" %"),
                }
            )
            note(rows[-1])
    return rows


def main() -> None:
    options = measure.arguments(__doc__, repeats=8)
    every = {quality: load(options, quality) for quality in ((Reading.quality,) if options.quick else QUALITIES)}
    sets = every[Reading.quality]
    tables = far_photos(options, every)
    tables["What passes a model of hot dogs"] = who_passes(options, sets)
    tables["The promise"] = guarantees(options, sets)
    tables |= left_out(options, sets)
    tables["How the 5 % are shared out"] = shares(options, sets)
    tables["Real photos of a new kind"] = changed(options, sets)
    measure.report(options, tables, quality_where_none_is_named=Reading.quality)


if __name__ == "__main__":
    main()

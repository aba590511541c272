"""What a mistake costs: whether classes are missed as seldom as promised, and what naming fewer photos withholds.

    python benchmarks/costs.py ../shared/data

Four pieces; each writes its table into the record when it is done, and leaves those of the others alone.

Training photos only. A division takes half of a set's scenes to learn from and asks about the other half; `--repeats`
is the number of divisions. Each class in turn must not be missed. The last table fits everything anew without each
class, in half as many draws of 85 of 100 photos, and sets the report's estimate beside it.

`named` asks whether the share of new photos named is the one promised, once by ranks among photos and once among
scenes, in five times as many divisions: white fruit are frames of a turntable. A promise is kept where as many of the
new photos got a name as chance allows in 19 of 20 tests of so many photos, or of so many scenes, each counting as one.
"""

import argparse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache

import numpy as np
from scipy import stats

import measure
from photo_sets import MODELS, Photos, fit, load, of_training
from tellapart.classifier.decision import ANSWERED, DOUBT_SHARE, FAR_SHARE, Thresholds, fit_thresholds
from tellapart.classifier.kept_scores import KeptScores, Scored
from tellapart.classifier.probe import CalibratedHead
from tellapart.errors import InputError
from tellapart.evaluation.costs import ANSWERS, left_out_share
from tellapart.evaluation.kept import unseen_confidences
from tellapart.evaluation.wishes import decide, guarantee_of, kept_on_test
from tellapart.metrics.conformal import observed_in_band
from tellapart.recipe import LinearProbe, Reading, Wishes

RECALLS = (0.9, 0.95)
NAMED = (0.9, 0.8)
FRAMES = ("fruits, white", "instruments", "clothing", "hotdog")
MORE = 5  # times as many divisions
DRAWN, PART = 18, 0.85  # seed, and the share of photos in a draw of the last table
MOST_ASKED = 250  # photos of another set

Half = tuple[CalibratedHead, Photos, Photos]


def halves(photos: Photos, n: int) -> Iterable[Half]:
    """`n` divisions: a model of half of the scenes, what it learned from, and the other half."""
    for draw in range(n):
        scenes = np.random.default_rng((DRAWN, draw)).permutation(np.unique(photos.groups))
        own = np.isin(photos.groups, scenes[: len(scenes) // 2])
        learned = photos.part(own)
        yield fit(learned, draw), learned, photos.part(~own)


def said_of(fitted: CalibratedHead, photos: Photos) -> Scored:
    probs = fitted.probs(photos.features).astype(np.float32)
    return Scored(photos.labels, probs, fitted.centres.ood_scores(photos.features))


def out_of_fold(fitted: CalibratedHead) -> Scored:
    ood_scores, probs, labels = of_training(fitted)
    return Scored(labels, probs.astype(np.float32), ood_scores)


def percent(values: Iterable[float]) -> str:
    """Mean, least and most of shares over divisions."""
    every = 100 * np.array(list(values))
    return f"{every.mean():.1f} ({every.min():.1f} to {every.max():.1f})"


def kept(sets: Mapping[str, list[Half]]) -> list[measure.Row]:
    """Whether each class in turn is missed as seldom as promised, and how many false alarms that takes."""
    return [kept_row(name, recall, divided) for name, divided in sets.items() for recall in RECALLS]


def kept_row(name: str, recall: float, divided: list[Half]) -> measure.Row:
    means: dict[str, list[float]] = {key: [] for key in ("below", "missed", "alarms", "missed before", "alarms before")}
    fits = n_fits = 0
    for fitted, learned, rest in divided:
        names, own, asked = [str(c) for c in range(rest.n_classes)], out_of_fold(fitted), said_of(fitted, rest)
        scenes = learned.groups[fitted.out_of_fold.indices]
        rows: dict[str, list[float]] = {key: [] for key in means}
        for c, class_name in enumerate(names):
            try:
                limits = decide(Wishes(never_miss={class_name: recall}), own, scenes, names, fitted.thresholds)
            except InputError:  # too few photos of the class: in a quick run only
                continue
            [one], [told] = limits.never_miss, kept_on_test(asked, limits)
            n_below = int((asked.probs[asked.labels == c, c] < one.prob).sum())
            rank = (1 - one.kept) * (one.n_scenes + 1)
            low, high = stats.betabinom(told.n_own, rank, one.n_scenes + 1 - rank).interval(0.95)
            fits, n_fits = fits + (low <= n_below <= high), n_fits + 1
            # A threshold that nothing reaches claims nothing: what is answered without a wish.
            [plain] = kept_on_test(asked, replace(limits, never_miss=(replace(one, prob=2.0),)))
            rows["below"].append(n_below / told.n_own)
            rows["missed"].append(told.n_missed / told.n_own)
            rows["missed before"].append(plain.n_missed / plain.n_own)
            rows["alarms"].append(told.n_false_alarms / told.n_others)
            rows["alarms before"].append(plain.n_false_alarms / plain.n_others)
        for key, values in rows.items():
            means[key].append(float(np.mean(values or [np.nan])))
    return {
        "Photos": name,
        "Asked not to miss": f"{recall:g}",
        "Below the threshold, of 100": percent(means["below"]),
        "Got another name": percent(means["missed"]),
        "Fits the promise": f"{fits} of {n_fits}",
        "Another name without the wish": percent(means["missed before"]),
        "False alarms": percent(means["alarms"]),
        "False alarms without the wish": percent(means["alarms before"]),
    }


def named(options: argparse.Namespace) -> list[measure.Row]:
    """Whether as many new photos get a name as promised, with thresholds that count photos and that count scenes."""
    rows: list[measure.Row] = []
    for name in FRAMES:
        photos = training(options, (name,))[name]
        tried = [
            (out_of_fold(fitted), learned.groups[fitted.out_of_fold.indices], said_of(fitted, rest), rest.groups)
            for fitted, learned, rest in halves(photos, MORE * options.repeats)
        ]
        for answer in (ANSWERED, *NAMED):
            rows += [named_row(name, answer, tried, by_scene=by_scene) for by_scene in (False, True)]
    return rows


def named_row(
    name: str, answer: float, tried: list[tuple[Scored, np.ndarray, Scored, np.ndarray]], *, by_scene: bool
) -> measure.Row:
    told: dict[str, list[float]] = {key: [] for key in ("photos", "scenes", "low", "high", "by photo", "by scene")}
    for own, scenes, asked, groups in tried:
        limits = fit_thresholds(own.ood_scores, own.confidences, scenes=scenes if by_scene else None, answer=answer)
        promised = guarantee_of(limits)
        assert promised is not None
        got = ~withheld_by(limits, asked)
        _, scene_of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
        of_scenes = float((got / sizes[scene_of]).sum() / len(sizes))
        told["photos"].append(float(got.mean()))
        told["scenes"].append(of_scenes)
        told["low"].append(promised.low)
        told["high"].append(promised.high)
        told["by photo"].append(observed_in_band(int(got.sum()), len(got), promised).holds)
        told["by scene"].append(observed_in_band(round(of_scenes * len(sizes)), len(sizes), promised).holds)
    n = len(tried)
    own, scenes = tried[0][:2]
    return {
        "Photos": name,
        "Learned": f"{len(own):,} photos of {len(np.unique(scenes)):,} scenes",
        "To be named": f"{answer:.0%}",
        "Ranks among": "scenes" if by_scene else "photos (before)",
        "Promised, of 100": f"{100 * np.mean(told['low']):.1f} to {100 * np.mean(told['high']):.1f}",
        "Named, of 100 photos": percent(told["photos"]),
        "each scene alike": percent(told["scenes"]),
        "Kept, by photo": f"{sum(told['by photo'])} of {n}",
        "Kept, by scene": f"{sum(told['by scene'])} of {n}",
    }


def withheld_by(limits: Thresholds, said: Scored) -> np.ndarray:
    """(N,) bool, who gets no name."""
    far = said.ood_scores > (np.inf if limits.ood_score is None else limits.ood_score)
    return far | (said.confidences < (0 if limits.confidence is None else limits.confidence))


def as_four_to_one(own: Scored, answer: float) -> Thresholds:
    """Thresholds where "none of these" and "not sure" share what is withheld as 4 to 1, however much it is."""
    far = FAR_SHARE / (FAR_SHARE + DOUBT_SHARE) * (1 - answer)
    place = [int(share * (len(own) + 1) + 1e-9) - 1 for share in (far, 1 - answer - far)]
    furthest, doubtful = np.sort(own.ood_scores)[::-1], np.sort(own.confidences)
    return Thresholds(float(furthest[place[0]]), float(doubtful[place[1]]), len(own), answer=answer)


def as_it_is(own: Scored, answer: float) -> Thresholds:
    return fit_thresholds(own.ood_scores, own.confidences, answer=answer)


PIECES = {
    "kept": "Is the promise kept",
    "shared": "How what is withheld is shared",
    "left_out": "A class left out",
    "named": "Is the share named kept",
}
WAYS = {"as 4 to 1": as_four_to_one, "none of these keeps its 4": as_it_is}


def let_through(fitted: CalibratedHead, limits: Thresholds, others: Iterable[Photos]) -> float:
    """The share of photos of other sets that get a name, each set counting alike."""
    some = [other.part(np.arange(0, other.n, max(1, other.n // MOST_ASKED))) for other in others]
    return float(np.mean([(~withheld_by(limits, said_of(fitted, one))).mean() for one in some]))


def shared(sets: Mapping[str, list[Half]], photos: Mapping[str, Photos]) -> list[measure.Row]:
    """How what is withheld is shared out: photos named, mistakes withheld, and other sets let through."""
    rows: list[measure.Row] = []
    for name, divided in sets.items():
        others = [photos[other] for other in MODELS if other != name]
        for answer in NAMED:
            for title, way in WAYS.items():
                named, withheld, passed = [], [], []
                for fitted, _, rest in divided:
                    limits, asked = way(out_of_fold(fitted), answer), said_of(fitted, rest)
                    no_name, wrong = withheld_by(limits, asked), asked.probs.argmax(axis=1) != asked.labels
                    named.append(float((~no_name).mean()))
                    withheld.append(float((no_name & wrong).sum() / max(wrong.sum(), 1)))
                    passed.append(let_through(fitted, limits, others))
                rows.append(
                    {
                        "Photos": name,
                        "To be named": f"{answer:.0%}",
                        "The rest is shared": title,
                        "Named, of 100": percent(named),
                        "Mistakes withheld, of 100": percent(withheld),
                        "Other sets let through, of 100": percent(passed),
                    }
                )
    return rows


def left_out(photos: Mapping[str, Photos], n_draws: int) -> list[measure.Row]:
    """Photos of a class never seen that get a name: everything fitted anew beside the report's estimate."""
    rows = []
    for name in (name for name in MODELS if photos[name].n_classes > 2):
        anew, told = [], []
        for draw in range(n_draws):
            rng = np.random.default_rng((DRAWN, draw))
            part = photos[name].part(np.sort(rng.permutation(photos[name].n)[: int(PART * photos[name].n)]))
            one, other = both(part, draw)
            anew.append(one)
            told.append(other)
        truth, estimate = np.array(anew), np.array(told)  # (draws, classes, answers)
        for i, answer in enumerate(ANSWERS):
            off = estimate[..., i] - truth[..., i]
            rows.append({
                "Photos": name, "To be named": f"{answer:.0%}",
                "Let through, all fitted anew": percent(truth[..., i].mean(axis=1)),
                "The report's estimate": percent(estimate[..., i].mean(axis=1)),
                "Off, mean": f"{100 * off.mean():.1f}",
                "Off for a class": f"{100 * np.sqrt(np.square(off).mean()):.1f}",
            })  # fmt: skip
    return rows


def both(photos: Photos, seed: int) -> tuple[list[list[float]], list[list[float]]]:
    """(classes, answers) of photos let through: fitted anew without the class, and by the report's estimate."""
    whole, recipe = fit(photos, seed), LinearProbe(seed=seed)
    own = out_of_fold(whole)
    unseen = unseen_confidences(whole, photos.features, photos.labels, recipe)
    scenes = photos.groups[whole.out_of_fold.indices]
    anew, told = [], []
    for c in range(photos.n_classes):
        of_class = photos.labels == c
        rest, new = photos.part(~of_class), photos.part(of_class)
        fitted = fit(replace(rest, labels=rest.labels - (rest.labels > c).astype(np.int32)), seed)
        learned, asked = out_of_fold(fitted), said_of(fitted, new)
        alike = rest.groups[fitted.out_of_fold.indices]
        limits = [
            fit_thresholds(learned.ood_scores, learned.confidences, scenes=alike, answer=answer) for answer in ANSWERS
        ]
        anew.append([float((~withheld_by(one, asked)).mean()) for one in limits])
        alone = np.where(own.labels == c, unseen, np.nan).astype(np.float32)
        one = KeptScores(own, scenes, whole.out_of_fold.nearness, alone, own)
        told.append([left_out_share(one, answer) or 0.0 for answer in ANSWERS])
    return anew, told


def training(options: argparse.Namespace, names: Iterable[str] = MODELS) -> dict[str, Photos]:
    """The sets without their test photos."""
    photos = load(options, Reading.quality, names)
    return {name: p.part(p.splits != "test") if p.splits[0] else p for name, p in photos.items()}


def main() -> None:
    options = measure.arguments(
        __doc__,
        repeats=8,
        more=lambda parser: parser.add_argument("--only", default=",".join(PIECES), help="pieces, with commas; all"),
    )
    wanted = options.only.split(",")
    if wrong := sorted(set(wanted) - set(PIECES)):
        raise SystemExit(f"There is no piece {wrong}. There are: {', '.join(PIECES)}.")
    known = cache(lambda: training(options))
    divided = cache(lambda: {name: list(halves(p, options.repeats)) for name, p in known().items()})
    ways: dict[str, Callable[[], list[measure.Row]]] = {
        "kept": lambda: kept(divided()),
        "shared": lambda: shared(divided(), known()),
        "left_out": lambda: left_out(known(), max(1, options.repeats // 2)),
        "named": lambda: named(options),
    }
    for piece in wanted:
        measure.report_piece(options, PIECES, piece, {PIECES[piece]: ways[piece]()}, quality=Reading.quality)


if __name__ == "__main__":
    main()

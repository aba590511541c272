"""How well the learning curve of a few photos foretells what more photos bring.

    python benchmarks/learning_curves.py ../shared/data

The measurement behind `learning_curve.py`. A part of a set's training photos is drawn, its curve is made, and the share
of mistakes that it foretells for two, four and eight times the photos is held against what heads trained on so many
were measured to do, out-of-fold on the whole set (mean over four divisions into folds). Beside it: supposing that
nothing changes, a power law fitted to the four points, and a power law with exponent 1/2 that ends above 0. No test
photo is read. Every draw has the same C.
"""

import sys
from dataclasses import replace

import numpy as np

import measure
from suggest import Photos, load
from tellapart.classifier.probe import fit_heads, fit_probe, make_folds
from tellapart.data.split import stratified_group_split
from tellapart.evaluation.learning_curve import SHARES, LearningCurve, learning_curve
from tellapart.recipe import LinearProbe

SETS = {"clothing": ("clothing/train", 0.01), "instruments": ("instruments", 0.03), "hotdog": ("hotdog/train", 0.01)}
PARTS = (1 / 8, 1 / 4, 1 / 2)
DIVISIONS = 4


def recipe_for(c: float, seed: int) -> LinearProbe:
    return replace(LinearProbe(), inverse_regularisation=(c,), seed=seed, tolerance=1e-3)


def truth(photos: Photos, c: float, share: float, divisions: int) -> float:
    """The share of mistakes of heads that learn from `share` of four fifths of all photos."""
    errors = []
    n_classes = int(photos.labels.max()) + 1
    for seed in range(divisions):
        recipe = recipe_for(c, seed)
        folds = make_folds(photos.labels, photos.groups, recipe)
        for fold in range(recipe.n_folds):
            pool, out = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
            if share < 1:
                alone = np.arange(len(pool), dtype=np.int32)
                pool = pool[stratified_group_split(photos.labels[pool], alone, [share, 1 - share], seed=seed) == 0]
            head = fit_heads(photos.features[pool], photos.labels[pool], n_classes, recipe, [c])[c]
            errors.append((head.logits(photos.features[out]).argmax(axis=1) != photos.labels[out]).mean())
    return float(np.mean(errors))


def drawn_curve(photos: Photos, c: float, share: float, seed: int) -> LearningCurve:
    """The curve of a part of the photos."""
    alone = np.arange(len(photos.labels), dtype=np.int32)
    part = photos.part(
        np.flatnonzero(stratified_group_split(photos.labels, alone, [share, 1 - share], seed=100 + seed) == 0)
    )
    recipe, n_classes = recipe_for(c, seed), int(photos.labels.max()) + 1
    folds = make_folds(part.labels, part.groups, recipe)
    fitted = fit_probe(part.features, part.labels, folds, n_classes, recipe)
    curve = learning_curve(part.features, part.labels, folds, part.groups, n_classes, recipe, fitted)
    assert curve is not None
    return curve


def straight_line(n: np.ndarray, errors: np.ndarray, wanted: float) -> float:
    slope, level = np.polyfit(np.log(n), np.log(errors), 1)
    return float(np.exp(level + min(slope, 0) * np.log(wanted)))


def root_and_floor(n: np.ndarray, errors: np.ndarray, wanted: float) -> float:
    fall, floor = np.polyfit(n**-0.5, errors, 1)
    return float(max(floor + fall * wanted**-0.5, 1e-4))


def main() -> None:
    options = measure.arguments(__doc__, repeats=8)
    table: list[measure.Row] = []
    for name, (place, c) in SETS.items():
        photos = load(options.data / place)
        parts = PARTS[-1:] if options.quick else PARTS
        actual = {share: truth(photos, c, share, 1 if options.quick else DIVISIONS) for share in {*parts, *SHARES, 1.0}}
        for part in parts:
            curves = [drawn_curve(photos, c, part, seed).overall for seed in range(options.repeats)]
            for times in (t for t in (2, 4, 8) if part * t <= 1):
                row: measure.Row = {"Photos": name, "Part": part, "Times as many": times}
                wanted = actual[part * times]
                foretold = [curve.error_at(curve.n_photos[-1] * times) for curve in curves]
                fits = [(np.array(k.n_photos, float), np.maximum(1 - np.array(k.accuracies), 1e-3)) for k in curves]
                guesses = {
                    "this curve": [f.value for f in foretold],
                    "nothing changes": [float(errors[-1]) for _, errors in fits],
                    "straight line": [straight_line(n, errors, n[-1] * times) for n, errors in fits],
                    "root and floor": [root_and_floor(n, errors, n[-1] * times) for n, errors in fits],
                }
                row["Mistakes"] = f"{wanted:.3f}"
                for guess, values in guesses.items():
                    row[f"Off: {guess}"] = f"{np.sqrt(np.mean((np.array(values) - wanted) ** 2)):.3f}"
                row["In the range"] = f"{sum(f.low <= wanted <= f.high for f in foretold)} of {len(foretold)}"
                kept = wanted / actual[part]
                known = [curve.kept(times) for curve in curves]
                row["Remaining share"] = f"{kept:.2f}, foretold {np.mean([k.value for k in known]):.2f}"
                row["Its range holds it"] = f"{sum(k.low <= kept <= k.high for k in known)} of {len(known)}"
                table.append(row)
                print(f"  {row}", file=sys.stderr, flush=True)
    measure.report(options, {"Foretold mistakes": table})


if __name__ == "__main__":
    main()

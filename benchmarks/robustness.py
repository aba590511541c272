"""How many right answers are left on corrupted photos, and how many come from the background alone.

    python benchmarks/robustness.py ../shared/data

The first two tables corrupt the test photos of `clothing` in every way of `evaluation/corruption.py`, for a model of
the default quality. The third is the worked example of a background: `fruits` on white paper, then in a market. A model
that saw only fruits on white paper is scored on white paper and in the market, and one that saw the market is scored
there; each once as the photos are and once with their middle hidden. Test photos only, looked at once: no severity was
chosen by what it does to any of these models.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import measure
from tellapart.data.duplicates import find_duplicates
from tellapart.data.source import Dataset, scan
from tellapart.engine.backbone import QUALITIES
from tellapart.evaluation.corruption import CORRUPTIONS, SEVERITIES
from tellapart.evaluation.document import test_part
from tellapart.evaluation.evaluation import as_json
from tellapart.evaluation.robustness import MAX_TEST_PHOTOS, measure_robustness
from tellapart.features.extract import Extractor
from tellapart.model.prediction import load
from tellapart.recipe import LinearProbe, Reading
from tellapart.workflow.train import train

PLACES = {  # name in the table: training photos, test photos
    "clothing": ("clothing", "clothing"),
    "fruits, white → white": ("fruits/train_white", "fruits/test_white"),
    "fruits, white → market": ("fruits/train_white", "fruits/test_market"),
    "fruits, market → market": ("fruits/train_market", "fruits/test_market"),
}
SILENT = "No name, strong"


def groups_of(dataset: Dataset, recipe: LinearProbe, model) -> np.ndarray:
    """Which photos belong together, found as training finds it."""
    features = Extractor(QUALITIES[recipe.quality], model.preprocessing).extract(dataset)
    groups = np.arange(dataset.n) + dataset.n  # an unreadable photo stands alone
    groups[features.usable] = find_duplicates(
        np.asarray(features.values[features.usable]), features.pixel_hashes[features.usable]
    ).groups
    return groups


def kept(row: dict) -> str:
    if row["kept"]["value"] is None:
        return "none was right"
    return "{value:.2f} ({low:.2f} to {high:.2f})".format(**row["kept"])


def silent(row: dict) -> str:
    return f"{row['not_sure'] + row['none_of_these']:.0%}"


def corruption_rows(result: dict) -> list[measure.Row]:
    """One row a corruption, the one that costs most when strong first."""
    found = {(row["name"], row["severity"]): row for row in result["corruptions"]}
    order = sorted(CORRUPTIONS, key=lambda name: found[name, "strong"]["n_right"])
    return [
        {"Spoiled by": name}
        | {severity: kept(found[name, severity]) for severity in SEVERITIES}
        | {SILENT: silent(found[name, "strong"])}
        for name in order
    ]


def balance_rows(result: dict) -> list[measure.Row]:
    rows = sorted(result["white_balance"], key=lambda row: row["kelvin"])
    return [{"White balance": f"{row['kelvin']:,} K", "Kept": kept(row), "No name": silent(row)} for row in rows]


def background_row(name: str, result: dict, seconds: float) -> measure.Row:
    clean, border = result["clean"], result["border_only"]
    dark = next(r for r in result["corruptions"] if (r["name"], r["severity"]) == ("darkness", "medium"))
    return {
        "Trained on → scored on": name,
        "Photos": result["n"],
        "Right": "{value:.2f} ({low:.2f} to {high:.2f})".format(**clean),
        "Right, middle hidden": "{value:.2f} ({low:.2f} to {high:.2f})".format(**border),
        "Commonest class": f"{border['baseline']['value']:.2f}",
        "p": f"{border['p_value']:.1g}",
        "Kept in the dark (medium)": kept(dark),
        "Kept, mean of all 27": kept({"kept": result["mean_kept"]}),
        "Seconds": f"{seconds:.0f}",
    }


def main() -> None:
    options = measure.arguments(
        __doc__,
        repeats=1,
        more=lambda parser: parser.add_argument(
            "--photos",
            type=int,
            default=MAX_TEST_PHOTOS,
            help=f"test photos of each set; {MAX_TEST_PHOTOS} unless told",
        ),
    )
    recipe = LinearProbe(Reading(quality="fast")) if options.quick else LinearProbe()
    n_photos = 10 if options.quick else options.photos
    tables: dict[str, list[measure.Row]] = {}
    sentences: dict[str, list[str]] = {}
    backgrounds: list[measure.Row] = []
    with tempfile.TemporaryDirectory(prefix="tellapart-bench-") as folder:
        for name, (training, testing) in PLACES.items():
            place = Path(folder, training.replace("/", "-"))
            if not place.exists():
                train(options.data / training, place, recipe)
            model, dataset = load(place), test_part(scan(options.data / testing))
            groups = groups_of(dataset, recipe, model)
            started = time.perf_counter()
            result = as_json(
                measure_robustness(model, dataset, np.arange(dataset.n), groups=groups, max_photos=n_photos)
            )
            backgrounds.append(background_row(name, result, time.perf_counter() - started))
            sentences[name] = result["sentences"]
            if name == "clothing":
                tables["Accuracy kept on spoiled clothing"] = corruption_rows(result)
                tables["Accuracy kept under a wrong white balance, clothing"] = balance_rows(result)
            print(f"  {backgrounds[-1]}\n  {' '.join(result['sentences'])}", file=sys.stderr, flush=True)
    tables["Background"] = backgrounds
    measure.report(options, tables, quality=recipe.quality, sentences=sentences)


if __name__ == "__main__":
    main()

"""Whether the score that the studio shows is the truth, whatever chose the photos that were labelled.

    python benchmarks/studio_score.py ../shared/data --sessions sessions.jsonl

A session sees two thirds of a photo set, drawn by stacks; the truth about a head is how many of the other third, which
no session ever sees, it gets right. One stack in five of the heap is drawn for the test, by the studio's own rule. A
person labels without a mistake: in an order of chance; as `suggest` orders what has no label, anew after 20, with
the test stacks mixed in; or by strips, accepted and mended, with as many test stacks between as chance would bring.
After 300 labels, and when all have one, a head is fitted by what `train` fits with, on what the studio would write into
photos.csv, and scored. Sessions are kept one a line, and those that are there are not run again.

Nothing was chosen on these numbers. Strips and suggestions were chosen on the same photo sets, for other ends.
"""

import json
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import measure
from suggest import BACKBONE
from tellapart.data.duplicates import Duplicates
from tellapart.data.source import scan
from tellapart.evaluation.document import plain_score
from tellapart.features.extract import bundled_extractor
from tellapart.features.prepare import Prepared, prepare
from tellapart.recipe import LinearProbe, Reading
from tellapart.studio.draw import LEAST_TESTED, TEST_SHARE, is_drawn
from tellapart.studio.work.proposals import fit_head
from tellapart.studio.work.strips import next_strips
from tellapart.timing import Stopwatch, no_progress
from tellapart.workflow.fit import fit_probe_on, split_photos
from tellapart.workflow.suggest import choose

SETS = {"clothing": "clothing/train", "instruments": "instruments"}
WAYS = ("at random", "by suggestion", "by strips")
LABELS = 300  # stacks, when the score is looked at first
AGAIN_AFTER = 20  # labels, a new order of suggestions; as the page does it
UNSEEN = 1 / 3  # of the stacks
WITHIN = 0.015  # of the truth, in the mean
RECIPE = LinearProbe(Reading())


@dataclass(frozen=True)
class Heap:
    """One session's photos: the first photo of each of S stacks, which of them are for the test, and the truth."""

    features: np.ndarray
    labels: np.ndarray
    drawn: np.ndarray
    n_classes: int


def loaded(place: Path) -> Prepared:
    with bundled_extractor(Reading.quality, Reading.resize_mode) as extractor:
        return prepare(scan(place), extractor, no_progress, Stopwatch())


def part(prepared: Prepared, rows: np.ndarray, splits: np.ndarray) -> Prepared:
    """Those photos, with the splits that photos.csv would give them; what is alike is what it was among all."""
    dataset, alike = prepared.dataset.subset(rows), prepared.duplicates
    duplicates = Duplicates(copies=alike.copies[rows], groups=alike.groups[rows], pairs=())
    return replace(
        prepared,
        dataset=replace(dataset, splits=splits),
        values=np.asarray(prepared.values[rows]),
        pixel_hashes=prepared.pixel_hashes[rows],
        duplicates=duplicates,
        pictures=None,
    )


def in_order(heap: Heap, way: str, rng: np.random.Generator) -> Iterator[tuple[int, bool]]:
    """The stacks in the order in which they get a label, and whether what chose them was no chance."""
    if way == "at random":
        yield from ((int(row), False) for row in rng.permutation(len(heap.labels)))
        return
    tests = iter(rng.permutation(np.flatnonzero(heap.drawn)).tolist())
    labels, count = np.full(len(heap.labels), -1, np.int32), 0
    chosen = suggested if way == "by suggestion" else of_strips
    while (free := (labels < 0) & ~heap.drawn).any():
        for row in chosen(heap, labels, free):
            labels[row] = heap.labels[row]
            count += 1
            yield row, True
            if count % (TEST_SHARE - 1) == 0 and (test := next(tests, None)) is not None:
                yield test, False
    yield from ((test, False) for test in tests)


def suggested(heap: Heap, labels: np.ndarray, free: np.ndarray) -> list[int]:
    rows = np.flatnonzero(free)
    head = fit_head(heap.features, labels, heap.n_classes, BACKBONE)
    if head is None:
        probs, far = np.full((len(rows), 2), 0.5), np.zeros(len(rows), bool)
    else:
        probs, limit = head.probs(heap.features[rows]), head.thresholds.ood_score
        said = limit is not None and not head.thresholds.early
        far = head.centres.ood_scores(heap.features[rows]) > limit if said else np.zeros(len(rows), bool)
    return rows[choose(heap.features[rows], probs, far, np.arange(len(rows)), AGAIN_AFTER)].tolist()


def of_strips(heap: Heap, labels: np.ndarray, free: np.ndarray) -> list[int]:
    head = fit_head(heap.features, labels, heap.n_classes, BACKBONE)
    return next_strips(heap.features, labels, free, head, 1)[0].rows.tolist()


def scored(
    prepared: Prepared, stacks: np.ndarray, drawn: np.ndarray, said: dict[int, bool], unseen: np.ndarray
) -> dict:
    """Score and truth of a head fitted on the stacks `said` {stack: whether it only trains}."""
    rows = np.flatnonzero(np.isin(stacks, list(said)))
    tests = np.array([drawn[stack] for stack in stacks[rows]])
    only = np.array([said[stack] for stack in stacks[rows].tolist()])
    n_tested = len(np.unique(stacks[rows][tests]))
    crossed = n_tested < LEAST_TESTED
    splits = np.where(only, "train", "crossed") if crossed else np.where(tests, "test", "train")
    own = part(prepared, rows, splits.astype("U7"))
    trained = fit_probe_on(own, split_photos(own, RECIPE, may_cross=True), RECIPE)
    right = trained.calibrated.head.logits(prepared.values[unseen]).argmax(1) == prepared.dataset.labels[unseen]
    found = plain_score(trained)
    inside = found.accuracy.low <= right.mean() <= found.accuracy.high
    return {
        "score": found.accuracy.value, "truth": float(right.mean()), "n": len(rows), "n_test": found.n_test,
        "crossed": bool(crossed), "inside": bool(inside),
    }  # fmt: skip


def session(prepared: Prepared, seed: int) -> dict[str, dict]:
    """What each way of labelling gives after LABELS labels; and the end, where all have one, whatever the way."""
    rng = np.random.default_rng(seed)
    names, first, stacks = np.unique(prepared.duplicates.groups, return_index=True, return_inverse=True)
    seen = rng.permutation(len(names)) >= UNSEEN * len(names)
    drawn = np.array([is_drawn(str(name), str(seed)) for name in names])
    own, unseen = np.flatnonzero(seen), np.flatnonzero(~seen[stacks])
    values, labels = np.asarray(prepared.values[first[own]]), prepared.dataset.labels[first[own]]
    heap = Heap(values, labels, drawn[own], len(prepared.dataset.class_names))
    found = {}
    for way in WAYS:
        order = in_order(heap, way, np.random.default_rng([seed, WAYS.index(way)]))
        said = {int(own[row]): chosen for (row, chosen), _ in zip(order, range(LABELS), strict=False)}
        found[way] = scored(prepared, stacks, drawn, said, unseen)
    found["the end"] = scored(prepared, stacks, drawn, dict.fromkeys(own.tolist(), False), unseen)
    return found


def run(options, path: Path) -> list[dict]:
    """All sessions, those that were kept included; the sets take turns, so that any number is of both."""
    kept = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    there = {(one["set"], one["seed"]) for one in kept}
    sets = {name: loaded(options.data / folder) for name, folder in SETS.items()}
    for seed in range(options.repeats):
        for name, prepared in sets.items():
            if (name, seed) in there:
                continue
            began = time.monotonic()
            kept.append({"set": name, "seed": seed, "found": session(prepared, seed)})
            with path.open("a") as file:
                file.write(json.dumps(kept[-1]) + "\n")
            print(f"  {name} {seed}: {time.monotonic() - began:.1f} s", file=sys.stderr)
    return kept


def table(kept: list[dict]) -> list[measure.Row]:
    rows: list[measure.Row] = []
    for name in SETS:
        for way in (*WAYS, "the end"):
            runs = [one["found"][way] for one in kept if one["set"] == name]
            if not runs:
                continue
            off = [run["score"] - run["truth"] for run in runs]
            mean = statistics.mean(off)
            error = statistics.stdev(off) / len(off) ** 0.5 if len(off) > 1 else float("nan")
            when = "all, whatever the way" if way == "the end" else f"{LABELS}, {way}"
            rows.append({
                "Photos": name, "Labels": when, "Sessions": len(runs),
                "Truth, mean": f"{100 * statistics.mean(run['truth'] for run in runs):.1f}",
                "Score minus truth, mean": f"{100 * mean:+.2f} ± {100 * error:.2f}",
                "Spread of single sessions (sd)": f"{100 * statistics.pstdev(off):.1f}",
                "Test photos, median": f"{statistics.median(run['n_test'] for run in runs):.0f}",
                "Truth within the range shown": f"{100 * statistics.mean(run['inside'] for run in runs):.0f} of 100",
                "Crossed": sum(run["crossed"] for run in runs),
                "Goal": measure.goal(abs(mean) <= WITHIN, f"within ±{100 * WITHIN}"),
            })  # fmt: skip
    return rows


def main() -> None:
    path = Path("studio_score_sessions.jsonl")
    if "--sessions" in sys.argv:
        at = sys.argv.index("--sessions")
        path = Path(sys.argv[at + 1])
        del sys.argv[at : at + 2]
    options = measure.arguments(__doc__, repeats=100)
    measure.report(options, {"Score against truth": table(run(options, path))})


if __name__ == "__main__":
    main()

"""How long a person waits for the small things, each as a process from start to end.

    python benchmarks/latency.py ../shared/data

Training again after 10 photos were added to 1,200 already read; the answer about one photo; the help. What was read
from disk once is in the system's cache; no process is kept between runs. Every run of the first swaps in another ten
photos that the feature cache has never seen.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import measure

PHOTOS, ADDED = 1200, 10


def main() -> None:
    options = measure.arguments(__doc__, repeats=9)
    n, added = (120, ADDED) if options.quick else (PHOTOS, ADDED)
    clothing = options.data / "clothing"
    every = sorted(path for path in clothing.rglob("*.jpg"))
    every = [path for k in range(11) for path in every[k::11]]  # all classes and both splits in every stretch of it
    if options.repeats > (len(every) - n) // added:
        raise SystemExit(f"There are new photos for {(len(every) - n) // added} runs only.")

    with tempfile.TemporaryDirectory(prefix="tellapart-bench-") as folder:
        photos, cache, model = Path(folder, "photos"), Path(folder, "cache"), Path(folder, "model")

        def add(paths: list[Path]) -> list[Path]:
            places = [photos / path.relative_to(clothing) for path in paths]
            for path, place in zip(paths, places, strict=True):
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, place)
            return places

        def train() -> measure.Ran:
            return measure.run(measure.tellapart("train", photos, "-o", model, "--force", "--json"), cache=cache)

        add(every[:n])
        first = train()
        fresh = iter([every[n + i * added : n + (i + 1) * added] for i in range(options.repeats)])
        stages: list[dict[str, float]] = []

        def retrain() -> float:
            places = add(next(fresh))
            ran = train()
            evaluation = json.loads(ran.output)
            if evaluation["n_used"] != n + added:
                raise SystemExit(f"expected {n + added} photos, got {evaluation['n_used']}")
            stages.append(evaluation["timings_s"])
            stages[-1]["start, imports, report, writing"] = ran.seconds - stages[-1]["total"]
            for place in places:
                place.unlink()
            return ran.seconds

        pizza = options.data / "burger_examples" / "pizza.jpg"
        commands = {
            "`tellapart predict MODEL photo.jpg`": measure.tellapart("predict", model, pizza),
            "`tellapart predict imagenet photo.jpg`": measure.tellapart("predict", "imagenet", pizza),
            "`tellapart --help`": measure.tellapart("--help"),
            "`python -c pass`, to compare": [sys.executable, "-c", "pass"],
        }
        again = f"`tellapart train`, {added} photos added to {n:,}"
        ways = {again: retrain} | {
            name: (lambda command=command: measure.run(command, cache=cache).seconds)
            for name, command in commands.items()
        }
        measured = measure.interleaved(ways, options.repeats)

    goals = {again: 3.0, "`tellapart predict MODEL photo.jpg`": 1.0, "`tellapart --help`": 0.2}
    rows: list[measure.Row] = []
    for name, seconds in measured.items():
        s = measure.spread(seconds)
        wanted = goals.get(name)
        rows.append(
            {
                "Process": name,
                "Median, s": f"{s.median:.2f}",
                "Least to most, s": f"{s.low:.2f} to {s.high:.2f}",
                "Runs": s.n,
                "Goal": measure.goal(s.median < wanted, f"< {wanted:g} s") if wanted else "",
            }
        )
    per_stage: list[measure.Row] = [
        {"Stage of training again": stage, "Seconds": measure.spread(t[stage] for t in stages).text(digits=2)}
        for stage in stages[0]
    ]
    measure.report(
        options, {"Waiting": rows, "Stages": per_stage}, first_training_s=round(first.seconds, 1), photos=n + added
    )


if __name__ == "__main__":
    main()

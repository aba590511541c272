"""Whether memory stays where it is and time grows no faster than the number of photos.

    python benchmarks/scale.py ../shared/data                       # 1,000, 4,000 and 16,000 photos
    python benchmarks/scale.py ../shared/data --sizes 64000         # 2 GB of disk in the temporary folder

The 1,325 `clothing` photos are repeated as different photos: each copy is another crop (55 to 95 % of each side, at a
random place), mirrored or not, saved anew as JPEG of about 30 kB. Copies by bytes alone would have equal pixels, be
found as exact copies, and make the search for them easier than it is. `tellapart train --quality fast` then runs as a
process with an empty cache; its peak memory is the largest resident set of it and its children, as the system counts it
(wait4): pages of the memory-mapped features that are in memory are part of that.
"""

import json
import random
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path

import measure

SIZES = (1000, 4000, 16000)
GOAL_BYTES = 1.5e9
QUALITY = "fast"


def plant(folder: Path, sources: list[Path], number: int) -> None:
    """Write photo `number`: a crop of its own of one of `sources`, in the folder of its class."""
    from PIL import Image

    source, rng = sources[number % len(sources)], random.Random(number)
    with Image.open(source) as photo:
        image = photo.convert("RGB")
    width_px, height_px = (round(side * rng.uniform(0.55, 0.95)) for side in image.size)
    left, top = rng.randint(0, image.width - width_px), rng.randint(0, image.height - height_px)
    image = image.crop((left, top, left + width_px, top + height_px))
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    place = folder / source.parent.name / f"{number}.jpg"
    place.parent.mkdir(parents=True, exist_ok=True)
    image.save(place, "JPEG", quality=90)


def main() -> None:
    options = measure.arguments(
        __doc__, repeats=1, more=lambda p: p.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    )
    sizes = (100, 300) if options.quick else tuple(options.sizes)
    sources = sorted((options.data / "clothing").rglob("*.jpg"))
    random.Random(0).shuffle(sources)
    ran: dict[int, list[measure.Ran]] = {n: [] for n in sizes}
    stages: dict[int, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="tellapart-bench-") as folder:
        photos = {n: Path(folder, str(n)) for n in sizes}
        with ProcessPoolExecutor() as pool:
            for n, place in photos.items():
                list(pool.map(partial(plant, place, sources), range(n), chunksize=100))

        def train(n: int) -> float:
            cache, model = Path(folder, f"cache-{time.time_ns()}"), Path(folder, "model")
            command = measure.tellapart("train", photos[n], "-o", model, "--quality", QUALITY, "--force", "--json")
            ran[n].append(measure.run(command, cache=cache))
            evaluation = json.loads(ran[n][-1].output)
            if evaluation["n_used"] != n:
                raise SystemExit(f"expected {n} photos, got {evaluation['n_used']}")
            stages[n] = evaluation["timings_s"]
            return ran[n][-1].seconds

        measured = measure.interleaved({f"{n}": partial(train, n) for n in sizes}, options.repeats)

    rows: list[measure.Row] = []
    for n in sizes:
        seconds, peak = measured[f"{n}"], max(r.peak_bytes for r in ran[n])
        rows.append(
            {
                "Photos": f"{n:,}",
                "Seconds": measure.spread(seconds).text(),
                "Milliseconds a photo": measure.spread(1000 * s / n for s in seconds).text(),
                "Peak memory, MB": f"{peak / 1e6:.0f}",
                "Goal": measure.goal(peak < GOAL_BYTES, "< 1.5 GB"),
            }
            | {f"{stage}, s": f"{stages[n][stage]:.1f}" for stage in stages[n] if stages[n][stage] >= 0.05}
        )
    measure.report(options, {"Scale": rows}, quality=QUALITY, linear=_is_linear(measured))


def _is_linear(measured: dict[str, list[float]]) -> str:
    """How the time of one more photo between the last two sizes compares with that between the first two."""
    points = [(int(n), measure.spread(seconds).median) for n, seconds in measured.items()]
    if len(points) < 3:
        return ""
    more = [1000 * (b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(points)]
    return f"one more photo costs {more[0]:.1f} ms at the smallest sizes and {more[-1]:.1f} ms at the largest"


if __name__ == "__main__":
    main()

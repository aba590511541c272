"""Near copies among very many rows, and a head on them: seconds, memory, recall, and whether all rows bring anything.

    python benchmarks/head_rows.py ../shared/data                     # 10,000, 100,000 and 1,000,000 rows
    python benchmarks/head_rows.py ../shared/data --sizes 1000000     # one of them; 9 GB in the temporary folder

Rows are no photos: the features of 2,946 real photos of four sets (39 classes) are repeated with noise. A row is
the mean of its class, 40 % of the variance that is a real photo's own, and 60 % drawn with the covariance that real
photos have within their class. The nearest of other rows is then about as near as among so many photos. Small grey
pictures are two real ones on each other, turned and shifted. Of a hundred rows six are made of another one: two near by
features (cosines about .95), two near only by looking (about .84, and the same picture with some noise), an exact copy,
and one of the same scene (about .87, another picture). The product's own writer puts them into shards, so that all
that follows reads what it reads of photos.

Near copies are sought within cells, in a process of its own, and held against all-pairs: of 2,000 rows with all others
by features, and of up to 20,000 rows (a third of them made of others, and those) as among few photos, with looking.
Then `tellapart train SHARDS` runs as a person runs it; from 62,500 rows on it learns from a sample first. The last
process fits the head of all rows that learn by one worker, by two, and from nothing, and says how far they are apart.
Memory is the largest resident set of each process. Seconds of a processor are beside those of the clock: on a machine
with other work they say more.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

import measure

SIZES = (10_000, 100_000, 1_000_000)
WAYS = Path(__file__).with_name("head_rows_ways.py")
MOST_S = 300
MOST_BYTES = 2e9
LEAST_RECALL = 0.98
LEAST_APART = 1e-4


def said(*words: object) -> tuple[measure.Ran, dict]:
    """What a process of `head_rows_ways.py` took, and what it says."""
    print(f"  {' '.join(map(str, words))}", file=sys.stderr, flush=True)
    ran = measure.run([sys.executable, WAYS, *map(str, words)])
    return ran, json.loads(ran.output.splitlines()[-1])


def copies(real: Path, shards: Path, found: Path, n: int) -> measure.Row:
    """The search, and what of all pairs it found."""
    ran, took = said("copies", shards, found)
    _, of_all = said("recall", real, shards, found)
    recall = min(of_all["near_recall"], of_all["claims_recall"])
    return {
        "Rows": f"{n:,}",
        "Search, s": f"{took['copies_s']:.0f}",
        "Reading hashes, s": f"{took['reading_s']:.0f}",
        "Processor, s": f"{ran.processor_s:.0f}",
        "Peak memory, MB": f"{took['peak_bytes'] / 1e6:.0f}",
        "Near pairs": f"{took['near']:,}",
        "Nearest row, median cosine": f"{of_all['nearest_median']:.2f}",
        "By features, with all rows": f"{of_all['near_recall']:.1%} of {of_all['near_pairs']:,}",
        "Scenes kept together": f"{of_all['scene_recall']:.1%} of {of_all['scene_pairs']:,}",
        "All claims, with looking": f"{of_all['claims_recall']:.1%} of {of_all['claims']:,}",
        "… planted for looking": f"{of_all['looked_recall']:.1%} of {of_all['looked']:,}",
        "All planted": f"{of_all['planted_recall']:.1%} of {of_all['planted']:,}",
        "Goal, seconds": measure.goal(took["copies_s"] < MOST_S, "< 300 s"),
        "Goal, recall": measure.goal(recall >= LEAST_RECALL, "≥ 98%"),
    }


def head(shards: Path, model: Path, n: int) -> tuple[measure.Row, list[measure.Row]]:
    """`tellapart train`: the seconds of its stages and its memory; and the log-losses on rows that are held out."""
    command = measure.tellapart("train", shards, "-o", model, "--force", "--json")
    ran = measure.run(command)
    evaluation = json.loads(ran.output)
    stages = evaluation["timings_s"]
    seconds = ran.seconds - stages["duplicates"]
    row = {
        "Rows": f"{n:,}",
        "All, s": f"{ran.seconds:.0f}",
        "… without the search for copies, s": f"{seconds:.0f}",
        "Processor, s": f"{ran.processor_s:.0f}",
        "Peak memory, MB": f"{ran.peak_bytes / 1e6:.0f}",
        **{f"{stage}, s": f"{stages[stage]:.1f}" for stage in stages if stages[stage] >= 0.5},
        "Goal, seconds of the head": measure.goal(stages["head"] < MOST_S, "< 300 s"),
        "Goal, memory": measure.goal(ran.peak_bytes < MOST_BYTES, "< 2 GB"),
    }
    about = evaluation.get("rows")
    if not about:
        return row, []
    learned = [
        {"Rows": f"{n:,}", "Learned from": f"{one['n']:,}", "Log-loss": f"{one['log_loss']:.4f}",
         "Held-out rows": f"{about['n_held_out']:,}", "Passes over all": about["passes"] or ""}
        for one in about["held_out_log_loss"]
    ]  # fmt: skip
    return row, learned


def optimum(shards: Path, found: Path, n: int) -> measure.Row:
    """The same head, whoever computes it and wherever it begins."""
    ran, took = said("optimum", shards, found)
    one, two, from_nothing = took["seconds"]
    apart = max(took["apart"], took["apart_from_nothing"])
    return {
        "Rows": f"{n:,}",
        "Rows that learn": f"{took['learn']:,}",
        "One worker, s": f"{one:.0f}",
        "Two, s": f"{two:.0f}",
        "Passes": took["passes"][1],
        "From nothing, s": f"{from_nothing:.0f}",
        "Passes from nothing": took["passes"][2],
        "Same bits by one and two": "yes" if took["same_bits"] else "no",
        "Largest difference in a probability, from nothing": f"{took['apart_from_nothing']:.1e}",
        "Peak memory, MB": f"{ran.peak_bytes / 1e6:.0f}",
        "Goal": measure.goal(apart < LEAST_APART, "< 1e-4"),
    }


def main() -> None:
    """Each size is a piece of the record, written when it is done."""

    def more(parser) -> None:
        parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="rows")
        parser.add_argument("--keep", type=Path, help="a folder for the shards, which are used again if they are there")

    options = measure.arguments(__doc__, repeats=1, more=more)
    sizes = (2000,) if options.quick else tuple(options.sizes)
    with tempfile.TemporaryDirectory(prefix="tellapart-bench-") as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        real = folder / "real.npz"
        _, photos = said("real", options.data, real)
        for n in sizes:
            place = folder / str(n)
            place.mkdir(exist_ok=True)
            shards, found = place / "shards", place / "found.npz"
            said("make", real, shards, n)
            tables: dict[str, list[measure.Row]] = {f"Near copies among {n:,} rows": [copies(real, shards, found, n)]}
            row, learned = head(shards, place / "model", n)
            tables[f"`tellapart train` of {n:,} rows"] = [row]
            if learned:
                tables[f"More rows than the sample, of {n:,}"] = learned
            facts = {**photos, "load_after": round(os.getloadavg()[0], 1)}
            pieces = [str(size) for size in sorted({*SIZES, *sizes})]
            measure.report_piece(options, pieces, str(n), tables, **facts)  # also where what follows is ended
            tables[f"The same optimum of {n:,} rows"] = [optimum(shards, found, n)]
            measure.report_piece(options, pieces, str(n), tables, **facts)


if __name__ == "__main__":
    main()

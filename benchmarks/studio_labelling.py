"""What labelling a heap costs in keys, by strips of proposed labels and one by one, and how good a model is meanwhile.

    python benchmarks/studio_labelling.py ../shared/data

A scripted person begins with no label and no class. They see the thumbnails of a strip, accept what is proposed with
one key, or say what it is with the key of a class, and mend each photo that is something else by pointing at it and
pressing the key of its class. A class that has no key yet is typed: as many keys as its name has letters, one that
opens the box and one that closes it. Strips are those of the studio, made while the person looked at the strip before.
One stack in five is drawn for the test: it is labelled one at a time, at a key each, and counted beside. The other way
takes the same stacks one by one at random, a key each. A hasty person overlooks one in ten of the wrong photos.
Training photos of clothing, all of instruments; the strips were chosen on these.
"""

import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import measure
from suggest import BACKBONE, Photos, load
from tellapart.studio.draw import is_drawn
from tellapart.studio.work.proposals import fit_head
from tellapart.studio.work.strips import Strip, next_strips

MOST_KEYS = 0.4  # a photo outside the test stacks
LEAST_RIGHT = 0.98  # of the labels
READY = 4  # strips that the page has at hand
OVERLOOKED = 0.1  # of the wrong photos in a strip, by a person who is hasty
SHARES = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.6, 0.8, 1.0)  # keys a photo where accuracy is looked at


@dataclass
class Session:
    """A heap being labelled: its truth, what is said so far, and the keys that took."""

    photos: Photos
    names: tuple[str, ...]
    n_photos: int
    labels: np.ndarray = field(init=False)
    keys: int = 0
    typed: int = 0
    mended: int = 0
    strips: int = 0
    known: set[int] = field(default_factory=set)
    told: list[tuple[int, np.ndarray]] = field(default_factory=list)  # (keys, labels) after each strip

    def __post_init__(self) -> None:
        self.labels = np.full(len(self.photos.labels), -1, np.int32)

    def press(self, label: int) -> None:
        """The key of a class, which is typed the first time."""
        keys = 1 if label in self.known else len(self.names[label]) + 2
        self.typed += keys if keys > 1 else 0
        self.known.add(label)
        self.keys += keys

    def say(self, strip: Strip, overlooked: float, rng: np.random.Generator) -> None:
        """Everything that a person does with a strip."""
        truth = self.photos.labels[strip.rows]
        commonest = int(np.bincount(truth).argmax())
        label = strip.label
        if label < 0 or (truth == commonest).sum() > (truth == label).sum() + 1:
            label = commonest
            self.press(label)
        else:
            self.keys += 1
        self.labels[strip.rows] = label
        for row in strip.rows[truth != label]:
            if rng.uniform() >= overlooked:
                self.press(int(self.photos.labels[row]))
                self.labels[row] = self.photos.labels[row]
                self.mended += 1
        self.strips += 1
        self.told.append((self.keys, self.labels.copy()))


def by_strips(session: Session, overlooked: float, rng: np.random.Generator) -> Session:
    photos, n_classes = session.photos, len(session.names)
    ready: list[Strip] = []
    while (session.labels < 0).any():
        free = session.labels < 0
        shown = next((strip for strip in ready if free[strip.rows].all()), None)
        head = fit_head(photos.features, session.labels, n_classes, BACKBONE)
        ready = next_strips(photos.features, session.labels, free, head, READY)  # while the person looks at `shown`
        session.say(shown or ready[0], overlooked, rng)
    return session


def one_by_one(session: Session, rng: np.random.Generator) -> Session:
    for row in rng.permutation(len(session.labels)):
        session.press(int(session.photos.labels[row]))
        session.labels[row] = session.photos.labels[row]
        session.told.append((session.keys, session.labels.copy()))
    return session


def heaps(place: Path, n_seeds: int) -> Iterator[tuple[Photos, int, Photos, np.random.Generator]]:
    """The stacks outside the test, how many photos these are, and the test stacks, of each seed."""
    photos = load(place)
    stacks, first, counts = np.unique(photos.groups, return_index=True, return_counts=True)
    for seed in range(n_seeds):
        rng = np.random.default_rng(seed)
        drawn = np.array([is_drawn(str(stack), str(seed)) for stack in stacks])
        order = rng.permutation(np.flatnonzero(~drawn))
        yield photos.part(first[order]), int(counts[order].sum()), photos.part(first[drawn]), rng


def accuracies(session: Session, test: Photos) -> list[float]:
    """Of a head fitted on what was labelled with each of SHARES keys a photo; NaN before two classes have a label."""
    found = []
    for share in SHARES:
        labels = [labels for keys, labels in session.told if keys <= share * session.n_photos]
        head = fit_head(session.photos.features, labels[-1], len(session.names), BACKBONE) if labels else None
        found.append(float((head.head.logits(test.features).argmax(1) == test.labels).mean()) if head else np.nan)
    return found


def measured(place: Path, names: tuple[str, ...], n_seeds: int) -> dict[str, list[dict[str, object]]]:
    """Of each way of labelling, what each seed gave."""
    ways: dict[str, list[dict[str, object]]] = {"strips": [], "strips, hasty": [], "one by one": []}
    for photos, n, test, rng in heaps(place, n_seeds):
        for way, runs in ways.items():
            session = Session(photos, names, n)
            if way == "one by one":
                one_by_one(session, rng)
            else:
                by_strips(session, OVERLOOKED if "hasty" in way else 0.0, rng)
            right = float((session.labels == photos.labels).mean())
            runs.append({
                "keys": session.keys / n, "right": right, "strips": session.strips, "typed": session.typed,
                "mended": session.mended, "test": len(test.labels), "n": n, "curve": accuracies(session, test),
            })  # fmt: skip
            print(f"  {place.name} {way}: { ({k: v for k, v in runs[-1].items() if k != 'curve'}) }", file=sys.stderr)
    return ways


def middle(runs: list[dict[str, object]], key: str) -> float:
    return statistics.median(float(str(run[key])) for run in runs)


def costs(name: str, ways: dict[str, list[dict[str, object]]]) -> list[measure.Row]:
    rows: list[measure.Row] = []
    for way, runs in ways.items():
        keys, right = middle(runs, "keys"), middle(runs, "right")
        met = keys <= MOST_KEYS and right >= LEAST_RIGHT
        rows.append({
            "Photos": name, "Labelled by": way, "Outside the test": f"{middle(runs, 'n'):.0f}",
            "Keys a photo": measure.spread(float(str(run["keys"])) for run in runs).text(digits=3),
            "Labels right": f"{100 * right:.1f} of 100",
            "Strips": f"{middle(runs, 'strips'):.0f}" if "strip" in way else "",
            "Of the keys, to type classes": f"{middle(runs, 'typed'):.0f}",
            "to mend": f"{middle(runs, 'mended'):.0f}" if "strip" in way else "",
            "Beside: keys for test stacks": f"{middle(runs, 'test'):.0f}",
            "Goal": measure.goal(met, f"≤ {MOST_KEYS}, ≥ {100 * LEAST_RIGHT:.0f} right") if way == "strips" else "",
        })  # fmt: skip
    return rows


def curves(name: str, ways: dict[str, list[dict[str, object]]]) -> list[measure.Row]:
    rows: list[measure.Row] = []
    for way in ("strips", "one by one"):
        mean = np.array([run["curve"] for run in ways[way]], float).mean(axis=0)
        cells = {
            f"{share:g} keys": "" if np.isnan(value) else f"{value:.3f}"
            for share, value in zip(SHARES, mean, strict=True)
        }
        rows.append({"Photos": name, "Labelled by": way, **cells})
    return rows


def drawn(rows: list[measure.Row]) -> str:
    """Accuracy against keys a photo, as an SVG picture: a panel for each set, a line for each way."""
    wide, high, left, top = 300, 200, 46, 34
    colours = {"strips": "#0c6b68", "one by one": "#a9481f"}
    parts = []
    for panel, name in enumerate(dict.fromkeys(str(row["Photos"]) for row in rows)):
        x0, steps = left + panel * (wide + left + 24), (0, 0.25, 0.5, 0.75, 1)
        parts.append(f'<text x="{x0}" y="20" font-weight="600">{name}</text>')
        for step in steps:
            x, y = x0 + step * wide, top + (1 - step) * high
            parts.append(f'<path d="M{x0} {y}h{wide}" stroke="#8885" fill="none"/>')
            parts.append(f'<text x="{x0 - 6}" y="{y + 4}" text-anchor="end">{step:g}</text>')
            parts.append(f'<text x="{x}" y="{top + high + 16}" text-anchor="middle">{step:g}</text>')
        for row in (row for row in rows if row["Photos"] == name):
            way = str(row["Labelled by"])
            at = [(share, float(str(row[f"{share:g}"]))) for share in SHARES if row[f"{share:g}"]]
            line = " ".join(f"{x0 + share * wide:.1f},{top + (1 - value) * high:.1f}" for share, value in at)
            parts.append(f'<polyline points="{line}" fill="none" stroke="{colours[way]}" stroke-width="2.5"/>')
            y = top + high - 12 - 18 * list(colours).index(way)
            parts.append(f'<text x="{x0 + wide - 6}" y="{y}" text-anchor="end" fill="{colours[way]}">{way}</text>')
    caption = (
        f'<text x="{left}" y="{top + high + 38}">accuracy on the test stacks, by keys a photo outside the test</text>'
    )
    size = f'viewBox="0 0 {2 * (wide + left + 24)} {top + high + 50}"'
    look = 'font-family="sans-serif" font-size="12" fill="#777"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {look}>\n' + "\n".join([*parts, caption]) + "\n</svg>\n"


def main() -> None:
    options = measure.arguments(__doc__, repeats=5)
    tables: dict[str, list[measure.Row]] = {"Keys": [], "Accuracy on the test stacks by keys a photo": []}
    sets = {"clothing": "clothing/train", "instruments": "instruments"}
    for name, folder in sets.items():
        place = options.data / folder
        names = tuple(sorted(path.name for path in place.iterdir() if path.is_dir()))
        ways = measured(place, names, options.repeats)
        tables["Keys"] += costs(name, ways)
        tables["Accuracy on the test stacks by keys a photo"] += curves(name, ways)
    measure.report(options, tables)
    if options.json:
        picture = drawn(tables["Accuracy on the test stacks by keys a photo"])
        options.json.with_suffix(".svg").write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()

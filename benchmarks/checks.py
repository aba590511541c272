"""Whether `tellapart check` finds what is there, and leaves alone what is not.

    python benchmarks/checks.py ../shared/data [--only copies,labels]

Four pieces; each writes its tables into the record when it is done, and leaves those of the others alone.

    copies    leaks that came with a set, and planted copies
    labels    labels swapped, beside cleanlab on the same probabilities
    looks     planted shortcuts and poor photos, and what is said of sets as they came
    seconds   how long it takes

Leaks that came with a set, and faults planted in real photos: copies, swapped labels, a shortcut in all
photos of one class, poor photos. For each, how much of it is found, and what is found besides. Every set is taken as it
comes, so what is found besides may be real: web photos do hold wrong labels and copies. `--repeats` is the number of
seeds. Nothing here chooses a threshold on a test photo, but for the leaks only training photos are read.
"""

import io
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields, replace

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

import measure
from duplicates import LOSSLESS, cropped
from swapped_labels import SETS as SWAPPED_SETS
from swapped_labels import swaps
from tellapart.checks.audit import audit
from tellapart.checks.image_stats import ImageStats, image_stats_of
from tellapart.checks.inspection import inspect
from tellapart.checks.quality import quality_findings
from tellapart.checks.shortcuts import shortcut_findings
from tellapart.classifier.cross_validation import out_of_fold_probs
from tellapart.data.duplicates import Duplicates
from tellapart.data.photo import decode
from tellapart.data.preprocess import Preprocess
from tellapart.data.source import Dataset, scan
from tellapart.engine.backbone import QUALITIES
from tellapart.features.cache import FeatureCache
from tellapart.features.copies import find_copies
from tellapart.features.extract import Extractor
from tellapart.features.prepare import Prepared, prepare
from tellapart.recipe import LinearProbe, Reading
from tellapart.timing import Stopwatch, no_progress

SETS = {"clothing": "clothing/train", "instruments": "instruments", "hotdog": "hotdog/train"}
COPIED = 120  # photos of each set, of every kind of copy
CORRUPTED_SHARE = 0.05  # of the photos
FRAME = (30, 90, 200)  # a blue

Change = Callable[[Image.Image], Image.Image]


@dataclass(frozen=True)
class Saved:
    """How a photo is changed and saved again."""

    change: Change = lambda image: image
    format: str = "JPEG"
    quality: int = LOSSLESS

    def __call__(self, data: bytes) -> bytes:
        file = io.BytesIO()
        self.change(Image.fromarray(decode(data))).save(file, self.format, quality=self.quality)
        return file.getvalue()


def resized(image: Image.Image, share: float) -> Image.Image:
    return image.resize((max(1, round(image.width * share)), max(1, round(image.height * share))))


def framed(image: Image.Image, share: float) -> Image.Image:
    width = max(1, round(min(image.size) * share))
    return ImageOps.expand(image.crop((width, width, image.width - width, image.height - width)), width, FRAME)


def blurred(image: Image.Image, share: float) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(min(image.size) * share))


def shaken(image: Image.Image, share: float) -> Image.Image:
    """Moved sideways by `share` of the shorter side while the shutter was open."""
    length = max(2, round(min(image.size) * share))
    sums = np.cumsum(np.pad(np.asarray(image, np.float64), ((0, 0), (length, 0), (0, 0)), "edge"), axis=1)
    return Image.fromarray(((sums[:, length:] - sums[:, :-length]) / length).astype(np.uint8))


def darker(image: Image.Image, share: float) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(share)


COPIES = {
    "resized to 60 %": Saved(lambda image: resized(image, 0.6)),
    "saved again, JPEG 50": Saved(quality=50),
    "mirrored": Saved(ImageOps.mirror),
    "5 % cropped away": Saved(lambda image: cropped(image, 0.05)),
}
SHORTCUTS = {
    "saved as PNG": ("file format", Saved(format="PNG")),
    "resized to 70 %": ("size in pixels", Saved(lambda image: resized(image, 0.7))),
    "60 % as bright": ("brightness", Saved(lambda image: darker(image, 0.6))),
    "out of focus": ("sharpness", Saved(lambda image: blurred(image, 0.008))),
    "a thin blue frame": ("border", Saved(lambda image: framed(image, 0.01))),
    "JPEG 30": ("file size", Saved(quality=30)),
}
CORRUPTIONS = {
    "blurred over 1.5 % of the side": ("blurred", Saved(lambda image: blurred(image, 0.015))),
    "shaken over 5 % of the side": ("blurred", Saved(lambda image: shaken(image, 0.05))),
    "a fifth as bright": ("dark", Saved(lambda image: darker(image, 0.2))),
    "white laid over it": ("overexposed", Saved(lambda image: image.point(lambda value: 160 + value * 95 // 255))),
    "one colour": ("empty", Saved(lambda image: Image.new("RGB", image.size, (200, 190, 180)))),
}


@dataclass
class Changed:
    """The photos `chosen` of `dataset`, each after `save`."""

    dataset: Dataset
    chosen: np.ndarray
    save: Callable[[bytes], bytes]

    @property
    def n(self) -> int:
        return len(self.chosen)

    def read(self, index: int) -> bytes:
        return self.save(self.dataset.read(int(self.chosen[index])))

    def naming(self, index: int) -> AbstractContextManager[None]:
        return self.dataset.naming(int(self.chosen[index]))


def joined(first: ImageStats, second: ImageStats, rows: np.ndarray) -> ImageStats:
    """`first` with its `rows` taken from `second`."""
    columns = {}
    for field in fields(ImageStats):
        old, new = getattr(first, field.name), getattr(second, field.name)
        column = old.astype(np.promote_types(old.dtype, new.dtype))
        column[rows] = new
        columns[field.name] = column
    return replace(first, **columns)


def note(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def leaks(options, extractor: Extractor) -> list[measure.Row]:
    prepared = prepare(scan(options.data / "hotdog"), extractor, no_progress, Stopwatch())
    dataset = prepared.dataset
    train = {dataset.read(i) for i in np.flatnonzero(dataset.splits == "train")}
    same = {dataset.photos[i] for i in np.flatnonzero(dataset.splits == "test") if dataset.read(i) in train}
    findings = audit(dataset, prepared.skipped, prepared.duplicates)
    found = {photo for finding in findings if finding.kind == "leak" for photo in finding.suspects}
    return [
        {
            "Test photos": int((dataset.splits == "test").sum()),
            "Byte for byte in train": len(same),
            "Found": len(found & same),
            "Found besides": len(found - same),
        }
    ]


def copies(options, sets: dict[str, Prepared], extractor: Extractor) -> list[measure.Row]:
    """Copies are added to their set, and all pairs sought anew."""
    rows: list[measure.Row] = []
    for name, prepared in sets.items():
        dataset, n = prepared.dataset, prepared.dataset.n
        chosen = np.random.default_rng(0).choice(n, 5 if options.quick else min(COPIED, n), replace=False)
        before = {(p.first, p.second) for p in prepared.duplicates.pairs}
        for kind, save in COPIES.items():
            copied = extractor.extract(Changed(dataset, chosen, save))
            values = np.concatenate([prepared.values, copied.values])
            hashes = np.concatenate([prepared.pixel_hashes, copied.pixel_hashes])
            pictures = np.concatenate([prepared.features.pictures[prepared.features.usable], copied.pictures])
            found = find_copies(values, pictures, hashes)
            pairs = {(p.first, p.second) for p in found.pairs}
            own = {(int(i), n + j) for j, i in enumerate(chosen)}
            groups = found.groups
            beside = [(a, b) for a, b in pairs - own - before if not _known_copy(a, b, n, chosen, prepared.duplicates)]
            rows.append(
                {
                    "Photos": name,
                    "Copy": kind,
                    "Copies": len(own),
                    "Named": f"{len(own & pairs) / len(own):.0%}",
                    "Kept on one side": f"{np.mean([groups[a] == groups[b] for a, b in own]):.0%}",
                    "Wrong pairs": len(beside),
                }
            )
            note(f"copies: {rows[-1]}")
    return rows


def _known_copy(a: int, b: int, n: int, chosen: np.ndarray, duplicates: Duplicates) -> bool:
    """Whether the originals of `a` and `b` were of one group before anything was planted."""
    first, second = (int(chosen[i - n]) if i >= n else i for i in (a, b))
    return bool(duplicates.groups[first] == duplicates.groups[second])


def shortcuts(options, sets: dict[str, Prepared], stats: dict[str, ImageStats]) -> list[measure.Row]:
    """One class after the other gets the shortcut; a finding counts if it names the class, or a set of two, and cue."""
    rows: list[measure.Row] = []
    for kind, (cue, save) in SHORTCUTS.items():
        row: measure.Row = {"All photos of one class": kind, "Cue": cue}
        for name, prepared in sets.items():
            dataset, groups = prepared.dataset, prepared.duplicates.groups
            classes = range(len(dataset.class_names))[: 1 if options.quick else 3]
            found = named = 0
            for c in classes:
                chosen = np.flatnonzero(dataset.labels == c)
                planted = joined(stats[name], image_stats_of(Changed(dataset, chosen, save)), chosen)
                told = [f.sentence for f in shortcut_findings(dataset, groups, planted)]
                about = [s for s in told if f'tells "{dataset.class_names[c]}"' in s or len(dataset.class_names) == 2]
                found += bool(about)
                named += any(s.startswith(f"The {cue} alone") for s in about)
            row[name] = f"{found} of {len(classes)} found, {named} by its cue"
        note(f"shortcuts: {row}")
        rows.append(row)
    return rows


def untouched(
    options, sets: dict[str, Prepared], stats: dict[str, ImageStats], extractor: Extractor
) -> list[measure.Row]:
    """What is said of sets as they came, and of one that is nothing but a shortcut."""
    rows: list[measure.Row] = [
        {"Photos": name, "Said": _said(prepared.dataset, prepared.duplicates.groups, stats[name])}
        for name, prepared in sets.items()
    ]
    for name, place in {"fruits, white": "fruits/train_white", "fruits, market": "fruits/train_market"}.items():
        prepared = prepare(scan(options.data / place), extractor, no_progress, Stopwatch())
        seen = image_stats_of(prepared.dataset)
        rows.append({"Photos": name, "Said": _said(prepared.dataset, prepared.duplicates.groups, seen)})
    folders = ("train_white", "train_market")
    photos = [
        (path, folder) for folder in folders for path in sorted((options.data / "fruits" / folder).glob("*/*.jpg"))
    ]
    both = Dataset.from_lists([path for path, _ in photos], [folder for _, folder in photos])
    prepared = prepare(both, extractor, no_progress, Stopwatch())
    said = _said(prepared.dataset, prepared.duplicates.groups, image_stats_of(prepared.dataset))
    return [*rows, {"Photos": "fruits: white paper or market as the class", "Said": said}]


def _said(dataset: Dataset, groups: np.ndarray, stats: ImageStats) -> str:
    return " ".join(finding.sentence for finding in shortcut_findings(dataset, groups, stats)) or "nothing"


def poor(options, sets: dict[str, Prepared], stats: dict[str, ImageStats]) -> list[measure.Row]:
    rows: list[measure.Row] = []
    for kind, (finding_kind, save) in CORRUPTIONS.items():
        row: measure.Row = {"One photo in twenty": kind, "Finding": finding_kind}
        for name, prepared in sets.items():
            dataset = prepared.dataset
            chosen = np.random.default_rng(0).choice(
                dataset.n, max(3, round(CORRUPTED_SHARE * dataset.n)), replace=False
            )
            planted = joined(stats[name], image_stats_of(Changed(dataset, chosen, save)), chosen)
            found = {r[0] for f in quality_findings(dataset, planted) if f.kind == finding_kind for r in f.photos}
            right = {dataset.photos[i] for i in chosen}
            row[name] = f"{len(found & right)} of {len(chosen)}, and {len(found - right)} others"
        note(f"poor: {row}")
        rows.append(row)
    return rows


def seconds(options, sets: dict[str, Prepared]) -> list[measure.Row]:
    rows: list[measure.Row] = []
    for name, prepared in sets.items():
        probs = out_of_fold_probs(prepared, LinearProbe())
        times = []
        for _ in range(options.repeats):
            started = time.perf_counter()
            inspect(prepared, probs)
            times.append(time.perf_counter() - started)
        rows.append(
            {
                "Photos": name,
                "n": prepared.dataset.n,
                "All checks": measure.spread(times).text(" s"),
                "Photos/s": f"{prepared.dataset.n / measure.spread(times).median:.0f}",
            }
        )
    return rows


def main() -> None:
    options = measure.arguments(
        __doc__,
        repeats=5,
        more=lambda parser: parser.add_argument("--only", default=",".join(PIECES), help="pieces, with commas; all"),
    )
    wanted = options.only.split(",")
    if unknown := sorted(set(wanted) - set(PIECES)):
        raise SystemExit(f"There is no piece {unknown}. There are: {', '.join(PIECES)}.")
    backbone = QUALITIES[Reading.quality]
    extractor = Extractor(backbone, Preprocess(backbone.input_px), FeatureCache())
    sets = {}
    for name, place in SETS.items():
        dataset = scan(options.data / place)
        if options.quick:
            dataset = dataset.subset(np.arange(0, dataset.n, 4))
        note(f"{name}: {dataset.n} photos")
        sets[name] = prepare(dataset, extractor, no_progress, Stopwatch())
    for piece in wanted:
        tables = PIECES[piece](options, sets, extractor)
        measure.report_piece(options, PIECES, piece, tables, quality=Reading.quality)


def of_copies(options, sets: dict[str, Prepared], extractor: Extractor) -> dict[str, list[measure.Row]]:
    return {
        "Leaks of the hotdog set": leaks(options, extractor),
        "Planted copies": copies(options, sets, extractor),
    }


def of_labels(options, sets: dict[str, Prepared], extractor: Extractor) -> dict[str, list[measure.Row]]:
    other = {name: place for name, place in SWAPPED_SETS.items() if name not in sets}
    prepared = {
        name: prepare(scan(options.data / place), extractor, no_progress, Stopwatch()) for name, place in other.items()
    }
    return swaps(options, {name: (sets | prepared)[name] for name in SWAPPED_SETS})


def of_looks(options, sets: dict[str, Prepared], extractor: Extractor) -> dict[str, list[measure.Row]]:
    stats = {name: image_stats_of(prepared.dataset) for name, prepared in sets.items()}
    return {
        "Planted shortcuts": shortcuts(options, sets, stats),
        "Sets as they came": untouched(options, sets, stats, extractor),
        "Planted poor photos": poor(options, sets, stats),
    }


def of_seconds(options, sets: dict[str, Prepared], extractor: Extractor) -> dict[str, list[measure.Row]]:
    return {"Time, features cached": seconds(options, sets)}


PIECES = {"copies": of_copies, "labels": of_labels, "looks": of_looks, "seconds": of_seconds}


if __name__ == "__main__":
    main()

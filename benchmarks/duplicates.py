"""How alike copies of a photo look to each backbone, and how alike photos of different things do.

    python benchmarks/duplicates.py ../shared/data

The measurement behind NEAR_DUPLICATE and SAME_GROUP in `data/duplicates.py`. From every set, photos are drawn and
copied in the ways that copies come about; for each copy, the centred cosine of its features with those of the photo it
was made from. Against that, the centred cosines of all pairs of photos of different classes: no such pair should be
called a copy. (Pairs of one class are no counter-example: sets from the web hold real copies. Neither is a copy filed
under two classes, which the highest values are made of; the share above a threshold says how few there are.) No test
photo is read, and nothing is trained.
"""

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

import measure
from tellapart.data.duplicates import NEAR_DUPLICATE, SAME_GROUP
from tellapart.data.preprocess import Preprocess
from tellapart.data.source import Dataset, scan
from tellapart.engine.backbone import QUALITIES
from tellapart.features.extract import Extractor

SETS = {
    "clothing": "clothing/train",
    "instruments": "instruments",
    "hotdog": "hotdog/train",
    "fruits": "fruits/train_market",
    "fruits, white": "fruits/train_white",
}
COPIED = 120  # photos of each set
LOSSLESS = 95  # JPEG quality of copies that were not saved on purpose at a lower one
BLOCK = 512


def cropped(image: Image.Image, share: float) -> Image.Image:
    """The middle of `image` without `share` of each side."""
    x, y = image.width * share / 2, image.height * share / 2
    return image.crop((round(x), round(y), round(image.width - x), round(image.height - y)))


COPIES: dict[str, tuple[Callable[[Image.Image], Image.Image], int]] = {
    "saved again, JPEG 50": (lambda image: image, 50),
    "saved again, JPEG 25": (lambda image: image, 25),
    "half the size": (lambda image: image.resize((max(1, image.width // 2), max(1, image.height // 2))), LOSSLESS),
    "mirrored": (ImageOps.mirror, LOSSLESS),
    "5 % cropped away": (lambda image: cropped(image, 0.05), LOSSLESS),
    "10 % cropped away": (lambda image: cropped(image, 0.10), LOSSLESS),
    "brighter by a fifth": (lambda image: ImageEnhance.Brightness(image).enhance(1.2), LOSSLESS),
}


@dataclass
class Planted:
    """Copies of the photos `chosen` of `dataset`: first all of the first kind, then all of the second, …"""

    dataset: Dataset
    chosen: np.ndarray

    @property
    def n(self) -> int:
        return len(self.chosen) * len(COPIES)

    def read(self, index: int) -> bytes:
        change, quality = list(COPIES.values())[index // len(self.chosen)]
        with Image.open(io.BytesIO(self.dataset.read(int(self.chosen[index % len(self.chosen)])))) as image:
            copy = change(ImageOps.exif_transpose(image).convert("RGB"))
        file = io.BytesIO()
        copy.save(file, "JPEG", quality=quality)
        return file.getvalue()


def directions(features: np.ndarray, mean: np.ndarray) -> np.ndarray:
    centred = features - mean
    return centred / np.linalg.norm(centred, axis=1, keepdims=True)


def other_class_cosines(unit: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The cosines of all pairs of photos of different classes, ascending."""
    parts = []
    for start, end in pairwise([*range(0, len(unit), BLOCK), len(unit)]):
        cosines = unit[start:end] @ unit[start:].T
        rows, columns = np.nonzero(labels[start:end, None] != labels[None, start:])
        later = columns > rows
        parts.append(cosines[rows[later], columns[later]])
    return np.sort(np.concatenate(parts))


def main() -> None:
    options = measure.arguments(__doc__, repeats=1)
    copies: list[measure.Row] = []
    others: list[measure.Row] = []
    for quality in ("fast",) if options.quick else ("fast", "balanced"):
        backbone = QUALITIES[quality]
        extractor = Extractor(backbone, Preprocess(backbone.input_px))
        found: dict[str, dict[str, np.ndarray]] = {kind: {} for kind in COPIES}
        for name, place in SETS.items():
            dataset = scan(options.data / place)
            n_copied = min(COPIED, dataset.n)
            if options.quick:
                dataset, n_copied = dataset.subset(np.arange(0, dataset.n, 10)), 5
            print(f"  {quality}, {name}: {dataset.n} photos", file=sys.stderr, flush=True)
            originals = extractor.extract(dataset)
            values, labels = np.asarray(originals.values)[originals.usable], dataset.labels[originals.usable]
            mean = values.mean(axis=0)
            chosen = np.random.default_rng(0).choice(originals.usable, n_copied, replace=False)
            planted = extractor.extract(Planted(dataset, chosen))
            unit = directions(np.asarray(originals.values)[chosen], mean)
            alike = directions(np.asarray(planted.values), mean).reshape(len(COPIES), n_copied, -1)
            for kind, of_kind in zip(COPIES, alike, strict=True):
                found[kind][name] = (of_kind * unit).sum(axis=1)
            pairs = other_class_cosines(directions(values, mean), labels)
            others.append(
                {
                    "Quality": quality,
                    "Photos": name,
                    "Pairs of two classes": f"{len(pairs):,}",
                    "Median": f"{np.median(pairs):.2f}",
                    "99.9 %": f"{np.quantile(pairs, 0.999):.2f}",
                    "99.999 %": f"{np.quantile(pairs, 0.99999):.2f}",
                    "Highest three": ", ".join(f"{c:.2f}" for c in pairs[:-4:-1]),
                    f"≥ {SAME_GROUP}": int((pairs >= SAME_GROUP).sum()),
                    f"≥ {NEAR_DUPLICATE}": int((pairs >= NEAR_DUPLICATE).sum()),
                }
            )
        for kind, by_set in found.items():
            every = np.concatenate(list(by_set.values()))
            row: measure.Row = {
                "Quality": quality,
                "Copy": kind,
                "Copies": len(every),
                "Least": f"{every.min():.2f}",
                "1 in 20 below": f"{np.quantile(every, 0.05):.2f}",
                "Median": f"{np.median(every):.2f}",
            }
            for threshold in (NEAR_DUPLICATE, SAME_GROUP):
                row[f"Found at {threshold}"] = f"{(every >= threshold).mean():.1%}"
            lowest = min(by_set, key=lambda name: (by_set[name] >= SAME_GROUP).mean())
            share = (by_set[lowest] >= SAME_GROUP).mean()
            row[f"Fewest at {SAME_GROUP}"] = f"{share:.1%} ({lowest})" if share < 1 else "100.0%"
            copies.append(row)
    measure.report(options, {"Copies": copies, "Photos of two classes": others}, copied_of_each_set=COPIED)


if __name__ == "__main__":
    main()

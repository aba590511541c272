"""What `head_rows.py` starts as processes of their own, so that the memory of each is its own. The first word says
which.

    real DATA FILE           features and small grey pictures of real photos
    make FILE DEST N         a folder of shards with N rows made of them
    copies DEST FOUND        near copies within cells, timed; what was found is kept for the next
    recall DEST FOUND        … against all-pairs
    optimum DEST             the head of all rows, by one worker and by two

The last line that each prints is JSON.
"""

import json
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from tellapart.checks.image_stats import measure
from tellapart.classifier.probe import fit_heads
from tellapart.classifier.streaming import fit_streaming
from tellapart.classifier.temperature import calibrated
from tellapart.data.duplicates import NEAR_DUPLICATE, SAME_GROUP
from tellapart.data.grey_picture import SIDE_PX, turned
from tellapart.data.photo import StoredAs
from tellapart.data.preprocess import Preprocess
from tellapart.data.source import Dataset, scan
from tellapart.engine.backbone import QUALITIES
from tellapart.features.cache import Embedding, FeatureCache
from tellapart.features.cells import copies_in_cells
from tellapart.features.copies import find_copies
from tellapart.features.extract import Extractor
from tellapart.recipe import LinearProbe
from tellapart.shards.deal import deal
from tellapart.shards.destination import Manifest, begun, opened
from tellapart.shards.making import Shards
from tellapart.shards.many import Kept, ManyPhotos, Part, many_photos
from tellapart.shards.reading import photos_of
from tellapart.shards.rows import Row, table_of
from tellapart.workflow.many.learning import Sizes

SETS = {
    "clothing": "clothing/train",
    "instruments": "instruments",
    "hotdog": "hotdog/train",
    "fruits": "fruits/train_market",
}
QUALITY = "balanced"
SHARD = 4096
DRAWN = 0.6  # of the variance within a class; the rest is the real photo's own
OF_100 = 100
BY_FEATURES, BY_LOOKING, EXACT, KIN = (0, 1), (2, 3), (4,), (5,)  # which rows of a hundred are copies of another one
# Variance added to the other's: cosines of .95, .84, 1, .87.
STRAYS = {0: 0.16, 1: 0.16, 2: 0.6, 3: 0.6, 4: 0.0, 5: 0.45}
GREY_NOISE = 4  # levels, of a copy's picture
ASKED = 2000  # rows that are compared with all rows
COMPARED = 20_000  # rows among which all copies are sought as among few photos


def real(data: str, file: str) -> dict:
    """Features, pictures and classes of the photos of all sets, into `file`."""
    backbone = QUALITIES[QUALITY]
    extractor = Extractor(backbone, Preprocess(backbone.input_px), FeatureCache())
    values, pictures, names = [], [], []
    for name, place in SETS.items():
        dataset = scan(str(Path(data, place)))
        features = extractor.extract(dataset)
        use = features.usable
        values.append(np.asarray(features.values)[use])
        pictures.append(np.asarray(features.pictures)[use])
        names += [f"{name} {dataset.class_names[label]}" for label in dataset.labels[use]]
    class_names, labels = np.unique(names, return_inverse=True)
    values = np.concatenate(values).astype(np.float64)
    means = np.stack([values[labels == k].mean(axis=0) for k in range(len(class_names))])
    own = values - means[labels]
    variances, axes = np.linalg.eigh(own.T @ own / len(own))
    np.savez(
        file,
        means=means,
        own=own,
        labels=labels,
        names=class_names,
        pictures=np.concatenate(pictures),
        mixing=(axes * np.sqrt(np.maximum(variances, 0))).T,
        key=extractor.extractor_key,
    )
    return {"photos": len(own), "classes": len(class_names), "features": values.shape[1]}


class Plan:
    """N rows: which real photo each is made of, and of which other row it is a copy, itself for most."""

    def __init__(self, file: str, n: int) -> None:
        self.n, self._file = n, file
        rng = np.random.default_rng(0)
        base = rng.integers(len(self.real["labels"]), size=n)
        self.kind = np.arange(n) % OF_100
        other = rng.integers(n // OF_100, size=n) * OF_100 + rng.integers(len(STRAYS), OF_100, size=n)
        self.of = np.where(self.kind < len(STRAYS), other, np.arange(n))
        self.base = base[self.of]

    @cached_property
    def real(self) -> dict[str, np.ndarray]:
        """What `real` wrote."""
        return dict(np.load(self._file))

    def uris(self) -> list[str]:
        """(N,) such as `clothing hat/0000017.jpg`."""
        names = self.real["names"][self.real["labels"][self.base]]
        return [f"{name}/{i:07d}.jpg" for i, name in enumerate(names)]

    def values(self, numbers: np.ndarray) -> np.ndarray:
        """(n, D) float32 features of rows."""
        whole, base = self.real, self.base[numbers]
        d = whole["own"].shape[1]
        drawn = np.stack([np.random.default_rng([1, i]).standard_normal(d) for i in self.of[numbers]])
        stray = np.array([STRAYS.get(int(kind), 0.0) for kind in self.kind[numbers]])
        if (some := np.flatnonzero(stray)).size:
            more = np.stack([np.random.default_rng([2, i]).standard_normal(d) for i in numbers[some]])
            drawn[some] += np.sqrt(stray[some] / DRAWN)[:, None] * more
        x = whole["means"][whole["labels"][base]] + np.sqrt(1 - DRAWN) * whole["own"][base]
        return (x + np.sqrt(DRAWN) * (drawn @ whole["mixing"])).astype(np.float32)

    def picture(self, number: int) -> np.ndarray:
        """(SIDE_PX, SIDE_PX) uint8: two real ones on each other, turned and shifted; a copy has its original's."""
        shown = number if self.kind[number] in KIN else int(self.of[number])
        rng = np.random.default_rng([3, shown])
        some = [
            np.roll(turned(self.real["pictures"][rng.integers(len(self.base)) % len(self.real["pictures"])],
                           int(rng.integers(8))), rng.integers(SIDE_PX, size=2), (0, 1))
            for _ in range(2)
        ]  # fmt: skip
        grey = np.mean(some, axis=0)
        if shown != number and self.kind[number] not in EXACT:
            grey += np.random.default_rng([4, number]).integers(-GREY_NOISE, GREY_NOISE + 1, grey.shape)
        return np.clip(np.rint(grey), 0, 255).astype(np.uint8)

    def pixel_hash(self, number: int) -> bytes:
        """16 bytes, which an exact copy shares."""
        return int(self.of[number] if self.kind[number] in EXACT else number).to_bytes(16, "big")

    def processor(self) -> str:
        """Who made the rows."""
        return "drawn"

    def table(self, uris, tell) -> tuple[object, list[None]]:
        """The rows of a shard, as `Shards` asks for them."""
        numbers = np.array([int(uri[-11:-4]) for uri in uris])
        with threadpool_limits(1):
            values = self.values(numbers)
        stored, look = StoredAs("jpeg", 640, 480, "", ""), measure(np.zeros((1, 1, 3), np.uint8))
        rows = [
            Row(uri, f"{i:032x}", 30_000, Embedding(x, self.pixel_hash(i), self.picture(i)), stored, look)
            for uri, i, x in zip(uris, numbers.tolist(), values, strict=True)
        ]
        tell(len(rows))
        return table_of(rows, values.shape[1], "float32"), [None] * len(rows)


def make(file: str, folder: str, count: str) -> dict:
    """The shards, by the product's own writer."""
    plan, photos = Plan(file, int(count)), Path(folder).parent / "photos"
    photos.mkdir(exist_ok=True)
    uris = plan.uris()
    names, labels = np.unique([uri.rpartition("/")[0] for uri in uris], return_inverse=True)
    dataset = Dataset(
        str(photos),
        tuple(names.tolist()),
        tuple(uris),
        tuple(f"{photos}/{uri}" for uri in uris),
        labels.astype(np.int32),
        np.full(len(uris), "", "U7"),
    )
    manifest = Manifest(
        network=str(plan.real["key"]),
        quality=QUALITY,
        resize_mode="crop",
        precision="float32",
        n_features=plan.real["own"].shape[1],
        source=str(photos),
        root=str(photos),
        shard_size=SHARD,
        n_photos=len(uris),
        n_left_out=0,
    )
    found = begun(Path(folder), dataset, manifest)
    with ProcessPoolExecutor(initializer=partial(_prepare_maker, file, count, folder)) as pool:
        for _ in pool.map(_make_shard, range(manifest.n_shards)):
            pass
    return {"bytes": sum(path.stat().st_size for path in found.path.rglob("*.parquet"))}


_maker: list[Shards] = []


def _prepare_maker(file: str, count: str, folder: str) -> None:
    _maker.append(Shards(opened(Path(folder)), Plan(file, int(count)), retry_failed=False, source=folder))


def _make_shard(shard: int) -> None:
    if not _maker[0].is_done(shard):
        _maker[0].make(shard, lambda _: None)


def _rows(folder: str) -> tuple[ManyPhotos, np.ndarray]:
    """The rows, and (N,) their labels."""
    found = opened(Path(folder))
    photos = photos_of(found.path, found.manifest.network)
    rows = many_photos(photos)
    return rows, photos.dataset.labels[rows.usable]


def copies(folder: str, found: str) -> dict:
    """Near copies, and who is with whom."""
    started = time.perf_counter()
    rows, _ = _rows(folder)
    read = time.perf_counter()
    said = copies_in_cells(rows, rows.pixel_hashes)
    seconds = time.perf_counter() - read
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    np.savez(found, near=said.near, groups=said.groups, copies=said.copies)
    return {
        "reading_s": read - started,
        "copies_s": seconds,
        "peak_bytes": peak,
        "near": len(said.near),
        "scenes": int(said.groups.max()) + 1,
        "largest": int(np.bincount(said.groups).max()),
    }


def recall(file: str, folder: str, found: str) -> dict:
    """What of all pairs was found: by features, of some rows with all; as among few photos, of some with each other."""
    rows, _ = _rows(folder)
    plan = Plan(file, rows.n)
    said = dict(np.load(found))
    groups, near = said["groups"], {tuple(pair) for pair in said["near"].tolist()}
    numbers = np.array([int(uri[-11:-4]) for uri in rows.photos.uris])[rows.usable]
    place = np.empty(rows.n, np.int64)
    place[numbers] = np.arange(rows.n)
    result: dict[str, float] = {"n": rows.n}
    rng = np.random.default_rng(5)
    first = np.unique(said["copies"], return_index=True)[1]
    asked = np.sort(rng.permutation(first)[:ASKED])
    mean = sum(rows.features(i).sum(axis=0, dtype=np.float64) for i in range(len(rows))) / rows.n
    asking = _directions(rows.of(asked).values, mean)
    compared = np.zeros(rows.n, bool)
    compared[first] = True
    pairs, cosines, nearest = [], [], np.full(len(asked), -1.0)
    for piece in range(len(rows)):
        places = rows.places(piece)
        use = compared[places]
        scores = asking @ _directions(rows.features(piece)[use], mean).T
        scores[asked[:, None] == places[use][None]] = -1
        nearest = np.maximum(nearest, scores.max(axis=1, initial=-1))
        i, j = np.nonzero(scores >= SAME_GROUP)
        pairs.append(np.stack([asked[i], places[use][j]], axis=1))
        cosines.append(scores[i, j])
    alike, cosine = np.sort(np.concatenate(pairs), axis=1), np.concatenate(cosines)
    together = groups[alike[:, 0]] == groups[alike[:, 1]]
    is_near = cosine >= NEAR_DUPLICATE
    named = np.array([tuple(pair) in near for pair in alike[is_near].tolist()])
    result |= {"asked": len(asked), "nearest_median": float(np.median(nearest)), "near_pairs": int(is_near.sum())}
    result |= {"near_recall": float(named.mean()), "scene_pairs": len(alike), "scene_recall": float(together.mean())}
    few = np.flatnonzero((plan.kind < len(STRAYS)) & ~np.isin(plan.kind, EXACT))
    few = rng.permutation(few)[: COMPARED // 3]
    few = np.concatenate([few, plan.of[few]])
    few = np.union1d(few, rng.permutation(rows.n)[: COMPARED - len(few)])
    chosen = np.sort(place[few])
    features = rows.of(chosen)
    whole = find_copies(features.values, features.pictures, features.pixel_hashes)
    claims = [(int(chosen[p.first]), int(chosen[p.second])) for p in whole.pairs if p.kind == "near"]
    result |= {"compared": len(chosen), "claims": len(claims)}
    result["claims_recall"] = float(np.mean([pair in near for pair in claims])) if claims else 1.0
    looked = [pair for pair in claims if _is_looked(plan, numbers, pair)]
    result["looked"] = len(looked)
    result["looked_recall"] = float(np.mean([pair in near for pair in looked])) if looked else 1.0
    planted = np.flatnonzero(np.isin(plan.kind, (*BY_FEATURES, *BY_LOOKING)))
    ends = np.sort(np.stack([place[planted], place[plan.of[planted]]], axis=1), axis=1)
    result["planted"] = len(ends)
    result["planted_recall"] = float(np.mean([tuple(pair) in near for pair in ends.tolist()]))
    return result


def _is_looked(plan: Plan, numbers: np.ndarray, pair: tuple[int, int]) -> bool:
    """Whether a pair was planted as one that only looking finds."""
    return any(plan.kind[numbers[a]] in BY_LOOKING and plan.of[numbers[a]] == numbers[b] for a, b in (pair, pair[::-1]))


def _directions(values: np.ndarray, mean: np.ndarray) -> np.ndarray:
    centred = values - mean.astype(np.float32)
    return centred / np.linalg.norm(centred, axis=1, keepdims=True)


def optimum(folder: str, found: str) -> dict:
    """The head of all rows that learn, by one worker and by two, from the sample's head and from nothing."""
    rows, labels = _rows(folder)
    groups, sizes = dict(np.load(found))["groups"], Sizes()
    dealt = deal(labels, groups, n_sample=min(sizes.sample, rows.n // 5), n_held_out=rows.n // 10, test_share=0.2)
    recipe, n_classes, c = LinearProbe(), int(labels.max()) + 1, 0.1
    chosen = np.flatnonzero(dealt.sample)
    values = rows.of(chosen).values
    with threadpool_limits(1):
        start = fit_heads(values, labels[chosen], n_classes, recipe, [c])[c]
    part = Part(rows, labels, dealt.sample | dealt.rest)
    heads, seconds, passes = [], [], []
    for n_workers, begin in ((1, start), (2, start), (2, None)):
        started = time.perf_counter()
        with Kept(part) as pieces:
            said = fit_streaming(pieces, n_classes, c, recipe.class_balance, start=begin, n_workers=n_workers)
        seconds.append(time.perf_counter() - started)
        heads.append(said.head)
        passes.append(said.n_passes)
        print(f"{n_workers} workers: {seconds[-1]:.1f} s, {said.n_passes} passes", file=sys.stderr, flush=True)
    held = np.sort(np.random.default_rng(6).permutation(np.flatnonzero(dealt.held_out))[:10_000])
    probs = [calibrated(head.logits(rows.of(held).values), 1.0) for head in heads]
    return {
        "learn": said.n_photos,
        "seconds": seconds,
        "passes": passes,
        "same_bits": heads[0].weight.tobytes() == heads[1].weight.tobytes(),
        "apart": float(np.abs(probs[0] - probs[1]).max()),
        "apart_from_nothing": float(np.abs(probs[1] - probs[2]).max()),
    }


if __name__ == "__main__":
    what, *words = sys.argv[1:]
    ways = {"real": real, "make": make, "copies": copies, "recall": recall, "optimum": optimum}
    print(json.dumps(ways[what](*words)))

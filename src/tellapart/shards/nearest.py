"""The photos of a folder of shards that are likest to one: a shard after the other, so that memory does not grow.

Likeness is what copies are told by: the cosine of features after the mean of all was taken off. From 0.92 on two photos
are called near copies.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import InputError
from tellapart.shards import parquet
from tellapart.shards.destination import LABELS, Destination, all_done, place_of
from tellapart.shards.reading import refuse_answers
from tellapart.shards.rows import vectors_in
from tellapart.timing import Progress, no_progress

STAGE: Final = "comparing"
MEAN_OF: Final = 16_384  # photos of the first shards, each a sample of all; their mean is that of all to a hundredth


@dataclass(frozen=True)
class Similar:
    """A photo that is like the one asked about.

    Args:
        uri: its name in the shards.
        photo: its name for people.
        similarity: at most 1.
        label: "" where it has none.
        place: the path where it lay, or its name in the file that holds the photos.
    """

    uri: str
    photo: str
    similarity: float
    label: str
    place: str

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return dict(vars(self))


@dataclass(frozen=True)
class Found:
    """What is like a photo.

    Args:
        photos: the likest first; of equals the first by their uri.
        compared: with how many photos.
        not_done: shards that are not there yet, and were not looked into.
    """

    photos: tuple[Similar, ...]
    compared: int
    not_done: int


def features_of(found: Destination, uri: str) -> NDArray[np.float32]:
    """(D,) of the photo `uri`, from its row.

    Raises:
        InputError: there is no such photo, or it has no features.
    """
    listed = found.listed
    if uri not in listed.there:
        raise InputError(
            f"'{uri}' is no file, and no photo in '{found.path}'.",
            hint="Name a file, or a photo as the column uri of the shards does.",
        )
    shard = int(listed.shards[listed.there[uri]])
    if found.done(shard) is None:
        raise InputError(f"The shard of '{uri}' is not done yet.", hint="Run the same `tellapart embed` again.")
    table = parquet.load(found.place(shard), ["uri", "features", "skipped"])
    row = table.slice(table["uri"].to_pylist().index(uri), 1)
    if (why := row["skipped"][0].as_py()) is not None:
        raise InputError(f"'{uri}' has no features: {why}", hint="Name another photo.")
    return np.asarray(vectors_in(row["features"])[0])


def similar_to(
    found: Destination, features: NDArray[np.float32], n: int, *, without: str = "", progress: Progress = no_progress
) -> Found:
    """The `n` photos that are likest to the one of these `features` (D,).

    Args:
        found: the folder of shards.
        features: of the photo.
        n: how many.
        without: a uri that is not to be named: that of the photo itself.
        progress: called with (stage, done, total).

    Raises:
        InputError: no shard is done, or one is damaged.
    """
    refuse_answers(found)
    own = found.manifest
    done = [shard for shard, said in enumerate(all_done(found, range(own.n_shards))) if said is not None]
    if not done:
        raise InputError(f"No shard in '{found.path}' is done yet.", hint="Run the same `tellapart embed` again.")
    mean = _mean(found, done)
    wanted = _direction(features[None] - mean)[0]
    best: list[tuple[float, str]] = []
    compared = 0
    progress(STAGE, 0, len(done))
    for n_read, (uris, values) in enumerate(_shards(found, done), start=1):
        cosines = _direction(values - mean) @ wanted
        compared += len(uris)
        nearest = np.argsort(-cosines, kind="stable")[: n + 1]
        best += [(float(cosines[i]), uris[i]) for i in nearest if uris[i] != without]
        best = sorted(best, key=lambda one: (-one[0], one[1]))[:n]
        progress(STAGE, n_read, len(done))
    labels = _labels(found, {uri for _, uri in best})
    return Found(tuple(_named(found, uri, cosine, labels) for cosine, uri in best), compared, own.n_shards - len(done))


def _shards(found: Destination, done: list[int]) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
    """Of each shard the photos that have features and are not gone: their uris, and (N, D) features."""
    listed = found.listed
    for shard in done:
        table = parquet.load(found.place(shard), ["uri", "features"])
        table = table.filter(table["features"].is_valid())
        uris, values = table["uri"].to_pylist(), vectors_in(table["features"])
        here = [
            i for i, uri in enumerate(uris) if (at := listed.there.get(uri)) is not None and listed.shards[at] == shard
        ]
        yield [uris[i] for i in here], values[here]


def _mean(found: Destination, done: list[int]) -> NDArray[np.float32]:
    """(D,) of the photos in the first shards."""
    total, n = np.zeros(found.manifest.n_features), 0
    for _, values in _shards(found, done):
        total, n = total + values.sum(axis=0, dtype=np.float64), n + len(values)
        if n >= MEAN_OF:
            break
    return np.asarray(total / max(n, 1), np.float32)


def _direction(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """`rows` (N, D) of length 1, in place."""
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return rows


def _labels(found: Destination, uris: set[str]) -> dict[str, str]:
    """{uri: label} of these; nobody needs a table of labels to compare photos."""
    labels: dict[str, str] = {}
    for path in sorted([*(found.path / LABELS).glob("*.parquet")], key=str):
        table = parquet.load(path, ["uri", "label"])
        known = zip(table["uri"].to_pylist(), table["label"].to_pylist(), strict=True)
        labels |= {uri: label or "" for uri, label in known if uri in uris}
    return labels


def _named(found: Destination, uri: str, cosine: float, labels: dict[str, str]) -> Similar:
    from_list = found.listed.photos[found.listed.there[uri]]
    place = place_of(uri, found.manifest.root)
    return Similar(uri, from_list, round(cosine, 6), labels.get(uri, ""), place)

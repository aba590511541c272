"""The photos of shards one shard at a time: what is known of all of them is small, their features are read when asked.

What is held of each photo is its hash and its place, 40 bytes; features and pictures of one shard at a time.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from tempfile import gettempdir
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from tellapart.data.grey_picture import SIDE_PX
from tellapart.errors import InputError, PhotoError
from tellapart.features.cache import PIXEL_HASH_BYTES
from tellapart.features.extract import Features, memory_mapped, no_longer_held
from tellapart.features.row_files import RowFiles
from tellapart.shards import parquet
from tellapart.shards.reading import STAGE, Photos, pictures_in
from tellapart.shards.rows import vectors_in
from tellapart.timing import Progress, no_progress

ROOM = 2  # times what is written temporarily must be free on the disk, so that others find some, too


@dataclass(frozen=True)
class ManyPhotos:
    """N photos that can be used, in the order of their dataset; as `features.cells.Rows`, a piece is a shard.

    Args:
        photos: whose they are.
        usable: (N,) their numbers in the dataset, ascending.
        pixel_hashes: (N,) of 32 hexadecimal digits.
        errors: why others of the dataset could not be read, by their number in it.
        rows: for each shard, which of its features, not counting those that lack, are of photos that can be used.
        numbers: for each shard, which of the N these are.
    """

    photos: Photos
    usable: NDArray[np.int64]
    pixel_hashes: NDArray[np.bytes_]
    errors: dict[int, PhotoError]
    rows: Sequence[NDArray[np.int32]]
    numbers: Sequence[NDArray[np.int64]]

    @property
    def n(self) -> int:
        """How many photos."""
        return len(self.usable)

    def __len__(self) -> int:
        return len(self.numbers)

    def places(self, piece: int) -> NDArray[np.int64]:
        """(m,) which of the N photos are in a shard."""
        return self.numbers[piece]

    def features(self, piece: int) -> NDArray[np.float32]:
        """(m, D) float32 of them.

        Raises:
            InputError: the shard is damaged.
        """
        column = self._load(piece, "features")
        if column.type.list_size != self.photos.destination.manifest.n_features:
            raise InputError(
                f"A shard in '{self.photos.destination.path}' has features of another length than its manifest says.",
                hint="Put the manifest back from a copy, or embed into another folder.",
            )
        values, rows = vectors_in(column), self.rows[piece]
        return values if len(rows) == len(values) else values[rows]

    def pictures(self, piece: int) -> NDArray[np.uint8]:
        """(m, SIDE_PX, SIDE_PX) uint8 of them."""
        return pictures_in(self._load(piece, "grey"))[self.rows[piece]]

    def _load(self, piece: int, column: str) -> parquet.Table:
        return parquet.load(self.photos.destination.place(piece), [column])[column]

    def of(self, chosen: NDArray[np.int64], progress: Progress = no_progress) -> Features:
        """The features of some of the N photos, ascending, as `Extractor.extract` gives them."""
        values = memory_mapped((len(chosen), self.photos.destination.manifest.n_features), np.dtype(np.float32))
        pictures = memory_mapped((len(chosen), SIDE_PX, SIDE_PX), np.dtype(np.uint8))
        place = np.full(self.n, -1)
        place[chosen] = np.arange(len(chosen))
        for piece in range(len(self)):
            at = place[self.places(piece)]
            if (wanted := at >= 0).any():
                values[at[wanted]] = self.features(piece)[wanted]
                pictures[at[wanted]] = self.pictures(piece)[wanted]
                for mapped in (values, pictures):
                    no_longer_held(mapped)
            progress(STAGE, piece + 1, len(self))
        features = Features(values, self.pixel_hashes[chosen], pictures, n_cached=len(chosen))
        features.kept = True
        return features


@dataclass(frozen=True)
class Part:
    """Some of the photos in pieces, as `classifier.streaming` reads them.

    Args:
        many: all of them.
        labels: (N,) of all.
        wanted: (N,) which.
    """

    many: ManyPhotos
    labels: NDArray[np.int32]
    wanted: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.many)

    def __getitem__(self, piece: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        return self.many.features(piece)[self.wanted[self.many.places(piece)]], self.labels_of(piece)

    def labels_of(self, piece: int) -> NDArray[np.int32]:
        """(n,) of those that are wanted of a piece."""
        places = self.many.places(piece)
        return self.labels[places[self.wanted[places]]]


class Kept:
    """The pieces of a `Part`, each read from its shard once and from a temporary file after that.

    To decode a shard takes longer than to compute with it. Where the disk of temporary files has no room to spare,
    shards are read again each time. A context: the file is gone when it ends.
    """

    def __init__(self, part: Part) -> None:
        self._part = part
        sizes = [int(part.wanted[part.many.places(piece)].sum()) for piece in range(len(part))]
        self._ends = np.cumsum([0, *sizes])
        width = part.many.photos.destination.manifest.n_features
        self._files = RowFiles((width,), np.float32)
        self._room = shutil.disk_usage(gettempdir()).free > ROOM * 4 * width * sum(sizes)
        self._written: set[int] = set()
        self._writing = Lock()

    def __enter__(self) -> "Kept":
        return self

    def __exit__(self, *raised: object) -> None:
        self._files.__exit__(*raised)

    def __len__(self) -> int:
        return len(self._part)

    def __getitem__(self, piece: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        rows = np.arange(self._ends[piece], self._ends[piece + 1])
        if piece in self._written:
            return self._files.read(rows), self._part.labels_of(piece)
        features, labels = self._part[piece]
        if self._room:
            with self._writing:
                self._files.write(rows, features)
                self._written.add(piece)
        return features, labels


def many_photos(photos: Photos, progress: Progress = no_progress) -> ManyPhotos:
    """The photos of shards, of which only hashes and places are read now.

    Raises:
        InputError: a shard is damaged.
    """
    index = {uri: i for i, uri in enumerate(photos.uris)}
    n, own = photos.dataset.n, photos.destination
    hashes = np.zeros(n, f"S{2 * PIXEL_HASH_BYTES}")
    errors: dict[int, PhotoError] = {}
    rows, members = [], []
    for shard in range(own.manifest.n_shards):
        table = parquet.load(own.place(shard), ["uri", "pixel_hash", "code", "skipped"])
        columns = (table[name].to_pylist() for name in ("uri", "pixel_hash", "code", "skipped"))
        row, at, place = 0, [], []
        for uri, pixel_hash, code, why in zip(*columns, strict=True):
            number = index.get(uri)
            if why is None:
                if number is not None:
                    at.append(row)
                    place.append(number)
                    hashes[number] = pixel_hash.hex()
                row += 1
            elif number is not None:
                errors[number] = PhotoError(why, code=code)
        rows.append(np.array(at, np.int32))
        members.append(np.array(place, np.int64))
        progress(STAGE, shard + 1, own.manifest.n_shards)
    usable = np.setdiff1d(np.arange(n), np.array(sorted(errors), np.int64))
    return ManyPhotos(photos, usable, hashes[usable], errors, rows, [np.searchsorted(usable, one) for one in members])

"""Shards read back: the photos with their labels of now, and their features as if they had just been made."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.data.grey_picture import SIDE_PX
from tellapart.data.source import Dataset, Skipped, scan
from tellapart.data.split import CROSSED, SPLIT_TYPE
from tellapart.errors import InputError, PhotoError
from tellapart.features.cache import PIXEL_HASH_BYTES
from tellapart.features.extract import Features, memory_mapped
from tellapart.shards import parquet
from tellapart.shards.destination import LABELS, Destination, groups_of, opened, place_of
from tellapart.shards.rows import vectors_in
from tellapart.timing import Progress, no_progress

STAGE = "reading shards"
COLUMNS = ["uri", "pixel_hash", "grey", "features", "code", "skipped"]


@dataclass(frozen=True)
class Photos:
    """Photos whose features lie in shards.

    Args:
        dataset: N photos, with the labels, splits and groups that their table gives now.
        uris: (N,) of them, in this order.
        destination: the folder of shards.
    """

    dataset: Dataset
    uris: Sequence[str]
    destination: Destination

    def features(self, progress: Progress = no_progress) -> Features:
        """The features of all photos, in their order, as `Extractor.extract` gives them.

        Raises:
            InputError: a shard is damaged, or there is no room on the disk.
        """
        n, own = self.dataset.n, self.destination.manifest
        values = memory_mapped((n, own.n_features), np.dtype(np.float32))
        pictures = memory_mapped((n, SIDE_PX, SIDE_PX), np.dtype(np.uint8))
        features = Features(values, np.zeros(n, f"S{2 * PIXEL_HASH_BYTES}"), pictures)
        index = {uri: i for i, uri in enumerate(self.uris)}
        n_read = 0
        progress(STAGE, 0, own.n_photos)
        for table in self._tables():
            if table["features"].type.list_size != own.n_features:
                raise InputError(
                    f"A shard in '{self.destination.path}' has features of another length than its manifest says.",
                    hint="Put the manifest back from a copy, or embed into another folder.",
                )
            _fill(features, table, index)
            n_read += table.num_rows
            progress(STAGE, n_read, own.n_photos)
        features.n_cached = n - len(features.errors)
        return features

    def _tables(self) -> Iterator[parquet.Table]:
        for shard in range(self.destination.manifest.n_shards):
            yield parquet.load(self.destination.place(shard), COLUMNS)


def photos_of(path: Path, network: str, group_by: str | None = None) -> Photos:
    """The photos of the shards at `path`, with the labels that their table gives now.

    Args:
        path: a folder of shards, all done.
        network: that is asked for, as `Extractor.extractor_key` names it.
        group_by: must be None: the table of labels says what belongs together.

    Raises:
        InputError: shards are missing, or of another network, or the labels name photos that are in none.
    """
    found = opened(path)
    own = found.manifest
    if own.network != network:
        raise InputError(
            f"'{path}' holds features of another network: {own.network}, not {network}.",
            hint=f"Train with --quality {own.quality} --fit {own.resize_mode}, or embed the photos anew.",
        )
    if group_by is not None:
        raise InputError(
            "Which photos of shards belong together stands in the column group of their labels.",
            hint=f"Say --group-by to `tellapart embed`, or change the table in '{path / LABELS}'.",
        )
    not_done = [shard for shard in range(own.n_shards) if found.done(shard) is None]
    if not_done:
        raise InputError(
            f"{len(not_done):,} of {own.n_shards:,} shards in '{path}' are not done.",
            hint="Run the same `tellapart embed` again: it makes what is not there.",
        )
    return Photos(*_dataset(found), found)


def _dataset(found: Destination) -> tuple[Dataset, list[str]]:
    """The photos that the table of labels names, in the order of the list, and their uris."""
    own, listed, root = found.manifest, found.listed, Path(found.manifest.root)
    rows, groups, notes, empty = _labels(found)
    order = [i for i, uri in enumerate(listed.uris) if uri in rows]
    if len(order) < len(rows):
        uri = min(rows.keys() - set(listed.uris))
        raise InputError(
            f"{len(rows) - len(order):,} photos of the labels are in no shard. The first is '{uri}'.",
            hint=f"Take them out of the table in '{found.path / LABELS}', or embed into another folder.",
        )
    uris = [listed.uris[i] for i in order]
    names = tuple(sorted({rows[uri][0] for uri in uris} | empty))
    labels = np.array([names.index(rows[uri][0]) for uri in uris], np.int32)
    splits = np.array([rows[uri][1] for uri in uris], SPLIT_TYPE)
    for array in (labels, splits):
        array.setflags(write=False)
    archive = None if root.is_dir() else scan(root).archive
    dataset = Dataset(
        source=own.source,
        class_names=names,
        photos=tuple(listed.photos[i] for i in order),
        places=tuple(place_of(uri, root) for uri in uris),
        labels=labels,
        splits=splits,
        skipped=tuple(
            Skipped(photo, why) for photo, why in zip(listed.photos, listed.reasons, strict=True) if why is not None
        ),
        archive=archive,
        groups=groups_of([rows[uri][2] for uri in uris], groups),
        notes=tuple(notes),
    )
    return dataset, uris


_Labels = tuple[dict[str, tuple[str, str, str]], dict[str, object] | None, list[str], set[str]]


def _labels(found: Destination) -> _Labels:
    """{uri: (label, split, group)}, how groups came about, notes, and classes without a photo."""
    rows: dict[str, tuple[str, str, str]] = {}
    groups, notes, empty = None, [], set()
    for path in sorted((found.path / LABELS).glob("*.parquet")):
        columns = parquet.load(path).to_pydict()
        if not {"uri", "label"} <= columns.keys():
            raise InputError(f"'{path}' has no columns uri and label.", hint="Put them back; split and group may lack.")
        blank = [""] * len(columns["uri"])
        texts = (columns["label"], columns.get("split", blank), columns.get("group", blank))
        for uri, label, split, group in zip(columns["uri"], *texts, strict=True):
            if uri in rows:
                raise InputError(f"'{uri}' stands twice in the labels.", hint=f"Look into '{path.parent}'.")
            if label is None or split not in (None, "", "train", "val", "test", CROSSED):
                raise InputError(
                    f"'{uri}' has the label {label} and the split {split}.",
                    hint="A label is a name, and a split train, val, test, crossed or nothing.",
                )
            rows[uri] = str(label), split or "", "" if group is None else str(group)
        said = parquet.about(path) or {}  # which nobody else writes
        groups = said.get("groups") or groups
        notes += said.get("notes", [])
        empty |= set(said.get("empty_classes", []))
    if not rows:
        raise InputError(f"There are no labels in '{found.path / LABELS}'.", hint="Run `tellapart embed` again.")
    return rows, groups, notes, empty


def _fill(features: Features, table: parquet.Table, index: dict[str, int]) -> None:
    """Put the rows of one shard into their places."""
    uris, codes, reasons = (table[name].to_pylist() for name in ("uri", "code", "skipped"))
    used = [uri for uri, why in zip(uris, reasons, strict=True) if why is None]
    wanted = np.array([uri in index for uri in used], bool)
    at = np.array([index[uri] for uri in used if uri in index], np.int64)
    features.values[at] = vectors_in(table["features"])[wanted]
    features.pictures[at] = pictures_in(table["grey"])[wanted]
    hashes = table["pixel_hash"].drop_null().to_pylist()
    features.pixel_hashes[at] = [value.hex() for value, is_wanted in zip(hashes, wanted, strict=True) if is_wanted]
    for uri, code, why in zip(uris, codes, reasons, strict=True):
        if why is not None and uri in index:
            features.errors[index[uri]] = PhotoError(why, code=code)


def pictures_in(column: parquet.Table) -> NDArray[np.uint8]:
    """(n, SIDE_PX, SIDE_PX) uint8 of the values of a column of grey pictures that are not null."""
    data = b"".join(column.drop_null().to_pylist())
    return np.frombuffer(data, np.uint8).reshape(-1, SIDE_PX, SIDE_PX)

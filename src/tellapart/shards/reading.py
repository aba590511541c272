"""Shards read back: the photos with their labels of now, and their features as if they had just been made."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.checks.image_stats import ImageStats, stats_of
from tellapart.data.grey_picture import SIDE_PX
from tellapart.data.groups import Groups
from tellapart.data.meaning.class_names import NO_LABEL, label_notes
from tellapart.data.meaning.split_columns import split_names
from tellapart.data.meaning.split_words import CROSSED, SPLIT_TYPE
from tellapart.data.remote.place import Place
from tellapart.data.source import Dataset, Skipped
from tellapart.errors import InputError, PhotoError
from tellapart.features.cache import PIXEL_HASH_BYTES
from tellapart.features.extract import Features, made_on, memory_mapped
from tellapart.shards import parquet
from tellapart.shards.destination import KIND, LABELS, Destination, all_done, opened, place_of
from tellapart.shards.origin import container_at
from tellapart.shards.rows import NUMBERS, vectors_in
from tellapart.timing import Progress, no_progress

STAGE = "reading shards"
COLUMNS = ["uri", "pixel_hash", "grey", "features", "code", "skipped"]
LOOKS = ["uri", "format", "camera", "day", "bytes", "width", "height", *NUMBERS, "border"]


@dataclass(frozen=True)
class Photos:
    """Photos whose features lie in shards.

    Args:
        dataset: N photos, with the labels, splits and groups that their table gives now.
        uris: (N,) of them, in this order.
        shards: (N,) in which each has its row.
        destination: the folder of shards.
    """

    dataset: Dataset
    uris: Sequence[str]
    shards: NDArray[np.int32]
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
        features.kept = True
        n_read = 0
        progress(STAGE, 0, own.n_photos)
        for table, index in self._tables(COLUMNS):
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

    def looks(self, indices: Sequence[int] | NDArray[np.integer]) -> ImageStats:
        """The looks of the photos at `indices`, in that order, which all could be read: as `image_stats_of` gives them.

        Raises:
            InputError: a shard is damaged.
        """
        place = {int(i): n for n, i in enumerate(indices)}
        rows: list[Any] = [None] * len(place)
        numbers = [np.zeros(0, np.float32)] * len(place)
        for table, index in self._tables(LOOKS):
            known = table.filter(table["border"].is_valid())
            uris, borders = known["uri"].to_pylist(), vectors_in(known["border"])
            whole = np.column_stack([np.asarray(known[name].to_numpy(), np.float32) for name in NUMBERS])
            facts = list(zip(*(known[name].to_pylist() for name in LOOKS[1:7]), strict=True))
            for at, uri in enumerate(uris):
                if (n := place.get(index.get(uri, -1))) is not None:
                    rows[n], numbers[n] = facts[at], np.concatenate([whole[at], borders[at]])
        return stats_of(rows, numbers)

    def _tables(self, columns: list[str]) -> Iterator[tuple[parquet.Table, dict[str, int]]]:
        """The rows of each shard, and {uri: index} of those photos that have their row there."""
        of_shards: list[dict[str, int]] = [{} for _ in range(self.destination.manifest.n_shards)]
        for i, (uri, shard) in enumerate(zip(self.uris, self.shards.tolist(), strict=True)):
            of_shards[shard][uri] = i
        for shard, index in enumerate(of_shards):
            yield parquet.load(self.destination.place(shard), columns), index


def photos_of(path: Place, network: str, group_by: str | None = None, *, allow_private: bool = False) -> Photos:
    """The photos of the shards at `path`, with the labels that their table gives now.

    Args:
        path: a folder of shards, all done.
        network: that is asked for, as `Extractor.extractor_key` names it.
        group_by: must be None: the table of labels says what belongs together.
        allow_private: whether photos by addresses of the web may lead to hosts of this network.

    Raises:
        InputError: shards are missing, or of another network, or the labels name photos that are in none.
    """
    found = opened(path)
    own = found.manifest
    refuse_answers(found)
    if made_on(own.network)[0] != network:  # those of a GPU are the same within the bound that it was held to
        raise InputError(
            f"'{path}' holds features of another network: {own.network}, not {network}.",
            hint=f"Say --quality {own.quality} --fit {own.resize_mode}, or embed the photos anew.",
        )
    if group_by is not None:
        raise InputError(
            "Which photos of shards belong together stands in the column group of their labels.",
            hint=f"Say --group-by to `tellapart embed`, or change the table in '{path / LABELS}'.",
        )
    not_done = [shard for shard, said in enumerate(all_done(found, range(own.n_shards))) if said is None]
    if not_done:
        raise InputError(
            f"{len(not_done):,} of {own.n_shards:,} shards in '{path}' are not done.",
            hint="Run the same `tellapart embed` again: it makes what is not there.",
        )
    said = _dataset(found, allow_private=allow_private)
    return Photos(*said, Destination(found.path, own))  # which does not hold the list of all files a second time


def refuse_answers(found: Destination) -> None:
    """Returns where the shards hold features.

    Raises:
        InputError: they hold what a model said.
    """
    if found.manifest.kind != KIND:
        raise InputError(
            f"'{found.path}' holds what a model said of photos, no features of them.",
            hint="Name a folder that `tellapart embed` filled.",
        )


def _dataset(found: Destination, *, allow_private: bool) -> tuple[Dataset, list[str], NDArray[np.int32]]:
    """The photos that the table of labels names, in the order of the list, their uris, and their shards."""
    own, listed, root = found.manifest, found.listed, found.manifest.root
    rows, groups, notes, empty = labels_in(found)
    known = [i for i in listed.there.values() if listed.uris[i] in rows]
    if strange := rows.keys() - set(listed.uris):
        raise InputError(
            f"{len(strange):,} photos of the labels are in no shard. The first is '{min(strange)}'.",
            hint=f"Add them by `tellapart embed … -o {found.path} --update`, or take them out of the table in "
            f"'{found.path / LABELS}'.",
        )
    order = [i for i in known if rows[listed.uris[i]][0]]
    if not order:
        raise InputError(
            f"None of {len(known):,} photos in '{found.path}' has a label.",
            hint=f"Write labels into the column label of '{found.path / LABELS}', or embed photos in class folders.",
        )
    notes += label_notes((), len(known) - len(order))
    unused = [i for i in known if not rows[listed.uris[i]][0]]
    uris = [listed.uris[i] for i in order]
    names = tuple(sorted({rows[uri][0] for uri in uris} | empty))
    labels = np.array([names.index(rows[uri][0]) for uri in uris], np.int32)
    splits = np.array([rows[uri][1] for uri in uris], SPLIT_TYPE)
    for array in (labels, splits):
        array.setflags(write=False)
    dataset = Dataset(
        source=own.source,
        class_names=names,
        photos=tuple(listed.photos[i] for i in order),
        places=tuple(place_of(uri, root) for uri in uris),
        labels=labels,
        splits=splits,
        skipped=(
            *(Skipped(photo, why) for photo, why in zip(listed.photos, listed.reasons, strict=True) if why is not None),
            *(Skipped(listed.photos[i], NO_LABEL) for i in unused),
        ),
        archive=container_at(root, allow_private=allow_private),
        groups=_groups_of([rows[uri][2] for uri in uris], groups),
        notes=tuple(notes),
    )
    return dataset, uris, listed.shards[order]


_Labels = tuple[dict[str, tuple[str, str, str]], dict[str, object] | None, list[str], set[str]]


def labels_in(found: Destination) -> _Labels:
    """{uri: (label, split, group)}, how groups came about, notes, and classes without a photo.

    Raises:
        InputError: the tables are gone or damaged, or say what cannot be meant.
    """
    rows: dict[str, tuple[str, str, str]] = {}
    groups, notes, empty = None, [], set()
    files: list[Place] = [*(found.path / LABELS).glob("*.parquet")]
    for path in sorted(files, key=str):
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
    given: list[tuple[int | str, str]] = [(f"'{uri}'", split) for uri, (label, split, _) in rows.items() if label]
    split_names(given, f"The table in '{found.path / LABELS}'", "photo")  # as a label file is held to it
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


def _groups_of(names: Sequence[str], said: dict[str, Any] | None) -> Groups | None:
    """The groups of a table of labels, whose footer says how they came about; None where nobody gave any."""
    if not any(names):
        return None
    how = said or {"by": "group", "kind": "column", "asked": False}  # somebody filled the column since
    return Groups(tuple(names), how["by"], how["kind"], how["asked"])

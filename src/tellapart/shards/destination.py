"""The folder of shards: what lies where in it, what it was made for, and which photos each shard holds.

    manifest.json            which network, how photos become its pixels, how many shards; written once
    list/part-0.parquet      every file that was found: its uri, and its shard or why it has none; written once
    labels/part-0.parquet    uri, label, split, group; may be changed by anybody, and no feature is made again for it
    features/000000.parquet  a shard: a row a photo, sorted by uri

A folder of answers is the same with `answers` in place of `features`, and without labels. `shards/updating.py` alone
writes the list once more: photos are added, in shards of their own, and those that vanished are marked.

Nobody keeps a record of what is done: a shard is done where its file is there, is whole, and was made of these photos
by this network. Photos are dealt to shards by a hash of their uri, so that each shard is a sample of all.
"""

import hashlib
import json
import os
from collections.abc import Container, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tellapart.data.preprocess import ResizeMode
from tellapart.data.remote.address import STORES, below, is_address, scheme_of
from tellapart.data.remote.door import READERS
from tellapart.data.remote.held import etag_in, keep_their_names, lies_in_order, size_in
from tellapart.data.remote.place import Place, bytes_at, place_named, write_at
from tellapart.data.remote.tables import kind_of_table
from tellapart.data.remote.tars import is_tars
from tellapart.data.source import Dataset
from tellapart.errors import InputError
from tellapart.features.extract import made_on
from tellapart.parallel import map_in_order
from tellapart.shards import parquet

FORMAT: Final = 1  # raised when an older reader would misunderstand
KIND: Final = "tellapart shards"
ANSWERS_KIND: Final = "tellapart answers"
KINDS: Final = (KIND, ANSWERS_KIND)
MANIFEST: Final = "manifest.json"
LIST: Final = "list/part-0.parquet"
LABELS: Final = "labels"
FEATURES: Final = "features"
ANSWERS: Final = "answers"
LOCKS: Final = ".claims"
SHARD_SIZE: Final = 4096  # photos: 30 to 60 s on two cores, so that a stop costs no more than that
PRECISIONS: Final = ("float32", "float16")
_BYTES: Final = "bytes:"  # before the hexadecimal digits of a name that is no text

Json = dict[str, Any]


@dataclass(frozen=True)
class Manifest:
    """What a folder of shards was begun for; all runs on it must agree.

    Args:
        network: the backbone and the preprocessing, as the cache of features names them.
        quality: of the bundled backbone.
        resize_mode: how a photo becomes square.
        precision: of the features.
        n_features: D.
        source: how the person called the photos.
        root: the folder that uris are relative to, or the file that holds the photos, as an absolute path or an
            address, or the data set (`hf:NAME`) that does; "" where uris are addresses.
        shard_size: photos in a shard, but for the last.
        n_photos: in all shards.
        n_left_out: files that were found and could not be photos, by their names or their labels.
        updates: how many of the photos each update added, in shards of their own; the list says it, not the manifest.
    """

    network: str
    quality: str
    resize_mode: ResizeMode
    precision: str
    n_features: int
    source: str
    root: str
    shard_size: int
    n_photos: int
    n_left_out: int
    format: int = FORMAT
    kind: str = KIND
    updates: tuple[int, ...] = ()

    @property
    def n_shards(self) -> int:
        """How many shards there are when all are done."""
        counts = (self.n_photos - sum(self.updates), *self.updates)
        return sum(-(-n // self.shard_size) for n in counts)


@dataclass(frozen=True)
class Listed:
    """The files that were found, in the order of the dataset: N of them.

    Args:
        uris: (N,) relative to the root; None for what is no photo.
        photos: (N,) as people read them.
        shards: (N,) the number of the shard, -1 for what is no photo.
        bytes: (N,) size of the file, -1 where it is not known before it is read.
        reasons: (N,) why a file has no shard, or None.
        gone: (N,) whether an update found the photo no longer, or with another content.
        etags: (N,) what a store called the content, or None.
    """

    uris: list[Any]
    photos: list[str]
    shards: NDArray[np.int32]
    bytes: NDArray[np.int64]
    reasons: list[str | None]
    gone: NDArray[np.bool_]
    etags: list[str | None]

    @cached_property
    def there(self) -> dict[str, int]:
        """{uri: place in the list} of the photos that are not gone."""
        return {uri: i for i, uri in enumerate(self.uris) if uri is not None and not self.gone[i]}


@dataclass(frozen=True)
class Destination:
    """An open folder of shards."""

    path: Place
    manifest: Manifest

    @cached_property
    def listed(self) -> Listed:
        """The files that were found.

        Raises:
            InputError: the list is gone or damaged.
        """
        columns = parquet.load(self.path / LIST).to_pydict()
        return Listed(
            columns["uri"],
            [uri if photo == uri else photo for uri, photo in zip(columns["uri"], columns["photo"], strict=True)],
            np.array(columns["shard"], np.int32),
            np.array(columns["bytes"], np.int64),
            columns["skipped"],
            np.array(columns.get("gone", [False] * len(columns["uri"])), np.bool_),
            columns.get("etag", [None] * len(columns["uri"])),
        )

    @cached_property
    def mark(self) -> str:
        """Names the folder: its manifest and its list."""
        return hashlib.sha256((self.path / MANIFEST).read_bytes() + (self.path / LIST).read_bytes()).hexdigest()

    @cached_property
    def _dealt(self) -> tuple[Any, NDArray[np.int64]]:
        """The uris of all photos, those of a shard together, and where each shard begins; 60 bytes a photo."""
        table = parquet.load(self.path / LIST, ["uri", "shard"])
        shards = np.asarray(table["shard"].to_numpy(), np.int32)
        order = np.argsort(shards, kind="stable")
        return table["uri"].take(order), np.searchsorted(shards[order], np.arange(self.manifest.n_shards + 1))

    @cached_property
    def sizes(self) -> list[int]:
        """How many photos each shard holds."""
        starts = self._dealt[1]
        return [int(n) for n in np.diff(starts)]

    def members(self, shard: int) -> list[str]:
        """The uris of a shard's photos, sorted."""
        uris, starts = self._dealt
        return sorted(uris.slice(int(starts[shard]), self.sizes[shard]).to_pylist())

    def place(self, shard: int) -> Place:
        """Where the file of a shard is, or is to be."""
        return self.path / (FEATURES if self.manifest.kind == KIND else ANSWERS) / f"{shard:06d}.parquet"

    @property
    def reasons(self) -> str:
        """The column of a shard that says why a photo was skipped."""
        return "skipped" if self.manifest.kind == KIND else "error"

    def wanted(self, shard: int) -> Json:
        """What the footer of a shard must say."""
        own, members = self.manifest, self.members(shard)
        return {
            "format": FORMAT,
            "network": own.network,
            "photos": hashlib.sha256(json.dumps(members).encode()).hexdigest()[:32],
            "precision": own.precision,
            "rows": len(members),
            "shard": shard,
        }

    def done(self, shard: int) -> Json | None:
        """What the footer of a shard says where it is done; None where it is to be made."""
        said = parquet.about(self.place(shard))
        return said if said and self.wanted(shard).items() <= said.items() else None


def all_done(destination: Destination, shards: Sequence[int]) -> list[Json | None]:
    """`done` of each of these shards; several are asked for at once, since each may be a question to a network."""
    destination.sizes  # noqa: B018  read once, not once a thread
    n_workers = 1 if isinstance(destination.path, Path) else READERS
    return list(map_in_order(destination.done, shards, n_workers=n_workers, name="done"))


def is_shards(path: str | os.PathLike[str], kinds: Container[str] = (KIND,)) -> bool:
    """Whether a folder is one of shards, of one of these kinds."""
    name = os.fspath(path)
    if is_address(name) and (scheme_of(name) not in STORES or is_tars(name) or kind_of_table(name)):
        return False
    said = _read(place_named(name))
    return said is not None and said["kind"] in kinds


def opened(path: Place) -> Destination:
    """The folder of shards that is there, of features or of answers.

    Raises:
        InputError: there is none, or it is from a later release.
    """
    said = _read(path)
    if said is None:
        raise InputError(
            f"'{path}' is no folder of shards.", hint="`tellapart embed PHOTOS -o DEST` makes one, named DEST."
        )
    try:
        if said["format"] > FORMAT:
            raise InputError(f"'{path}' was written by a later tellapart.", hint="Run: pip install -U tellapart")
        said |= parquet.about(path / LIST) or {}  # which an update writes anew
        manifest = Manifest(**{field.name: said[field.name] for field in fields(Manifest) if field.name != "updates"})
        manifest = replace(manifest, updates=tuple(said.get("updates", ())))
    except (LookupError, TypeError) as error:
        raise InputError(
            f"'{path / MANIFEST}' is damaged.", hint="Put it back from a copy, or embed into another folder."
        ) from error
    return Destination(path, manifest)


def begun(path: Place, dataset: Dataset, manifest: Manifest) -> Destination:
    """The folder of shards for these photos, made if it is not there.

    Two runs that begin at once write the same bytes.

    Raises:
        InputError: something else is there, or shards of another network, or the folder cannot be written.
    """
    if _read(path) is None:
        _refuse_other(path)
        _write_tables(path, dataset, manifest)
        said = {name: value for name, value in asdict(manifest).items() if name != "updates"}
        write_at(path / MANIFEST, json.dumps(said, indent=2, sort_keys=True).encode())
    found = opened(path)
    _, device = made_on(found.manifest.network)
    _refuse_other_kind(found, manifest)
    for name, what, option in (
        ("network", "features of another network", f"--quality {found.manifest.quality} --fit {{}} --device {device}"),
        ("precision", "features of another precision", "--precision {}"),
        ("shard_size", "shards of another size", "--shard-size {}"),
    ):
        if getattr(found.manifest, name) != getattr(manifest, name):
            own = found.manifest.resize_mode if name == "network" else getattr(found.manifest, name)
            raise InputError(
                f"'{path}' holds {what}: {getattr(found.manifest, name)}, not {getattr(manifest, name)}.",
                hint=f"Go on with {option.format(own)}, or choose another folder with -o.",
            )
    if manifest.kind == KIND and not (path / LABELS).is_dir():  # whoever wants the labels of now deletes those of then
        root, listed = manifest.root, found.listed.there
        known = [i for i, place in enumerate(dataset.places) if uri_of(place, root) in listed]
        parquet.save(path / LABELS / "part-0.parquet", *table_of_labels(dataset.subset(known), root))
    return found


def _refuse_other_kind(found: Destination, manifest: Manifest) -> None:
    """Returns where features were asked for and are there, or answers of the model that is asked."""
    own, there = found.manifest, {KIND: "features", ANSWERS_KIND: "answers"}
    if own.kind != manifest.kind:
        raise InputError(
            f"'{found.path}' holds {there[own.kind]}, not {there[manifest.kind]}.",
            hint="Choose another folder with -o.",
        )
    if own.kind == ANSWERS_KIND and own.network != manifest.network:
        (model, device), (asked, _) = made_on(own.network), made_on(manifest.network)
        if model == asked:
            raise InputError(
                f"'{found.path}' holds answers that another device computed: {device}.",
                hint=f"Go on with --device {device}, or choose another folder with -o.",
            )
        raise InputError(
            f"'{found.path}' holds answers of another model: {own.network}, not {manifest.network}.",
            hint="Choose another folder with -o: answers of two models are not mixed.",
        )


def uri_of(place: str, root: str | Path) -> str:
    """How a file is called in all tables: its path below the folder `root`, or its name in the file `root`."""
    if is_address(place):
        return place.removeprefix(f"{root}/")
    name = os.path.relpath(place, root).replace(os.sep, "/") if os.path.isdir(root) else place
    try:
        name.encode()
    except UnicodeEncodeError:
        return _BYTES + os.fsencode(name).hex()
    return _BYTES + os.fsencode(name).hex() if name.startswith(_BYTES) else name


def place_of(uri: str, root: str | Path) -> str:
    """Where the bytes of `uri` are: the other way round."""
    if is_address(uri) or keep_their_names(str(root)):
        return uri
    if is_address(str(root)):
        return below(str(root), uri)
    name = os.fsdecode(bytes.fromhex(uri.removeprefix(_BYTES))) if uri.startswith(_BYTES) else uri
    return name if os.path.isfile(root) else os.path.normpath(os.path.join(root, name))  # a folder may have gone


def dealt(uris: Sequence[str], shard_size: int, *, in_order: bool = False) -> NDArray[np.int32]:
    """(N,) the shard of each photo: sorted by a hash of their uris, or as they are, cut into pieces of `shard_size`."""
    if in_order:
        return np.arange(len(uris), dtype=np.int32) // shard_size
    digests = [hashlib.sha256(uri.encode()).digest() for uri in uris]
    shards = np.zeros(len(uris), np.int32)
    shards[sorted(range(len(uris)), key=digests.__getitem__)] = np.arange(len(uris)) // shard_size
    return shards


def _write_tables(path: Place, dataset: Dataset, manifest: Manifest) -> None:
    pa, root = parquet.arrow(), manifest.root
    uris = [uri_of(place, root) for place in dataset.places]
    n_out = len(dataset.skipped)
    shards = dealt(uris, manifest.shard_size, in_order=lies_in_order(dataset.archive)).tolist()
    etags = [etag_in(dataset.archive, place) for place in dataset.places]
    table = pa.table(
        {
            "uri": pa.array(uris + [None] * n_out, pa.string()),
            "photo": pa.array([*dataset.photos, *(skipped.photo for skipped in dataset.skipped)], pa.string()),
            "shard": pa.array(shards + [-1] * n_out, pa.int32()),
            "bytes": pa.array([size_of(dataset, place) for place in dataset.places] + [-1] * n_out, pa.int64()),
            "etag": pa.array(etags + [None] * n_out, pa.string()),
            "skipped": pa.array([None] * dataset.n + [skipped.reason for skipped in dataset.skipped], pa.string()),
        }
    )
    parquet.save(path / LIST, table, {"format": FORMAT}, ["skipped"])
    if manifest.kind == KIND:
        parquet.save(path / LABELS / "part-0.parquet", *table_of_labels(dataset, root))


def table_of_labels(dataset: Dataset, root: str) -> tuple[Any, Json, list[str]]:
    """The table of labels, what its footer says, and the columns in which values repeat."""
    pa, groups = parquet.arrow(), dataset.groups
    table = pa.table(
        {
            "uri": pa.array([uri_of(place, root) for place in dataset.places], pa.string()),
            "label": pa.array([dataset.class_names[label] for label in dataset.labels], pa.string()),
            "split": pa.array([str(split) for split in dataset.splits], pa.string()),
            "group": pa.array(groups.names if groups else [""] * dataset.n, pa.string()),
        }
    )
    used = {dataset.class_names[label] for label in np.unique(dataset.labels)}
    said = {
        "empty_classes": sorted(set(dataset.class_names) - used),
        "groups": {"by": groups.by, "kind": groups.kind, "asked": groups.asked} if groups else None,
        "notes": list(dataset.notes),
    }
    return table, said, ["label", "split"]


def size_of(dataset: Dataset, place: str) -> int:
    """Bytes of the file of a photo; -1 where only reading would tell."""
    if dataset.archive is not None:
        return size_in(dataset.archive, place)
    try:
        return os.stat(place).st_size
    except (OSError, ValueError):
        return -1


def _read(path: Place) -> Json | None:
    try:
        said = json.loads(bytes_at(path / MANIFEST) or b"")
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) and said.get("kind") in KINDS else None


def _refuse_other(path: Place) -> None:
    if isinstance(path, Path) and not os.path.lexists(path):
        return
    is_folder = path.is_dir() or not isinstance(path, Path)
    foreign = sorted({entry.name for entry in path.iterdir()} - {"list", LABELS, LOCKS}) if is_folder else [""]
    foreign = [name for name in foreign if ".partial-tellapart-" not in name]
    if foreign:
        what = f"holds '{foreign[0]}'" if foreign[0] else "is a file"
        raise InputError(
            f"'{path}' {what} and is no folder of shards, so nothing is written into it.",
            hint="Choose another name with -o.",
        )

"""Data sets as Hugging Face's `datasets` knows them: on the hub, or a local folder of parquet, arrow or image files.

    hf:beans                          all splits of a data set
    hf:beans:train                    one split of it; a test is then set aside as from a folder
    hf:cifar100#fine_label            where several columns hold class names
    hf:./my-parquet-files             a local folder, named like a path

The libraries (extra `hub`) fetch, cache and read; no code of a data set is ever run, and its card (`card`) chooses
among its own files (`hub_files`) and nothing else. Photos are read as the bytes that were stored, so that what holds
for files on disk (upright, sRGB, damaged ones named) holds here.
"""

import importlib
import importlib.metadata
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar, Final, NamedTuple

from packaging.version import Version

from tellapart.data import photo
from tellapart.data.card import Card, foreign
from tellapart.data.class_names import NO_LABEL, normal
from tellapart.data.groups import NONE, named_column
from tellapart.data.hub_files import Files, find_files, json_rows, origin_of
from tellapart.data.label_file import GROUP_COLUMNS
from tellapart.data.layout import Placed
from tellapart.data.split_words import USUAL, plain_split
from tellapart.errors import InputError, MissingExtraError, PhotoError
from tellapart.extras import missing, require
from tellapart.formats import header
from tellapart.text import quoted, shown, some

PREFIX: Final = "hf:"
LABELS: Final = ("label", "labels", "class", "category", "class_name", "target")  # what people call the column
# Older ones run code that data sets bring along, follow files out of them, or send what they should not.
LEAST: Final = {"datasets": (5, 2), "huggingface_hub": (1, 31), "fsspec": (2026, 6)}


@dataclass(frozen=True)
class HubPhotos:
    """The photos of a data set, by `split/number`.

    Attributes:
        column: where photos are, each {"bytes", "path"}.
        splits: {split: rows}.
        roots: folders that a stored path may lead into; relative ones begin in the first. A stranger's data set must
            not name other files here.
    """

    kind: ClassVar[str] = "data set"
    column: str
    splits: Mapping[str, Any] = field(repr=False)
    roots: tuple[str, ...] = field(repr=False)

    def read(self, place: str) -> bytes:
        """The bytes of one photo; may be called from many threads.

        Raises:
            PhotoError: there is none, or it is not where the data set says.
        """
        split, _, number = place.rpartition("/")
        try:
            stored = self.splits[split][int(number)][self.column] or {}
        except (OSError, ValueError, LookupError, RuntimeError, TypeError) as error:  # as damaged tables raise them
            raise PhotoError("The data set is damaged in this row.", code="damaged") from error
        if stored.get("bytes") is not None:
            return _checked(bytes(stored["bytes"]))
        if not stored.get("path"):
            raise PhotoError("The data set holds no photo in this row.", code="unreadable")
        return photo.read(self._inside(stored["path"]))

    def _inside(self, path: str) -> str:
        """Where a row's path leads, if that is inside the data set; an address leads nowhere."""
        try:
            place = os.path.realpath(os.path.join(self.roots[0], path))
        except (OSError, ValueError) as error:  # a NUL, or links that lead round in circles
            raise PhotoError("The data set names a file that cannot be.", code="unreadable") from error
        if not any(place.startswith(root + os.sep) for root in self.roots):
            raise PhotoError(
                "The data set holds no photo in this row, only the name of a file outside its folder.",
                code="unreadable",
                hint="Save it with the photos inside, or name the folder of the photos.",
            )
        return place


def _checked(content: bytes) -> bytes:
    """The bytes of a row, held to the limits of a file."""
    if len(content) > photo.MAX_FILE_BYTES:
        raise PhotoError(
            f"The file is larger than {photo.MAX_FILE_BYTES // 1_000_000} MB.",
            code="too_large",
            hint="Save a smaller copy.",
        )
    header.refuse_placeholder(content)
    return content


class Scanned(NamedTuple):
    """Every row of a data set with its class, split and group, all class names, how photos are read, which column says
    the groups, and sentences for the person."""

    placed: list[Placed]
    class_names: set[str]
    photos: HubPhotos
    grouped_by: str | None
    notes: list[str]


def scan_hub(source: str, group_by: str | None = None) -> Scanned:
    """All that a data set says about its photos.

    Args:
        source: `hf:NAME[:SPLIT][#LABEL]`.
        group_by: the column that says which rows belong together; None takes one of the usual names, `none` none.

    Raises:
        MissingExtraError: the library is not installed.
        InputError: there is no such data set or split, or no column with photos or with class names.
    """
    name, split, wanted = _parts(source)
    datasets = _datasets()
    with _translated(name):
        card, files = find_files(name)
        found = _load(name, files, card)
    if split:
        if split not in found:
            raise InputError(
                f"The data set {quoted(name)} has no split {quoted(split)}.", hint=f"It has: {some(sorted(found))}."
            )
        found = {split: found[split]}
    splits = _our_splits(found, one=bool(split), source=source)
    features = next(iter(found.values())).features
    image = _image_column(features, card, source)
    label = _label_column(features, card, wanted, source)
    group = _group_column(features, {image, label}, group_by, source)
    stored: dict[str, Any] = {}
    placed: list[Placed] = []
    with _translated(name):
        for own, rows in found.items():
            stored[own] = rows.select_columns([image]).cast_column(image, datasets.Image(decode=False))
            labels = rows.select_columns([label]).with_format(None)[label]
            of_split = list(
                _placed(f"{shown(source)}/{own}", own, splits[own], labels, _class_names(rows, label, card))
            )
            if group is not None:
                said = rows.select_columns([group]).with_format(None)[group]
                names = ("" if value is None else normal(str(value).strip()) for value in said)
                of_split = [one._replace(group=name) for one, name in zip(of_split, names, strict=True)]
            placed += of_split
    photos = HubPhotos(image, stored, files.roots)
    strange = {own: part for own, part in splits.items() if part and own.casefold() not in USUAL}
    notes = [f"The split {quoted(own)} is taken for {part}." for own, part in strange.items()]
    return Scanned(placed, {one.class_name for one in placed if one.class_name}, photos, group, notes)


def _parts(source: str) -> tuple[str, str, str]:
    """Name, split and label column of `hf:NAME[:SPLIT][#LABEL]`; the last two may be empty."""
    text, _, label = source.removeprefix(PREFIX).partition("#")
    name, colon, split = text.rpartition(":")
    if not colon or os.path.exists(text):  # a path may hold a colon
        name, split = text, ""
    if not name:
        raise InputError(f"{quoted(source)} names no data set.", hint="Write it as hf:NAME, or hf:NAME:SPLIT.")
    return name, split, label


@cache
def _datasets() -> Any:
    """The library, told to be quiet.

    Raises:
        MissingExtraError: it is not installed, or it or what it builds on is too old.
    """
    require("hub", "Data sets of Hugging Face need a part of tellapart that is not installed.")
    for library, least in LEAST.items():
        version = importlib.metadata.version(library)
        if Version(version).release[:2] < least:
            raise missing(
                "hub", f"The library {library} {version} is too old for data sets of strangers.", options="-U "
            )
    datasets = importlib.import_module("datasets")
    datasets.disable_progress_bars()
    importlib.import_module("huggingface_hub.utils").disable_progress_bars()
    for library in ("datasets", "huggingface_hub"):  # what they log is traces and addresses; we say what is wrong
        importlib.import_module(f"{library}.utils.logging").set_verbosity(logging.CRITICAL)
    datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = False  # it would tell a third host of every folder that is read
    return datasets


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """Whatever the libraries raise while they read a stranger's files, as one sentence.

    Raises:
        InputError: the data set cannot be read.
    """
    try:
        yield
    except (InputError, MissingExtraError, MemoryError):
        raise
    except Exception as error:  # six libraries on hostile files: no list of what they raise is whole
        if os.path.exists(name):
            hint = "Such a folder holds parquet, arrow or image files that belong together."
        else:
            hint = "Is the name right, and the network up? A local folder is named like hf:./folder."
        raise InputError(f"The data set {quoted(name)} cannot be read.", hint=hint) from error


def _load(name: str, files: Files, card: Card) -> Mapping[str, Any]:
    """{split: rows} of the files, which the library is given one by one."""
    if files.kind == "json":
        return {split: _from_json(places, name) for split, places in files.splits.items()}
    listed = importlib.import_module("datasets.data_files").DataFilesList
    data_files = {split: listed(places, list(map(origin_of, places))) for split, places in files.splits.items()}
    options = card.options if files.kind == "imagefolder" else {}
    builder = _datasets().load_dataset_builder(files.kind, data_files=data_files, token=False, **options)
    resolved = {str(split): list(places) for split, places in (builder.config.data_files or {}).items()}
    if resolved != {split: list(places) for split, places in files.splits.items()}:
        raise foreign(name, next(iter(resolved), ""))
    builder.download_and_prepare()
    return dict(builder.as_dataset())


def _from_json(places: Sequence[str], name: str) -> Any:
    """Rows of texts and whole numbers; a photo can only be named in them, and what else they hold is left out."""
    rows = [row for place in places for row in json_rows(place, name)]
    columns = dict.fromkeys(key for row in rows for key in row)
    table = {column: [_cell(row.get(column)) for row in rows] for column in columns}
    return _datasets().Dataset.from_dict(table)


def _cell(value: object) -> str | None:
    value = value.get("path") if isinstance(value, dict) else value
    return None if value is None or isinstance(value, list | dict) else str(value)


def _our_splits(found: Mapping[str, Any], *, one: bool, source: str) -> dict[str, str]:
    """{split of the data set: ours}; "" where there is only one, so that a test is set aside."""
    if one or len(found) == 1:
        return dict.fromkeys(found, "")
    strange = [name for name in found if not plain_split(name)]
    if strange:
        raise InputError(
            f"The data set {quoted(source)} has splits that are neither train, val nor test: {some(strange)}.",
            hint=f"Name the one to use, like {_with_split(source, next(iter(found)))}.",
        )
    return {name: plain_split(name) for name in found}


def _with_split(source: str, split: str) -> str:
    name, hash_sign, label = source.partition("#")
    return shown(f"{name}:{split}{hash_sign}{label}")


def _image_column(features: Mapping[str, Any], card: Card, source: str) -> str:
    """The column of photos, by its type or by what the card says of it."""
    image = _datasets().Image
    images = [name for name, feature in features.items() if isinstance(feature, image) or name in card.images]
    if not images:
        raise InputError(
            f"The data set {quoted(source)} has no column with photos.", hint=f"It has: {_columns(features)}."
        )
    return next((name for name in images if name in ("image", "img", "photo")), images[0])


def _label_column(features: Mapping[str, Any], card: Card, wanted: str, source: str) -> str:
    datasets = _datasets()
    plain = [name for name, feature in features.items() if isinstance(feature, datasets.Value)]
    classes = [
        name
        for name, feature in features.items()
        if isinstance(feature, datasets.ClassLabel) or (name in plain and name in card.class_names)
    ]
    if wanted:
        if wanted in features and (wanted in plain or wanted in classes):  # others are decoded when they are looked at
            return wanted
        raise InputError(
            f"The data set {quoted(source)} has no column {quoted(wanted)} with class names.",
            hint=f"It has: {_columns(features)}.",
        )
    candidates = classes or [name for name in plain if name.casefold() in LABELS]
    usual = [name for name in candidates if name.casefold() in LABELS]
    if len(candidates) == 1 or len(usual) == 1:
        return (usual or candidates)[0]
    if candidates:
        raise InputError(
            f"The data set {quoted(source)} has several columns with class names: {_columns(candidates)}.",
            hint=f"Name the one to learn, like {shown(source)}#{shown(candidates[0])}.",
        )
    raise InputError(
        f"The data set {quoted(source)} has no column with class names.",
        hint=f"It has: {_columns(features)}. Name the one to learn, like {shown(source)}#COLUMN.",
    )


def _group_column(features: Mapping[str, Any], taken: set[str], group_by: str | None, source: str) -> str | None:
    """The column that says which rows belong together: of texts or numbers, and not that of photos or class names."""
    datasets = _datasets()
    kinds = (datasets.Value, datasets.ClassLabel)
    columns = [name for name, feature in features.items() if isinstance(feature, kinds)]
    if group_by in (None, NONE):
        columns = [name for name in columns if name not in taken]
    return named_column(group_by, columns, GROUP_COLUMNS, source)


def _columns(names: Iterable[str]) -> str:
    return some([shown(name) for name in names])


def _class_names(rows: Any, label: str, card: Card) -> Sequence[str] | None:
    """The class names by number; None where the column holds the names themselves."""
    names = getattr(rows.features[label], "names", None)
    if names is None and "int" in str(getattr(rows.features[label], "dtype", "")):
        names = card.class_names.get(label)
    return None if names is None else [str(name) for name in names]


def _placed(folder: str, own: str, split: str, labels: Any, names: Sequence[str] | None) -> Iterator[Placed]:
    """Every row, as if it were a file in `folder`."""
    for number, label in enumerate(labels):
        photo_name, place = f"{folder}/{number:06}", f"{own}/{number}"
        if names is not None:
            class_name = names[label] if label is not None and 0 <= label < len(names) else ""
        else:
            class_name = "" if label is None else str(label)
        if class_name.strip():
            yield Placed(photo_name, place, normal(class_name), split)
        else:
            yield Placed(photo_name, place, reason=NO_LABEL)

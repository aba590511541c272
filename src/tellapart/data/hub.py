"""Data sets as Hugging Face's `datasets` knows them: on the hub, or a local folder of parquet, arrow or image files.

    hf:beans                          all splits of a data set
    hf:beans:train                    one split of it; a test is then set aside as from a folder
    hf:cifar100#fine_label            where several columns hold class names
    hf:glue:cola                      one part of a data set of several; hf:glue:cola:train for one split of it
    hf:./my-parquet-files             a local folder, named like a path

The libraries (extra `hub`) fetch, cache and read; no code of a data set is ever run, and its card (`card`) chooses
among its own files (`hub_files`) and nothing else. Photos are read as the bytes that were stored, so that what holds
for files on disk (upright, sRGB, damaged ones named) holds here.
"""

import hashlib
import importlib
import importlib.metadata
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar, Final, NamedTuple

from packaging.version import Version

from tellapart.data import photo
from tellapart.data.card import Card, foreign
from tellapart.data.groups import as_text
from tellapart.data.hub_files import IMAGES, Files, find_files, json_rows
from tellapart.data.layout import Placed
from tellapart.data.meaning.class_names import (
    NO_LABEL,
    is_missing,
    normal,
    refuse_list,
    whole_numbers,
    whole_numbers_note,
)
from tellapart.data.meaning.hub_columns import (
    class_names,
    group_column,
    image_column,
    label_column,
    split_columns,
    texts_of,
)
from tellapart.data.meaning.split_columns import columns_said
from tellapart.data.meaning.split_words import USUAL, plain_split
from tellapart.errors import InputError, MissingExtraError, PhotoError
from tellapart.extras import missing, require
from tellapart.formats import header
from tellapart.text import counted, quoted, shown, some

PREFIX: Final = "hf:"
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
        source: `hf:NAME[:PART][:SPLIT][#LABEL]`.
        group_by: the column that says which rows belong together; None takes one of the usual names, `none` none.

    Raises:
        MissingExtraError: the library is not installed.
        InputError: there is no such data set or split, or no column with photos or with class names.
    """
    name, words, wanted = parts_of(source)
    datasets = _datasets()
    with _translated(name):
        card, files = find_files(name, _part_of(words))
        split = _split_of(words, card, name)
        found = _load(name, files, card)
    if split:
        if split not in found:
            raise InputError(
                f"The data set {quoted(name)} has no split {quoted(split)}.", hint=f"It has: {some(sorted(found))}."
            )
        found = {split: found[split]}
    splits = _our_splits(found, one=bool(split), source=source)
    features = next(iter(found.values())).features
    image = image_column(features, card, source)
    label = label_column(features, card, wanted, source)
    group = group_column(features, {image, label}, group_by, source)
    stored: dict[str, Any] = {}
    placed: list[Placed] = []
    with _translated(name):
        for own, rows in found.items():
            stored[own] = rows.select_columns([image]).cast_column(image, datasets.Image(decode=False))
            labels = rows.select_columns([label]).with_format(None)[label]
            of_split = list(_placed(f"{shown(source)}/{own}", own, splits[own], labels, class_names(rows, label, card)))
            if group is not None:
                said = rows.select_columns([group]).with_format(None)[group]
                names = ("" if is_missing(text) else normal(text) for text in map(as_text, said))
                of_split = [one._replace(group=name) for one, name in zip(of_split, names, strict=True)]
            placed += of_split
        notes = _notes(name, card, files, splits)
        if set(splits.values()) == {""}:
            texts = {
                column: [text for rows in found.values() for text in texts_of(rows, column)]
                for column in split_columns(features, {image, label, group})
            }
            said = columns_said(texts, (), name)
            placed = _with_splits(placed, said.splits)
            notes += said.notes
    if same := whole_numbers(list({one.class_name for one in placed})):
        placed = [one._replace(class_name=same.get(one.class_name, one.class_name)) for one in placed]
        notes.append(whole_numbers_note(same, name))
    photos = HubPhotos(image, stored, files.roots)
    return Scanned(placed, {one.class_name for one in placed if one.class_name}, photos, group, notes)


def parts_of(source: str) -> tuple[str, list[str], str]:
    """Name, words for a part or a split, and label column of `hf:NAME[:PART][:SPLIT][#LABEL]`."""
    text, _, label = source.removeprefix(PREFIX).partition("#")
    name, words = text, list[str]()
    while ":" in name and len(words) < 2 and not os.path.exists(name):  # a path may hold a colon
        name, _, word = name.rpartition(":")
        words.insert(0, word)
    if not name:
        raise InputError(f"{quoted(source)} names no data set.", hint="Write it as hf:NAME, or hf:NAME:SPLIT.")
    return name, [word for word in words if word], label


def _part_of(words: Sequence[str]) -> str:
    """Which part of a set is wanted, if it has one of that name: the first of two words, or one that is no split's."""
    return words[0] if len(words) == 2 or (words and not plain_split(words[0])) else ""


def _split_of(words: Sequence[str], card: Card, name: str) -> str:
    """The split that is wanted; "" for all."""
    if words and words[0] == card.part == _part_of(words):
        return words[1] if len(words) == 2 else ""
    if len(words) == 2:
        has = f"It has: {some(list(map(shown, card.parts)))}." if card.parts else "It has no parts."
        raise InputError(f"The data set {quoted(name)} has no part {quoted(words[0])}.", hint=has)
    return words[0] if words else ""


def _notes(name: str, card: Card, files: Files, splits: Mapping[str, str]) -> list[str]:
    """Sentences on which part and which files were taken."""
    notes = [
        f"The split {quoted(own)} is taken for {part}."
        for own, part in splits.items()
        if part and own.casefold() not in USUAL
    ]
    if len(card.parts) > 1:
        others = some([f"hf:{shown(name)}:{shown(part)}" for part in card.parts if part != card.part])
        notes.append(f"Of the parts of {quoted(name)}, {quoted(card.part)} is used. Others: {others}.")
    if files.n_unused:
        notes.append(
            f"Not used of {quoted(name)}: {counted(files.n_unused, 'file')} not named by a split, as others are."
        )
    return notes


def _with_splits(placed: Sequence[Placed], splits: Sequence[str] | None) -> list[Placed]:
    """The rows with the split that a column says."""
    if splits is None:
        return list(placed)
    return [one if one.reason else one._replace(split=split) for one, split in zip(placed, splits, strict=True)]


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
    data_files = {split: listed(places, list(map(_origin_of, places))) for split, places in files.splits.items()}
    options = card.options if files.kind == "imagefolder" else {}
    builder = _datasets().load_dataset_builder(files.kind, data_files=data_files, token=False, **options)
    resolved = {str(split): list(places) for split, places in (builder.config.data_files or {}).items()}
    if resolved != {split: list(places) for split, places in files.splits.items()}:
        raise foreign(name, next(iter(resolved), ""))
    builder.download_and_prepare()
    return dict(builder.as_dataset())


def _origin_of(place: str) -> tuple[Any, ...]:
    """What changes when a file does, by which the library knows whether it has read it before.

    Its time does not always: archives, version control and containers set the times of all files alike. A photo is
    read where it lies whenever it is looked at, so its time will do.
    """
    status = os.stat(place)
    if place.casefold().endswith(IMAGES):
        return (str(status.st_mtime_ns), status.st_size)
    real = os.path.realpath(place)
    if os.path.basename(os.path.dirname(real)) == "blobs":  # of the hub's cache, which names files by their content
        return (os.path.basename(real), status.st_size)
    with open(place, "rb") as file:
        return (hashlib.file_digest(file, "sha256").hexdigest(), status.st_size)


def _from_json(places: Sequence[str], name: str) -> Any:
    """Rows of texts and whole numbers; a photo can only be named in them, and what else they hold is left out."""
    rows = [row for place in places for row in json_rows(place, name)]
    columns = dict.fromkeys(key for row in rows for key in row)
    table = {column: [_cell(row.get(column)) for row in rows] for column in columns}
    return _datasets().Dataset.from_dict(table)


def _cell(value: object) -> str | None:
    value = value.get("path") if isinstance(value, dict) else value
    return None if value is None or isinstance(value, dict) else str(value)


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


def _placed(folder: str, own: str, split: str, labels: Any, names: Sequence[str] | None) -> Iterator[Placed]:
    """Every row, as if it were a file in `folder`."""
    for number, label in enumerate(labels):
        photo_name, place = f"{folder}/{number:06}", f"{own}/{number}"
        if names is not None:
            class_name = names[label] if label is not None and 0 <= label < len(names) else ""
        else:
            class_name = as_text(label)
            refuse_list(class_name, f"Row {number:,} of {quoted(folder)}")
        if class_name.strip() and not (names is None and is_missing(class_name)):
            yield Placed(photo_name, place, normal(class_name), split)
        else:
            yield Placed(photo_name, place, reason=NO_LABEL)

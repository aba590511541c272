"""What the person named -> a `Dataset`: every photo with its label and split, every other file with a reason.

    scan                a folder of class folders, perhaps inside train/val/test; a zip of them; a label file; a data
                        frame; `hf:NAME`; a folder of a store elsewhere, or a table of addresses
    require_trainable   refuses a dataset that no classifier can be trained on

Nothing found is dropped without a word: `n_found` is always the photos used plus the files skipped.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from tellapart.data import photo
from tellapart.data.archive import is_zip, open_archive
from tellapart.data.data_frame import NAME, DataFrame, read_frame
from tellapart.data.groups import (
    NONE,
    Groups,
    as_text,
    by_column,
    by_pattern,
    is_no_value,
    is_pattern,
    refuse_column,
    refuse_unkeepable,
)
from tellapart.data.hub import PREFIX, scan_hub
from tellapart.data.label_file import (
    JSON_EXTENSIONS,
    TABLE_EXTENSIONS,
    Table,
    locate,
    place_rows,
    read_label_file,
    refuse_missing,
)
from tellapart.data.layout import NOT_INSIDE_CLASS, Placed, arrange
from tellapart.data.listing import extension, list_folder
from tellapart.data.meaning.class_names import NO_LABEL, check_class_names, label_notes, normal
from tellapart.data.meaning.named_photos import nearest
from tellapart.data.meaning.own_folders import refuse_no_photos, without_own
from tellapart.data.meaning.split_columns import split_names
from tellapart.data.meaning.split_words import CROSSED, SPLIT_TYPE
from tellapart.data.meaning.table_text import SPREADSHEETS, refuse_spreadsheet
from tellapart.data.meaning.trainable import WANTED_LAYOUT, refuse_untrainable
from tellapart.data.remote.photos import photos_named
from tellapart.data.remote.scan import is_elsewhere, scan_elsewhere
from tellapart.data.split import tested_part
from tellapart.errors import InputError, NoClassesError, PhotoError
from tellapart.text import counted, quoted, shown

_Value = TypeVar("_Value", bound=np.generic)


@dataclass(frozen=True)
class Skipped:
    """A file that was found but is not used: its name as shown to the person, and why."""

    photo: str
    reason: str


class Container(Protocol):
    """What holds photos that are no files of their own."""

    @property
    def kind(self) -> str:
        """What people call it, such as "zip"."""

    def read(self, place: str) -> bytes:
        """The bytes of one photo, from many threads; raises PhotoError."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Photos with labels. `scan` sorts them by name, so the same folder always gives the same dataset.

    Attributes:
        source: what the person named.
        class_names: (C,) sorted, in Unicode normal form C, case kept. A class may have no photos.
        photos: (N,) names as the person would write them.
        places: (N,) where the bytes are: a path on disk, or a member name inside the zip.
        labels: (N,) int32 in [0, C), read-only.
        splits: (N,) "train", "val", "test" or "crossed"; or "" everywhere when the source gives no split; read-only.
        skipped: files that were found but cannot be used, sorted by name.
        archive: the zip or the data set, when the source is one.
        groups: which photos belong together, where a person says so.
        notes: sentences for the person on how the source was understood: what was taken for a split, what is not used.
    """

    source: str
    class_names: tuple[str, ...]
    photos: tuple[str, ...] = field(repr=False)
    places: tuple[str, ...] = field(repr=False)
    labels: NDArray[np.int32] = field(repr=False)
    splits: NDArray[np.str_] = field(repr=False)
    skipped: tuple[Skipped, ...] = field(default=(), repr=False)
    archive: Container | None = None
    groups: Groups | None = field(default=None, repr=False)
    notes: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def from_lists(
        cls,
        paths: Sequence[str | os.PathLike[str]],
        labels: Sequence[object],
        splits: Sequence[str] | None = None,
        groups: Sequence[object] | None = None,
    ) -> "Dataset":
        """A dataset of the given photos in the given order: photo i is item i, whatever is wrong with it.

        Args:
            paths: (N,) photos on disk. Empty or broken ones stay in, and fail when they are read.
            labels: (N,) class names; anything else is named by `str`.
            splits: (N,) "train", "val", "test" or another common name of one of them.
            groups: (N,) which photos belong together, named by `str`; None or "" for one that stands alone.

        Raises:
            InputError: the lengths differ, a photo does not exist, or a class name or split cannot be used.
        """
        given = [""] * len(paths) if splits is None else list(splits)
        if groups is not None and len(groups) != len(paths):
            raise InputError(
                f"There must be one group for each photo. Got {len(paths)} photos and {len(groups)} groups."
            )
        if not len(paths) == len(labels) == len(given):
            raise InputError(
                "There must be one label and one split for each photo. "
                f"Got {len(paths)} photos, {len(labels)} labels and {len(given)} splits."
            )
        for item, label in enumerate(labels):
            if is_no_value(label):
                raise InputError(f"Item {item:,} of the list has no label. Got {label!r}.", hint="Leave it out.")
        rows = [
            locate(item, os.fspath(path), str(label), split)
            for item, (path, label, split) in enumerate(zip(paths, labels, given, strict=True))
        ]
        refuse_missing(rows, "The list", "item")
        chosen = split_names([(row.line, row.split) for row in rows], "The list", "item")
        placed = [
            Placed(shown(row.path), row.place, normal(row.label), split)
            for row, split in zip(rows, chosen, strict=True)
        ]
        archive = photos_named(((row.place, row.whole) for row in rows), allow_private=False)
        dataset = _dataset("the list", placed, {file.class_name for file in placed}, archive)
        if groups is None:
            return dataset
        names = [normal(as_text(group)) for group in groups]
        return replace(dataset, groups=by_column(names, "groups", "the list", asked=False))

    def read(self, index: int) -> bytes:
        """The bytes of photo `index`; may be called from many threads.

        Raises:
            PhotoError: the photo cannot be read.
        """
        place = self.places[index]
        return photo.read(place) if self.archive is None else self.archive.read(place)

    @contextmanager
    def naming(self, index: int) -> Iterator[None]:
        """Reading photo `index` once more than was needed to know it: whatever is wrong is said with its name.

        Raises:
            PhotoError: it can no longer be read.
        """
        try:
            yield
        except PhotoError as error:
            hint = "Photos must stay where they are until the end. Put it back, or leave it out, and start again."
            said = f"{quoted(self.photos[index])} can no longer be read: {error.message}"
            raise PhotoError(said, code=error.code, hint=hint) from error

    def subset(self, indices: Sequence[int] | NDArray[np.integer]) -> "Dataset":
        """The photos at `indices`, in that order, with the same classes; what was skipped is not repeated."""
        chosen = np.asarray(indices, dtype=np.intp)
        return replace(
            self,
            photos=tuple(self.photos[i] for i in chosen),
            places=tuple(self.places[i] for i in chosen),
            labels=_read_only(self.labels[chosen]),
            splits=_read_only(self.splits[chosen]),
            skipped=(),
            groups=self.groups and self.groups.subset(chosen),
        )

    @property
    def bound(self) -> NDArray[np.int32] | None:
        """(N,) numbers of the groups that a person gave and no split divides; None where there are none.

        Where each class is one group, none could be tested; such groups are not kept.
        """
        groups = self.groups
        return groups.numbers if groups and groups.can_be_kept(self.labels) else None

    @property
    def n(self) -> int:
        """The number of photos."""
        return len(self.photos)

    @property
    def n_found(self) -> int:
        """The number of files found: photos used plus files skipped."""
        return self.n + len(self.skipped)

    @property
    def given_split(self) -> bool:
        """Whether the source itself says which photos are for training and which for testing."""
        return bool((self.splits != "").any())

    @property
    def tested(self) -> NDArray[np.bool_]:
        """(N,) whether a given split tests on the photo."""
        return np.asarray(self.splits == tested_part(self.splits))

    @property
    def crossed(self) -> bool:
        """Whether the source itself says which photos train and are tested by heads that have not seen them."""
        return bool((self.splits == CROSSED).any())


def scan(
    source: str | os.PathLike[str] | DataFrame, *, group_by: str | None = None, allow_private: bool = False
) -> Dataset:
    """The dataset in a folder, a zip, a label file, a data frame or a Hugging Face data set; no photo is opened.

    Args:
        source: what holds the photos, or names them.
        group_by: what says which photos belong together: a glob over paths with `{group}` in it, or a column of a
            table; `none` for nothing. None takes a column of the table that is called like one, if there is any.
        allow_private: whether addresses of the web may lead to hosts of this network.

    Raises:
        InputError: there is no such source, no photo or no class in it, or it is a zip that could do harm; or it cannot
            be grouped so.
    """
    pattern = group_by if is_pattern(group_by) else None
    column, asked = NONE if pattern else group_by, group_by not in (None, NONE)
    if not isinstance(source, str | os.PathLike):
        table = read_frame(source, column)
        return _by_paths(_of_rows(table, NAME, "", "row", asked, allow_private), pattern, "")
    path = os.fspath(source)
    if is_elsewhere(path):
        elsewhere = scan_elsewhere(path, column, allow_private=allow_private)
        of_it = elsewhere.placed
        dataset = _from_placed(of_it, elsewhere.class_names, elsewhere.name, elsewhere.photos, elsewhere.notes)
        return _by_paths(_grouped(dataset, of_it, elsewhere.grouped_by, asked=asked), pattern, elsewhere.prefix)
    if path.startswith(PREFIX):
        if pattern:
            raise InputError(
                f"The photos of {quoted(path)} have no paths that a pattern could group them by.",
                hint="Name the column that says which rows belong together, like --group-by patient.",
            )
        found = scan_hub(path, column)
        dataset = _from_placed(found.placed, found.class_names, shown(path), found.photos, found.notes)
        return _grouped(dataset, found.placed, found.grouped_by, asked=asked)
    name = shown(path.replace(os.sep, "/").rstrip("/") or path)
    mode = _mode(path, name)
    is_file = stat.S_ISREG(mode)
    if is_file and extension(path) in SPREADSHEETS:
        refuse_spreadsheet(SPREADSHEETS[extension(path)], name)
    if is_file and extension(path) in TABLE_EXTENSIONS | JSON_EXTENSIONS and not is_zip(path, name):
        folder = os.path.dirname(name)
        dataset = _of_rows(read_label_file(path, name, column), name, folder, "line", asked, allow_private)
        return _by_paths(dataset, pattern, f"{folder}/" if folder else "")
    refuse_column(column, name)
    return _of_folders(path, mode, name, pattern)


def require_trainable(dataset: Dataset) -> None:
    """Returns when a classifier can be trained: two classes or more, each with enough photos to train on.

    Photos count when their split is "train" or "crossed", or when the source gives no split.

    Raises:
        InputError: says which classes fall short, and by how many photos.
    """
    refuse_untrainable(dataset.source, dataset.class_names, dataset.labels, dataset.splits)
    if dataset.groups and dataset.groups.asked and not dataset.given_split:
        refuse_unkeepable(dataset.groups, dataset.labels, dataset.class_names)


def _of_rows(table: Table, name: str, folder: str, line: str, asked: bool, allow_private: bool) -> Dataset:
    """The dataset of a table's rows."""
    placed = place_rows(table.rows, name, folder, line)
    class_names = {file.class_name for file in placed} - {""}
    archive = photos_named(((row.place, row.whole) for row in table.rows), allow_private=allow_private)
    dataset = _from_placed(placed, class_names, name, archive, table.notes)
    return _grouped(dataset, placed, table.grouped_by, asked=asked)


def _of_folders(path: str, mode: int, name: str, pattern: str | None) -> Dataset:
    """The dataset of a folder or a zip of class folders."""
    prefix, archive = "" if name == "." else f"{name}/", None
    notes: list[str] = []
    if stat.S_ISDIR(mode):
        listing = list_folder(path)
    elif stat.S_ISREG(mode) and is_zip(path, name):
        prefix, archive = f"{name}/", open_archive(path, name=name)
        listing, notes = archive.listing, list(archive.notes)
    elif stat.S_ISREG(mode):
        raise InputError(
            f"{quoted(name)} is not a folder, a zip, a CSV or a JSONL file.",
            hint="Name the folder that holds one folder of photos for each class.",
        )
    else:
        raise InputError(f"{quoted(name)} is neither a folder nor a file.")
    refuse_no_photos(listing, name)
    listing, left_out = without_own(listing)
    arranged = arrange(listing, prefix)
    notes += [*left_out, *arranged.notes]
    return _by_paths(_from_placed(arranged.placed, arranged.class_names, name, archive, notes), pattern, prefix)


def _from_placed(
    placed: list[Placed], class_names: Set[str], name: str, archive: Container | None, notes: Iterable[str]
) -> Dataset:
    if not all(file.reason for file in placed):
        dataset = _dataset(name, sorted(placed), class_names, archive)
        n_without = sum(file.reason == NO_LABEL for file in placed)
        return replace(dataset, notes=(*notes, *label_notes(dataset.class_names, n_without)))
    loose = [file for file in placed if file.reason == NOT_INSIDE_CLASS]
    if loose:
        raise NoClassesError(
            f"{quoted(name)} has {counted(len(loose), 'photo')} but no class folders.", hint=WANTED_LAYOUT
        )
    first = min(placed, default=None)
    example = f" For example, {quoted(first.photo)}: {first.reason}." if first else ""
    raise InputError(f"There are no photos in {quoted(name)}.{example}", hint=WANTED_LAYOUT)


def _by_paths(dataset: Dataset, pattern: str | None, prefix: str) -> Dataset:
    """The dataset grouped by a pattern over the paths behind `prefix`; as it is without one."""
    if not pattern:
        return dataset
    paths = [photo.removeprefix(prefix) for photo in dataset.photos]
    return replace(dataset, groups=by_pattern(pattern, paths, dataset.source))


def _grouped(dataset: Dataset, placed: Sequence[Placed], column: str | None, *, asked: bool) -> Dataset:
    """The dataset grouped as a column said; as it is without one."""
    if column is None:
        return dataset
    groups = {file.place: file.group for file in placed if not file.reason}
    names = [groups[place] for place in dataset.places]
    return replace(dataset, groups=by_column(names, column, dataset.source, asked=asked))


def _dataset(name: str, placed: Sequence[Placed], class_names: Set[str], archive: Container | None) -> Dataset:
    check_class_names(class_names)
    ordered = tuple(sorted(class_names))
    index = {class_name: label for label, class_name in enumerate(ordered)}
    used = [file for file in placed if not file.reason]
    return Dataset(
        source=name,
        class_names=ordered,
        photos=tuple(file.photo for file in used),
        places=tuple(file.place for file in used),
        labels=_read_only(np.array([index[file.class_name] for file in used], dtype=np.int32)),
        splits=_read_only(np.array([file.split for file in used], dtype=SPLIT_TYPE)),
        skipped=tuple(Skipped(file.photo, file.reason) for file in placed if file.reason),
        archive=archive,
    )


def _mode(path: str, name: str) -> int:
    try:
        return os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise InputError(f"There is no {quoted(name)}.", hint=nearest(path)) from error
    except OSError as error:
        raise InputError(f"{quoted(name)} cannot be opened: {error.strerror}.") from error


def _read_only(values: NDArray[_Value]) -> NDArray[_Value]:
    values.setflags(write=False)
    return values

"""What the person named -> a `Dataset`: every photo with its label and split, every other file with a reason.

    scan                a folder of class folders, perhaps inside train/val/test; a zip of them; a label file; a data
                        frame; `hf:NAME`
    scan_photos         photos to predict: files, folders, globs
    require_trainable   refuses a dataset that no classifier can be trained on

Nothing found is dropped without a word: `n_found` is always the photos used plus the files skipped.
"""

import difflib
import glob
import os
import stat
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from tellapart.data import photo
from tellapart.data.archive import open_archive
from tellapart.data.data_frame import NAME, DataFrame, read_frame
from tellapart.data.groups import NONE, Groups, as_text, by_column, by_pattern, is_pattern, refuse_unkeepable
from tellapart.data.hub import PREFIX, scan_hub
from tellapart.data.label_file import (
    JSON_EXTENSIONS,
    TABLE_EXTENSIONS,
    locate,
    place_rows,
    read_label_file,
    refuse_missing,
    split_names,
)
from tellapart.data.layout import NOT_INSIDE_CLASS, Placed, arrange, check_class_names, normal
from tellapart.data.listing import extension, is_stray, list_folder
from tellapart.data.split import tested_part
from tellapart.errors import InputError
from tellapart.text import counted, quoted, shown, some

MIN_PHOTOS_PER_CLASS = 2  # one to learn from, one to check with

_Value = TypeVar("_Value", bound=np.generic)

_WANTED_LAYOUT = """Make one folder for each class and put its photos inside:
  photos/
    hat/   1.jpg  2.jpg
    shoe/  3.jpg  4.jpg"""


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
        splits: (N,) "train", "val" or "test"; or "" everywhere when the source gives no split; read-only.
        skipped: files that were found but cannot be used, sorted by name.
        archive: the zip or the data set, when the source is one.
        groups: which photos belong together, where a person says so.
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
        rows = [
            locate(item, os.fspath(path), str(label), split)
            for item, (path, label, split) in enumerate(zip(paths, labels, given, strict=True))
        ]
        refuse_missing(rows, "The list", "item")
        chosen = split_names(rows, "The list", "item")
        placed = [
            Placed(shown(row.path), row.place, normal(row.label), split)
            for row, split in zip(rows, chosen, strict=True)
        ]
        dataset = _dataset("the list", placed, {file.class_name for file in placed}, None)
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


def scan(source: str | os.PathLike[str] | DataFrame, *, group_by: str | None = None) -> Dataset:
    """The dataset in a folder, a zip, a label file, a data frame or a Hugging Face data set; no photo is opened.

    Args:
        source: what holds the photos, or names them.
        group_by: what says which photos belong together: a glob over paths with `{group}` in it, or a column of a
            table; `none` for nothing. None takes a column of the table that is called like one, if there is any.

    Raises:
        InputError: there is no such source, no photo or no class in it, or it is a zip that could do harm; or it cannot
            be grouped so.
    """
    pattern = group_by if is_pattern(group_by) else None
    column = NONE if pattern else group_by
    if not isinstance(source, str | os.PathLike):
        rows, grouped_by = read_frame(source, column)
        placed = place_rows(rows, NAME, "", "row")
        dataset = _from_placed(placed, {file.class_name for file in placed}, NAME, None)
        grouped = _grouped(dataset, placed, grouped_by, asked=group_by not in (None, NONE))
        return _by_paths(grouped, pattern, "")
    path, asked = os.fspath(source), group_by not in (None, NONE)
    if path.startswith(PREFIX):
        if pattern:
            raise InputError(
                f"The photos of {quoted(path)} have no paths that a pattern could group them by.",
                hint="Name the column that says which rows belong together, like --group-by patient.",
            )
        placed, class_names, photos, grouped_by = scan_hub(path, column)
        return _grouped(_from_placed(placed, class_names, shown(path), photos), placed, grouped_by, asked=asked)
    name = shown(path.replace(os.sep, "/").rstrip("/") or path)
    mode = _mode(path, name)
    is_file = stat.S_ISREG(mode)
    if is_file and extension(path) in TABLE_EXTENSIONS | JSON_EXTENSIONS and not _is_zip(path, name):
        folder = os.path.dirname(name)
        rows, grouped_by = read_label_file(path, name, column)
        placed = place_rows(rows, name, folder)
        dataset = _from_placed(placed, {file.class_name for file in placed}, name, None)
        grouped = _grouped(dataset, placed, grouped_by, asked=asked)
        return _by_paths(grouped, pattern, f"{folder}/" if folder else "")
    if column not in (None, NONE):
        raise InputError(
            f"{quoted(name)} has no columns, so it cannot be grouped by {quoted(str(column))}.",
            hint="Write a pattern over paths, like --group-by '{group}_*', or a label file with such a column.",
        )
    prefix, archive = "" if name == "." else f"{name}/", None
    if stat.S_ISDIR(mode):
        listing = list_folder(path)
    elif is_file and _is_zip(path, name):
        prefix, archive = f"{name}/", open_archive(path, name=name)
        listing = archive.listing
    elif is_file:
        raise InputError(
            f"{quoted(name)} is not a folder, a zip, a CSV or a JSONL file.",
            hint="Name the folder that holds one folder of photos for each class.",
        )
    else:
        raise InputError(f"{quoted(name)} is neither a folder nor a file.")
    return _by_paths(_from_placed(*arrange(listing, prefix), name, archive), pattern, prefix)


def scan_photos(args: Iterable[str]) -> tuple[str, ...]:
    """The photos to predict, as paths on disk, in the order given and without repeats.

    A file named outright is kept whatever it is called. A folder gives all photos below it, sorted by name.
    A glob that the shell left alone is expanded here.

    Raises:
        InputError: a name matches nothing, or a folder has no photos.
    """
    return tuple(dict.fromkeys(path for arg in args for path in _expand(arg)))


def require_trainable(dataset: Dataset) -> None:
    """Returns when a classifier can be trained: two classes or more, each with enough photos to train on.

    Photos count when their split is "train", or when the source gives no split.

    Raises:
        InputError: says which classes fall short, and by how many photos.
    """
    where = quoted(dataset.source)
    names = dataset.class_names
    if len(names) < 2:
        raise InputError(
            f"There is only one class in {where}: {quoted(names[0])}.",
            hint="A classifier needs at least two classes. " + _WANTED_LAYOUT,
        )
    usable = np.isin(dataset.splits, ["", "train"])
    counts = np.bincount(dataset.labels[usable], minlength=len(names))
    kind = "training photos" if dataset.given_split else "photos"
    for least, sense in ((1, "no"), (MIN_PHOTOS_PER_CLASS, f"fewer than {MIN_PHOTOS_PER_CLASS}")):
        short = [quoted(name) for name, count in zip(names, counts, strict=True) if count < least]
        if short:
            verb = "has" if len(short) == 1 else "have"
            raise InputError(
                f"{counted(len(short), 'class', 'classes')} in {where} {verb} {sense} {kind}: {some(short)}.",
                hint="Add photos, or remove the class.",
            )
    if dataset.groups and dataset.groups.asked and not dataset.given_split:
        refuse_unkeepable(dataset.groups, dataset.labels, names)


def _from_placed(placed: list[Placed], class_names: Set[str], name: str, archive: Container | None) -> Dataset:
    if not all(file.reason for file in placed):
        return _dataset(name, sorted(placed), class_names, archive)
    loose = [file for file in placed if file.reason == NOT_INSIDE_CLASS]
    if loose:
        raise InputError(
            f"{quoted(name)} has {counted(len(loose), 'photo')} but no class folders.", hint=_WANTED_LAYOUT
        )
    first = min(placed, default=None)
    example = f" For example, {quoted(first.photo)}: {first.reason}." if first else ""
    raise InputError(f"There are no photos in {quoted(name)}.{example}", hint=_WANTED_LAYOUT)


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
        splits=_read_only(np.array([file.split for file in used], dtype="U5")),
        skipped=tuple(Skipped(file.photo, file.reason) for file in placed if file.reason),
        archive=archive,
    )


def _mode(path: str, name: str) -> int:
    try:
        return os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise InputError(f"There is no {quoted(name)}.", hint=_nearest(path)) from error
    except OSError as error:
        raise InputError(f"{quoted(name)} cannot be opened: {error.strerror}.") from error


def _nearest(path: str) -> str:
    """A hint: the sibling of that name that the person may have meant, or where it was looked for."""
    parent, wanted = os.path.split(path.rstrip(os.sep))
    try:
        siblings = [entry for entry in sorted(os.listdir(parent or ".")) if not is_stray(entry)]
    except (OSError, ValueError):
        return f"There is no folder {quoted(parent)} either." if parent else ""
    folded = {sibling.casefold(): sibling for sibling in reversed(siblings)}
    close = difflib.get_close_matches(wanted.casefold(), folded, n=1)
    if close:
        return f"Did you mean {quoted(os.path.join(parent, folded[close[0]]))}?"
    return f"It was looked for in {quoted(os.path.abspath(parent or '.'))}."


def _is_zip(path: str, name: str) -> bool:
    if extension(path) == "zip":
        return True
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError as error:
        raise InputError(f"{quoted(name)} cannot be read: {error.strerror}.") from error


def _expand(arg: str) -> list[str]:
    if os.path.isdir(arg):
        photos = sorted(file.place for file in list_folder(arg).files if not file.reason)
        if not photos:
            raise InputError(
                f"There are no photos in the folder {quoted(arg)}.",
                hint="Name a folder that holds photos, at any depth.",
            )
        return photos
    if os.path.lexists(arg):  # before globbing: "[1].jpg" is a name as well
        return [arg]
    if not glob.has_magic(arg):
        raise InputError(f"There is no photo {quoted(arg)}.", hint=_nearest(arg))
    hits = [hit for hit in sorted(glob.glob(arg, recursive=True)) if not is_stray(os.path.basename(hit))]
    photos = [path for hit in hits for path in ([hit] if not os.path.isdir(hit) else _expand(hit))]
    if not photos:
        raise InputError(f"No photo matches {quoted(arg)}.", hint="* stands for any letters, ** for any folders.")
    return photos


def _read_only(values: NDArray[_Value]) -> NDArray[_Value]:
    values.setflags(write=False)
    return values

"""Data sets as Hugging Face's `datasets` knows them: on the hub, or a local folder of parquet, arrow or image files.

    hf:beans                          all splits of a data set
    hf:beans:train                    one split of it; a test is then set aside as from a folder
    hf:cifar100#fine_label            where several columns hold class names
    hf:./my-parquet-files             a local folder, named like a path

The library (extra `hub`) fetches, caches and reads; no code of a data set is ever run. Photos are read as the bytes
that were stored, so that what holds for files on disk (upright, sRGB, damaged ones named) holds here.
"""

import importlib
import importlib.util
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar, Final

from tellapart.data import photo
from tellapart.data.layout import SPLIT_NAMES, Placed, normal
from tellapart.data.wording import quoted, shown, some
from tellapart.errors import InputError, MissingExtraError, PhotoError

PREFIX: Final = "hf:"
LABELS: Final = ("label", "labels", "class", "category", "class_name", "target")  # what people call the column
LEAST_DATASETS: Final = 4  # major version of the library
HUB_FILES: Final = "hf://datasets/"
NO_LABEL: Final = "has no label"


@dataclass(frozen=True)
class HubPhotos:
    """The photos of a data set, by `split/number`.

    Attributes:
        column: where photos are, each {"bytes", "path"}.
        splits: {split: rows}.
        roots: folders that a stored path may lead into; a stranger's data set must not name other files here.
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
        stored = self.splits[split][int(number)][self.column] or {}
        if stored.get("bytes") is not None:
            return bytes(stored["bytes"])
        if not stored.get("path"):
            raise PhotoError("The data set holds no photo in this row.", code="unreadable")
        try:
            path = os.path.realpath(stored["path"])
        except (OSError, ValueError) as error:  # a NUL, or links that lead round in circles
            raise PhotoError("The data set names a file that cannot be.", code="unreadable") from error
        if not any(path.startswith(root + os.sep) for root in self.roots):
            raise PhotoError(
                "The data set holds no photo in this row, only the name of a file outside its folder.",
                code="unreadable",
                hint="Save it with the photos inside, or name the folder of the photos.",
            )
        return photo.read(path)


def scan_hub(source: str) -> tuple[list[Placed], set[str], HubPhotos]:
    """Every row of the data set with its class and split, all class names, and how photos are read.

    Args:
        source: `hf:NAME[:SPLIT][#LABEL]`.

    Raises:
        MissingExtraError: the library is not installed.
        InputError: there is no such data set or split, or no column with photos or with class names.
    """
    name, split, wanted = _parts(source)
    found = _load(name, split)
    splits = _our_splits(found, one=bool(split), source=source)
    features = next(iter(found.values())).features
    image, label = _image_column(features, source), _label_column(features, wanted, source)
    stored: dict[str, Any] = {}
    placed: list[Placed] = []
    for own, rows in found.items():
        stored[own] = rows.select_columns([image]).cast_column(image, _datasets().Image(decode=False))
        labels = rows.select_columns([label]).with_format(None)[label]
        placed += _placed(f"{shown(source)}/{own}", own, splits[own], labels, _class_names(rows, label))
    photos = HubPhotos(image, stored, _roots(name))
    return placed, {one.class_name for one in placed if one.class_name}, photos


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
        MissingExtraError: it is not installed, or too old.
    """
    if importlib.util.find_spec("datasets") is None:
        raise MissingExtraError(
            "Data sets of Hugging Face need a part of tellapart that is not installed.",
            hint='Run: pip install "tellapart[hub]"',
        )
    datasets = importlib.import_module("datasets")
    if int(datasets.__version__.split(".")[0]) < LEAST_DATASETS:  # older ones run code that data sets bring along
        raise MissingExtraError(
            "The library for data sets of Hugging Face is too old.", hint='Run: pip install -U "tellapart[hub]"'
        )
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity_error()
    return datasets


def _load(name: str, split: str) -> Mapping[str, Any]:
    """{split: rows}, all of them or the one named."""
    datasets = _datasets()
    try:
        builder = datasets.load_dataset_builder(name)
        foreign = _foreign_file(name, builder.config.data_files or {})
        if not foreign:
            builder.download_and_prepare()
        found = {} if foreign else builder.as_dataset()
    except (OSError, ValueError, RuntimeError, TypeError, datasets.exceptions.DatasetsError) as error:
        if os.path.exists(name):
            hint = "Such a folder holds parquet, arrow or image files that belong together."
        else:
            hint = "Is the name right, and the network up? A local folder is named like hf:./folder."
        raise InputError(f"The data set {quoted(name)} cannot be read.", hint=hint) from error
    if foreign:
        raise InputError(
            f"The data set {quoted(name)} names a file that is not its own: {quoted(foreign)}.",
            hint="Nothing of it was read. Copy the photos that you want into a folder.",
        )
    if not split:
        return dict(found)
    if split not in found:
        raise InputError(
            f"The data set {quoted(name)} has no split {quoted(split)}.", hint=f"It has: {some(sorted(found))}."
        )
    return {split: found[split]}


def _foreign_file(name: str, data_files: Mapping[str, Any]) -> str | None:
    """A file that the data set says it is made of and that is not its own; None where all are.

    A stranger's card could name files of this machine, whose content would then be trained on, shown and shared.
    """
    root = os.path.realpath(name) + os.sep
    places = [str(file) for files in data_files.values() for file in files]
    own = [p.startswith(HUB_FILES) or (os.path.isdir(name) and os.path.realpath(p).startswith(root)) for p in places]
    return next((place for place, mine in zip(places, own, strict=True) if not mine), None)


def _roots(name: str) -> tuple[str, ...]:
    """Folders that a row's path may lead into: the data set's own, or where the library keeps what it fetched of it."""
    if os.path.isdir(name):
        return (os.path.realpath(name),)
    hub = importlib.import_module("huggingface_hub")
    own = os.path.join(hub.constants.HF_HUB_CACHE, "datasets--" + name.replace("/", "--"))
    fetched = os.path.join(_datasets().config.HF_DATASETS_CACHE, "downloads")
    return tuple(os.path.realpath(place) for place in (own, fetched))


def _our_splits(found: Mapping[str, Any], *, one: bool, source: str) -> dict[str, str]:
    """{split of the data set: ours}; "" where there is only one, so that a test is set aside."""
    if one or len(found) == 1:
        return dict.fromkeys(found, "")
    strange = [name for name in found if name.casefold() not in SPLIT_NAMES]
    if strange:
        raise InputError(
            f"The data set {quoted(source)} has splits that are neither train, val nor test: {some(strange)}.",
            hint=f"Name the one to use, like {_with_split(source, next(iter(found)))}.",
        )
    return {name: SPLIT_NAMES[name.casefold()] for name in found}


def _with_split(source: str, split: str) -> str:
    name, hash_sign, label = source.partition("#")
    return shown(f"{name}:{split}{hash_sign}{label}")


def _image_column(features: Mapping[str, Any], source: str) -> str:
    images = [name for name, feature in features.items() if isinstance(feature, _datasets().Image)]
    if not images:
        raise InputError(
            f"The data set {quoted(source)} has no column with photos.", hint=f"It has: {some(list(features))}."
        )
    return next((name for name in images if name in ("image", "img", "photo")), images[0])


def _label_column(features: Mapping[str, Any], wanted: str, source: str) -> str:
    if wanted:
        if wanted in features:
            return wanted
        raise InputError(
            f"The data set {quoted(source)} has no column {quoted(wanted)}.", hint=f"It has: {some(list(features))}."
        )
    datasets = _datasets()
    classes = [name for name, feature in features.items() if isinstance(feature, datasets.ClassLabel)]
    plain = [name for name, f in features.items() if isinstance(f, datasets.Value) and name.casefold() in LABELS]
    candidates = classes or plain
    usual = [name for name in candidates if name.casefold() in LABELS]
    if len(candidates) == 1 or len(usual) == 1:
        return (usual or candidates)[0]
    if candidates:
        raise InputError(
            f"The data set {quoted(source)} has several columns with class names: {some(candidates)}.",
            hint=f"Name the one to learn, like {shown(source)}#{shown(candidates[0])}.",
        )
    raise InputError(
        f"The data set {quoted(source)} has no column with class names.",
        hint=f"It has: {some(list(features))}. Name the one to learn, like {shown(source)}#COLUMN.",
    )


def _class_names(rows: Any, label: str) -> list[str] | None:
    """The class names by number; None where the column holds the names themselves."""
    names = getattr(rows.features[label], "names", None)
    return None if names is None else [str(name) for name in names]


def _placed(folder: str, own: str, split: str, labels: Any, names: list[str] | None) -> Iterator[Placed]:
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

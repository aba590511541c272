"""Which columns of a data set are photos, class names and groups.

The library's types are told by their names, for it is imported only where a data set is read.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NoReturn

from tellapart.data.card import Card
from tellapart.data.groups import NONE, as_text, named_column
from tellapart.data.label_file import GROUP_COLUMNS
from tellapart.data.meaning.split_columns import looks_like_split
from tellapart.errors import InputError
from tellapart.text import quoted, shown, some

LABELS: Final = ("label", "labels", "class", "category", "class_name", "target")  # what people call the column
PHOTOS: Final = ("image", "img", "photo")


def image_column(features: Mapping[str, Any], card: Card, source: str) -> str:
    """The column of photos: by its type, by what the card says of it, or, as other programs write it, of bytes."""
    images = [name for name, feature in features.items() if _is(feature, "Image") or name in card.images]
    images = images or [name for name, feature in features.items() if _holds_bytes(feature)]
    if not images:
        raise InputError(
            f"The data set {quoted(source)} has no column with photos.", hint=f"It has: {_columns(features)}."
        )
    return next((name for name in images if name in PHOTOS), images[0])


def label_column(features: Mapping[str, Any], card: Card, wanted: str, source: str) -> str:
    """The column of class names: the one that is wanted, or the only one that can be."""
    plain = [name for name, feature in features.items() if _is(feature, "Value")]
    classes = [
        name
        for name, feature in features.items()
        if _is(feature, "ClassLabel") or (name in plain and name in card.class_names)
    ]
    lists = [name for name, feature in features.items() if _is_list(feature)]
    if wanted:
        if wanted in lists:
            _refuse_lists(wanted, source)
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
    for name in lists:
        if name.casefold() in LABELS:
            _refuse_lists(name, source)
    raise InputError(
        f"The data set {quoted(source)} has no column with class names.",
        hint=f"It has: {_columns(features)}. Name the one to learn, like {shown(source)}#COLUMN.",
    )


def group_column(features: Mapping[str, Any], taken: set[str], group_by: str | None, source: str) -> str | None:
    """The column that says which rows belong together: of texts or numbers, and not that of photos or class names."""
    columns = [name for name, feature in features.items() if _is(feature, "Value", "ClassLabel")]
    if group_by in (None, NONE):
        columns = [name for name in columns if name not in taken]
    return named_column(group_by, columns, GROUP_COLUMNS, source)


def split_columns(features: Mapping[str, Any], taken: set[str | None]) -> list[str]:
    """Columns that may say what is learned from and what tested on, by their names."""
    return [
        name
        for name, feature in features.items()
        if name not in taken and _is(feature, "Value", "ClassLabel") and looks_like_split(name)
    ]


def texts_of(rows: Any, column: str) -> list[str]:
    """(N,) the values of a column as texts; of class names, the names."""
    names = getattr(rows.features[column], "names", None)
    values = rows.select_columns([column]).with_format(None)[column]
    if names is None:
        return [as_text(value) for value in values]
    return [names[value] if value is not None and 0 <= value < len(names) else "" for value in values]


def _is(feature: object, *kinds: str) -> bool:
    return type(feature).__name__ in kinds


def _is_list(feature: object) -> bool:
    return isinstance(feature, list | dict) or _is(feature, "List", "LargeList", "Sequence")


def _holds_bytes(feature: object) -> bool:
    """Whether a column holds files as bytes, alone or, as pandas keeps what `datasets` reads, beside their paths."""
    if isinstance(feature, dict):
        return "bytes" in feature and set(feature) <= {"bytes", "path"} and _holds_bytes(feature["bytes"])
    return str(getattr(feature, "dtype", "")) in ("binary", "large_binary")


def _refuse_lists(column: str, source: str) -> NoReturn:
    raise InputError(
        f"The column {quoted(column)} of the data set {quoted(source)} holds lists, and a photo belongs to one class.",
        hint="Name a column that holds one class name, or one number, for each photo.",
    )


def _columns(names: Iterable[str]) -> str:
    return some([shown(name) for name in names])


def class_names(rows: Any, label: str, card: Card) -> Sequence[str] | None:
    """The class names by number; None where the column holds the names themselves."""
    names = getattr(rows.features[label], "names", None)
    if names is None and "int" in str(getattr(rows.features[label], "dtype", "")):
        names = card.class_names.get(label)
    return None if names is None else [str(name) for name in names]

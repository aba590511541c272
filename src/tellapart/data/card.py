"""A data set's card: which of its files it is made of, as plain texts that were checked.

The card is the head of a stranger's README.md. The library `datasets` acts on it at once: what it names is looked up
through fsspec, which knows schemes that run code, ask other hosts and read files elsewhere. So the library is never
shown a card. It is read here, and what it names are patterns for names of the set's own files and nothing else.
"""

import importlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, NoReturn

from tellapart.errors import InputError
from tellapart.text import quoted, shown, some

CARD: Final = "README.md"
HUB_FILES: Final = "hf://datasets/"
MAX_CARD_BYTES: Final = 1_000_000  # 20,000 class names take about half of it
_MAX_DEPTH: Final = 20  # of lists within lists; cards need six
_MAX_PATTERNS: Final = 10_000  # a file each, in the largest sets that list theirs
_LONGEST_PATTERN: Final = 1_000  # letters
_HEAD: Final = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_SPLIT: Final = re.compile(r"\w+(?:\.\w+)*")  # what `datasets` takes for one; it becomes part of a file's name
_REVISION: Final = re.compile(r"(refs/(?:convert|pr)/\w+|[\w.~-]+)/(.+)", re.DOTALL)
_TRUE: Final = frozenset({"true", "yes", "on"})
_FALSE: Final = frozenset({"false", "no", "off"})
HINT: Final = "Nothing of it was read. Copy the photos that you want into a folder."


class Pattern(NamedTuple):
    """Which files are meant: a glob for their names; `revision` is "" for the one that the card is from."""

    path: str
    revision: str = ""


@dataclass(frozen=True)
class Card:
    """What a card says that photos need.

    Attributes:
        splits: {split: patterns}; None where the names of files tell.
        folder: where in the set its files lie; "" for all of it.
        options: `drop_labels` and `drop_metadata` of folders of photos.
        images: columns of photos.
        class_names: {column: the name of each number}.
        part: which of several parts of the set this is; "" where it is all of it.
        parts: the names of all.
    """

    splits: Mapping[str, tuple[Pattern, ...]] | None = None
    folder: str = ""
    options: Mapping[str, bool] = field(default_factory=dict)
    images: frozenset[str] = frozenset()
    class_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    part: str = ""
    parts: tuple[str, ...] = ()


def read_card(content: bytes, name: str, part: str = "") -> Card:
    """The card at the head of a README.md; an empty one where it has none.

    Args:
        content: the file, or more than `MAX_CARD_BYTES` of its start.
        name: what the data set is called.
        part: which of its parts is wanted, if it has one of that name.

    Raises:
        InputError: the card cannot be understood, or names a file that is not the data set's own.
    """
    head = _HEAD.match(content[: MAX_CARD_BYTES + 1])
    if head is None:
        if len(content) > MAX_CARD_BYTES and content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"---"):
            _refuse(name, f"is larger than {MAX_CARD_BYTES // 1_000_000} MB")
        return Card()
    said = _parsed(head[1], name)
    configs = _configs(said, name)
    n_patterns = 0
    splits: dict[str, Mapping[str, tuple[Pattern, ...]] | None] = {}
    for config_name, config in configs.items():  # all are checked: a set that would reach elsewhere is not trusted
        if "data_dir" in config:
            _own(config["data_dir"], name)
        splits[config_name] = _splits(config.get("data_files"), name)
        n_patterns += sum(map(len, (splits[config_name] or {}).values()))
        if n_patterns > _MAX_PATTERNS:
            _refuse(name, f"lists more than {_MAX_PATTERNS:,} files")
    chosen = part if part in configs else _chosen(configs, name, part)
    config = configs.get(chosen, {})
    features = config.get("features") or _info(said, chosen).get("features")
    return Card(
        splits.get(chosen),
        _own(config["data_dir"], name).path if config.get("data_dir") else "",
        {key: truth for key in ("drop_labels", "drop_metadata") if (truth := _truth(config.get(key))) is not None},
        frozenset(column for column, kind in _columns(features) if "image" in kind),
        {column: names for column, kind in _columns(features) if (names := _names(kind.get("class_label")))},
        chosen if len(configs) > 1 or part in configs else "",
        tuple(configs),
    )


def foreign(name: str, file: str) -> InputError:
    """The error of a data set that names `file`, which is not its own."""
    return InputError(
        f"The data set {quoted(name)} names a file that is not its own: {quoted(file)}.",
        hint=HINT,
    )


def _parsed(head: bytes, name: str) -> dict[str, Any]:
    """The card as texts, lists and dicts of them; dates, numbers, merges and objects can all be made to do harm."""
    yaml = importlib.import_module("yaml")  # comes with `datasets`
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        raise _unreadable(name, "is not UTF-8 text") from error
    try:
        depth = 0
        for event in yaml.parse(text, Loader=loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _MAX_DEPTH:
                _refuse(name, f"has more than {_MAX_DEPTH} lists within lists")
            if isinstance(event, yaml.AliasEvent):  # nine lines of them can stand for a billion
                _refuse(name, "repeats parts of itself by YAML aliases")
        said = loader(text).get_single_data()
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise _unreadable(name, "is not valid YAML") from error
    if said in (None, ""):
        return {}
    if not isinstance(said, dict):
        _refuse(name, "is not a list of names and values")
    return said


def _configs(said: Mapping[str, Any], name: str) -> dict[str, dict[str, Any]]:
    """{its name: each part of the data set that the card describes}."""
    listed = said.get("configs") or []
    if not isinstance(listed, list) or not all(
        isinstance(config, dict) and isinstance(config.get("config_name"), str) for config in listed
    ):
        _refuse(name, 'must give "configs" as a list, each with a "config_name"')
    return {config["config_name"]: config for config in listed}


def _chosen(configs: Mapping[str, Mapping[str, Any]], name: str, part: str) -> str:
    """The name of the part to use; "default" where there are none."""
    marked = [own for own, config in configs.items() if _truth(config.get("default"))]
    if len(configs) > 1 and not marked and "default" not in configs:
        has, first = some([shown(own) for own in configs]), shown(next(iter(configs)))
        said = "has several parts, and its card says of none that it is the default"
        raise InputError(
            f"The data set {quoted(name)} {f'has no part {quoted(part)}' if part else said}.",
            hint=f"It has: {has}. Name one, like hf:{shown(name)}:{first}.",
        )
    return next(iter(marked or ([] if "default" in configs else configs)), "default")


def _info(said: Mapping[str, Any], chosen: str) -> Mapping[str, Any]:
    """What the card says about the columns of the chosen part."""
    infos = said.get("dataset_info")
    listed = [info for info in (infos if isinstance(infos, list) else [infos]) if isinstance(info, dict)]
    own = [info for info in listed if info.get("config_name", "default") == chosen]
    return next(iter(own or (listed if len(listed) == 1 else [])), {})


def _splits(files: object, name: str) -> dict[str, tuple[Pattern, ...]] | None:
    """{split: patterns} of `data_files`, in any of the forms that it may have."""
    if files is None or files == "":
        return None
    given: dict[Any, Any]
    if isinstance(files, dict):
        given = files
    elif isinstance(files, list) and any(isinstance(item, dict) for item in files):
        pairs = [(item.get("split"), item.get("path")) if isinstance(item, dict) else (None, None) for item in files]
        given = {split: path for split, path in pairs if isinstance(split, str)}
        if len(given) != len(pairs):
            _refuse(name, "names a split twice, or none")
    else:
        given = {"train": files}
    for split in given:
        if not isinstance(split, str) or len(split) > 64 or not _SPLIT.fullmatch(split) or split.casefold() == "all":
            _refuse(name, f"names a split {quoted(str(split))}, which cannot be one")
    return {split: tuple(_own(path, name) for path in _listed(paths)) for split, paths in given.items()}


def _listed(paths: object) -> list[object]:
    return paths if isinstance(paths, list) else [paths]


def _own(text: object, name: str) -> Pattern:
    """The pattern that `text` is, if it can only match files of the data set called `name`."""
    if not isinstance(text, str):
        _refuse(name, 'must give "data_files" as paths')
    path, revision = text, ""
    prefix = f"{HUB_FILES}{name}@"
    if text.startswith(prefix):
        found = _REVISION.fullmatch(text.removeprefix(prefix))
        if not found:
            raise foreign(name, text)
        revision, path = found[1], found[2]
    parts = [part for part in path.split("/") if part not in ("", ".")]
    # A colon makes a scheme, a drive or, doubled, a chain of file systems.
    if not parts or len(text) > _LONGEST_PATTERN or path.startswith(("/", "~")) or ".." in parts:
        raise foreign(name, text)
    if any(letter in path for letter in ":\\\0"):
        raise foreign(name, text)
    return Pattern("/".join(parts), revision)


def _columns(features: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each column's name and type, {type: what more is said of it}."""
    for feature in features if isinstance(features, list) else []:
        if isinstance(feature, dict) and isinstance(column := feature.get("name"), str):
            kind = feature.get("dtype", feature)
            yield column, kind if isinstance(kind, dict) else {str(kind): {}}


def _names(class_label: object) -> tuple[str, ...]:
    """The class names by number, if the card gives one for each from 0 on."""
    names = class_label.get("names") if isinstance(class_label, dict) else None
    if isinstance(names, dict):
        numbers = [str(number) for number in range(len(names))]
        names = [names.get(number) for number in numbers]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return ()
    return tuple(names)


def _truth(value: object) -> bool | None:
    word = value.casefold() if isinstance(value, str) else ""
    return True if word in _TRUE else False if word in _FALSE else None


def _unreadable(name: str, reason: str) -> InputError:
    return InputError(f"The card ({CARD}) of the data set {quoted(name)} {reason}.", hint=HINT)


def _refuse(name: str, reason: str) -> NoReturn:
    raise _unreadable(name, reason)

"""The files that a data set is made of: named by its card or by their own names, found in its folder or on the hub.

All are files of this machine when `datasets` is given them, one by one: of a set on the hub, each is fetched first, of
the very revision that the card is from. No text of a stranger's is ever looked up as an address.
"""

import fnmatch
import importlib
import json
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, NoReturn
from urllib.parse import quote

from tellapart.data.card import CARD, HINT, MAX_CARD_BYTES, Card, Pattern, foreign, read_card
from tellapart.data.listing import is_stray
from tellapart.data.meaning.own_folders import own_folders
from tellapart.data.meaning.split_words import plain_split
from tellapart.errors import InputError
from tellapart.storage.atomic import write_file
from tellapart.text import quoted

METADATA: Final = frozenset({"metadata.csv", "metadata.jsonl", "metadata.parquet"})  # of a folder of photos
IMAGES: Final = (
    ".apng", ".bmp", ".dib", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm",
    ".psd", ".tga", ".tif", ".tiff", ".webp",
)  # fmt: skip
# How photos are kept, by the endings of files; the first wins a draw. Tables of text hold none. Archives are not read:
# the library names what is inside by chains of addresses, and the names inside are a stranger's; it unpickles some.
KINDS: Final = {
    "parquet": (".parquet",),
    "arrow": (".arrow",),
    "imagefolder": IMAGES,
    "json": (".jsonl", ".ndjson", ".json"),
}
_ARCHIVES: Final = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".lz4")
_NO_DATA: Final = frozenset(
    {"config.json", "dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"}
)
_MAX_JSON_BYTES: Final = 200_000_000  # a million photos with a few words each
_MAX_JSON_DEPTH: Final = 20  # lists within lists
_MAX_GLOBS: Final = 1_000  # each is held against every file
_DOWNLOADS: Final = 8  # at a time; more are no faster
_PATIENCE_S: Final = 10  # with a hub that says nothing
_SHARD: Final = re.compile(r"data/(\w+(?:\.\w+)*)-\d{5}-of-\d{5}[^/]*")
_GAP: Final = "[-._ 0-9]"
_SPLIT_WORDS: Final = {
    split: re.compile(f"(?:.*{_GAP})?(?:{words})(?:{_GAP}.*)?", re.DOTALL)
    for split, words in (
        ("train", "train|training"),
        ("validation", "validation|valid|dev|val"),
        ("test", "test|testing|eval|evaluation"),
    )
}
_OURS: Final = {"train": "train", "val": "validation", "test": "test"}  # our names of splits to the library's


@dataclass(frozen=True)
class Files:
    """What a data set is made of.

    Attributes:
        kind: how photos are kept: a key of `KINDS`.
        splits: {split: files on this machine}.
        roots: folders that a stored path may lead into; relative paths begin in the first.
        n_unused: files of that kind whose names say no split, where those of others do.
    """

    kind: str
    splits: Mapping[str, Sequence[str]]
    roots: tuple[str, ...]
    n_unused: int = 0


@dataclass(frozen=True)
class _Origin:
    """Where a data set lies: how its files are listed by revision, and how one is had on this machine."""

    names: Callable[[str], Iterable[str]]
    fetch: Callable[[Pattern], str]
    roots: tuple[str, ...]


def find_files(name: str, part: str = "") -> tuple[Card, Files]:
    """The card of a data set, and its files by split.

    Args:
        name: a folder, or the name of a data set on the hub.
        part: which of several parts is wanted, if the card has one of that name.

    Raises:
        InputError: the card cannot be used, or no file holds photos.
    """
    if os.path.exists(name) and not os.path.isdir(name):
        raise InputError(
            f"{quoted(name)} is no folder.", hint="A data set is a folder of parquet, arrow or image files."
        )
    content, origin = _folder(name) if os.path.isdir(name) else _repository(name)
    card = read_card(content, name, part)
    names: list[str] = []
    if card.splits is None:
        names = list(origin.names(""))
        splits = _by_name(names, card.folder)
    else:
        splits = _by_pattern(card, card.splits, origin, name)
    kind = _kind([file.path for files in splits.values() for file in files], name)
    chosen = {split: [file for file in files if _is(kind, file.path)] for split, files in splits.items()}
    with ThreadPoolExecutor(_DOWNLOADS) as pool:
        had = {split: list(pool.map(origin.fetch, files)) for split, files in chosen.items() if files}
    for place in (place for places in had.values() for place in places if place.endswith("metadata.jsonl")):
        for _ in json_rows(place, name):  # looked through before the library does
            pass
    below = [one for one in names if not card.folder or one.startswith(f"{card.folder}/")]
    n_unused = sum(_is(kind, one) for one in below) - sum(map(len, had.values()))
    return card, Files(kind, had, origin.roots, max(0, n_unused))


def _folder(name: str) -> tuple[bytes, _Origin]:
    root = os.path.realpath(name)
    if "::" in root:  # the library would take it for a chain of addresses
        raise InputError(
            f"The folder {quoted(name)} has two colons in its path.", hint="Rename it, or move the data set elsewhere."
        )

    def fetch(file: Pattern) -> str:
        place = os.path.join(root, *file.path.split("/"))
        if file.revision or "::" in place or not os.path.realpath(place).startswith(root + os.sep):
            raise foreign(name, file.path)
        if not stat.S_ISREG(os.stat(place).st_mode):  # a pipe would never end
            raise foreign(name, file.path)
        return place

    card = os.path.join(root, CARD)
    content = b""
    if os.path.lexists(card):
        with open(fetch(Pattern(CARD)), "rb") as file:
            content = file.read(2 * MAX_CARD_BYTES)
    return content, _Origin(lambda revision: [] if revision else _walk(root), fetch, (root,))


def _walk(root: str) -> list[str]:
    """The names of all files below a folder; links to folders are not followed, hidden files left out."""
    names = []
    for folder, below, files in os.walk(root, onerror=_raise):
        below[:] = sorted(one for one in below if not _is_hidden(one))
        inside = os.path.relpath(folder, root).replace(os.sep, "/")
        prefix = "" if inside == "." else f"{inside}/"
        names += [prefix + file for file in sorted(files) if not _is_hidden(file)]
    own = own_folders(tuple(name.split("/")) for name in names)
    inside_own = tuple("/".join((*folder, "")) for folder in own if folder)
    return [name for name in names if not name.startswith(inside_own)] if inside_own else names


def _raise(error: OSError) -> NoReturn:
    raise error


def _repository(name: str) -> tuple[bytes, _Origin]:
    """A data set on the hub, at the revision that its card is from; without a network, as it was had before."""
    hub = importlib.import_module("huggingface_hub")
    api = hub.HfApi(library_name="tellapart")
    offline = bool(importlib.import_module("datasets").config.HF_HUB_OFFLINE) or not _answers(hub, name)
    try:
        card = api.hf_hub_download(name, CARD, repo_type="dataset", local_files_only=offline)
    except hub.errors.LocalEntryNotFoundError:  # no network; a kind of the next
        raise
    except hub.errors.EntryNotFoundError:
        content, sha = b"", str(api.dataset_info(name).sha)
    else:
        sha = os.path.basename(os.path.dirname(card))
        with open(card, "rb") as file:
            content = file.read(2 * MAX_CARD_BYTES)
    own = os.path.join(hub.constants.HF_HUB_CACHE, f"datasets--{name.replace('/', '--')}")
    kept = Path(own, "tellapart", f"{sha}.json")

    def names(revision: str) -> list[str]:
        if offline:  # what is in the cache may be a part only, where an earlier run was interrupted
            listed = json.loads(kept.read_bytes()) if not revision else []
        else:
            listed = api.list_repo_files(name, repo_type="dataset", revision=revision or sha)
        plain = sorted(one for one in listed if _is_plain(one) and not any(map(_is_hidden, one.split("/"))))
        if not (offline or revision):
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_file(kept, json.dumps(plain).encode())
        return plain

    def fetch(file: Pattern) -> str:
        revision = file.revision or sha
        return str(
            api.hf_hub_download(name, file.path, repo_type="dataset", revision=revision, local_files_only=offline)
        )

    snapshot = os.path.join(own, "snapshots", sha)
    return content, _Origin(names, fetch, (os.path.realpath(snapshot), os.path.realpath(own)))


def _answers(hub: Any, name: str) -> bool:
    """Whether the hub answers at all, whatever it says; the library itself asks again and again for minutes."""
    try:
        card = f"{hub.constants.ENDPOINT}/datasets/{quote(name)}/resolve/main/{CARD}"
        hub.get_session().head(card, timeout=_PATIENCE_S)
    except Exception:  # noqa: BLE001  # of whichever library it asks with, and that has changed twice
        return False
    return True


def _is_hidden(name: str) -> bool:
    return is_stray(name) or name.startswith("__")


def _is_plain(path: str) -> bool:
    """Whether the hub's name for a file is one, and no way out of a folder."""
    return "::" not in path and "\\" not in path and not {"", ".", ".."} & set(path.split("/"))


def _by_pattern(
    card: Card, splits: Mapping[str, Sequence[Pattern]], origin: _Origin, name: str
) -> dict[str, list[Pattern]]:
    """{split: files} that a card names, each once."""
    if sum(_is_glob(pattern.path) for patterns in splits.values() for pattern in patterns) > _MAX_GLOBS:
        raise InputError(
            f"The card ({CARD}) of the data set {quoted(name)} has more than {_MAX_GLOBS:,} patterns.",
            hint=HINT,
        )
    revisions = {pattern.revision for patterns in splits.values() for pattern in patterns}
    names = {revision: list(origin.names(revision)) for revision in revisions}
    found: dict[str, list[Pattern]] = {}
    for split, patterns in splits.items():
        matches: dict[Pattern, None] = {}
        for pattern in patterns:
            path = f"{card.folder}/{pattern.path}" if card.folder and not pattern.revision else pattern.path
            hits = [one for one in names[pattern.revision] if _matches(one, path)]
            if not hits and not _is_glob(path):
                _refuse_missing(name, path)
            matches.update(dict.fromkeys(Pattern(hit, pattern.revision) for hit in hits))
        found[split] = list(matches)
    return found


def _is_glob(path: str) -> bool:
    return any(letter in path for letter in "*?[")


def _matches(name: str, path: str) -> bool:
    """Whether a glob names the file; `**` stands for any folders, also none.

    All places in the glob that a part of the name can be at are followed together: trying one after the other takes
    years for some globs.
    """
    if not _is_glob(path):
        return name == path
    pattern = path.split("/")
    at = _reachable({0}, pattern)
    for part in name.split("/"):
        stays = {place for place in at if place < len(pattern) and pattern[place] == "**"}
        moves = {place + 1 for place in at - stays if place < len(pattern) and _segment(pattern[place]).match(part)}
        at = _reachable(stays | moves, pattern)
        if not at:
            return False
    return len(pattern) in at


def _reachable(places: set[int], pattern: Sequence[str]) -> set[int]:
    """The places, and those behind a `**` that stands for no folder."""
    for place in range(len(pattern)):
        if place in places and pattern[place] == "**":
            places.add(place + 1)
    return places


@cache
def _segment(glob: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(re.sub(r"\*\*+", "*", glob)))


def _by_name(names: Iterable[str], folder: str) -> dict[str, list[Pattern]]:
    """{split: files below `folder`} by what they or their folders are called; all are `train` where none is called so.

    As `datasets` does it: shards in data/, else folders, else files named after splits; then others are left out.
    """
    prefix = f"{folder}/" if folder else ""
    below = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    shards = {name: found[1] for name in below if (found := _SHARD.fullmatch(name))}
    by_folder = {name: split for name in below if (split := _split_word(name.split("/")[:-1]))}
    by_file = {name: split for name in below if _is_data(name) and (split := _split_word(name.split("/")[-1:]))}
    named = by_folder if any(map(_is_data, by_folder)) else by_file
    splits: dict[str, list[Pattern]] = {}
    for name, split in (shards or named or dict.fromkeys(below, "train")).items():
        splits.setdefault(split, []).append(Pattern(prefix + name))
    return splits


def _is_data(name: str) -> bool:
    return any(_is(kind, name) for kind in KINDS) or name.casefold().endswith(_ARCHIVES)


def _split_word(parts: Sequence[str]) -> str:
    usual = next((split for part in parts for split, word in _SPLIT_WORDS.items() if word.fullmatch(part)), "")
    return usual or next((_OURS[split] for part in parts if (split := plain_split(part))), "")


def _kind(names: Sequence[str], name: str) -> str:
    """How the photos are kept: what most of the files are."""
    data = [one for one in names if os.path.basename(one) not in METADATA]
    counts = Counter(kind for one in data for kind in KINDS if _is(kind, one))
    packed = next((one for one in data if one.casefold().endswith(_ARCHIVES)), None)
    kind = max(KINDS, key=lambda one: counts[one])
    if packed is not None and (not counts or kind == "imagefolder"):
        raise InputError(
            f"The data set {quoted(name)} keeps photos in archives, which are not read: {quoted(packed)}.",
            hint="Unpack it yourself, and name the folder of photos.",
        )
    if not counts:
        raise InputError(
            f"The data set {quoted(name)} cannot be read: none of its files holds photos.",
            hint="Such a data set holds parquet, arrow or image files that belong together.",
        )
    return kind


def _is(kind: str, name: str) -> bool:
    base = os.path.basename(name)
    if base in METADATA:
        return kind == "imagefolder"
    return base not in _NO_DATA and base.casefold().endswith(KINDS[kind])


def json_rows(place: str, name: str) -> Iterator[dict[str, Any]]:
    """Every row of a file of JSON lines, or of one JSON list.

    The library is not given such files: its reader crashes on lists within lists and unpacks what begins like an
    archive.

    Raises:
        InputError: a line is no JSON object, or an object of many lists within lists.
    """
    with open(place, "rb") as file:
        content = file.read(_MAX_JSON_BYTES + 1)
    shown_name = quoted(os.path.basename(place))
    if len(content) > _MAX_JSON_BYTES:
        raise InputError(
            f"The file {shown_name} of the data set {quoted(name)} is larger than {_MAX_JSON_BYTES // 1_000_000} MB.",
            hint="Split it into several.",
        )
    content = content.removeprefix(b"\xef\xbb\xbf").strip()
    lines = [content] if content.startswith(b"[") else content.split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        for row in found if isinstance(found, list) else [found]:
            if not isinstance(row, dict) or _is_deep(row):
                raise InputError(
                    f"Line {number} of {shown_name} in the data set {quoted(name)} is not a JSON object of a photo.",
                    hint='Write lines like {"file_name": "hat/1.jpg", "label": "hat"}.',
                )
            yield row


def _is_deep(value: object) -> bool:
    """Whether lists lie in lists deeper than any row of photos needs."""
    layer = [value]
    for _ in range(_MAX_JSON_DEPTH):
        layer = [
            below
            for one in layer
            if isinstance(one, list | dict)
            for below in (one.values() if isinstance(one, dict) else one)
        ]
        if not layer:
            return False
    return True


def _refuse_missing(name: str, path: str) -> NoReturn:
    raise InputError(
        f"The data set {quoted(name)} cannot be read: it has no file {quoted(path)}, which its card names.",
        hint="Was all of it downloaded?",
    )

"""Where the photos of a model are, remembered on this machine alone.

Its test photos prove its exports; its training photos are shown beside a photo that it explains. A model folder gives
away no file name of the person's, and may be anywhere tomorrow. So the paths are kept in the cache folder, under the
model's hash; whatever cannot be kept or found again is simply not there.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from tellapart.errors import TellapartError
from tellapart.storage.atomic import write_file
from tellapart.storage.cache_folder import cache_folder

MOST_MODELS: Final = 50  # those trained longest ago are forgotten
_RECORD: Final = re.compile(r"[0-9a-f]{64}\.json")
MOST_PHOTOS: Final = 50_000  # of each kind; their paths take about 5 MB


def save_locations(model_sha256: str, photos: Mapping[str, Iterable[str]]) -> None:
    """Keep where a model's photos are: {kind, such as "test" or "train": paths}."""
    place = _folder() / f"{model_sha256}.json"
    with suppress(OSError, TellapartError):
        place.parent.mkdir(parents=True, exist_ok=True)
        kept = {kind: [os.path.abspath(path) for path in paths][:MOST_PHOTOS] for kind, paths in photos.items()}
        write_file(place, json.dumps(kept).encode("utf-8", "surrogateescape"))
        models = sorted(_records(), key=lambda path: path.stat().st_mtime)
        for old in models[:-MOST_MODELS]:
            old.unlink()


def load_locations(model_sha256: str, kind: str) -> list[str]:
    """Those of the model's photos of this kind that are still there, as absolute paths."""
    try:
        kept = json.loads((_folder() / f"{model_sha256}.json").read_bytes().decode("utf-8", "surrogateescape"))
        return [path for path in kept[kind] if isinstance(path, str) and os.path.isfile(path)]
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return []


def forget_locations() -> None:
    """Forget all of them."""
    for place in _records():
        with suppress(OSError):
            place.unlink()


def _records() -> list[Path]:
    """Our own files; the folder may be one that a person keeps other things in."""
    return [path for path in _folder().glob("*.json") if _RECORD.fullmatch(path.name)]


def _folder() -> Path:
    return cache_folder() / "known"

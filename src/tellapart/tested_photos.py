"""Which photos a model was tested on, remembered on this machine alone, so that an export can be proven with them.

A model folder gives away no file name of the person's, and may be anywhere tomorrow. So the paths are kept in the cache
folder, under the model's hash; whatever cannot be kept or found again is simply not there.
"""

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from tellapart.atomic import write_file
from tellapart.errors import TellapartError
from tellapart.feature_cache import default_path

MOST_MODELS: Final = 50  # those trained longest ago are forgotten


def remember(model_sha256: str, paths: Iterable[str]) -> None:
    """Keep where the test photos of a model are."""
    place = _folder() / f"{model_sha256}.json"
    with suppress(OSError, TellapartError):
        place.parent.mkdir(parents=True, exist_ok=True)
        content = json.dumps([os.path.abspath(path) for path in paths])
        write_file(place, content.encode("utf-8", "surrogateescape"))
        kept = sorted(place.parent.glob("*.json"), key=lambda path: path.stat().st_mtime)
        for old in kept[:-MOST_MODELS]:
            old.unlink()


def recall(model_sha256: str) -> list[str]:
    """Those of the model's test photos that are still there, as absolute paths."""
    try:
        paths = json.loads((_folder() / f"{model_sha256}.json").read_bytes().decode("utf-8", "surrogateescape"))
        return [path for path in paths if isinstance(path, str) and os.path.isfile(path)]
    except (OSError, ValueError, TypeError):
        return []


def forget() -> None:
    """Forget all of them."""
    for place in _folder().glob("*.json"):
        with suppress(OSError):
            place.unlink()


def _folder() -> Path:
    return default_path().with_name("tested")

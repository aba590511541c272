"""Files whose names look as they are written and are spelt otherwise: "é" may be one letter on a disk, or two."""

import os
import unicodedata
from collections import Counter
from functools import lru_cache


def same_look(path: str, folder: str) -> str:
    """The path as the disk spells it, each part looked up by its Unicode normal form; "" where there is none.

    Args:
        path: with "/" between its parts; relative to `folder`, or absolute.
        folder: where it begins.
    """
    spelt: list[str] = []
    for part in path.split("/"):
        if part.isascii():
            spelt.append(part)
            continue
        above = os.path.join(folder, "/".join(spelt) or ("/" if path.startswith("/") and spelt else "")) or "."
        known = _spellings(above, _modified(above))
        found = known.get(unicodedata.normalize("NFC", part), "")
        if not found:
            return ""
        spelt.append(found)
    return "/".join(spelt)


def _modified(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except (OSError, ValueError):
        return -1


@lru_cache(maxsize=256)
def _spellings(folder: str, modified: int) -> dict[str, str]:
    """{normal form: name on disk} of what lies in the folder and is not plain ASCII; of two that look alike, neither.

    Args:
        folder: to list.
        modified: when it last changed; a later one is listed again.
    """
    try:
        names = [name for name in os.listdir(folder) if not name.isascii()] if modified >= 0 else []
    except (OSError, ValueError):
        return {}
    looks = [unicodedata.normalize("NFC", name) for name in names]
    alone = Counter(looks)
    return {look: name for look, name in zip(looks, names, strict=True) if alone[look] == 1}

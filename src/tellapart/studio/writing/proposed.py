"""Where the page proposes to write what was said: beside the photos, under names that are free."""

import os
from pathlib import Path
from typing import Any

from tellapart.storage.partial import sweep
from tellapart.studio.place import is_beside
from tellapart.studio.table import NAME as TABLE
from tellapart.studio.writing.moving import n_moved
from tellapart.text import shown


def proposed(source: str, state: Path) -> dict[str, Any]:
    """Paths that nothing has, whether photos can be moved, and how many can be put back.

    What a cancelled write left beside is removed.

    Args:
        source: what the studio is on.
        state: the folder where it keeps what it knows.
    """
    whole = Path(os.path.realpath(source))
    folder = whole.parent if is_beside(state, source) else state
    name = whole.name if whole.is_dir() else whole.stem
    sweep(folder / name)
    return {
        "table": shown(str(state / TABLE)),
        "folder": shown(str(_free(folder / f"{name}-by-class"))),
        "zip": shown(str(_free(folder / f"{name}-labelled.zip"))),
        "movable": whole.is_dir(),
        "n_moved": n_moved(source, state),
    }


def _free(wanted: Path) -> Path:
    path, number = wanted, 1
    while os.path.lexists(path):
        number += 1
        path = wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
    return path

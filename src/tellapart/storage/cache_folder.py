"""Where on this machine tellapart keeps what it need not compute twice, and a person's work that has no other place."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import platformdirs

# Where nothing can be made, read or found, as below any file. A user of a container may have a number alone, without a
# name and a home; all goes on as on a disk that cannot be written to.
NOWHERE: Final = Path(os.devnull, "no home folder")


def cache_folder() -> Path:
    """The user's cache directory for tellapart; the environment variable TELLAPART_CACHE_DIR overrides it.

    `NOWHERE` for a user without a home.
    """
    return _own("TELLAPART_CACHE_DIR", platformdirs.user_cache_dir)


def state_folder() -> Path:
    """Where a person's own work is kept that cannot lie where it belongs; TELLAPART_STATE_DIR overrides it.

    `NOWHERE` for a user without a home. Other than what a cache holds, it is nowhere else.
    """
    return _own("TELLAPART_STATE_DIR", platformdirs.user_state_dir)


def _own(variable: str, usual: Callable[[str], str]) -> Path:
    if chosen := os.environ.get(variable):
        return Path(chosen)
    try:
        folder = Path(usual("tellapart"))
    except RuntimeError:
        return NOWHERE
    return folder if folder.is_absolute() else NOWHERE  # "~/.cache", which would be a folder called "~" here

"""Where on this machine tellapart keeps what it need not compute twice."""

import os
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
    if chosen := os.environ.get("TELLAPART_CACHE_DIR"):
        return Path(chosen)
    try:
        folder = Path(platformdirs.user_cache_dir("tellapart"))
    except RuntimeError:
        return NOWHERE
    return folder if folder.is_absolute() else NOWHERE  # "~/.cache", which would be a folder called "~" here

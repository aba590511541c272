"""Where on this machine tellapart keeps what it need not compute twice."""

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """The user's cache directory for tellapart; the environment variable TELLAPART_CACHE_DIR overrides it."""
    return Path(os.environ.get("TELLAPART_CACHE_DIR") or platformdirs.user_cache_dir("tellapart"))

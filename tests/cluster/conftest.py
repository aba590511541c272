"""Real photos, and their shards by one process and without a cluster."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def contents():
    """`contents(DEST)`: {name: bytes} of all that is in a folder of shards, but for its locks."""
    return lambda folder: {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".claims"
    }


@pytest.fixture(scope="session")
def garments(shared_data, tmp_path_factory) -> Path:
    """89 photos of garments in four classes, one that is cut off, and a file that is none."""
    folder = tmp_path_factory.mktemp("cluster") / "photos"
    for name in ("dress", "hat", "pants", "shoes"):
        shutil.copytree(shared_data / "clothing" / "test" / name, folder / name)
    first = min((folder / "hat").iterdir())
    (folder / "hat" / "cut.jpg").write_bytes(first.read_bytes()[:5000])
    (folder / "hat" / "readme.txt").write_text("hello")
    return folder

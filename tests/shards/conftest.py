"""Real photos in a folder, embedded."""

import shutil
from pathlib import Path

import pytest

from tellapart.shards.embedding import How, embed

HOW = How(quality="fast", shard_size=9)


@pytest.fixture
def photos(clothing_folder, tmp_path) -> Path:
    """40 photos of garments in two classes, an empty one, one that is cut off, and a file that is no photo."""
    folder = tmp_path / "photos"
    for name in ("dress", "hat"):
        (folder / name).mkdir(parents=True)
        for photo in sorted((clothing_folder / name).iterdir()):
            shutil.copyfile(photo, folder / name / photo.name)
    first = min((folder / "hat").iterdir())
    (folder / "hat" / "empty.jpg").touch()
    (folder / "hat" / "cut.jpg").write_bytes(first.read_bytes()[:5000])
    (folder / "hat" / "notes.txt").write_text("no photo")
    return folder


@pytest.fixture
def filled(photos, tmp_path) -> Path:
    """Their shards."""
    embed(str(photos), tmp_path / "filled", HOW)
    return tmp_path / "filled"


@pytest.fixture
def contents():
    """`contents(DEST)`: {name: bytes} of its shards."""
    return lambda folder: {path.name: path.read_bytes() for path in sorted((folder / "features").iterdir())}

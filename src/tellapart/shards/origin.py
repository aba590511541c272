"""Where the photos of shards come from: what their names are relative to, and how large they are unread."""

import os
from pathlib import Path

from tellapart.data.remote.held import root_in, size_in
from tellapart.data.remote.place import Place
from tellapart.data.source import Dataset
from tellapart.errors import InputError


def root_of(source: str, dataset: Dataset) -> str:
    """What uris are relative to."""
    root = root_in(dataset.archive)
    if root is not None:
        return root
    path = os.path.abspath(source)
    return path if os.path.isdir(path) or dataset.archive is not None else os.path.dirname(path)


def refuse_inside(source: str, output: Place) -> None:
    """Returns unless shards would lie among the photos.

    Raises:
        InputError: they would.
    """
    if isinstance(output, Path):
        root = Path(source).resolve()
        within = root.is_dir() and output.resolve().is_relative_to(root)
    else:
        within = f"{output.address}/".startswith(f"{source.rstrip('/')}/")
    if within:
        raise InputError(
            f"'{output}' lies within the photos, and would be found among them the next time.",
            hint="Choose a folder beside them with -o.",
        )


def bytes_of(dataset: Dataset) -> int:
    """In the files of all photos; -1 where only reading would tell."""
    if dataset.archive is not None:
        sizes = [size_in(dataset.archive, place) for place in dataset.places]
        return -1 if -1 in sizes else sum(sizes)
    try:
        return sum(os.stat(place).st_size for place in dataset.places)
    except OSError:
        return -1

"""Where the photos of shards come from: what their names are relative to, and how large they are unread."""

import os
from collections.abc import Set
from pathlib import Path

from tellapart.data import photo
from tellapart.data.hub import PREFIX
from tellapart.data.meaning.unlabelled import scan_any
from tellapart.data.remote.held import held_at, keep_their_names, lies_elsewhere, root_in, size_in
from tellapart.data.remote.hub_again import HubAgain, folder_in, lasting_source
from tellapart.data.remote.place import Place
from tellapart.data.source import Container, Dataset
from tellapart.errors import InputError
from tellapart.shards.destination import Manifest, place_of, uri_of
from tellapart.shards.making import Reader, no_longer_there


def root_of(source: str, dataset: Dataset) -> str:
    """What uris are relative to."""
    root = root_in(dataset.archive)
    if root is not None:
        return root
    if source.startswith(PREFIX):
        return lasting_source(source)
    path = os.path.abspath(source)
    return path if os.path.isdir(path) or dataset.archive is not None else os.path.dirname(path)


def refuse_inside(source: str, output: Place) -> None:
    """Returns unless shards would lie among the photos.

    Raises:
        InputError: they would.
    """
    if isinstance(output, Path):
        root = Path(folder_in(source) or source).resolve()
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


def container_at(root: str, *, allow_private: bool) -> Container | None:
    """What holds the photos that are named relative to `root`, opened again; None where they are files, or it has gone.

    Raises:
        InputError: it is gone.
    """
    return held_at(root, allow_private=allow_private) or (scan_any(root).archive if os.path.isfile(root) else None)


def reader_of(dataset: Dataset, root: str) -> tuple[Set[str], Reader]:
    """The uris of the photos that were found now, and where their bytes come from."""
    index = {uri_of(place, root): i for i, place in enumerate(dataset.places)}

    def read(uri: str) -> bytes:
        if uri not in index:
            raise no_longer_there()
        return dataset.read(index[uri])

    return index.keys(), Reader(read, dataset.source, lies_elsewhere(dataset.archive))


def reader_at(manifest: Manifest, source: str, *, allow_private: bool) -> Reader:
    """Where another process has photos from, which lists none: it reads those that the list of shards names.

    Args:
        manifest: of the folder of shards.
        source: how the person called the photos. A table of addresses is read again, for the list of shards keeps no
            signatures.
        allow_private: whether addresses of the web may lead to hosts of this network.

    Raises:
        InputError: this machine does not see them.
    """
    root = manifest.root
    if os.path.isabs(root) and not os.path.exists(root) and not keep_their_names(root):
        raise not_seen(root)
    archive = (
        container_at(root, allow_private=allow_private)
        if root
        else scan_any(source, allow_private=allow_private).archive
    )

    if isinstance(archive, HubAgain):
        archive.opened()

    def read(uri: str) -> bytes:
        place = place_of(uri, root)
        if archive is not None:
            return archive.read(place)
        if not os.path.lexists(place):
            raise no_longer_there()
        return photo.read(place)

    return Reader(read, manifest.source, lies_elsewhere(archive))  # `source` may hold a signature


def not_seen(name: str) -> InputError:
    """A machine sees no photos, shards or model where another one has them."""
    return InputError(
        f"'{name}' is not there, or holds something else.",
        hint="All machines must see photos, shards and models under the same paths, such as those of a NAS.",
    )

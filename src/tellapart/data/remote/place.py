"""A folder or a file of shards: on a disk, or elsewhere, with the few deeds that both have.

On a disk a file is written under another name and renamed, elsewhere by one request: either way it is there as a whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, TypeAlias

from tellapart.data.remote import door
from tellapart.data.remote.address import STORES, below, is_address, last_name, parent, scheme_of, without_secrets
from tellapart.errors import InputError
from tellapart.storage.atomic import write_file
from tellapart.text import quoted

MOST_BYTES: Final = 8_000_000_000  # of one file: a shard of a million photos, as it comes into memory


@dataclass(frozen=True, order=True)
class Elsewhere:
    """A folder or a file of a store; speaks like a `Path`, as far as shards need it.

    Args:
        address: such as s3://bucket/shards.
    """

    address: str

    def __str__(self) -> str:
        return without_secrets(self.address)

    def __truediv__(self, name: str) -> "Elsewhere":
        return Elsewhere(below(self.address, name))

    @property
    def name(self) -> str:
        """The last part."""
        return last_name(self.address)

    @property
    def parent(self) -> "Elsewhere":
        """The folder that it lies in."""
        return Elsewhere(parent(self.address))

    def read_bytes(self) -> bytes:
        """All of a file; raises InputError."""
        return door.read_file(self.address, MOST_BYTES)

    def read_end(self, n_bytes: int) -> bytes:
        """The last bytes of a file, all of a smaller one; nothing where there is none. Raises InputError."""
        return door.read_end(self.address, n_bytes)

    def iterdir(self) -> Iterator["Elsewhere"]:
        """What lies directly in a folder; nothing where there is none. Raises InputError where it does not say."""
        if not self.exists():
            return
        for info in door.entries(self.address):
            name = last_name(str(info["name"]))
            if name and str(info["name"]).rstrip("/") != self.address.partition("://")[2].rstrip("/"):
                yield self / name

    def glob(self, pattern: str) -> Iterator["Elsewhere"]:
        """Those of them whose names fit."""
        return (one for one in self.iterdir() if fnmatchcase(one.name, pattern))

    def exists(self) -> bool:
        """Whether a file or folder is there; raises InputError."""
        return door.exists(self.address)

    def is_dir(self) -> bool:
        """Whether it is a folder with something in it."""
        return self.exists() and any(True for _ in self.iterdir())


Place: TypeAlias = Path | Elsewhere


def place_named(name: str) -> Place:
    """The place that a person names: an address of a store, or a path.

    Raises:
        InputError: it is an address that nothing can be written to.
    """
    if not is_address(name):
        return Path(name)
    if scheme_of(name) not in STORES:
        raise InputError(
            f"{quoted(without_secrets(name), longest=300)} is an address of the web, which shards are not written to.",
            hint="Name a folder, or an address such as s3://bucket/shards.",
        )
    return Elsewhere(name.rstrip("/"))


def bytes_at(place: Place) -> bytes | None:
    """What a small file holds; None where there is none.

    Raises:
        InputError: storage elsewhere does not say.
    """
    if isinstance(place, Path):
        try:
            return place.read_bytes()
        except OSError:
            return None
    return place.read_bytes() if place.exists() else None


def write_at(place: Place, content: bytes) -> None:
    """Make a file hold `content`, as a whole or not at all.

    Raises:
        InputError: it cannot be written.
    """
    if isinstance(place, Path):
        write_file(place, content)
    else:
        door.write(place.address, content)

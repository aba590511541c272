"""Photos elsewhere, each at an address of its own, read when they are looked at."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from tellapart.data.remote.door import read_photo
from tellapart.errors import PhotoError


@dataclass(frozen=True)
class RemotePhotos:
    """Photos by their addresses, as these are kept: without signatures and passwords.

    Attributes:
        root: the folder that they lie in; "" where each is named by itself.
        allow_private: whether hosts of this network are asked.
        whole: {address as it is kept: the whole one} of those that differ; only in memory.
        sizes: {address: bytes} where a listing said so.
        etags: {address: what the storage calls the content} likewise.
        failed: {address: why} of those that could not be had when they were asked for last; filled by `read`.
    """

    kind: ClassVar[str] = "remote source"
    root: str = ""
    allow_private: bool = False
    whole: Mapping[str, str] = field(default_factory=dict, repr=False)
    sizes: Mapping[str, int] = field(default_factory=dict, repr=False)
    etags: Mapping[str, str] = field(default_factory=dict, repr=False)
    failed: dict[str, str] = field(default_factory=dict, repr=False, compare=False)

    def read(self, place: str) -> bytes:
        """The bytes of one photo; may be called from many threads.

        Raises:
            PhotoError: it cannot be had.
        """
        try:
            data = read_photo(self.whole.get(place, place), allow_private=self.allow_private)
        except PhotoError as error:
            self.failed[place] = error.message
            raise
        self.failed.pop(place, None)
        return data


def photos_named(rows: Iterable[tuple[str, str]], *, allow_private: bool) -> RemotePhotos | None:
    """What reads the photos of a table; None where they are files of this machine.

    Args:
        rows: (address as it is kept, the whole one) of each; of a file here the second is "".
        allow_private: whether hosts of this network are asked.
    """
    whole: dict[str, str] = {}
    elsewhere = False
    for kept, address in rows:
        elsewhere = elsewhere or bool(address)
        if address and address != kept:
            whole.setdefault(kept, address)
    return RemotePhotos("", allow_private, whole) if elsewhere else None

"""Photos elsewhere, each at an address of its own, read when they are looked at."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from tellapart.data.remote.door import read_photo


@dataclass(frozen=True)
class RemotePhotos:
    """Photos by their addresses, as these are kept: without signatures and passwords.

    Attributes:
        root: the folder that they lie in; "" where each is named by itself.
        allow_private: whether hosts of this network are asked.
        whole: {address as it is kept: the whole one} of those that differ; only in memory.
        sizes: {address: bytes} where a listing said so.
        etags: {address: what the storage calls the content} likewise.
    """

    kind: ClassVar[str] = "remote source"
    root: str = ""
    allow_private: bool = False
    whole: Mapping[str, str] = field(default_factory=dict, repr=False)
    sizes: Mapping[str, int] = field(default_factory=dict, repr=False)
    etags: Mapping[str, str] = field(default_factory=dict, repr=False)

    def read(self, place: str) -> bytes:
        """The bytes of one photo; may be called from many threads.

        Raises:
            PhotoError: it cannot be had.
        """
        return read_photo(self.whole.get(place, place), allow_private=self.allow_private)


def size_in(photos: object, place: str) -> int:
    """How large a photo's file is, as far as what holds the photos knows it unread; -1 where it does not."""
    return photos.sizes.get(place, -1) if isinstance(photos, RemotePhotos) else -1

"""What holds photos that are no files of this machine: how large they are, and how it is opened again by its name."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence

from tellapart.data.remote.address import is_address
from tellapart.data.remote.hub_again import HubAgain, source_in
from tellapart.data.remote.photos import RemotePhotos
from tellapart.data.remote.tars import BLOCK_BYTES, TarPhotos, is_tars, open_tars


def size_in(photos: object, place: str) -> int:
    """How large a photo's file is, as far as what holds the photos knows it unread; -1 where it does not."""
    if isinstance(photos, RemotePhotos):
        return photos.sizes.get(place, -1)
    return photos.members[place][2] if isinstance(photos, TarPhotos) and place in photos.members else -1


def etag_in(photos: object, place: str) -> str | None:
    """What the storage called a photo's content when it was listed; None where it did not say."""
    return photos.etags.get(place) if isinstance(photos, RemotePhotos) else None


def root_in(photos: object) -> str | None:
    """What the places of photos are relative to; "" where each is an address, None where nothing here holds them."""
    if isinstance(photos, TarPhotos):
        return photos.root if is_address(photos.root) else os.path.abspath(photos.root)
    return photos.root if isinstance(photos, RemotePhotos) else None


def lies_elsewhere(photos: object) -> bool:
    """Whether reading a photo waits for a network."""
    return isinstance(photos, RemotePhotos) or (isinstance(photos, TarPhotos) and is_address(photos.root))


def not_fetched(photos: object, places: Iterable[str]) -> dict[str, int]:
    """{why: how many} of those photos at `places` that could not be had when they were asked for last."""
    failed = photos.failed if isinstance(photos, RemotePhotos | TarPhotos) else {}
    return dict(Counter(failed[place] for place in places if place in failed).most_common())


def requests_for(photos: object, places: Sequence[str]) -> int:
    """About how many requests to a network reading all photos takes: one each, or one for a run of them in a tar."""
    if not lies_elsewhere(photos):
        return 0
    if isinstance(photos, TarPhotos):
        return len(photos.files) + sum(size_in(photos, place) for place in places) // BLOCK_BYTES
    return len(places)


def lies_in_order(photos: object) -> bool:
    """Whether photos beside each other are had at once, so that a shard is a run of them."""
    return isinstance(photos, TarPhotos)


def keep_their_names(root: str) -> bool:
    """Whether photos in what `root` names are called as they are there, and not by paths below it."""
    return is_tars(root) or bool(source_in(root))


def held_at(root: str, *, allow_private: bool = False) -> RemotePhotos | TarPhotos | HubAgain | None:
    """What holds photos, by the root that shards keep; None where nothing here does.

    Raises:
        InputError: it is gone; but a data set says so of each photo.
    """
    if source := source_in(root):
        return HubAgain(source)
    if root and is_tars(root):
        return open_tars(root)[0]
    return RemotePhotos(root, allow_private) if not root or is_address(root) else None

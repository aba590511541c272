"""A data set (`hf:NAME`) that was scanned once, opened again by a name that is good whatever the working folder."""

import os
from threading import Lock
from typing import ClassVar

from tellapart.data.hub import PREFIX, HubPhotos, parts_of, scan_hub
from tellapart.errors import InputError, MissingExtraError, PhotoError


class HubAgain:
    """The photos of a data set, which is opened when the first of them is read.

    Where it cannot be opened, that is the reason of each photo, and nobody is asked twice.

    Args:
        source: of the data set, as `lasting_source` names it.
    """

    kind: ClassVar[str] = "data set"

    def __init__(self, source: str) -> None:
        self._source, self._lock = source, Lock()
        self._found: HubPhotos | InputError | MissingExtraError | None = None

    def opened(self) -> HubPhotos:
        """The photos.

        Raises:
            InputError: the data set is gone, or cannot be understood any more.
            MissingExtraError: the library is not installed.
        """
        with self._lock:
            if self._found is None:
                try:
                    self._found = scan_hub(self._source).photos
                except (InputError, MissingExtraError) as error:
                    self._found = error
        if isinstance(self._found, HubPhotos):
            return self._found
        raise self._found

    def read(self, place: str) -> bytes:
        """The bytes of one photo; may be called from many threads.

        Raises:
            PhotoError: there is none, or the data set cannot be opened.
        """
        try:
            photos = self.opened()
        except (InputError, MissingExtraError) as error:
            raise PhotoError(error.message, code="unreachable", hint=error.hint) from error
        return photos.read(place)


def folder_in(source: str) -> str:
    """The folder of this machine that a source names; "" for a data set on the hub, and for any other source."""
    name = parts_of(source)[0] if source.startswith(PREFIX) else ""
    return name if os.path.isdir(name) else ""


def lasting_source(source: str, folder: str = "") -> str:
    """The same data set by a name that is good in any working folder, where that of `source` is good in `folder`."""
    name = parts_of(source)[0]
    place = os.path.abspath(os.path.join(folder, name))
    return PREFIX + (place if os.path.isdir(place) else name) + source[len(PREFIX) + len(name) :]


def source_in(root: str) -> str:
    """The source of a data set that shards were made of, by the root that they keep; "" where they are of another kind.

    Before there was `lasting_source` they kept it as if it were a path in the working folder.
    """
    if root.startswith(PREFIX):
        return root
    folder, found, rest = root.partition(os.sep + PREFIX)
    return lasting_source(PREFIX + rest, folder) if found and not os.path.lexists(root) else ""

"""Small pictures of photos for the page, made once for each content, by processes that can do nothing else."""

import asyncio
import io
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.data import photo
from tellapart.data.preprocess import Preprocess
from tellapart.errors import PhotoError
from tellapart.sandbox.decoder_pool import DecoderPool
from tellapart.studio.heap import Photo, identity

SIDE_PX: Final = 256
JPEG_QUALITY: Final = 80  # 8 to 15 KB
LARGE_PX: Final = 1_600  # of a photo that is looked at by itself
LARGE_QUALITY: Final = 88
REST_S: Final = 0.5  # before it is looked again whether there are other photos
NAME: Final = "thumbnails.sqlite"  # one file: a folder of pictures might be taken for a class
_VERSION: Final = 1  # raised when what a thumbnail shows changes

Gone = Callable[[], Awaitable[bool]]


class Thumbnails:
    """What was made, and the processes that make more; to be used within one event loop.

    Args:
        folder: where they are kept. A file that cannot be used only costs making them again.
        pool: decodes.
    """

    def __init__(self, folder: Path, pool: DecoderPool) -> None:
        self._pool = pool
        self._turns = asyncio.Semaphore(pool.size)
        self._lock = Lock()
        self._store = _opened(folder / NAME)
        self._n_asked = 0  # by pages, that were not answered yet

    async def get(self, photo_id: str, place: str, gone: Gone) -> bytes | None:
        """The thumbnail as a JPEG of the middle square; None when whoever asked is gone before it was begun.

        Raises:
            PhotoError: the photo cannot be read, or holds something else by now.
        """
        self._n_asked += 1
        try:
            return await self._get(photo_id, place, gone)
        finally:
            self._n_asked -= 1

    async def _get(self, photo_id: str, place: str, gone: Gone) -> bytes | None:
        kept = await asyncio.to_thread(self._load, photo_id)
        if kept is not None:
            return kept
        async with self._turns:  # a page that is scrolled asks for many, and takes back most
            if await gone():
                return None
            data = await asyncio.to_thread(_read, photo_id, place)
            pixels = await self._pool.decode(data, Preprocess(SIDE_PX))
        jpeg = await asyncio.to_thread(_jpeg, pixels, JPEG_QUALITY)
        await asyncio.to_thread(self._keep, photo_id, jpeg)
        return jpeg

    async def large(self, photo_id: str, place: str) -> bytes:
        """The whole photo as a JPEG of LARGE_PX at most; it is not kept.

        Raises:
            PhotoError: the photo cannot be read, or holds something else by now.
        """
        async with self._turns:
            data = await asyncio.to_thread(_read, photo_id, place)
            pixels = await self._pool.decode_whole(data, LARGE_PX)
        return await asyncio.to_thread(_jpeg, pixels, LARGE_QUALITY)

    async def make_rest(self, photos: Callable[[], Sequence[Photo]]) -> None:
        """Make what is not there yet, one at a time, resting as long as each takes; it ends when it is cancelled.

        So that scrolling meets no photo that has to be decoded first. While a page waits for some, these come first.

        Args:
            photos: those there are, asked again and again.
        """
        clock = asyncio.get_running_loop().time
        made: Sequence[Photo] = ()
        while True:
            await asyncio.sleep(REST_S)
            asked = photos()
            if asked is made:
                continue
            kept = await asyncio.to_thread(self._kept)
            for one in asked:
                if one.id not in kept:
                    while self._n_asked:
                        await asyncio.sleep(REST_S)
                    begun = clock()
                    with suppress(PhotoError):  # whoever looks at it is told why
                        await self._get(one.id, one.place, _nobody_is_gone)
                    await asyncio.sleep(clock() - begun)
            made = asked

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._store.close()

    def _kept(self) -> set[str]:
        with self._lock, suppress(sqlite3.Error):
            return {photo for (photo,) in self._store.execute("SELECT photo FROM thumbnails")}
        return set()

    def _load(self, photo_id: str) -> bytes | None:
        with self._lock, suppress(sqlite3.Error):
            row = self._store.execute("SELECT jpeg FROM thumbnails WHERE photo = ?", (photo_id,)).fetchone()
            return None if row is None else bytes(row[0])
        return None

    def _keep(self, photo_id: str, jpeg: bytes) -> None:
        with self._lock, suppress(sqlite3.Error):
            self._store.execute("INSERT OR REPLACE INTO thumbnails VALUES (?, ?)", (photo_id, jpeg))
            self._store.commit()


async def _nobody_is_gone() -> bool:
    return False


def _jpeg(pixels: NDArray[np.uint8], quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _read(photo_id: str, place: str) -> bytes:
    data = photo.read(place)
    if identity(data) != photo_id:
        raise PhotoError(
            "The file holds another photo than before.", code="changed", hint="Press Look again to see the new one."
        )
    return data


def _opened(path: Path) -> sqlite3.Connection:
    """The store at `path`; made anew where it is damaged, and in memory where it cannot be written."""
    for attempt in range(2):
        with suppress(sqlite3.Error):
            return _ready(sqlite3.connect(path, check_same_thread=False))
        if attempt == 0:
            with suppress(OSError):
                path.unlink()
    return _ready(sqlite3.connect(":memory:", check_same_thread=False))


def _ready(store: sqlite3.Connection) -> sqlite3.Connection:
    try:
        if store.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
            store.execute("DROP TABLE IF EXISTS thumbnails")
            store.execute("CREATE TABLE thumbnails (photo TEXT PRIMARY KEY, jpeg BLOB NOT NULL)")
            store.execute(f"PRAGMA user_version = {_VERSION}")
        store.execute("PRAGMA synchronous = OFF")  # what is lost is made again
        store.commit()
    except sqlite3.Error:
        store.close()
        raise
    return store

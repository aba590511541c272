"""Features already computed, kept between runs in one SQLite file in the user's cache directory.

A row is found by the photo's bytes, the backbone and the preprocessing together, so a renamed photo is found and a
changed one is not. Small grey pictures lie in a table of their own, by which a model's training photos are known again;
a file of before that cannot be given one is read without. SQLite's write-ahead log keeps the file whole under two
processes at once and under a kill. Nothing here is worth keeping at a price: a damaged file is set aside and started
anew, on a full or locked disk nothing is remembered, and least-recently used rows go first when the size limit is
reached.
"""

import functools
import hashlib
import math
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tellapart.data.grey_picture import SIDE_PX
from tellapart.errors import InputError
from tellapart.storage.cache_folder import cache_folder

DEFAULT_LIMIT_BYTES = 4 * 1024**3  # about 400,000 photos of the balanced quality
BUSY_TIMEOUT_S = 30.0  # how long one process waits while another writes
SWITCH_TIMEOUT_S = 2.0  # how long a new file may be in the making by another process
MAKER_BYTES = 8
PIXEL_HASH_BYTES = 16  # of SHA-256; enough that no two photos share one by chance
NUMBER_BYTES = 4  # of a feature
DAY_S = 86_400  # `used_day` is as fine as eviction needs, and spares a write for every read on the same day
SCHEMA = """
CREATE TABLE IF NOT EXISTS features (
    key BLOB PRIMARY KEY, pixel_hash BLOB NOT NULL, features BLOB NOT NULL, used_day INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS features_by_use ON features (used_day);
"""
PICTURES = """
CREATE TABLE IF NOT EXISTS pictures (
    key BLOB PRIMARY KEY, made_by BLOB NOT NULL, pixel_hash BLOB NOT NULL, picture BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS pictures_by_pixels ON pictures (pixel_hash, made_by);
"""
OLDEST = "SELECT key FROM features ORDER BY used_day, rowid LIMIT 1000"
# Each column with its table: files of some earlier versions have a picture in `features` too.
GET = """
SELECT features, features.pixel_hash, pictures.picture FROM features LEFT JOIN pictures USING (key)
WHERE features.key = ?
"""
GET_WITHOUT_PICTURE = "SELECT features, pixel_hash, NULL FROM features WHERE key = ?"
GET_BY_PIXELS = """
SELECT features, pictures.pixel_hash, pictures.picture FROM pictures JOIN features USING (key)
WHERE pictures.pixel_hash = ? AND made_by = ? LIMIT 1
"""
USED_BEFORE = "SELECT 1 FROM features WHERE key = ? AND used_day < ?"
TEMPORARY = ""  # SQLite's name for a file of its own that vanishes with the connection

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Embedding:
    """What is remembered of one photo.

    Args:
        features: (D,) float32.
        pixel_hash: 16 bytes; equal for photos that look exactly the same to the backbone.
        picture: (SIDE_PX, SIDE_PX) uint8, the photo small and grey; None in a row from before there were any.
    """

    features: NDArray[np.float32]
    pixel_hash: bytes
    picture: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class CacheState:
    """What `tellapart cache` shows."""

    path: Path
    n_photos: int
    size_bytes: int
    limit_bytes: int


def default_path() -> Path:
    """Where features are kept."""
    return cache_folder() / "features.sqlite"


def embedding_key(photo: bytes, extractor_key: str) -> bytes:
    """The key of a photo's bytes under one backbone and preprocessing, named by `extractor_key`: 32 bytes."""
    content = hashlib.sha256(photo).digest()
    return hashlib.sha256(content + extractor_key.encode()).digest()


def _maker(extractor_key: str) -> bytes:
    """Names a backbone and preprocessing in few bytes."""
    return hashlib.sha256(extractor_key.encode()).digest()[:MAKER_BYTES]


class FeatureCache:
    """An open cache file. Safe to use from several threads and several processes.

    Args:
        path: the SQLite file; made with its folder if missing.
        limit_bytes: least-recently used rows are dropped beyond this size.
    """

    def __init__(self, path: Path | None = None, *, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self.path = path or default_path()
        self.limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._has_pictures = True
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = self._open(self.path)
        except (OSError, sqlite3.OperationalError):  # locked or not writable: the file itself may be whole
            self._db = self._unwritable() or self._open(TEMPORARY)
        except sqlite3.DatabaseError:
            self._db = self._anew()

    def _unwritable(self) -> sqlite3.Connection | None:
        """The file where nobody could write to it here, so that it needs no log and no locks; None if there is none."""
        try:
            if not self.path.is_file() or os.access(self.path.parent, os.W_OK):
                return None
            db = sqlite3.connect(f"{self.path.absolute().as_uri()}?immutable=1", uri=True, check_same_thread=False)
            db.isolation_level = None
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        except (OSError, sqlite3.Error):
            return None
        self._has_pictures = "pictures" in tables
        return db if "features" in tables else None

    def _open(self, place: Path | str) -> sqlite3.Connection:
        db = sqlite3.connect(place, timeout=BUSY_TIMEOUT_S, check_same_thread=False, isolation_level=None)
        try:
            _use_write_ahead_log(db)
            db.execute("PRAGMA synchronous = NORMAL")  # a power cut may lose the last rows, never the file
            db.executescript(SCHEMA)
            self._has_pictures = _has_room_for_pictures(db)
        except sqlite3.Error:
            db.close()
            raise
        return db

    def _anew(self) -> sqlite3.Connection:
        """An empty file in place of the damaged one, which is set aside."""
        try:
            self.path.replace(self.path.with_suffix(".damaged"))
            return self._open(self.path)
        except (OSError, sqlite3.Error):
            return self._open(TEMPORARY)

    def _attempt(self, work: Callable[[sqlite3.Connection], _Result], otherwise: _Result) -> _Result:
        """What `work` returns, as one transaction; `otherwise` where the file or the disk does not play along."""
        with self._lock:
            try:
                with self._db:
                    return work(self._db)
            except sqlite3.OperationalError:
                return otherwise
            except sqlite3.DatabaseError as error:
                if type(error) is not sqlite3.DatabaseError:  # our own mistake, such as a closed cache
                    raise
                self._db.close()
                self._db = self._anew()
                return otherwise

    def __reduce__(self) -> tuple[Callable[[Path, int], "FeatureCache"], tuple[Path, int]]:
        """A worker in another process opens the same file, once."""
        return _reopened, (self.path, self.limit_bytes)

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            self._db.close()

    def get(self, key: bytes, n_features: int | None = None) -> Embedding | None:
        """What is remembered under `key`, or None; a row that cannot be ours, whoever wrote it, is no row.

        Args:
            key: the photo's and the backbone's.
            n_features: D, how many numbers the features must have; None does not say.
        """
        query = GET if self._has_pictures else GET_WITHOUT_PICTURE
        row = self._attempt(lambda db: db.execute(query, (key,)).fetchone(), None)
        return _embedding(row, n_features) if row else None

    def get_by_pixels(self, pixel_hash: bytes, extractor_key: str) -> Embedding | None:
        """What is remembered, with its picture, of a photo of this hash under `extractor_key`, or None."""
        if not self._has_pictures:
            return None
        asked = (pixel_hash, _maker(extractor_key))
        row = self._attempt(lambda db: db.execute(GET_BY_PIXELS, asked).fetchone(), None)
        found = _embedding(row, None) if row else None
        return found if found and found.picture is not None else None

    def put(self, embeddings: Mapping[bytes, Embedding], extractor_key: str = "") -> None:
        """Remember `embeddings`, which were made under `extractor_key`, in one transaction."""
        today, made_by = int(time.time()) // DAY_S, _maker(extractor_key)
        rows = [(k, e.pixel_hash, e.features.astype(np.float32).tobytes(), today) for k, e in embeddings.items()]
        pictures = [
            (k, made_by, e.pixel_hash, e.picture.tobytes()) for k, e in embeddings.items() if e.picture is not None
        ]

        def insert(db: sqlite3.Connection) -> None:
            db.execute("BEGIN IMMEDIATE")
            db.executemany(
                "INSERT OR REPLACE INTO features (key, pixel_hash, features, used_day) VALUES (?, ?, ?, ?)", rows
            )
            if self._has_pictures:
                db.executemany("INSERT OR REPLACE INTO pictures VALUES (?, ?, ?, ?)", pictures)

        if rows:
            self._attempt(insert, None)

    def mark_used(self, keys: Iterable[bytes]) -> None:
        """Note that `keys` were of use today, so that they are dropped last."""
        today = int(time.time()) // DAY_S

        def mark(db: sqlite3.Connection) -> None:
            stale = [k for k in keys if db.execute(USED_BEFORE, (k, today)).fetchone()]
            if stale:
                db.execute("BEGIN IMMEDIATE")
                db.executemany("UPDATE features SET used_day = ? WHERE key = ?", [(today, k) for k in stale])

        self._attempt(mark, None)

    def trim(self) -> int:
        """Drop least-recently used rows until the file's live data is within the limit; returns how many."""

        def drop(db: sqlite3.Connection) -> int:
            db.execute("BEGIN IMMEDIATE")
            oldest = db.execute(OLDEST).fetchall()
            db.executemany("DELETE FROM features WHERE key = ?", oldest)
            if self._has_pictures:
                db.executemany("DELETE FROM pictures WHERE key = ?", oldest)
            return len(oldest)

        n_dropped = 0
        while self.state().size_bytes > self.limit_bytes:
            n = self._attempt(drop, 0)
            n_dropped += n
            if n == 0:
                break
        return n_dropped

    def clear(self) -> int:
        """Forget everything and give the disk space back; returns how many photos were forgotten.

        Raises:
            InputError: another process is writing.
        """
        with self._lock:
            try:
                n = self._db.execute("DELETE FROM features").rowcount
                if self._has_pictures:
                    self._db.execute("DELETE FROM pictures")
                self._db.execute("VACUUM")
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.OperationalError as error:
                raise InputError(
                    f"The cache '{self.path}' cannot be cleared now.",
                    hint="Wait until training elsewhere has finished.",
                ) from error
            except sqlite3.DatabaseError:
                self._db.close()
                self._db, n = self._anew(), 0
        return n

    def state(self) -> CacheState:
        """How many photos are remembered, and how much disk their rows take."""

        def count(db: sqlite3.Connection) -> tuple[int, int]:
            n_photos = db.execute("SELECT count(*) FROM features").fetchone()[0]
            pages, page_size, free = (
                db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size", "freelist_count")
            )
            return n_photos, (pages - free) * page_size

        n_photos, size_bytes = self._attempt(count, (0, 0))
        return CacheState(self.path, n_photos, size_bytes, self.limit_bytes)


def _use_write_ahead_log(db: sqlite3.Connection) -> None:
    """Switch `db` over; the one statement that fails at once where another process is just doing the same."""
    deadline = time.monotonic() + SWITCH_TIMEOUT_S
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _has_room_for_pictures(db: sqlite3.Connection) -> bool:
    """Whether there is a table for pictures, made here if need be; a file that is full or only read has none."""
    try:
        db.executescript(PICTURES)
    except sqlite3.OperationalError:
        return False
    return True


def _embedding(row: tuple[object, object, object], n_features: int | None) -> Embedding | None:
    """A row's (features, pixel_hash, picture), if it can be ours: a vector of numbers whose length is a number."""
    features, pixel_hash, picture = row
    if not isinstance(features, bytes) or not isinstance(pixel_hash, bytes) or len(pixel_hash) != PIXEL_HASH_BYTES:
        return None
    n, rest = divmod(len(features), NUMBER_BYTES)
    if not n or rest or n != (n_features or n):
        return None
    values = np.frombuffer(features, np.float32)
    with np.errstate(all="ignore"):
        square = float(values @ values)  # NaN or infinite where one of them is, and where they are too large to compare
    return Embedding(values, pixel_hash, _picture(picture)) if math.isfinite(square) else None


def _picture(data: object) -> NDArray[np.uint8] | None:
    """What was kept, if it is a picture of the size that is used now."""
    if not isinstance(data, bytes) or len(data) != SIDE_PX * SIDE_PX:
        return None
    return np.frombuffer(data, np.uint8).reshape(SIDE_PX, SIDE_PX)


@functools.cache
def _reopened(path: Path, limit_bytes: int) -> FeatureCache:
    return FeatureCache(path, limit_bytes=limit_bytes)

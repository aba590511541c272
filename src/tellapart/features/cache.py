"""Features already computed, kept between runs in one SQLite file in the user's cache directory.

A row is found by the photo's bytes, the backbone and the preprocessing together, so a renamed photo is found and a
changed one is not. SQLite's write-ahead log keeps the file whole under two processes at once and under a kill. Nothing
here is worth keeping at a price: a damaged file is set aside and started anew, on a full or locked disk nothing is
remembered, and least-recently used rows go first when the size limit is reached.
"""

import functools
import hashlib
import math
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
PIXEL_HASH_BYTES = 16  # of SHA-256; enough that no two photos share one by chance
NUMBER_BYTES = 4  # of a feature
DAY_S = 86_400  # `used_day` is as fine as eviction needs, and spares a write for every read on the same day
SCHEMA = """
CREATE TABLE IF NOT EXISTS features (
    key BLOB PRIMARY KEY, pixel_hash BLOB NOT NULL, features BLOB NOT NULL, used_day INTEGER NOT NULL, picture BLOB
);
CREATE INDEX IF NOT EXISTS features_by_use ON features (used_day);
"""
DROP_OLDEST = """
DELETE FROM features WHERE rowid IN (SELECT rowid FROM features ORDER BY used_day, rowid LIMIT 1000)
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
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = self._open(self.path)
        except (OSError, sqlite3.OperationalError):  # locked or not writable: the file itself may be whole
            self._db = self._open(TEMPORARY)
        except sqlite3.DatabaseError:
            self._db = self._anew()

    def _open(self, place: Path | str) -> sqlite3.Connection:
        db = sqlite3.connect(place, timeout=BUSY_TIMEOUT_S, check_same_thread=False, isolation_level=None)
        try:
            _use_write_ahead_log(db)
            db.execute("PRAGMA synchronous = NORMAL")  # a power cut may lose the last rows, never the file
            db.executescript(SCHEMA)
            _add_pictures(db)
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
        query = "SELECT features, pixel_hash, picture FROM features WHERE key = ?"
        row = self._attempt(lambda db: db.execute(query, (key,)).fetchone(), None)
        return _embedding(row, n_features) if row else None

    def put(self, embeddings: Mapping[bytes, Embedding]) -> None:
        """Remember `embeddings` in one transaction."""
        today = int(time.time()) // DAY_S
        rows = [
            (
                k,
                e.pixel_hash,
                e.features.astype(np.float32).tobytes(),
                today,
                e.picture.tobytes() if e.picture is not None else None,
            )
            for k, e in embeddings.items()
        ]

        def insert(db: sqlite3.Connection) -> None:
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT OR REPLACE INTO features VALUES (?, ?, ?, ?, ?)", rows)

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
            return db.execute(DROP_OLDEST).rowcount

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


def _add_pictures(db: sqlite3.Connection) -> None:
    """Room for a picture in each row of a file from before there were any; rows stay, and are completed when used."""
    if _has_pictures(db):
        return
    db.execute("BEGIN IMMEDIATE")  # of two processes that open an old file at once, one adds the column
    if not _has_pictures(db):
        db.execute("ALTER TABLE features ADD COLUMN picture BLOB")
    db.execute("COMMIT")


def _has_pictures(db: sqlite3.Connection) -> bool:
    return any(column[1] == "picture" for column in db.execute("PRAGMA table_info(features)"))


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

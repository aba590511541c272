"""The cache forgets rather than fails: two processes at once, kills, damage and full disks."""

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tellapart.data.grey_picture import SIDE_PX
from tellapart.errors import InputError
from tellapart.features import cache as feature_cache
from tellapart.features.cache import DAY_S, Embedding, FeatureCache, embedding_key

D = 1280
CHILD = """
    import sys
    from pathlib import Path
    import numpy as np
    from tellapart.features.cache import Embedding, FeatureCache
    D = 1280
    def rows(start, n):
        return {b"%032d" % i: Embedding(np.full(D, i, np.float32), b"%016d" % i) for i in range(start, start + n)}
    path, start = Path(sys.argv[1]), int(sys.argv[2])
"""


def key(i):
    return b"%032d" % i


def rows(start, n, d=D):
    return {key(i): Embedding(np.full(d, i, np.float32), b"%016d" % i) for i in range(start, start + n)}


def child(code, *args):
    source = textwrap.dedent(CHILD) + textwrap.dedent(code)
    return subprocess.Popen([sys.executable, "-c", source, *map(str, args)], stdout=subprocess.PIPE, text=True)


def at_once(then, path, starts, go):
    """A process for each start opens the file in the same moment, puts three rows, and does `then`."""
    code = f"""
        import time
        print("ready", flush=True)
        while not Path(sys.argv[3]).exists():
            time.sleep(0.0005)
        cache = FeatureCache(path)
        cache.put(rows(start, 3))
        {then}
    """
    children = [child(code, path, start, go) for start in starts]
    for process in children:
        process.stdout.readline()
    go.touch()
    for process in children:
        assert process.wait(60) == 0
        process.stdout.close()


def is_whole(path):
    db = sqlite3.connect(path)
    try:
        return db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        db.close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "features.sqlite"


@pytest.fixture
def cache(path):
    cache = FeatureCache(path)
    yield cache
    cache.close()


def test_what_was_put_comes_back_bit_by_bit(path):
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**32, D, np.uint32).view(np.float32)  # of every size, subnormal ones among them
    bits = np.where(np.abs(bits) < 1e15, bits, np.float32(-0.0))
    hash_ = bytes(range(15)) + b"\0"
    for _ in range(2):  # the second time from another connection
        cache = FeatureCache(path)
        cache.put({key(1): Embedding(bits, hash_)})
        got = cache.get(key(1))
        assert got.features.tobytes() == bits.tobytes()
        assert got.pixel_hash == hash_
        assert cache.get(key(2)) is None
        cache.close()


def test_keys_depend_on_every_byte_and_on_what_made_the_features():
    keys = {embedding_key(photo, by) for photo in (b"", b"a", b"ab", b"b") for by in ("", "x", "xy", "y")}
    assert len(keys) == 16
    assert {len(k) for k in keys} == {32}


def test_a_second_process_writes_at_the_same_time(path, cache):
    writer = child(
        """
        cache = FeatureCache(path)
        print("open", flush=True)
        for i in range(start, start + 400, 4):
            cache.put(rows(i, 4))
            cache.mark_used([b"%032d" % i])
        """,
        path,
        10_000,
    )
    assert writer.stdout.readline() == "open\n"
    for i in range(0, 400, 4):
        cache.put(rows(i, 4))
        cache.get(key(10_000))
    assert writer.wait(60) == 0
    writer.stdout.close()
    assert cache.state().n_photos == 800
    for i in (*range(400), *range(10_000, 10_400)):
        assert (cache.get(key(i)).features == i).all()


@pytest.mark.slow
def test_several_processes_make_the_file_at_once(tmp_path):
    for attempt in range(3):
        path = tmp_path / f"{attempt}.sqlite"
        at_once('assert cache.get(b"%032d" % start) is not None', path, range(0, 40, 10), tmp_path / f"go{attempt}")
        cache = FeatureCache(path)
        assert cache.state().n_photos == 12
        cache.close()


@pytest.mark.parametrize("delay_s", [0.0, 0.01, 0.03, 0.08])
def test_a_kill_in_the_middle_of_put_leaves_a_readable_file(path, delay_s):
    writer = child(
        """
        cache = FeatureCache(path)
        cache.put(rows(0, 10))
        print("writing", flush=True)
        for i in range(10, 100_000, 500):
            cache.put(rows(i, 500))
        """,
        path,
        0,
    )
    assert writer.stdout.readline() == "writing\n"
    time.sleep(delay_s)
    writer.send_signal(signal.SIGKILL)
    assert writer.wait() == -signal.SIGKILL
    writer.stdout.close()
    cache = FeatureCache(path)
    n = cache.state().n_photos
    assert (n - 10) % 500 == 0  # whole transactions only
    for i in (0, 9, n - 1):
        assert (cache.get(key(i)).features == i).all()
    assert cache.get(key(n)) is None
    cache.put(rows(200_000, 5))
    assert cache.state().n_photos == n + 5
    cache.close()
    assert is_whole(path)
    assert not path.with_suffix(".damaged").exists()


@pytest.mark.parametrize(
    "content", [b"this is not a database, it is a note to myself\n" * 100, b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_a_damaged_file_is_set_aside(path, content):
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    cache = FeatureCache(path)
    assert cache.state().n_photos == 0
    cache.put(rows(0, 3))
    assert cache.get(key(2)) is not None
    cache.close()
    assert path.with_suffix(".damaged").read_bytes() == content
    assert is_whole(path)


def test_the_log_of_a_damaged_file_does_no_harm(path):
    """A kill leaves features.sqlite-wal behind; SQLite takes rows from it that are whole, or starts anew."""
    writer = child(
        """
        import os, signal
        cache = FeatureCache(path)
        cache.put(rows(0, 50))
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        path,
        0,
    )
    writer.wait()
    writer.stdout.close()
    assert path.with_name(path.name + "-wal").stat().st_size > 0
    path.write_bytes(b"not a database " * 1000)
    cache = FeatureCache(path)
    assert cache.state().n_photos in (0, 50)
    cache.put(rows(100, 3))
    for i in (*range(50), *range(100, 103)):
        got = cache.get(key(i))
        assert (got is None and i < 50) or (got.features == i).all()
    cache.close()
    assert is_whole(path)


def test_damage_inside_the_file_is_a_miss_not_a_crash(path):
    """The head of the file is whole, so that it opens; rows further on are not."""
    cache = FeatureCache(path)
    cache.put(rows(0, 300))
    cache.close()
    data = bytearray(path.read_bytes())
    data[8192 : len(data) // 2] = b"\xa5" * (len(data) // 2 - 8192)
    path.write_bytes(data)
    cache = FeatureCache(path)
    for i in range(300):
        got = cache.get(key(i))
        assert got is None or got.features.shape == (D,)
    cache.put(rows(1000, 3))
    cache.mark_used([key(1), key(1001)])
    cache.trim()
    assert (cache.get(key(1001)).features == 1001).all()
    cache.close()
    assert is_whole(path)


def test_a_closed_cache_is_not_taken_for_a_damaged_one(path):
    cache = FeatureCache(path)
    cache.put(rows(0, 3))
    cache.close()
    with pytest.raises(sqlite3.ProgrammingError):
        cache.get(key(0))
    assert path.exists()
    assert not path.with_suffix(".damaged").exists()


def test_a_full_disk_costs_the_cache_and_nothing_else(cache):
    cache.put(rows(0, 3))
    cache._db.execute(f"PRAGMA max_page_count = {cache._db.execute('PRAGMA page_count').fetchone()[0] + 2}")
    cache.put(rows(100, 500))  # "database or disk is full"
    assert (cache.get(key(1)).features == 1).all()
    assert cache.get(key(100)) is None


def test_a_place_that_cannot_be_written_gives_a_cache_for_this_run(tmp_path):
    (tmp_path / "file").write_text("in the way")
    cache = FeatureCache(tmp_path / "file" / "features.sqlite")
    cache.put(rows(0, 3))
    cache.mark_used([key(0)])
    assert (cache.get(key(2)).features == 2).all()
    assert cache.trim() == 0
    assert cache.clear() == 3
    assert cache.state().n_photos == 0
    cache.close()
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_file_that_stays_locked_is_left_alone(path, cache, monkeypatch):
    cache.put(rows(0, 3))
    monkeypatch.setattr(feature_cache, "BUSY_TIMEOUT_S", 0.05)
    other = FeatureCache(path)
    cache._db.execute("BEGIN EXCLUSIVE")
    other.put(rows(10, 1))
    assert (other.get(key(1)).features == 1).all()
    with pytest.raises(InputError) as caught:
        other.clear()
    assert caught.value.message == f"The cache '{path}' cannot be cleared now."
    late = FeatureCache(path)
    late.put(rows(20, 1))
    late.close()
    cache._db.execute("ROLLBACK")
    other.put(rows(30, 1))
    assert [i for i in (0, 2, 10, 30) if other.get(key(i))] == [0, 2, 30]
    other.close()
    assert not path.with_suffix(".damaged").exists()


def test_a_read_only_file_is_read(path, cache):
    cache.put(rows(0, 3))
    reader = FeatureCache(path)
    reader._db.execute("PRAGMA query_only = ON")
    reader.put(rows(10, 3))
    reader.mark_used([key(0)])
    assert (reader.get(key(1)).features == 1).all()
    assert reader.get(key(10)) is None
    reader.close()


def at_day(monkeypatch, day):
    monkeypatch.setattr(feature_cache.time, "time", lambda: day * DAY_S + 1.0)


def test_trim_drops_what_was_used_least_recently(path, monkeypatch):
    monkeypatch.setattr(feature_cache, "OLDEST", feature_cache.OLDEST.replace("LIMIT 1000", "LIMIT 10"))
    cache = FeatureCache(path)
    for day in range(10):  # ten rows a day
        at_day(monkeypatch, 100 + day)
        cache.put(rows(10 * day, 10))
    at_day(monkeypatch, 120)
    cache.mark_used([key(i) for i in range(10)])  # the oldest, but of use today
    whole = cache.state().size_bytes
    assert cache.trim() == 0
    cache.limit_bytes = whole // 2
    n_dropped = cache.trim()
    assert cache.state().size_bytes <= whole // 2
    kept = [i for i in range(100) if cache.get(key(i))]
    assert len(kept) == 100 - n_dropped
    assert 20 <= len(kept) <= 60
    assert kept == [*range(10), *range(110 - len(kept), 100)]
    cache.limit_bytes = 0
    cache.trim()
    assert cache.state().n_photos == 0
    cache.close()


def test_trim_reuses_the_room(path):
    """A long-lived file stays about as large as its limit."""
    cache = FeatureCache(path, limit_bytes=8_000_000)
    for start in range(0, 5000, 1000):
        cache.put(rows(start, 1000))
        cache.trim()
    assert cache.state().size_bytes <= 8_000_000
    cache.close()
    assert path.stat().st_size < 20_000_000


def test_marking_writes_only_once_a_day(path, monkeypatch):
    cache = FeatureCache(path)
    at_day(monkeypatch, 50)
    cache.put(rows(0, 5))
    before = cache._db.total_changes
    cache.mark_used([key(i) for i in range(5)])
    assert cache._db.total_changes == before
    at_day(monkeypatch, 51)
    cache.mark_used([key(0), key(77)])
    assert cache._db.total_changes == before + 1
    cache.close()


def test_clear_forgets_all_and_gives_the_room_back(path, cache):
    cache.put(rows(0, 500))
    assert cache.clear() == 500
    state = cache.state()
    assert state.n_photos == 0
    assert cache.get(key(3)) is None
    assert sum(file.stat().st_size for file in path.parent.iterdir()) < 200_000
    cache.put(rows(0, 2))
    assert cache.state().n_photos == 2


def test_state_says_what_is_there(path, cache):
    cache.put(rows(0, 100))
    state = cache.state()
    assert (state.path, state.n_photos, state.limit_bytes) == (path, 100, cache.limit_bytes)
    assert 100 * D * 4 <= state.size_bytes <= 3 * 100 * D * 4


def test_putting_again_replaces(cache):
    cache.put({key(1): Embedding(np.zeros(D, np.float32), b"a" * 16)})
    cache.put({key(1): Embedding(np.ones(D, np.float32), b"b" * 16)})
    assert cache.state().n_photos == 1
    assert (cache.get(key(1)).features == 1).all()
    cache.put({})
    assert cache.state().n_photos == 1


def test_threads_share_one_cache(cache):
    failures = []

    def work(start):
        try:
            for i in range(start, start + 50):
                cache.put(rows(i, 1))
                assert (cache.get(key(i)).features == i).all()
                cache.mark_used([key(i)])
        except BaseException as error:  # noqa: BLE001  # whatever it is, the test shows it
            failures.append(error)

    threads = [threading.Thread(target=work, args=(1000 * t,)) for t in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert cache.state().n_photos == 300


def test_a_renamed_photo_is_known_and_a_changed_one_is_not(shared_data, extractor, tmp_path):
    from tellapart.data.source import Dataset
    from tellapart.features.extract import Extractor

    cached = Extractor.__new__(Extractor)
    cached.__dict__.update(extractor.__dict__, cache=FeatureCache(tmp_path / "c.sqlite"))
    photo = (shared_data / "burger_examples" / "pizza.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(photo)

    def n_cached(name):
        return cached.extract(Dataset.from_lists([tmp_path / name], ["x"])).n_cached

    assert n_cached("a.jpg") == 0
    assert n_cached("a.jpg") == 1
    (tmp_path / "a.jpg").rename(tmp_path / "b.jpg")
    os.utime(tmp_path / "b.jpg", (1, 1))
    assert n_cached("b.jpg") == 1
    changed = bytearray(photo)
    changed[-40] ^= 1
    (tmp_path / "b.jpg").write_bytes(changed)
    os.utime(tmp_path / "b.jpg", (1, 1))  # same name, same size, same time
    assert n_cached("b.jpg") == 0
    cached.cache.close()


def test_pictures_come_back_and_may_be_missing(cache):
    picture = np.arange(SIDE_PX * SIDE_PX, dtype=np.uint8).reshape(SIDE_PX, SIDE_PX)
    cache.put({key(1): Embedding(np.zeros(D, np.float32), b"a" * 16, picture), **rows(2, 1)})
    assert np.array_equal(cache.get(key(1)).picture, picture)
    assert cache.get(key(2)).picture is None


def pictured(i):
    """A row with a picture of its own."""
    picture = np.full((SIDE_PX, SIDE_PX), i, np.uint8)
    return {key(i): Embedding(np.full(D, i, np.float32), b"%016d" % i, picture)}


def test_a_photo_is_known_again_by_its_pixels_and_by_what_made_its_features(cache):
    cache.put(pictured(1), "fast crop@224")
    cache.put(pictured(2), "balanced crop@224")
    cache.put(rows(3, 1), "fast crop@224")
    found = cache.get_by_pixels(b"%016d" % 1, "fast crop@224")
    assert (found.features == 1).all()
    assert (found.picture == 1).all()
    assert found.pixel_hash == b"%016d" % 1
    assert cache.get_by_pixels(b"%016d" % 1, "balanced crop@224") is None
    assert cache.get_by_pixels(b"%016d" % 2, "fast crop@224") is None
    assert cache.get_by_pixels(b"%016d" % 3, "fast crop@224") is None  # remembered without a picture
    cache.clear()
    assert cache.get_by_pixels(b"%016d" % 1, "fast crop@224") is None


def test_what_is_dropped_takes_its_picture_along(path):
    cache = FeatureCache(path, limit_bytes=0)
    cache.put(pictured(1), "x")
    assert cache.trim() == 1
    assert cache._db.execute("SELECT count(*) FROM pictures").fetchone() == (0,)
    cache.close()


OLD_SCHEMA = """
CREATE TABLE features (
    key BLOB PRIMARY KEY, pixel_hash BLOB NOT NULL, features BLOB NOT NULL, used_day INTEGER NOT NULL
);
CREATE INDEX features_by_use ON features (used_day);
"""


def old_file(path, n=3):
    """A file as it was before pictures were kept."""
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path)
    db.executescript(OLD_SCHEMA)
    filled = [(k, e.pixel_hash, e.features.tobytes(), 1) for k, e in rows(0, n).items()]
    db.executemany("INSERT INTO features VALUES (?, ?, ?, ?)", filled)
    db.commit()
    db.close()


def test_a_file_of_before_keeps_its_rows(path):
    old_file(path)
    for _ in range(2):
        cache = FeatureCache(path)
        assert [cache.get(key(i)).picture for i in range(3)] == [None] * 3
        assert (cache.get(key(2)).features == 2).all()
        cache.close()
    assert not path.with_suffix(".damaged").exists()


def test_a_file_that_kept_pictures_beside_the_features_is_read_and_completed(path):
    """A version had them in a column of that table; a name that both tables have must not make every row a miss."""
    old_file(path)
    with sqlite3.connect(path) as db:
        db.execute("ALTER TABLE features ADD COLUMN picture BLOB")
        db.execute("UPDATE features SET picture = x'00'")
    store = FeatureCache(path)
    assert store.get(key(1)) is not None
    store.put(pictured(1), "made by")
    assert store.get(key(1)).picture is not None
    assert store.get_by_pixels(pictured(1)[key(1)].pixel_hash, "made by") is not None
    store.close()


def test_a_full_file_of_before_is_read_without_pictures(path, monkeypatch):
    """There is no room for the new table: the file is read, and nothing more."""
    old_file(path, 40)
    connect = sqlite3.connect

    def full(*args, **options):
        db = connect(*args, **options)
        db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0]}")
        return db

    monkeypatch.setattr(feature_cache.sqlite3, "connect", full)
    cache = FeatureCache(path)
    cache.put(pictured(100), "x")
    cache.mark_used([key(1)])
    assert [(cache.get(key(i)).features == i).all() for i in range(40)] == [True] * 40
    assert cache.get(key(1)).picture is None
    assert cache.get_by_pixels(b"%016d" % 1, "x") is None
    assert cache.state().n_photos in (40, 41)
    cache.close()
    monkeypatch.undo()
    later = FeatureCache(path)  # with room again: completed like any other
    later.put(pictured(1), "x")
    assert (later.get(key(1)).picture == 1).all()
    later.close()
    assert not path.with_suffix(".damaged").exists()


NOT_ROOT = """
    import os, sys
    if os.geteuid() == 0:
        os.setuid(65534)
    cache = FeatureCache(path)
    assert (cache.get(b"%032d" % 2).features == 2).all()
    assert cache.get(b"%032d" % 2).picture is None
    cache.put(rows(50, 1))
    cache.mark_used([b"%032d" % 1])
    assert cache.get(b"%032d" % 50) is None
    assert cache.trim() == 0
    assert cache.state().n_photos == 3
"""


@pytest.mark.parametrize("of_before", [True, False])
def test_a_folder_that_cannot_be_written_is_read(of_before):
    """In a folder that anyone may enter, as a person who may not write there: one that runs as root writes anywhere."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kept" / "features.sqlite"
        if of_before:
            old_file(path)
        else:
            cache = FeatureCache(path)
            cache.put(rows(0, 3))
            cache.close()
        for place, mode in ((path, 0o444), (path.parent, 0o555), (Path(folder), 0o755)):
            place.chmod(mode)
        reader = child(NOT_ROOT, path, 0)
        assert reader.wait(60) == 0
        reader.stdout.close()
        path.parent.chmod(0o755)


def test_processes_that_open_a_file_of_before_at_once(tmp_path):
    path = tmp_path / "old.sqlite"
    old_file(path)
    at_once('assert cache.get(b"%032d" % 1) is not None', path, range(10, 50, 10), tmp_path / "go")
    cache = FeatureCache(path)
    assert cache.state().n_photos == 15
    cache.close()


NUMBERS = np.arange(D, dtype=np.float32)
NOT_OURS = {
    "features of 3 bytes": {"features": b"abc"},
    "features of no bytes": {"features": b""},
    "features one byte short": {"features": NUMBERS.tobytes()[:-1]},
    "features of another network": {"features": NUMBERS[:-1].tobytes()},
    "features in float64": {"features": NUMBERS.astype(np.float64).tobytes()},
    "features as a text": {"features": "a" * 4 * D},
    "features as a number": {"features": 4},
    "one NaN": {"features": np.where(NUMBERS == 7, np.nan, NUMBERS).astype(np.float32).tobytes()},
    "one infinity": {"features": np.where(NUMBERS == 7, -np.inf, NUMBERS).astype(np.float32).tobytes()},
    "numbers too large to square": {"features": np.full(D, 3e38, np.float32).tobytes()},
    "hash as a text": {"pixel_hash": "0" * 16},
    "hash as a number": {"pixel_hash": 0.5},
    "hash of 3 bytes": {"pixel_hash": b"abc"},
    "hash of no bytes": {"pixel_hash": b""},
    "hash of 32 bytes": {"pixel_hash": bytes(32)},
}


@pytest.mark.parametrize("kind", NOT_OURS)
def test_a_row_that_cannot_be_ours_is_no_row_and_is_replaced(path, kind):
    """Disk faults, and other versions, write into the same file."""
    cache = FeatureCache(path)
    ours = Embedding(NUMBERS, bytes(16))
    cache.put({key(1): ours, key(2): ours})
    db = sqlite3.connect(path)
    with db:
        for column, value in NOT_OURS[kind].items():
            db.execute(f"UPDATE features SET {column} = ? WHERE key = ?", (value, key(1)))
    db.close()
    assert cache.get(key(1), D) is None
    assert cache.get(key(2), D) is not None
    cache.put({key(1): ours})
    assert np.array_equal(cache.get(key(1), D).features, NUMBERS)
    cache.close()

"""Photos become features: in order, once, on every core, and errors are data."""

import gc
import os
import sqlite3
import subprocess
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from tellapart.classifier.kept_scores import KeptScores, Scored
from tellapart.data.grey_picture import grey_picture
from tellapart.data.photo import decode
from tellapart.data.preprocess import preprocess
from tellapart.data.source import Dataset
from tellapart.data.split import Split
from tellapart.engine.backbone import QUALITIES
from tellapart.errors import PhotoError
from tellapart.features import extract as module
from tellapart.features.cache import FeatureCache
from tellapart.features.extract import CHUNK, STAGE, Extractor, compiled, hash_pixels
from tellapart.model.artifact import TRAINED_ON
from tellapart.workflow.model_folder import model_files


def with_cache(extractor, cache):
    """The same compiled backbone with a cache."""
    copy = Extractor.__new__(Extractor)
    copy.__dict__.update(extractor.__dict__, cache=cache)
    return copy


@pytest.fixture
def cached(extractor, tmp_path):
    cache = FeatureCache(tmp_path / "features.sqlite")
    yield with_cache(extractor, cache)
    cache.close()


@pytest.fixture
def some(clothing):
    """Two chunks and a bit."""
    return clothing.subset(range(0, clothing.n, 2))


class Bad:
    """Photos of which some cannot be read, for one of several reasons."""

    def __init__(self, photos, bad):
        self.photos, self.bad, self.n = photos, bad, photos.n

    def read(self, index):
        if index in self.bad:
            if index % 2:
                raise PhotoError("The file is gone.", code="missing")
            return self.photos.read(index)[:500]
        return self.photos.read(index)


def test_features_are_those_of_each_photo_alone_and_in_order(extractor, clothing, clothing_features):
    assert clothing_features.values.shape == (clothing.n, QUALITIES["fast"].n_features)
    assert clothing_features.values.dtype == np.float32
    for i in range(0, clothing.n, 7):
        pixels = preprocess(
            decode(clothing.read(i), min_side_px=extractor.preprocessing.min_side_px), extractor.preprocessing
        )
        assert np.array_equal(clothing_features.values[i], compiled(extractor.backbone)(pixels)["features"])
        assert clothing_features.pixel_hashes[i] == hash_pixels(pixels).hex().encode()
    assert clothing_features.errors == {}
    assert clothing_features.n_cached == 0
    assert clothing_features.decode_s > 0
    assert clothing_features.inference_s > 0
    assert clothing_features.usable.tolist() == list(range(clothing.n))


def test_the_order_of_photos_is_the_order_of_rows(extractor, clothing, clothing_features):
    order = np.random.default_rng(0).permutation(clothing.n)[:40]
    shuffled = extractor.extract(clothing.subset(order))
    assert shuffled.values.tobytes() == clothing_features.values[order].tobytes()
    assert np.array_equal(shuffled.pixel_hashes, clothing_features.pixel_hashes[order])


def test_photos_that_cannot_be_read_are_data(extractor, some, clothing_features):
    bad = {0, 1, 6, 17, some.n - 1}
    found = extractor.extract(Bad(some, bad))
    assert set(found.errors) == bad
    assert all(isinstance(error, PhotoError) for error in found.errors.values())
    assert found.errors[17].code == "missing"
    assert found.errors[6].message.endswith(".")
    assert not found.values[sorted(bad)].any()
    assert found.usable.tolist() == [i for i in range(some.n) if i not in bad]
    assert np.array_equal(found.values[found.usable], clothing_features.values[::2][found.usable])


def test_nothing_readable_at_all(extractor, some):
    found = extractor.extract(Bad(some.subset(range(5)), {1, 3, 0, 2, 4}))
    assert len(found.usable) == 0
    assert found.usable.dtype == np.int64


def test_cached_equals_fresh_bit_by_bit(cached, some, clothing_features):
    fresh = cached.extract(some)
    again = cached.extract(some)
    assert (fresh.n_cached, again.n_cached) == (0, some.n)
    assert again.inference_s == 0
    for found in (fresh, again):
        assert found.values.tobytes() == clothing_features.values[::2].tobytes()
        assert np.array_equal(found.pixel_hashes, clothing_features.pixel_hashes[::2])


def test_a_cache_that_knows_half(cached, some, clothing_features):
    cached.extract(some.subset(range(0, some.n, 2)))
    found = cached.extract(some)
    assert found.n_cached == (some.n + 1) // 2
    assert found.values.tobytes() == clothing_features.values[::2].tobytes()


def test_pictures_are_of_the_whole_photo_and_remembered(cached, some, clothing_features):
    for found in (cached.extract(some), cached.extract(some)):
        assert np.array_equal(found.pictures, clothing_features.pictures[::2])
    image = decode(some.read(5), min_side_px=cached.preprocessing.min_side_px)
    assert np.array_equal(found.pictures[5], grey_picture(image))


def test_a_row_without_a_picture_is_completed_once_and_without_the_network(
    cached, some, clothing_features, monkeypatch
):
    cached.extract(some)
    db = sqlite3.connect(cached.cache.path)
    db.execute("DELETE FROM pictures")
    db.commit()
    db.close()
    monkeypatch.setattr(module, "compiled", None)  # whoever asks the network fails
    decoded = []
    monkeypatch.setattr(module, "grey_picture", lambda image: decoded.append(1) or grey_picture(image))
    for _ in range(2):
        found = cached.extract(some)
        assert found.n_cached == some.n
        assert np.array_equal(found.pictures, clothing_features.pictures[::2])
        assert found.values.tobytes() == clothing_features.values[::2].tobytes()
    assert len(decoded) == some.n


SPOILED = {
    "features": (b"", b"abc", "a text", 4, np.full(1280, np.nan, np.float32).tobytes(), bytes(4 * 64)),
    "pixel_hash": (b"abc", "0" * 32, 7),
    "picture": (b"abc", "a text", 1.5),
}


def test_rows_of_others_are_computed_anew_and_replaced(cached, some, clothing_features):
    """Each photo's row is spoiled otherwise; all are as if there were no cache, and remembered as they should be."""
    cached.extract(some)
    db = sqlite3.connect(cached.cache.path)
    kinds = [(column, value) for column, values in SPOILED.items() for value in values]
    with db:
        for (key,), (column, value) in zip(db.execute("SELECT key FROM features").fetchall(), kinds, strict=False):
            table = "pictures" if column == "picture" else "features"
            db.execute(f"UPDATE {table} SET {column} = ? WHERE key = ?", (value, key))
    db.close()
    assert some.n >= len(kinds)
    n_whole = some.n - len(SPOILED["features"]) - len(SPOILED["pixel_hash"])  # a photo's grey picture is no feature
    for n_cached in (n_whole, some.n):
        found = cached.extract(some)
        assert found.n_cached == n_cached
        assert not found.errors
        assert np.array_equal(found.values, clothing_features.values[::2])
        assert np.array_equal(found.pixel_hashes, clothing_features.pixel_hashes[::2])
        assert np.array_equal(found.pictures, clothing_features.pictures[::2])


def test_rows_of_zeros_are_computed_anew(cached, some, clothing_features):
    """As a failing disk gives them; their numbers are finite and as many as there should be."""
    cached.extract(some)
    db = sqlite3.connect(cached.cache.path)
    with db:
        db.execute("UPDATE features SET features = zeroblob(length(features))")
    db.close()
    for n_cached in (0, some.n):
        found = cached.extract(some)
        assert found.n_cached == n_cached
        assert found.values.tobytes() == clothing_features.values[::2].tobytes()


def test_errors_are_not_remembered(cached, some):
    cached.extract(Bad(some, {0, 3}))
    found = cached.extract(some)
    assert found.errors == {}
    assert found.n_cached == some.n - 2


def test_two_backbones_or_preprocessings_do_not_share_rows(cached, some):
    few = some.subset(range(4))
    cached.extract(few)
    cached.extractor_key = cached.extractor_key.replace("crop", "squash")
    assert cached.extract(few).n_cached == 0


@pytest.mark.parametrize("cores", [1, 5])
def test_any_number_of_cores_gives_the_same_features(extractor, some, clothing_features, cores, monkeypatch):
    monkeypatch.setattr(module, "n_cores", lambda: cores)
    assert extractor.extract(some).values.tobytes() == clothing_features.values[::2].tobytes()


def test_only_a_few_chunks_are_read_ahead(extractor, clothing, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 2)
    monkeypatch.setattr(module, "n_cores", lambda: 1)
    read, most = [], []

    class Counting(type(clothing)):
        def read(self, index):
            read.append(index)
            return super().read(index)

    def progress(stage, done, total):
        most.append(len(read) - done)

    extractor.extract(Counting(**vars(clothing.subset(range(40)))), progress=progress)
    assert len(read) == 40
    assert max(most) <= 2 * (module.CHUNKS_AHEAD + 1) * (1 + module.SPARE_WORKERS)


def test_progress_counts_every_photo_once(extractor, some):
    seen = []
    extractor.extract(Bad(some, {3}), progress=lambda *args: seen.append(args))
    assert {(stage, total) for stage, _, total in seen} == {(STAGE, some.n)}
    done = [d for _, d, _ in seen]
    assert done[0] == 0
    assert done[-1] == some.n
    steps = np.diff(done)
    assert (steps > 0).all()
    assert (steps <= CHUNK).all()


class Enough(Exception):
    pass


@pytest.mark.parametrize("at", [0, 1])
def test_an_exception_in_progress_stops_the_work(cached, clothing, monkeypatch, at):
    monkeypatch.setattr(module, "CHUNK", 2)

    def stop(stage, done, total):
        if done >= at:
            raise Enough

    threads = set(threading.enumerate())
    with pytest.raises(Enough):
        cached.extract(clothing, progress=stop)
    left = [t for t in threading.enumerate() if t not in threads and t.is_alive()]
    for thread in left:
        thread.join(10)
    assert not [t for t in left if t.is_alive()]
    assert cached.cache.state().n_photos < clothing.n / 2
    assert cached.extract(clothing).errors == {}  # and the same extractor goes on working


def test_an_unexpected_error_in_a_worker_is_not_hidden(extractor, some):
    class Broken(Bad):
        def read(self, index):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        extractor.extract(Broken(some, set()))


def test_features_are_mapped_from_a_file_that_has_no_name(extractor, some, tmp_path, monkeypatch):
    monkeypatch.setattr(module.tempfile, "tempdir", str(tmp_path))
    found = extractor.extract(some)
    assert isinstance(found.values, np.memmap)
    assert list(tmp_path.iterdir()) == []
    values = np.array(found.values)
    view = found.values[3:5]
    del found
    gc.collect()
    assert np.array_equal(view, values[3:5])  # a view outlives the features


def test_no_file_stays_open(extractor, some):
    def n_open():
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    few = some.subset(range(3))
    extractor.extract(few)
    before = n_open()
    for _ in range(5):
        extractor.extract(few)
    assert n_open() <= before


def test_no_photos(extractor):
    found = extractor.extract(Dataset.from_lists([], []))
    assert found.values.shape == (0, 1280)
    assert len(found.usable) == 0


def test_hash_of_pixels_depends_on_every_pixel():
    pixels = np.zeros((8, 8, 3), np.uint8)
    hashes = {hash_pixels(pixels)}
    for i in range(pixels.size):
        other = pixels.copy()
        other.flat[i] = 1
        hashes.add(hash_pixels(other))
    assert len(hashes) == pixels.size + 1
    assert {len(h) for h in hashes} == {16}


def test_a_hash_that_ends_in_zero_is_known_again(extractor, monkeypatch, some):
    """One photo in 256 has such a hash, and numpy's S16 drops the zero."""
    ends_in_zero = b"fifteen bytes..\0"
    monkeypatch.setattr(module, "hash_pixels", lambda pixels: ends_in_zero)
    few = some.subset(range(2))
    prepared = SimpleNamespace(dataset=few, pixel_hashes=extractor.extract(few).pixel_hashes)
    split = Split(np.arange(2), np.zeros(0, np.int64), np.zeros(0, np.int64), "made")
    nothing = Scored(np.zeros(0, np.int32), np.zeros((0, 2), np.float32), np.zeros(0, np.float32))
    kept = KeptScores(nothing, np.zeros(0, np.int32), np.zeros((0, 2), np.float32), np.zeros(0, np.float32), nothing)
    learned = prepared.pixel_hashes[split.learned]
    files = model_files(b"", SimpleNamespace(prepared=prepared, split=split, learned_hashes=learned), kept)
    assert ends_in_zero.hex() in files[TRAINED_ON].decode().split()


def test_a_disk_without_room_is_an_error_and_no_crash():
    """A limit on the size of files is as final as a full disk; both are met when the room is taken."""
    program = (
        "import resource, numpy as np; from tellapart.features.extract import memory_mapped; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6)); "
        "assert not memory_mapped((900, 1000), np.dtype(np.uint8)).any(); "
        "memory_mapped((2_000, 1_000_000), np.dtype(np.uint8))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "There is no room for temporary files of 2.0 GB in " in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("tellapart.errors.InputError")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_does_not_wait_for_a_thread_that_compiled_when_it_was_forked():
    code = """
import os, threading
from tellapart.features import extract
threading.Thread(target=lambda: (extract._compiling.acquire(), threading.Event().wait()), daemon=True).start()
while not extract._compiling.locked():
    pass
child = os.fork()
if not child:
    os._exit(0 if extract._compiling.acquire(timeout=5) else 1)
os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], timeout=60, check=False).returncode == 0

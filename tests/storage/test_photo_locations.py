"""Where photos are: remembered per model, what is gone left out, nothing ever in the way."""

import os

import pytest

from tellapart.storage.cache_folder import cache_folder
from tellapart.storage.photo_locations import MOST_MODELS, forget_locations, load_locations, save_locations


@pytest.fixture(autouse=True)
def _empty(tmp_path, monkeypatch):
    monkeypatch.setenv("TELLAPART_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def photos(tmp_path):
    names = ["a.jpg", "แมว.jpg", "with space.jpg", os.fsdecode(b"\xff.jpg")]
    paths = [str(tmp_path / name) for name in names]
    for path in paths:
        with open(path, "wb"):
            pass
    return paths


def test_what_is_still_there_comes_back_in_order(photos):
    save_locations("a" * 64, {"test": photos})
    assert load_locations("a" * 64, "test") == photos
    os.unlink(photos[1])
    assert load_locations("a" * 64, "test") == [photos[0], *photos[2:]]
    assert load_locations("b" * 64, "test") == load_locations("a" * 64, "train") == []


def test_relative_paths_are_found_from_elsewhere(photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_locations("a" * 64, {"test": ["a.jpg"], "train": []})
    monkeypatch.chdir("/")
    assert load_locations("a" * 64, "test") == photos[:1]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"3", b"[3, null]", b"\xff", b'{"test": 1}', b"[" * 100_000, b'{"test": ["a\\u0000b"]}']
)
def test_a_damaged_record_is_none(photos, content):
    save_locations("a" * 64, {"test": photos})
    (cache_folder() / "known" / f"{'a' * 64}.json").write_bytes(content)
    assert load_locations("a" * 64, "test") == []


def test_a_folder_that_cannot_be_written_is_no_fault(photos, tmp_path):
    (tmp_path / "cache").write_bytes(b"a file where the folder should be")
    save_locations("a" * 64, {"test": photos})
    assert load_locations("a" * 64, "test") == []
    forget_locations()


def test_files_of_the_person_s_own_stay(photos):
    save_locations("a" * 64, {"test": photos})
    own = cache_folder() / "known" / "notes.json"
    own.write_text("mine")
    forget_locations()
    assert own.read_text() == "mine"
    assert load_locations("a" * 64, "test") == []


def test_old_models_are_forgotten(photos):
    for i in range(MOST_MODELS + 5):
        save_locations(f"{i:064}", {"test": photos})
        os.utime(cache_folder() / "known" / f"{i:064}.json", (i, i))
    save_locations("f" * 64, {"test": photos})
    assert load_locations(f"{0:064}", "test") == []
    assert load_locations("f" * 64, "test") == photos
    forget_locations()
    assert load_locations("f" * 64, "test") == []

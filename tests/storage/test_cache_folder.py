"""Where things are remembered, and that nothing is where there is no place for it."""

import numpy as np
import platformdirs
import pytest

from tellapart.features.cache import Embedding, FeatureCache
from tellapart.storage.cache_folder import NOWHERE, cache_folder, state_folder
from tellapart.storage.photo_locations import forget_locations, load_locations, save_locations


def test_the_environment_decides_and_the_user_s_directory_is_the_default(tmp_path, monkeypatch):
    monkeypatch.setenv("TELLAPART_CACHE_DIR", str(tmp_path))
    assert cache_folder() == tmp_path
    for absent in ("", None):
        if absent is None:
            monkeypatch.delenv("TELLAPART_CACHE_DIR")
        else:
            monkeypatch.setenv("TELLAPART_CACHE_DIR", absent)
        assert "tellapart" in str(cache_folder())


def _homeless(_: str) -> str:
    raise RuntimeError("could not determine the home directory")


@pytest.mark.parametrize("answer", [_homeless, lambda _: "~/.cache/tellapart"])
def test_a_user_without_a_home_goes_without(monkeypatch, tmp_path, answer):
    monkeypatch.delenv("TELLAPART_CACHE_DIR")
    monkeypatch.setattr(platformdirs, "user_cache_dir", answer)
    monkeypatch.chdir(tmp_path)
    assert cache_folder() == NOWHERE
    cache = FeatureCache()
    cache.put({b"key": Embedding(np.ones(3, np.float32), b"h" * 16)})
    assert cache.get(b"key") is not None  # for as long as this command runs
    cache.close()
    save_locations("0" * 64, {"test": ["a.jpg"]})
    assert load_locations("0" * 64, "test") == []
    forget_locations()
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("TELLAPART_CACHE_DIR", str(tmp_path))
    assert cache_folder() == tmp_path


def test_a_person_s_own_work_has_a_folder_that_is_no_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TELLAPART_STATE_DIR", str(tmp_path))
    assert state_folder() == tmp_path
    monkeypatch.delenv("TELLAPART_STATE_DIR")
    assert "tellapart" in str(state_folder())
    assert state_folder() != cache_folder()
    monkeypatch.setattr(platformdirs, "user_state_dir", _homeless)
    assert state_folder() == NOWHERE

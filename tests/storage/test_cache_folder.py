"""Where things are kept."""

from tellapart.storage.cache_folder import cache_folder


def test_the_environment_decides_and_the_user_s_directory_is_the_default(tmp_path, monkeypatch):
    monkeypatch.setenv("TELLAPART_CACHE_DIR", str(tmp_path))
    assert cache_folder() == tmp_path
    for absent in ("", None):
        if absent is None:
            monkeypatch.delenv("TELLAPART_CACHE_DIR")
        else:
            monkeypatch.setenv("TELLAPART_CACHE_DIR", absent)
        assert "tellapart" in str(cache_folder())

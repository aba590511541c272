"""Where what a person says is kept."""

import pytest

from tellapart.errors import InputError
from tellapart.studio.journal import NAME
from tellapart.studio.place import is_beside, place_of


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("TELLAPART_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


def test_it_lies_beside_the_photos_under_one_name(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    (tmp_path / "link").symlink_to("photos")
    monkeypatch.chdir(tmp_path / "photos")
    for source in (tmp_path / "photos", f"{tmp_path}/photos/", tmp_path / "link", "."):
        assert place_of(str(source)) == tmp_path / "photos.studio"
        assert is_beside(place_of(str(source)), str(source))


def test_where_that_cannot_be_it_is_kept_by_this_machine(tmp_path, state):
    (tmp_path / "photos.studio").write_text("a file in its place")
    places = {place_of(str(tmp_path / "photos")), place_of(str(tmp_path / "photos"))}
    (folder,) = places
    assert folder.parent == state / "studio"
    assert not is_beside(folder, str(tmp_path / "photos"))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "photos.studio").write_text("")
    assert place_of(str(tmp_path / "other" / "photos")) != folder


def test_a_journal_of_before_is_not_left_behind(tmp_path):
    (tmp_path / "photos.studio").write_text("")
    folder = place_of(str(tmp_path / "photos"))
    (folder / NAME).touch()
    (tmp_path / "photos.studio").unlink()
    assert place_of(str(tmp_path / "photos")) == folder


def test_no_place_at_all_and_no_name(tmp_path, state):
    state.write_text("")
    (tmp_path / "photos.studio").write_text("")
    with pytest.raises(InputError, match="There is no place for what you say"):
        place_of(str(tmp_path / "photos"))
    with pytest.raises(InputError, match="no set of photos"):
        place_of("/")

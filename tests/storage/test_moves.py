"""Moving without losing a byte, and the list that remembers where files were."""

import errno
import os
from pathlib import Path

import pytest

from tellapart.errors import InputError
from tellapart.storage import moves
from tellapart.storage.moves import Record, append_line, inside, move_file, read_list, sha256


@pytest.fixture
def elsewhere(monkeypatch):
    """Folders are file systems of their own: only a copy gets from one to another."""
    rename = Path.rename

    def across(self, target):
        if self.parent != Path(target).parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", across)


@pytest.fixture
def places(tmp_path):
    """A file to move, and the free place it should go to."""
    origin, target = tmp_path / "a" / "1.jpg", tmp_path / "b" / "2.jpg"
    origin.parent.mkdir()
    target.parent.mkdir()
    origin.write_bytes(b"photo")
    os.utime(origin, (1, 1))
    return origin, target


def left(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("path", ["../a", "a/../b", "/a", "a//b", "", ".", "a\0b", "out/a"])
def test_what_leads_out_is_nowhere(tmp_path, path):
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "out").symlink_to(tmp_path)
    assert inside(tmp_path / "root", path) is None


def test_what_stays_inside_need_not_exist_and_may_be_a_link(tmp_path):
    (tmp_path / "link").symlink_to("/nowhere")
    assert inside(tmp_path, "a/b.jpg") == tmp_path / "a" / "b.jpg"
    assert inside(tmp_path, "link") == tmp_path / "link"


def test_a_file_is_moved(places):
    origin, target = places
    move_file(origin, target)
    assert (left(origin.parent), target.read_bytes()) == ([], b"photo")


def test_another_file_system_gets_a_whole_copy_with_its_time(places, elsewhere):
    origin, target = places
    move_file(origin, target)
    assert (left(origin.parent), left(target.parent), target.read_bytes()) == ([], ["2.jpg"], b"photo")
    assert target.stat().st_mtime == 1


def test_a_link_is_moved_itself(places, elsewhere):
    origin, target = places
    origin.unlink()
    origin.symlink_to("/nowhere")
    move_file(origin, target)
    assert (left(origin.parent), os.readlink(target)) == ([], "/nowhere")


def test_a_copy_that_differs_is_no_move(places, elsewhere, monkeypatch):
    origin, target = places
    monkeypatch.setattr(moves, "sha256", lambda path: path.name)
    with pytest.raises(OSError, match="its copy differs"):
        move_file(origin, target)
    assert (origin.read_bytes(), left(target.parent)) == (b"photo", [])


def test_an_original_that_may_not_go_has_not_moved(places, elsewhere, monkeypatch):
    origin, target = places
    unlink = Path.unlink

    def refuse(self, missing_ok=False):
        if self == origin:
            raise PermissionError(errno.EACCES, "Permission denied")
        unlink(self, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(PermissionError):
        move_file(origin, target)
    assert (origin.read_bytes(), left(target.parent)) == (b"photo", [])


def test_the_hash_of_a_file(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    (tmp_path / "link").symlink_to("/nowhere")
    assert sha256(tmp_path / "a").startswith("e3b0c442")
    assert sha256(tmp_path / "link") == ""


def test_the_last_line_of_a_place_counts(tmp_path):
    path = tmp_path / "list.jsonl"
    assert read_list(path) == []
    for home, held in (("a", "1"), ("b", "2"), ("\udcff", "1")):
        append_line(path, {"from": home, "to": held, "source": "/photos", "why": "blurred"})
    assert read_list(path) == [Record("b", "2", "/photos"), Record("\udcff", "1", "/photos")]


@pytest.mark.parametrize("torn", ['{"from": "x', "3", '{"from": 1, "to": "2", "source": "/"}', "[" * 100_000])
def test_a_torn_line_is_closed_and_counts_no_longer(tmp_path, torn):
    path = tmp_path / "list.jsonl"
    path.write_text(torn)
    append_line(path, {"from": "a", "to": "1", "source": "/photos"})
    assert read_list(path) == [Record("a", "1", "/photos")]


def test_a_list_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="cannot be read: is a directory"):
        read_list(tmp_path)

"""What lies below a folder, and why some of it can be no photo; test_source.py has what becomes of it."""

import os

import pytest

from tellapart.data.listing import extension, is_stray, list_folder, reason_by_name


@pytest.mark.parametrize(
    ("name", "stray"),
    [
        (".DS_Store", True),
        ("Thumbs.db", True),
        ("__MACOSX", True),
        ("Icon\r", True),
        (".photo.jpg.icloud", False),  # waits in the cloud: the person is told
        ("photo.jpg", False),
        ("db", False),
    ],
)
def test_what_systems_leave_behind(name, stray):
    assert is_stray(name) == stray


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a.jpg", ""),
        ("a.CR2", ""),
        ("a", ""),
        ("a.jpg.TXT", "not a photo file (.txt)"),
        ("a.tar", "not a photo file (.tar)"),
        (".a.jpg.icloud", "still in iCloud, not on this computer"),
    ],
)
def test_a_name_can_rule_a_photo_out(name, reason):
    assert reason_by_name(name) == reason


def test_extensions():
    assert [extension(name) for name in ("a.JPG", "a.b.c", ".hidden", "a", "a.")] == ["jpg", "c", "", "", ""]


def test_every_file_with_the_reason_on_disk(tmp_path):
    for name, content in (("hat/1.jpg", b"photo"), ("hat/empty.jpg", b""), ("hat/.hidden/2.jpg", b"photo")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "none").mkdir()
    (tmp_path / "hat" / "gone.jpg").symlink_to("/nowhere.jpg")
    os.mkfifo(tmp_path / "hat" / "pipe.jpg")
    (tmp_path / "hat" / "round").symlink_to(tmp_path)  # leads back to where it lies in
    (tmp_path / "twin").symlink_to(tmp_path / "none")  # leads to a neighbour
    listing = list_folder(str(tmp_path))
    assert {"/".join(found.parts): found.reason for found in listing.files} == {
        "hat/1.jpg": "",
        "hat/empty.jpg": "empty file",
        "hat/gone.jpg": "broken link",
        "hat/pipe.jpg": "not a regular file",
    }
    assert listing.folders == {("hat",), ("none",), ("twin",)}
    assert all(found.place == os.path.join(tmp_path, *found.parts) for found in listing.files)

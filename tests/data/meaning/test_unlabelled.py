"""Photos without class folders are photos without labels."""

import os
import shutil

import pytest

from tellapart.data.meaning.unlabelled import scan_any, scan_unlabelled
from tellapart.data.source import scan
from tellapart.errors import InputError


@pytest.fixture
def loose(clothing_folder, tmp_path):
    folder = tmp_path / "loose"
    folder.mkdir()
    for photo in sorted((clothing_folder / "hat").iterdir())[:4]:
        shutil.copyfile(photo, folder / photo.name)
    (folder / "notes.txt").write_text("no photo")
    return folder


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_every_file_is_a_photo_or_has_its_reason(loose, tmp_path, kind):
    source = str(loose) if kind == "folder" else shutil.make_archive(str(tmp_path / "packed"), "zip", loose)
    with pytest.raises(InputError, match="no class folders"):
        scan(source)
    dataset = scan_any(source)
    assert dataset.class_names == ("",)
    assert [os.path.basename(photo) for photo in dataset.photos] == sorted(p.name for p in loose.glob("*.jpg"))
    assert [skipped.photo.endswith("notes.txt") for skipped in dataset.skipped] == [True]
    assert dataset.read(0) == min(loose.glob("*.jpg")).read_bytes()


def test_class_folders_are_labels_unless_nobody_asks_for_them(clothing_folder):
    labelled, bare = scan_any(str(clothing_folder)), scan_unlabelled(str(clothing_folder))
    assert labelled.class_names == scan(clothing_folder).class_names
    assert bare.class_names == ("",)
    assert bare.photos == labelled.photos
    assert bare.places == labelled.places


def test_what_holds_no_photos_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    for scanned in (scan_any, scan_unlabelled):
        with pytest.raises(InputError, match="no photos"):
            scanned(str(tmp_path / "empty"))
        with pytest.raises(InputError, match="There is no"):
            scanned(str(tmp_path / "absent"))

"""A file is compared as the photo that it is, whatever it is called."""

import shutil

import pytest

from tellapart.errors import InputError, PhotoError
from tellapart.shards.embedding import How, embed
from tellapart.workflow.many.similar import similar


def test_a_copy_of_a_photo_finds_it_and_a_uri_finds_the_others(clothing_folder, tmp_path):
    photos, dest = tmp_path / "photos", tmp_path / "dest"
    photos.mkdir()
    for i, photo in enumerate(sorted((clothing_folder / "hat").iterdir())[:7]):
        shutil.copyfile(photo, photos / f"{i}.jpg")
    embed(str(photos), dest, How("fast", shard_size=3))
    shutil.move(photos / "3.jpg", tmp_path / "elsewhere.jpg")  # nothing in DEST is opened
    first, *others = similar(dest, str(tmp_path / "elsewhere.jpg"), 7).photos
    assert (first.uri, first.label) == ("3.jpg", "")
    assert first.similarity == pytest.approx(1, abs=1e-5)
    assert similar(dest, "3.jpg", 7).photos == tuple(others)
    with pytest.raises(InputError, match="no file, and no photo"):
        similar(dest, "9.jpg")
    (tmp_path / "no.jpg").write_text("no photo")
    with pytest.raises(PhotoError):
        similar(dest, str(tmp_path / "no.jpg"))
    manifest = dest / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"network": "', '"network": "older '))
    with pytest.raises(InputError, match="another network"):
        similar(dest, str(tmp_path / "elsewhere.jpg"))

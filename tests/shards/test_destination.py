"""What lies in a folder of shards, and what is refused in its place."""

import json
import os

import numpy as np
import pytest

from tellapart.errors import InputError
from tellapart.shards.destination import dealt, is_shards, opened, place_of, uri_of
from tellapart.shards.embedding import How, embed

HOW = How(quality="fast", shard_size=9)


@pytest.mark.parametrize(
    "name", [b"hat/1.jpg", "hüte/ü 1.jpg".encode(), b"hat/\xff\xfe.jpg", b"bytes:00.jpg", b"../x.jpg"]
)
def test_a_name_is_found_again_whatever_its_bytes(tmp_path, name):
    root = tmp_path / "photos"
    root.mkdir()
    place = os.path.normpath(os.path.join(root, os.fsdecode(name)))
    uri = uri_of(place, root)
    uri.encode()
    assert place_of(uri, root) == place


def test_photos_are_dealt_evenly_and_by_their_names_alone():
    uris = [f"class/{i}.jpg" for i in range(1000)]
    shards = dealt(uris, 64)
    assert np.bincount(shards).tolist() == [64] * 15 + [40]
    assert (dealt(uris[::-1], 64)[::-1] == shards).all()
    halves = np.bincount(shards[:500], minlength=16)  # each shard is a sample of all
    assert halves[:15].min() > 16
    assert halves[:15].max() < 48


def test_names_that_are_no_text_are_embedded(photos, tmp_path):
    first = min((photos / "hat").iterdir())
    odd = os.fsencode(photos / "hat") + b"/\xff\xfe.jpg"
    os.rename(first, odd)
    done = embed(str(photos), tmp_path / "d", HOW)
    assert done.photos == 41
    assert opened(tmp_path / "d").listed.uris.count("bytes:" + b"hat/\xff\xfe.jpg".hex()) == 1
    assert embed(str(photos), tmp_path / "d", HOW).changed == 0


@pytest.mark.parametrize("kind", ["file", "folder", "model"])
def test_something_else_is_not_written_into(photos, model, tmp_path, kind):
    target = tmp_path / "target"
    if kind == "file":
        target.write_text("mine")
    elif kind == "folder":
        target.mkdir()
        (target / "letter.txt").write_text("mine")
    else:
        target = model
    with pytest.raises(InputError, match="no folder of shards"):
        embed(str(photos), target, HOW)
    assert not (target / "features").exists()


def test_an_empty_folder_is_begun_in(photos, tmp_path):
    (tmp_path / "empty").mkdir()
    assert embed(str(photos), tmp_path / "empty", HOW).made == 5


def test_a_later_format_and_a_damaged_manifest_are_said(filled):
    manifest = filled / "manifest.json"
    said = json.loads(manifest.read_bytes())
    manifest.write_text(json.dumps({**said, "format": 2}))
    with pytest.raises(InputError, match="later tellapart"):
        opened(filled)
    del said["shard_size"]
    manifest.write_text(json.dumps(said))
    with pytest.raises(InputError, match="damaged"):
        opened(filled)
    manifest.write_text("{")
    assert not is_shards(filled)
    with pytest.raises(InputError, match="no folder of shards"):
        opened(filled)


def test_a_begun_folder_without_its_manifest_is_begun_again(photos, filled, contents):
    """A kill between the tables and the manifest, which is written last."""
    before = contents(filled)
    (filled / "manifest.json").unlink()
    for path in (filled / "features").iterdir():
        path.unlink()
    (filled / "features").rmdir()
    embed(str(photos), filled, HOW)
    assert contents(filled) == before

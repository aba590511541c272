"""Data sets (`hf:`) are found again by what shards keep of them, from wherever the shards are opened."""

import json
import os
import shutil

import pytest

from tellapart.data.remote.hub_again import HubAgain, folder_in, lasting_source, source_in
from tellapart.data.remote.place import place_named
from tellapart.data.source import scan
from tellapart.errors import InputError, PhotoError
from tellapart.shards.destination import opened
from tellapart.shards.embedding import EmbedJob, How, embed
from tellapart.shards.origin import reader_at
from tellapart.shards.reading import photos_of
from tellapart.shards.updating import bring_up_to_date

datasets = pytest.importorskip("datasets", reason="datasets is not installed: pip install 'tellapart[hub]'")
pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install 'tellapart[shards]'")
HOW = How(quality="fast", shard_size=4)


@pytest.fixture
def packed(clothing_folder, tmp_path, monkeypatch):
    """A data set of 8 photos in two classes in the folder `packed` of the working folder."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    paths = [path for name in ("dress", "hat") for path in sorted((clothing_folder / name).iterdir())[:4]]
    label = datasets.ClassLabel(names=["dress", "hat"])
    columns = {
        "image": [{"bytes": path.read_bytes(), "path": None} for path in paths],
        "label": [i // 4 for i in range(8)],
    }
    rows = datasets.Dataset.from_dict(columns, datasets.Features({"image": datasets.Image(), "label": label}))
    (tmp_path / "packed").mkdir()
    rows.to_parquet(tmp_path / "packed" / "train.parquet")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "packed"


def test_photos_of_shards_are_had_again_from_another_folder(packed, extractor, tmp_path, monkeypatch):
    source = "hf:./packed:train#label"
    wanted = [scan(source).read(i) for i in range(8)]
    embed(source, tmp_path / "dest", HOW)
    manifest = json.loads((tmp_path / "dest" / "manifest.json").read_bytes())
    assert manifest["root"] == f"hf:{packed}:train#label"
    of_before = manifest | {"root": os.path.abspath(source)}  # what was kept once
    monkeypatch.chdir(packed)
    for said in (manifest, of_before):
        (tmp_path / "dest" / "manifest.json").write_text(json.dumps(said))
        dataset = photos_of(tmp_path / "dest", extractor.extractor_key).dataset
        assert [dataset.read(i) for i in range(8)] == wanted
        found = opened(tmp_path / "dest")
        reader = reader_at(found.manifest, source, allow_private=False)
        assert [reader.read(uri) for uri in found.listed.uris] == wanted
        assert not bring_up_to_date(found, scan(f"hf:{packed}:train#label"))


def test_a_data_set_that_is_gone_is_the_reason_of_each_photo(packed, extractor, tmp_path):
    embed("hf:./packed", tmp_path / "dest", HOW)
    shutil.rmtree(packed)
    dataset = photos_of(tmp_path / "dest", extractor.extractor_key).dataset
    for i in range(2):
        with pytest.raises(PhotoError, match="cannot be read") as raised:
            dataset.read(i)
        assert raised.value.code == "unreachable"
    with pytest.raises(InputError, match="cannot be read"):
        reader_at(opened(tmp_path / "dest").manifest, "hf:./packed", allow_private=False)


def test_shards_are_not_put_into_the_data_set(packed):
    with pytest.raises(InputError, match="lies within the photos"):
        EmbedJob("hf:./packed", place_named("packed/shards"), HOW).run(n_workers=1, progress=lambda *_: None)


def test_names(packed, tmp_path):
    assert folder_in("hf:./packed:train") == "./packed"
    assert folder_in("hf:beans") == folder_in("packed") == ""
    for source in ("hf:beans", "hf:owner/name:train", "hf:cifar100#fine_label"):
        assert lasting_source(source) == source == source_in(source)
        assert source_in(f"/somewhere/{source}") == source
    assert lasting_source("hf:packed:test#a") == f"hf:{packed}:test#a" == lasting_source("hf:./packed:test#a")
    assert source_in(str(packed)) == source_in("") == source_in("s3://bucket/hf") == ""
    folder = tmp_path / "hf:strange"
    folder.mkdir()
    assert source_in(str(folder)) == ""
    assert HubAgain.kind == "data set"

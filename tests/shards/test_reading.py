"""Shards give back what was computed; labels are those of the table as it is now."""

import shutil

import numpy as np
import pytest

from tellapart.data.source import scan
from tellapart.errors import InputError
from tellapart.shards import parquet
from tellapart.shards.embedding import How, embed
from tellapart.shards.reading import photos_of

HOW = How(quality="fast", shard_size=9)


@pytest.fixture
def relabelled(filled):
    """Changes the table of labels: `relabelled(change)`, which gets and gives {column: values}."""

    def changed(change):
        pa, path = parquet.arrow(), filled / "labels" / "part-0.parquet"
        table = pa.table(change(parquet.load(path).to_pydict()))
        __import__("pyarrow.parquet").parquet.write_table(table, path)

    return changed


def test_features_are_those_of_the_extractor(photos, filled, extractor):
    stored = photos_of(filled, extractor.extractor_key)
    dataset = scan(str(photos))
    wanted, found = extractor.extract(dataset), stored.features()
    assert found.values.tobytes() == wanted.values.tobytes()
    assert found.pictures.tobytes() == wanted.pictures.tobytes()
    assert (found.pixel_hashes == wanted.pixel_hashes).all()
    assert {i: (e.code, e.message) for i, e in found.errors.items()} == {
        i: (e.code, e.message) for i, e in wanted.errors.items()
    }
    assert len(found.errors) == 1
    for name in ("source", "class_names", "photos", "skipped", "notes"):
        assert getattr(stored.dataset, name) == getattr(dataset, name), name
    assert (stored.dataset.labels == dataset.labels).all()
    assert (stored.dataset.splits == dataset.splits).all()
    for i in range(dataset.n):
        if i not in wanted.errors:
            assert stored.dataset.read(i) == dataset.read(i)


def test_shards_in_which_no_photo_can_be_read_are_read(photos, extractor, tmp_path):
    for photo in list((photos / "hat").glob("*.jpg"))[:6]:
        photo.write_bytes(b"no photo at all")
    embed(str(photos), tmp_path / "small", How("fast", shard_size=1))
    found = photos_of(tmp_path / "small", extractor.extractor_key).features()
    wanted = extractor.extract(scan(str(photos)))
    assert found.errors.keys() == wanted.errors.keys()
    assert len(found.errors) >= 6
    assert found.values.tobytes() == wanted.values.tobytes()


def test_a_manifest_that_lies_about_the_features_is_refused(filled, extractor):
    manifest = filled / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"n_features": 1280', '"n_features": 640'))
    with pytest.raises(InputError, match="another length"):
        photos_of(filled, extractor.extractor_key).features()


def test_labels_splits_and_groups_are_those_of_now(filled, extractor, relabelled):
    def change(columns):
        columns["label"] = ["cap" if label == "hat" else label for label in columns["label"]]
        columns["split"] = ["test" if i % 4 == 0 else "train" for i in range(len(columns["uri"]))]
        columns["group"] = [str(i // 2) for i in range(len(columns["uri"]))]
        return columns

    relabelled(change)
    dataset = photos_of(filled, extractor.extractor_key).dataset
    assert dataset.class_names == ("cap", "dress")
    assert dataset.given_split
    assert dataset.tested.sum() == 11
    assert dataset.groups.n == 21


def test_photos_taken_out_of_the_labels_are_not_used(filled, extractor, relabelled):
    whole = photos_of(filled, extractor.extractor_key)
    relabelled(lambda columns: {name: values[5:] for name, values in columns.items()})
    part = photos_of(filled, extractor.extractor_key)
    kept = [whole.uris.index(uri) for uri in part.uris]
    assert len(kept) == whole.dataset.n - 5
    assert (part.features().values == whole.features().values[kept]).all()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: {**c, "uri": [f"new/{uri}" for uri in c["uri"]]}, "in no shard"),
        (lambda c: {name: values + values[:1] for name, values in c.items()}, "stands twice"),
        (lambda c: {**c, "split": ["sometimes"] * len(c["uri"])}, "the split sometimes"),
        (
            lambda c: {**c, "split": ["crossed", "test"] * (len(c["uri"]) // 2) + ["train"]},
            r"crossed and test \(photo '",
        ),
        (lambda c: {**c, "split": ["test", *["train"] * (len(c["uri"]) - 2), ""]}, r"gives photo '.*' no split"),
        (lambda c: {**c, "label": [None] * len(c["uri"])}, "the label None"),
        (lambda c: {"uri": c["uri"]}, "no columns uri and label"),
        (lambda c: {name: values[:0] for name, values in c.items()}, "no labels"),
    ],
)
def test_labels_that_cannot_be_meant_are_refused(filled, extractor, relabelled, change, says):
    relabelled(change)
    with pytest.raises(InputError, match=says):
        photos_of(filled, extractor.extractor_key)


def test_shards_that_are_not_done_or_of_another_network_are_refused(filled, extractor):
    with pytest.raises(InputError, match="another network") as raised:
        photos_of(filled, "another network")
    assert "--quality fast" in raised.value.hint
    with pytest.raises(InputError, match="column group"):
        photos_of(filled, extractor.extractor_key, "{group}_*")
    (filled / "features" / "000001.parquet").unlink()
    with pytest.raises(InputError, match="1 of 5 shards"):
        photos_of(filled, extractor.extractor_key)


def test_deleted_labels_are_made_again_from_the_photos_of_now(photos, filled, extractor):
    moved = min((photos / "hat").iterdir())
    shutil.copyfile(moved, photos / "dress" / "new.jpg")
    shutil.rmtree(filled / "labels")
    embed(str(photos), filled, HOW)
    stored = photos_of(filled, extractor.extractor_key)
    assert stored.dataset.n == 41  # the new one is in no shard yet
    assert np.isfinite(stored.features().values).all()


def test_a_zip_and_a_label_file_with_groups_come_back(photos, extractor, tmp_path):
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", photos)
    embed(packed, tmp_path / "of-zip", HOW)
    stored = photos_of(tmp_path / "of-zip", extractor.extractor_key)
    assert stored.dataset.read(0) == scan(packed).read(0)
    names = sorted(path.name for path in (photos / "dress").glob("*.jpg"))
    lines = ["path,label,patient", *(f"dress/{name},{'ab'[i % 2]},p{i // 3}" for i, name in enumerate(names))]
    (photos / "labels.csv").write_text("\n".join(lines))
    embed(str(photos / "labels.csv"), tmp_path / "of-table", HOW)
    dataset, wanted = photos_of(tmp_path / "of-table", extractor.extractor_key).dataset, scan(photos / "labels.csv")
    assert dataset.groups == wanted.groups or dataset.groups.names == wanted.groups.names
    assert dataset.groups.by == "patient"
    assert dataset.photos == wanted.photos
    assert dataset.read(3) == wanted.read(3)

"""A row of a shard is what the cache and the checks know of the photo, bit for bit."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from tellapart.checks.image_stats import DECODED_PX, image_stats_of
from tellapart.data.source import Dataset
from tellapart.errors import InputError, PhotoError
from tellapart.features.cache import FeatureCache, embedding_key
from tellapart.features.extract import Extractor, bundled_extractor
from tellapart.shards.rows import NUMBERS, Row, processor, rows_together, table_of, vectors_in


@pytest.fixture(scope="module")
def table(clothing, extractor):
    rows = rows_together([str(i) for i in range(12)], lambda uri: clothing.read(int(uri)), extractor)
    return table_of(rows, extractor.backbone.n_features, "float32")


def test_features_hash_and_picture_are_those_of_the_cache(clothing, extractor, table, tmp_path):
    cache = FeatureCache(tmp_path / "features.sqlite")
    caching = Extractor(extractor.backbone, extractor.preprocessing, cache)
    caching.extract(clothing.subset(range(12)))
    vectors = vectors_in(table["features"])
    for i in range(12):
        data = clothing.read(i)
        known = cache.get(embedding_key(data, caching.extractor_key))
        assert vectors[i].tobytes() == known.features.tobytes()
        assert table["pixel_hash"][i].as_py() == known.pixel_hash
        assert table["grey"][i].as_py() == known.picture.tobytes()
        assert table["etag"][i].as_py() == hashlib.sha256(data).hexdigest()[:32]
    cache.close()


def test_looks_are_those_of_the_checks(clothing, table):
    stats = image_stats_of(clothing.subset(range(12)))
    for name in NUMBERS:
        assert table[name].to_numpy().tobytes() == getattr(stats, name).tobytes(), name
    assert vectors_in(table["border"]).tobytes() == stats.border.tobytes()
    assert table["format"].to_pylist() == stats.format.tolist()
    assert table["width"].to_pylist() == stats.width_px.tolist()
    assert table["height"].to_pylist() == stats.height_px.tolist()
    assert table["bytes"].to_pylist() == stats.bytes.tolist()
    assert table["camera"].to_pylist() == stats.camera.tolist()
    assert table["day"].to_pylist() == stats.day.tolist()


def test_looks_are_the_same_whatever_the_network(tmp_path):
    """A side of 1000 px is halved while decoding for `fast`, and not for the look."""
    image = np.random.default_rng(0).integers(0, 256, (50, 60, 3), np.uint8)
    Image.fromarray(image).resize((1200, 1000), Image.Resampling.NEAREST).save(tmp_path / "a.jpg")
    dataset = Dataset.from_lists([tmp_path / "a.jpg"], ["a"])
    stats = image_stats_of(dataset)
    with bundled_extractor("fast", "crop", keep=False) as fast:
        assert fast.preprocessing.min_side_px * 2 <= 1000 < DECODED_PX * 2
        [row] = rows_together(["a.jpg"], lambda uri: dataset.read(0), fast)
    assert (
        row.numbers.tobytes() == np.array([*(getattr(stats, name)[0] for name in NUMBERS), *stats.border[0]]).tobytes()
    )


def test_a_photo_that_cannot_be_read_has_its_reason_and_nothing_else(clothing, extractor):
    def read(uri):
        if uri == "gone.jpg":
            raise PhotoError("The file does not exist.", code="missing")
        return clothing.read(0)[:3000] if uri == "cut.jpg" else clothing.read(1)

    rows = rows_together(["gone.jpg", "cut.jpg", "whole.jpg"], read, extractor)
    table = table_of(rows, extractor.backbone.n_features, "float32")
    assert table["code"].to_pylist() == ["missing", "truncated", None]
    assert table["skipped"][0].as_py() == "The file does not exist."
    assert table["bytes"].to_pylist() == [None, 3000, len(clothing.read(1))]
    for name in ("features", "border", "grey", "pixel_hash", "brightness", "format"):
        assert [value.is_valid for value in table[name]] == [False, False, True], name
    assert vectors_in(table["features"]).tobytes() == extractor.embed(clothing.read(1)).features.tobytes()


def test_float16_is_the_nearest_and_what_does_not_fit_is_refused(clothing, extractor):
    [row] = rows_together(["1.jpg"], lambda uri: clothing.read(1), extractor)
    half = table_of([row], extractor.backbone.n_features, "float16")
    assert (vectors_in(half["features"])[0] == row.embedding.features.astype(np.float16)).all()
    large = Row("x", embedding=type(row.embedding)(np.full(3, 1e5, np.float32), bytes(16), row.embedding.picture))
    with pytest.raises(InputError, match="too large for float16"):
        table_of([large], 3, "float16")


def test_one_processor_has_one_name(extractor):
    assert processor(extractor) == processor(extractor)
    assert len(processor(extractor)) == 12

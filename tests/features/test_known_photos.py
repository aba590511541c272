"""What is known of photos by the hashes of their pixels: from the cache, or from where they lie."""

import numpy as np
import pytest

from tellapart.data.preprocess import Preprocess, read_pixels
from tellapart.features.cache import FeatureCache
from tellapart.features.extract import Extractor, hash_pixels
from tellapart.features.known_photos import known_photos


@pytest.fixture
def cached(extractor, tmp_path):
    """The fast extractor with an empty cache of its own."""
    cached = Extractor(extractor.backbone, extractor.preprocessing, FeatureCache(tmp_path / "features.sqlite"))
    yield cached
    cached.cache.close()


@pytest.fixture
def few(clothing):
    return clothing.subset([3, 25, 44, 61])


@pytest.fixture
def hashes(clothing_features):
    return [clothing_features.pixel_hashes[i].decode() for i in (3, 25, 44, 61)]


def test_what_the_cache_knows_is_found_without_any_photo(cached, few, hashes):
    seen = cached.extract(few)
    known = known_photos([*hashes, "0" * 32], [], cached, cached.preprocessing)
    assert known.hashes == tuple(sorted(hashes))
    order = np.argsort(hashes)
    assert np.array_equal(known.values, seen.values[order])
    assert np.array_equal(known.pictures, seen.pictures[order])


def test_an_empty_cache_and_no_place_know_nothing(cached, hashes):
    known = known_photos(hashes, [], cached, cached.preprocessing)
    assert known.hashes == ()
    assert known.values.shape == (0, cached.backbone.n_features)


def test_photos_that_lie_where_they_were_are_read_and_remembered(cached, few, hashes):
    stages = []
    places = [*few.places]
    known = known_photos(hashes, places, cached, cached.preprocessing, lambda *stage: stages.append(stage))
    assert known.hashes == tuple(sorted(hashes))
    assert stages[-1][1:] == (4, 4)
    assert known_photos(hashes, [], cached, cached.preprocessing).hashes == known.hashes


def test_another_photo_in_its_place_is_not_taken_for_it(cached, clothing, hashes):
    places = [clothing.places[i] for i in (3, 4, 5)]
    assert known_photos(hashes, places, cached, cached.preprocessing).hashes == (hashes[0],)


def test_a_model_that_reads_photos_otherwise_knows_them_by_its_own_pixels(cached, few, hashes):
    """A network of its own: the cache knows photos by the pixels of the bundled one."""
    cached.extract(few)
    own = Preprocess(96, "squash")
    trained_on = [hash_pixels(read_pixels(few.read(i), own)).hex() for i in range(3)]
    assert known_photos(trained_on, [], cached, own).hashes == ()
    assert known_photos(hashes, [*few.places], cached, own).hashes == ()
    known = known_photos(trained_on, [*few.places], cached, own)
    assert known.hashes == tuple(sorted(trained_on))
    assert np.array_equal(known.values, cached.extract(few).values[np.argsort(trained_on)])

"""Shard by shard, the photos are those that are read all at once."""

import numpy as np
import pytest

from tellapart.shards import many as many_module
from tellapart.shards.many import Kept, Part, many_photos
from tellapart.shards.reading import photos_of


def test_pieces_together_are_what_is_read_at_once(filled, extractor):
    photos = photos_of(filled, extractor.extractor_key)
    whole, many = photos.features(), many_photos(photos)
    assert (many.usable == whole.usable).all()
    assert (many.pixel_hashes == whole.pixel_hashes[whole.usable]).all()
    assert {i: e.message for i, e in many.errors.items()} == {i: e.message for i, e in whole.errors.items()}
    assert sorted(np.concatenate([many.places(i) for i in range(len(many))]).tolist()) == list(range(many.n))
    for piece in range(len(many)):
        at = many.usable[many.places(piece)]
        assert (many.features(piece) == whole.values[at]).all()
        assert (many.pictures(piece) == whole.pictures[at]).all()


def test_some_of_them_and_parts(filled, extractor):
    photos = photos_of(filled, extractor.extractor_key)
    whole, many = photos.features(), many_photos(photos)
    some = np.arange(0, many.n, 3)
    assert (many.of(some).values == whole.values[many.usable[some]]).all()
    labels = photos.dataset.labels[many.usable]
    part = Part(many, labels, np.isin(np.arange(many.n), some))
    read = [part[i] for i in range(len(part))]
    assert sum(len(features) for features, _ in read) == len(some)
    assert np.bincount(np.concatenate([own for _, own in read])).tolist() == np.bincount(labels[some]).tolist()


@pytest.mark.parametrize("room", [2, float("inf")], ids=["room", "no room"])
def test_what_is_kept_is_what_was_read(filled, extractor, monkeypatch, room):
    many = many_photos(photos_of(filled, extractor.extractor_key))
    monkeypatch.setattr(many_module, "ROOM", room)
    labels = many.photos.dataset.labels[many.usable]
    part = Part(many, labels, np.arange(many.n) % 3 > 0)
    with Kept(part) as kept:
        assert len(kept) == len(part)
        for _ in range(2):
            for piece in range(len(part)):
                for mine, own in zip(kept[piece], part[piece], strict=True):
                    assert mine.dtype == own.dtype
                    assert (mine == own).all()
        for path in filled.glob("features/*.parquet"):  # only what is kept is not read again
            path.rename(path.with_suffix(".away"))
        if room == 2:
            assert sum(len(kept[piece][0]) for piece in range(len(part))) == part.wanted.sum()
        for path in filled.glob("features/*.away"):
            path.rename(path.with_suffix(".parquet"))

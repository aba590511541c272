"""What is likest is what all against all would say."""

import numpy as np
import pytest

from tellapart.data.duplicates import centred_cosines
from tellapart.errors import InputError
from tellapart.shards.destination import opened
from tellapart.shards.nearest import features_of, similar_to
from tellapart.shards.reading import photos_of


def test_the_nearest_are_those_of_all_against_all(filled, extractor):
    stored, found = photos_of(filled, extractor.extractor_key), opened(filled)
    features = stored.features()
    use = features.usable
    for own in use[::9]:
        others = use[use != own]
        pairs = np.stack([np.full(len(others), np.searchsorted(use, own)), np.searchsorted(use, others)], axis=1)
        cosines = centred_cosines(features.values[use], pairs)
        uri = stored.uris[own]
        said = similar_to(found, features_of(found, uri), 5, without=uri)
        order = np.argsort(-cosines)[:5]
        assert [one.uri for one in said.photos] == [stored.uris[others[i]] for i in order]
        assert [one.similarity for one in said.photos] == pytest.approx(cosines[order].tolist(), abs=1e-5)
        assert [one.label for one in said.photos] == [one.uri.split("/")[0] for one in said.photos]
        assert said.compared == len(use)


def test_shards_that_are_not_done_are_counted_and_a_photo_without_features_is_said(filled):
    found = opened(filled)
    uri = next(uri for uri in found.listed.there if uri.startswith("dress"))
    features = features_of(found, uri)
    with pytest.raises(InputError, match="no features"):
        features_of(found, "hat/cut.jpg")
    with pytest.raises(InputError, match="no photo in"):
        features_of(found, "hat/absent.jpg")
    gone = int(found.listed.shards[found.listed.there[uri]])
    found.place(gone).unlink()
    said = similar_to(found, features, 50)
    assert said.not_done == 1
    assert uri not in [one.uri for one in said.photos]
    with pytest.raises(InputError, match="not done yet"):
        features_of(found, uri)

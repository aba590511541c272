"""Photos of shards that are like one that a person names."""

import os

from tellapart.data import photo as photos
from tellapart.data.remote.place import Place
from tellapart.errors import InputError
from tellapart.features.extract import bundled_extractor
from tellapart.shards.destination import opened
from tellapart.shards.nearest import Found, features_of, similar_to
from tellapart.shards.reading import refuse_answers
from tellapart.timing import Progress, usual_progress


def similar(path: Place, photo: str, n: int = 10, *, progress: Progress = usual_progress) -> Found:
    """The photos in the shards at `path` that are likest to `photo`.

    Args:
        path: a folder of shards, or its address; those that are done are looked into.
        photo: a file, or the uri of a photo in the shards, which is then not named itself.
        n: how many.
        progress: called with (stage, done, total).

    Raises:
        PhotoError: the file cannot be read.
        InputError: there are no shards, or there is no such photo, or they are of a network that is not here.
    """
    found = opened(path)
    refuse_answers(found)
    own = found.manifest
    if not os.path.isfile(photo):
        return similar_to(found, features_of(found, photo), n, without=photo, progress=progress)
    with bundled_extractor(own.quality, own.resize_mode, keep=False) as extractor:
        if extractor.extractor_key != own.network:
            raise InputError(
                f"'{path}' holds features of another network: {own.network}, not {extractor.extractor_key}.",
                hint="Name a photo in it by its uri, or embed the photos anew with this tellapart.",
            )
        features = extractor.embed(photos.read(photo)).features
    return similar_to(found, features, n, progress=progress)

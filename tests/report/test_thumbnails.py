"""Which photos a page gets as thumbnails, and that it never gets too many."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tellapart.data.source import Dataset
from tellapart.evaluation.evaluation import Advice, Suspect
from tellapart.report import thumbnails as pictures
from tellapart.report.sections import shown_photos
from tellapart.report.thumbnails import thumbnails
from tellapart.workflow.model_folder import page, pictures_of


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Twelve photos of noise in two classes, as a dataset."""
    folder, paths = tmp_path_factory.mktemp("photos"), []
    for i in range(12):
        path = folder / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.random.default_rng(i).integers(0, 255, (40, 30, 3), np.uint8)).save(path)
        paths.append(path)
    return Dataset.from_lists(paths, [path.parent.name for path in paths])


def test_each_photo_once_in_the_order_of_importance(photos):
    wanted = [photos.photos[i] for i in (3, 1, 3, 2)]
    made = thumbnails(photos, wanted)
    assert list(made) == [photos.photos[i] for i in (3, 1, 2)]
    assert len(set(made.values())) == 3
    assert made == thumbnails(photos, wanted)


def test_a_full_page_gets_no_more(photos, monkeypatch):
    sizes = {name: len(uri) for name, uri in thumbnails(photos, photos.photos).items()}
    first, second, third = photos.photos[:3]
    monkeypatch.setattr(pictures, "MAX_BYTES", 2 * sizes[first] + sizes[second])
    assert list(thumbnails(photos, [first, second, first, third])) == [first, second]  # the first is shown twice


def test_photos_that_went_away_are_named_only(photos, tmp_path):
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path in paths:
        Image.new("RGB", (8, 8)).save(path)
    dataset = Dataset.from_lists(paths, ["a", "b"])
    paths[0].unlink()
    assert list(thumbnails(dataset, dataset.photos)) == [dataset.photos[1]]


def test_the_page_shows_every_photo_it_speaks_of(made, photos):
    names = list(photos.photos)
    look = Advice("suspected_labels", "Look.", tuple(names[:8]), 0.0, {})
    scores = made.evaluation(n=30, names=("a", "b"))
    evaluation = replace(
        scores,
        advice=(look,),
        suspects=tuple(Suspect(name, "a", "b") for name in names[:8]),
        most_wrong=(replace(scores.most_wrong[0], photo=names[9]),),
    )
    assert shown_photos(evaluation) == [names[9], *names[:8]]
    html = page(evaluation, pictures_of(photos, shown_photos(evaluation)), "noise").decode()
    assert html.count("<img ") == 9
    assert len({part.split('"')[0] for part in html.split('<img src="')[1:]}) == 9
    evaluation = replace(evaluation, advice=(replace(look, photos=(*names[:8], "gone.jpg")),))
    assert page(evaluation, pictures_of(photos, shown_photos(evaluation)), "noise").decode().count("<img ") == 9

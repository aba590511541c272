"""Explaining from Python: the value alone, or the page that the command writes too."""

import shutil

import pytest

import tellapart
from tellapart.errors import InputError, PhotoError
from tellapart.report.inside_page import FILES, PAGE


@pytest.mark.slow
def test_a_value_that_a_notebook_shows_and_a_page_where_it_is_wanted(model, shared_data, tmp_path):
    photo, *others = sorted((shared_data / "clothing" / "test" / "hat").iterdir())[:4]
    hats = tmp_path / "hats"
    hats.mkdir()
    for path in (photo, *others):
        shutil.copy(path, hats)
    inside = tellapart.explain(model, photo, among=hats)
    assert inside.prediction.photo == str(photo)
    assert len(repr(inside).splitlines()) == 1 + len(inside.neighbours) == 5
    page = inside._repr_html_()
    assert page.count("data:image/webp") == 2 + len(inside.neighbours)
    assert list(tmp_path.iterdir()) == [hats]
    again = tellapart.explain(model, photo, output=tmp_path / "why", among=hats)
    assert again.to_json() == inside.to_json()
    assert FILES >= {file.name for file in (tmp_path / "why").iterdir()} >= {PAGE, "seen.png"}
    with pytest.raises(InputError):
        tellapart.explain(model, photo, output=tmp_path / "why")
    with pytest.raises(PhotoError):
        tellapart.explain(model, tmp_path / "missing.jpg")

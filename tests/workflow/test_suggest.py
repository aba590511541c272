"""Which photos are suggested: different ones, the same ones every time, and never one twice."""

import re
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tellapart.errors import InputError
from tellapart.workflow.suggest import MOST_FAR_SHARE, Suggested, Suggestion, choose, suggest


def pool(n, seed=0, c=3, d=8):
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.ones(c), n)
    return rng.standard_normal((n, d)).astype(np.float32), probs, np.zeros(n, bool), np.arange(n)


def chosen_by_brute_force(features, probs, copies, n):
    """The definition, without any running minimum."""
    centred = features - features.mean(axis=0, dtype=np.float64)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    taken = []
    for _ in range(n):
        best, most = None, -1.0
        for i in range(len(features)):
            if copies[i] in {copies[t] for t in taken}:
                continue
            second, first = sorted(probs[i])[-2:]
            distance = min([np.square(centred[i] - centred[t]).sum() for t in taken], default=4.0)
            if (1 - (first - second)) * distance > most + 1e-12:
                best, most = i, (1 - (first - second)) * distance
        if best is None:
            break
        taken.append(best)
    return taken


@pytest.mark.parametrize("seed", range(5))
def test_the_order_is_that_of_the_definition(seed):
    features, probs, far, copies = pool(40, seed)
    copies = copies // 2
    assert choose(features, probs, far, copies, 15) == chosen_by_brute_force(features, probs, copies, 15)


def test_the_first_is_the_closest_call():
    features, probs, far, copies = pool(30)
    two = np.sort(probs, axis=1)[:, -2:]
    assert choose(features, probs, far, copies, 1) == [int((two[:, 1] - two[:, 0]).argmin())]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(1, 40), st.integers(1, 5), st.integers(0, 99))
def test_no_copy_twice_and_never_more_than_there_are(n_photos, n, per_copy, seed):
    features, probs, far, copies = pool(n_photos, seed)
    copies = copies // per_copy
    chosen = choose(features, probs, far, copies, n)
    assert len(chosen) == min(n, len(set(copies.tolist())))
    assert len({copies[i] for i in chosen}) == len(chosen)


def test_fewer_are_the_first_of_more():
    features, probs, far, copies = pool(50)
    assert choose(features, probs, far, copies, 20)[:7] == choose(features, probs, far, copies, 7)


def test_the_order_of_the_photos_changes_nothing():
    features, probs, far, copies = pool(50)
    order = np.random.default_rng(1).permutation(50)
    mixed = choose(features[order], probs[order], far[order], copies[order], 20)
    assert order[mixed].tolist() == choose(features, probs, far, copies, 20)


def test_identical_photos_that_nobody_called_copies_still_all_come_in_the_end():
    features = np.ones((4, 3), np.float32)
    chosen = choose(features, np.full((4, 2), 0.5), np.zeros(4, bool), np.arange(4), 9)
    assert sorted(chosen) == [0, 1, 2, 3]


def test_far_photos_take_only_their_share():
    features, probs, far, copies = pool(100)
    far[:50] = True
    probs[:50] = [0.34, 0.33, 0.33]  # the closest calls of all
    chosen = choose(features, probs, far, copies, 20)
    assert len(chosen) == 20
    assert far[chosen].sum() == round(MOST_FAR_SHARE * 20)


@pytest.fixture(scope="module")
def unlabelled(shared_data, tmp_path_factory):
    """Twelve photos of garments, three of them again (once byte for byte, once mirrored and small), one broken."""
    folder = tmp_path_factory.mktemp("unlabelled")
    names = ("dress", "hat", "shirt", "shoes")
    photos = [p for name in names for p in sorted((shared_data / "clothing" / "test" / name).iterdir())[:3]]
    for i, source in enumerate(photos):
        shutil.copy(source, folder / f"{i:02}.jpg")
    shutil.copy(photos[0], folder / "again.jpg")
    with Image.open(photos[4]) as image:
        image.convert("RGB").resize((image.width * 3 // 4, image.height * 3 // 4)).save(folder / "small.jpg")
    (folder / "broken.jpg").write_bytes(b"no photo")
    return folder


def test_a_folder_of_photos(model, unlabelled):
    found = suggest(model, [str(unlabelled)], 50)
    names = [s.photo.rsplit("/", 1)[-1] for s in found.suggestions]
    assert found.n_looked_at == 14
    assert len(names) == len(set(names))
    assert len({"00.jpg", "again.jpg"} & set(names)) == 1
    assert len({"04.jpg", "small.jpg"} & set(names)) == 1
    assert found.n_copies >= 2
    assert len(names) <= found.n_looked_at - found.n_copies
    assert [(s.photo.rsplit("/", 1)[-1], bool(s.reason)) for s in found.skipped] == [("broken.jpg", True)]
    for s in found.suggestions:
        assert s.reason.startswith(("close call: ", "unlike "))
        assert s.class_name in {"dress", "hat", "pants", "shoes"}
        assert 0.25 <= s.confidence <= 1
    assert set(found.suggestions[0].to_json()) == {"photo", "reason", "class_name", "confidence"}
    backwards = [str(path) for path in sorted(unlabelled.iterdir(), reverse=True)]
    assert suggest(model, backwards, 5).suggestions == suggest(model, [str(unlabelled)], 5).suggestions


def test_progress_ends_at_the_number_of_photos(model, unlabelled):
    seen = []
    suggest(model, [str(unlabelled)], 1, lambda stage, done, total: seen.append((done, total)))
    assert seen[-1] == (15, 15)


def test_nothing_to_choose_from(model, tmp_path):
    with pytest.raises(InputError, match="There are no photos in the folder"):
        suggest(model, [str(tmp_path)], 5)
    with pytest.raises(InputError, match="There are no photos to choose from"):
        suggest(model, [], 5)
    (tmp_path / "a.jpg").write_bytes(b"no photo")
    with pytest.raises(InputError, match=r"Not one of 1 photo can be read\. The first is "):
        suggest(model, [str(tmp_path)], 5)


def test_no_suggestions_cannot_be_asked_for(model, unlabelled):
    with pytest.raises(InputError, match="at least 1"):
        suggest(model, [str(unlabelled)], 0)


def test_from_python_a_folder_is_enough_and_a_notebook_shows_it(model, clothing_folder):
    one, several = (suggest(model, source, n=30) for source in (clothing_folder / "hat", [clothing_folder / "hat"]))
    assert one == several
    assert len(one.suggestions) == 20
    assert len(repr(one).splitlines()) <= 22
    assert one._repr_html_().count("data:image/webp") == 20
    assert [row["photo"] for row in one.to_json()["suggestions"]] == [s.photo for s in one.suggestions]
    hostile = Suggested((Suggestion("<b>.jpg", "<i>", "<u>", 0.5),), 1, 0, ())
    assert not {"<b>", "<i>", "<u>"} & set(re.findall(r"<\w>", hostile._repr_html_()))

"""Copies that features do not know are found by looking, and nothing else is."""

import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from tellapart import parallel
from tellapart.data.copy_verdict import Agreement
from tellapart.data.duplicates import find_duplicates
from tellapart.data.grey_picture import SIDE_PX
from tellapart.data.source import Dataset
from tellapart.features import copies
from tellapart.features import nearest as near
from tellapart.features.copies import candidates, copies_between, copies_by_looking, looked_at
from tellapart.features.nearest import NEAREST

N_ORIGINALS = 15


def resized(image, share, resample=Image.Resampling.LANCZOS):
    return image.resize((round(image.width * share), round(image.height * share)), resample)


def cropped(image):
    x, y = image.width // 30, image.height // 15
    return image.crop((x, y, x + round(image.width * 0.9), y + round(image.height * 0.9)))


def framed(image):
    return ImageOps.expand(image, (image.width // 8, image.height // 20, 0, image.height // 9), (20, 120, 60))


def marked(image):
    image = image.copy()
    width, height = round(image.width * 0.3), round(image.height * 0.15)
    image.paste(
        (255, 255, 255), (image.width // 3, image.height // 2, image.width // 3 + width, image.height // 2 + height)
    )
    return image


CHANGES = {
    "half": (lambda image: resized(image, 0.5, Image.Resampling.NEAREST), 90),
    "double": (lambda image: resized(image, 2, Image.Resampling.BICUBIC), 90),
    "JPEG 25": (lambda image: image, 25),
    "mirrored": (ImageOps.mirror, 90),
    "quarter turn": (lambda image: image.transpose(Image.Transpose.ROTATE_90), 90),
    "cropped": (cropped, 90),
    "border": (framed, 90),
    "dark": (lambda image: ImageEnhance.Brightness(image).enhance(0.7), 90),
    "bright": (lambda image: ImageEnhance.Brightness(image).enhance(1.4), 90),
    "mark": (marked, 90),
    "messenger": (lambda image: resized(image, 0.6), 60),
    "screenshot": (lambda image: resized(framed(image), 0.7), None),
}


@pytest.fixture(scope="module")
def planted(clothing, extractor, clothing_features, tmp_path_factory):
    """Of each kind: 80 garments and a changed copy of each of 15, as (values, pictures, hashes), and the pairs."""
    folder = tmp_path_factory.mktemp("planted")
    originals = list(range(2, clothing.n, clothing.n // N_ORIGINALS))[:N_ORIGINALS]
    known = clothing_features
    sets = {}
    for kind, (change, quality) in CHANGES.items():
        paths = [folder / f"{kind}-{i}" for i in originals]
        for i, path in zip(originals, paths, strict=True):
            copy = change(ImageOps.exif_transpose(Image.open(io.BytesIO(clothing.read(i)))).convert("RGB"))
            copy.save(path, "JPEG", quality=quality) if quality else copy.save(path, "PNG")
        made = extractor.extract(Dataset.from_lists(paths, ["any"] * len(paths)))
        parts = [(known.values, made.values), (known.pictures, made.pictures), (known.pixel_hashes, made.pixel_hashes)]
        whole = [np.concatenate([np.asarray(a), np.asarray(b)]) for a, b in parts]
        sets[kind] = (whole, {(i, clothing.n + k) for k, i in enumerate(originals)})
    return sets


def pairs_of(rows):
    return {(int(i), int(j)) for i, j in rows}


@pytest.mark.parametrize("kind", CHANGES)
def test_copies_of_each_kind_are_found_and_nothing_else(planted, kind):
    (values, pictures, hashes), truth = planted[kind]
    looked = pairs_of(copies_by_looking(values, pictures, hashes))
    assert len(looked & truth) >= N_ORIGINALS - 1
    assert looked <= truth


def test_what_was_found_is_named_and_kept_on_one_side(planted):
    (values, pictures, hashes), _ = planted["quarter turn"]
    looked = copies_by_looking(values, pictures, hashes)
    before, found = find_duplicates(values, hashes), find_duplicates(values, hashes, looked)
    named = {(p.first, p.second) for p in found.pairs if p.kind == "near"}
    assert named == pairs_of(looked) | {(p.first, p.second) for p in before.pairs if p.kind == "near"}
    assert len(named) > len(before.pairs)
    assert all(found.groups[i] == found.groups[j] for i, j in looked)
    assert np.array_equal(found.copies, before.copies)


@pytest.mark.parametrize("kind", ["half", "quarter turn", "border"])
def test_copies_of_known_photos_are_found_among_new_ones(planted, kind):
    """40 garments are known; the others are new, with copies of known and of new ones among them."""
    (values, pictures, _), truth = planted[kind]
    known = np.arange(40)
    new = np.arange(40, len(values))
    found = copies_between(values[new], pictures[new], values[known], pictures[known])
    of_known = {(copy, original) for original, copy in truth if original < 40}
    assert len(of_known) > 5
    assert {(int(new[i]), int(j)) for i, j in found} == of_known


def test_of_nothing_there_is_no_copy(planted):
    (values, pictures, _), _ = planted["half"]
    for new, known in ((0, 5), (5, 0), (0, 0)):
        assert copies_between(values[:new], pictures[:new], values[:known], pictures[:known]).shape == (0, 2)


def test_the_order_of_photos_and_the_number_of_workers_change_nothing(planted, monkeypatch):
    (values, pictures, hashes), _ = planted["border"]
    once = pairs_of(copies_by_looking(values, pictures, hashes))
    order = np.random.default_rng(0).permutation(len(values))
    moved = copies_by_looking(values[order], pictures[order], hashes[order])
    assert {tuple(sorted((int(order[i]), int(order[j])))) for i, j in moved} == once
    for workers in (1, 8):
        monkeypatch.setattr(parallel, "n_cores", lambda workers=workers: workers)
        assert pairs_of(copies_by_looking(values, pictures, hashes)) == once


def test_blocks_of_any_size_give_the_same(planted, monkeypatch):
    (values, pictures, hashes), _ = planted["half"]
    once = copies_by_looking(values, pictures, hashes)
    for rows, columns, block in ((7, 11, 5), (1000, 16, 1000)):
        monkeypatch.setattr(near, "ROWS", rows)
        monkeypatch.setattr(near, "COLUMNS", columns)
        monkeypatch.setattr(copies, "BLOCK", block)
        assert np.array_equal(copies_by_looking(values, pictures, hashes), once)


def test_of_equal_photos_one_is_looked_at(planted):
    """Six files of one photo would take each other's places among the nearest three."""
    (values, pictures, hashes), truth = planted["quarter turn"]
    first, copy = min(truth)
    again = [first] * 6
    many = [np.concatenate([part, part[again]]) for part in (values, pictures, hashes)]
    looked = pairs_of(copies_by_looking(*many))
    assert (first, copy) in looked
    assert max(max(pair) for pair in looked) < len(values)


def test_photos_of_one_level_are_no_copies():
    rng = np.random.default_rng(0)
    plain = np.stack([np.full((64, 64), level, np.uint8) for level in range(0, 250, 10)])
    found = copies_by_looking(rng.normal(size=(25, 8)).astype(np.float32), plain, np.arange(25).astype("S4"))
    assert found.shape == (0, 2)


OFF_MIDDLE = np.abs(np.mgrid[:SIDE_PX, :SIDE_PX] - SIDE_PX / 2 + 0.5)
FRAMES = {  # what shows of a photo behind each
    "eyepiece": np.hypot(*OFF_MIDDLE) < 0.43 * SIDE_PX,
    "bars": OFF_MIDDLE[0] < 0.35 * SIDE_PX,
    "border": OFF_MIDDLE.max(axis=0) < 0.42 * SIDE_PX,
}


def behind(frame, n, contrast, seed=0):
    """(n, S, S) different photos behind one frame: black outside, faint within."""
    coarse = np.random.default_rng(seed).normal(0, 1, (n, 8, 8)).repeat(SIDE_PX // 8, 1).repeat(SIDE_PX // 8, 2)
    return np.where(FRAMES[frame], np.clip(np.rint(150 + contrast * coarse), 0, 255), 0).astype(np.uint8)


def hashes_of(n):
    return np.array([f"{i:032x}" for i in range(n)], "S32")


@pytest.mark.parametrize("contrast", [1, 3, 6])
@pytest.mark.parametrize("n", [12, 40])
def test_photos_through_one_eyepiece_are_no_copies(n, contrast):
    features = np.random.default_rng(1).standard_normal((n, 32)).astype(np.float32)
    hashes = hashes_of(n)
    pictures = behind("eyepiece", n, contrast)
    same = Agreement(fine=5, detail=5, usual=5, telling=1, unmoved=1, faint=0)
    assert len(copies.without_common_frames({(0, 1): same}, n)), "a pair alone is no frame"
    assert not len(copies_by_looking(features, pictures, hashes))


@pytest.mark.parametrize("contrast", [2, 3, 5])
@pytest.mark.parametrize("frame", FRAMES)
def test_a_few_photos_behind_one_frame_are_no_copies_in_a_large_set(clothing_features, frame, contrast):
    """Too few for their family to be left out as such, so each pair has to be told by what is faint in it."""
    known = np.asarray(clothing_features.pictures)
    pictures = np.concatenate([known, behind(frame, 4, contrast)])
    features = np.random.default_rng(1).standard_normal((len(pictures), 32)).astype(np.float32)
    alone = pairs_of(copies_by_looking(features[: len(known)], known, hashes_of(len(known))))
    assert pairs_of(copies_by_looking(features, pictures, hashes_of(len(pictures)))) <= alone


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("n_framed", [1, 4])
def test_a_copy_of_a_photo_behind_a_frame_is_found(clothing_features, frame, n_framed):
    known = np.asarray(clothing_features.pictures)
    rng = np.random.default_rng(3)
    photos = behind(frame, n_framed, 5)
    saved_again = 0.9 * photos[:1] + rng.normal(0, 0.7, photos[:1].shape)
    copy = np.clip(np.rint(saved_again), 0, 255).astype(np.uint8)[:, :, ::-1]
    pictures = np.concatenate([known, photos, copy])
    n = len(pictures)
    found = pairs_of(copies_by_looking(rng.standard_normal((n, 32)).astype(np.float32), pictures, hashes_of(n)))
    assert {pair for pair in found if pair[1] >= len(known)} == {(len(known), n - 1)}


def test_photos_of_one_level_have_no_partners_by_signature():
    pictures = np.arange(50, dtype=np.uint8)[:, None, None] + np.zeros((50, 64, 64), np.uint8)
    features = np.random.default_rng(1).standard_normal((50, 32)).astype(np.float32)
    assert len(candidates(features, pictures)) <= 50 * NEAREST


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_photos(n):
    pictures = np.random.default_rng(0).integers(0, 256, (n, 64, 64), np.uint8)
    found = copies_by_looking(np.ones((n, 4), np.float32), pictures, np.arange(n).astype("S2"))
    assert found.shape == (0, 2)


def test_candidates_are_pairs_in_order_each_once(planted):
    (values, pictures, _), truth = planted["screenshot"]
    pairs = candidates(values, pictures)
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert pairs.tolist() == [list(pair) for pair in sorted(pairs_of(pairs))]
    assert truth <= pairs_of(pairs)
    assert set(looked_at(pairs, pictures)) <= pairs_of(pairs)


def test_what_was_looked_at_before_is_as_if_looked_at_now(planted):
    """Photos come and go, as in a studio; each pair is looked at once, and what is found is the same."""
    rng, looks = np.random.default_rng(0), copies.Looks()
    for values, pictures, hashes in (planted[kind][0] for kind in ("border", "half")):
        for share in (0.5, 0.8, 1.0, 0.6):
            some = np.flatnonzero(rng.random(len(values)) < share)
            own = values[some], pictures[some], hashes[some]
            found = copies_by_looking(*own, looks)
            assert np.array_equal(found, copies_by_looking(*own))
        assert len(found)

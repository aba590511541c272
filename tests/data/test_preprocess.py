"""One definition of the pixels that a network gets."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tellapart.data.photo import decode
from tellapart.data.preprocess import Preprocess, preprocess

SIDES = st.integers(1, 60)


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def triangle_weights(n_out, n_in, start, length):
    """(n_out, n_in) weights of the antialiased triangle filter over [start, start + length), written out."""
    scale = length / n_out
    reach = max(scale, 1.0)
    weights = np.zeros((n_out, n_in))
    for i in range(n_out):
        centre = start + (i + 0.5) * scale
        first, last = max(int(centre - reach + 0.5), 0), min(int(centre + reach + 0.5), n_in)
        for j in range(first, last):
            weights[i, j] = max(0.0, 1 - abs((j + 0.5 - centre) / reach))
        weights[i] /= weights[i].sum()
    return weights


@settings(max_examples=40, deadline=None)
@given(SIDES, SIDES, st.integers(8, 32), st.sampled_from(["crop", "squash"]), st.integers(0, 9))
def test_is_the_triangle_filter_over_the_middle_square_or_all(height, width, px, fit, seed):
    image = noise(height, width, seed)
    side = min(height, width)
    (top, tall), (left, wide) = ((0, height), (0, width))
    if fit == "crop":
        (top, tall), (left, wide) = ((height - side) / 2, side), ((width - side) / 2, side)
    rows, columns = triangle_weights(px, height, top, tall), triangle_weights(px, width, left, wide)
    expected = np.einsum("ih,hwc,jw->ijc", rows, image.astype(float), columns)
    got = preprocess(image, Preprocess(px, fit))
    assert got.shape == (px, px, 3)
    assert got.dtype == np.uint8
    assert np.abs(got - expected).max() <= 2  # Pillow rounds once per direction


@given(st.integers(8, 40), st.sampled_from(["crop", "squash"]))
def test_a_photo_of_the_right_size_is_left_alone(px, fit):
    image = noise(px, px)
    assert np.array_equal(preprocess(image, Preprocess(px, fit)), image)


@settings(deadline=None)
@given(SIDES, SIDES, st.sampled_from(["crop", "squash"]))
def test_commutes_with_mirroring(height, width, fit):
    image = noise(height, width)
    preprocessing = Preprocess(16, fit)
    mirrored_after = preprocess(image, preprocessing)[:, ::-1].astype(int)
    assert np.abs(preprocess(image[:, ::-1].copy(), preprocessing) - mirrored_after).max() <= 1


def test_crop_does_not_see_the_ends_and_squash_does():
    image = noise(40, 100)
    other = image.copy()
    other[:, :20], other[:, -20:] = 0, 255
    assert np.array_equal(preprocess(image, Preprocess(32)), preprocess(other, Preprocess(32)))
    assert not np.array_equal(preprocess(image, Preprocess(32, "squash")), preprocess(other, Preprocess(32, "squash")))


def test_key_tells_apart_all_that_changes_pixels():
    assert len({Preprocess(px, fit).key for px in (224, 288) for fit in ("crop", "squash")}) == 4


def test_crop_is_what_a_person_gets_who_says_nothing():
    assert Preprocess(224) == Preprocess(224, "crop")


@pytest.mark.parametrize("px", [224, 288])
def test_a_photo_and_its_thumbnail_come_out_alike(shared_data, px):
    preprocessing = Preprocess(px)
    for name in ("hotdog", "pizza", "cheeseburger"):
        path = shared_data / "burger_examples" / f"{name}.jpg"
        image = np.asarray(Image.open(path).convert("RGB"))
        side = max(preprocessing.min_side_px, min(image.shape[:2]) // 2) / min(image.shape[:2])
        size = [max(1, round(side * s)) for s in image.shape[1::-1]]
        thumbnail = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))
        difference = np.abs(preprocess(image, preprocessing).astype(int) - preprocess(thumbnail, preprocessing))
        assert difference.mean() < 3


def test_decoding_small_enough_changes_little(shared_data):
    """The margin of DECODE_MARGIN keeps what scaling while decoding changes below 3 of 255."""
    preprocessing = Preprocess(96)
    for name in ("hotdog", "pizza", "cheeseburger"):
        data = (shared_data / "burger_examples" / f"{name}.jpg").read_bytes()
        whole = preprocess(decode(data), preprocessing).astype(int)
        assert np.abs(whole - preprocess(decode(data, min_side_px=preprocessing.min_side_px), preprocessing)).mean() < 3

"""Small grey pictures: whole numbers, the same however they are summed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.data.grey_picture import (
    CONTRAST_UNIT,
    MOST_CONTRAST,
    NOISE,
    SIDE_PX,
    SIGNATURE_UNIT,
    WINDOW_PX,
    grey_picture,
    local_contrast,
    oriented,
    signatures,
)


def noise(n=1, side=SIDE_PX, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, side, side), np.uint8)


def test_a_picture_is_the_whole_photo_in_grey():
    image = np.zeros((100, 300, 3), np.uint8)
    image[:, 150:] = (200, 200, 200)
    image[:, :20] = (0, 255, 0)
    picture = grey_picture(image)
    assert (picture.shape, picture.dtype) == ((SIDE_PX, SIDE_PX), np.uint8)
    assert picture[0, 0] == 150  # Pillow's luma of pure green
    assert picture[0, SIDE_PX // 4] == 0
    assert picture[-1, -1] == 200


def test_orientations_are_the_eight_of_a_square_and_their_own():
    picture = np.arange(9.0, dtype=np.float32).reshape(3, 3)
    seen = oriented(picture)
    assert len({turn.tobytes() for turn in seen}) == 8
    again = {turn.tobytes() for one in seen for turn in oriented(one)}
    assert again == {turn.tobytes() for turn in seen}
    assert np.array_equal(seen[0], picture)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_a_signature_is_known_in_each_orientation_and_through_brightness(seed):
    coarse = np.random.default_rng(seed).integers(40, 200, (1, 8, 8), np.uint8)
    picture = np.kron(coarse, np.ones((8, 8), np.uint8)).astype(np.uint8)
    own = signatures(picture)[0]
    turned = np.ascontiguousarray(np.rot90(picture[0])[:, ::-1])[None] // 2 + 20
    fits = own @ signatures(turned)[0, 0]
    assert fits.max() == pytest.approx(SIGNATURE_UNIT**2, rel=0.01)
    assert np.array_equal(own, np.rint(own))


def test_a_signature_of_one_level_is_zero():
    assert not signatures(np.full((1, SIDE_PX, SIDE_PX), 77, np.uint8)).any()
    assert not local_contrast(np.full((1, SIDE_PX, SIDE_PX), 77, np.uint8)).any()


def test_local_contrast_equals_its_slow_twin():
    picture = noise(side=20)[0]
    reach = WINDOW_PX // 2
    padded = np.pad(picture.astype(float), reach, "edge")
    got = local_contrast(picture[None])[0]
    for y in range(20):
        for x in range(20):
            window = padded[y : y + WINDOW_PX, x : x + WINDOW_PX]
            wanted = CONTRAST_UNIT * (picture[y, x] - window.mean()) / (window.std() + NOISE)
            assert abs(got[y, x] - np.clip(wanted, -MOST_CONTRAST, MOST_CONTRAST)) <= 0.5 + 1e-6


def test_units_of_a_grey_level_change_nothing():
    picture = noise()
    assert np.array_equal(local_contrast(picture), local_contrast(picture.astype(np.float64) * 16, 16))


def test_local_contrast_of_one_picture_does_not_depend_on_others():
    pictures = noise(5)
    assert np.array_equal(local_contrast(pictures)[3], local_contrast(pictures[3:4])[0])

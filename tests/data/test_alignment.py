"""Where a picture lies within another is found, on smooth random pictures whose places are known."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.data.alignment import (
    FINE_PX,
    MOST_CUT,
    SCATTER,
    UNIT,
    WEIGHT,
    Place,
    averages,
    best_places,
    closer_place,
    contents,
    may_fit,
    placed,
    shrunk,
)
from tellapart.data.grey_picture import ORIENTATIONS, SIDE_PX, grey_picture, local_contrast, oriented

from .smooth_photos import PHOTO_PX, photo


def window(image, place):
    (top, bottom), (left, right) = (np.rint(np.array(margins) * PHOTO_PX / UNIT).astype(int) for margins in place)
    return image[top : PHOTO_PX - bottom, left : PHOTO_PX - right]


def found(outer, inner):
    contrasts = local_contrast(np.stack([outer, inner]))
    fit, number, orientation = (part[0] for part in best_places(contrasts[0], contents(contrasts[1:])))
    return fit, closer_place(contrasts[0], oriented(contrasts[1])[orientation], int(number)), int(orientation)


margins = st.tuples(st.integers(0, 26), st.integers(0, 26))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), margins, margins)
def test_a_crop_is_found_where_it_was_taken(seed, rows, columns):
    image = photo(seed)
    fit, place, orientation = found(grey_picture(image), grey_picture(window(image, Place(rows, columns))))
    assert fit > 0.7
    assert orientation == 0
    assert place is not None
    assert np.abs(np.array(place) - np.array([rows, columns])).max() <= 4


def test_every_orientation_is_found():
    image = photo(1)
    outer = grey_picture(image)
    contrast = local_contrast(outer[None])[0]
    for orientation in range(ORIENTATIONS):
        turned = np.ascontiguousarray(oriented(outer)[orientation])
        fit, place, back = found(outer, turned)
        assert fit > 0.95
        assert place == Place((0, 0), (0, 0))
        assert np.array_equal(oriented(turned)[back], outer)
    assert contrast.any()


def test_other_photos_fit_nowhere():
    pictures = np.stack([grey_picture(photo(seed)) for seed in range(12)])
    contrasts = local_contrast(pictures)
    fits, _, _ = best_places(contrasts[0], contents(contrasts[1:]))
    assert fits.max() < 0.7
    assert closer_place(contrasts[0], contrasts[1], 0) is None


@pytest.mark.parametrize("margins", [(0, 0), (6, 6), (13, 13), (20, 20), (26, 26), (0, 13), (26, 0)])
def test_a_crop_may_fit_and_few_others_do(margins):
    photos = [photo(seed) for seed in range(20)]
    crops = [window(image, Place(margins, (0, 0))) for image in photos]
    contrasts = local_contrast(np.stack([grey_picture(image) for image in (*photos, *crops)]))
    own = np.stack([np.arange(20), np.arange(20, 40)], axis=1)
    others = np.array(list(combinations(range(20), 2)))
    for pairs, least, most in ((own, 1, 1), (own[:, ::-1], 1, 1), (others, 0, 0.4)):
        assert least <= may_fit(contrasts, contents(contrasts), pairs).mean() <= most


def test_what_lies_on_each_other_is_alike():
    image = photo(5)
    place = Place((16, 8), (24, 0))
    outer, inner = grey_picture(image), grey_picture(window(image, place))
    left, right = placed(outer, inner, place)
    assert left.shape == right.shape == (FINE_PX, FINE_PX)
    assert np.abs(left - right).mean() < 1.5 * 16  # sixteenths of a grey level
    worse = placed(outer, inner, Place((0, 24), (24, 0)))
    assert np.abs(worse[0] - worse[1]).mean() > 4 * np.abs(left - right).mean()


@pytest.mark.parametrize("weights", [averages, shrunk])
@pytest.mark.parametrize("margins", [(0, 0), (31, 31), (MOST_CUT, 0), (3, 17)])
def test_weights_are_whole_and_sum_to_one_pixel(weights, margins):
    for side in (14, 32, FINE_PX):
        rows = weights(margins, side)
        assert rows.shape == (side, SIDE_PX)
        assert (rows.sum(axis=1) == WEIGHT).all()
        assert np.array_equal(rows, np.rint(rows))
        assert rows.min() >= 0


def test_places_that_are_tried_everywhere_leave_four_fifths():
    assert SCATTER[0] == (0, 0)
    assert max(a + b for a, b in SCATTER) <= UNIT / 4.7


def test_nothing_is_found_in_a_plain_picture():
    plain = np.full((SIDE_PX, SIDE_PX), 200, np.uint8)
    contrasts = local_contrast(np.stack([plain, grey_picture(photo(2))]))
    for outer, inner in ((0, 1), (1, 0), (0, 0)):
        fits, _, _ = best_places(contrasts[outer], contents(contrasts[inner : inner + 1]))
        assert fits[0] == 0
        assert closer_place(contrasts[outer], contrasts[inner], 0) is None

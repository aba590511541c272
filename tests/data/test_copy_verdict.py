"""What two pictures that lie on each other must have in common to be copies."""

import numpy as np

from tellapart.data.alignment import Place
from tellapart.data.copy_verdict import LEAST, WEIGHTS, Agreement, agreement, is_copy
from tellapart.data.grey_picture import SIDE_PX, grey_picture

from .smooth_photos import photo

WHOLE = Place((0, 0), (0, 0))


def test_a_picture_is_a_copy_of_itself_and_of_no_other():
    pictures = [grey_picture(photo(seed)) for seed in range(6)]
    for i, left in enumerate(pictures):
        for j, right in enumerate(pictures):
            assert is_copy(agreement(left, right, WHOLE)) == (i == j)


def test_brightness_and_a_mark_spoil_nothing():
    picture = grey_picture(photo(3))
    dark = (picture * 0.7).astype(np.uint8)
    marked = picture.copy()
    marked[40:52, 20:36] = 255  # 4.7 % of it
    for changed in (dark, marked):
        assert is_copy(agreement(picture, changed, WHOLE))
        assert is_copy(agreement(changed, picture, WHOLE))


def test_half_of_the_picture_changed_is_no_copy():
    picture, other = grey_picture(photo(3)), grey_picture(photo(4))
    mixed = np.concatenate([picture[: SIDE_PX // 2], other[SIDE_PX // 2 :]])
    assert not is_copy(agreement(picture, mixed, WHOLE))


def test_what_shows_nothing_is_no_copy():
    plain = np.full((SIDE_PX, SIDE_PX), 128, np.uint8)
    found = agreement(plain, plain, WHOLE)
    assert found.telling == 0
    assert not is_copy(found)


def test_margins_count_against():
    picture = grey_picture(photo(3))
    assert agreement(picture, picture, WHOLE).unmoved == 1
    assert agreement(picture, picture, Place((0, 0), (0, 20))).unmoved == 0


def test_more_agreement_is_never_less_of_a_copy():
    assert min(WEIGHTS[:-1]) > 0
    best = Agreement(6.2, 6.2, 6.2, 1.0, 1.0, 0.0)
    assert is_copy(best)
    assert sum(weight * value for weight, value in zip(WEIGHTS, best, strict=True)) > LEAST

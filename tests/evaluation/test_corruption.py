"""Spoiled photos: still photos, the same ones every time, and the worse the severity the less like the original."""

import colorsys
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tellapart.evaluation.corruption import (
    CORRUPTIONS,
    DAYLIGHT_K,
    KELVINS,
    MIDDLE_SHARE,
    SEVERITIES,
    WORKING_SIDE_PX,
    border_only,
    corrupt,
    light_colour,
    white_balance,
    working_size,
)

ALL = [(name, severity) for name in CORRUPTIONS for severity in SEVERITIES]


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def scene(height=240, width=320, seed=0):
    """An image with what photos have: large soft shapes, sharp edges, fine texture, light and dark."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(20, 230, (6, 8, 3), np.uint8))
    soft = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).astype(float)
    y, x = np.mgrid[:height, :width]
    soft[np.hypot(y - height / 2, x - width / 2) < height / 4] = rng.integers(0, 256, 3)
    soft += 15 * np.sin(x / 3)[..., None] + rng.normal(0, 4, (height, width, 1))
    return np.clip(soft, 0, 255).astype(np.uint8)


def distance(first, second):
    return np.abs(first.astype(float) - second).mean()


def test_nine_corruptions_of_three_severities_and_five_white_balances():
    assert len(CORRUPTIONS) == 9
    assert len(SEVERITIES) == 3
    assert len(KELVINS) == 5


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_stronger_one_differs_more(name):
    images = [scene(seed=seed) for seed in range(4)]
    by_severity = [np.mean([distance(corrupt(i, name, s), i) for i in images]) for s in SEVERITIES]
    assert by_severity[0] > 1
    assert by_severity[1] > 1.1 * by_severity[0]
    assert by_severity[2] > 1.1 * by_severity[1]


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_stronger_one_differs_more_on_real_photos(name, clothing):
    from tellapart.data.photo import decode

    images = [working_size(decode(clothing.read(i))) for i in range(0, clothing.n, 16)]
    by_severity = [np.mean([distance(corrupt(i, name, s), i) for i in images]) for s in SEVERITIES]
    assert 0.5 < by_severity[0] < by_severity[1] < by_severity[2]


@pytest.mark.parametrize(("name", "severity"), ALL)
@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (2, 3), (7, 400), (40, 30)])
def test_any_shape_and_a_grey_image_survive(name, severity, shape):
    for image in (noise(*shape), np.full((*shape, 3), 128, np.uint8), np.zeros((*shape, 3), np.uint8)):
        before = image.copy()
        image.setflags(write=False)
        got = corrupt(image, name, severity)
        assert got.shape == image.shape
        assert got.dtype == np.uint8
        assert np.array_equal(image, before)


@pytest.mark.parametrize(("name", "severity"), ALL)
def test_the_same_seed_gives_the_same_pixels(name, severity):
    image = scene(120, 160)
    once = corrupt(image, name, severity, seed=(3, 7))
    assert np.array_equal(once, corrupt(image, name, severity, seed=(3, 7)))
    by_lot = {"gaussian noise", "shot noise", "motion blur", "darkness"}
    others = [corrupt(image, name, severity, seed=seed) for seed in ((3, 8), (3, 9), (4, 7))]
    assert all(np.array_equal(once, other) for other in others) == (name not in by_lot)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_large_photo_and_its_thumbnail_are_corrupted_alike(name):
    """Lengths and grain follow the photo's size; were they so many pixels, the large one would suffer less."""
    small = scene(240, 320)
    large = np.asarray(Image.fromarray(small).resize((960, 720), Image.Resampling.BICUBIC))

    def shrunk(image):
        return np.asarray(Image.fromarray(image).resize((80, 60), Image.Resampling.BOX))

    for severity in SEVERITIES:
        differences = [distance(shrunk(corrupt(i, name, severity)), shrunk(i)) for i in (small, working_size(large))]
        assert differences[1] == pytest.approx(differences[0], rel=0.35, abs=0.6)


def test_working_size():
    assert working_size(noise(500, 800)).shape == (WORKING_SIDE_PX, round(800 * WORKING_SIDE_PX / 500), 3)
    assert working_size(noise(500, 800), at_least_px=448).shape == (448, 717, 3)
    for shape in ((WORKING_SIDE_PX, 900), (20, 30), (1, 1)):
        image = noise(*shape)
        assert working_size(image) is image


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_blur_pixelation_and_contrast_leave_one_colour_alone(red, green, blue):
    image = np.tile(np.array([red, green, blue], np.uint8), (30, 40, 1))
    for name in ("defocus blur", "motion blur", "pixelation", "low contrast"):
        assert distance(corrupt(image, name, "strong"), image) < 1


def test_noise_has_the_deviation_it_says():
    image = np.full((224, 224, 3), 128, np.uint8)
    for severity, deviation in zip(SEVERITIES[:2], (0.08, 0.18), strict=True):  # more is cut off at black and white
        assert corrupt(image, "gaussian noise", severity).std() / 255 == pytest.approx(deviation, rel=0.05)
    for severity, photons in zip(SEVERITIES, (60, 12, 3), strict=True):
        grey = np.full((224, 224, 3), 64, np.uint8)
        got = corrupt(grey, "shot noise", severity) / 255
        assert got.mean() == pytest.approx(64 / 255, rel=0.1)
        assert got.std() == pytest.approx(math.sqrt(64 / 255 / photons), rel=0.1)


def test_defocus_makes_a_disc_of_a_point_and_shaking_a_line():
    point = np.zeros((224, 224, 3), np.uint8)
    point[112, 112] = 255
    point[111:114, 111:114] = 255
    disc = corrupt(point, "defocus blur", "mild")[..., 0]
    rows, columns = np.nonzero(disc)
    radius = np.hypot(rows - 112, columns - 112).max()
    assert 3 <= radius <= 3 + 1.5 * math.sqrt(2)
    assert np.abs(disc.astype(int) - disc.T).max() <= 1
    line = corrupt(point, "motion blur", "medium")[..., 0].astype(float)
    rows, columns = np.nonzero(line)
    spread = np.linalg.svd(np.column_stack([rows - rows.mean(), columns - columns.mean()]), compute_uv=False)
    along, across = spread * math.sqrt(12 / len(rows))
    assert along == pytest.approx(16.7 + 2, abs=4)
    assert across < 5


@settings(max_examples=20, deadline=None)
@given(st.integers(3, 60), st.integers(3, 60), st.integers(0, 99))
def test_motion_blur_keeps_the_light(height, width, seed):
    image = scene(height, width, seed)
    blurred = corrupt(image, "motion blur", "strong", seed=(seed,))
    assert blurred.min() >= image.min()
    assert blurred.max() <= image.max()


def test_darkness_is_darker_by_its_stops_and_its_noise_is_relatively_stronger():
    image = np.full((224, 224, 3), 200, np.uint8)
    linear = ((200 / 255 + 0.055) / 1.055) ** 2.4
    relative = []
    for severity, stops in zip(SEVERITIES, (1.5, 3, 4.5), strict=True):
        got = corrupt(image, "darkness", severity) / 255
        expected = 1.055 * (linear * 2**-stops) ** (1 / 2.4) - 0.055
        assert got.mean() == pytest.approx(expected, rel=0.05)
        relative.append(got.std() / got.mean())
    assert relative[0] < relative[1] < relative[2]


def test_overexposure_is_the_value_of_hsv_raised():
    image = noise(6, 7)
    image[0, 0] = 0
    got = corrupt(image, "overexposure", "medium")
    for pixel, raised in zip(image.reshape(-1, 3), got.reshape(-1, 3), strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*(pixel / 255))
        expected = colorsys.hsv_to_rgb(hue, saturation, min(1, value + 0.3))
        assert np.abs(raised - 255 * np.array(expected)).max() <= 1


def test_daylight_changes_nothing():
    image = noise(50, 60)
    assert np.array_equal(white_balance(image, DAYLIGHT_K), image)
    assert DAYLIGHT_K in KELVINS


def test_white_balance_turns_grey_blue_below_daylight_and_orange_above_and_keeps_its_brightness():
    grey = np.full((4, 4, 3), 120, np.uint8)
    blueness = [float(np.diff(white_balance(grey, kelvin)[0, 0, [0, 2]].astype(int))[0]) for kelvin in KELVINS]
    assert blueness == sorted(blueness, reverse=True)
    assert blueness[0] > 0 > blueness[-1]
    for kelvin in KELVINS:
        linear = ((white_balance(grey, kelvin)[0, 0] / 255 + 0.055) / 1.055) ** 2.4
        assert linear @ [0.2126, 0.7152, 0.0722] == pytest.approx(((120 / 255 + 0.055) / 1.055) ** 2.4, rel=0.02)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3, 5)])
def test_white_balance_of_any_shape(shape):
    image = noise(*shape)
    for kelvin in KELVINS:
        assert white_balance(image, kelvin).shape == image.shape
    black_and_white = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
    assert not white_balance(black_and_white, 2850)[0, 0].any()


def test_the_light_of_a_lamp_is_that_of_illuminant_a():
    """CIE standard illuminant A is a black body of 2,856 K: x = 0.44757, y = 0.40745."""
    to_xyz = np.linalg.inv([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])
    xyz = to_xyz @ light_colour(2856)
    assert xyz[:2] / xyz.sum() == pytest.approx([0.44757, 0.40745], abs=5e-4)
    assert np.abs(np.diff([light_colour(k) for k in (2221.9, 2222.1, 3999.9, 4000.1)], axis=0)[::2]).max() < 5e-3


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 9))
def test_border_only_leaves_the_border_and_removes_the_middle(height, width, seed):
    image = noise(height, width, seed)
    got = border_only(image)
    assert got is not image
    if min(height, width) < 3:
        assert np.array_equal(got, image)
        return
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        assert np.array_equal(got[edge], image[edge])
    other = image.copy()
    quarter = np.s_[height // 3 : height - height // 3, width // 3 : width - width // 3]
    other[quarter] = 255 - other[quarter]
    assert np.array_equal(border_only(other), got)  # nothing of the middle is left, not even in the paint


@pytest.mark.parametrize("shape", [(288, 288), (100, 300), (301, 77)])
def test_border_only_hides_its_share_in_the_mean_of_the_rest(shape):
    image = noise(*shape)
    got = border_only(image)
    hidden = (got != image).any(axis=2)
    assert hidden.mean() == pytest.approx(MIDDLE_SHARE, abs=0.01)
    painted = got[shape[0] // 2, shape[1] // 2]
    rows, columns = np.nonzero(hidden)
    outside = np.ones(shape, bool)
    outside[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = False
    assert np.abs(painted - image[outside].mean(axis=0)).max() <= 1

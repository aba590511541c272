"""Poor photos are named, worst first; whole sets are not."""

from dataclasses import fields, replace

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from tellapart.checks.image_stats import ImageStats, image_stats_of
from tellapart.checks.quality import outlyingness, quality_findings
from tellapart.data.source import Dataset


def dataset_of(n):
    names = tuple(f"photos/{i:03}.jpg" for i in range(n))
    return Dataset("photos", ("cat", "dog"), names, names, np.arange(n, dtype=np.int32) % 2, np.full(n, ""))


def changed(stats, index, **values):
    new = {}
    for name, value in values.items():
        column = getattr(stats, name).copy()
        column[index] = value
        new[name] = column
    return replace(stats, **new)


def test_ordinary_photos_give_no_finding(ordinary):
    assert quality_findings(dataset_of(60), ordinary(60)) == []


@pytest.mark.parametrize(
    ("kind", "worse", "poor"),
    [
        ("blurred", {"sharpness": 0.3}, {"sharpness": 0.5}),
        ("dark", {"brightest": 0.1, "brightness": 0.05}, {"brightest": 0.3, "brightness": 0.1}),
        ("overexposed", {"darkest": 0.9, "brightness": 0.95}, {"darkest": 0.7, "brightness": 0.9}),
        ("tiny", {"width_px": 20, "height_px": 24}, {"width_px": 60, "height_px": 80}),
        ("odd_shape", {"width_px": 4000}, {"width_px": 2500}),
    ],
)
def test_poor_photos_are_named_worst_first_and_stay_where_they_are(kind, worse, poor, ordinary):
    stats = changed(changed(ordinary(60), 11, **poor), 30, **worse)
    [finding] = quality_findings(dataset_of(60), stats)
    assert finding.kind == kind
    assert [row[0] for row in finding.photos] == ["photos/030.jpg", "photos/011.jpg"]
    assert finding.sentence.startswith("2 photos are ")
    assert finding.suspects == ()
    assert finding.sure
    assert finding.advice


@pytest.mark.parametrize(
    "values",
    [
        {"sharpness": 0.4},
        {"brightest": 0.2, "brightness": 0.1},
        {"darkest": 0.8, "brightness": 0.9},
        {"width_px": 2400},
    ],
)
def test_a_whole_set_that_is_so_is_not_named(values, ordinary):
    stats = ordinary(60)
    everywhere = {name: np.full(60, value, getattr(stats, name).dtype) for name, value in values.items()}
    assert quality_findings(dataset_of(60), replace(stats, **everywhere)) == []


def test_one_poor_photo_is_spoken_of_in_the_singular(ordinary):
    [finding] = quality_findings(dataset_of(60), changed(ordinary(60), 3, sharpness=0.3))
    assert finding.sentence == "1 photo is blurred, and much more so than the others."
    assert finding.photos == (("photos/003.jpg", "sharpness 0.30"),)


def test_photos_of_one_colour_are_suspects_and_nothing_else_is_said_of_them(ordinary):
    values = {"contrast": 0.001, "brightest": 0.0, "darkest": 0.0, "brightness": 0.0, "sharpness": np.nan}
    [finding] = quality_findings(dataset_of(60), changed(ordinary(60), 5, **values))
    assert finding.kind == "empty"
    assert finding.sentence == "1 photo is of nearly one colour, with nothing to see."
    assert finding.suspects == ("photos/005.jpg",)


def test_a_set_of_tiny_photos_is_named_once_for_all(ordinary):
    stats = replace(ordinary(60), width_px=np.full(60, 32), height_px=np.full(60, 32))
    [finding] = quality_findings(dataset_of(60), stats)
    assert finding.sentence == "60 photos are tiny; the smallest is 32×32 pixels."
    assert finding.advice.startswith("If larger ones exist, use photos of at least 250 pixels a side")


def test_the_order_of_the_photos_changes_nothing(ordinary):
    stats = changed(changed(ordinary(40), 7, sharpness=0.4), 8, sharpness=0.2)
    order = np.random.default_rng(0).permutation(40)
    mixed = ImageStats(**{field.name: getattr(stats, field.name)[order] for field in fields(ImageStats)})
    assert quality_findings(dataset_of(40), stats) == quality_findings(dataset_of(40).subset(order), mixed)


def test_no_photo_and_one_photo(ordinary):
    assert quality_findings(dataset_of(0), ordinary(0)) == []
    assert quality_findings(dataset_of(1), ordinary(1)) == []


def test_outlyingness_equals_its_twin_and_ignores_gaps():
    values = np.array([1.0, 2.0, 4.0, 8.0, np.nan, 100.0])
    middle, spread = 4.0, 1.4826 * 3.0
    assert outlyingness(values) == pytest.approx((values - middle) / spread, nan_ok=True)
    assert np.isnan(outlyingness(np.full(3, np.nan))).all()


def test_planted_poor_photos_are_found_among_real_ones(clothing, tmp_path):
    corruptions = {
        "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(min(image.size) * 0.03)),
        "dark": lambda image: ImageEnhance.Brightness(image).enhance(0.15),
        "overexposed": lambda image: image.point(lambda v: 165 + v * 90 // 255),
        "empty": lambda image: Image.new("RGB", image.size, (200, 190, 180)),
        "odd_shape": lambda image: image.resize((900, 180)),
    }
    paths = list(clothing.places[:60])
    for i, (kind, change) in enumerate(corruptions.items()):
        with Image.open(paths[i * 10]) as photo:
            change(photo.convert("RGB")).save(tmp_path / f"{kind}.jpg")
        paths[i * 10] = str(tmp_path / f"{kind}.jpg")
    dataset = Dataset.from_lists(paths, ["a", "b"] * 30)
    findings = {finding.kind: finding for finding in quality_findings(dataset, image_stats_of(dataset))}
    assert set(findings) == set(corruptions)
    for kind in corruptions:
        assert [row[0].rsplit("/", 1)[-1] for row in findings[kind].photos] == [f"{kind}.jpg"]

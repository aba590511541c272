"""The looks of photos: measured as a slow twin measures them, and blind to what they should be blind to."""

import io
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image, ImageFilter

from tellapart.checks.image_stats import (
    BRIGHTEST,
    DARKEST,
    EDGE,
    GRID,
    LINE_PX,
    MIN_EDGES,
    SEGMENT_PX,
    SHORT_SIDE_PX,
    STEEPEST,
    _planes,
    _weights,
    image_stats_of,
    measure,
    sharpness,
)
from tellapart.data.source import Dataset
from tellapart.formats.exif import camera_model
from tellapart.formats.header import read_jpeg


def slow_sharpness(luma):
    """Every segment of every line, one after the other."""
    found = []
    for lines in (luma, luma.T):
        ratios = []
        for line in lines:
            for start in range(0, len(line) - SEGMENT_PX + 1, SEGMENT_PX):
                segment = [float(value) for value in line[start : start + SEGMENT_PX]]
                span = max(segment) - min(segment)
                if span > EDGE:
                    steps = [abs(b - a) for a, b in pairwise(segment)]
                    ratios.append(max(steps) / span)
        if len(ratios) >= MIN_EDGES:
            found.append(np.quantile(ratios, STEEPEST))
    return min(found) if found else float("nan")


@pytest.mark.parametrize("shape", [(16, 16), (9, 40), (31, 17), (4, 200), (7, 7)])
def test_sharpness_equals_its_twin(shape):
    rng = np.random.default_rng(sum(shape))
    luma = rng.random(shape, np.float32)
    luma[: shape[0] // 2] *= 0.05
    assert sharpness(luma) == pytest.approx(slow_sharpness(luma), abs=1e-5, nan_ok=True)


def test_sharpness_does_not_depend_on_brightness_or_contrast():
    luma = np.kron(np.random.default_rng(0).random((9, 9)), np.ones((7, 7))).astype(np.float32)
    assert sharpness(luma * 0.7 + 0.2) == pytest.approx(sharpness(luma), abs=0.02)


def test_a_flat_photo_has_no_sharpness():
    assert np.isnan(sharpness(np.full((64, 64), 0.5, np.float32)))


def slow_looks(image):
    """All numbers but the sharpness, of an image that is small already: cells and lines one after the other."""
    luma = image @ np.array([0.299, 0.587, 0.114]) / 255
    most, least = image.max(axis=2).astype(float), image.min(axis=2).astype(float)
    tails = np.quantile(luma[::2, ::2], [DARKEST, BRIGHTEST])
    contrast = (image / 255).reshape(-1, 3).std(axis=0).max()
    whole = [luma.mean(), *tails, contrast, ((most - least) / np.maximum(most, 1)).mean()]

    def pixels_in(cell, n):
        """Those whose middle lies in the cell; where no middle does, the nearest."""
        left, right = cell * n / GRID, (cell + 1) * n / GRID
        inside = [p for p in range(n) if left < p + 0.5 <= right]
        return inside or [min(range(n), key=lambda p: abs(p + 0.5 - (left + right) / 2))]

    height, width = luma.shape
    rim = [(r, c) for r in range(GRID) for c in range(GRID) if r in (0, GRID - 1) or c in (0, GRID - 1)]
    cells = [np.ix_(pixels_in(r, height), pixels_in(c, width)) for r, c in rim]
    lines = [np.s_[:LINE_PX], np.s_[-LINE_PX:], np.s_[:, :LINE_PX], np.s_[:, -LINE_PX:]]
    colours = [image[cell].mean(axis=(0, 1)) / 255 for cell in cells]
    ends = [[*(image[line].mean(axis=(0, 1)) / 255), luma[line].std()] for line in lines]
    return np.concatenate([whole, *colours, [luma[cell].std() for cell in cells], *ends])


@pytest.mark.parametrize("shape", [(128, 171), (128, 1024), (9, 40), (31, 17), (7, 7), (5, 13), (1, 1)])
def test_looks_equal_their_twin(shape):
    image = np.random.default_rng(sum(shape)).integers(0, 256, (*shape, 3), np.uint8)
    image[: shape[0] // 2] //= 3
    assert np.delete(measure(image), 5) == pytest.approx(slow_looks(image), abs=1e-6)


def test_sums_of_whole_numbers_are_exact():
    """Up to the largest picture that there is: so every processor adds them alike."""
    planes = _planes(np.full((3, SHORT_SIDE_PX, 8 * SHORT_SIDE_PX), 255, np.uint8))
    sums = _weights(SHORT_SIDE_PX) @ planes @ _weights(8 * SHORT_SIDE_PX).T
    assert sums.max() < 2**53
    assert (sums == np.rint(sums)).all()


def files(folder, images):
    """A dataset of the given {name: (image, options)}, saved in `folder`."""
    for name, (image, options) in images.items():
        image.save(folder / name, **options)
    return Dataset.from_lists([folder / name for name in images], ["x", "y"] * (len(images) // 2))


def test_what_the_file_says_is_read_from_its_content(tmp_path):
    turned = Image.Exif()
    turned[0x0112], turned[0x0110] = 6, "Pocket 7"
    page = Image.new("RGB", (600, 300), "red")
    dataset = files(
        tmp_path,
        {
            "a.jpg": (page, {"exif": turned}),
            "b.jpg": (page, {"format": "PNG"}),
            "c.jpg": (page, {"quality": 10}),
            "d.webp": (page.resize((30, 40)), {}),
        },
    )
    stats = image_stats_of(dataset)
    assert stats.format.tolist() == ["JPEG", "PNG", "JPEG", "WEBP"]
    assert stats.camera.tolist() == ["Pocket 7", "", "", ""]
    assert stats.width_px.tolist() == [300, 600, 600, 30]
    assert stats.height_px.tolist() == [600, 300, 300, 40]
    assert stats.bytes.tolist() == [len(dataset.read(i)) for i in range(4)]
    assert stats.brightness == pytest.approx(np.full(4, 0.299), abs=0.01)
    assert stats.saturation == pytest.approx(np.ones(4), abs=0.02)
    assert stats.contrast == pytest.approx(np.zeros(4), abs=0.01)


@pytest.mark.parametrize("length", [1, 3, 4, 5, 63, 200])
def test_camera_names_of_any_length(length):
    exif = Image.Exif()
    exif[0x0110] = "M" * length
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", exif=exif)
    assert camera_model(read_jpeg(file.getvalue()).exif) == "M" * min(length, 64)


def test_a_camera_is_found_behind_long_parts(tmp_path):
    """Editors put previews and texts in front of the camera's block."""
    exif = Image.Exif()
    exif[0x0110] = "Pocket 7"
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", exif=exif)
    data = file.getvalue()
    comment = b"\xff\xfe" + (60_002).to_bytes(2) + b"x" * 60_000
    (tmp_path / "a.jpg").write_bytes(data[:2] + comment + data[2:])
    dataset = Dataset.from_lists([tmp_path / "a.jpg"], ["a"])
    assert image_stats_of(dataset).camera.tolist() == ["Pocket 7"]


def test_a_broken_exif_block_names_no_camera():
    exif = Image.Exif()
    exif[0x0110] = "Pocket 7"
    block = exif.tobytes()
    for cut in range(len(block)):
        assert camera_model(block[:cut]) in ("Pocket 7"[:n] for n in range(9))
    assert camera_model(b"") == ""
    assert camera_model(b"Exif\0\0II*\0\xff\xff\xff\xff") == ""


def test_the_border_does_not_see_the_middle():
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (140, 210, 3), np.uint8)
    other = image.copy()
    other[30:110, 45:165] = 255
    first, second = measure(image), measure(other)
    assert first[6:] == pytest.approx(second[6:], abs=1e-6)
    assert abs(first[0] - second[0]) > 0.05
    framed = image.copy()
    framed[:4] = 0
    assert np.abs(measure(framed)[6:] - first[6:]).max() > 0.1


def test_progress_reaches_the_end_and_the_order_is_the_dataset_s(tmp_path):
    greys = np.linspace(0, 255, 40).astype(int)
    dataset = files(tmp_path, {f"{i:02}.png": (Image.new("L", (9, 9), int(g)), {}) for i, g in enumerate(greys)})
    steps = []
    stats = image_stats_of(dataset, lambda stage, done, total: steps.append((done, total)))
    assert stats.brightness == pytest.approx(greys / 255, abs=1e-3)
    assert steps[0] == (0, 40)
    assert steps[-1] == (40, 40)
    empty = image_stats_of(dataset.subset([]))
    assert empty.brightness.shape == (0,)
    assert empty.border.shape == (0, stats.border.shape[1])


def test_blur_is_seen_in_real_photos(clothing):
    clean, blurred = [], []
    for i in range(0, clothing.n, 4):
        with Image.open(clothing.places[i]) as photo:
            image = photo.convert("RGB")
        clean.append(measure(np.asarray(image))[5])
        blurred.append(measure(np.asarray(image.filter(ImageFilter.GaussianBlur(min(image.size) * 0.015))))[5])
    assert min(clean) > 0.62
    assert np.mean(np.array(blurred) < 0.6) >= 0.95

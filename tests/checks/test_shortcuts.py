"""Planted shortcuts are found, honest sets are left alone, and the small classifier is what it says it is."""

import io
from dataclasses import dataclass, fields, replace

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps
from scipy import stats

from tellapart.checks.image_stats import ImageStats, image_stats_of
from tellapart.checks.shortcuts import MIN_GROUPS_PER_CLASS, SHRINK, cross_validated, exact_p_value, shortcut_findings
from tellapart.data.photo import decode
from tellapart.data.source import Dataset


def dataset_of(labels, n_classes):
    n = len(labels)
    names = tuple(f"photos/{i:03}.jpg" for i in range(n))
    classes = tuple(f"class {c}" for c in range(n_classes))
    return Dataset("photos", classes, names, names, np.asarray(labels, np.int32), np.full(n, ""))


def alone(n):
    return np.arange(n, dtype=np.int32)


def random_stats(ordinary, n, seed):
    """Looks that vary in every way, and tell nothing."""
    rng = np.random.default_rng(seed)
    image_stats = ordinary(n, seed)
    return replace(
        image_stats,
        format=rng.choice(["JPEG", "PNG"], n),
        camera=rng.choice(["", "Pocket 7", "Old one"], n),
        width_px=rng.integers(300, 900, n),
        height_px=rng.integers(300, 900, n),
        border=rng.standard_normal(image_stats.border.shape).astype(np.float32),
    )


def planted(image_stats, chosen, **values):
    return replace(
        image_stats, **{name: np.where(chosen, value, getattr(image_stats, name)) for name, value in values.items()}
    )


@pytest.mark.parametrize("n_classes", [2, 3, 8])
def test_looks_that_tell_nothing_are_no_shortcut(n_classes, ordinary):
    for seed in range(8):
        labels = np.arange(20 * n_classes) % n_classes
        dataset = dataset_of(labels, n_classes)
        assert shortcut_findings(dataset, alone(dataset.n), random_stats(ordinary, dataset.n, seed)) == []


@pytest.mark.parametrize(
    ("values", "cue"),
    [
        ({"format": "WEBP"}, "file format"),
        ({"camera": "Box 9"}, "camera"),
        ({"width_px": 640, "height_px": 480}, "size in pixels"),
        ({"brightness": 0.2}, "brightness"),
        ({"sharpness": 0.6}, "sharpness"),
        ({"bytes": 400_000}, "file size"),
    ],
)
@pytest.mark.parametrize("n_classes", [2, 6])
def test_a_planted_cue_is_found_and_no_other(values, cue, n_classes, ordinary):
    labels = np.arange(30 * n_classes) % n_classes
    dataset = dataset_of(labels, n_classes)
    image_stats = planted(random_stats(ordinary, dataset.n, 1), labels == 1, **values)
    findings = shortcut_findings(dataset, alone(dataset.n), image_stats)
    assert [f.kind for f in findings] == ["shortcut"]
    assert findings[0].sentence.startswith(f"The {cue} alone ")
    assert findings[0].sure
    assert findings[0].suspects == ()


def test_the_numbers_of_the_sentence_are_the_photos(ordinary):
    labels = np.arange(120) % 6
    dataset = dataset_of(labels, 6)
    image_stats = planted(
        replace(random_stats(ordinary, 120, 2), format=np.full(120, "JPEG")), labels == 4, format="PNG"
    )
    [finding] = shortcut_findings(dataset, alone(120), image_stats)
    assert finding.sentence == (
        'The file format alone tells "class 4" from the rest '
        "(finds 20 of its 20 photos, and takes 0 of the 100 others for it)."
    )
    assert {row[1] for row in finding.photos} == {'"class 4"'}
    assert [row[0] for row in finding.photos] == [dataset.photos[i] for i in np.flatnonzero(labels == 4)]
    two = dataset_of(np.minimum(labels, 1), 2)
    image_stats = planted(
        replace(random_stats(ordinary, 120, 2), format=np.full(120, "JPEG")), labels == 0, format="PNG"
    )
    [finding] = shortcut_findings(two, alone(120), image_stats)
    assert finding.sentence == (
        'The file format alone puts 120 of 120 photos into the right class; always answering "class 1" would get 100.'
    )


def test_a_cue_of_all_classes_names_the_clearest_too(ordinary):
    labels = np.arange(120) % 4
    dataset = dataset_of(labels, 4)
    image_stats = replace(random_stats(ordinary, 120, 2), camera=np.array(["A", "B", "C", "D"])[labels])
    [finding] = shortcut_findings(dataset, alone(120), image_stats)
    assert finding.sentence.startswith(
        'The camera alone puts 120 of 120 photos into the right class; always answering "class 0" would get 30. '
        'Above all it tells "class 0" from the rest (finds 30 of its 30 photos, and takes 0 of the 90 others for it), '
    )
    assert finding.sentence.endswith(" and 1 more.")


def test_the_shadow_of_a_cue_is_named_only_if_it_is_as_clear(ordinary):
    labels = np.arange(120) % 2
    dataset = dataset_of(labels, 2)
    image_stats = random_stats(ordinary, 120, 2)
    lit = planted(image_stats, labels == 1, brightness=0.2)
    lit = replace(lit, border=np.where(labels[:, None] == 1, 2.0, 0.0).astype(np.float32) + 0.01 * image_stats.border)
    said = [finding.sentence for finding in shortcut_findings(dataset, alone(120), lit)]
    assert [sentence.split(" alone ")[0] for sentence in said] == ["The border", "The brightness"]
    lit.border[labels == 1] -= 2 * (np.arange(60) % 6 == 0)[:, None]
    [finding] = shortcut_findings(dataset, alone(120), lit)
    assert finding.sentence.startswith("The brightness alone ")


def test_photos_of_one_group_prove_nothing(ordinary):
    labels = np.arange(80) % 2
    dataset = dataset_of(labels, 2)
    image_stats = planted(random_stats(ordinary, 80, 3), labels == 1, brightness=0.2)
    assert shortcut_findings(dataset, alone(80), image_stats)
    bursts = (np.arange(80) % 2 + 2 * (np.arange(80) // 20)).astype(np.int32)
    assert shortcut_findings(dataset, bursts, image_stats) == []


def test_small_classes_are_not_asked_about(ordinary):
    few = MIN_GROUPS_PER_CLASS - 1
    labels = np.repeat([0, 1, 2], [40, 40, few])
    dataset = dataset_of(labels, 3)
    image_stats = planted(random_stats(ordinary, dataset.n, 4), labels == 2, camera="Box 9")
    assert shortcut_findings(dataset, alone(dataset.n), image_stats) == []
    assert shortcut_findings(dataset.subset([]), alone(0), take(image_stats, [])) == []
    assert shortcut_findings(dataset.subset([0]), alone(1), take(image_stats, [0])) == []


def take(image_stats, rows):
    return ImageStats(**{field.name: getattr(image_stats, field.name)[rows] for field in fields(ImageStats)})


def test_the_discriminant_equals_a_gaussian_one_written_out():
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 3, 90)
    x = rng.standard_normal((90, 4)) + 1.5 * rng.standard_normal((3, 4))[labels]
    folds = (np.arange(90) % 5).astype(np.int32)
    answers, balanced = cross_validated(x, labels, folds)
    for i in range(90):
        train = folds != folds[i]
        means = [x[train & (labels == c)].mean(axis=0) for c in range(3)]
        within = np.concatenate([x[train & (labels == c)] - means[c] for c in range(3)])
        covariance = within.T @ within / len(within)
        spread = np.diag(np.diag(covariance))
        covariance = (1 - SHRINK) * covariance + SHRINK * spread + np.eye(4) * (1e-3 * np.trace(spread) / 4 + 1e-9)
        distance = [(x[i] - m) @ np.linalg.inv(covariance) @ (x[i] - m) for m in means]
        prior = [np.log((train & (labels == c)).sum() / train.sum()) for c in range(3)]
        assert balanced[i] == np.argmin(distance)
        assert answers[i] == np.argmax([p - d / 2 for p, d in zip(prior, distance, strict=True)])


@pytest.mark.parametrize(
    ("hits", "taken", "n_class", "n"), [(8, 3, 10, 40), (0, 0, 5, 9), (5, 4, 5, 9), (1, 30, 3, 50)]
)
def test_the_exact_test_equals_scipy_s(hits, taken, n_class, n):
    table = [[hits, n_class - hits], [taken, n - n_class - taken]]
    expected = stats.fisher_exact(table, alternative="greater").pvalue
    assert exact_p_value(hits, taken, n_class, n) == pytest.approx(expected)


@dataclass
class Changed:
    """Real photos, those of one class saved in another way."""

    dataset: Dataset
    label: int
    change: object

    @property
    def n(self):
        return self.dataset.n

    def naming(self, index):
        return self.dataset.naming(index)

    def read(self, index):
        data = self.dataset.read(index)
        if self.dataset.labels[index] != self.label:
            return data
        file = io.BytesIO()
        self.change(Image.fromarray(decode(data)), file)
        return file.getvalue()


@pytest.mark.parametrize(
    ("change", "cue"),
    [
        (lambda image, file: image.save(file, "PNG"), "file format"),
        (lambda image, file: image.resize((300, 300)).save(file, "JPEG"), "size in pixels"),
        (lambda image, file: ImageEnhance.Brightness(image).enhance(0.4).save(file, "JPEG"), "brightness"),
        (lambda image, file: ImageOps.expand(image, 8, (30, 90, 200)).save(file, "JPEG", quality=90), "border"),
    ],
)
def test_shortcuts_planted_in_real_photos_are_found(clothing, change, cue):
    image_stats = image_stats_of(Changed(clothing, 1, change))
    findings = shortcut_findings(clothing, alone(clothing.n), image_stats)
    named = [finding.sentence for finding in findings if finding.sentence.startswith(f"The {cue} alone ")]
    assert len(named) == 1
    assert '"hat"' in named[0]


def test_real_photos_as_they_are_have_none(clothing):
    assert shortcut_findings(clothing, alone(clothing.n), image_stats_of(clothing)) == []

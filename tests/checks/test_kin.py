"""Groups that cross a split: those of the person, and those that days, cameras and file names hint at."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tellapart.checks.image_stats import image_stats_of
from tellapart.checks.kin import days_and_cameras, group_findings, kin_findings, series
from tellapart.data.groups import Groups
from tellapart.data.source import Dataset
from tellapart.formats.exif import day_taken
from tellapart.formats.header import read_jpeg
from tellapart.metrics.paired import compare_answers


def dataset_of(names, labels, splits=None, groups=None):
    names = tuple(names)
    return Dataset(
        "album", ("hat", "shoe"), names, names, np.array(labels, np.int32),
        np.array(splits or [""] * len(names), "U5"), groups=groups and Groups(tuple(groups), "lot", "column"),
    )  # fmt: skip


def jpeg(day=None, camera=None, byte_order="II"):
    exif = Image.Exif()
    exif.endian = "<" if byte_order == "II" else ">"
    if camera:
        exif[0x0110] = camera
    if day:
        exif.get_ifd(0x8769)[0x9003] = day
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", exif=exif)
    return file.getvalue()


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("2024:05:31 12:30:00", "2024-05-31"),
        ("0000:00:00 00:00:00", ""),
        ("yesterday", ""),
        ("2024:05:31", "2024-05-31"),
    ],
)
@pytest.mark.parametrize("byte_order", ["II", "MM"])
def test_the_day_on_which_a_photo_was_taken(said, day, byte_order):
    assert day_taken(read_jpeg(jpeg(said, byte_order=byte_order)).exif) == day


def test_a_broken_block_names_no_day():
    block = read_jpeg(jpeg("2024:05:31 12:30:00", "Pocket 7")).exif
    for cut in range(len(block)):
        assert day_taken(block[:cut]) in ("", "2024-05-31")
    for at in range(len(block)):
        for value in (0, 255):
            assert day_taken(block[:at] + bytes([value]) + block[at + 1 :]) is not None


def test_days_and_cameras_come_from_the_photos(tmp_path):
    for i, day in enumerate(("2024:05:31 10:00:00", None, "2024:06:01 10:00:00")):
        (tmp_path / f"{i}.jpg").write_bytes(jpeg(day, "Pocket 7" if day else None))
    stats = image_stats_of(Dataset.from_lists([tmp_path / f"{i}.jpg" for i in range(3)], ["a", "a", "b"]))
    days, cameras = days_and_cameras(stats)
    assert days.names == ("2024-05-31", "", "2024-06-01")
    assert cameras.names == ("Pocket 7", "", "Pocket 7")


def test_series_are_what_names_begin_with_below_the_class():
    names = [
        "album/train/hat/IMG_20240501_120000.jpg",
        "album/test/hat/summer/red-hat 7 (2).jpeg",
        "album/train/shoe/0149.jpg",
        "elsewhere/p3_1.png",
    ]
    folders, once, twice, three = (kin.names for kin in series(dataset_of(names, [0, 0, 1, 1])))
    assert folders == ("", "summer", "", "")
    assert once == ("IMG_20240501", "summer/red-hat 7", "", "p3")
    assert twice == ("IMG", "summer/red-hat", "", "p")
    assert three == ("IMG", "summer/red-hat", "", "p")


def test_a_class_is_not_found_in_the_source_s_own_name():
    """Of a source called like a class, and where folders above absolute paths are."""
    names = ["hat/train/hat/a/1.jpg", "hat/test/hat/2.jpg", "/photos/hat/mine/hat/b/3.jpg", "hat/train/shoe/4.jpg"]
    dataset = replace(dataset_of(names, [0, 0, 0, 1]), source="hat")
    assert series(dataset)[0].names == ("a", "", "b", "")


def test_nothing_is_said_without_groups_or_where_they_keep_to_their_side():
    splits = ["train", "train", "test", "test"] * 2
    names, labels = [f"{i}.jpg" for i in range(8)], [0] * 4 + [1] * 4
    assert list(group_findings(dataset_of(names, labels, splits))) == []
    assert list(group_findings(dataset_of(names, labels, splits, list("aabbccdd")))) == []


def test_groups_of_the_person_that_cross_a_given_split_are_named():
    splits = ["train", "train", "test", "test"] * 2
    names, labels = [f"{i}.jpg" for i in range(8)], [0] * 4 + [1] * 4
    [found] = group_findings(dataset_of(names, labels, splits, ["a", "b", "a", "c", "", "d", "d", ""]))
    assert found.kind == "group_leak"
    assert found.sentence.startswith('2 of 4 test photos are of groups (by the column "lot") that are trained on too')
    assert found.photos == (("2.jpg", "0.jpg", "a"), ("6.jpg", "5.jpg", "d"))
    assert found.suspects == ()


def test_a_class_of_one_group_and_all_of_one():
    names, labels = [f"{i}.jpg" for i in range(8)], [0] * 4 + [1] * 4
    [found] = group_findings(dataset_of(names, labels, None, ["a"] * 4 + list("bbcc")))
    assert found.sentence == 'All photos of "hat" are of one group (by the column "lot").'
    [found] = group_findings(dataset_of(names, labels, None, ["a"] * 4 + ["b"] * 4))
    assert found.sentence.startswith('Grouped by the column "lot", each class is one group, so none can be tested')


def album(ordinary):
    """120 photos, of ten days in turn, and looks that say so."""
    names = [f"album/{'train' if i % 4 else 'test'}/{'hat' if i % 2 else 'shoe'}/s{i % 10}_{i}.jpg" for i in range(120)]
    dataset = dataset_of(
        names, [0 if i % 2 else 1 for i in range(120)], ["train" if i % 4 else "test" for i in range(120)]
    )
    stats = replace(ordinary(120), day=np.array([f"2024-05-{i % 30:02}" for i in range(120)]))
    return dataset, stats


def test_what_crosses_the_split_is_said_only_where_it_changes_the_score(ordinary):
    dataset, stats = album(ordinary)
    asked = []

    def answers(n_without):
        def ask(numbers):
            asked.append(len(np.unique(numbers)))
            right = np.arange(200) < 190
            return compare_answers(np.arange(200) < n_without, right)

        return ask

    assert list(kin_findings(dataset, stats, answers(189))) == []
    assert 30 in asked  # the days
    assert 10 in asked  # the beginnings of names
    days, names = kin_findings(dataset, stats, answers(120))
    assert (days.kind, names.kind) == ("kin", "kin")
    assert days.sentence.startswith(
        "30 of 30 test photos have training photos beside them taken on one day, and the score"
    )
    assert "190 of 200 are right, 120 where nothing of the same day was learned from." in days.sentence
    assert "whose file names begin alike" in names.sentence
    assert list(kin_findings(replace(dataset, splits=np.full(120, "")), stats, answers(120))) == []
    assert list(kin_findings(dataset, stats, lambda numbers: None)) == []

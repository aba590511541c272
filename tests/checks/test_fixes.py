"""Which suspects --fix moves: never labels of a test on suspicion, never the harder half of a test bit by bit."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tellapart.checks.audit import audit
from tellapart.checks.finding import Finding
from tellapart.checks.fixes import KINDS, OF_TEST, USUAL, fix, suspicious, taken_out_of_test
from tellapart.checks.inspection import BY_SEVERITY
from tellapart.checks.quarantine import undo
from tellapart.checks.removal import LIST
from tellapart.data.duplicates import find_duplicates
from tellapart.data.source import scan
from tellapart.features.prepare import Prepared

D = 64


def folder_of(place, counts):
    """A folder with so many files at each path; what is in them does not matter here."""
    for path, n in counts.items():
        (place / path).mkdir(parents=True)
        for i in range(n):
            (place / path / f"{i}.jpg").write_bytes(f"{path} {i}".encode())
    return place


def prepared_of(folder, values=None, hashes=None):
    """The photos of the folder with these features, or with some that are alike to none."""
    dataset = scan(folder)
    if values is None:
        values = np.random.default_rng(0).standard_normal((dataset.n, D)).astype(np.float32)
    hashes = np.array([f"{i:032d}" for i in range(dataset.n)], "S32") if hashes is None else hashes
    unused = dict.fromkeys(("features", "backbone", "preprocessing"))
    return Prepared(dataset, values, hashes, find_duplicates(values, hashes), (), **unused)


def finding(kind, *suspects):
    return Finding(kind, "What.", "Do.", suspects=suspects)


@pytest.fixture
def photos(tmp_path):
    return folder_of(tmp_path / "photos", {"hat": 6, "shoe": 6})


@pytest.fixture
def divided(tmp_path):
    counts = {f"{split}/{name}": 6 for split in ("train", "test") for name in ("hat", "shoe")}
    return folder_of(tmp_path / "photos", counts)


def moved(done):
    return [move.path for move in done.moves]


def test_every_kind_that_can_be_asked_for_is_a_finding():
    assert {kind for kinds in KINDS.values() for kind in kinds} <= set(BY_SEVERITY)
    assert set(USUAL) == set(KINDS) - {"labels"}


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (USUAL, ["hat/1.jpg", "hat/2.jpg", "hat/3.jpg", "shoe/0.jpg"]),
        (("copies",), ["hat/2.jpg", "hat/3.jpg"]),
        (("leaks",), ["hat/1.jpg"]),
        (("labels",), ["hat/0.jpg", "shoe/1.jpg"]),
        (("unusable", "leaks"), ["hat/1.jpg", "shoe/0.jpg"]),
        (tuple(KINDS), ["hat/0.jpg", "shoe/1.jpg", "hat/1.jpg", "hat/2.jpg", "hat/3.jpg", "shoe/0.jpg"]),
    ],
)
def test_what_was_asked_for_moves(photos, kinds, expected):
    findings = [
        finding("label_conflict", f"{photos}/hat/0.jpg"),
        finding("mislabelled", f"{photos}/shoe/1.jpg"),
        finding("leak", f"{photos}/hat/1.jpg"),
        finding("exact_duplicate", f"{photos}/hat/2.jpg"),
        finding("near_duplicate", f"{photos}/hat/3.jpg"),
        finding("unusable", f"{photos}/shoe/0.jpg"),
        finding("blurred"),
    ]
    prepared = prepared_of(photos)
    planned = fix(prepared, findings, kinds, dry_run=True)
    assert moved(planned) == expected
    assert (photos / "hat/0.jpg").exists()
    assert fix(prepared, findings, kinds) == planned
    assert suspicious(findings) == {f"{photos}/hat/0.jpg", f"{photos}/shoe/1.jpg"}


def test_a_test_photo_never_moves_for_its_label(divided):
    findings = [
        finding("label_conflict", f"{divided}/test/hat/0.jpg", f"{divided}/train/shoe/0.jpg"),
        finding("mislabelled", f"{divided}/test/hat/1.jpg", f"{divided}/train/hat/1.jpg"),
    ]
    done = fix(prepared_of(divided), findings, ("labels",))
    assert moved(done) == ["train/shoe/0.jpg", "train/hat/1.jpg"]
    assert [(kept.photo, kept.reason) for kept in done.kept] == [
        (f"{divided}/test/hat/{i}.jpg", OF_TEST) for i in range(2)
    ]
    leak = finding("leak", f"{divided}/test/hat/0.jpg")
    done = fix(
        prepared_of(divided), [finding("label_conflict", f"{divided}/test/hat/0.jpg"), leak], ("labels", "leaks")
    )
    assert moved(done) == ["test/hat/0.jpg"]
    assert done.kept == ()


def test_nor_does_one_of_the_part_that_is_tested_on_where_no_part_is_named_test(tmp_path):
    counts = {f"{split}/{name}": 6 for split in ("train", "val") for name in ("hat", "shoe")}
    photos = folder_of(tmp_path / "photos", counts)
    found = finding("mislabelled", f"{photos}/val/hat/1.jpg", f"{photos}/train/hat/1.jpg")
    assert moved(fix(prepared_of(photos), [found], ("labels",))) == ["train/hat/1.jpg"]


def test_suspicion_is_acted_on_once(photos):
    first = fix(prepared_of(photos), [finding("mislabelled", f"{photos}/hat/0.jpg")], ("labels",))
    assert moved(first) == ["hat/0.jpg"]
    conflict = finding("label_conflict", f"{photos}/hat/2.jpg")
    again = fix(prepared_of(photos), [conflict, finding("mislabelled", f"{photos}/hat/1.jpg")], ("labels",))
    assert moved(again) == ["hat/2.jpg"]
    assert [kept.reason for kept in again.kept] == [
        "1 photo was moved for a label that looked wrong already, and without them others begin to look so; look at it"
    ]
    undo(photos)
    assert moved(fix(prepared_of(photos), [finding("mislabelled", f"{photos}/hat/1.jpg")], ("labels",)))


def likeness(rng, n_alone, n_alike, spread):
    """(n_alone + n_alike, D) features: the last ones alike, so that the mean leans towards them."""
    common = 3 * rng.standard_normal(D)
    alike = common + spread * rng.standard_normal((n_alike, D))
    return np.concatenate([rng.standard_normal((n_alone, D)), alike]).astype(np.float32)


@pytest.mark.parametrize("spread", [0.4, 0.5, 0.6])
def test_one_fix_leaves_nothing_for_a_second(tmp_path, spread):
    """With copies gone the mean of all photos is another, and pairs that were below the threshold come above it."""
    n_more = 0
    for seed in range(6):
        folder = folder_of(tmp_path / f"{seed}", {"hat": 30, "shoe": 30})
        values = likeness(np.random.default_rng(seed), 30, 30, spread)
        prepared = prepared_of(folder, values)
        found = audit(prepared.dataset, (), prepared.duplicates)
        done = fix(prepared, found)
        n_more += len(done.moves) - len({photo for one in found for photo in one.suspects})
        left = prepared_of(folder, values[[Path(place).exists() for place in prepared.dataset.places]])
        again = fix(left, audit(left.dataset, (), left.duplicates))
        assert again.moves == ()
    assert n_more > 0


def test_copies_in_two_classes_are_no_copies_to_clear_away(photos):
    """Which of them is in the right class is not known, so none goes unless labels are asked for."""
    hashes = np.array([f"{i:032d}" for i in range(12)], "S32")
    hashes[6] = hashes[1] = hashes[0]  # two hats and a shoe
    values = np.random.default_rng(0).standard_normal((12, D)).astype(np.float32)
    values[6] = values[1] = values[0]
    prepared = prepared_of(photos, values, hashes)
    found = audit(prepared.dataset, (), prepared.duplicates)
    assert moved(fix(prepared, found, dry_run=True)) == ["hat/1.jpg"]
    assert moved(fix(prepared, found, ("labels",))) == ["hat/0.jpg", "hat/1.jpg", "shoe/0.jpg"]


def test_training_says_what_was_taken_out_of_the_test(divided):
    prepared = prepared_of(divided)
    assert taken_out_of_test(prepared.dataset) == ""
    leaks = finding("leak", *(f"{divided}/test/hat/{i}.jpg" for i in range(3)))
    copies = finding("near_duplicate", f"{divided}/test/shoe/0.jpg", f"{divided}/train/shoe/0.jpg")
    unusable = finding("unusable", f"{divided}/test/shoe/1.jpg")
    labels = finding("mislabelled", f"{divided}/train/hat/0.jpg")
    fix(prepared, [labels, leaks, copies, unusable], tuple(KINDS))
    assert taken_out_of_test(scan(divided)) == (
        "“tellapart check --fix” has taken out of the test: 3 photos that are also training photos, 1 copy."
    )
    undo(divided)
    assert taken_out_of_test(scan(divided)) == ""


def test_without_test_folders_it_says_what_the_folder_lacks(photos):
    suspects = [f"{photos}/hat/{i}.jpg" for i in range(2)]
    fix(prepared_of(photos), [finding("mislabelled", *suspects), finding("exact_duplicate", suspects[0])], tuple(KINDS))
    assert taken_out_of_test(scan(photos)) == (
        "“tellapart check --fix” has taken out of this folder, so the test has none of them: 2 photos whose label "
        "looked wrong. Those that look wrong are the hard ones, so the score is too good."
    )


def test_a_list_of_before_is_understood_and_a_torn_one_does_no_harm(divided):
    fix(prepared_of(divided), [finding("leak", f"{divided}/test/hat/0.jpg")])
    path = divided.with_name("photos.quarantine") / LIST
    line = json.loads(path.read_text("utf-8"))
    (divided / "test/hat/1.jpg").unlink()
    before = line | {
        "from": "test/hat/1.jpg",
        "to": "test/hat/1.jpg",
        "why": ['mislabelled: in "hat", looks like "shoe"'],
    }
    path.write_text("\n".join([json.dumps(line), json.dumps(before), '{"from": "test/hat/2.j']))
    assert taken_out_of_test(scan(divided)) == (
        "“tellapart check --fix” has taken out of the test: 1 photo that is also a training photo, 1 photo whose "
        "label looked wrong. Those that look wrong are the hard ones, so the score is too good."
    )


def test_where_validation_photos_are_the_test(tmp_path):
    folder = folder_of(tmp_path / "photos", {f"{s}/{c}": 4 for s in ("train", "val") for c in ("hat", "shoe")})
    fix(prepared_of(folder), [finding("leak", f"{folder}/val/hat/0.jpg")])
    assert "has taken out of the test: 1 photo that is also" in taken_out_of_test(scan(folder))


def test_photos_that_lie_in_no_folder_of_ours_say_nothing(photos):
    assert taken_out_of_test(replace(scan(photos), source="nowhere")) == ""

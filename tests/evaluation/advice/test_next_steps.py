"""What to do next comes from what training computed: named as in the folder, counted once, and never too much."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tellapart.data.duplicates import find_duplicates
from tellapart.data.preprocess import Preprocess
from tellapart.data.source import Dataset
from tellapart.data.split import cross_validated_split, make_split
from tellapart.engine.backbone import QUALITIES
from tellapart.evaluation.advice.advice import MOST, advise
from tellapart.evaluation.advice.next_steps import next_steps
from tellapart.evaluation.advice.probe_beside import probe_beside
from tellapart.evaluation.document import test_evaluation as evaluation_of
from tellapart.evaluation.evaluation import as_json, evaluate_predictions
from tellapart.evaluation.learning_curve import learning_curve
from tellapart.features.prepare import Prepared
from tellapart.recipe import LinearProbe, Reading, Scratch
from tellapart.timing import no_progress
from tellapart.workflow.fit import fit

FAST = QUALITIES["fast"]

RECIPE = LinearProbe(Reading(quality="fast"))
NAMES = ("cat", "dog", "hen")
STEPS = ("learning_curve", "suspects", "label_conflicts", "advice")


def prepared_of(features, labels, names=NAMES, hashes=None):
    """Photos that are never read, with these features."""
    n = len(labels)
    photos = tuple(f"album/{names[c]}/{i}.jpg" for i, c in enumerate(labels))
    dataset = Dataset("album", names, photos, photos, labels.astype(np.int32), np.full(n, "", "U5"))
    if hashes is None:
        hashes = np.array([b"%032d" % i for i in range(n)], "S32")
    return Prepared(dataset, features, hashes, find_duplicates(features, hashes), (), None, FAST, Preprocess(224))


def blobs(sizes, seed=0, spread=1.2, d=1280):
    """Features as wide as the fast backbone's, because an evaluation holds them against its OOD reference."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    centres = 3 * rng.standard_normal((len(sizes), d)) * (np.arange(d) < 100)
    return (centres[labels] + spread * rng.standard_normal((len(labels), d))).astype(np.float32), labels


def steps_of(prepared, recipe=RECIPE, *, crossed=False, progress=no_progress):
    """All that training does before, and its next steps."""
    found, labels = prepared.duplicates, prepared.dataset.labels
    if crossed:
        split = cross_validated_split(labels, found.groups, found.copies)
    else:
        split = make_split(labels, found.groups, found.copies)
    learned = fit(prepared, split, recipe)
    evaluation = evaluation_of(learned)
    said = next_steps(learned, evaluation, progress, can_fine_tune=True).to_json()
    return {key: said[key] for key in STEPS}, evaluation, learned


@pytest.fixture(scope="module")
def swapped():
    """Three classes of 100, with 12 photos of cats called dogs, and all that is said of them."""
    features, labels = blobs((100, 100, 100), spread=2.0)
    wrong = labels.copy()
    wrong[:12] = 1
    prepared = prepared_of(features, wrong)
    told = []
    return prepared, *steps_of(prepared, progress=lambda *step: told.append(step)), told


def test_it_is_json(swapped):
    steps = swapped[1]
    assert json.loads(json.dumps(steps, allow_nan=False)) == steps
    assert 0 < len(steps["advice"]) <= MOST
    gains = [item["expected_gain"] for item in steps["advice"]]
    assert gains == sorted(gains, reverse=True)


def test_swapped_photos_are_suspects_named_as_in_the_folder(swapped):
    prepared, steps, _, learned, *_ = swapped
    split = learned.split
    learned = {f"dog/{i}.jpg" for i in range(12) if i in split.learned}
    found = {suspect["photo"] for suspect in steps["suspects"]}
    assert len(found & learned) >= 0.7 * len(learned)
    assert len(found - learned) <= 3
    inside = {photo.removeprefix("album/") for photo in prepared.dataset.photos}
    assert all(set(suspect) == {"photo", "class_name", "looks_like"} for suspect in steps["suspects"])
    assert {photo for item in steps["advice"] for photo in item["photos"]} <= inside
    assert found <= inside
    first = next(item for item in steps["advice"] if item["kind"] == "suspected_labels")
    assert first["photos"] == [suspect["photo"] for suspect in steps["suspects"]][:24]


def test_only_photos_that_train_are_suspects(swapped):
    prepared, steps, _, learned, *_ = swapped
    split = learned.split
    trains = {prepared.dataset.photos[i].removeprefix("album/") for i in split.learned}
    assert {suspect["photo"] for suspect in steps["suspects"]} <= trains


def test_the_curve_is_the_one_of_the_training_photos(swapped):
    prepared, steps, _, learned, _ = swapped
    split, folds, fitted = learned.split, learned.folds, learned.calibrated
    chosen = split.learned
    again = learning_curve(
        prepared.values[chosen], prepared.dataset.labels[chosen], folds, prepared.duplicates.groups[chosen], 3, RECIPE,
        fitted,
    )  # fmt: skip
    assert steps["learning_curve"] == as_json(again.summary())


def test_progress_is_told_to_the_end(swapped):
    told = [step for step in swapped[-1] if step[0] == "learning curve"]
    assert told
    assert told[-1][1] == told[-1][2]


def test_few_photos_have_no_curve_and_what_like_sets_gained():
    steps, evaluation, *_ = steps_of(prepared_of(*blobs((4, 4, 4))), crossed=True)
    assert steps["learning_curve"] is None
    assert steps["suspects"] == []
    more = [item for item in steps["advice"] if item["kind"] == "more_photos"]
    assert all((item["numbers"]["n_train"], item["numbers"]["n_more"]) == (12, 12) for item in more)
    assert "stop" not in [item["kind"] for item in steps["advice"]]
    assert steps["advice"][1]["sentence"].startswith("With 12 photos nobody can say how good this is")
    assert evaluation["method"] == "cross-validation"


@pytest.mark.slow
def test_in_a_cross_validation_each_photo_is_counted_once():
    """Its answers and the out-of-fold ones are about the same photos."""
    steps, evaluation, *_ = steps_of(prepared_of(*blobs((25, 25, 25), spread=12.0)), crossed=True)
    matrix = np.array(evaluation["confusion"]["matrix"])
    np.fill_diagonal(matrix, 0)
    [pair] = [item for item in steps["advice"] if item["kind"] == "confused_pair"]
    assert pair["numbers"]["n_photos"] == evaluation["n_test"] == 75
    assert pair["numbers"]["n_confused"] == (matrix + matrix.T).max()


@pytest.mark.slow
def test_photos_of_two_classes_at_once_come_first():
    features, labels = blobs((20, 20, 20))
    features[20:30], hashes = features[:10], np.array([b"%032d" % i for i in range(60)], "S32")
    hashes[20:30] = hashes[:10]
    steps, evaluation, *_ = steps_of(prepared_of(features, labels, hashes=hashes), crossed=True)
    first = steps["advice"][0]
    assert first["kind"] == "label_conflict"
    assert evaluation["label_conflicts"]["n"] == 20
    assert len(evaluation["label_conflicts"]["photos"]) == 10
    assert first["sentence"].startswith(
        'Look at 20 photos that show the same thing under different class names, first "'
    )
    assert first["photos"][:2] == ["cat/0.jpg", "dog/20.jpg"]
    assert first["expected_gain"] == pytest.approx(20 / 60)
    assert evaluation["warnings"][0].startswith("20 photos show the same thing under different class names")


def test_the_same_thing_in_two_classes_is_asked_about_once(swapped):
    """Cats called dogs, each with a copy among the cats: which is wrong is said beside the pair, and nowhere else."""
    prepared, before = swapped[0], swapped[1]
    assert before["label_conflicts"] == {"n": 0, "photos": [], "likely_wrong": []}
    hashes = prepared.pixel_hashes.copy()
    hashes[20:26] = hashes[:6]
    steps, _, learned = steps_of(prepared_of(prepared.values, prepared.dataset.labels, hashes=hashes))
    torn = {f"dog/{i}.jpg" for i in range(6)} | {f"cat/{i}.jpg" for i in range(20, 26)}
    conflicts, others = steps["label_conflicts"], {suspect["photo"] for suspect in steps["suspects"]}
    assert {photo for pair in conflicts["photos"] for photo in (pair["photo"], pair["twin"])} == torn
    wrong = {suspect["photo"] for suspect in conflicts["likely_wrong"]}
    assert len(wrong & {f"dog/{i}.jpg" for i in range(6) if i in learned.split.learned}) >= 2
    assert wrong <= torn
    assert all(s["looks_like"] == "cat" for s in conflicts["likely_wrong"] if s["class_name"] == "dog")
    assert others
    assert not others & torn


@pytest.mark.slow
def test_a_class_of_copies_trains_and_is_not_tested():
    features, labels = blobs((25, 25, 12))
    features[labels == 2] = features[-1]
    hashes = np.array([b"%032d" % min(i, 50) for i in range(62)], "S32")
    prepared = prepared_of(features, labels, hashes=hashes)
    steps, evaluation, learned = steps_of(prepared, crossed=True)
    split, folds = learned.split, learned.folds
    assert split.test.tolist() == list(range(50))
    assert (folds[50:] == -1).all()
    assert evaluation["n_test"] == 50
    assert evaluation["split"]["n_folds"] == 10
    assert evaluation["per_class"][2]["recall"]["value"] is None
    assert evaluation["warnings"] == [
        'All photos of "hen" are copies of one photo, which cannot be tested. Add different ones.'
    ]
    assert "stop" not in [item["kind"] for item in steps["advice"]]


def test_nothing_but_copies_is_no_crash_and_no_number():
    features, labels = blobs((10, 10))
    features[:10], features[10:] = features[0], features[10]
    hashes = np.array([b"%032d" % (i // 10) for i in range(20)], "S32")
    steps, evaluation, *_ = steps_of(prepared_of(features, labels, NAMES[:2], hashes), crossed=True)
    assert evaluation["n_test"] == 0
    assert evaluation["accuracy"]["value"] is None
    assert steps["learning_curve"] is None
    assert "quality" not in [item["kind"] for item in steps["advice"]]
    assert json.loads(json.dumps({**evaluation, **steps}, allow_nan=False))


def good(n_train=(100, 100, 100), **more):
    """An evaluation of 300 test photos, all right."""
    labels = np.repeat(np.arange(3), 100)
    photos = [f"{i}.jpg" for i in range(300)]
    return evaluate_predictions(np.eye(3)[labels], labels, NAMES, photos, n_train_per_class=n_train, **more)


@pytest.fixture(scope="module")
def curve(swapped):
    """Any curve."""
    prepared, _, _, learned, _ = swapped
    split, folds, fitted = learned.split, learned.folds, learned.calibrated
    chosen = split.learned
    return learning_curve(
        prepared.values[chosen], prepared.dataset.labels[chosen], folds, prepared.duplicates.groups[chosen], 3, RECIPE,
        fitted,
    )  # fmt: skip


def kinds(advice):
    return [item.kind for item in advice]


def test_stop_is_said_only_where_the_test_says_enough(curve):
    assert kinds(advise(good(), curve)) == ["stop"]
    assert "stop" not in kinds(advise(replace(good(), warnings=("All photos look alike.",)), curve))
    few = advise(good((100, 100, 3)), curve)
    assert "stop" not in kinds(few)
    [small] = [item for item in few if item.kind == "small_classes"]
    assert small.sentence == (
        'Add photos of "hen" (3): with fewer than 10 of a class nobody can say how well it is recognised.'
    )
    assert small.numbers == {"n_train": {"hen": 3}}


def test_a_cross_validation_has_no_test_photos(curve):
    [stop] = advise(good(crossed=True), curve)
    assert "0 mistakes in 300 photos" in stop.sentence
    [stop] = advise(good(), curve)
    assert "0 mistakes in 300 test photos" in stop.sentence


def test_the_same_photos_give_the_same_steps(swapped):
    prepared, steps, evaluation, learned, _ = swapped
    again = next_steps(replace(learned, prepared=replace(prepared)), evaluation, no_progress, can_fine_tune=True)
    assert {key: again[key] for key in STEPS} == steps


def test_a_probe_beside_a_poor_network_is_told_and_beside_itself_is_even():
    """What is trained as a network is stood in for by a probe of features that say little."""
    features, labels = blobs((60, 60))
    bundled = prepared_of(features, labels, NAMES[:2])
    noise = np.random.default_rng(1).standard_normal(features.shape).astype(np.float32)
    found = bundled.duplicates
    split = make_split(labels, found.groups, found.copies)
    poor = replace(fit(replace(bundled, values=noise), split, RECIPE), recipe=Scratch(probe=RECIPE), history={})
    beside = probe_beside(bundled, poor)
    assert beside.n_test == len(split.test)
    own = poor.calibrated.head.logits(noise[split.test]).argmax(axis=1)
    assert beside.n_right == int((own == labels[split.test]).sum())
    assert beside.n_right_probe == beside.n_test, "the blobs lie far apart"
    assert beside.clearly_better
    said = next_steps(poor, evaluation_of(poor), no_progress, can_fine_tune=True, bundled=bundled)
    assert [a.kind for a in said.advice].count("probe") == 1
    even = probe_beside(bundled, replace(poor, prepared=bundled, calibrated=fit(bundled, split, RECIPE).calibrated))
    assert even.n_right == even.n_right_probe
    assert not even.clearly_better
    assert probe_beside(bundled, replace(poor, split=replace(split, test=split.test[:0]))) is None

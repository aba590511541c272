"""How many right answers are kept on corrupted photos, against the same counted by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.data.photo import decode
from tellapart.data.preprocess import preprocess
from tellapart.data.source import Dataset
from tellapart.evaluation.corruption import border_only, corrupt, white_balance, working_size
from tellapart.evaluation.evaluation import as_json
from tellapart.evaluation.robustness import (
    BALANCES,
    BORDER,
    DAMAGE,
    MAX_TEST_PHOTOS,
    VARIANTS,
    _chosen,
    measure_robustness,
)
from tellapart.metrics.intervals import no_information_p_value
from tellapart.model.prediction import load

pytestmark = pytest.mark.slow

PER_CLASS = 1
NAMES = ("dress", "hat", "pants", "shoes")


def robustness(*args, **options):
    """As evaluation.json has it."""
    return as_json(measure_robustness(*args, **options))


@pytest.fixture(scope="module")
def predictor(model):
    return load(model)


@pytest.fixture(scope="module")
def dataset(shared_data, tmp_path_factory):
    """Test photos of the model's classes, and at the end one that cannot be read."""
    broken = tmp_path_factory.mktemp("broken") / "broken.jpg"
    broken.write_bytes(b"no photo")
    folder = shared_data / "clothing" / "test"
    paths = [path for name in NAMES for path in sorted((folder / name).iterdir())[:PER_CLASS]]
    return Dataset.from_lists([*paths, broken], [*(path.parent.name for path in paths), "hat"])


@pytest.fixture(scope="module")
def steps():
    return []


@pytest.fixture(scope="module")
def result(predictor, dataset, steps):
    return robustness(predictor, dataset, range(dataset.n), seed=1, progress=lambda *step: steps.append(step))


def test_there_are_27_5_and_1_ways_to_corrupt_a_photo():
    assert (len(DAMAGE), len(BALANCES), len(VARIANTS)) == (27, 5, 34)


def test_the_answers_are_those_of_the_model_about_the_corrupted_photos(result, predictor, dataset):
    """The whole once more, one photo and one variant after the other, by the public parts."""
    right, unsure, none = (dict.fromkeys(VARIANTS, 0) for _ in range(3))
    for index in range(dataset.n - 1):
        image = decode(dataset.read(index), min_side_px=predictor.preprocessing.min_side_px)
        for variant in VARIANTS:
            small = working_size(image)
            if variant.severity:
                pixels = preprocess(
                    corrupt(small, variant.name, variant.severity, seed=(1, index)), predictor.preprocessing
                )
            elif variant.kelvin:
                pixels = preprocess(white_balance(small, variant.kelvin), predictor.preprocessing)
            else:
                pixels = preprocess(image, predictor.preprocessing)
                pixels = border_only(pixels) if variant == BORDER else pixels
            got = predictor.predict(pixels)  # already of the model's size, so preprocessing leaves it alone
            right[variant] += got.class_name == dataset.class_names[dataset.labels[index]]
            unsure[variant] += got.answer == "not sure"
            none[variant] += got.answer == "none of these"
    n = dataset.n - 1
    rows = {tuple(row.get(k) for k in ("name", "severity", "kelvin")): row for row in _rows(result)}
    for variant in (*DAMAGE, *BALANCES):
        row = rows[(variant.name, variant.severity, variant.kelvin)]
        assert row["n_right"] == right[variant]
        assert row["accuracy"] == right[variant] / n
        assert row["kept"]["value"] == pytest.approx(right[variant] / right[VARIANTS[0]])
        assert (row["not_sure"], row["none_of_these"]) == (unsure[variant] / n, none[variant] / n)
    assert result["clean"]["n_right"] == right[VARIANTS[0]]
    assert result["border_only"]["n_right"] == right[BORDER]
    assert result["mean_kept"]["value"] == pytest.approx(
        np.mean([right[v] for v in DAMAGE]) / result["clean"]["n_right"]
    )


def _rows(result):
    return [*result["corruptions"], *result["white_balance"]]


def test_every_number_is_possible(result):
    json.dumps(result, allow_nan=False)
    assert (len(result["corruptions"]), len(result["white_balance"])) == (27, 5)
    for row in _rows(result):
        assert 0 <= row["kept"]["low"] <= row["kept"]["value"] <= row["kept"]["high"]
        assert row["kept"]["low"] < row["kept"]["high"]
        assert row["not_sure"] + row["none_of_these"] <= 1
    for rows in (result["corruptions"], result["white_balance"]):
        accuracies = [row["accuracy"] for row in rows]
        assert accuracies == sorted(accuracies)


def test_an_unreadable_photo_is_counted_and_nothing_else(result, steps):
    n = len(NAMES) * PER_CLASS
    assert (result["n"], result["n_test"], result["n_unreadable"]) == (n, n + 1, 1)
    assert steps == [("robustness", done, n + 1) for done in range(n + 2)]


def test_corruption_costs_something_and_daylight_nothing(result):
    daylight = next(row for row in result["white_balance"] if row["kelvin"] == 5500)
    assert abs(daylight["n_right"] - result["clean"]["n_right"]) <= 1
    assert result["corruptions"][0]["n_right"] < result["clean"]["n_right"]


def test_the_border_test_against_the_commonest_class(result):
    border = result["border_only"]
    assert border["baseline"] == {"class_name": "dress", "value": 1 / len(NAMES)}
    n = len(NAMES) * PER_CLASS
    assert border["p_value"] == no_information_p_value(border["n_right"], n, 1 / len(NAMES))
    assert border["clearly_above"] == (border["p_value"] < 0.01)


def test_sentences(result):
    first, second, *third = result["sentences"]
    dark = next(r for r in result["corruptions"] if (r["name"], r["severity"]) == ("darkness", "medium"))
    kept = round(100 * dark["kept"]["value"])
    assert first.startswith(f"In the dark it keeps {min(kept, 100)} of every 100 right answers (")
    assert first.endswith(" is plausible), measured on 4 test photos.")
    least = min(row["n_right"] for row in result["corruptions"] if row["severity"] == "strong")
    worst = [r["name"] for r in result["corruptions"] if r["severity"] == "strong" and r["n_right"] == least]
    assert second.split(" hurts most: when strong, it keeps ")[0].lower() in [name.lower() for name in worst]
    assert len(third) <= 1
    assert bool(third and "background" in third[0]) == result["border_only"]["clearly_above"]


def test_the_same_seed_gives_the_same_bytes_and_groups_only_widen(predictor, dataset):
    few = [0, 2 * PER_CLASS]
    once = robustness(predictor, dataset, few)
    assert json.dumps(once) == json.dumps(robustness(predictor, dataset, few))
    grouped = robustness(predictor, dataset, few, groups=np.array([5, 5]))
    assert [row["n_right"] for row in _rows(once)] == [row["n_right"] for row in _rows(grouped)]
    assert grouped["clean"]["high"] - grouped["clean"]["low"] >= once["clean"]["high"] - once["clean"]["low"]


@pytest.mark.parametrize("indices", [[], [len(NAMES) * PER_CLASS]], ids=["no photo", "one that cannot be read"])
def test_no_photos_give_no_numbers(predictor, dataset, indices):
    got = robustness(predictor, dataset, np.array(indices, np.int64))
    json.dumps(got, allow_nan=False)
    assert (got["n"], got["n_test"], got["n_unreadable"]) == (0, len(indices), len(indices))
    assert got["corruptions"] == got["white_balance"] == []
    assert {got["clean"]["value"], got["mean_kept"]["value"], got["border_only"]["value"]} == {None}
    assert got["sentences"] == ["There are no test photos, so nothing is known about spoiled ones."]


def test_where_nothing_is_right_nothing_is_kept(predictor, dataset):
    """A photo under a class that it is not of."""
    path = Path(dataset.places[0])
    wrong = [name for name in NAMES if name != predictor.predict(path).class_name]
    got = robustness(predictor, Dataset.from_lists([path], wrong[:1]), [0])
    json.dumps(got, allow_nan=False)
    assert got["clean"]["n_right"] == 0
    assert all(row["kept"] == {"value": None, "low": None, "high": None} for row in _rows(got))
    assert got["sentences"] == [
        "Not one of 1 test photo is right as it is, so there is nothing to lose on spoiled ones."
    ]


def test_stopping_stops(predictor, dataset):
    calls = []

    def stop(stage, done, total):
        calls.append(done)
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        robustness(predictor, dataset, range(dataset.n), progress=stop)
    assert calls == [0, 1]


@given(st.lists(st.integers(1, 60), min_size=1, max_size=8), st.integers(1, 100), st.integers(0, 99))
def test_photos_are_chosen_from_each_class_in_proportion(sizes, at_most, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    chosen = _chosen(labels, at_most, seed)
    assert len(chosen) == len(set(chosen)) == min(at_most, len(labels))
    assert np.array_equal(chosen, np.sort(chosen))
    assert np.array_equal(chosen, _chosen(labels, at_most, seed))
    counts = np.bincount(labels[chosen], minlength=len(sizes))
    if at_most >= len(sizes):
        assert counts.min() >= 1
        assert np.all(np.abs(counts - np.array(sizes) * min(1, at_most / len(labels))) <= len(sizes))


def test_another_seed_chooses_other_photos():
    labels = np.arange(1000) % 7
    assert set(_chosen(labels, MAX_TEST_PHOTOS, 0)) != set(_chosen(labels, MAX_TEST_PHOTOS, 1))

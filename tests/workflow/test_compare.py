"""Two models on the same photos: only photos new to both count, and the sentence says what the numbers say."""

import json
import shutil
from dataclasses import asdict

import numpy as np
import pytest

from tellapart.errors import ArtifactError, InputError
from tellapart.features.extract import hash_pixels
from tellapart.metrics.intervals import wilson
from tellapart.metrics.paired import compare_answers
from tellapart.model.artifact import sha256
from tellapart.model.prediction import Predictor, load
from tellapart.recipe import LinearProbe, Reading
from tellapart.workflow.compare import Compared, compare, sentence
from tellapart.workflow.evaluate import evaluate
from tellapart.workflow.train import train

pytestmark = pytest.mark.slow

NAMES = ("dress", "hat", "pants", "shoes")


@pytest.fixture(scope="module")
def meagre(clothing_folder, tmp_path_factory):
    """A worse model: trained on one or two photos a class of `clothing`, all of it out of shape."""
    folder = tmp_path_factory.mktemp("few")
    for name in NAMES:
        (folder / "photos" / name).mkdir(parents=True)
        for path in sorted((clothing_folder / name).iterdir())[-6:]:
            (folder / "photos" / name / path.name).symlink_to(path.resolve())
    train(
        folder / "photos", folder / "meagre", LinearProbe(Reading(quality="fast", resize_mode="squash", test_share=0.8))
    )
    return folder / "meagre"


@pytest.fixture(scope="module")
def fresh(shared_data, tmp_path_factory):
    """20 photos that no model was trained on."""
    folder = tmp_path_factory.mktemp("fresh") / "photos"
    for name in NAMES:
        (folder / name).mkdir(parents=True)
        for path in sorted((shared_data / "clothing" / "test" / name).iterdir())[:5]:
            shutil.copy(path, folder / name)
    return folder


@pytest.fixture(scope="module")
def found(model, meagre, fresh):
    return compare(meagre, model, fresh)


@pytest.fixture(scope="module")
def compiled():
    return {}


@pytest.fixture(autouse=True)
def _compiled_once(found, compiled, monkeypatch):
    """After the first comparison each graph is compiled once for all others: that takes most of their time."""
    from_artifact = Predictor.from_artifact

    def predictor(artifact, **options):
        key = sha256(artifact.model), tuple(sorted(options.items()))
        if key not in compiled:
            compiled[key] = from_artifact(artifact, **options)
        return compiled[key]

    monkeypatch.setattr(Predictor, "from_artifact", predictor)


def likeliest(model, photos):
    got = load(model).predict(sorted(photos.rglob("*.jpg")))
    return {prediction.photo.removeprefix(f"{photos}/"): prediction.class_name for prediction in got}


def learned(model, photos):
    """Those of `photos` that `model` was trained on, by their names inside."""
    trained_on, predictor = set((model / "trained_on.txt").read_text().split()), load(model)
    return {
        str(path.relative_to(photos))
        for path in photos.rglob("*.jpg")
        if hash_pixels(predictor.pixels(path.read_bytes())).hex() in trained_on
    }


def test_it_is_what_the_two_models_say_of_each_photo(found, model, meagre, fresh):
    said_a, said_b = likeliest(meagre, fresh), likeliest(model, fresh)
    right_a = np.array([answer == photo.split("/")[0] for photo, answer in said_a.items()])
    right_b = np.array([answer == photo.split("/")[0] for photo, answer in said_b.items()])
    expected = compare_answers(right_a, right_b)
    assert found["n"] == found["n_found"] == found["n_used"] == 20
    assert found["a"]["n_right"] == right_a.sum()
    assert found["b"]["n_right"] == right_b.sum()
    assert (found["n_only_a_right"], found["n_only_b_right"]) == (expected.n_only_a, expected.n_only_b)
    assert found["difference"] == {"value": expected.difference, "low": expected.low, "high": expected.high}
    assert (found["p_value"], found["photos_needed"]) == (expected.p_value, expected.photos_needed)
    assert (found["a"]["low"], found["a"]["high"]) == wilson(int(right_a.sum()), 20)
    assert found["differing"] == [
        {"photo": photo, "class_name": photo.split("/")[0], "answer_a": said_a[photo], "answer_b": said_b[photo]}
        for photo in sorted(said_a)
        if said_a[photo] != said_b[photo]
    ]
    assert found["differing"]
    assert found["notes"] == []


def test_it_agrees_with_evaluate(found, model, fresh):
    accuracy = evaluate(model, fresh)["accuracy"]
    assert {key: found["b"][key] for key in ("n_right", "value", "low", "high")} == accuracy


def test_models_are_called_by_their_folders(found):
    assert (found["a"]["name"], found["b"]["name"]) == ("meagre", "garments")
    assert "garments" in found["sentence"]
    assert found["a"]["model"]["quality"] == "fast"


def test_the_result_is_json(found):
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_swapped_models_swap_the_answer_and_each_is_a_stage(found, model, meagre, fresh):
    seen = []
    other = compare(model, meagre, fresh, progress=lambda *step: seen.append(step))
    assert seen == [(f"asking {name}", i, 20) for name in ("garments", "meagre") for i in range(1, 21)]
    assert (other["a"], other["b"]) == (found["b"], found["a"])
    assert other["difference"]["low"] == pytest.approx(-found["difference"]["high"])
    assert (other["p_value"], other["photos_needed"]) == (found["p_value"], found["photos_needed"])


def test_a_model_is_as_good_as_itself(model, fresh):
    got = compare(model, model, fresh)
    assert got["sentence"].endswith("give the same answer to all 20 photos.")
    assert (got["p_value"], got["photos_needed"], got["differing"]) == (1, None, [])
    assert got["difference"]["low"] < 0 < got["difference"]["high"]
    assert got["a"]["name"] != got["b"]["name"]
    assert {**got["a"], "name": ""} == {**got["b"], "name": ""}


def test_models_of_one_name_are_called_by_their_paths(model, meagre, fresh, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(model, tmp_path / "old" / "mine")
    shutil.copytree(meagre, tmp_path / "new" / "mine")
    got = compare("old/mine", "new/mine/", fresh)
    assert (got["a"]["name"], got["b"]["name"]) == ("old/mine", "new/mine/")


def test_photos_that_either_was_trained_on_are_left_out_of_both(model, meagre, fresh, clothing_folder, tmp_path):
    """The two see other pixels of a photo, and each learned from photos that the other did not."""
    shutil.copytree(fresh, tmp_path / "photos")
    for name in NAMES:
        for path in sorted((clothing_folder / name).iterdir())[-8:]:
            shutil.copy(path, tmp_path / "photos" / name)
    by_a, by_b = (learned(folder, tmp_path / "photos") for folder in (meagre, model))
    assert by_a - by_b
    assert by_b - by_a
    got = compare(meagre, model, tmp_path / "photos")
    assert got["left_out"] == {"n": len(by_a | by_b), "n_trained_on_a": len(by_a), "n_trained_on_b": len(by_b)}
    assert got["n"] == got["n_found"] - len(by_a | by_b) == 52 - len(by_a | by_b)
    assert got["notes"] == [
        f"Left out: {len(by_a | by_b)} photos that a model was trained on (meagre: {len(by_a)}, garments: {len(by_b)})."
    ]
    assert not (by_a | by_b) & {f"{d['class_name']}/{d['photo'].split('/')[-1]}" for d in got["differing"]}


def test_photos_that_are_all_known_are_refused(model, meagre, clothing_folder, tmp_path):
    for photo in sorted(learned(model, clothing_folder))[:20]:
        (tmp_path / photo).parent.mkdir(exist_ok=True)
        shutil.copy(clothing_folder / photo, tmp_path / photo)
    with pytest.raises(InputError, match='is new to both "meagre" and "garments"') as error:
        compare(meagre, model, tmp_path)
    assert error.value.hint == "Name labelled photos that neither was trained on."


def test_copies_of_a_photo_are_no_evidence(found, model, meagre, fresh, tmp_path):
    shutil.copytree(fresh, tmp_path / "photos")
    for path in sorted(fresh.rglob("*.jpg")):
        for copy in range(2):
            shutil.copy(path, tmp_path / "photos" / path.parent.name / f"{path.stem}-{copy}.jpg")
    got = compare(meagre, model, tmp_path / "photos")
    assert got["n"] == 60
    assert got["n_copies"] == 40
    assert got["notes"] == ["Counted as one with what it repeats: 40 photos that are copies of others."]
    assert got["p_value"] == pytest.approx(found["p_value"])
    assert got["difference"]["low"] == pytest.approx(found["difference"]["low"], abs=0.02)
    assert got["a"]["low"] == pytest.approx(found["a"]["low"], abs=0.02)


def test_unreadable_photos_are_counted_once(found, model, meagre, fresh, tmp_path):
    shutil.copytree(fresh, tmp_path / "photos")
    (tmp_path / "photos" / "hat" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    (tmp_path / "photos" / "hat" / "notes.txt").write_text("not a photo")
    got = compare(meagre, model, tmp_path / "photos")
    assert [s["photo"] for s in got["skipped"]] == ["hat/broken.jpg", "hat/notes.txt"]
    assert all(s["reason"] for s in got["skipped"])
    assert (got["n_found"], got["n_used"], got["n"]) == (22, 20, 20)
    assert got["notes"] == ["2 files could not be used."]
    assert got["sentence"] == found["sentence"]


def test_only_the_test_part_is_used(model, meagre, fresh, tmp_path):
    shutil.copytree(fresh, tmp_path / "photos" / "test")
    shutil.copytree(fresh, tmp_path / "photos" / "train")
    assert compare(meagre, model, tmp_path / "photos")["n"] == 20


def test_a_class_that_one_model_does_not_know_is_named(model, meagre, fresh, tmp_path):
    shutil.copytree(fresh, tmp_path / "photos")
    (tmp_path / "photos" / "hat").rename(tmp_path / "photos" / "hats")
    with pytest.raises(InputError, match=r'^"meagre" cannot be compared\. The model does not know 1 class') as error:
        compare(meagre, model, tmp_path / "photos")
    assert "dress, hat, pants, shoes" in error.value.hint


def test_a_folder_that_is_no_model_is_refused(model, fresh):
    with pytest.raises(ArtifactError):
        compare(model, fresh, fresh)


def said(n_only_a, n_only_b, n_both_right, n_wrong, **more):
    right_a = np.repeat([True, False, True, False], [n_only_a, n_only_b, n_both_right, n_wrong])
    right_b = np.repeat([False, True, True, False], [n_only_a, n_only_b, n_both_right, n_wrong])
    compared = compare_answers(right_a, right_b)
    return sentence("A", "B", compared, **{"n_differing": n_only_a + n_only_b} | more), asdict(compared)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((2, 11, 230, 7), "B is better: 9 more right of 250 (p = 0.022)."),
        ((30, 0, 1200, 4), "A is better: 30 more right of 1,234 (p < 0.001)."),
        ((3, 6, 235, 6), "A and B cannot be told apart on 250 photos: B has 3 more right (p = 0.51)."),
        ((4, 4, 240, 2), "A and B cannot be told apart on 250 photos: both have 244 right. They differ on 8 photos."),
        ((0, 0, 9, 1), "A and B give the same answer to all 10 photos."),
        ((0, 0, 1, 0), "A and B give the same answer to 1 photo."),
        ((1, 0, 0, 0), "A and B cannot be told apart on 1 photo: A has 1 more right (p = 1)."),
        ((60, 61, 4879, 0), "A and B cannot be told apart on 5,000 photos: B has 1 more right (p = 1)."),
    ],
)
def test_the_sentence(counts, expected):
    got, compared = said(*counts)
    rest = got.removeprefix(expected)
    assert rest != got
    needed = compared["photos_needed"]
    if not needed:
        assert rest == ""
    elif needed > 100_000:
        assert rest == " Not even 100,000 more test photos would be likely to tell."
    else:
        number = rest.removeprefix(" About ").split(" more test photo")[0]
        assert rest in (f" About {number} more test photos would probably tell.",)
        assert needed <= int(number.replace(",", "")) < needed + max(10, needed / 10)


def test_both_wrong_in_different_ways_is_a_difference_in_answers():
    got, _ = said(0, 0, 5, 5, n_differing=1)
    assert got == "A and B cannot be told apart on 10 photos: both have 5 right. They differ on 1 photo."


@pytest.mark.parametrize(("n_only_a", "shown"), [(7, "B is better"), (8, "cannot be told apart")])
def test_the_verdict_is_that_of_the_p_value(n_only_a, shown):
    """7 against 18 has p = 0.043, 8 against 18 has 0.076."""
    got, compared = said(n_only_a, 18, 200, 0)
    assert shown in got
    assert (compared["p_value"] < 0.05) == (shown == "B is better")


def test_what_was_found_is_json_a_screen_and_a_table():
    score = {"name": "<b>old", "model": {}, "n_right": 8, "value": 0.8, "low": 0.5, "high": 0.9}
    row = {"photo": "<i>.jpg", "class_name": "hat", "answer_a": "hat", "answer_b": "dress"}
    found = Compared(
        a=score, b=score | {"name": "new"}, n=10, sentence="new is better.", notes=["Left out."], differing=[row] * 900
    )
    assert json.loads(json.dumps(found)) == found
    assert repr(found).splitlines() == [
        "<Compared: new is better.>", "  <b>old: 8 of 10 right", "  new: 8 of 10 right", "  Left out.",
    ]  # fmt: skip
    page = found._repr_html_()
    assert "900 photos answered differently" in page
    assert page.count("&lt;i&gt;.jpg") == 50
    assert "<b>" not in page
    assert "<i>" not in page

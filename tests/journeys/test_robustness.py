"""`--robustness`, sets that are too small, too alike or too many classes: no number that pretends."""

import json
import math
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

MANY = 100  # classes


def walk(value):
    """Every number in a JSON value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from walk(item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value


def trained_on(tellapart, folder: Path, *options: object) -> tuple[dict, str]:
    """The evaluation and what was printed; whatever the photos, there are both, a report, and an answer."""
    model = folder.parent / "model"
    said = tellapart.works("train", folder, "-o", model, "--quality", "fast", *options)
    text = (model / "evaluation.json").read_text("utf-8")
    assert "NaN" not in text
    assert "Infinity" not in text
    evaluation = json.loads(text)
    assert all(math.isfinite(number) for number in walk(evaluation))
    page = (model / "report.html").read_text("utf-8")
    assert "nan" not in re.sub(r"<style.*?</style>|<script.*?</script>|data:[^\"]*", "", page, flags=re.S).split()
    assert tellapart.lines("predict", model, next(folder.rglob("*.jpg")))[0]["error"] is None
    return evaluation, said


def copied(photos: Path, folder: Path, **classes: slice) -> Path:
    """A folder of some photos of some classes."""
    for name, places in classes.items():
        (folder / name).mkdir(parents=True)
        for path in sorted((photos / name).iterdir())[places]:
            shutil.copy(path, folder / name)
    return folder


def repeated(photo: Path, folder: Path, n: int) -> None:
    """The same file n times over."""
    folder.mkdir(parents=True)
    for i in range(n):
        shutil.copy(photo, folder / f"{i}.jpg")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "photos"


def kinds(evaluation: dict) -> list[str]:
    return [item["kind"] for item in evaluation["advice"]]


@pytest.mark.thorough
def test_a_tiny_set_is_corrupted_and_the_sentences_say_on_how_few(tellapart, photos, folder):
    copied(photos, folder, banjo=slice(0, 8), drum=slice(0, 8))
    evaluation, said = trained_on(tellapart, folder, "--robustness")
    corrupted = evaluation["robustness"]
    assert evaluation["method"] == "test"
    assert corrupted["n"] == corrupted["n_test"] == evaluation["n_test"]
    assert len(corrupted["corruptions"]) == 27
    assert len(corrupted["white_balance"]) == 5
    for row in (*corrupted["corruptions"], *corrupted["white_balance"]):
        kept = row["kept"]
        assert kept is None or kept["value"] is None or 0 <= kept["low"] <= kept["value"] <= kept["high"]
    assert f"measured on {corrupted['n']} test photos" in said
    for sentence in corrupted["sentences"]:
        assert sentence in said
    page = (folder.parent / "model" / "report.html").read_text("utf-8")
    assert corrupted["sentences"][0].split(" (")[0] in page


@pytest.mark.thorough
def test_evaluate_corrupts_new_photos_too(tellapart, trained, fresh):
    evaluation = tellapart.json("evaluate", trained, fresh, "--robustness")
    assert evaluation["robustness"]["n"] == 12
    assert "robustness" not in tellapart.json("evaluate", trained, fresh)


def test_no_advice_is_no_advice(tellapart, photos, tmp_path):
    said = tellapart.works("train", photos, "-o", tmp_path / "model", "--quality", "fast", "--no-advice")
    assert "What to do next" not in said
    assert "learning_curve" not in json.loads((tmp_path / "model" / "evaluation.json").read_text("utf-8"))


def test_three_photos_of_each_class(tellapart, photos, folder):
    copied(photos, folder, banjo=slice(0, 3), drum=slice(0, 3))
    evaluation, said = trained_on(tellapart, folder)
    assert evaluation["method"] == "cross-validation"
    assert evaluation["accuracy"]["high"] - evaluation["accuracy"]["low"] > 0.4
    assert evaluation["unknown"]["promise"] is None
    assert evaluation["unknown"]["early"] is True
    strangers = evaluation["unknown"]["strangers"]
    assert sum(row["n"] for row in strangers) == 105
    assert sum(row["n_none_of_these"] for row in strangers) > 70
    assert evaluation["learning_curve"] is None
    assert "“None of these” is early here: it learned from few photos" in said
    assert "With 6 photos nobody can say how good this is" in said
    assert not {"stop", "small_classes"} & set(kinds(evaluation))


@pytest.mark.thorough  # tests/data/test_split.py
def test_a_class_of_three_beside_large_ones_is_no_reason_to_stop(tellapart, shared_data, folder):
    copied(shared_data / "instruments", folder, banjo=slice(0, 3), drum=slice(0, 30), flute=slice(0, 30))
    evaluation, said = trained_on(tellapart, folder)
    assert 'Add photos of "banjo" (3)' in said
    assert "small_classes" in kinds(evaluation)
    assert "stop" not in kinds(evaluation)
    [banjo] = [row for row in evaluation["per_class"] if row["class_name"] == "banjo"]
    assert banjo["recall"]["high"] - banjo["recall"]["low"] > 0.5


def test_mistakes_are_counted_once_where_all_photos_are_tested(tellapart, photos, folder):
    copied(photos, folder, banjo=slice(None), drum=slice(None))
    evaluation, _ = trained_on(tellapart, folder)
    for item in evaluation["advice"]:
        if item["kind"] == "confused_pair":
            matrix = evaluation["confusion"]["matrix"]
            assert item["numbers"] == {
                "classes": ["banjo", "drum"], "n_confused": matrix[0][1] + matrix[1][0], "n_photos": 28,
            }  # fmt: skip
            break
    else:
        matrix = evaluation["confusion"]["matrix"]
        assert matrix[0][1] + matrix[1][0] < 3, "three of a kind are advice"


def test_all_photos_identical(tellapart, photos, folder):
    photo = sorted((photos / "drum").iterdir())[0]
    for name in ("left", "right"):
        repeated(photo, folder / name, 15)
    evaluation, said = trained_on(tellapart, folder)
    assert said.startswith("There are no test photos, so nothing is known about how well this works.\n")
    assert 'All photos of "left", "right" are copies of one photo, which cannot be tested.' in said
    assert "30 photos show the same thing under different class names" in said
    assert evaluation["accuracy"]["value"] is None
    assert evaluation["unknown"]["promise"] is None
    assert kinds(evaluation)[0] == "label_conflict"
    found = tellapart.json("check", folder, "--quality", "fast")["findings"]
    assert [finding["kind"] for finding in found[:2]] == ["label_conflict", "all_alike"]
    assert found[0]["sentence"].startswith("30 photos show the same thing under different class names.")


def test_a_class_of_one_photos_copies_trains_but_is_not_tested(tellapart, photos, folder):
    copied(photos, folder, banjo=slice(None), accordion=slice(None))
    repeated(sorted((photos / "drum").iterdir())[0], folder / "drum", 10)
    evaluation, said = trained_on(tellapart, folder)
    assert 'All photos of "drum" are copies of one photo, which cannot be tested. Add different ones.' in said
    assert evaluation["n_test"] == 28
    assert evaluation["n_used"] == evaluation["split"]["n_train"] == 38
    [drum] = [row for row in evaluation["per_class"] if row["class_name"] == "drum"]
    assert drum["n_train"] == 10
    assert drum["n_test"] == 0
    assert drum["recall"]["value"] is None
    assert "the score is too good" not in said


@pytest.mark.thorough  # tests/data/test_split.py
def test_a_class_that_is_all_copies_of_another(tellapart, photos, folder):
    copied(photos, folder, banjo=slice(None), drum=slice(None))
    shutil.copytree(folder / "banjo", folder / "lute")
    evaluation, said = trained_on(tellapart, folder)
    assert "28 photos show the same thing under different class names, so some of the names are wrong." in said
    assert kinds(evaluation)[0] == "label_conflict"
    assert "stop" not in kinds(evaluation)
    assert evaluation["accuracy"]["value"] < 0.8
    found = tellapart.json("check", folder, "--quality", "fast")["findings"]
    assert found[0]["sentence"] == (
        "14 pairs of photos show the same thing under different class names. "
        'All photos of "banjo", "lute" are among them.'
    )
    assert "exact_duplicate" not in {finding["kind"] for finding in found}, "keep one of each is no advice here"


@pytest.mark.thorough
def test_a_class_of_a_single_scene(tellapart, photos, folder):
    copied(photos, folder, banjo=slice(None), accordion=slice(None))
    (folder / "drum").mkdir()
    with Image.open(sorted((photos / "drum").iterdir())[3]) as image:
        for i in range(14):
            image.convert("RGB").crop((i % 4, i // 4, image.width, image.height)).save(folder / "drum" / f"{i}.jpg")
    evaluation, said = trained_on(tellapart, folder)
    assert 'All photos of "drum" look alike, as if taken in one go' in said
    assert "the score is too good" in said
    assert "stop" not in kinds(evaluation)
    found = tellapart.json("check", folder, "--quality", "fast")["findings"]
    [alike] = [finding for finding in found if finding["kind"] == "all_alike"]
    assert alike["sentence"] == 'All photos of "drum" look alike, as if taken in one go.'


@pytest.mark.thorough  # tests/report/test_page.py has as many classes
def test_hundreds_of_classes_of_three(tellapart, folder):
    rng = np.random.default_rng(0)
    for c in range(MANY):
        (folder / f"class {c}").mkdir(parents=True)
        colours = rng.integers(0, 256, (4, 4, 3))
        for i in range(3):
            pixels = np.clip(colours + rng.normal(0, 25, colours.shape), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).resize((32, 32), Image.Resampling.BICUBIC).save(folder / f"class {c}" / f"{i}.jpg")
    evaluation, said = trained_on(tellapart, folder)
    assert evaluation["n_test"] == MANY
    assert re.search(r"Always answering 'class \d+' would get 1\.", said), "which of equals depends on what has leaked"
    assert len(said) < 3000
    assert "Add photos of every class" in said
    assert "stop" not in kinds(evaluation)


def test_an_old_model_is_scored_but_promises_nothing(tellapart, folder, request):
    old = request.config.rootpath / "tests" / "artifacts" / "format-1"
    for name, colour in (("red", (250, 10, 10)), ("green", (10, 240, 30)), ("blue", (0, 0, 255))):
        (folder / name).mkdir(parents=True)
        for i in range(3):
            Image.new("RGB", (40, 40), tuple(abs(value - i) for value in colour)).save(folder / name / f"{i}.png")
    Image.new("RGB", (40, 40), (5, 5, 5)).save(folder / "red" / "black.png")
    evaluation = tellapart.json("evaluate", old, folder)
    assert evaluation["n_test"] == 10
    assert evaluation["unknown"]["promise"] is None
    assert evaluation["unknown"]["observed"] is None
    assert evaluation["unknown"]["n_none_of_these"] == 1
    assert not any("never says" in sentence for sentence in evaluation["unknown"]["sentences"])
    report = folder.parent / "report"
    tellapart.works("evaluate", old, folder, "-o", report)
    assert "never says “none of these”" not in (report / "report.html").read_text("utf-8")
    assert tellapart.works("predict", old, folder / "red" / "black.png") == "none of these\n"
    [line] = tellapart.lines("predict", old, folder / "red" / "black.png")
    assert line["answer"] == "none of these"
    assert line["looks_like"] is None


def test_everyday_names_come_with_none_of_these_only(tellapart, photos, shared_data, tmp_path):
    model = tmp_path / "model"
    tellapart.works("train", photos, "-o", model, "--quality", "fast", "--no-advice")
    strangers = sorted((shared_data / "unknown" / "objects").iterdir())[:6]
    own = sorted((photos / "drum").iterdir())[:6]
    lines = tellapart.lines("predict", model, *strangers, *own)
    assert all("looks_like" in line for line in lines)
    assert all(line["looks_like"] is None for line in lines if line["answer"] != "none of these")
    assert [line for line in lines[:6] if line["looks_like"]]
    said = tellapart.works("predict", model, *strangers, *own).splitlines()
    for line, printed in zip(lines, said, strict=True):
        more = f"(looks more like {line['looks_like']})"
        assert (more in printed) == (line["looks_like"] is not None)
        assert ("looks more like" in printed) == (line["looks_like"] is not None)

"""`tellapart train` on every kind of source, and what evaluation.json promises to machines."""

import csv
import json
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import tellapart as package
from tellapart.model.artifact import to_json
from tellapart.workflow.train import scored

NUMBER = (int, float)
CONTRACT = {
    "n_test": int,
    "accuracy": dict,
    "balanced_accuracy": NUMBER,
    "baseline": dict,
    "per_class": list,
    "confusion": dict,
    "calibration": dict,
    "timings_s": dict,
    "n_found": int,
    "n_used": int,
    "skipped": list,
    "leaks": dict,
}


def assert_contract(evaluation: dict) -> None:
    for key, kind in CONTRACT.items():
        assert isinstance(evaluation[key], kind), key
    accuracy = evaluation["accuracy"]
    assert 0 <= accuracy["low"] <= accuracy["value"] <= accuracy["high"] <= 1
    assert 0 <= evaluation["baseline"]["value"] <= 1
    assert 0 <= evaluation["baseline"]["p_value"] <= 1
    names, matrix = evaluation["confusion"]["class_names"], evaluation["confusion"]["matrix"]
    assert [row["class_name"] for row in evaluation["per_class"]] == names
    assert len(matrix) == len(names)
    assert sum(map(sum, matrix)) == evaluation["n_test"]
    assert sum(matrix[c][c] for c in range(len(names))) == round(accuracy["value"] * evaluation["n_test"])
    assert all(isinstance(s, NUMBER) and s >= 0 for s in evaluation["timings_s"].values())
    assert evaluation["n_found"] == evaluation["n_used"] + len(evaluation["skipped"])
    for skipped in evaluation["skipped"]:
        assert set(skipped) == {"photo", "reason"}
        assert skipped["reason"]


def test_a_folder_per_class_gives_a_model_folder_and_says_so_briefly(tellapart, photos, tmp_path):
    said = tellapart.works("train", photos, "-o", "burgers", "--quality", "fast", cwd=tmp_path)
    score = r"\d+ of 42 photos right \(\d+ to \d+ is plausible\)\. Each was answered by a model that had not seen it\."
    assert re.match(score + " Always answering 'accordion' would", said)
    assert "burgers/report.html" in said
    assert "tellapart predict burgers PHOTO" in said
    assert len(said.splitlines()) <= 13
    written = {path.name for path in (tmp_path / "burgers").iterdir()}
    assert written == {
        "README.md", "evaluation.json", "examples", "manifest.json", "model.onnx", "out_of_fold.json", "report.html",
        "trained_on.txt",
    }  # fmt: skip
    assert_contract(json.loads((tmp_path / "burgers" / "evaluation.json").read_text("utf-8")))
    assert [path.name for path in tmp_path.iterdir()] == ["burgers"]


def test_train_json_is_the_evaluation_that_was_written(tellapart, photos, tmp_path):
    evaluation = tellapart.json("train", photos, "-o", tmp_path / "model", "--quality", "fast")
    assert evaluation == json.loads((tmp_path / "model" / "evaluation.json").read_text("utf-8"))
    assert_contract(evaluation)


def test_too_few_photos_to_set_any_aside_are_cross_validated(tellapart, photos, tmp_path):
    few = tellapart.json("train", photos, "-o", tmp_path / "few", "--quality", "fast")
    assert few["method"] == "cross-validation"
    assert few["split"] == {"kind": "crossed", "seed": 0, "n_folds": 10, "n_train": 42, "n_val": 0, "n_test": 42}
    assert few["n_test"] == few["n_used"] == 42
    assert few["leaks"]["n"] == 0
    assert "too few photos to set some aside" in (tmp_path / "few" / "report.html").read_text("utf-8")
    asked = tellapart.json("train", photos, "-o", tmp_path / "asked", "--quality", "fast", "--test-share", 0.3)
    assert asked["method"] == "test"
    assert 9 <= asked["n_test"] <= 15


def test_a_table_says_which_photos_are_tested_in_turn(tellapart, photos, tmp_path, monkeypatch):
    """All crossed gives what no split gives; the others teach all but who is asked about their twins.

    Whoever shows the number before a model is written gets the very same.
    """
    table = tmp_path / "photos.csv"
    rows = [(path, path.parent.name) for path in sorted(photos.rglob("*.jpg"))]

    def write(splits):
        lines = [f"{path},{label},{split}" for (path, label), split in zip(rows, splits, strict=True)]
        table.write_text("\n".join(["path,label,split", *lines]))

    def train(name, splits):
        write(splits)
        return tellapart.json("train", table, "-o", tmp_path / name, "--quality", "fast", "--no-advice")

    every = train("every", ["crossed"] * len(rows))
    few = tellapart.json("train", photos, "-o", tmp_path / "few", "--quality", "fast", "--no-advice")
    assert (every["accuracy"], every["n_test"]) == (few["accuracy"], few["n_test"])
    assert {**every["split"], "seed": 0} == few["split"]
    kept = [(tmp_path / name / "out_of_fold.json").read_bytes() for name in ("every", "few")]
    assert kept[0] == kept[1]
    assert "Your source says which photos are crossed" in (tmp_path / "every" / "report.html").read_text("utf-8")
    shutil.copy(rows[0][0], tmp_path / "twin.jpg")
    rows.append((tmp_path / "twin.jpg", rows[0][1]))
    half = train("half", [*["crossed", "train"] * (len(rows) // 2), "train"])
    assert (half["n_test"], half["split"]["n_train"], half["leaks"]["n"]) == (len(rows) // 2, len(rows), 0)
    assert half["method"] == "cross-validation"
    assert any(said.startswith("1 training photo looks like a tested one") for said in half["warnings"])
    monkeypatch.setenv("TELLAPART_CACHE_DIR", str(tellapart.cache))
    trained, shown, _ = scored(str(table), quality="fast")
    same = json.loads(to_json(shown.to_json()))
    assert {key for key in same if same[key] != half[key]} <= {"model", "proof", "timings_s", "advice"}
    assert set(trained.prepared.dataset.splits[trained.split.test]) == {"crossed"}
    refused = tellapart("train", table, "-o", tmp_path / "x", "--robustness")
    assert (refused.returncode, "leave out --robustness" in refused.stderr) == (2, True)
    write([*["crossed", "test"] * (len(rows) // 2), "train"])
    refused = tellapart("train", table, "-o", tmp_path / "x")
    assert (refused.returncode, "says crossed and test" in refused.stderr) == (2, True)


def test_given_test_folders_are_honoured_and_leaks_are_told(tellapart, shared_data, tmp_path):
    evaluation = tellapart.json("train", shared_data / "hotdog", "-o", tmp_path / "model", "--quality", "fast")
    assert_contract(evaluation)
    assert evaluation["n_test"] == 140
    leaks = evaluation["leaks"]
    # two of the 56 have two twins in the training folder each, which makes 58 pairs
    assert leaks["n"] == len(leaks["photos"]) == 56
    assert leaks["without"]["n_test"] == 84
    assert leaks["without"]["value"] < evaluation["accuracy"]["value"]
    page = (tmp_path / "model" / "report.html").read_text("utf-8")
    assert evaluation["headline"].split(" (")[0] in page
    assert leaks["headline_without"].split(" (")[0] in page

    found = tellapart.works("check", shared_data / "hotdog", "--quality", "fast")
    assert "56 of 140 test photos are also training photos" in found


def test_a_zip_of_real_photos_scores_as_its_folder_does(tellapart, photos, trained, tmp_path):
    packed = tmp_path / "photos.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(photos.rglob("*.jpg")):
            archive.write(path, f"photos/{path.relative_to(photos)}")
    evaluation = tellapart.json("train", packed, "-o", tmp_path / "model", "--quality", "fast", "--test-share", 0.2)
    of_folder = json.loads((trained / "evaluation.json").read_text("utf-8"))
    assert evaluation["accuracy"] == of_folder["accuracy"]
    assert evaluation["confusion"] == of_folder["confusion"]


@pytest.mark.parametrize("name", ["good_mac.zip", "good_two_classes.zip"])
def test_small_zips_that_are_fine_are_read(tellapart, shared_data, tmp_path, name):
    result = tellapart("train", shared_data / "hostile" / "zips" / name, "-o", tmp_path / "model", "--quality", "fast")
    assert "Traceback" not in result.stderr
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_label_file_with_splits(tellapart, photos, tmp_path, kind):
    shutil.copytree(photos, tmp_path / "album")
    rows = [
        {"path": str(p.relative_to(tmp_path)), "label": p.parent.name, "split": "test" if i % 4 == 0 else "train"}
        for i, p in enumerate(sorted((tmp_path / "album").rglob("*.jpg")))
    ]
    labels = tmp_path / f"labels.{kind}"
    with labels.open("w", newline="") as file:
        if kind == "csv":
            writer = csv.DictWriter(file, ["path", "label", "split"])
            writer.writeheader()
            writer.writerows(rows)
        else:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    evaluation = tellapart.json("train", labels, "-o", tmp_path / "model", "--quality", "fast")
    assert_contract(evaluation)
    assert evaluation["n_used"] == len(rows)
    assert evaluation["n_test"] == sum(row["split"] == "test" for row in rows)
    assert evaluation["split"]["kind"] == "given"


def test_same_photos_and_seed_give_the_same_bytes_with_a_cold_and_a_warm_cache(
    tellapart, photos, trained, tmp_path, snapshot
):
    again = tmp_path / "model"  # the folder's name is part of the report
    cold = {"TELLAPART_CACHE_DIR": str(tmp_path / "cold")}
    tellapart.works("train", photos, "-o", again, "--quality", "fast", "--test-share", 0.2, **cold)
    first, second = snapshot(trained), snapshot(again)
    assert first.keys() == second.keys()
    differing = {name for name in first if first[name] != second[name]}
    assert differing <= {"evaluation.json", "manifest.json"}  # timings, and the hash of the file with the timings
    one, other = (json.loads(files["evaluation.json"]) | {"timings_s": None} for files in (first, second))
    assert one == other
    ask = sorted(map(str, (photos / "drum").iterdir()))[:3]
    assert tellapart.lines("predict", trained, *ask) == tellapart.lines("predict", again, *ask)


def test_python_gives_the_numbers_of_the_command_line(tellapart, photos, trained, fresh, tmp_path, monkeypatch):
    monkeypatch.setenv("TELLAPART_CACHE_DIR", str(tellapart.cache))
    evaluation = package.train(photos, tmp_path / "model", package.LinearProbe(package.Reading("fast", test_share=0.2)))
    printed = json.loads((trained / "evaluation.json").read_text("utf-8"))
    assert {**evaluation, "timings_s": None} == printed | {"timings_s": None}

    ask = sorted(map(str, (fresh / "drum").iterdir()))
    said = tellapart.lines("predict", trained, *ask)  # with the photo's day and camera
    ours = [{k: v for k, v in line.items() if k not in ("date", "camera")} for line in said]
    assert [p.to_json() for p in package.load(trained).predict(ask)] == ours

    of_python = package.evaluate(trained, fresh)
    assert {**of_python, "timings_s": None} == tellapart.json("evaluate", trained, fresh) | {"timings_s": None}

    prepared, findings = package.check(photos, quality="fast")
    of_check = tellapart.json("check", photos, "--quality", "fast")
    assert of_check["n_used"] == prepared.dataset.n
    assert of_check["findings"] == json.loads(json.dumps([finding.to_json() for finding in findings]))


def test_force_replaces_a_model_and_leaves_nothing_beside_it(tellapart, photos, model):
    old = (model / "manifest.json").read_bytes()
    tellapart.works("train", photos, "-o", model, "--quality", "fast", "--seed", 1, "--force")
    assert (model / "manifest.json").read_bytes() != old
    assert [path.name for path in model.parent.iterdir()] == [model.name]


def test_two_trainings_at_once_share_a_cache(own_process, photos, tmp_path, snapshot):
    env = {"TELLAPART_CACHE_DIR": str(tmp_path / "cache")}
    models = [tmp_path / side / "model" for side in ("left", "right")]
    runs = [own_process.start("train", photos, "-o", model, "--quality", "fast", env=env) for model in models]
    assert [run.wait(120) for run in runs] == [0, 0]
    left, right = map(snapshot, models)
    assert left["model.onnx"] == right["model.onnx"]
    assert left["report.html"] == right["report.html"]
    state = own_process.json("cache", **env)
    assert state["n_photos"] == len(list(Path(photos).rglob("*.jpg")))


@pytest.mark.thorough  # tests/checks/test_shortcuts.py and tests/evaluation/advice have both halves
def test_shortcuts_become_advice_when_asked_for(tellapart, photos, tmp_path):
    folder = tmp_path / "photos"
    shutil.copytree(photos, folder)
    for path in sorted((folder / "drum").iterdir()):  # one class alone is PNG
        with Image.open(path) as image:
            image.convert("RGB").save(path.with_suffix(".png"))
        path.unlink()
    options = ("--quality", "fast", "--shortcuts")
    kinds = [item["kind"] for item in tellapart.json("train", folder, "-o", tmp_path / "m", *options)["advice"]]
    assert "shortcut" in kinds
    plain = tellapart.json("train", folder, "-o", tmp_path / "n", "--quality", "fast")
    assert "shortcut" not in [item["kind"] for item in plain["advice"]]


@pytest.mark.thorough
def test_a_hugging_face_data_set_trains_as_its_folder_does(tellapart: Any, photos: Path, tmp_path: Path) -> None:
    """The same photos, as files and as parquet, give the same model."""
    datasets = pytest.importorskip("datasets")
    paths = sorted(photos.rglob("*.jpg"))
    names = sorted({path.parent.name for path in paths})
    columns = {
        "image": [{"bytes": path.read_bytes(), "path": None} for path in paths],
        "label": [names.index(path.parent.name) for path in paths],
    }
    features = datasets.Features(image=datasets.Image(), label=datasets.ClassLabel(names=names))
    (tmp_path / "set").mkdir()
    datasets.Dataset.from_dict(columns, features=features).to_parquet(tmp_path / "set" / "train.parquet")
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}
    source = f"hf:{tmp_path / 'set'}"
    hub = tellapart.json("train", source, "-o", tmp_path / "a", "--quality", "fast", **offline)
    files = tellapart.json("train", photos, "-o", tmp_path / "b", "--quality", "fast")
    assert hub["accuracy"] == files["accuracy"]
    assert hub["confusion"] == files["confusion"]
    assert "data set" in tellapart.refuses("check", source, "--fix", says=["Unpack it"], **offline)
    tellapart.refuses("train", f"{source}:tset", "-o", tmp_path / "c", says=["no split", "train"], **offline)
    tellapart.refuses("train", "hf:nobody/nothing", "-o", tmp_path / "c", says=["cannot be read"], **offline)


def test_what_was_taken_for_a_split_and_what_is_left_out_is_said_everywhere(tellapart, photos, tmp_path):
    folder = tmp_path / "photos"
    for name in sorted(path.name for path in photos.iterdir()):
        for at, photo in enumerate(sorted((photos / name).iterdir())):
            place = folder / ("holdout" if at >= 10 else "Training_Set") / name
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(photo, place)
    model = folder / "model"
    tellapart.works("train", folder, "-o", model, "--quality", "fast", "--no-advice")
    said = tellapart.works("train", folder, "-o", model, "--quality", "fast", "--no-advice", "--force")
    taken = 'Folders taken for splits: "Training_Set" for train, "holdout" for test.'
    left = '"model/" is a model folder of tellapart, not a class:'
    evaluation = json.loads((model / "evaluation.json").read_text("utf-8"))
    assert (evaluation["n_test"], evaluation["n_found"], evaluation["skipped"]) == (12, 42, [])
    report = (model / "report.html").read_text("utf-8").replace("&#34;", '"')
    for sentence in (taken, left):
        assert sentence in said
        assert sentence in "\n".join(evaluation["warnings"])
        assert sentence in report
        assert sentence in tellapart.works("check", folder, "--quality", "fast")
        assert sentence in tellapart.works("evaluate", model, folder)

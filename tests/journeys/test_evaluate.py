"""`tellapart evaluate`, `check`, `info`, `cache` and `--help`."""

import json
import re
import shutil
import time
from pathlib import Path

import pytest

COMMANDS = ("train", "predict", "evaluate", "compare", "check", "info", "cache", "demo")


def test_evaluate_matches_classes_by_name_and_needs_not_all_of_them(tellapart, trained, fresh, tmp_path):
    evaluation = tellapart.json("evaluate", trained, fresh)
    assert evaluation["n_test"] == evaluation["n_found"] == evaluation["n_used"] == 12
    assert evaluation["accuracy"]["n_right"] >= 9
    assert evaluation["leaks"]["n"] == 0
    assert evaluation["skipped"] == []
    for key in ("balanced_accuracy", "baseline", "per_class", "confusion", "calibration", "timings_s"):
        assert key in evaluation
    said = tellapart.works("evaluate", trained, fresh, "-o", "report", cwd=tmp_path)
    assert said.startswith(evaluation["headline"])
    written = json.loads((tmp_path / "report" / "evaluation.json").read_text("utf-8"))
    assert written["accuracy"] == evaluation["accuracy"]
    assert evaluation["headline"].split(" (")[0] in (tmp_path / "report" / "report.html").read_text("utf-8")


def test_photos_that_the_model_was_trained_on_are_leaks(tellapart, trained, photos):
    evaluation = tellapart.json("evaluate", trained, photos)
    of_training = json.loads((trained / "evaluation.json").read_text("utf-8"))
    assert evaluation["leaks"]["n"] == of_training["n_used"] - of_training["n_test"]
    assert evaluation["leaks"]["without"]["n_test"] == of_training["n_test"]
    assert evaluation["leaks"]["without"]["value"] == pytest.approx(of_training["accuracy"]["value"])
    without = evaluation["leaks"]["without"]
    assert evaluation["headline"].startswith(f"{without['n_right']} of {without['n_test']} test photos right")


def test_a_report_is_replaced_by_force_but_a_model_is_not(tellapart, model, fresh, tmp_path, snapshot):
    report = tmp_path / "report"
    tellapart.works("evaluate", model, fresh, "-o", report)
    tellapart.refuses("evaluate", model, fresh, "-o", report, says=["exists already", "--force"])
    tellapart.works("evaluate", model, fresh, "-o", report, "--force")
    before = snapshot(model)
    tellapart.refuses("evaluate", model, fresh, "-o", model, "--force", says=["not replaced"])
    assert snapshot(model) == before


def test_classes_that_the_model_does_not_know_are_named(tellapart, trained, fresh, tmp_path):
    shutil.copytree(fresh, tmp_path / "photos")
    (tmp_path / "photos" / "drum").rename(tmp_path / "photos" / "drums")
    tellapart.refuses(
        "evaluate", trained, tmp_path / "photos", says=["does not know 1 class", '"drums"', "accordion, banjo, drum"]
    )


def test_check_says_what_is_wrong_in_text_and_json(tellapart, photos, tmp_path):
    folder = tmp_path / "photos"
    shutil.copytree(photos, folder)
    copied = sorted((folder / "drum").iterdir())[0]
    shutil.copy(copied, folder / "banjo" / "the same.jpg")
    (folder / "drum" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    (folder / "drum" / "notes.txt").write_text("not a photo")
    said = tellapart.works("check", folder, "--quality", "fast")
    assert said.startswith("43 photos of 3 classes (45 files found).")
    assert "the same.jpg" in said
    assert "broken.jpg" in said
    assert "notes.txt" in said
    found = tellapart.json("check", folder, "--quality", "fast")
    assert found["n_found"] == 45
    assert found["n_used"] == 43
    for finding in found["findings"]:
        assert finding["sentence"].endswith(".")
        assert finding["advice"]


def test_info_says_what_a_model_is(tellapart, trained):
    said = tellapart.works("info", trained)
    assert said.startswith("model: 3 classes\n  accordion, banjo, drum\n")
    assert "test photos right" in said
    assert "EfficientNet-Lite0" in said
    assert tellapart.json("info", trained)["class_names"] == ["accordion", "banjo", "drum"]
    assert tellapart.works("info", ".", cwd=trained) == said
    tellapart.refuses("info", "imagenet", says=["bundled network"])


def test_the_cache_is_shown_and_cleared(tellapart, fresh, tmp_path):
    env = {"TELLAPART_CACHE_DIR": str(tmp_path)}
    tellapart.works("check", fresh, "--quality", "fast", **env)
    assert tellapart.works("cache", **env).startswith("12 photos, ")
    assert tellapart.json("cache", **env)["n_photos"] == 12
    assert tellapart.works("cache", "--clear", **env).startswith("Forgot 12 photos.\n0 photos, ")
    assert tellapart.json("cache", **env)["n_photos"] == 0


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_help_is_short_has_examples_and_comes_at_once(tellapart, command):
    fastest = 99.0
    for _ in range(3):
        started = time.perf_counter()
        said = tellapart.works(*command, "--help")
        fastest = min(fastest, time.perf_counter() - started)
    assert fastest < 1  # 0.1 s on an idle machine
    assert re.search(r"Examples?:\n", said)
    most = 80 if command == ("train",) else 50  # recipes that train a network, and groups, take examples of their own
    assert len(said.splitlines()) < most
    assert max(map(len, said.splitlines())) <= 120


@pytest.mark.thorough
def test_demo_shows_it_all_offline_and_keeps_nothing(tellapart, tmp_path):
    (tmp_path / "tmp").mkdir()
    said = tellapart.works("demo", cwd=tmp_path, TMPDIR=str(tmp_path / "tmp"))
    assert said.count("\n$ tellapart") + said.startswith("$ tellapart") >= 5
    assert "test photos right" in said
    assert [path.name for path in tmp_path.iterdir()] == ["tmp"]
    assert not list((tmp_path / "tmp").glob("*demo*"))


@pytest.mark.thorough
def test_demo_keeps_what_is_wanted(tellapart, tmp_path):
    said = tellapart.works("demo", "--keep", "my demo", cwd=tmp_path)
    assert (tmp_path / "my demo" / "model" / "report.html").is_file()
    assert str(Path("my demo") / "model" / "report.html") in said
    tellapart.works("info", tmp_path / "my demo" / "model")
    tellapart.refuses("demo", "--keep", "my demo", cwd=tmp_path, says=["exists already", "--keep"])

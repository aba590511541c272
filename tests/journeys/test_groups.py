"""Groups of a person, from the command line to the report: turns of fruits, whose names say which frames are of one."""

import csv
import json
import re
import shutil
from pathlib import Path

import pytest

import tellapart as package

FRUITS = ("avocado", "kiwi", "mandarin", "peach", "plum")
PATTERN = "{group}_*_100.jpg"
TURN = re.compile(r"(.+)_[^_]*_100\.jpg")


@pytest.fixture(scope="module")
def fruits(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five fruits, 40 frames each, of two to four turns."""
    folder = tmp_path_factory.mktemp("groups") / "fruits"
    for name in FRUITS:
        shutil.copytree(shared_data / "fruits" / "train_white" / name, folder / name)
    return folder


def turn_of(photo: str) -> str:
    return TURN.fullmatch(Path(photo).name)[1]


@pytest.fixture(scope="module")
def trained(in_process, fruits, tmp_path_factory):
    """What training with groups says, and where the model is."""
    model = tmp_path_factory.mktemp("groups") / "turns"
    said = in_process.works("train", fruits, "-o", model, "--group-by", PATTERN, "--test-share", "0.3", "--json")
    return json.loads(said), model


def test_the_evaluation_says_by_what_was_grouped_and_the_score_without(trained, fruits):
    evaluation, model = trained
    groups, without = evaluation["groups"], evaluation["groups"]["ungrouped"]
    turns = {turn_of(path.name) for path in fruits.rglob("*.jpg")}
    assert (groups["by"], groups["kind"], groups["n_groups"], groups["n_alone"]) == (PATTERN, "path", len(turns), 0)
    assert groups["kept"]
    assert groups["n_straddling"] == 0
    assert without["value"] > evaluation["accuracy"]["value"]  # frames of one turn on both sides
    assert groups["headline_ungrouped"].startswith(f"{without['n_right']} of {without['n_test']} test photos right (")
    page, card = ((model / name).read_text(encoding="utf-8") for name in ("report.html", "README.md"))
    assert "Photos that belong together" in page
    for sentence in groups["sentences"]:
        assert sentence.split(": ", 1)[1][:40].replace("'", "&#39;") in page
    assert "Without the groups the score would have been" in card


@pytest.mark.thorough  # tests/evaluation/test_grouping.py counts what groups change
def test_beside_a_network_two_heads_tell_what_the_groups_change(in_process, fruits, tmp_path):
    pytest.importorskip("torch")
    options = ("--recipe", "scratch", "--network", "first-cnn", "--px", 48, "--epochs", 1, "--test-share", "0.3")
    command = ("train", fruits, "-o", tmp_path / "m", "--group-by", PATTERN, *options, "--no-advice", "--json")
    groups = json.loads(in_process(*command).stdout)["groups"]  # a line an epoch goes to standard error
    assert groups["ungrouped"] is None
    assert groups["probe_ungrouped"]["value"] > groups["probe"]["value"]  # frames of one turn on both sides
    of = "{n_right} of {n_test}".format
    assert groups["sentences"][1].startswith("What the score would have been without was not measured")
    assert groups["sentences"][2].startswith(
        f"Heads that learned from the same photos without training a network had {of(**groups['probe'])} test photos "
        f"right with the groups, and {of(**groups['probe_ungrouped'])} without."
    )


def test_no_turn_is_on_both_sides(in_process, fruits, tmp_path):
    """As `train --json` names only some photos, each split is asked of the parts that make it."""
    from tellapart.data.source import scan
    from tellapart.features.extract import bundled_extractor
    from tellapart.features.prepare import prepare
    from tellapart.recipe import LinearProbe, Reading
    from tellapart.timing import Stopwatch, no_progress
    from tellapart.workflow.fit import split_photos

    dataset = scan(fruits, group_by=PATTERN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TELLAPART_CACHE_DIR", str(in_process.cache))
        with bundled_extractor("balanced", "crop") as extractor:
            prepared = prepare(dataset, extractor, no_progress, Stopwatch())
    turns = [turn_of(photo) for photo in prepared.dataset.photos]
    for seed in range(5):
        for crossed in (False, True):
            recipe = LinearProbe(Reading(test_share=None if crossed else 0.3), seed=seed)
            split = split_photos(prepared, recipe, may_cross=crossed)
            assert split.kind == ("crossed" if crossed else "made")
            sides = split.folds if crossed else split.sides(dataset.n)
            side_of = dict(zip(turns, sides, strict=True))
            assert all(side_of[turn] == side for turn, side in zip(turns, sides, strict=True))


def test_fewer_photos_are_cross_validated_turn_by_turn(in_process, fruits, tmp_path):
    said = json.loads(
        in_process.works("train", fruits, "-o", tmp_path / "m", "--group-by", PATTERN, "--no-advice", "--json")
    )
    assert said["method"] == "cross-validation"
    assert said["groups"]["sentences"][0].endswith("asked whole of a model that had learned from none of its photos.")
    assert said["groups"]["ungrouped"]["value"] > said["accuracy"]["value"]


def write_table(path: Path, fruits: Path, column: str, group) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["path", "label", column])
        table.writerows([photo, photo.parent.name, group(photo)] for photo in sorted(fruits.rglob("*.jpg")))
    return path


def test_a_column_groups_unasked_as_the_pattern_does(in_process, trained, fruits, tmp_path):
    table = write_table(tmp_path / "labels.csv", fruits, "Session", lambda photo: turn_of(photo.name))
    said = json.loads(
        in_process.works("train", table, "-o", tmp_path / "m", "--test-share", "0.3", "--no-advice", "--json")
    )
    evaluation, _ = trained
    assert said["groups"]["kind"] == "column"
    assert said["accuracy"] == evaluation["accuracy"]
    assert said["groups"]["ungrouped"] == evaluation["groups"]["ungrouped"]
    without = json.loads(
        in_process.works(
            *("train", table, "-o", tmp_path / "n", "--test-share", "0.3", "--no-advice", "--json"),
            "--group-by",
            "none",
        )
    )
    assert "groups" not in without
    assert without["accuracy"]["n_right"] == said["groups"]["ungrouped"]["n_right"] or without["leaks"]["n"]


@pytest.mark.parametrize(
    ("column", "group", "made"),
    [
        ("lot", lambda photo: "A1", "all photos one group"),
        pytest.param("group", lambda photo: photo.parent.name, "each class one group", marks=pytest.mark.thorough),
    ],
)
def test_groups_that_cannot_be_kept(in_process, fruits, tmp_path, column, group, made):
    table = write_table(tmp_path / "labels.csv", fruits, column, group)
    said = json.loads(in_process.works("train", table, "-o", tmp_path / "m", "--no-advice", "--json"))
    [sentence] = said["groups"]["sentences"]
    assert sentence.startswith(f'The column "{column}" makes {made}, so none could be tested')
    assert said["n_test"] == 200
    refused = in_process("train", table, "-o", tmp_path / "n", "--group-by", column)
    assert refused.returncode == 2
    assert refused.stderr.startswith("Error: The column")
    assert "Hint: Group by something" in refused.stderr
    assert not (tmp_path / "n").exists()
    kinds = [finding["kind"] for finding in json.loads(in_process.works("check", table, "--json"))["findings"]]
    assert "one_group" in kinds


MANY = ["apple", "avocado", "banana", "lime", "mandarin", "nectarine", "orange", "papaya", "peach", "pear", "plum"]


@pytest.fixture(scope="module")
def half_and_half(shared_data, tmp_path_factory) -> Path:
    """Every second frame of eleven fruits in the test."""
    folder = tmp_path_factory.mktemp("groups") / "half"
    for name in MANY:
        for i, photo in enumerate(sorted((shared_data / "fruits" / "train_white" / name).iterdir())):
            side = folder / ("train" if i % 2 else "test") / name
            side.mkdir(parents=True, exist_ok=True)
            shutil.copy(photo, side)
    return folder


@pytest.fixture(scope="module")
def divided(fruits, tmp_path_factory) -> Path:
    """The frames of each turn, divided at random between train and test; two turns of plums are in the test alone."""
    folder = tmp_path_factory.mktemp("groups") / "divided"
    for i, photo in enumerate(sorted(fruits.rglob("*.jpg"))):
        side = "test" if i % 4 == 0 or photo.name.startswith("Plum__r") else "train"
        (folder / side / photo.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(photo, folder / side / photo.parent.name)
    return folder


def test_groups_that_cross_a_given_split_are_said_with_the_score_of_the_others(in_process, divided, tmp_path):
    said = json.loads(
        in_process.works("train", divided, "-o", tmp_path / "m", "--group-by", PATTERN, "--no-advice", "--json")
    )
    groups, test = said["groups"], list((divided / "test").rglob("*.jpg"))
    new = [photo for photo in test if photo.name.startswith("Plum__r")]
    assert groups["n_straddling"] == len(test) - len(new)
    assert groups["without"]["n_test"] + said["leaks"]["n"] >= len(new)
    assert groups["ungrouped"] is None
    assert f"{groups['n_straddling']} of {len(test)} test photos are of groups" in groups["sentences"][1]


@pytest.mark.thorough
def test_check_names_series_that_cross_a_given_split_and_groups_that_do(in_process, divided, half_and_half):
    findings = {f["kind"]: f for f in json.loads(in_process.works("check", half_and_half, "--json"))["findings"]}
    assert "whose file names begin alike, and the score is better for it" in findings["kin"]["sentence"]
    assert "group_leak" not in findings
    page = json.loads(in_process.works("check", divided, "--group-by", PATTERN, "--json"))["findings"]
    [leak] = [finding for finding in page if finding["kind"] == "group_leak"]
    assert turn_of(leak["photos"][0][0]) == turn_of(leak["photos"][0][1]) == leak["photos"][0][2]


@pytest.mark.thorough  # tests/metrics/test_intervals.py
def test_new_photos_count_once_a_group_in_the_ranges(in_process, trained, fruits):
    _, model = trained
    plain = json.loads(in_process.works("evaluate", model, fruits, "--json"))
    grouped = json.loads(in_process.works("evaluate", model, fruits, "--group-by", PATTERN, "--json"))
    assert "groups" not in plain
    assert grouped["groups"]["sentences"][0].endswith("each counted once in the ranges.")
    assert grouped["accuracy"]["value"] == plain["accuracy"]["value"]
    assert grouped["accuracy"]["low"] < plain["accuracy"]["low"]


@pytest.mark.thorough  # tests/workflow/test_compare.py
def test_two_models_are_compared_group_by_group(in_process, trained, fruits, shared_data, tmp_path):
    _, model = trained
    fast, new = tmp_path / "fast", tmp_path / "new"
    in_process.works("train", fruits, "-o", fast, "--quality", "fast", "--group-by", PATTERN, "--no-advice")
    for name in FRUITS:
        shutil.copytree(shared_data / "fruits" / "test_white" / name, new / name)
    plain = json.loads(in_process.works("compare", model, fast, new, "--json"))
    grouped = json.loads(in_process.works("compare", model, fast, new, "--group-by", PATTERN, "--json"))
    assert grouped["a"]["value"] == plain["a"]["value"]
    assert grouped["a"]["high"] - grouped["a"]["low"] > plain["a"]["high"] - plain["a"]["low"]
    assert grouped["p_value"] >= plain["p_value"]


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        ("IMG_{group}_*", 'Error: The pattern "IMG_{group}_*" fits none of 200 photos in '),
        ("{turn}_*", 'Error: The pattern "{turn}_*" does not say what a group is. Write {group} for "{turn}".'),
        ("turn", "has no columns, so it cannot be grouped by"),
        ("/{group}/*", "makes one group of each class"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(in_process, fruits, tmp_path, pattern, sentence):
    refused = in_process("train", fruits, "-o", tmp_path / "m", "--group-by", pattern)
    assert refused.returncode == 2
    assert sentence in refused.stderr
    assert "Hint: " in refused.stderr


def test_a_data_frame_is_trained_on(in_process, fruits, tmp_path):
    pandas = pytest.importorskip("pandas")
    photos = sorted(fruits.rglob("*.jpg"))
    turns = [turn_of(photo.name) for photo in photos]
    frame = pandas.DataFrame({"path": map(str, photos), "label": [p.parent.name for p in photos], "scene": turns})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TELLAPART_CACHE_DIR", str(in_process.cache))
        evaluation = package.train(frame, tmp_path / "m", advice=False)
    assert evaluation.groups.by == "scene"
    assert evaluation["groups"]["n_groups"] == len(set(turns))

"""Other names for a finished model: everywhere people read, nowhere in what it answers with, and never half."""

import json
import shutil
from pathlib import Path

import onnx
import pytest

from tellapart.errors import InputError
from tellapart.model.artifact import CARD, EVALUATION, MANIFEST, REPORT, load_artifact
from tellapart.model.prediction import load
from tellapart.recipe import Wishes
from tellapart.server.predict_api.serving_model import open_model
from tellapart.workflow.compare import compare
from tellapart.workflow.evaluate import evaluate
from tellapart.workflow.name import name
from tellapart.workflow.threshold import threshold

pytestmark = pytest.mark.slow

NEW = {"hat": "หมวก", "dress": "A <b>dress</b> & more"}


@pytest.fixture
def mine(model: Path, tmp_path: Path) -> Path:
    """A copy of the trained model, to be changed."""
    return Path(shutil.copytree(model, tmp_path / "mine"))


def _content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_names_are_new_wherever_people_read(mine: Path, model: Path) -> None:
    named = name(mine, title="What people wear", class_names=NEW)
    assert named.kept == ()
    artifact = load_artifact(mine)
    assert (artifact.manifest["name"], artifact.class_names) == ("What people wear", named.class_names)
    assert set(NEW.values()) < set(named.class_names)
    props = {entry.key: entry.value for entry in onnx.load_model_from_string(artifact.model).metadata_props}
    assert json.loads(props["tellapart.class_names"]) == list(named.class_names)
    report, card = ((mine / file).read_text("utf-8") for file in (REPORT, CARD))
    assert "หมวก" in report
    assert "หมวก" in card
    assert "A &lt;b&gt;dress&lt;/b&gt; &amp; more" in report
    assert "<b>dress" not in report
    said = json.loads((mine / EVALUATION).read_text("utf-8"))
    before = json.loads((model / EVALUATION).read_text("utf-8"))
    assert said["accuracy"] == before["accuracy"]
    assert said["confusion"]["matrix"] == before["confusion"]["matrix"]
    assert not {"hat", "dress"} & set(said["confusion"]["class_names"])


def test_answers_change_in_name_only(mine: Path, model: Path) -> None:
    name(mine, class_names=NEW)
    for photo in sorted((model / "examples").iterdir()):
        before, after = load(model).predict(photo), load(mine).predict(photo)
        assert list((before.probs or {}).values()) == list((after.probs or {}).values())
        assert after.answer == NEW.get(str(before.answer), before.answer)


def test_there_and_back_is_the_folder_as_it_was(mine: Path, model: Path) -> None:
    title = json.loads((model / MANIFEST).read_text())["name"]
    name(mine, title="Another", class_names=NEW)
    name(mine, title=title, class_names={new: old for old, new in NEW.items()})
    before, after = _content(model), _content(mine)
    assert json.loads(after.pop(MANIFEST)) == json.loads(before.pop(MANIFEST))
    assert after == before


@pytest.mark.thorough  # a longer way to the names of there and back
def test_photos_are_known_by_the_names_of_before_and_of_now(
    mine: Path, model: Path, clothing_folder: Path, tmp_path: Path
) -> None:
    name(mine, class_names={"hat": "Hut"})
    name(mine, class_names={"Hut": "Chapeau"})  # twice, and still known by the first
    right = [evaluate(each, clothing_folder)["accuracy"]["n_right"] for each in (model, mine)]
    assert right[0] == right[1]
    renamed = Path(shutil.copytree(clothing_folder, tmp_path / "renamed"))
    (renamed / "hat").rename(renamed / "Chapeau")
    assert evaluate(mine, renamed)["accuracy"]["n_right"] == right[0]
    (renamed / "Chapeau").rename(renamed / "Hut")
    with pytest.raises(InputError, match="Hut"):
        evaluate(mine, renamed)


def test_a_name_that_another_class_had_means_one_class_in_one_set_of_photos(mine: Path, model: Path) -> None:
    name(mine, class_names={"hat": "cap", "dress": "hat"})
    artifact, trained = load_artifact(mine), load_artifact(model).class_names
    assert artifact.called(trained) == trained
    assert artifact.called(artifact.class_names) == artifact.class_names
    assert artifact.called(["hat", "cap"]) == artifact.class_names
    assert artifact.called(["hat", "dress"]) == trained
    mixed = artifact.called(["cap", "hat", "dress"])
    assert len(set(mixed)) == len(mixed)


def test_examples_stand_under_the_names_of_now(mine: Path, model: Path) -> None:
    before = open_model(model, streams=1).facts["examples"]
    name(mine, class_names={"hat": "dress", "dress": "Hut"})
    now = {"hat": "dress", "dress": "Hut"}
    after = open_model(mine, streams=1).facts["examples"]
    assert after == [one | {"class_name": now.get(one["class_name"], one["class_name"])} for one in before]


def test_a_word_of_ours_is_no_class(mine: Path) -> None:
    said = json.loads((mine / EVALUATION).read_text("utf-8"))
    kind = said["split"]["kind"]
    name(mine, class_names={"hat": kind})
    name(mine, class_names={kind: "Hut"})
    after = json.loads((mine / EVALUATION).read_text("utf-8"))
    assert after["split"] == said["split"]
    assert "Hut" in after["confusion"]["class_names"]


@pytest.mark.thorough  # answers change in name only, above
def test_models_are_compared_whatever_they_are_called(
    mine: Path, model: Path, shared_data: Path, tmp_path: Path
) -> None:
    name(mine, class_names=NEW)
    for folder in ("dress", "hat"):
        shutil.copytree(shared_data / "clothing" / "test" / folder, tmp_path / "photos" / folder)
    for pair in ((mine, model), (model, mine)):
        found = compare(*pair, tmp_path / "photos")
        assert found["differing"] == []


@pytest.mark.thorough  # there and back is the folder as it was, above
def test_thresholds_and_names_come_in_any_order(mine: Path) -> None:
    threshold(mine, Wishes(never_miss={"hat": 0.9}))
    name(mine, class_names=NEW)
    [kept] = load_artifact(mine).thresholds.never_miss
    assert kept.class_name == "หมวก"
    decided = threshold(mine, Wishes(never_miss={"หมวก": 0.8}))
    assert decided.thresholds.never_miss[0].class_name == "หมวก"


def test_a_card_that_its_owner_wrote_stays(mine: Path) -> None:
    (mine / CARD).write_text("# Mine\n", "utf-8")
    assert name(mine, class_names=NEW).kept == (CARD,)
    assert (mine / CARD).read_text("utf-8") == "# Mine\n"


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"hatt": "Hat"}, 'no class "hatt"'),
        ({"hat": "dress"}, "Two classes"),
        ({"hat": "none of these"}, "a model gives this answer itself"),
        ({"hat": "a\x1b]0;x"}, "cannot be shown"),
        ({"hat": "x" * 501}, "501 letters"),
    ],
)
def test_impossible_names_are_refused_and_nothing_changes(mine: Path, wanted: dict[str, str], words: str) -> None:
    before = _content(mine)
    with pytest.raises(InputError, match=words):
        name(mine, class_names=wanted)
    assert _content(mine) == before


def test_another_folder_leaves_the_model_as_it_is(mine: Path, tmp_path: Path) -> None:
    before = _content(mine)
    name(mine, title="Other", output=tmp_path / "other")
    assert _content(mine) == before
    assert load_artifact(tmp_path / "other").manifest["name"] == "Other"

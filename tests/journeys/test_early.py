"""Ten photos: "none of these" is said, without a promise, by every door alike, and every door says that it is early."""

import hashlib
import json
import shutil

import onnx
import pytest

from tellapart.classifier.decision import EARLY_SAID
from tellapart.export import docker, runtime
from tellapart.export.bundle import ModelSource
from tellapart.export.folder import export
from tellapart.export.space import gradio_space, static_space
from tellapart.export.web import web_folder
from tellapart.model.artifact import load_artifact
from tellapart.model.prediction import load
from tellapart.server.predict_api.serving_model import open_model
from tellapart.timing import no_progress
from tellapart.workflow.evaluate import evaluate


@pytest.fixture(scope="module")
def cups(shared_data):
    return sorted((shared_data / "unknown" / "cups").iterdir())


def test_its_files_say_so(early_model):
    manifest = json.loads((early_model / "manifest.json").read_text("utf-8"))
    assert manifest["thresholds"]["early"] is True
    assert manifest["thresholds"]["n"] == 10
    assert manifest["promise"] is None
    kept = {p.key: p.value for p in onnx.load(early_model / "model.onnx").metadata_props}
    assert json.loads(kept["tellapart.thresholds"]) == manifest["thresholds"]
    unknown = json.loads((early_model / "evaluation.json").read_text("utf-8"))["unknown"]
    assert unknown["early"] is True
    assert (unknown["promise"], unknown["observed"]) == (None, None)
    assert sum(row["n"] for row in unknown["strangers"]) == 105
    for page in ("README.md", "report.html"):
        assert EARLY_SAID in " ".join((early_model / page).read_text("utf-8").split())


def test_other_things_are_refused_and_hats_are_not(early_model, cups, clothing):
    predictor = load(early_model)
    refused = [said.answer == "none of these" for said in predictor.predict(cups)]
    assert sum(refused) >= 0.9 * len(refused)
    rest = [
        clothing.places[i] for i in range(clothing.n) if clothing.class_names[clothing.labels[i]] in ("dress", "hat")
    ]
    named = [said.answer in ("dress", "hat") for said in predictor.predict(rest)]
    assert sum(named) >= 0.9 * len(named)


def test_every_door_answers_alike(early_model, cups, clothing_folder, tmp_path):
    photos = [*cups[:6], *sorted((clothing_folder / "hat").iterdir())[4:10]]
    predictor, served = load(early_model), open_model(early_model)
    expected = [said.answer for said in predictor.predict(photos)]
    assert {"none of these", "hat"} <= set(expected)
    answers = [served.answer(predictor.pixels(p.read_bytes()), heatmap=False)["answer"] for p in photos]
    assert answers == expected
    assert served.facts["early"] == EARLY_SAID
    exported = export(early_model, tmp_path / "onnx", "onnx", photos=str(cups[0].parent))
    assert exported.proof.n_same == exported.proof.n == len(cups)
    assert EARLY_SAID in exported.notes
    assert json.loads((tmp_path / "onnx" / "model.json").read_text("utf-8"))["thresholds"]["early"] is True
    hats = tmp_path / "photos" / "hat"
    hats.parent.mkdir()
    hats.symlink_to(clothing_folder / "hat")
    told = evaluate(early_model, hats.parent)["unknown"]
    assert told["early"] is True
    assert EARLY_SAID in told["promise_in_words"]


def test_exports_for_others_say_so(early_model, model, monkeypatch):
    monkeypatch.setattr(docker, "hashed_pins", lambda pins, python: (pins, ()))  # no package index is asked
    engine = {runtime.MODULE: b"", runtime.WASM: b""}
    for folder, early in ((early_model, True), (model, False)):
        source = ModelSource(folder, load_artifact(folder), no_progress, engine)
        for build in (web_folder, static_space, gradio_space, docker.docker_folder):
            files = build(source, "x").files
            assert (EARLY_SAID in files["README.md"].decode()) == early, build
            if "model/model.json" in files:
                assert json.loads(files["model/model.json"])["early"] == (EARLY_SAID if early else "")
        assert ("is early here" in json.loads(gradio_space(source, "x").files["about.json"])["headline"]) == early


def test_info_says_so(tellapart, early_model, model):
    assert EARLY_SAID in tellapart.works("info", early_model)
    assert "early" not in tellapart.works("info", model)
    assert tellapart.json("info", early_model)["thresholds"]["early"] is True


def test_threshold_leaves_what_is_early_early(tellapart, early_model, tmp_path, snapshot):
    """Written anew, its evaluation has the classes left out as before; and what a wish took away comes back."""
    model, before = tmp_path / "model", load_artifact(early_model)
    tellapart.works("threshold", early_model, "--answer", "0.9", "-o", model)
    changed = load_artifact(model)
    assert changed.thresholds.early
    assert changed.thresholds.ood_score == before.thresholds.ood_score
    assert changed.evaluation["unknown"]["left_out"] == before.evaluation["unknown"]["left_out"] != []
    tellapart.works("threshold", model, "--answer", "1")
    assert load_artifact(model).thresholds.ood_score is None, "every photo gets a name"
    tellapart.works("threshold", model, "--answer", "0.95")
    assert load_artifact(model).thresholds == before.thresholds
    assert load_artifact(model).evaluation["unknown"] == before.evaluation["unknown"]
    assert snapshot(model)["report.html"] == snapshot(early_model)["report.html"]


def test_a_model_that_keeps_nothing_to_be_early_by_stays_as_early_as_it_is(tellapart, early_model, tmp_path):
    """As those of before."""
    model = shutil.copytree(early_model, tmp_path / "model")
    facts = json.loads((model / "out_of_fold.json").read_text("utf-8"))
    del facts["near_reference"]
    (model / "out_of_fold.json").write_text(json.dumps(facts), "utf-8")
    manifest = json.loads((model / "manifest.json").read_text("utf-8"))
    manifest["files"]["out_of_fold.json"] = hashlib.sha256((model / "out_of_fold.json").read_bytes()).hexdigest()
    (model / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    tellapart.works("threshold", model, "--answer", "0.9")
    changed, before = load_artifact(model).thresholds, load_artifact(early_model).thresholds
    assert (changed.early, changed.ood_score, changed.answer) == (True, before.ood_score, 0.9)

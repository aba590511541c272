"""`train --never-miss`, `train --answer` and `threshold`: what a mistake costs, through every door."""

import json
import shutil

import numpy as np
import onnx
import pytest
from PIL import Image

from tellapart.classifier.decision import Thresholds, answer, fit_thresholds
from tellapart.evaluation.wishes import guarantee_of
from tellapart.model.artifact import load_artifact, seal
from tellapart.model.compose import with_metadata
from tellapart.model.kept_file import parse_kept
from tellapart.model.prediction import load
from tellapart.server.predict_api.serving_model import open_model


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Two kinds of pattern that shade into each other: 130 photos each, drawn."""
    folder, rng = tmp_path_factory.mktemp("threshold") / "parts", np.random.default_rng(0)
    for name, colour in (("good", (200, 180, 60)), ("defect", (60, 90, 200))):
        (folder / name).mkdir(parents=True)
        for i in range(130):
            mix = 1.2 * rng.random()
            noise = rng.integers(0, 255, (8, 8, 3))
            pixels = 0.5 * noise + (1 - mix) * 0.5 * np.array(colour) + mix * 0.25 * 255
            image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).resize((160, 160), Image.Resampling.BICUBIC)
            image.save(folder / name / f"{i}.jpg", quality=90)
    return folder


@pytest.fixture(scope="module")
def usual(tellapart, parts, tmp_path_factory):
    model = tmp_path_factory.mktemp("threshold") / "model"
    tellapart.works("train", parts, "-o", model, "--quality", "fast")
    return model


@pytest.fixture(scope="module")
def wished(tellapart, parts, tmp_path_factory):
    model = tmp_path_factory.mktemp("threshold") / "model"
    said = tellapart.works(
        "train", parts, "-o", model, "--quality", "fast", "--never-miss", "defect=0.98", "--answer", "0.9"
    )
    assert 'Of 100 photos of "defect" it promises' in said
    return model


def test_the_promise_stands_in_manifest_graph_report_and_card(wished):
    artifact = load_artifact(wished)
    thresholds = artifact.manifest["thresholds"]
    [own] = thresholds["never_miss"]
    assert (thresholds["answer"], own["class_name"], own["recall"]) == (0.9, "defect", 0.98)
    assert own["low"] < 0.98 <= own["kept"] < own["high"]
    metadata = {p.key: p.value for p in onnx.load_model_from_string(artifact.model).metadata_props}
    assert json.loads(metadata["tellapart.thresholds"]) == thresholds
    sentence = artifact.evaluation["unknown"]["never_miss"][0]["sentence"]
    assert sentence.replace('"', "&#34;") in (wished / "report.html").read_text()
    assert sentence in (wished / "README.md").read_text()
    assert "What a mistake costs" in (wished / "report.html").read_text()


@pytest.mark.thorough  # on real photos what tests/evaluation/test_wishes.py holds
def test_defects_are_named_more_often_than_by_the_likeliest_class(wished, usual, parts):
    model, plain = load(wished), load(usual)
    photos = sorted(map(str, (parts / "good").iterdir()))
    said, before = model.predict(photos), plain.predict(photos)
    alarms = [p for p in said if p.answer == "defect" and p.class_name == "good"]
    assert alarms
    assert all(p.probs["defect"] >= model.thresholds.never_miss[0].prob for p in alarms)
    assert [p.probs for p in said] == [p.probs for p in before], "probabilities stay as they are"


def test_threshold_makes_of_a_finished_model_what_train_would_have_made(tellapart, wished, usual, tmp_path, snapshot):
    model = shutil.copytree(usual, tmp_path / "model")
    tellapart.works("threshold", model, "--never-miss", "defect=0.98", "--answer", "0.9")
    made, trained = load_artifact(model), load_artifact(wished)
    assert made.thresholds.never_miss == trained.thresholds.never_miss
    assert made.thresholds.ood_score == pytest.approx(trained.thresholds.ood_score, abs=1e-6)
    assert made.thresholds.confidence == pytest.approx(trained.thresholds.confidence, abs=1e-6)
    assert made.manifest["promise"] == trained.manifest["promise"]
    for part in ("unknown", "costs"):
        assert made.evaluation[part] == trained.evaluation[part]
    ours, theirs = snapshot(model), snapshot(wished)
    assert ours.keys() == theirs.keys()
    section = b'<section aria-labelledby="costs">'
    assert ours["report.html"].split(section)[1] == theirs["report.html"].split(section)[1]
    assert ours["README.md"] == theirs["README.md"]
    # And back again: all of it is as it was, so that nothing was lost on the way.
    tellapart.works("threshold", model, "--answer", "0.95")
    again, before = load_artifact(model), load_artifact(usual)
    assert again.manifest["promise"] == before.manifest["promise"]
    assert again.evaluation["unknown"] == before.evaluation["unknown"]
    assert snapshot(model)["report.html"] == snapshot(usual)["report.html"]


def test_without_a_wish_nothing_is_written(tellapart, usual, snapshot):
    before = snapshot(usual)
    said = tellapart.works("threshold", usual, "--json")
    assert snapshot(usual) == before
    facts = json.loads(said)
    assert facts["n_proven"] == 0
    assert [row["answer"] for row in facts["costs"]["named"]] == [0.99, 0.95, 0.9, 0.8]
    assert facts["costs"] == json.loads((usual / "evaluation.json").read_text())["costs"]


def test_another_folder_leaves_the_model_as_it_is(tellapart, usual, tmp_path, snapshot):
    before = snapshot(usual)
    tellapart.works("threshold", usual, "--answer", "0.8", "-o", tmp_path / "sure")
    assert snapshot(usual) == before
    assert load_artifact(tmp_path / "sure").thresholds.answer == 0.8
    failed = tellapart.refuses("threshold", usual, "--answer", "0.8", "-o", tmp_path / "sure")
    assert "exists already" in failed
    assert "--force" not in failed  # which this command does not have


@pytest.mark.parametrize(("wish", "says"), [
    (("--never-miss", "defect=0.999"), "takes 999 photos of it"),
    (("--never-miss", "defekt=0.9"), 'There is no class "defekt"'),
    (("--never-miss", "defect"), "must be a class and a share"),
    (("--never-miss", "defect=much"), "must be a class and a share"),
    (("--never-miss", "defect=1.0"), "less than 1"),
    (("--answer", "95"), "must be between 0.05 and 1"),
    (("--never-miss", "defect=0.9", "--never-miss", "defect=0.95"), "with two shares"),
    (("--never-miss", "defect=0.98", "--never-miss", "good=0.99"), "Ask for less of one of them."),
])  # fmt: skip
def test_what_cannot_be_had_is_said_and_changes_nothing(tellapart, usual, snapshot, wish, says):
    before = snapshot(usual)
    failed = tellapart.refuses("threshold", usual, *wish)
    assert says in failed
    assert snapshot(usual) == before


def test_train_refuses_what_takes_more_photos_before_it_reads_any(tellapart, parts, tmp_path):
    failed = tellapart.refuses("train", parts, "-o", tmp_path / "m", "--never-miss", "defect=0.999")
    assert "Another 869 are needed" in failed
    failed = tellapart.refuses("train", parts, "-o", tmp_path / "m", "--never-miss", "defect=0.992")
    assert "there are 104" in failed, "those of the test set no threshold"
    assert not (tmp_path / "m").exists()


def test_a_model_of_before_answers_as_before_and_says_that_it_keeps_no_values(tellapart, usual, parts, tmp_path):
    model = shutil.copytree(usual, tmp_path / "model")
    (model / "out_of_fold.json").unlink()
    manifest = json.loads((model / "manifest.json").read_text())
    del manifest["files"]["out_of_fold.json"]
    (model / "manifest.json").write_text(json.dumps(manifest))
    failed = tellapart.refuses("threshold", model, "--answer", "0.9")
    assert "keeps no out-of-fold values" in failed
    photo = next((parts / "good").iterdir())
    assert load(model).predict(photo) == load(usual).predict(photo)
    said = tellapart.works("evaluate", model, parts, "--json")
    assert json.loads(said)["costs"]["own_ranks"]


@pytest.mark.thorough  # tests/evaluation/test_costs.py
def test_evaluate_shows_what_a_mistake_costs_on_other_photos(tellapart, wished, parts, tmp_path):
    said = tellapart.works("evaluate", wished, parts, "-o", tmp_path / "report")
    assert "With 95 of 100 photos to be named" in said
    assert '<h2 id="costs">' in (tmp_path / "report" / "report.html").read_text()
    costs = json.loads(tellapart.works("evaluate", wished, parts, "--json"))["costs"]
    assert (costs["n_test"], costs["own_ranks"]) == (260, False)
    [defect] = costs["classes"]
    assert (defect["class_name"], defect["n"], defect["n_own"], defect["n_others"]) == ("defect", 104, 130, 130)


def test_exports_carry_the_thresholds_and_leave_the_values_at_home(tellapart, wished, parts, tmp_path):
    tellapart.works("export", wished, "--to", "onnx", "-o", tmp_path / "onnx")
    facts = json.loads((tmp_path / "onnx" / "model.json").read_text())
    manifest = json.loads((wished / "manifest.json").read_text())
    assert facts["thresholds"] == manifest["thresholds"]
    assert "out_of_fold.json" not in {path.name for path in (tmp_path / "onnx").iterdir()}
    thresholds = Thresholds.from_json(facts["thresholds"])
    for said in load(wished).predict(sorted(map(str, (parts / "good").iterdir()))[:40]):
        probs = np.array([said.probs[name] for name in facts["class_names"]])
        assert answer(facts["class_names"], probs, said.ood_score, thresholds) == said.answer


@pytest.mark.thorough  # the exports carry the same thresholds, test_exports_carry_the_thresholds
def test_a_page_gives_the_same_names(tellapart, wished, parts, tmp_path):
    """The rule once more, in JavaScript: the exported page in a browser, asked about photos with alarms among them."""
    (tmp_path / "asked").mkdir()
    said = load(wished).predict(sorted(map(str, (parts / "good").iterdir())))
    alarms = [p.photo for p in said if p.answer == "defect" and p.class_name == "good"][:3]
    for i, photo in enumerate([*alarms, *(p.photo for p in said[:3])]):
        shutil.copy(photo, tmp_path / "asked" / f"{i}.jpg")
    proof = tellapart.json("export", wished, "--to", "web", "-o", tmp_path / "site", "--photos", tmp_path / "asked")[
        "proof"
    ]
    facts = json.loads((tmp_path / "site" / "model" / "model.json").read_text())
    assert facts["thresholds"]["never_miss"][0]["class_name"] == "defect"
    if not proof["through"].startswith("Chromium"):
        pytest.skip(f"asked {proof['through']}")
    assert alarms
    assert proof["n_same"] == proof["n"] == len(alarms) + 3


@pytest.mark.thorough  # tests/evaluation/test_wishes.py
def test_train_writes_what_cannot_be_had_together_and_says_so(tellapart, parts, tmp_path):
    """A training is not thrown away for it; `threshold` sets it right."""
    wishes = ("--never-miss", "defect=0.98", "--never-miss", "good=0.98", "--answer", "0.99")
    said = tellapart.works("train", parts, "-o", tmp_path / "model", "--quality", "fast", *wishes)
    assert "Ask for less of one of them." in said
    artifact = load_artifact(tmp_path / "model")
    assert artifact.thresholds.n_torn > 10
    assert artifact.manifest["promise"]["kept"] == pytest.approx(1 - artifact.manifest["promise"]["n_refused"] / 209)
    assert artifact.manifest["promise"]["kept"] < 0.95
    tellapart.works("threshold", tmp_path / "model", "--never-miss", "defect=0.9")
    assert load_artifact(tmp_path / "model").thresholds.n_torn == 0


def test_info_and_serve_say_what_was_asked_for_and_what_is_promised(tellapart, wished, usual):
    said = tellapart.works("info", wished)
    [own] = load_artifact(wished).thresholds.never_miss
    assert "Asked for: --answer 0.9 --never-miss defect=0.98" in said
    assert "It promised a name to at least about 90 of 100 photos of its classes" in said
    few, many = 100 * (1 - own.high), 100 * (1 - own.low)
    assert f"name of another class; {few:.1f} to {many:.1f} is plausible with 104 photos of it." in said
    plain = tellapart.works("info", usual)
    assert "It promised a name to at least about 95 of 100" in plain
    assert "Asked for" not in plain
    [told] = open_model(wished).facts["never_miss"]
    assert told["sentence"] in said
    assert (told["class_name"], told["recall"], told["probability"]) == ("defect", 0.98, own.prob)
    assert open_model(usual).facts["never_miss"] == []


@pytest.mark.thorough  # tests/evaluation/test_wishes.py counts scenes
@pytest.mark.slow
def test_photos_of_one_scene_count_as_one_by_train_and_by_threshold(tellapart, parts, tmp_path):
    """Pairs that a person says belong together: half as many scenes as photos, in every promise."""
    rows = [f"parts/{n}/{i}.jpg,{n},{n}{i // 2}" for n in ("good", "defect") for i in range(130)]
    (tmp_path / "parts").symlink_to(parts)
    (tmp_path / "pairs.csv").write_text("\n".join(["path,label,group", *rows]))
    model, pairs = tmp_path / "model", tmp_path / "pairs.csv"
    said = tellapart.works("train", pairs, "-o", model, "--quality", "fast")
    first = load_artifact(model)
    limits, promise = first.thresholds, first.manifest["promise"]
    assert limits.n_scenes < limits.n <= 2 * limits.n_scenes
    assert (promise["n"], promise["n_scenes"]) == (limits.n, limits.n_scenes)
    assert promise == guarantee_of(limits).to_json()
    assert "photos of your classes get a name" in said
    assert f"{limits.n} photos of {limits.n_scenes} scenes" in (model / "report.html").read_text("utf-8")
    assert f"{limits.n} photos it learned from" not in (said_by := tellapart.works("info", model))
    assert f"{limits.n} photos of {limits.n_scenes} scenes" in said_by
    tellapart.works("threshold", model, "--answer", "0.8")
    assert load_artifact(model).manifest["promise"]["n_scenes"] == limits.n_scenes
    tellapart.works("threshold", model, "--answer", "0.95")
    assert load_artifact(model).manifest["promise"] == promise
    # The same model as a tellapart of before would have written it: it answers as it did, until it is set anew.
    kept = parse_kept(first.files["out_of_fold.json"], 2)
    said_of = kept.out_of_fold
    old = fit_thresholds(said_of.ood_scores, said_of.confidences)
    changed = {"thresholds": old.to_json(), "promise": guarantee_of(old).to_json()}
    manifest = {k: v for k, v in first.manifest.items() if k not in ("format", "files")} | changed
    before = tmp_path / "before"
    before.mkdir()
    for name, content in seal(manifest, {**first.files, "model.onnx": with_metadata(first.model, changed)}).items():
        (before / name).parent.mkdir(parents=True, exist_ok=True)
        (before / name).write_bytes(content)
    assert load(before).thresholds == old
    shown = tellapart.works("threshold", before)
    assert f"counts {limits.n} photos, which show {limits.n_scenes} scenes" in " ".join(shown.split())
    tellapart.works("threshold", before, "--answer", "0.95", "-o", tmp_path / "anew")
    assert load_artifact(tmp_path / "anew").manifest["promise"] == promise
    assert "earlier tellapart" not in tellapart.works("threshold", tmp_path / "anew")

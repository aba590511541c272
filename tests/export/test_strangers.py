"""What a stranger wrote into a model is words in an export, and no page of theirs travels with it."""

import json
import os
import re
import shutil
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from PIL import Image

from tellapart.classifier.decision import Thresholds
from tellapart.data.preprocess import Preprocess
from tellapart.errors import ArtifactError
from tellapart.evaluation.evaluation import Evaluation
from tellapart.export import web
from tellapart.export.browser import BrowserRunner
from tellapart.export.bundle import ModelSource, rendered
from tellapart.export.docker import docker_folder
from tellapart.export.folder import export
from tellapart.export.graphs import GraphRunner
from tellapart.export.photos import ProofPhoto, gather, generated
from tellapart.export.space import gradio_space, static_space
from tellapart.model.artifact import CARD, EVALUATION, MANIFEST, MODEL, REPORT, load_artifact, sha256
from tellapart.model.prediction import Prediction, Predictor, load
from tellapart.report.card import render_card
from tellapart.text import as_markdown
from tellapart.timing import no_progress

IMAGE = "<img src=x onerror=alert(1)>"
LINK = "[free](https://evil.example) www.evil.example"
FRONTEND = "syntax=evil.example/frontend "  # as the first line of a Dockerfile it would choose what builds the image
NAMES = [IMAGE, LINK, FRONTEND, "`code`", "# title", "| a | b", "--- \\", "a: b"]


@pytest.fixture
def named(model, tmp_path):
    """A model folder whose name and headline a stranger chose."""

    def make(name):
        folder = Path(shutil.copytree(model, tmp_path / "model"))
        (folder / CARD).write_text(IMAGE)
        evaluation = json.loads((folder / EVALUATION).read_bytes()) | {"headline": name}
        (folder / EVALUATION).write_text(json.dumps(evaluation))
        record = json.loads((folder / MANIFEST).read_bytes()) | {"name": name}
        record["files"][EVALUATION] = sha256((folder / EVALUATION).read_bytes())
        (folder / REPORT).write_text("<script>alert(1)</script>")
        record["files"][REPORT] = sha256((folder / REPORT).read_bytes())
        (folder / MANIFEST).write_text(json.dumps(record))
        return ModelSource(folder, load_artifact(folder), no_progress)

    return make


def harmless(page):
    """No HTML, no link, no code and no title of theirs in a page of Markdown."""
    body = page.split("---\n", 2)[-1]
    assert "<img" not in body
    assert not re.search(r"(?<!\\)\[free", body)
    assert "//evil" not in body.replace("&#58;//", "")
    assert "www.evil" not in body
    assert "\n# title" not in body
    assert not re.search(r"(?<!\\)`code", body)
    return True


@pytest.mark.parametrize("name", NAMES)
def test_pages_of_exports_hold_words(named, name):
    source = named(name)
    for build in (docker_folder, static_space, gradio_space):
        files = build(source, "folder").files
        assert harmless(files["README.md"].decode())
        assert as_markdown(name) in files["README.md"].decode()
        assert not [file for file in files if file.startswith("model/") and file.endswith((".html", ".md"))]
    about = json.loads(files["about.json"])
    assert about["title"] == about["headline"] == as_markdown(name)
    assert harmless(
        rendered("web/README.md", {"name": name, "early": "", "runtime": "x", "bound": 1, "examples": ""}).decode()
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_model_card_holds_words(named, name):
    source = named(name)
    assert harmless(render_card(msgspec.convert(source.artifact.evaluation, Evaluation), source.artifact.manifest))


@pytest.mark.parametrize("name", NAMES)
def test_a_dockerfile_is_ours_from_its_first_line(named, name):
    lines = docker_folder(named(name), "folder").files["Dockerfile"].decode().splitlines()
    assert lines[0].startswith("# The page and the API of `tellapart serve` ")
    assert not any(re.match(r"#\s*[A-Za-z]+\s*=", line) for line in lines)
    assert [line for line in lines if line.startswith("FROM")] == [line for line in lines if "FROM" in line][-1:]


def test_a_model_in_an_export_still_loads(named, tmp_path):
    files = docker_folder(named("colours"), "folder").files
    for name, content in files.items():
        if name.startswith("model/"):
            path = tmp_path / "export" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    artifact = load_artifact(tmp_path / "export" / "model")
    assert artifact.examples
    assert REPORT not in artifact.manifest["files"]


@pytest.fixture
def asked(model, clothing_folder):
    artifact = load_artifact(model)
    return gather(str(clothing_folder), artifact, Predictor.from_artifact(artifact), no_progress).photos


def test_chromium_without_its_sandbox_sees_no_byte_of_a_photo_that_is_not_ours(model, asked):
    form = BrowserRunner({}, "chromium", load_artifact(model).preprocess, sandboxed=False)
    for photo in asked[:5]:
        assert not photo.ours
        handed = form.handed(photo)
        assert handed.startswith(b"\x89PNG\r\n\x1a\n")
        assert handed != photo.data
        assert not any(photo.data[i : i + 40] in handed for i in range(0, len(photo.data), 40))
        assert Predictor.from_artifact(load_artifact(model)).predict(handed).probs == photo.expected.probs
    assert form.through.endswith("as root it has no sandbox, so photos went to it as PNG of ours")


def test_ours_are_handed_over_as_they_are(model):
    artifact = load_artifact(model)
    photos = gather(None, artifact, Predictor.from_artifact(artifact), no_progress).photos
    form = BrowserRunner({}, "chromium", artifact.preprocess, sandboxed=False)
    ours = [photo for photo in photos if photo.ours]
    assert [(photo.name, photo.data) for photo in ours] == generated()
    assert all(form.handed(photo) == photo.data for photo in ours)
    assert len(photos) > len(ours)


def test_a_sandboxed_chromium_decodes_all(asked):
    form = BrowserRunner({}, "chromium", Preprocess(224, "crop"), sandboxed=True)
    assert form.handed(asked[0]) == asked[0].data
    assert form.through == "Chromium, from a plain file server"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="root is of systems like Unix")
def test_root_has_no_sandbox():
    assert BrowserRunner({}, "chromium", Preprocess(224, "crop")).sandboxed == (os.geteuid() != 0)


def test_a_photo_by_a_name_like_ours_is_not_ours(model, tmp_path):
    Image.new("RGB", (50, 40)).save(tmp_path / "generated landscape.jpg")
    artifact = load_artifact(model)
    [photo] = gather(str(tmp_path), artifact, Predictor.from_artifact(artifact), no_progress).photos
    assert not photo.ours
    assert isinstance(photo, ProofPhoto)


def odd_kernel(folder):
    """A graph that OpenVINO runs, going by the weights' shape, and ONNX Runtime does not; hashes right."""
    proto = onnx.load(folder / MODEL)
    node = next(node for node in proto.graph.node if node.op_type == "Conv" and "depthwise" in node.output[0])
    sides = next(attribute for attribute in node.attribute if attribute.name == "kernel_shape")
    sides.ints[0] = 0
    return proto.SerializeToString()


@pytest.fixture
def odd(model, tmp_path):
    folder = Path(shutil.copytree(model, tmp_path / "odd"))
    record = json.loads((folder / MANIFEST).read_bytes())
    (folder / MODEL).write_bytes(odd_kernel(folder))
    record["files"][MODEL] = sha256((folder / MODEL).read_bytes())
    (folder / MANIFEST).write_text(json.dumps(record))
    return folder


@pytest.mark.parametrize("to", ["onnx", "web"])
def test_a_graph_that_another_runtime_does_not_take_is_a_sentence(odd, tmp_path, monkeypatch, capfd, to):
    assert load(odd).predict(np.full((50, 50, 3), 90, np.uint8)).answer
    monkeypatch.setattr(web, "find_chromium", lambda: None)
    with pytest.raises(ArtifactError, match=r"^ONNX Runtime [0-9.]+ cannot run the model's graph\.$"):
        export(odd, tmp_path / "out", to)
    assert not (tmp_path / "out").exists()
    assert capfd.readouterr() == ("", "")


def test_a_form_that_answers_no_probabilities_is_refused():
    nan = {"probs": np.array([[0.5, np.nan]], np.float32), "unknown_score": np.zeros(1, np.float32)}
    form = GraphRunner(
        lambda _: nan, "a test", 0.001, lambda data: np.zeros(1), ["hat", "shoe"], Thresholds(None, None, 0)
    )
    photo = ProofPhoto("hat.jpg", b"", Prediction("hat.jpg", "hat", "hat", 0.5, {"hat": 0.5, "shoe": 0.5}, 0.0))
    with pytest.raises(ArtifactError, match="numbers that are no probabilities"):
        list(form([photo]))

"""docs/use-the-file.md: what it tells people to run, runs, and answers as the model does."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tellapart.classifier.decision import ClassThreshold
from tellapart.export import runtime
from tellapart.export.bundle import NOTE, TEMPLATES
from tellapart.export.folder import export
from tellapart.model.prediction import load

PAGE = Path(__file__).resolve().parents[2] / "docs" / NOTE


def snippet(language):
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return found


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("note") / "onnx"
    export(model, folder, "onnx")
    return folder


@pytest.fixture(scope="module")
def photos(clothing):
    return [clothing.places[i] for i in range(0, clothing.n, 16)]


def test_every_export_of_a_file_carries_the_page(exported):
    assert PAGE.read_bytes() == (TEMPLATES / NOTE).read_bytes() == (exported / "README.md").read_bytes()


def test_python(wary, photos, model, tmp_path):
    (tmp_path / "ask.py").write_text(snippet("python"), encoding="utf-8")
    command = [sys.executable, tmp_path / "ask.py", *photos]
    done = subprocess.run(command, cwd=wary, capture_output=True, text=True, check=True)
    said = [json.loads(line) for line in done.stdout.splitlines()]
    same_answers(said, photos, model, wary)


def test_javascript(wary, photos, model, open_browser):
    engine = runtime.vendored()
    if engine is None:
        pytest.skip("needs npm")
    code = snippet("javascript").replace("onnxruntime-web/wasm", f"./{runtime.MODULE}")
    files = {
        "/": (b"<!doctype html><title>note</title>", "text/html"),
        "/ask.js": (code.encode(), "text/javascript"),
        "/model.onnx": ((wary / "model.onnx").read_bytes(), "application/octet-stream"),
        "/model.json": ((wary / "model.json").read_bytes(), "application/json"),
        f"/{runtime.MODULE}": (engine[runtime.MODULE], "text/javascript"),
        f"/{runtime.WASM}": (engine[runtime.WASM], "application/wasm"),
        **{f"/{i}.jpg": (Path(photo).read_bytes(), "image/jpeg") for i, photo in enumerate(photos)},
    }
    ask = """async (n) => {
      const ask = await (await import("./ask.js")).open("model.onnx", "model.json");
      const said = [];
      for (let i = 0; i < n; i += 1) said.push(await ask(await (await fetch(`${i}.jpg`)).blob()));
      return said;
    }"""
    page = open_browser().new_page()

    def answer(route):
        body, kind = files[route.request.url.removeprefix("http://note.test")]
        route.fulfill(body=body, content_type=kind)

    page.route("**/*", answer)
    page.goto("http://note.test/")
    said = page.evaluate(ask, len(photos))
    same_answers(said, photos, model, wary)


@pytest.fixture(
    scope="module",
    params=[[], *(pytest.param(names, marks=pytest.mark.thorough) for names in (["hat"], ["hat", "pants"]))],
    ids=len,
)
def wary(request, exported, tmp_path_factory):
    """The export with classes that must not be missed, so that other names are given."""
    folder = shutil.copytree(exported, tmp_path_factory.mktemp("wary") / "onnx")
    facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    facts["thresholds"]["never_miss"] = [  # from 0 on: this model is so sure that nothing lies between 0 and 1
        {"label": facts["class_names"].index(name), "class_name": name, "probability": 0.0} for name in request.param
    ]
    (folder / "model.json").write_text(json.dumps(facts), encoding="utf-8")
    return folder


def same_answers(said, photos, model, folder):
    own = json.loads((folder / "model.json").read_text(encoding="utf-8"))["thresholds"]["never_miss"]
    predictor = load(model)
    predictor.thresholds = replace(
        predictor.thresholds,
        never_miss=tuple(
            ClassThreshold(one["class_name"], 0.9, 0.9, 0.9, 0.9, 9, 9, one["label"], one["probability"]) for one in own
        ),
    )
    expected = predictor.predict(photos)
    assert [one["answer"] for one in said] == [one.answer for one in expected]
    assert any(one.answer != one.class_name for one in expected) == bool(own), "the thresholds change something"
    for one, known in zip(said, expected, strict=True):
        known_probs = [known.probs[name] for name in ("dress", "hat", "pants", "shoes")]
        assert np.abs(np.array(one["probs"]) - known_probs).max() < 0.02

"""docs/use-the-file.md: what it tells people to run, runs, and answers as the model does."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

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


def test_python(exported, photos, model, tmp_path):
    (tmp_path / "ask.py").write_text(snippet("python"), encoding="utf-8")
    command = [sys.executable, tmp_path / "ask.py", *photos]
    done = subprocess.run(command, cwd=exported, capture_output=True, text=True, check=True)
    said = [json.loads(line) for line in done.stdout.splitlines()]
    same_answers(said, photos, model)


def test_javascript(exported, photos, model, open_browser):
    engine = runtime.vendored()
    if engine is None:
        pytest.skip("needs npm")
    code = snippet("javascript").replace("onnxruntime-web/wasm", f"./{runtime.MODULE}")
    files = {
        "/": (b"<!doctype html><title>note</title>", "text/html"),
        "/ask.js": (code.encode(), "text/javascript"),
        "/model.onnx": ((exported / "model.onnx").read_bytes(), "application/octet-stream"),
        "/model.json": ((exported / "model.json").read_bytes(), "application/json"),
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
    same_answers(said, photos, model)


def same_answers(said, photos, model):
    expected = load(model).predict(photos)
    assert [one["answer"] for one in said] == [one.answer for one in expected]
    for one, known in zip(said, expected, strict=True):
        known_probs = [known.probs[name] for name in ("dress", "hat", "pants", "shoes")]
        assert np.abs(np.array(one["probs"]) - known_probs).max() < 0.02

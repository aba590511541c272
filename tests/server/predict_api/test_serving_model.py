"""The model as it is served: the same answers, what the page is told, and examples that are what they were."""

import json
import shutil

import numpy as np
import pytest

from tellapart import load
from tellapart.errors import ArtifactError
from tellapart.model.artifact import MANIFEST, sha256
from tellapart.server.predict_api.self_test import is_as_expected, self_test_photo
from tellapart.server.predict_api.serving_model import open_model


@pytest.fixture(scope="module")
def opened(model):
    return open_model(model, streams=1)


@pytest.fixture
def own(model, tmp_path):
    return shutil.copytree(model, tmp_path / "model")


def rewrite(folder, name, change):
    """Change a JSON file of the folder and seal it again."""
    value = json.loads((folder / name).read_text())
    change(value)
    (folder / name).write_text(json.dumps(value))
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"][name] = sha256((folder / name).read_bytes())
    (folder / MANIFEST).write_text(json.dumps(manifest))


def test_facts(opened, model, clothing):
    evaluation = json.loads((model / "evaluation.json").read_text())
    manifest = json.loads((model / MANIFEST).read_text())
    facts = opened.facts
    assert facts["class_names"] == list(clothing.class_names)
    assert facts["headline"] == evaluation["headline"]
    assert facts["accuracy"] == {k: evaluation["accuracy"][k] for k in ("value", "low", "high")}
    assert facts["sha256"] == sha256((model / "model.onnx").read_bytes())
    assert facts["promise"] == manifest["promise"]
    assert facts["has_heatmap"] is True
    assert [e["class_name"] for e in facts["examples"]] == list(clothing.class_names)
    assert [e["src"] for e in facts["examples"]] == [f"/v1/examples/{n + 1}" for n in range(4)]
    assert len(opened.examples) == 4
    json.dumps(facts, allow_nan=False)


def test_the_answer_is_the_predictors_to_the_last_bit(opened, model, clothing):
    alone = load(model)
    for i in (0, 25, 50, 75):
        data = clothing.read(i)
        said = opened.answer(alone.pixels(data), heatmap=bool(i % 2))
        expected = alone.predict(data).to_json()
        assert {k: v for k, v in said.items() if k not in ("heatmap", "seen")} == {
            k: v for k, v in expected.items() if k != "photo"
        }
        assert list(said["probs"]) == list(expected["probs"])
        assert (said["heatmap"] or "data:image/png;base64,").startswith("data:image/png;base64,")
        assert bool(said["heatmap"]) == bool(i % 2)


def test_an_example_that_changed_is_refused(own):
    example = next((own / "examples").iterdir())
    example.write_bytes(example.read_bytes() + b"!")
    with pytest.raises(ArtifactError):
        open_model(own, streams=1)


@pytest.mark.parametrize(
    "change",
    [
        lambda e: e.pop("headline"),
        lambda e: e.update(accuracy=None),
        lambda e: e["accuracy"].update(low="much"),
        lambda e: e["accuracy"].update(value=1e999),
        lambda e: e.update(n_test=1e999),
    ],
)
def test_an_evaluation_that_the_page_cannot_show_is_refused(own, change):
    rewrite(own, "evaluation.json", change)
    with pytest.raises(ArtifactError):
        open_model(own, streams=1)


def test_the_self_test_finds_other_pixels(opened):
    pixels = opened.predictor.pixels(self_test_photo())
    assert is_as_expected(opened.predictor, pixels)
    other = pixels.copy()
    other[0, 0, 0] ^= 1
    assert not is_as_expected(opened.predictor, other)
    assert np.ptp(pixels) > 100

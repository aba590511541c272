"""From labels to a model that others use, in a real studio: written, shown, exported with its proof, served."""

import json
import shutil
import urllib.error
import urllib.request

import pytest


@pytest.fixture(scope="module")
def garments(shared_data, tmp_path_factory):
    """Twenty hats and twenty shoes."""
    folder = tmp_path_factory.mktemp("share") / "photos"
    for name in ("hat", "shoes"):
        (folder / name).mkdir(parents=True)
        for path in sorted((shared_data / "clothing" / "train" / name).iterdir())[:20]:
            shutil.copy(path, folder / name)
    return folder


@pytest.mark.thorough  # the page tries a written model in test_trial.py; each export has tests of its own
def test_a_model_is_written_shown_exported_and_served(garments, studio, tmp_path):
    model = tmp_path / "hats"
    one = studio(garments, "-o", model)
    assert one.ask("/v1/share")[2]["written"] is False
    assert one.ask("/v1/ticket", {})[0] == 422
    assert "served" in one.ask("/v1/serve", {})[2]["message"]
    assert one.ended(one.job("export", to="onnx"))["state"] == "failed"
    assert one.ask("/v1/write", {})[0] == 200
    done = one.ended(one.job("train"))
    assert done["state"] == "done", done
    evaluation = json.loads((model / "evaluation.json").read_text())
    assert done["result"]["sentences"][0] == evaluation["headline"]
    assert one.ask("/v1/share")[2]["written"] is True

    ticket = one.ask("/v1/ticket", {})[2]["ticket"]
    assert one.ask("/report?ticket=x", Authorization="")[0] == 404
    status, headers, report = one.ask(f"/report?ticket={ticket}", Authorization="")
    assert (status, report) == (200, (model / "report.html").read_bytes())
    assert "script" not in headers["content-security-policy"]
    assert one.ask(f"/report?ticket={ticket}", Authorization="")[0] == 404  # it opens once

    made = one.ended(one.job("export", to="onnx"))
    assert made["state"] == "done", made
    assert any(sentence.startswith("Same answer on") for sentence in made["result"]["sentences"])
    assert (garments.with_name("photos.studio") / "exports" / "onnx" / "model.onnx").is_file()
    assert "no export" in one.ended(one.job("export", to="../../x"))["message"]

    address = one.ask("/v1/serve", {})[2]["address"]
    assert one.ask("/v1/serve", {})[2]["address"] == address
    facts = json.load(urllib.request.urlopen(f"{address}/v1/model", timeout=20))
    assert facts["name"] == "hats"
    assert one.stop()[0] == 0
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{address}/v1/model", timeout=5)


@pytest.mark.thorough
def test_the_model_of_an_older_version_is_that_of_its_labels(garments, studio, tmp_path):
    model = tmp_path / "older"
    one = studio(garments, "-o", model)
    lines = one.state()[1]["n"]
    ids = [photo for name, photo in one.ids().items() if name.startswith("hat/")]
    one.do(do="class_rename", name="hat", to="cap")
    one.do(do="out", photos=ids[:5], out=True)
    for n_lines, names, n in ((lines, ["hat", "shoes"], 40), (None, ["cap", "shoes"], 35)):
        query, asked = ("", {}) if n_lines is None else (f"?lines={n_lines}", {"lines": n_lines})
        assert one.ask(f"/v1/write{query}", {})[0] == 200
        done = one.ended(one.job("train", **asked))
        assert done["state"] == "done", done
        said = json.loads((model / "evaluation.json").read_text())
        assert (said["confusion"]["class_names"], said["n_used"]) == (names, n)

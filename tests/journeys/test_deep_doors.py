"""A network from nothing and one trained further, through every door: what they lack is absent, nothing breaks."""

import functools
import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import onnx
import pytest

from tellapart.export.proof import FROM_FILES

SCRATCH = ("--recipe", "scratch", "--network", "first-cnn", "--px", 48, "--epochs", 4)
TUNED = ("--recipe", "finetune", "--quality", "fast", "--px", 96, "--epochs", 1)


def train(tellapart: Any, photos: Path, model: Path, *options: object) -> Path:
    """A model folder; each epoch is told on standard error, so that is not empty.

    Both times of one that trains twice are told, under one row of titles.
    """
    done = tellapart("train", photos, "-o", model, "--no-advice", *options)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("val accuracy") == 1
    parts = done.stderr.split("Once more from the same start")
    first, *again = [re.findall(r"^ +\d+/\d+ .*$", part, re.MULTILINE) for part in parts]
    assert first
    assert not any(" – " in line for line in first)
    assert [len(lines) for lines in again] == ([len(first)] if "finetune" in options else [])
    assert all(line.count(" – ") == 2 for lines in again for line in lines)
    return model


@pytest.fixture(scope="module")
def scratch(tellapart: Any, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two convolutions and two dense layers: no map whose mean its features are, nothing of ImageNet."""
    return train(tellapart, photos, tmp_path_factory.mktemp("deep") / "scratch", *SCRATCH)


@pytest.fixture(scope="module")
def tuned(tellapart: Any, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest bundled network: features as they were, then as they became, 2,560 in all."""
    return train(tellapart, photos, tmp_path_factory.mktemp("deep") / "tuned", *TUNED)


@pytest.fixture(scope="module")
def photo(fresh: Path) -> Path:
    return sorted(fresh.rglob("*.jpg"))[0]


def outputs(model: Path) -> dict[str, list[int]]:
    graph = onnx.load(model / "model.onnx").graph
    return {value.name: [d.dim_value for d in value.type.tensor_type.shape.dim] for value in graph.output}


def test_the_folders_are_as_described(tellapart: Any, scratch: Path, tuned: Path) -> None:
    """docs/artifact.md: which outputs may be absent, and what the manifest says of a trained network."""
    assert set(outputs(scratch)) == {"probs", "logits", "unknown_score", "features"}
    has = outputs(tuned)
    assert set(has) == {"probs", "logits", "unknown_score", "features", "feature_map", "imagenet_logits"}
    assert has["features"][1] == has["feature_map"][1] == 2560
    for model, kind, name in ((scratch, "Scratch", "first-cnn"), (tuned, "FineTune", "lite0-tuned")):
        said = tellapart.json("info", model)
        assert said["recipe"]["kind"] == kind
        assert said["recipe"]["probe"]["seed"] == 0
        (network,) = said["backbone"]["networks"]
        assert set(network) == {"name", "source", "sha256", "bytes"}
        assert network["name"] == name
        assert said["backbone"]["key"] == f"{name}@{said['preprocess']['input_px']}#{network['sha256'][:12]}"
        training = json.loads((model / "evaluation.json").read_text())["training"]
        assert bool(training["again"]) == (kind == "FineTune")
        n_learned = training["n_train"] + (training["n_val"] if training["again"] else 0)
        assert f"on {n_learned} photos" in network["source"]
        assert f"{model.name}: 3 classes" in tellapart.works("info", model)


def test_the_report_and_the_card_say_how_it_learned(scratch: Path, tuned: Path, trained: Path) -> None:
    page = (scratch / "report.html").read_text("utf-8")
    assert "How it learned" in page
    assert page.count('<figure>\n<svg class="diagram"') >= 2
    assert "Epoch 4: training" in page
    assert "Recipe: scratch; the network learned from nothing" in (scratch / "README.md").read_text("utf-8")
    assert "Recipe: finetune; a network that knew photos" in (tuned / "README.md").read_text("utf-8")
    assert "How it learned" in (tuned / "report.html").read_text("utf-8")
    assert "How it learned" not in (trained / "report.html").read_text("utf-8")


def test_they_answer_photo_by_photo_as_they_were_tested(
    tellapart: Any, scratch: Path, tuned: Path, fresh: Path
) -> None:
    paths = sorted(fresh.rglob("*.jpg"))
    for model in (scratch, tuned):
        said = tellapart.lines("predict", model, *paths)
        evaluation = tellapart.json("evaluate", model, fresh)
        n_right = sum(one["class_name"] == path.parent.name for one, path in zip(said, paths, strict=True))
        assert evaluation["accuracy"]["n_right"] == n_right
        assert all(sum(one["probs"].values()) == pytest.approx(1, abs=1e-5) for one in said)
    assert tellapart.works("predict", tuned, paths[0]).strip()


@pytest.mark.thorough  # every export and door is asked in tests/export
def test_none_of_these_without_looks_more_like(tellapart: Any, scratch: Path, photo: Path, tmp_path: Path) -> None:
    """Only what knows ImageNet's classes can say which of them a strange photo looks more like."""
    model = Path(shutil.copytree(scratch, tmp_path / "model"))
    manifest = json.loads((model / "manifest.json").read_text())
    manifest["thresholds"] |= {"unknown_score": -1.0}
    (model / "manifest.json").write_text(json.dumps(manifest))
    (said,) = tellapart.lines("predict", model, photo)
    assert (said["answer"], said["looks_like"]) == ("none of these", None)
    assert said["unknown_score"] >= 0
    assert "looks more like" not in tellapart.works("predict", model, photo)
    exported = tellapart.json("export", model, "--to", "onnx", "-o", tmp_path / "file")
    assert exported["proof"]["n_same"] == exported["proof"]["n"]
    tellapart.works("explain", model, photo, "-o", tmp_path / "why")
    assert "None of these" in (tmp_path / "why" / "explanation.html").read_text("utf-8")


@pytest.mark.parametrize("with_map", [pytest.param(False, marks=pytest.mark.thorough), True], ids=["scratch", "tuned"])
def test_explain_shows_what_there_is(
    with_map: bool, tellapart: Any, scratch: Path, tuned: Path, photo: Path, photos: Path, tmp_path: Path
) -> None:
    model, among = (tuned, ("--among", photo.parent)) if with_map else (scratch, ())
    (known,) = tellapart.lines("predict", model, photo)
    said = tellapart.json("explain", model, photo, "-o", tmp_path / "why", *among)
    assert said["probs"] == pytest.approx(known["probs"], abs=1e-6)
    assert (said["activation"] is not None) == with_map
    written = {path.name for path in (tmp_path / "why").iterdir()}
    assert {"seen.png", "covered.png", "filters.png", "layer-1.png"} <= written
    assert ("where-it-looked.png" in written) == with_map
    page = (tmp_path / "why" / "explanation.html").read_text("utf-8")
    assert ("What spoke for" in page) == with_map
    assert ("not a plain mean over places" in page) == (not with_map)
    likest = said["neighbours"][0]
    if with_map:
        assert (likest["photo"], likest["cosine"]) == (str(photo), pytest.approx(1, abs=1e-3))
    else:
        assert len(said["neighbours"]) == 8
        assert Path(likest["photo"]).is_relative_to(photos)


def test_compare_and_suggest(tellapart: Any, scratch: Path, tuned: Path, fresh: Path) -> None:
    said = tellapart.json("compare", scratch, tuned, fresh)
    assert said["n"] == 12
    assert said["b"]["n_right"] >= said["a"]["n_right"]
    for model in (scratch, tuned):
        assert len(tellapart.json("suggest", model, fresh, "-n", 3)["suggestions"]) == 3


@pytest.fixture(scope="module")
def served(own_process: Any, scratch: Path) -> Iterator[str]:
    """The address of `tellapart serve` with the model without a map."""
    server = own_process.start("serve", scratch, "--port", 0, stdout=-1, stderr=-3)
    try:
        yield re.search(rb"http://\S+:\d+", server.stdout.readline())[0].decode()
    finally:
        server.terminate()
        server.wait(20)
        server.stdout.close()


def test_the_server_has_no_heatmap_and_says_so(tellapart: Any, served: str, scratch: Path, photo: Path) -> None:
    assert httpx2.get(f"{served}/v1/model").json()["has_heatmap"] is False
    for asked in ("", "?heatmap=true"):
        answer = httpx2.post(f"{served}/v1/predict{asked}", files={"photos": photo.read_bytes()}, timeout=30)
        (said,) = answer.json()["predictions"]
        (known,) = tellapart.lines("predict", scratch, photo)
        assert said["heatmap"] is None
        assert (said["answer"], said["probs"], said["looks_like"]) == (known["answer"], known["probs"], None)


# An exported page is the one that is served; that its graph has no heat, tests/export/test_web_graph.py knows.
@pytest.mark.parametrize("where", ["served", pytest.param("exported", marks=pytest.mark.thorough)])
def test_the_page_does_not_offer_what_there_is_not(
    where: str,
    request: Any,
    tellapart: Any,
    scratch: Path,
    photo: Path,
    open_browser: Callable[[], Any],
    tmp_path: Path,
) -> None:
    if where == "served":
        address = request.getfixturevalue("served")
    else:
        if shutil.which("npm") is None:
            pytest.skip("the page needs npm to be made")
        said = tellapart.json("export", scratch, "--to", "web", "-o", tmp_path / "page")
        assert said["proof"]["n_same"] == said["proof"]["n"]
        assert said["model_bytes"] < 2_000_000
        described = json.loads((tmp_path / "page" / "model" / "model.json").read_text())
        assert described["has_heatmap"] is False
        address = request.getfixturevalue("file_server")(tmp_path / "page")
    page = open_browser().new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose photos").click()
    chooser.value.set_files(photo)
    card = page.locator("tell-apart article:not([data-state=busy])")
    card.get_by_role("button", name="What it sees").click()
    assert card.get_by_role("button", name="Where it looked").count() == 0
    assert complaints == []
    page.close()


@pytest.fixture
def file_server() -> Iterator[Callable[[Path], str]]:
    """Serves a folder on this machine and gives its address."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    servers = []

    def serve(folder: Path) -> str:
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    "to", ["openvino", *(pytest.param(to, marks=pytest.mark.thorough) for to in ("docker", "space"))]
)
def test_other_exports_are_proven(tellapart: Any, scratch: Path, tmp_path: Path, to: str) -> None:
    said = tellapart.json("export", scratch, "--to", to, "-o", tmp_path / to)
    assert said["proof"]["n"] == said["proof"]["n_same"] > 6
    assert said["proof"]["largest_difference"] <= (
        FROM_FILES if to == "space" else 0.001
    )  # a browser decodes its own way
    if to == "docker":  # answering takes no PyTorch
        assert "torch" not in (tmp_path / to / "requirements.txt").read_text()


def test_a_tuned_network_s_file_is_proven(tellapart: Any, tuned: Path, tmp_path: Path) -> None:
    said = tellapart.json("export", tuned, "--to", "onnx", "-o", tmp_path / "file")
    assert said["proof"]["n"] == said["proof"]["n_same"] > 6


def test_training_again_needs_force_and_leaves_nothing_beside(
    tellapart: Any, scratch: Path, photos: Path, photo: Path, tmp_path: Path
) -> None:
    model = Path(shutil.copytree(scratch, tmp_path / "models" / "again"))
    before = (model / "model.onnx").read_bytes()
    tellapart.refuses("train", photos, "-o", model, *SCRATCH, says=["exists already"])
    assert (model / "model.onnx").read_bytes() == before
    train(tellapart, photos, model, *SCRATCH, "--force", "--seed", 1)
    assert (model / "model.onnx").read_bytes() != before
    assert [path.name for path in model.parent.iterdir()] == [model.name]
    assert tellapart.lines("predict", model, photo)[0]["error"] is None

"""Exports written whole, proven, and replaced only where tellapart wrote them."""

import json
import shutil

import onnxruntime
import pytest

from tellapart.errors import ArtifactError, InputError
from tellapart.export import browser, runtime, space, web
from tellapart.export.folder import RECORD, export
from tellapart.model.artifact import load_artifact
from tellapart.text import quoted

HELD = (
    "It holds small copies of 4 of your test photos as examples, for whoever gets it to see; --no-examples leaves them "
    "out."
)
# Whatever a stock nginx or IIS does not know, the one sends as no script and the other not at all.
KNOWN_TO_ALL = {".html", ".css", ".js", ".json", ".svg", ".jpg", ".wasm", ".bin", ".md", ".txt", ""}


@pytest.fixture(scope="module")
def written(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports") / "onnx"
    return folder, export(model, folder, "onnx")


def test_onnx_holds_the_model_its_labels_and_its_proof(model, written):
    folder, exported = written
    assert (folder / "model.onnx").read_bytes() == (model / "model.onnx").read_bytes()
    onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    assert (folder / "labels.txt").read_text().split() == ["dress", "hat", "pants", "shoes"]
    record = json.loads((folder / RECORD).read_text())
    assert record["proof"]["n"] == record["proof"]["n_same"] == exported.proof.n
    assert record["proof"]["largest_difference"] < 0.001
    assert set(record["files"]) | {RECORD} == {p.name for p in folder.iterdir()}


def test_openvino_answers_alike(model, tmp_path):
    exported = export(model, tmp_path / "ir", "openvino")
    assert exported.proof.n_same == exported.proof.n
    assert {"model.xml", "model.bin"} <= {p.name for p in (tmp_path / "ir").iterdir()}


def test_the_proof_takes_the_persons_photos(model, clothing_folder, tmp_path):
    exported = export(model, tmp_path / "out", "onnx", photos=str(clothing_folder / "hat"))
    assert exported.proof.n == 20
    assert str(clothing_folder / "hat") in exported.proof.photos


def test_force_replaces_an_export_and_nothing_else(model, written):
    folder, _ = written
    with pytest.raises(InputError, match="exists already"):
        export(model, folder, "onnx")
    export(model, folder, "onnx", force=True)
    (folder / "mine.txt").write_text("keep me")
    with pytest.raises(InputError, match=r"holds 'mine\.txt'"):
        export(model, folder, "openvino", force=True)
    assert (folder / "mine.txt").exists()
    (folder / "mine.txt").unlink()


def test_a_folder_without_a_record_is_not_ours(model, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "export.json").write_text("[]")
    with pytest.raises(InputError, match=r"export\.json"):
        export(model, tmp_path / "photos", "onnx", force=True)


def test_what_cannot_be_exported_is_said_before_any_work(model, tmp_path):
    with pytest.raises(InputError, match="no export to 'gif'"):
        export(model, tmp_path / "out", "gif")
    with pytest.raises(ArtifactError, match="bundled network"):
        export("imagenet", tmp_path / "out", "onnx")
    for to, sdk in (("web", "static"), ("space", "streamlit")):
        with pytest.raises(InputError, match=rf"no {to} of the kind '{sdk}'"):
            export(model, tmp_path / "out", to, sdk=sdk)
    with pytest.raises(InputError, match="--runtime goes with a page"):
        export(model, tmp_path / "out", "docker", runtime=tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "a.jpg").write_text("no photo")
    with pytest.raises(InputError, match="None of the photos"):
        export(model, tmp_path / "out", "onnx", photos=str(tmp_path / "empty"))
    assert not (tmp_path / "out").exists()


def test_without_npm_the_page_holds_a_cdn_to_the_hashes(model, tmp_path, monkeypatch):
    monkeypatch.setenv("TELLAPART_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", "")
    assert runtime.vendored() is None
    exported = export(model, tmp_path / "site", "web")
    assert (tmp_path / "site" / "licenses" / "LICENSE").read_text().lstrip().startswith("Apache License")
    facts = json.loads((tmp_path / "site" / "model" / "model.json").read_text())
    for part, name in (("module", runtime.MODULE), ("wasm", runtime.WASM)):
        assert facts["runtime"][part] == {"src": f"{runtime.CDN}/{name}", "integrity": runtime.HASHES[name]}
    hosts = {
        path.name
        for path in (tmp_path / "site").rglob("*")
        if path.suffix in {".html", ".js", ".json"} and b"https://cdn." in path.read_bytes()
    }
    assert hosts == {"index.html", "embed.html", "model.json"}  # the policy, the policy, the address
    assert "no Chromium" in exported.proof.through
    assert exported.proof.n_same == exported.proof.n
    assert exported.notes


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """The two files of the runtime, in a folder of the person's."""
    if shutil.which("npm") is None:
        pytest.skip("the runtime needs npm to be got")
    folder = tmp_path_factory.mktemp("engine")
    for name, content in runtime.vendored().items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def without_npm(tmp_path, monkeypatch):
    """A machine that has a browser, but neither npm nor a runtime from earlier."""
    (tmp_path / "bin").mkdir()
    for name in browser.NAMES:
        if program := shutil.which(name):
            (tmp_path / "bin" / name).symlink_to(program)
    monkeypatch.setenv("TELLAPART_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert runtime.vendored() is None


def test_a_runtime_that_the_person_has_becomes_part_of_the_page_and_is_proven(model, engine, tmp_path, without_npm):
    if browser.find_chromium() is None:
        pytest.skip("the page needs chromium to be proven")
    exported = export(model, tmp_path / "site", "web", runtime=engine)
    assert exported.proof.through.startswith("Chromium, from a plain file server")
    assert exported.proof.n_same == exported.proof.n
    assert exported.notes == (HELD,)
    for name, served in runtime.SERVED.items():
        assert (tmp_path / "site" / "model" / "runtime" / served).read_bytes() == (engine / name).read_bytes()
    assert not [
        path for path in (tmp_path / "site").rglob("*") if path.is_file() and b"https://cdn." in path.read_bytes()
    ]


@pytest.mark.parametrize("name", runtime.HASHES)
def test_a_runtime_of_another_version_is_refused(model, engine, tmp_path, name):
    other = shutil.copytree(engine, tmp_path / "other")
    (other / name).write_bytes((engine / name).read_bytes() + b"\n")
    with pytest.raises(InputError) as raised:
        export(model, tmp_path / "site", "web", runtime=other)
    assert raised.value.message == f"{quoted(str(other / name))} is not the one of ONNX Runtime Web {runtime.VERSION}."
    (other / name).unlink()
    with pytest.raises(InputError) as raised:
        export(model, tmp_path / "site", "web", runtime=other)
    assert raised.value.message == f"{quoted(str(other))} has no file {name} that can be read."
    assert raised.value.hint == (
        "Take ort.wasm.bundle.min.mjs and ort-wasm-simd-threaded.wasm from dist/ of the npm package "
        f"onnxruntime-web {runtime.VERSION}."
    )
    assert not (tmp_path / "site").exists()


@pytest.mark.thorough  # a stock nginx serves it, test_hosts.py
def test_every_file_of_a_page_is_of_a_kind_that_hosts_know(model, tmp_path, monkeypatch):
    monkeypatch.setattr(runtime, "vendored", lambda: dict.fromkeys(runtime.HASHES, b"// program"))
    monkeypatch.setattr(browser, "find_chromium", lambda: None)
    monkeypatch.setattr(web, "find_chromium", lambda: None)
    for to in ("web", "space"):
        export(model, tmp_path / to, to)
        kinds = {path.suffix for path in (tmp_path / to).rglob("*") if path.is_file() and path.name != ".nojekyll"}
        assert kinds <= KNOWN_TO_ALL
        scripts = {path.name for path in (tmp_path / to / "model" / "runtime").iterdir()}
        assert scripts == {"ort.js", "ort.wasm"}


@pytest.mark.parametrize(
    "to", ["web", "onnx", *(pytest.param(to, marks=pytest.mark.thorough) for to in ("docker", "space"))]
)
def test_photos_of_the_person_are_said_and_can_be_left_out(model, tmp_path, monkeypatch, to):
    monkeypatch.setattr(runtime, "vendored", lambda: dict.fromkeys(runtime.HASHES, b"// program"))
    monkeypatch.setattr(web, "find_chromium", lambda: None)
    assert (HELD in export(model, tmp_path / "with", to).notes) == (to != "onnx")
    bare = export(model, tmp_path / "without", to, examples=False)
    assert not [note for note in bare.notes if "small copies" in note]
    assert not [path for path in (tmp_path / "without").rglob("*") if path.suffix == ".jpg"]
    if to == "docker":
        assert load_artifact(tmp_path / "without" / "model").examples == {}
    if to == "web":
        assert json.loads((tmp_path / "without" / "model" / "model.json").read_text())["examples"] == []


def test_the_page_is_as_the_export_expects_it():
    pages = web._pages(web.ANY_HOST, vendored=True)
    assert b'src="./model/"' in pages["index.html"]
    assert b"Content-Security-Policy" in pages["embed.html"]
    assert "server-client.js" not in pages
    assert not [name for name, text in pages.items() if b"server-client.js" in text]


def test_versions_that_gradio_does_not_take_are_capped():
    assert space._capped("pillow==13.0.0") == "pillow==12.3.0"
    assert space._capped("pillow==12.4.0") == "pillow==12.4.0"
    assert space._capped("numpy==2.4.6") == "numpy==2.4.6"

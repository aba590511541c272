"""A model folder is loaded only when every byte of it is what was saved, and nothing in it can run."""

import io
import json
import os
import shutil
import subprocess
import sys
import textwrap
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tellapart.classifier.decision import Thresholds
from tellapart.engine.builder import GraphBuilder
from tellapart.errors import ArtifactError
from tellapart.evaluation.wishes import guarantee_of
from tellapart.formats.plain_jpeg import is_plain_jpeg
from tellapart.metrics.conformal import Guarantee, guarantee
from tellapart.model.artifact import (
    EVALUATION,
    FORMAT,
    MANIFEST,
    MODEL,
    TRAINED_ON,
    load_artifact,
    parse_manifest,
    refuse_unsafe,
    seal,
    sha256,
    to_json,
)
from tellapart.model.prediction import load

OLD = Path(__file__).parents[1] / "artifacts"
PX = 16
NAMES = ["blue", "green", "red"]
OWN = {
    "label": 2, "class_name": "red", "probability": 0.1, "recall": 0.9, "kept": 0.91, "low": 0.8, "high": 0.99, "n": 30,
    "n_scenes": 30,
}  # fmt: skip
HOSTILE_THRESHOLDS = (
    *({"never_miss": [OWN | more]} for more in (
        {"label": 3}, {"label": -1}, {"label": True}, {"label": "2"}, {"label": 1}, {"class_name": "rad"},
        {"probability": "0.1"}, {"probability": 1.1}, {"probability": None}, {"recall": -1}, {"n": -1}, {"more": 1},
    )),
    {"never_miss": OWN}, {"never_miss": [OWN, OWN]}, {"never_miss": [None]}, {"never_miss": 1},
    {"answer": 2}, {"answer": "0.9"}, {"answer": None}, {"n_torn": "1"},
    {"n_scenes": 0}, {"n_scenes": "3"}, {"n_scenes": True}, {"n_scenes": 10**9}, {"n_scenes": None}, {"n_scenes": 2.5},
)  # fmt: skip


def photo(**options):
    """A JPEG as an example photo is, but for what `options` add."""
    buffer = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").resize((300, 200)).save(buffer, "JPEG", **options)
    return buffer.getvalue()


PAGE = b"<!doctype html><script>alert(1)</script>"
PHOTO = photo()


def tiny_graph(n_classes=3):
    """A classifier by mean colour, with all outputs that ours have."""
    rng = np.random.default_rng(0)
    weight = np.array([[-4, -4, 8], [-4, 8, -4], [8, -4, -4]], np.float32)
    if n_classes != 3:
        weight = rng.standard_normal((n_classes, 3)).astype(np.float32)
    g = GraphBuilder()
    g.constant("range", np.float32(255))
    g.constant("weight", weight)
    g.constant("bias", np.zeros(n_classes, np.float32))
    g.constant("one", np.float32(1))
    g.add("Cast", ["pixels"], ["as_float"], to=onnx.TensorProto.FLOAT)
    g.add("Div", ["as_float", "range"], ["scaled"])
    g.add("Transpose", ["scaled"], ["feature_map"], perm=[0, 3, 1, 2])
    g.add("GlobalAveragePool", ["feature_map"], ["pooled"])
    g.add("Flatten", ["pooled"], ["features"], axis=1)
    g.add("Gemm", ["features", "weight", "bias"], ["logits"], transB=1)
    g.add("Softmax", ["logits"], ["probs"], axis=1)
    g.constant("last", np.array([1], np.int64))
    g.add("ReduceMax", ["features", "last"], ["brightest"], keepdims=0)
    g.add("Sub", ["one", "brightest"], ["unknown_score"])
    shapes = {"probs": ["N", n_classes], "logits": ["N", n_classes], "unknown_score": ["N"], "features": ["N", 3]}
    return g.finish("tiny", PX, shapes | {"feature_map": ["N", 3, PX, PX]})


def manifest(**changes):
    return {
        "name": "colours",
        "class_names": NAMES,
        "preprocess": {"input_px": PX, "fit": "crop", "resize": "antialiased bilinear", "key": "crop-bilinear-1@16"},
        "thresholds": {"unknown_score": 0.9, "confidence": 0.4, "n": 100},
        "temperature": 1.0,
        "model": {"quality": "tiny", "backbone": "mean colour", "input_px": PX, "precision": "f32", "tellapart": "0"},
        "data": {"n_train": 100, "n_test": 20, "fingerprint": "0"},
    } | changes


def contents(graph=None):
    return {
        MODEL: (graph or tiny_graph()).SerializeToString(),
        TRAINED_ON: b"00112233445566778899aabbccddeeff\n",
        EVALUATION: to_json({"headline": "18 of 20 test photos right."}),
        "README.md": b"# colours\n",
        "examples/1-red.jpg": PHOTO,
    }


def write(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def tiny(tmp_path):
    """A small, whole model folder."""
    return write(tmp_path / "colours", seal(manifest(), contents()))


def resealed(folder, **changes):
    """The manifest of `folder` with changes, its hashes made to fit."""
    value = json.loads((folder / MANIFEST).read_bytes()) | changes
    (folder / MANIFEST).write_text(json.dumps(value))
    return folder


def refused(folder, message=None):
    with pytest.raises(ArtifactError) as caught:
        load_artifact(folder)
    if message is not None:
        assert caught.value.message == message
    return caught.value


def test_a_sealed_folder_is_what_was_saved(tiny):
    artifact = load_artifact(tiny)
    assert artifact.class_names == tuple(NAMES)
    assert artifact.preprocess.key == "crop-bilinear-1@16"
    assert artifact.thresholds.n == 100
    assert artifact.trained_on == {"00112233445566778899aabbccddeeff"}
    assert artifact.model == (tiny / MODEL).read_bytes()
    red = np.zeros((20, 30, 3), np.uint8)
    red[..., 0] = 250
    assert load(tiny).predict(red).answer == "red"


def test_a_trained_model_loads(model):
    artifact = load_artifact(model)
    assert set(artifact.manifest["files"]) == {
        str(path.relative_to(model)) for path in model.rglob("*") if path.is_file()
    } - {MANIFEST, "README.md"}


@pytest.mark.parametrize("folder", sorted(p for p in OLD.iterdir() if p.is_dir()), ids=lambda p: p.name)
def test_old_artifacts_keep_answering(folder):
    """Folders of every format there has been; never rewritten. The recorded answers lie beside them."""
    recorded = json.loads((OLD / f"{folder.name}.json").read_text())
    predictor = load(folder)
    assert recorded
    for colour, expected in recorded.items():
        image = np.full((40, 60, 3), json.loads(colour), np.uint8)
        got = predictor.predict(image)
        assert got.answer == expected["answer"]
        assert got.ood_score == pytest.approx(expected["unknown_score"], abs=1e-5)
        assert dict(got.probs) == pytest.approx(expected["probs"], abs=1e-5)
    assert (folder / MODEL).stat().st_size < 300_000


def test_the_format_has_an_old_artifact():
    assert (OLD / f"format-{FORMAT}").is_dir()


@pytest.mark.parametrize("name", [MODEL, TRAINED_ON, EVALUATION, "examples/1-red.jpg"])
@pytest.mark.parametrize("where", [0.0, 0.5, 0.999])
def test_a_flipped_bit_in_any_listed_file_is_refused(tiny, name, where):
    data = bytearray((tiny / name).read_bytes())
    data[int(where * len(data))] ^= 1
    (tiny / name).write_bytes(data)
    refused(tiny, f"'{name}' is not the file that this model was saved with.")


def test_every_file_of_a_trained_model_is_guarded(model, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(model, copy)
    for name in json.loads((copy / MANIFEST).read_bytes())["files"]:
        data = (copy / name).read_bytes()
        (copy / name).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        refused(copy, f"'{name}' is not the file that this model was saved with.")
        (copy / name).write_bytes(data)
    load_artifact(copy)


def test_the_model_card_is_there_to_be_edited(tiny):
    (tiny / "README.md").write_text("# My colours\n")
    assert load(tiny).predict(np.full((9, 9, 3), (0, 0, 255), np.uint8)).answer == "blue"
    (tiny / "README.md").unlink()
    load_artifact(tiny)


@pytest.mark.parametrize("name", [MODEL, TRAINED_ON, EVALUATION])
def test_a_missing_file_is_named(tiny, name):
    (tiny / name).unlink()
    refused(tiny, f"The model folder has no file '{name}'.")


def test_a_folder_that_is_not_there(tmp_path):
    error = refused(tmp_path / "nothing", f"There is no model folder '{tmp_path / 'nothing'}'.")
    assert error.hint == "Train one with: tellapart train PHOTOS -o MODEL"
    (tmp_path / "file").write_bytes(b"")
    refused(tmp_path / "file")
    refused(tmp_path, f"'{tmp_path}' is not a model folder.")


def test_the_folder_one_stands_in(tiny, monkeypatch):
    monkeypatch.chdir(tiny)
    assert load_artifact(Path()).class_names == tuple(NAMES)
    monkeypatch.chdir(tiny / "examples")
    assert load_artifact(Path("..")).class_names == tuple(NAMES)


def test_a_newer_format_says_so(tiny):
    error = refused(
        resealed(tiny, format=FORMAT + 1),
        f"This model was written by a newer tellapart (format {FORMAT + 1}; this one reads up to {FORMAT}).",
    )
    assert error.hint == "Upgrade with: pip install --upgrade tellapart"


NOT_MANIFESTS = {
    "nothing": b"",
    "not JSON": b"hello",
    "not UTF-8": b"\xff\xfe\x00",
    "a list": b"[1]",
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "deep dict": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "nine deep": to_json(manifest(extra=[[[[[[[[[1]]]]]]]]])),
    "NaN": b'{"format": 1, "x": NaN}',
    "infinity": b'{"format": 1, "x": -Infinity}',
    "long number": b'{"format": ' + b"9" * 5000 + b"}",
    "cut": to_json(manifest())[:-20],
}


@pytest.mark.parametrize("kind", NOT_MANIFESTS)
def test_what_is_no_manifest_is_refused(tiny, kind):
    (tiny / MANIFEST).write_bytes(NOT_MANIFESTS[kind])
    refused(tiny)


def test_a_huge_manifest_is_not_read(tiny):
    with (tiny / MANIFEST).open("ab") as file:
        file.truncate(1_000_001)
    refused(tiny, "'manifest.json' is larger than a model of ours can be.")


@pytest.mark.parametrize(
    "changes",
    [
        {"class_names": []},
        {"class_names": ["a", 2, "c"]},
        {"class_names": "abc"},
        {"class_names": ["red", "green"]},
        {"class_names": [*NAMES, "white"]},
        {"class_names": ["red", "red", "blue"]},
        {"preprocess": None},
        {"preprocess": {"input_px": 7, "fit": "crop"}},
        {"preprocess": {"input_px": 10**9, "fit": "crop"}},
        {"preprocess": {"input_px": "16", "fit": "crop"}},
        {"preprocess": {"input_px": 16, "fit": "__import__"}},
        {"thresholds": {}},
        {"thresholds": {"unknown_score": "0.5", "confidence": None, "n": 0}},
        {"thresholds": {"unknown_score": None, "confidence": None, "n": 0, "x": 1}},
        {"thresholds": {"unknown_score": 0.5, "confidence": None, "n": 6, "early": 1}},
        {"thresholds": {"unknown_score": 0.5, "confidence": None, "n": 6, "early": False}},
        {"thresholds": {"unknown_score": None, "confidence": None, "n": None}},
        *({"thresholds": {"unknown_score": None, "confidence": None, "n": 9} | more} for more in HOSTILE_THRESHOLDS),
        *({"known_as": known} for known in (["red"], {"rad": "red"}, {"red": 1}, {"red": "blue"}, None)),
        {"files": {}},
        {"files": []},
        {"files": {MODEL: 1, TRAINED_ON: 2}},
        {"format": "1"},
        {"format": 0},
        {"format": None},
        {"name": 3},
        {"name": None},
        {"model": None},
        {"model": {}},
        {"data": {}},
    ],
    ids=str,
)
def test_a_manifest_that_the_code_cannot_rely_on_is_refused(tiny, changes):
    refused(resealed(tiny, **changes))


STEERS = ["\x1b]0;title\x07red", "\x9b31mred", "red\nblue", "\x7f", "\x00", "\u2028", "\u202egnp.exe",
          "\u2066x", "\u200e", "\u200f", "\u061c", "\u206f", "\ud800"]  # fmt: skip


@pytest.mark.parametrize("text", STEERS, ids=ascii)
@pytest.mark.parametrize(
    "where",
    [
        lambda text: {"class_names": ["blue", text, "red"]},
        lambda text: {"name": text},
        lambda text: {"model": {"quality": text, "backbone": "mean colour", "tellapart": "0"}},
        lambda text: {"model": {"quality": "tiny", "backbone": text, "tellapart": "0"}},
        lambda text: {"recipe": {"kind": text}},
        lambda text: {"backbone": {"networks": [{"source": text}]}},
        lambda text: {text: 1},
    ],
)
def test_a_name_that_steers_a_terminal_is_refused(tiny, text, where):
    message = refused(resealed(tiny, **where(text))).message
    assert message.startswith("The model has a name that cannot be shown as text: ")
    assert message.isprintable()


@pytest.mark.parametrize(
    "where", [lambda t: {"class_names": ["blue", t, "red"]}, lambda t: {"name": t}], ids=["class", "model"]
)
def test_a_name_too_long_to_be_one_is_refused(tiny, where):
    load_artifact(resealed(tiny, **where("é" * 200)))
    message = refused(resealed(tiny, **where("é" * 501))).message
    assert message.startswith("The model has a name of 501 letters: ")


@pytest.mark.parametrize(
    "name", ["แบน\u200bโจ", "نمی\u200cخواهم", "क्\u200dष", "👩\u200d🚀", "🏴\U000e0067\U000e0062", "שלום", "a b"]
)
def test_words_of_every_script_are_names(tiny, name):
    assert name in load_artifact(resealed(tiny, class_names=["blue", name, "red"])).class_names


NOT_OURS = ["examples/x.html", "examples/1-x.svg", "examples/1-x.jpg.html", "examples/x-1.jpg", "examples/1-X.jpg",
            "page.html", "examples/1-\x1b.jpg", "examples/1-.jpg", "examples/1-a b.jpg", "app.js", "README.md",
            "manifest.json", "examples/1-red.jpg\n", "examples/\u0663-red.jpg", ".htaccess", "_headers"]  # fmt: skip


@pytest.mark.parametrize("name", NOT_OURS, ids=ascii)
def test_a_file_that_no_model_has_is_refused(tiny, name):
    content = PHOTO if name.startswith("examples") else b"<script>alert(1)</script>"
    files = json.loads((tiny / MANIFEST).read_bytes())["files"] | {name: sha256(content)}
    if name != MANIFEST:
        (tiny / name).write_bytes(content)
    message = refused(resealed(tiny, files=files)).message
    assert message.startswith("The model names a file that no model of ours has: ")
    assert message.isprintable()


NOT_PHOTOS = {
    "page": PAGE,
    "drawing": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "PNG": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "start alone": b"\xff\xd8\xff",
    "nothing between": b"\xff\xd8\xff\xd9",
    "page behind": PHOTO + PAGE,
    "page before": PAGE + PHOTO,
    "page in a comment": photo(comment=PAGE),
    "page in EXIF": photo(exif=b"Exif\0\0" + PAGE),
    "page in a profile": photo(icc_profile=PAGE),
    "page in JFIF": PHOTO.replace(b"\xff\xe0\x00\x10JFIF\0", b"\xff\xe0\x00\x38JFIF\0" + PAGE, 1),
    "cut": PHOTO[:-20],
    "two of them": PHOTO + PHOTO,
    "large": PHOTO.replace(b"\x00\xc8\x01\x2c", b"\xff\xff\xff\xff", 1),
    "zeros": bytes(50),
}


@pytest.mark.parametrize("kind", NOT_PHOTOS)
def test_an_example_that_is_no_photo_of_ours_is_refused(tiny, kind):
    assert list(load_artifact(tiny).examples) == ["examples/1-red.jpg"]
    write(tiny, seal(manifest(), {**contents(), "examples/1-red.jpg": NOT_PHOTOS[kind]}))
    refused(tiny, "'examples/1-red.jpg' is not a photo as ours are.")


def test_a_progressive_photo_is_one():
    assert is_plain_jpeg(photo(progressive=True))
    assert is_plain_jpeg(photo(restart_marker_blocks=2))


def test_words_in_the_place_of_a_photo_are_left_out(tiny):
    """As in the oldest folder; they go nowhere."""
    write(tiny, seal(manifest(), {**contents(), "examples/1-red.jpg": b"not looked at"}))
    assert not load_artifact(tiny).examples


def test_a_model_says_that_it_is_early(tiny):
    """Models of before have no such key, and are not."""
    assert load_artifact(tiny).early == ""
    resealed(tiny, thresholds={"unknown_score": 0.5, "confidence": None, "n": 6, "early": True})
    artifact = load_artifact(tiny)
    assert artifact.thresholds == Thresholds(0.5, None, 6, early=True)
    assert "how many photos of its own classes it will wrongly refuse is not promised" in artifact.early


def test_an_infinite_threshold_is_refused(tiny):
    text = (tiny / MANIFEST).read_text().replace('"unknown_score": 0.9', '"unknown_score": 1e999')
    assert "1e999" in text
    (tiny / MANIFEST).write_text(text)
    refused(tiny, "The model's manifest is incomplete.")


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    ),
    st.sampled_from([*manifest(), "files", "format"]),
)
def test_no_value_anywhere_in_a_manifest_is_more_than_refused(value, key):
    sealed = json.loads(seal(manifest(), contents())[MANIFEST])
    sealed[key] = value
    with suppress(ArtifactError):
        parse_manifest(json.dumps(sealed).encode())


OUTSIDE = ["../secret", "/etc/passwd", "examples/../../secret", "a/b/c", "other/file", "..", "examples/..", "C:/x/y"]


@pytest.mark.parametrize("name", [*OUTSIDE, "", ".", "examples", "a\0b", "a" * 300, "\ud800", "..\\secret"])
def test_a_name_that_leads_elsewhere_is_refused(tiny, name):
    (tiny.parent / "secret").write_bytes(b"secret")
    (tiny / "other").mkdir()
    (tiny / "other" / "file").write_bytes(b"secret")
    files = json.loads((tiny / MANIFEST).read_bytes())["files"]
    error = refused(resealed(tiny, files={**files, name: "0" * 64}))
    if name in OUTSIDE:
        assert "outside its folder" in error.message


def test_a_linked_model_folder_is_a_persons_own_choice(tiny):
    (tiny.parent / "latest").symlink_to(tiny)
    assert load_artifact(tiny.parent / "latest").class_names == tuple(NAMES)


def test_a_pipe_is_not_waited_for(tiny):
    (tiny / MODEL).unlink()
    os.mkfifo(tiny / MODEL)
    refused(tiny, "The model folder has no file 'model.onnx'.")


def with_graph(folder, graph):
    """The folder with another graph, properly sealed: only the walk can refuse it."""
    data = graph if isinstance(graph, bytes) else graph.SerializeToString()
    return write(folder, seal(manifest(), {**contents(), MODEL: data}))


def external(tensor):
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def hostile_graphs():
    def changed(change):
        graph = tiny_graph()
        change(graph)
        return graph

    def operation(name, domain=""):
        def change(graph):
            graph.graph.node[0].op_type, graph.graph.node[0].domain = name, domain

        return change

    def subgraph(graph):
        attribute = graph.graph.node[0].attribute.add(name="body", type=onnx.AttributeProto.GRAPH)
        attribute.g.node.add(op_type="Loop")

    def disguised_subgraph(graph):
        attribute = graph.graph.node[0].attribute.add(name="body", type=onnx.AttributeProto.INT)
        attribute.g.node.add(op_type="Loop")

    def function(graph):
        function = graph.functions.add(name="Softmax", domain="")
        function.node.add(op_type="Loop")

    def in_attribute(graph):
        attribute = graph.graph.node[0].attribute.add(name="value", type=onnx.AttributeProto.TENSOR)
        external(attribute.t)

    def in_sparse_attribute(graph):
        attribute = graph.graph.node[0].attribute.add(name="sparse_value", type=onnx.AttributeProto.SPARSE_TENSOR)
        external(attribute.sparse_tensor.values)

    return {
        "external weight": changed(lambda g: external(g.graph.initializer[1])),
        "external, location alone": changed(
            lambda g: g.graph.initializer[1].external_data.add(key="location", value="x")
        ),
        "external in an attribute": changed(in_attribute),
        "external in a sparse attribute": changed(in_sparse_attribute),
        "external in a sparse weight": changed(lambda g: external(g.graph.sparse_initializer.add().indices)),
        "loop": changed(operation("Loop")),
        "custom domain": changed(operation("Softmax", "com.example")),
        "subgraph": changed(subgraph),
        "subgraph that says it is a number": changed(disguised_subgraph),
        "function": changed(function),
        "training": changed(lambda g: g.training_info.add()),
        "two inputs": changed(lambda g: g.graph.input.append(g.graph.input[0])),
        "other input": changed(lambda g: setattr(g.graph.input[0], "name", "path")),
        "no nodes": changed(lambda g: g.graph.ClearField("node")),
        "fewer classes": tiny_graph(2),
        "more classes": tiny_graph(4),
        "no probabilities": changed(lambda g: setattr(g.graph.output[0], "name", "answers")),
        "nothing": b"",
        "not ONNX": b"\x80\x04\x95 pickle",
        "cut": tiny_graph().SerializeToString()[:-30],
    }


@pytest.mark.parametrize("kind", hostile_graphs())
def test_a_graph_that_could_do_harm_is_refused(tmp_path, kind):
    refused(with_graph(tmp_path / "model", hostile_graphs()[kind]))


def test_only_the_walk_refused_them(tmp_path):
    load_artifact(with_graph(tmp_path / "model", tiny_graph()))
    refuse_unsafe(tiny_graph().SerializeToString())


def test_no_hostile_model_file_is_loaded_or_unpickled(shared_data, tmp_path):
    """In a child process that notes every unpickling, child process and connection."""
    hostile = sorted((shared_data / "hostile" / "models").iterdir())
    assert len(hostile) >= 10
    for path in hostile:
        data = path.read_bytes()
        with_graph(tmp_path / f"model-{path.name}", data)  # properly sealed
        write(tmp_path / f"listed-{path.name}", seal(manifest(), {**contents(), path.name: data}))
        write(tmp_path / f"manifest-{path.name}", {**seal(manifest(), contents()), MANIFEST: data})
        (tmp_path / f"listed-{path.name}" / MODEL).write_bytes(data)
    code = """
        import sys
        from pathlib import Path
        from tellapart.model.artifact import load_artifact
        from tellapart.errors import ArtifactError
        from tellapart.model.prediction import load
        events = []
        forbidden = ("pickle.find_class", "os.system", "os.exec", "subprocess.Popen", "socket.connect")
        sys.addaudithook(lambda event, args: events.append(event) if event in forbidden else None)
        for folder in sorted(Path(sys.argv[1]).iterdir()):
            for loader in (load_artifact, load):
                try:
                    loader(folder)
                    print("loaded", folder.name)
                except ArtifactError as error:
                    assert "/etc/passwd" not in error.message
        print("events", events)
    """
    before = set(os.listdir(tmp_path.parent))
    child = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code), str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=tmp_path.parent,
        check=False,
    )
    assert child.stderr == ""
    assert child.stdout == "events []\n"
    assert set(os.listdir(tmp_path.parent)) == before


@pytest.mark.parametrize("content", [{"x": float("nan")}, {"x": [float("inf")]}])
def test_nan_is_never_written(content):
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json(content)


def test_the_same_content_is_sealed_to_the_same_bytes():
    files = contents()
    assert seal(manifest(), files) == seal(manifest(), dict(reversed(files.items())))


def test_images_of_many_kinds_through_the_tiny_model(tiny, tmp_path):
    """Whatever a person gives, the folder alone answers."""
    Image.new("RGB", (300, 200), (10, 240, 10)).save(tmp_path / "g.png")
    assert load(tiny).predict(tmp_path / "g.png").answer == "green"
    assert load(tiny).predict(np.zeros((5, 5, 3), np.uint8)).answer == "none of these"
    assert load(tiny).predict(np.full((5, 5, 3), 200, np.uint8)).answer == "not sure"


def test_thresholds_of_a_class_not_to_be_missed_are_read(tiny):
    thresholds = {"unknown_score": None, "confidence": None, "n": 9, "answer": 0.9, "never_miss": [OWN], "n_torn": 1}
    read = load_artifact(resealed(tiny, thresholds=thresholds)).thresholds
    assert read.to_json() == thresholds
    assert (read.never_miss[0].label, read.never_miss[0].prob) == (2, 0.1)


def test_scenes_that_thresholds_and_their_promise_count_are_read(tiny):
    promised = guarantee(261, 0.04, 0.01, n_scenes=108)
    thresholds = {"unknown_score": 0.5, "confidence": 0.2, "n": 261, "n_scenes": 108}
    read = load_artifact(resealed(tiny, thresholds=thresholds, promise=promised.to_json()))
    assert read.thresholds.to_json() == thresholds
    assert Guarantee(**read.manifest["promise"]) == promised == guarantee_of(read.thresholds)
    for wrong in (0, 261, "108", None):
        with pytest.raises(ArtifactError):
            load_artifact(resealed(tiny, promise=promised.to_json() | {"n_scenes": wrong}))

"""Model folders as caches, clusters and git lay them out: links are followed, and what only points is named."""

import json
import os
import shutil

import numpy as np
import pytest

from tellapart.errors import ArtifactError
from tellapart.model.artifact import CARD, MANIFEST, load_artifact
from tellapart.model.folder_files import read_card
from tellapart.model.prediction import load
from tellapart.recipe import Wishes
from tellapart.workflow.threshold import threshold

OBJECT = b"4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + OBJECT + b"\nsize 12345\n"
ANNEX = b"/annex/objects/SHA256E-s12345--" + OBJECT + b".onnx\n"
LFS_SAYS = ("is a Git-LFS pointer, not the file itself.", "Run `git lfs pull` in that folder.")
PIXELS = np.full((40, 40, 3), 90, np.uint8)


@pytest.fixture
def folder(model, tmp_path):
    """A trained model's folder, to be laid out anew."""
    return shutil.copytree(model, tmp_path / "model")


def files_of(folder):
    return [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]


def hugging_face(folder, place):
    """models--name/snapshots/revision with a link for each file, relative, into models--name/blobs."""
    snapshot, blobs = place / "models--me--hats" / "snapshots" / "0a1b2c", place / "models--me--hats" / "blobs"
    blobs.mkdir(parents=True)
    for i, name in enumerate(files_of(folder)):
        shutil.copy(folder / name, blobs / f"{i:040x}")
        (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
        up = "/".join([".."] * (2 + len(name.parent.parts)))
        (snapshot / name).symlink_to(f"{up}/blobs/{i:040x}")
    return snapshot


def kubernetes(folder, place):
    """A volume: ..data is a link to a folder of a date, and each name at the top, folders too, one into ..data."""
    mount = place / "mount"
    shutil.copytree(folder, mount / "..2026_11_29_10_00_00.1234567")
    (mount / "..data").symlink_to("..2026_11_29_10_00_00.1234567")
    for name in sorted({name.parts[0] for name in files_of(folder)}):
        (mount / name).symlink_to(f"..data/{name}")
    return mount


def dvc(folder, place):
    """Each file an absolute link into a cache of hashes."""
    work, cache = place / "work", place / "cache" / "files" / "md5"
    for i, name in enumerate(files_of(folder)):
        kept = cache / f"{i:02x}" / f"{i:030x}"
        kept.parent.mkdir(parents=True)
        shutil.copy(folder / name, kept)
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).symlink_to(kept)
    return work


def link_of_links(folder, place):
    """The folder itself a link, to one whose files are links to links."""
    first = dvc(folder, place)
    second = place / "second"
    for name in files_of(first):
        (second / name).parent.mkdir(parents=True, exist_ok=True)
        (second / name).symlink_to(first / name)
    (place / "latest").symlink_to(second)
    return place / "latest"


@pytest.mark.parametrize("layout", [hugging_face, kubernetes, dvc, link_of_links])
def test_a_folder_of_links_is_the_folder(folder, tmp_path, layout):
    linked = layout(folder, tmp_path / "place")
    whole = load_artifact(folder)
    artifact = load_artifact(linked)
    assert artifact.files == whole.files
    assert artifact.examples
    assert load(linked).predict(PIXELS).to_json() == load(folder).predict(PIXELS).to_json()


@pytest.mark.parametrize("layout", [pytest.param(hugging_face, marks=pytest.mark.thorough), dvc])
def test_other_thresholds_for_a_folder_of_links(folder, tmp_path, layout):
    """All of it is read, the card and the report too, and what is written holds files."""
    linked = layout(folder, tmp_path / "place")
    for source, target in ((folder, tmp_path / "a"), (linked, tmp_path / "b")):
        threshold(source, Wishes(answer=0.9), output=target)
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b") == files_of(folder)
    for name in files_of(folder):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        assert not (tmp_path / "b" / name).is_symlink()


@pytest.mark.parametrize("name", ["model.onnx", "trained_on.txt", "examples"])
def test_a_link_to_something_else_is_not_believed(folder, tmp_path, name):
    other = tmp_path / "other"
    shutil.move(folder / name, other)
    if other.is_dir():
        for photo in other.iterdir():
            photo.write_bytes(photo.read_bytes()[:-1])
    else:
        other.write_bytes(other.read_bytes()[:-1] + b"!")
    (folder / name).symlink_to(other)
    with pytest.raises(ArtifactError, match="is not the file that this model was saved with"):
        load_artifact(folder)


@pytest.mark.parametrize("name", [MANIFEST, "model.onnx", "evaluation.json"])
@pytest.mark.parametrize("target", ["nowhere", "/nowhere/at/all", None])
def test_a_link_that_leads_nowhere_is_named(folder, name, target):
    """As in a cache that was cleaned; a link to itself leads nowhere too."""
    (folder / name).unlink()
    (folder / name).symlink_to(target or name)
    with pytest.raises(ArtifactError) as caught:
        load_artifact(folder)
    assert caught.value.message == f'"{name}" in the model folder is a link that leads nowhere.'
    assert "cp -rL" in caught.value.hint


def test_a_linked_folder_of_examples_that_is_gone(folder):
    shutil.rmtree(folder / "examples")
    (folder / "examples").symlink_to("..data/examples")
    with pytest.raises(ArtifactError) as caught:
        load_artifact(folder)
    assert caught.value.message == '"examples" in the model folder is a link that leads nowhere.'


def test_a_model_folder_that_is_a_link_to_nowhere(tmp_path):
    (tmp_path / "latest").symlink_to("gone")
    with pytest.raises(ArtifactError, match="latest' is a link that leads nowhere"):
        load_artifact(tmp_path / "latest")


def test_a_folder_that_dvc_has_not_brought_yet(tmp_path):
    (tmp_path / "hats.dvc").write_text("outs:\n- md5: 0.dir\n  path: hats\n")
    with pytest.raises(ArtifactError) as caught:
        load_artifact(tmp_path / "hats")
    assert caught.value.hint == "Run `dvc pull hats.dvc` beside it."


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/stdin", "/proc/self/mem", "/"])
def test_a_link_to_what_is_no_file(folder, device):
    (folder / "model.onnx").unlink()
    (folder / "model.onnx").symlink_to(device)
    with pytest.raises(ArtifactError):
        load_artifact(folder)


@pytest.mark.parametrize("name", [MANIFEST, "model.onnx", "trained_on.txt", "evaluation.json", "examples/1-"])
@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        (LFS, *LFS_SAYS),
        (LFS.replace(b"\n", b"\r\n"), *LFS_SAYS),
        (ANNEX, "is a pointer of git-annex, not the file itself.", "Run `git annex get` in that folder."),
        (b"../../blobs/4d7a21", "holds the path of another file, as a link does that was copied as a text.",
         "Copy the folder again from where it is whole, with what its links lead to."),
    ],
)  # fmt: skip
def test_a_pointer_in_a_file_s_place_is_named(folder, name, content, message, hint):
    path = next(path for path in sorted(folder.rglob("*")) if str(path.relative_to(folder)).startswith(name))
    path.write_bytes(content)
    with pytest.raises(ArtifactError) as caught:
        load_artifact(folder)
    assert caught.value.message == f"'{path.relative_to(folder)}' {message}"
    assert caught.value.hint == hint


def test_line_ends_of_windows_change_nothing(folder):
    """git with core.autocrlf gives every text file of a checkout "\\r\\n"; the graph and the photos it leaves alone."""
    whole = load_artifact(folder)
    for path in folder.iterdir():
        if path.suffix in (".txt", ".json", ".html", ".md"):
            assert b"\r" not in path.read_bytes()
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    artifact = load_artifact(folder)
    assert artifact.files == whole.files
    assert artifact.trained_on == whole.trained_on
    assert artifact.evaluation == whole.evaluation


@pytest.mark.parametrize("name", ["trained_on.txt", "evaluation.json"])
def test_but_any_other_change_of_a_text_does(folder, name):
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data.replace(b"1", b"2", 1).replace(b"\n", b"\r\n"))
    with pytest.raises(ArtifactError, match="is not the file that this model was saved with"):
        load_artifact(folder)


def test_nor_are_line_ends_of_a_graph(folder):
    data = (folder / "model.onnx").read_bytes()
    at = data.index(b"\n")
    (folder / "model.onnx").write_bytes(data[:at] + b"\r" + data[at:])
    with pytest.raises(ArtifactError, match=r"'model.onnx' is not the file"):
        load_artifact(folder)


def test_a_card_that_links_to_a_private_file_is_not_copied(folder, tmp_path):
    (tmp_path / "private").write_text("secret\n- tellapart\n")
    (folder / CARD).unlink()
    (folder / CARD).symlink_to(tmp_path / "private")
    assert read_card(folder, CARD) is None
    (folder / CARD).unlink()
    assert read_card(folder, CARD) is None
    (folder / CARD).write_text("what its owner wrote")
    assert read_card(folder, CARD) == b"what its owner wrote"


def test_no_file_is_larger_because_it_is_a_link(folder, tmp_path):
    large = tmp_path / "large"
    with large.open("wb") as file:
        os.truncate(file.fileno(), 2_000_000)
    files = json.loads((folder / MANIFEST).read_bytes())["files"]
    example = next(name for name in files if name.startswith("examples/"))
    (folder / example).unlink()
    (folder / example).symlink_to(large)
    with pytest.raises(ArtifactError, match="is larger than a model of ours can be"):
        load_artifact(folder)

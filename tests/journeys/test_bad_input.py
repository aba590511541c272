"""What a person may get wrong: one sentence, a hint, exit code 2; nothing lost, nothing overwritten."""

import json
import os
import shutil
from pathlib import Path

import pytest

BROKEN_MODELS = ("manifest_nan.json", "pickle_rce.pkl")


@pytest.fixture
def folder(photos: Path, tmp_path: Path) -> Path:
    """A training folder of one's own: three classes of four photos."""
    for name in sorted(os.listdir(photos)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for photo in sorted((photos / name).iterdir())[:4]:
            shutil.copy(photo, tmp_path / "photos" / name)
    return tmp_path / "photos"


def refused(tellapart, source, tmp_path, *says):
    before = sorted(p.name for p in tmp_path.iterdir())
    tellapart.refuses("train", source, "-o", tmp_path / "model", "--quality", "fast", says=says)
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_no_such_folder(tellapart, folder, tmp_path):
    refused(tellapart, tmp_path / "fotos", tmp_path, "There is no", "Did you mean", "photos")
    for command in ("check", "train"):
        tellapart.refuses(command, "nowhere", *(["-o", "model"] if command == "train" else []), cwd=tmp_path)


def test_one_class(tellapart, folder, tmp_path):
    shutil.rmtree(folder / "drum")
    shutil.rmtree(folder / "banjo")
    refused(tellapart, folder, tmp_path, "only one class", '"accordion"')
    found = tellapart.json("check", folder, "--quality", "fast")
    assert "only one class" in found["findings"][0]["sentence"]


def test_an_empty_class(tellapart, folder, tmp_path):
    (folder / "flute").mkdir()
    refused(tellapart, folder, tmp_path, '"flute"', "no photos")


def test_a_class_of_one_photo(tellapart, folder, tmp_path):
    for photo in sorted((folder / "drum").iterdir())[1:]:
        photo.unlink()
    refused(tellapart, folder, tmp_path, '"drum"', "fewer than 2 photos")


def test_a_class_of_one_readable_photo(tellapart, folder, tmp_path):
    for photo in sorted((folder / "drum").iterdir())[1:]:
        photo.write_bytes(photo.read_bytes()[:200])
    refused(tellapart, folder, tmp_path, '"drum"', "fewer than 2")


def test_no_readable_photo(tellapart, folder, tmp_path):
    for photo in folder.rglob("*.jpg"):
        photo.write_bytes(b"\xff\xd8\xff\xe0" + b"?" * 400)
    refused(tellapart, folder, tmp_path, "12 photos of 12 cannot be read")
    tellapart.refuses("check", folder, "--quality", "fast", says=["cannot be read"])


def test_no_photo_at_all(tellapart, tmp_path):
    (tmp_path / "photos" / "drum").mkdir(parents=True)
    (tmp_path / "photos" / "drum" / "readme.txt").write_text("soon")
    refused(tellapart, tmp_path / "photos", tmp_path, "no photos")


def test_photos_without_class_folders(tellapart, folder, tmp_path):
    loose = tmp_path / "loose"
    loose.mkdir()
    for photo in (folder / "drum").iterdir():
        shutil.copy(photo, loose)
    refused(tellapart, loose, tmp_path, "no class folders")


def test_a_label_file_that_names_missing_photos(tellapart, folder, tmp_path):
    rows = [f"{p.relative_to(tmp_path)},{p.parent.name}" for p in sorted(folder.rglob("*.jpg"))]
    (tmp_path / "labels.csv").write_text("\n".join(["path,label", *rows, "photos/drum/lost.jpg,drum"]))
    refused(tellapart, tmp_path / "labels.csv", tmp_path, "lost.jpg")


def test_an_option_that_does_not_exist(tellapart, folder, tmp_path):
    done = tellapart("train", folder, "-o", tmp_path / "model", "--quality", "superb")
    assert done.returncode == 2
    assert "'fast', 'balanced', 'best'" in done.stderr


@pytest.mark.parametrize("place", ["{file}/model", "{file}/deep/model", "/proc/tellapart/model", "/proc/model"])
def test_an_output_that_cannot_be_written_is_refused_before_the_work(tellapart, folder, tmp_path, place):
    file = tmp_path / "file"
    file.write_text("mine")
    output = place.format(file=file)
    tellapart.refuses("train", folder, "-o", output, "--quality", "fast", says=["cannot be written"])
    assert file.read_text() == "mine"


@pytest.mark.parametrize("output", [".", "", "/", ".."])
def test_an_output_without_a_name(tellapart, folder, tmp_path, output):
    before = sorted(tmp_path.rglob("*"))
    tellapart.refuses("train", folder, "-o", output, "--force", cwd=tmp_path / "photos", says=["not a name"])
    assert sorted(tmp_path.rglob("*")) == before


def test_an_output_that_exists_needs_force(tellapart, folder, model, snapshot):
    before = snapshot(model)
    tellapart.refuses("train", folder, "-o", model, "--quality", "fast", says=["exists already", "--force"])
    assert snapshot(model) == before


def test_with_force_a_failing_run_keeps_the_old_model(tellapart, folder, model, snapshot):
    before = snapshot(model)
    shutil.rmtree(folder / "drum")
    shutil.rmtree(folder / "banjo")
    tellapart.refuses("train", folder, "-o", model, "--force")
    (folder / "drum").mkdir()
    for i in range(4):
        (folder / "drum" / f"{i}.jpg").write_bytes(b"\xff\xd8\xff broken")
    tellapart.refuses("train", folder, "-o", model, "--force", "--quality", "fast")
    assert snapshot(model) == before
    tellapart.works("info", model)


@pytest.mark.parametrize("content", ["photos", "a file", "manifest.json of another program", "a note in a model"])
def test_force_never_deletes_what_is_not_a_model(tellapart, folder, model, tmp_path, snapshot, content):
    target = tmp_path / "mine"
    if content == "photos":
        shutil.copytree(folder, target)
    elif content == "a file":
        target.write_text("mine")
    elif content == "a note in a model":
        target = model
        (model / "notes.txt").write_text("mine")
    else:
        target.mkdir()
        (target / "manifest.json").write_text("{}")
        (target / "index.html").write_text("mine")
    before = snapshot(tmp_path)
    tellapart.refuses("train", folder, "-o", target, "--quality", "fast", "--force", says=["not replaced"])
    assert snapshot(tmp_path) == before


def test_folders_that_are_no_model(tellapart, folder, tmp_path):
    photo = next(folder.rglob("*.jpg"))
    for command in (["info", folder], ["predict", folder, photo], ["evaluate", folder, folder]):
        tellapart.refuses(*command, says=["is not a model folder", "tellapart train"])
    tellapart.refuses("info", tmp_path / "nowhere", says=["There is no model folder"])
    tellapart.refuses("info", photo, says=["There is no model folder"])


def test_a_model_of_a_newer_format(tellapart, model, photos):
    manifest = json.loads((model / "manifest.json").read_text("utf-8"))
    (model / "manifest.json").write_text(json.dumps(manifest | {"format": 99}))
    for command in (["info", model], ["predict", model, photos / "drum" / "0005.jpg"], ["evaluate", model, photos]):
        tellapart.refuses(*command, says=["newer tellapart", "Upgrade"])


@pytest.mark.parametrize("name", ["model.onnx", "manifest.json", "trained_on.txt", "report.html"])
@pytest.mark.parametrize("harm", ["lost", "changed"])
def test_a_damaged_model(tellapart, model, photos, name, harm):
    file = model / name
    content = file.read_bytes()
    if harm == "lost":
        file.unlink()
    else:
        half = len(content) // 2
        file.write_bytes(content[:half] + b"\x00\xff" + content[half + 2 :])
    tellapart.refuses("predict", model, photos / "drum" / "0005.jpg")


def test_hostile_model_files_are_refused_and_run_nothing(tellapart, model, shared_data, photos, tmp_path):
    whole = {name: (model / name).read_bytes() for name in ("model.onnx", "manifest.json")}
    for hostile in sorted((shared_data / "hostile" / "models").iterdir()):
        for name, content in whole.items():
            (model / name).write_bytes(content)
        target = "manifest.json" if hostile.suffix == ".json" else "model.onnx"
        shutil.copy(hostile, model / target)
        if target == "model.onnx":  # an attacker also writes a manifest with the right hash
            import hashlib

            manifest = json.loads(whole["manifest.json"])
            manifest["files"]["model.onnx"] = hashlib.sha256(hostile.read_bytes()).hexdigest()
            (model / "manifest.json").write_text(json.dumps(manifest))
        tellapart.refuses("predict", model, photos / "drum" / "0005.jpg", cwd=tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [model.name]

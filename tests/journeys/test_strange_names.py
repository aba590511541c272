"""Names that would steer a terminal, through every command: none of their bytes arrives there."""

import json
import shutil
import zipfile

import pytest

from tellapart.model.artifact import EVALUATION, MANIFEST, sha256
from tellapart.text import shown

TITLE = "\x1b]0;title\x07"  # sets the terminal's title; OSC 52 would set its clipboard
NAMES = [TITLE, "\x9b31mred", "\u202egnp.exe", "\u2066x\u2069", "two\nlines", "back\x08\x08", "\x1b[31m", "\u2028"]


@pytest.fixture
def run(in_process):
    """Runs a command; whatever it says, nothing of it steers a terminal."""

    def one(*args, code=0, **options):
        done = in_process(*args, **options)
        assert done.returncode == code, done.stderr
        for text in (done.stdout, done.stderr):
            for line in text.split("\n"):
                assert shown(line) == line, line
        return done

    return one


@pytest.fixture
def strange(photos, tmp_path):
    """Photos with names that would steer a terminal, some of them broken."""
    folder = tmp_path / f"photos {TITLE}"
    for class_folder in photos.iterdir():
        (folder / class_folder.name).mkdir(parents=True)
        for i, path in enumerate(sorted(class_folder.iterdir())):
            shutil.copy(path, folder / class_folder.name / f"{NAMES[i % len(NAMES)]}{i}.jpg")
        for i, name in enumerate(NAMES):
            (folder / class_folder.name / f"{i}{name}.jpg").write_bytes(b"\xff\xd8\xff broken")
            (folder / class_folder.name / f"{name}.txt").write_bytes(b"no photo")
    return folder


@pytest.mark.thorough
def test_photos_and_folders_with_such_names(run, strange, tmp_path):
    model = tmp_path / f"model {TITLE}"
    run("train", strange, "-o", model, "--quality", "fast", "--test-share", 0.3)
    run("train", strange, "-o", model, "--quality", "fast", code=2)  # exists already
    run("info", model)
    run("check", strange, "--quality", "fast", "-o", tmp_path / f"page {TITLE}.html")
    run(
        "check", strange, "--quality", "fast", "--fix", code=2
    )  # its own folder has such a name, so nothing in it is moved
    few = tmp_path / f"few {TITLE}"
    for path in strange.rglob("*"):
        if path.name[0] in "01\x9b\u202e\u2066" and path.suffix == ".jpg":
            (few / path.parent.name).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, few / path.parent.name / path.name)
    run("predict", model, few, "--top", 3)
    run("predict", model, few, "--json")
    run("predict", model, few, "--csv", tmp_path / f"{TITLE}.csv")
    run("suggest", model, few)
    run("suggest", model, few, "--json")
    run("evaluate", model, few)
    run("compare", model, shutil.copytree(model, tmp_path / "second"), few)
    run("explain", model, next(p for p in (strange / "banjo").iterdir() if p.stat().st_size > 1000),
        "-o", tmp_path / f"page {TITLE}")  # fmt: skip
    run("export", model, "--to", "onnx", "-o", tmp_path / f"onnx {TITLE}", "--photos", few)


def test_what_is_not_there(run, trained, tmp_path):
    """Names that a shell put in for a star, a typing error, another's script."""
    run("check", f"hf:{TITLE}", code=2)
    for name in NAMES[:3]:
        run("predict", trained, tmp_path / name, code=2)
        run("predict", tmp_path / name, "x.jpg", code=2)
        run("info", tmp_path / name, code=2)
        run("train", tmp_path / name, "-o", "x", code=2)
        run("predict", trained, f"--{name}", code=2)
        run("train", "x", "-o", "y", "--quality", name, code=2)
        run(name, code=2)
        run("serve", trained, "--allow-origin", name, code=2)
        run("export", trained, "--to", name, "-o", "x", code=2)


@pytest.mark.parametrize("name", NAMES)
def test_a_class_with_such_a_name_is_refused_before_any_work(run, photos, tmp_path, name):
    """A model with it would not be loaded."""
    folder = tmp_path / "photos"
    shutil.copytree(photos / "banjo", folder / "banjo")
    shutil.copytree(photos / "drum", folder / f"drum{name}")
    done = run("train", folder, "-o", tmp_path / "model", code=2)
    assert "cannot be shown as text." in done.stderr
    rows = "".join(f"photos/banjo/{p.name},banjo\n" for p in (photos / "banjo").iterdir())
    (tmp_path / "labels.csv").write_text(f'path,label\n{rows}photos/none.jpg,"{name}"\n', encoding="utf-8")
    run("train", tmp_path / "labels.csv", "-o", tmp_path / "model", code=2)
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        for path in (photos / "banjo").iterdir():
            archive.write(path, f"banjo/{path.name}")
            archive.write(path, f"drum{name}/{name}{path.name}")
    run("train", tmp_path / "p.zip", "-o", tmp_path / "model", code=2)
    assert not (tmp_path / "model").exists()


def test_a_class_name_longer_than_any_line(run, photos, tmp_path):
    shutil.copytree(photos / "banjo", tmp_path / "photos" / "banjo")
    rows = [f"{path},banjo\n" for path in (photos / "banjo").iterdir()]
    table = tmp_path / "labels.csv"

    def write(label):
        table.write_text(
            "path,label\n" + "".join([*rows, *(f"{path},{label}\n" for path in (photos / "drum").iterdir())])
        )

    write("d" * 501)
    done = run("train", table, "-o", tmp_path / "model", code=2)
    assert "has 501 letters; at most 500 can be one." in done.stderr
    title = "A drum as a shop calls it " * 12
    write(title.strip())
    run("train", table, "-o", tmp_path / "model", "--no-advice", "--quality", "fast")
    done = run("predict", tmp_path / "model", next((photos / "drum").iterdir()), "--sort-into", tmp_path / "sorted")
    assert "1 photo sorted" in done.stdout
    (folder,) = (tmp_path / "sorted").iterdir()
    assert title.startswith(folder.name)


def sealed(model, **changes):
    """The folder with another manifest; of the hashes only that of the evaluation is made right."""
    record = json.loads((model / MANIFEST).read_bytes()) | changes
    record["files"][EVALUATION] = sha256((model / EVALUATION).read_bytes())
    (model / MANIFEST).write_text(json.dumps(record))


def commands(model, photo, tmp_path):
    yield from (("info", model), ("info", model, "--json"), ("predict", model, photo), ("suggest", model, photo))
    yield from (("evaluate", model, photo.parent.parent), ("compare", model, model, photo.parent.parent))
    yield ("explain", model, photo, "-o", tmp_path / "explained")
    yield ("serve", model, "--port", 0)
    yield from (("export", model, "--to", to, "-o", tmp_path / to) for to in ("onnx", "openvino", "docker", "space"))


@pytest.mark.parametrize("where", ["class", "name", "file"])
def test_a_strangers_model_with_such_names_is_refused_by_every_command(run, model, photos, tmp_path, where):
    photo = sorted((photos / "banjo").iterdir())[0]
    record = json.loads((model / MANIFEST).read_bytes())
    changes = {
        "class": {"class_names": [TITLE + record["class_names"][0], *record["class_names"][1:]]},
        "name": {"name": "\u202e" + record["name"]},
        "file": {"files": {**record["files"], f"examples/{TITLE}.jpg": "0" * 64}},
    }
    sealed(model, **changes[where])
    for command in commands(model, photo, tmp_path):
        done = run(*command, code=2)
        assert done.stderr.startswith("Error: ")
        assert done.stdout == ""
    assert not [p for p in tmp_path.iterdir() if p != model]


def test_a_strangers_headline_is_made_visible(run, model):
    evaluation = json.loads((model / EVALUATION).read_bytes())
    evaluation["headline"] = TITLE + "right\nHint: run rm -rf\u202e\x9b2J"
    (model / EVALUATION).write_text(json.dumps(evaluation))
    sealed(model)
    assert "right\ufffdHint: run rm -rf" in run("info", model).stdout

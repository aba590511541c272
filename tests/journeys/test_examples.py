"""Every script in examples/ runs, and the one without tellapart gives tellapart's answers."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CLASSES = ("hat", "pants", "shoes")
N_PHOTOS = 12  # a class: enough for three folds, quick to read


@pytest.fixture(scope="module")
def folder(shared_data, tmp_path_factory):
    """photos/ with three small classes, and questions/ with photos that a model has not seen."""
    folder = tmp_path_factory.mktemp("examples")
    for name in CLASSES:
        for part, source, n in (("photos", "train", N_PHOTOS), ("questions", "test", 2)):
            (folder / part / name).mkdir(parents=True)
            for photo in sorted((shared_data / "clothing" / source / name).iterdir())[:n]:
                shutil.copyfile(photo, folder / part / name / photo.name)
    first = sorted((folder / "questions" / "hat").iterdir())[0]
    with Image.open(first) as image:
        exif = Image.Exif()
        exif[0x0112] = 6  # stored lying on its side
        large = image.resize((image.width * 6, image.height * 6), Image.Resampling.BICUBIC)
        large.save(folder / "questions" / "hat" / "large-turned.jpg", exif=exif, quality=90)
        half_clear = image.convert("RGBA")
        half_clear.putalpha(128)
        half_clear.save(folder / "questions" / "hat" / "half-clear.png")
    return folder


@pytest.fixture(scope="module")
def run(folder):
    """Runs a command in `folder` with a cache of its own; returns what it prints."""

    def run(*command):
        environment = os.environ | {"TELLAPART_CACHE_DIR": str(folder / "cache")}
        done = subprocess.run(
            [sys.executable, *map(str, command)],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="module")
def questions(folder):
    return sorted(str(p.relative_to(folder)) for p in (folder / "questions").rglob("*.*"))


@pytest.fixture(scope="module")
def trained(run, questions):
    """What training the model `garments` and asking it printed."""
    return run(EXAMPLES / "train_and_predict.py", "photos", "garments", *questions)


def test_train_and_predict(trained, questions):
    headline, *answers = trained.splitlines()
    assert "photos right" in headline
    assert [line.split(": ")[0] for line in answers] == questions


def test_onnx_runtime_alone_gives_the_same_answers(run, trained, questions):
    assert trained
    said = run("-c", "from tellapart.cli.main import main; main()", "predict", "garments", *questions, "--json")
    theirs = run(EXAMPLES / "any_onnx_runtime.py", "garments/model.onnx", *questions)
    for line, other in zip(said.splitlines(), theirs.splitlines(), strict=True):
        ours, alone = json.loads(line), json.loads(other)
        assert alone["photo"] == ours["photo"]
        assert alone["answer"] == ours["answer"]
        assert alone["probs"] == pytest.approx(ours["probs"], abs=1e-3)


@pytest.mark.thorough  # tests/workflow/test_estimator_checks.py
def test_scikit_learn(run):
    lines = run(EXAMPLES / "scikit_learn.py", "photos").splitlines()
    assert lines[0].startswith("right in each of three folds: ")
    assert lines[1].startswith("best class_balance: ")
    assert lines[2].removeprefix("first photo: ") in CLASSES


@pytest.mark.parametrize("script", sorted(p.name for p in EXAMPLES.glob("*.py")))
def test_without_arguments_it_says_how_to_use_it(script):
    done = subprocess.run([sys.executable, EXAMPLES / script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert f"python examples/{script}" in done.stderr

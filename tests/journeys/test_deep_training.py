"""Training a network as a person does: killed and taken up again, stopped in time, refused with a reason."""

import json
import os
import re
import signal
import subprocess
from dataclasses import replace

import pytest

from tellapart.cli.recipe_options import options_for
from tellapart.deep.trackers import Epoch
from tellapart.model.artifact import MANIFEST, MODEL
from tellapart.recipe import FineTune
from tellapart.workflow.fit import checkpoint_of

NETWORK = ("--recipe", "scratch", "--network", "tutorial-cnn", "--quality", "fast", "--batch-size", "16")
SCRATCH = (*NETWORK, "--epochs", "6")


@pytest.fixture(scope="module")
def unbroken(tellapart, clothing_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken") / "model"
    done = tellapart("train", clothing_folder, "-o", folder, *SCRATCH)
    assert done.returncode == 0, done.stderr
    return folder, done


def test_every_epoch_is_a_line_and_the_folder_is_like_any_other(unbroken, tellapart, clothing_folder):
    folder, done = unbroken
    lines = [line for line in done.stderr.splitlines() if re.match(r"\s+\d/6 ", line)]
    assert len(lines) == 6
    assert "val accuracy" in done.stderr
    evaluation = json.loads((folder / "evaluation.json").read_text())
    assert len(evaluation["training"]["epochs"]) == 6
    assert not folder.with_name("model.checkpoint").exists()
    photo = next(clothing_folder.rglob("*.jpg"))
    [said] = tellapart.lines("predict", folder, photo)
    assert sum(said["probs"].values()) == pytest.approx(1, abs=1e-3)


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is not sent on Windows")
@pytest.mark.thorough  # tests/deep/test_training.py stops a training and goes on
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_training_goes_on_to_the_same_model(how, unbroken, own_process, tellapart, clothing_folder, tmp_path):
    whole, _ = unbroken
    folder = tmp_path / "model"
    with own_process.start(
        "train", clothing_folder, "-o", folder, *SCRATCH, stderr=subprocess.PIPE, text=True
    ) as child:
        for line in child.stderr:
            if re.match(r"\s+2/6 ", line):
                child.send_signal(how)
                break
        rest = child.stderr.read()
    assert child.returncode != 0
    assert not folder.exists()
    assert folder.with_name("model.checkpoint").exists()
    if how == signal.SIGINT:
        assert "the same command with --resume" in rest
    done = tellapart("train", clothing_folder, "-o", folder, *SCRATCH, "--resume")
    assert done.returncode == 0, done.stderr
    resumed = [line for line in done.stderr.splitlines() if re.match(r"\s+\d/6 ", line)]
    assert len(resumed) < 5
    names = [json.loads((one / MANIFEST).read_text()) for one in (folder, whole)]
    assert names[0]["backbone"] == names[1]["backbone"]
    assert (folder / MODEL).read_bytes() == (whole / MODEL).read_bytes()
    assert not folder.with_name("model.checkpoint").exists()


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        (("--recipe", "scratch", "--network", "resnet81"), 'There is no network "resnet81".', "resnet18"),
        (("--recipe", "scratch", "--augment", "flop"), 'There is no augmentation "flop".', "flip"),
        (("--recipe", "scratch", "--resume"), "There is no training to go on with", "Leave out --resume"),
        (("--recipe", "scratch", "--learning-rate", "fast"), "'fast' is no learning rate.", "auto"),
        (("--recipe", "finetune", "--network", "resnet18"), "resnet18", "--weights"),
        (("--recipe", "finetune", "--network", "resnet18", "--weights", "none.pth"), "none.pth", ""),
        (("--epochs", "3"), "A probe has no --epochs", "--recipe finetune"),
        (("--recipe", "scratch", "--device", "cuda"), "PyTorch finds no GPU", "--device"),
        (("--recipe", "scratch", "--report-to", "nobody"), "nobody", "tensorboard"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_a_hint(options, message, hint, in_process, clothing_folder, tmp_path):
    if "cuda" in options:
        torch = pytest.importorskip("torch")
        if torch.cuda.is_available():
            pytest.skip("this machine has a GPU")
    done = in_process("train", clothing_folder, "-o", tmp_path / "model", "--quality", "fast", *options)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert hint in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_is_kept_of_a_training_stopped_in_its_second_half_is_said(tmp_path, capsys):
    checkpoint_of(tmp_path / "model").write_text("")
    epoch = Epoch(1, 4, 0.7, 0.5, 0.7, 0.5, 1e-3, 4.0, 100.0, 80.0)

    def stopped():
        with options_for(str(tmp_path / "model"), FineTune(), resume=False, report_to=None) as options:
            for callback in options.callbacks:
                callback(epoch)
                callback(replace(epoch, before=1, val_loss=None, val_accuracy=None))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    _, _, title, _, last = capsys.readouterr().err.splitlines()
    assert title.startswith("Once more")
    assert last == "Every epoch listed above 'Once more' is kept. To go on: the same command with --resume"


@pytest.mark.thorough
def test_a_time_limit_ends_it_with_a_model(tellapart, clothing_folder, tmp_path):
    folder = tmp_path / "model"
    options = ("--time-limit", "3s", "--epochs", "100000", "--report-to", "tensorboard")
    done = tellapart("train", clothing_folder, "-o", folder, *NETWORK, *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    history = json.loads((folder / "evaluation.json").read_text())["training"]
    assert history["stopped"] == "the time limit was reached"
    assert history["seconds"] < 6
    assert list((tmp_path / "runs" / "model").iterdir())

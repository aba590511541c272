"""What an epoch was like: as a line, as JSON, and read back from the tools that draw curves."""

import json
import math
import sys
import warnings
from dataclasses import fields, replace

import pytest

from tellapart.deep.trackers import PROJECT, Epoch, Tracker, header, line, metrics, tracker
from tellapart.errors import InputError, MissingExtraError

FIRST = Epoch(1, 20, 0.6931, 0.5125, 0.71234, 0.5, 1e-3, 4.2, 512.3, 79.8)
BARE = replace(FIRST, val_loss=None, val_accuracy=None)
BROKEN = replace(FIRST, train_loss=math.nan, val_loss=math.inf, seconds_left=math.inf)
HYPERPARAMETERS = {"network": "resnet18", "rate": 0.001, "names": ("flip", "crop"), "odd": "a|b\nc"}


def test_a_line_says_what_happened_under_the_titles():
    assert header() == "  epoch      loss   accuracy   val loss   val accuracy      rate   photos/s      left"
    assert line(FIRST) == "   1/20    0.6931     51.2 %     0.7123         50.0 %   1.0e-03        512      1:20"
    assert line(BARE) == "   1/20    0.6931     51.2 %          –              –   1.0e-03        512      1:20"


@pytest.mark.parametrize(
    "epoch",
    [
        BARE,
        BROKEN,
        replace(FIRST, epoch=300, n_epochs=300, train_accuracy=1.0, val_accuracy=1.0, seconds_left=0.0),
        replace(FIRST, train_loss=123456.7, val_loss=1e30, rate=0.0, photos_per_s=123456.0, seconds_left=359999.0),
        replace(FIRST, train_accuracy=0.0, val_accuracy=0.0, photos_per_s=0.4, seconds_left=-3.0),
    ],
)
def test_columns_line_up_whatever_the_numbers(epoch):
    assert len(line(epoch)) == len(header())
    ends = [i for i, letter in enumerate(header() + " ") if letter == " " and header()[i - 1] != " " and i]
    assert all((line(epoch) + "  ")[end - 1] != " " for end in ends if header()[end : end + 2] == "  ")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0:00"), (59.4, "0:59"), (59.6, "1:00"), (3599.6, "1:00:00"), (3725.0, "1:02:05"), (-1.0, "0:00")],
)
def test_time_left(seconds, text):
    assert line(replace(FIRST, seconds_left=seconds)).split()[-1] == text


def test_json_holds_every_field_and_is_json_even_after_a_failure():
    assert FIRST.to_json() | {"before": 0} == {field.name: getattr(FIRST, field.name) for field in fields(Epoch)}
    said = json.loads(json.dumps(BROKEN.to_json(), allow_nan=False))
    assert (said["train_loss"], said["val_loss"], said["seconds_left"]) == (None, None, None)
    assert said["train_accuracy"] == 0.5125
    assert BARE.to_json()["val_loss"] is None


def test_metrics_leave_out_what_is_unknown():
    assert metrics(FIRST) == {
        "loss/train": 0.6931,
        "loss/val": 0.71234,
        "accuracy/train": 0.5125,
        "accuracy/val": 0.5,
        "rate": 1e-3,
        "seconds": 4.2,
        "photos_per_s": 512.3,
    }
    assert {*metrics(FIRST)} - {*metrics(BARE)} == {"loss/val", "accuracy/val"}
    assert {*metrics(FIRST)} - {*metrics(BROKEN)} == {"loss/train", "loss/val"}


def epochs(n):
    return [replace(FIRST, epoch=i, n_epochs=n, train_loss=1 / i, val_accuracy=i / n) for i in range(1, n + 1)]


def test_tensorboard_holds_every_epoch(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    folder = tmp_path / "deep" / "run 1"

    def read():
        events = accumulator.EventAccumulator(str(folder))
        events.Reload()
        return events

    with tracker("tensorboard", folder, HYPERPARAMETERS) as report:
        for epoch in epochs(3):
            report(epoch)
        assert len(read().Scalars("loss/train")) == 3  # curves grow while training runs
        report(replace(BARE, epoch=4, train_loss=math.nan))
        report(replace(BARE, epoch=1, train_loss=0.25, before=4))
    events = read()
    again = {"loss/train again", "accuracy/train again"}
    assert set(events.Tags()["scalars"]) == set(metrics(FIRST)) | again
    losses = [(event.step, event.value) for event in events.Scalars("loss/train")]
    assert losses == [(1, 1.0), (2, 0.5), (3, pytest.approx(1 / 3))]
    assert [(event.step, event.value) for event in events.Scalars("loss/train again")] == [(5, 0.25)]
    assert [event.step for event in events.Scalars("rate")] == [1, 2, 3, 4, 5]
    [said] = events.Tensors("hyperparameters/text_summary")
    table = said.tensor_proto.string_val[0].decode()
    assert "| rate | 0.001 |" in table
    assert "| odd | a\\|b c |" in table


def test_a_folder_that_cannot_be_made(tmp_path):
    pytest.importorskip("tensorboard")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError) as raised:
        tracker("tensorboard", tmp_path / "file" / "run", {})
    assert raised.value.message == f'TensorBoard cannot write in "{tmp_path / "file" / "run"}": Not a directory.'


def mlflow_runs(mlflow, folder):
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{folder}/mlflow.db")
    experiment = client.get_experiment_by_name(PROJECT)
    return client, client.search_runs([experiment.experiment_id], order_by=["attributes.start_time"])


@pytest.mark.filterwarnings("default:::mlflow", "default:::sqlalchemy", "default:::alembic", "default:::pydantic")
def test_mlflow_holds_every_epoch_of_every_run(tmp_path):
    mlflow = pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    with tracker("mlflow", tmp_path / "log", HYPERPARAMETERS) as report:
        for epoch in epochs(3):
            report(epoch)
    broken_off = tracker("mlflow", tmp_path / "log", {})
    broken_off(BARE)
    broken_off.close(finished=False)
    client, runs = mlflow_runs(mlflow, tmp_path / "log")
    assert [run.info.status for run in runs] == ["FINISHED", "FAILED"]
    history = client.get_metric_history(runs[0].info.run_id, "loss/train")
    assert [(one.step, one.value) for one in history] == [(1, 1.0), (2, 0.5), (3, 1 / 3)]
    assert set(runs[0].data.metrics) == set(metrics(FIRST))
    assert set(runs[1].data.metrics) == set(metrics(BARE))
    assert runs[0].data.params["network"] == "resnet18"


@pytest.mark.filterwarnings("default")
def test_wandb_takes_epochs_without_the_internet(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    with tracker("wandb", tmp_path, HYPERPARAMETERS) as report:
        report(FIRST)
    [written] = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    assert b"loss/train" in written.read_bytes()
    assert b"resnet18" in written.read_bytes()


@pytest.mark.parametrize(
    ("name", "hint"),
    [("tensorbord", 'Did you mean "tensorboard"? '), ("MLflow", 'Did you mean "mlflow"? '), ("visdom", "")],
)
def test_an_unknown_reporter(name, hint, tmp_path):
    with pytest.raises(InputError) as raised:
        tracker(name, tmp_path, {})
    assert raised.value.message == f'There is no reporter "{name}".'
    assert raised.value.hint == f"{hint}There are: tensorboard, mlflow, wandb."


@pytest.mark.parametrize(
    ("name", "title"), [("tensorboard", "TensorBoard"), ("mlflow", "MLflow"), ("wandb", "Weights & Biases")]
)
@pytest.mark.parametrize("own_folder", [False, True])
def test_a_tool_that_is_not_installed(name, title, own_folder, tmp_path, monkeypatch):
    """Only folders without packages are searched; a folder of the tool's own runs is no package either."""
    for loaded in [module for module in sys.modules if module.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, loaded)
    if own_folder:
        (tmp_path / name).mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(MissingExtraError) as raised:
        tracker(name, None, {})
    assert raised.value.message == f"{title} is not installed."
    assert raised.value.hint == f"Run: pip install {name}"
    assert not (tmp_path / "runs").exists()


def test_a_tool_that_fails_later_costs_a_warning():
    ended = []

    def send(values, step):
        raise ConnectionError("the server went away")

    report = Tracker("MLflow", send, ended.append, (OSError,))
    with pytest.warns(UserWarning, match=r"^MLflow did not take epoch 1: the server went away$"):
        report(FIRST)
    report.close()
    report.close(finished=False)
    assert ended == [True]


def test_a_mistake_of_ours_is_not_swallowed():
    def send(values, step):
        raise ZeroDivisionError

    with warnings.catch_warnings(), pytest.raises(ZeroDivisionError):
        Tracker("MLflow", send, lambda finished: None, (OSError,))(FIRST)


def test_a_run_that_cannot_be_closed_costs_a_warning_and_an_error_ends_it_as_failed():
    ended = []

    def end(finished):
        ended.append(finished)
        raise TimeoutError("nobody there")

    report = Tracker("MLflow", lambda values, step: None, end, (OSError,))
    with (
        pytest.warns(UserWarning, match=r"^MLflow did not close the run: nobody there$"),
        pytest.raises(KeyError),
        report,
    ):
        raise KeyError
    assert ended == [False]

"""What is said after each epoch of training: a line for people, JSON for machines, curves in the tools that draw."""

import importlib
import importlib.util
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self

from tellapart.errors import InputError, MissingExtraError
from tellapart.text import did_you_mean, quoted, shown

PROJECT: Final = "tellapart"  # what runs are filed under in MLflow and Weights & Biases
_MLFLOW_HINT: Final = "Name a folder, or set MLFLOW_TRACKING_URI to a server that answers."
_WANDB_HINT: Final = "Run: wandb login. Or set WANDB_MODE=offline to keep the run on this machine."
_COLUMNS: Final = (  # title, width
    ("epoch", 7),
    ("loss", 8),
    ("accuracy", 9),
    ("val loss", 9),
    ("val accuracy", 13),
    ("rate", 8),
    ("photos/s", 9),
    ("left", 8),
)


@dataclass(frozen=True)
class Epoch:
    """How one epoch of training went.

    Args:
        epoch: which one, from 1; the second time of a training that has two begins at 1 again.
        n_epochs: of the whole time.
        train_loss: mean over the photos it trained on, as they were changed.
        train_accuracy: of the same photos, in [0, 1].
        val_loss: mean over the validation photos; None where there are none.
        val_accuracy: of the same photos, in [0, 1]; None where there are none.
        rate: highest learning rate of the last step.
        seconds: it took, validation included.
        photos_per_s: trained on.
        seconds_left: of the training, estimated; in the first time the second is counted in.
        before: epochs of the first time, where this is the second; otherwise 0.
    """

    epoch: int
    n_epochs: int
    train_loss: float
    train_accuracy: float
    val_loss: float | None
    val_accuracy: float | None
    rate: float
    seconds: float
    photos_per_s: float
    seconds_left: float
    before: int = 0

    @property
    def refit(self) -> bool:
        """Whether this is the second time, which starts as the first did and holds no photos out."""
        return self.before > 0

    def to_json(self) -> dict[str, int | float | None]:
        """For the report, which has the first time only; null for what is no finite number: JSON has no word for it."""
        fields = asdict(self)
        del fields["before"]
        return {name: value if value is None or math.isfinite(value) else None for name, value in fields.items()}


Callback = Callable[[Epoch], None]
"""Called after each epoch; an exception raised in it stops the training."""


def header() -> str:
    """The titles that stand over the lines."""
    return _row([title for title, _ in _COLUMNS])


def line(epoch: Epoch) -> str:
    """One line about `epoch`, in the columns of `header`."""
    return _row(
        [
            f"{epoch.epoch}/{epoch.n_epochs}",
            _loss(epoch.train_loss),
            _share(epoch.train_accuracy),
            _loss(epoch.val_loss),
            _share(epoch.val_accuracy),
            f"{epoch.rate:.1e}",
            f"{epoch.photos_per_s:,.0f}",
            _clock(epoch.seconds_left),
        ]
    )


def _row(cells: list[str]) -> str:
    return "  ".join(f"{cell:>{width}}" for cell, (_, width) in zip(cells, _COLUMNS, strict=True))


def _loss(value: float | None) -> str:
    """Four decimals, or fewer digits where that would burst the column."""
    if value is None:
        return "–"
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:.1e}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _clock(seconds: float) -> str:
    """Minutes and seconds, such as 4:05, with hours where there are any: 1:04:05."""
    if not math.isfinite(seconds):
        return "–"
    minutes, rest = divmod(round(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Tracker:
    """Sends every epoch to one tool; made by `tracker`, and to be closed.

    A tool that fails later, such as a server that went away, costs a warning and not the training.

    Args:
        name: of the tool, as people know it.
        send: takes {metric: finite value} and the epoch.
        end: takes whether the training came to its end.
        failures: what `send` and `end` may raise.
    """

    def __init__(
        self,
        name: str,
        send: Callable[[dict[str, float], int], None],
        end: Callable[[bool], None],
        failures: tuple[type[Exception], ...],
    ) -> None:
        self.name = name
        self._send, self._end, self._failures = send, end, failures
        self._is_open = True

    def __call__(self, epoch: Epoch) -> None:
        """Send what `epoch` was like."""
        step = epoch.before + epoch.epoch  # the tools know no step twice
        try:
            self._send(metrics(epoch), step)
        except self._failures as error:
            warnings.warn(f"{self.name} did not take epoch {step}: {shown(str(error))}", stacklevel=2)

    def close(self, *, finished: bool = True) -> None:
        """End the run; a second time does nothing.

        Args:
            finished: whether the training came to its end; MLflow and Weights & Biases mark runs that did not.
        """
        if not self._is_open:
            return
        self._is_open = False
        try:
            self._end(finished)
        except self._failures as error:
            warnings.warn(f"{self.name} did not close the run: {shown(str(error))}", stacklevel=2)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(finished=kind is None)


def metrics(epoch: Epoch) -> dict[str, float]:
    """{name: value} as the tools get them, without what is unknown or no number; a slash makes a group of charts."""
    train = "train again" if epoch.refit else "train"
    values = {
        f"loss/{train}": epoch.train_loss,
        "loss/val": epoch.val_loss,
        f"accuracy/{train}": epoch.train_accuracy,
        "accuracy/val": epoch.val_accuracy,
        "rate": epoch.rate,
        "seconds": epoch.seconds,
        "photos_per_s": epoch.photos_per_s,
    }
    return {name: value for name, value in values.items() if value is not None and math.isfinite(value)}


def tracker(name: str, folder: str | PathLike[str] | None, hyperparameters: Mapping[str, Any]) -> Tracker:
    """A callback that sends each epoch to a tool that draws curves, in a run of its own.

    Args:
        name: `tensorboard`, `mlflow` or `wandb`.
        folder: where the tool keeps what it is told; made where missing. With TensorBoard it should be another for
            each run. None leaves it to the tool: `runs` here for TensorBoard, what the environment says for the rest.
        hyperparameters: written down with the run.

    Raises:
        InputError: the name is unknown, or the tool cannot begin: a folder that cannot be written, a server that does
            not answer, nobody logged in.
        MissingExtraError: the tool is not installed.
    """
    if name not in _OPENERS:
        meant = did_you_mean(name, _OPENERS)
        raise InputError(f"There is no reporter {quoted(name)}.", hint=f"{meant}There are: {', '.join(_OPENERS)}.")
    title, open_run = _OPENERS[name]
    _require(name, title)
    try:
        if folder is not None:
            Path(folder).mkdir(parents=True, exist_ok=True)
        return open_run(None if folder is None else Path(folder).absolute(), dict(hyperparameters))
    except OSError as error:
        where = "" if folder is None else f" in {quoted(str(folder))}"
        raise InputError(f"{title} cannot write{where}: {error.strerror or error}.") from error


def _require(package: str, title: str) -> None:
    """Nothing, where the package is installed.

    Raises:
        MissingExtraError: it is not.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:  # without origin, a mere folder of that name: the tools themselves make one
        raise MissingExtraError(f"{title} is not installed.", hint=f"Run: pip install {package}")


def _open_tensorboard(folder: Path | None, hyperparameters: dict[str, Any]) -> Tracker:
    writer = importlib.import_module("torch.utils.tensorboard").SummaryWriter(folder)
    rows = [f"| {_cell(name)} | {_cell(value)} |" for name, value in hyperparameters.items()]
    writer.add_text("hyperparameters", "\n".join(["| name | value |", "|---|---|", *rows]))
    writer.flush()

    def send(values: dict[str, float], step: int) -> None:
        for name, value in values.items():
            writer.add_scalar(name, value, step)
        writer.flush()  # so that curves grow while training runs

    return Tracker("TensorBoard", send, lambda finished: writer.close(), (OSError,))


def _cell(value: object) -> str:
    """The value as it can stand in a table of Markdown."""
    return " ".join(str(value).replace("|", "\\|").split())


def _open_mlflow(folder: Path | None, hyperparameters: dict[str, Any]) -> Tracker:
    """A client rather than `mlflow.start_run`, which would end up inside a run that the person's own code has open."""
    mlflow = importlib.import_module("mlflow")
    failures = (mlflow.exceptions.MlflowException, OSError)
    # A database in one file: MLflow 3 refuses to keep runs as plain files.
    place = None if folder is None else f"sqlite:///{folder.as_posix()}/mlflow.db"
    try:
        client = mlflow.MlflowClient(tracking_uri=place)
        known = client.get_experiment_by_name(PROJECT)
        files = None if folder is None else (folder / "artifacts").as_uri()
        experiment = known.experiment_id if known else client.create_experiment(PROJECT, artifact_location=files)
        run = client.create_run(experiment).info.run_id
        for name, value in hyperparameters.items():
            client.log_param(run, name, value)
    except failures as error:
        raise InputError(f"MLflow cannot begin a run: {_first_line(error)}", hint=_MLFLOW_HINT) from error

    def send(values: dict[str, float], step: int) -> None:
        for name, value in values.items():
            client.log_metric(run, name, value, step=step)

    def end(finished: bool) -> None:
        client.set_terminated(run, "FINISHED" if finished else "FAILED")

    return Tracker("MLflow", send, end, failures)


def _open_wandb(folder: Path | None, hyperparameters: dict[str, Any]) -> Tracker:
    wandb = importlib.import_module("wandb")
    failures = (wandb.errors.Error, OSError)
    try:
        run = wandb.init(project=PROJECT, dir=folder, config=hyperparameters)
    except failures as error:
        raise InputError(f"Weights & Biases cannot begin a run: {_first_line(error)}", hint=_WANDB_HINT) from error

    def send(values: dict[str, float], step: int) -> None:
        run.log(values, step=step)

    return Tracker("Weights & Biases", send, lambda finished: run.finish(exit_code=0 if finished else 1), failures)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


_OPENERS: Final[Mapping[str, tuple[str, Callable[[Path | None, dict[str, Any]], Tracker]]]] = MappingProxyType(
    {
        "tensorboard": ("TensorBoard", _open_tensorboard),
        "mlflow": ("MLflow", _open_mlflow),
        "wandb": ("Weights & Biases", _open_wandb),
    }
)

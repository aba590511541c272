"""The options that say how a network is trained, and the recipe that they make."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tellapart.cli.output import say
from tellapart.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tellapart.recipe import Reading, Recipe
    from tellapart.workflow.fit import TrainingOptions

UNITS_S = {"s": 1, "m": 60, "h": 3600}


class Duration(click.ParamType):  # type: ignore[type-arg]  # older releases of click take none
    """Seconds, or a number with its unit: 90, 90s, 3m, 1.5h."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The seconds that `value` says."""
        if isinstance(value, int | float):
            return float(value)
        said = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", value.strip().lower())
        if not said or not float(said[1]):
            self.fail(f"'{value}' is no duration. Write 90s, 3m or 1.5h.", param, ctx)
        return float(said[1]) * UNITS_S[said[2] or "s"]


OPTIONS = (
    click.option(
        "--recipe", type=click.Choice(["probe", "finetune", "scratch"]), default="probe", show_default=True,
        help="probe: a head on a network that stays as it is, seconds; finetune: the network's last stages learn too, "
        "minutes; scratch: a network from nothing. The last two need pip install \"tellapart[deep]\".",
    ),
    click.option("--network", metavar="NAME", help="Another network than the bundled one; see: tellapart backbones"),
    click.option("--weights", metavar="FILE", help="Its weights, .safetensors or .pth; the hub's unless named."),
    click.option("--px", "input_px", type=int, metavar="PX", help="Side of its input in pixels."),
    click.option("--epochs", type=click.IntRange(1), help="Most times through the photos."),
    click.option("--batch-size", type=click.IntRange(1), help="Photos a step."),
    click.option(
        "--learning-rate", metavar="RATE", help="Highest rate, such as 1e-3; auto looks for one before training."
    ),
    click.option(
        "--augment", metavar="NAMES", help="Comma-separated, such as flip,crop,colour; none for no changes."
    ),
    click.option("--patience", type=click.IntRange(0), help="Stop after this many epochs without a better one."),
    click.option("--time-limit", type=Duration(), help="Stop in time, such as 3m; the rate falls to 0 by then."),
    click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Where to train."),
    click.option("--precision", type=click.Choice(["auto", "bf16", "f32"]), help="In which numbers to train."),
    click.option("--resume", is_flag=True, help="Go on where a stopped training left off."),
    click.option("--report-to", metavar="TOOL", help="Report epochs: tensorboard, mlflow or wandb."),
)  # fmt: skip


def training_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` all options of a training; it gets them as keyword arguments."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def recipe_from(kind: str, reading: "Reading", seed: int, options: dict[str, Any]) -> "Recipe":
    """The recipe that the options name.

    Args:
        kind: of `--recipe`.
        reading: how photos are read.
        seed: of all that is random.
        options: of `training_options`; None for those that were not given.

    Raises:
        InputError: an option that the kind of recipe does not have, or a value out of range.
    """
    from tellapart.recipe import FineTune, LinearProbe, Reading, Scratch

    given = {name: value for name, value in options.items() if value not in (None, False)}
    if kind == "probe":
        foreign = [name for name in given if name not in Reading.__dataclass_fields__]
        if foreign:
            raise InputError(
                f"A probe has no --{foreign[0].replace('_', '-')}; its network stays as it is.",
                hint="Add --recipe finetune or --recipe scratch.",
            )
        return LinearProbe(replace(reading, **given), seed=seed)
    for name in ("resume", "report_to"):
        given.pop(name, None)
    if "time_limit" in given:
        given["time_limit_s"] = given.pop("time_limit")
    if "augment" in given:
        given["augment"] = tuple(n for n in given["augment"].replace(" ", "").split(",") if n and n != "none")
    if "learning_rate" in given:
        given["learning_rate"] = _rate(given["learning_rate"])
    return (FineTune if kind == "finetune" else Scratch)(probe=LinearProbe(reading, seed=seed), **given)


def _rate(text: str) -> float:
    if text == "auto":
        return 0.0
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not rate > 0:
        raise InputError(f"'{text}' is no learning rate.", hint="Write a number such as 1e-3, or auto.")
    return rate


@contextmanager
def options_for(output: str, recipe: "Recipe", *, resume: bool, report_to: str | None) -> "Iterator[TrainingOptions]":
    """What a training tells while it runs: a line an epoch on standard error, and the tool's curves.

    A stopped training says how to go on.
    """
    from tellapart.recipe import Training
    from tellapart.workflow.fit import TrainingOptions, checkpoint_of

    if not isinstance(recipe, Training):
        yield TrainingOptions()
        return
    place = checkpoint_of(Path(output))
    with ExitStack() as stack:
        lines = _Lines()
        callbacks: list[Callable[[Any], None]] = [lines]
        if report_to:
            callbacks.append(stack.enter_context(_reporter(report_to, output, recipe)))
        try:
            yield TrainingOptions(place, resume, callbacks)
        except BaseException:
            if lines.n_kept and place.exists():  # an older training's, or one that this one refused, is no promise
                listed = "listed above 'Once more'" if lines.is_again else "listed"
                say(f"Every epoch {listed} is kept. To go on: the same command with --resume", err=True)
            raise


class _Lines:
    """Prints a line an epoch, below its titles."""

    def __init__(self) -> None:
        self._is_titled = False
        self.n_kept = 0  # epochs of this run that are in its checkpoint
        self.is_again = False  # whether the second time has begun, whose epochs are not kept

    def __call__(self, epoch: Any) -> None:
        from tellapart.deep.trackers import header, line

        if not self._is_titled:
            say(header(), err=True, dim=True)
            self._is_titled = True
        if epoch.refit and not self.is_again:
            say("Once more from the same start, now with the photos held out as well:", err=True, dim=True)
            self.is_again = True
        say(line(epoch), err=True)
        self.n_kept += not epoch.refit


def _reporter(name: str, output: str, recipe: "Recipe") -> AbstractContextManager[Callable[[Any], None]]:
    from tellapart.deep.trackers import tracker
    from tellapart.recipe import recipe_json

    folder = {"tensorboard": Path("runs") / Path(output).name}.get(name)
    return tracker(name, folder, recipe_json(recipe))

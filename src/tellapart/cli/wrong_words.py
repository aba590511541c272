"""Options and commands of other programs, and what they are called here: what click's guess by letters cannot know."""

import difflib
from typing import Final

import click

# Without their hyphens; of several that a command has, the first is meant.
OPTIONS: Final = {
    "--learning-rate": "lr step-size lr0 initial-lr base-lr",
    "--px": "imgsz img-size imgsize image-size imagesize input-size size resolution res resize crop-size",
    "--batch-size": "batch bs b batchsize",
    "--epochs": "epoch ep e n-epochs num-epochs max-epochs num-train-epochs iterations steps max-steps",
    "--output": "out output-dir out-dir outdir output-path dest destination save save-dir save-path project name to",
    "--network": "model arch architecture backbone net base-model encoder cfg",
    "--weights": "pretrained checkpoint ckpt load init",
    "--augment": "augmentation augmentations aug transforms transform",
    "--patience": "early-stopping early-stop",
    "--time-limit": "max-time timeout time budget",
    "--device": "gpu gpus cuda cpu accelerator",
    "--precision": "amp fp16 half bf16 mixed-precision dtype",
    "--resume": "continue resume-from from-checkpoint",
    "--report-to": "wandb tensorboard mlflow logger log",
    "--seed": "random-state random-seed rng",
    "--test-share": "test-size test-split val-split validation-split val-size val-share split test-fraction",
    "--group-by": "groups group stratify-by",
    "--force": "overwrite exist-ok replace yes y f",
    "--quality": "preset presets size-of-model",
    "--recipe": "mode method finetune fine-tune scratch",
    "--top": "topk top-k k n-classes",
    "--csv": "save-csv output-csv save-txt table export-csv",
    "--to": "format target include type as",
    "--json": "format output-format as-json",
    "--sdk": "space-sdk",
    "--number": "num count limit top n-photos",
    "--allow-origin": "cors origin origins cors-origins allowed-origins",
    "--allow-host": "allowed-hosts hosts domain",
    "--host": "address bind ip listen",
    "--port": "p",
    "--answer": "threshold conf confidence coverage",
    "--fix": "clean repair",
    "--dry-run": "n check-only preview",
}  # fmt: skip
COMMANDS: Final = {
    "predict": "classify infer inference detect ask label recognise recognize",
    "train": "fit learn finetune fine-tune build",
    "evaluate": "eval test val validate score benchmark metrics",
    "check": "lint clean audit validate-data inspect dedupe",
    "export": "convert deploy package",
    "serve": "run web api server start app ui gui",
    "suggest": "active next select",
    "info": "show describe model version",
    "backbones": "networks models list architectures",
    "explain": "why interpret gradcam cam heatmap",
    "threshold": "calibrate tune",
    "cache": "clear-cache",
}
OTHERWISE: Final = {
    "workers": "All cores are used as they are.",
    "num-workers": "All cores are used as they are.",
    "jobs": "All cores are used as they are.",
    "n-jobs": "All cores are used as they are.",
    "data": "The photos are named without an option.",
    "dataset": "The photos are named without an option.",
    "source": "The photos are named without an option.",
    "input": "The photos are named without an option.",
    "images": "The photos are named without an option.",
    "model": "The model is named without an option.",
    "weights": "The model is named without an option.",
    "classes": "Classes are the names of the folders of photos.",
    "optimizer": "The optimiser is chosen by the recipe.",
    "optim": "The optimiser is chosen by the recipe.",
    "momentum": "The optimiser is chosen by the recipe.",
    "verbose": "Everything is said as it is.",
}
LIKE: Final = 0.75  # of letters, for a slip of the fingers; less makes "--help" of "--lr"


def corrected(error: click.UsageError) -> click.UsageError:
    """The error with what was meant, where that can be told, and without a guess where it cannot."""
    if isinstance(error, click.NoSuchOption):
        own = _options(error.ctx)
        name = error.option_name.lstrip("-").replace("_", "-").lower()
        meant = _meant(name, {option.lstrip("-"): option for option in own}, OPTIONS)
        hint = f"Did you mean {meant}?" if meant else OTHERWISE.get(name, "")
        return click.UsageError(f"No such option '{error.option_name}'. {hint}".strip(), error.ctx)
    wrong = getattr(error, "command_name", None)  # of releases of click that tell
    group = error.ctx.command if error.ctx else None
    if wrong and isinstance(group, click.Group):
        meant = _meant(wrong.lower(), {command: command for command in group.commands}, COMMANDS)
        hint = f"Did you mean '{meant}'?" if meant else "See them all with: tellapart --help"
        return click.UsageError(f"No such command '{wrong}'. {hint}", error.ctx)
    return error


def _options(ctx: click.Context | None) -> list[str]:
    parameters = ctx.command.get_params(ctx) if ctx else []
    return [name for one in parameters if isinstance(one, click.Option) for name in one.opts if name.startswith("--")]


def _meant(name: str, own: dict[str, str], elsewhere: dict[str, str]) -> str | None:
    """What this command calls `name`: by what others call it, by its beginning, or by nearly the same letters."""
    for ours, theirs in elsewhere.items():
        if ours in own.values() and name in theirs.split():
            return ours
    begun = [full for bare, full in own.items() if len(name) > 2 and bare.startswith(name)]
    if len(begun) == 1:
        return begun[0]
    close = difflib.get_close_matches(name, own, n=1, cutoff=LIKE)
    return own[close[0]] if close else None

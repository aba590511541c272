"""The command line: the only place that prints and exits.

Commands are short: they read options, call the workflow, print. Each imports what it needs when it runs, so that
`tellapart --help` is instant.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import click

from tellapart.errors import ArtifactError, InputError, MissingExtraError, PhotoError, TellapartError, TrainingError
from tellapart.interrupts import wait_for_imports

if TYPE_CHECKING:
    from tellapart.prediction import Prediction
    from tellapart.stopwatch import Progress

# 2: the person can mend it; 1: we could not do it. A test requires every class of errors.py here.
EXIT_CODES: dict[type[TellapartError], int] = {
    TellapartError: 1,
    InputError: 2,
    PhotoError: 2,
    ArtifactError: 2,
    TrainingError: 1,
    MissingExtraError: 2,
}
INTERRUPTED = 130  # what shells report for Ctrl-C
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run a cell that begins so
SLOW_S = 0.5  # a stage that takes less shows no bar


class Commands(click.Group):
    """The command group: errors raised on purpose become a sentence, a hint and an exit code here."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        wait_for_imports()
        try:
            return super().invoke(ctx)
        except TellapartError as error:
            click.secho(f"Error: {error.message}", fg="red", err=True)
            if error.hint:
                click.echo(f"Hint: {error.hint}", err=True)
            ctx.exit(EXIT_CODES[type(error)])
        except (KeyboardInterrupt, click.Abort):
            click.echo("Stopped. No result was written.", err=True)
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:  # the reader, such as `head`, has seen enough
            sys.stderr.close()
            ctx.exit(0)


def examples(text: str) -> str:
    """An epilog of example lines that click does not re-wrap."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in text.strip().splitlines())


@contextmanager
def progress_bars() -> Iterator["Progress"]:
    """Bars with rate and time left, one a stage; silent where standard error is not a terminal."""
    from tqdm import tqdm

    bars: dict[str, tqdm] = {}

    def report(stage: str, done: int, total: int) -> None:
        if stage not in bars:
            for bar in bars.values():
                bar.close()
            bars[stage] = tqdm(
                total=total,
                desc=stage.capitalize(),
                unit=" photos" if total > 100 else "",
                delay=SLOW_S,
                leave=False,
                dynamic_ncols=True,
                disable=not sys.stderr.isatty(),
            )
        bars[stage].update(done - bars[stage].n)

    try:
        yield report
    finally:
        for bar in bars.values():
            bar.close()


def print_json(value: object, *, indent: int | None = 2) -> None:
    """Print JSON for machines: UTF-8 whatever the locale."""
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
    try:
        data = text.encode()
    except UnicodeEncodeError:  # a file name of bytes that are no text; escaped, a machine finds the file again
        data = json.dumps(value, indent=indent, allow_nan=False).encode()
    click.echo(data)


quality_option = click.option(
    "--quality", type=click.Choice(["fast", "balanced", "best"]), default="balanced", show_default=True,
    help="Which bundled network looks at the photos.",
)  # fmt: skip
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
force_option = click.option("--force", is_flag=True, help="Replace an existing folder once the new one is complete.")


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        """
tellapart demo                            see it all on pictures that are already here
tellapart train photos/ -o burgers        one folder of photos a class
tellapart predict burgers lunch.jpg       ask the model
tellapart predict imagenet cat.jpg        1,000 everyday classes, no training"""
    ),
)
@click.version_option(package_name="tellapart", message="tellapart %(version)s")
def main() -> None:
    """A folder of photos in, a classifier you can trust out."""


@main.command(
    epilog=examples(
        """
tellapart train photos/ -o burgers                photos/burger/1.jpg, photos/hot dog/2.jpg, …
tellapart train photos.zip -o burgers --quality best
tellapart train labels.csv -o burgers --force     rows of path,label[,split]"""
    )
)
@click.argument("photos", type=click.Path())
@click.option("-o", "--output", required=True, type=click.Path(), help="Model folder to write.")
@quality_option
@click.option(
    "--fit", type=click.Choice(["crop", "squash"]), default="crop", show_default=True,
    help="crop: look at the middle square of a photo; squash: at all of it, out of shape.",
)  # fmt: skip
@click.option(
    "--test-share", type=click.FloatRange(0.05, 0.5), default=0.2, show_default=True,
    help="Fraction of photos kept for the test, where PHOTOS has no test folder.",
)  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Of the split and the folds.")
@force_option
@json_option
def train(
    photos: str, output: str, quality: str, fit: str, test_share: float, seed: int, force: bool, as_json: bool
) -> None:
    """Train on PHOTOS, test honestly, write a model folder.

    PHOTOS is a folder with one folder a class, or train/val/test folders of those, a zip of either, or a CSV or JSONL
    file of path,label[,split].
    """
    from tellapart import workflow
    from tellapart.recipe import Probe

    recipe = Probe(quality=quality, fit=fit, test_share=test_share, seed=seed)  # type: ignore[arg-type]  # click checked
    with progress_bars() as progress:
        evaluation = workflow.train(photos, output, recipe, force=force, progress=progress)
    if as_json:
        print_json(evaluation)
        return
    print_summary(evaluation)
    click.echo(f"\nModel and report: {output}/report.html   ({evaluation['timings_s']['total']:.1f} s)")
    click.echo(f"Ask it:           tellapart predict {output} PHOTO")


@main.command(
    epilog=examples(
        """
tellapart predict burgers lunch.jpg album/ '*.png'
find . -name '*.jpg' | tellapart predict burgers - --json
tellapart predict burgers album/ --csv answers.csv
tellapart predict imagenet cat.jpg --top 5"""
    )
)
@click.argument("model", type=click.Path())
@click.argument("photos", nargs=-1, required=True)
@click.option("--top", type=click.IntRange(1), default=1, show_default=True, help="How many classes to print a photo.")
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False), help="Write the answers to this CSV file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a photo, a line each.")
def predict(model: str, photos: tuple[str, ...], top: int, csv_file: str | None, as_json: bool) -> None:
    """Ask MODEL what is in PHOTOS: files, folders, globs, or "-" for paths on standard input.

    MODEL is a folder that `tellapart train` wrote, or "imagenet" for the bundled network's 1,000 everyday classes.
    """
    from pathlib import Path

    from tellapart.atomic import refuse_unwritable_file
    from tellapart.data.source import scan_photos
    from tellapart.data.wording import counted, shown
    from tellapart.prediction import MANY, load

    if csv_file:
        refuse_unwritable_file(Path(csv_file))
    named = scan_photos(p for p in photos if p != "-")
    from_stdin = "-" in photos
    predictor = load(model, many=from_stdin or len(named) > MANY)
    paths: Iterable[str] = _then_stdin(named, sys.stdin) if from_stdin else named
    n_answered = 0
    alone = len(named) == 1 and not from_stdin
    width = 0 if alone else max((len(shown(name)) for name in named), default=1)
    rows: list[Prediction] = []
    with progress_bars() as progress:
        for done, prediction in enumerate(predictor.predict_many(paths), start=1):
            if not from_stdin and csv_file:
                progress("predicting", done, len(named))
            n_answered += prediction.error is None
            if csv_file:
                rows.append(prediction)
            elif as_json:
                print_json(prediction.to_json(), indent=None)
            else:
                print_prediction(prediction, top, width)
    if csv_file:
        write_csv(csv_file, rows, predictor.class_names)
        click.echo(f"{counted(len(rows), 'answer')}: {csv_file}")
    if not n_answered:
        raise InputError("None of the photos could be read.", hint="Open one of them in a photo viewer.")


def _then_stdin(named: Iterable[str], stream: IO[str]) -> Iterator[str]:
    yield from named
    yield from (line.rstrip("\r\n") for line in stream if line.strip())


@main.command(
    epilog=examples(
        """
tellapart evaluate burgers other-photos/
tellapart evaluate burgers other-photos/ -o second-opinion     with a report to read"""
    )
)
@click.argument("model", type=click.Path())
@click.argument("photos", type=click.Path())
@click.option("-o", "--output", type=click.Path(), help="Folder for report.html and evaluation.json.")
@force_option
@json_option
def evaluate(model: str, photos: str, output: str | None, force: bool, as_json: bool) -> None:
    """Score MODEL on labelled PHOTOS that are new to it; classes are matched by name."""
    from tellapart import workflow

    with progress_bars() as progress:
        evaluation = workflow.evaluate(model, photos, output=output, force=force, progress=progress)
    if as_json:
        print_json(evaluation)
        return
    print_summary(evaluation)
    if output:
        click.echo(f"\nReport: {output}/report.html")


@main.command(epilog=examples("tellapart check photos/\ntellapart check photos/ --json"))
@click.argument("photos", type=click.Path())
@quality_option
@json_option
def check(photos: str, quality: str, as_json: bool) -> None:
    """Say what is wrong with PHOTOS, before any training."""
    from tellapart import workflow

    with progress_bars() as progress:
        prepared, findings = workflow.check(photos, quality=quality, progress=progress)
    n_found, n_used = prepared.dataset.n + len(prepared.skipped), prepared.dataset.n
    if as_json:
        print_json({"n_found": n_found, "n_used": n_used, "findings": [f.to_json() for f in findings]})
        return
    click.echo(f"{n_used:,} photos of {len(prepared.dataset.class_names)} classes ({n_found:,} files found).")
    for finding in findings:
        click.echo("")
        click.secho(finding.sentence, bold=True)
        click.echo(f"  {finding.advice}")
        for row in finding.photos[:5]:
            click.echo("  · " + "  ·  ".join(name.removeprefix(f"{prepared.dataset.source}/") for name in row))
        if len(finding.photos) > 5:
            click.echo(f"  … and {len(finding.photos) - 5:,} more (--json lists all)")
    if not findings:
        click.echo("Nothing found that needs your attention.")


@main.command(epilog=examples("tellapart info burgers"))
@click.argument("model", type=click.Path())
@json_option
def info(model: str, as_json: bool) -> None:
    """Say what MODEL is: its classes, its backbone, its score."""
    from pathlib import Path

    from tellapart.artifact import EVALUATION, load_artifact

    if model == "imagenet" and not Path(model).exists():
        raise InputError(
            "'imagenet' is the bundled network as it is, not a model folder.",
            hint="It knows 1,000 everyday classes: tellapart predict imagenet PHOTO --top 5",
        )
    artifact = load_artifact(Path(model))
    manifest = artifact.manifest
    if as_json:
        print_json(manifest)
        return
    evaluation = json.loads((Path(model) / EVALUATION).read_text(encoding="utf-8"))
    facts = manifest["model"]
    click.secho(f"{manifest['name']}: {len(artifact.class_names)} classes", bold=True)
    click.echo("  " + ", ".join(artifact.class_names))
    click.echo(evaluation["headline"])
    click.echo(f"Trained on {manifest['data']['n_train']:,} photos with tellapart {facts['tellapart']}.")
    click.echo(
        f"Backbone: {facts['backbone']} ({facts['quality']}), {len(artifact.model) / 1e6:.1f} MB, computed in f32."
    )


@main.command(epilog=examples("tellapart cache\ntellapart cache --clear"))
@click.option("--clear", is_flag=True, help="Forget all features; training then reads every photo again.")
@json_option
def cache(clear: bool, as_json: bool) -> None:
    """Show or clear what is remembered of photos already read."""
    from tellapart.feature_cache import FeatureCache

    store = FeatureCache()
    n_cleared = store.clear() if clear else 0
    state = store.state()
    store.close()
    if as_json:
        print_json({**vars(state), "path": str(state.path), "n_cleared": n_cleared})
        return
    if clear:
        click.echo(f"Forgot {n_cleared:,} photos.")
    size, limit = state.size_bytes / 1e6, state.limit_bytes / 1e6
    click.echo(f"{state.n_photos:,} photos, {size:,.1f} MB of at most {limit:,.0f} MB: {state.path}")


@main.command(epilog=examples("tellapart demo\ntellapart demo --keep my-demo"))
@click.option("--keep", type=click.Path(), help="Keep the photos, the model and the report in this folder.")
def demo(keep: str | None) -> None:
    """See it all in under a minute, offline, on real pictures that are already on this machine."""
    from tellapart.demo import run_demo

    run_demo(keep, click.echo)


def print_summary(evaluation: dict[str, Any]) -> None:
    """The headline in bold, then what a person must know beside it."""
    from tellapart.scoring import summary

    first, *rest = summary(evaluation)
    click.secho(first, bold=True)
    for line in rest:
        click.echo(line)


def print_prediction(prediction: "Prediction", top: int, name_width: int) -> None:
    """One photo for people, its name padded to `name_width` letters (0: left out), and a bar a class if `top` > 1."""
    from tellapart.data.wording import shown

    name = shown(prediction.photo)
    if prediction.error is not None:
        click.secho(f"{name}: {prediction.error}", fg="yellow", err=True)
        return
    best = list((prediction.probs or {}).items())
    answer = str(prediction.answer)
    if answer == "not sure":
        answer += ": " + " or ".join(name for name, _ in best[:2])
    percent = f"  {_percent(best[0][1])}" if prediction.answer == prediction.class_name else ""
    click.echo((f"{name:<{name_width}}  " if name_width else "") + click.style(answer, bold=True) + percent)
    if top > 1:
        width = max(len(name) for name, _ in best[:top])
        for name, p in best[:top]:
            click.echo(f"  {name:<{width}}  {'█' * round(20 * p):<20}  {p:6.1%}")


def _percent(p: float) -> str:
    return ">99%" if 0.995 <= p < 1 else f"{p:.0%}"  # nothing here is certain


def write_csv(path: str, predictions: list["Prediction"], class_names: tuple[str, ...]) -> None:
    """One row a photo, one column a class; cells that a spreadsheet would run are quoted."""
    import csv
    import io
    from pathlib import Path

    from tellapart.atomic import write_file

    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["photo", "answer", "class_name", "confidence", "error", *map(_cell, class_names)])
    for p in predictions:
        probs = [f"{(p.probs or {}).get(name, 0):.6f}" if p.error is None else "" for name in class_names]
        confidence = "" if p.confidence is None else f"{p.confidence:.6f}"
        said = [_cell(value or "") for value in (p.photo, p.answer, p.class_name)]
        writer.writerow([*said, confidence, _cell(p.error or ""), *probs])
    write_file(Path(path), text.getvalue().encode("utf-8", "replace"))


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text

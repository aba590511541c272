"""`predict`, `info`, `suggest`: what a model says, what it is, and what to teach it next."""

import sys
from collections.abc import Iterable, Iterator
from typing import IO, TYPE_CHECKING

import click

from tellapart.cli.door import examples, json_option, progress_bars
from tellapart.cli.printing import print_json, print_prediction, say, write_csv, write_table
from tellapart.errors import InputError

SKIPPED_SHOWN = 5  # files that cannot be read; --json names all

if TYPE_CHECKING:
    from tellapart.model.prediction import Prediction


@click.command(
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

    from tellapart.data.source import scan_photos
    from tellapart.model.prediction import load
    from tellapart.storage.atomic import refuse_unwritable_file
    from tellapart.text import counted, shown

    if csv_file:
        refuse_unwritable_file(Path(csv_file))
    named = scan_photos(p for p in photos if p != "-")
    from_stdin = "-" in photos
    predictor = load(model)
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
        say(f"{counted(len(rows), 'answer')}: {csv_file}")
    if not n_answered:
        raise InputError("None of the photos could be read.", hint="Open one of them in a photo viewer.")


def _then_stdin(named: Iterable[str], stream: IO[str]) -> Iterator[str]:
    yield from named
    yield from (line.rstrip("\r\n") for line in stream if line.strip())


@click.command(
    epilog=examples(
        """
tellapart info burgers
tellapart info --versions"""
    )
)
@click.argument("model", type=click.Path(), required=False)
@click.option("--versions", is_flag=True, help="Print the versions of the libraries that read photos, instead.")
@json_option
def info(model: str | None, versions: bool, as_json: bool) -> None:
    """Say what MODEL is: its classes, its backbone, its score."""
    from pathlib import Path

    from tellapart.model.artifact import load_artifact

    if versions:
        _print_versions(as_json)
        return
    if model is None:
        raise click.UsageError("Missing argument 'MODEL'.")
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
    facts = manifest["model"]
    say(f"{manifest['name']}: {len(artifact.class_names)} classes", bold=True)
    say("  " + ", ".join(artifact.class_names))
    say(artifact.headline)
    say(f"Trained on {manifest['data']['n_train']:,} photos with tellapart {facts['tellapart']}.")
    say(f"Backbone: {facts['backbone']} ({facts['quality']}), {len(artifact.model) / 1e6:.1f} MB, computed in f32.")


def _print_versions(as_json: bool) -> None:
    """What is in memory to read photos, and what has to be upgraded."""
    import platform
    from importlib.metadata import version

    from tellapart.formats import codecs

    found, old = codecs.versions(), codecs.outdated()
    if as_json:
        rows = [vars(each) | {"version": found.get(each.name), "outdated": each in old} for each in codecs.LIBRARIES]
        print_json({"tellapart": version("tellapart"), "libraries": rows})
        return
    say(f"tellapart {version('tellapart')}, Python {platform.python_version()}, {platform.platform()}")
    for each in codecs.LIBRARIES:
        floor = f"at least {each.floor}" if codecs.is_held(each) else "the system's own"
        line = f"  {each.name:<14}{found.get(each.name, 'not loaded'):<12}{floor:<17}{', '.join(each.formats)}"
        say(line, bold=each in old)
        if each in old:
            say(f"    These photos are not read. Run: pip install --upgrade {each.package}")


@click.command(
    epilog=examples(
        """
tellapart suggest burgers unlabelled/ -n 50
tellapart suggest burgers unlabelled/ --csv label-these.csv"""
    )
)
@click.argument("model", type=click.Path())
@click.argument("photos", nargs=-1, required=True)
@click.option("-n", "--number", type=click.IntRange(1), default=50, show_default=True, help="How many to suggest.")
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False), help="Write them to this CSV file.")
@json_option
def suggest(model: str, photos: tuple[str, ...], number: int, csv_file: str | None, as_json: bool) -> None:
    """Say which unlabelled PHOTOS are worth labelling next to make MODEL better: close calls, and different ones."""
    from pathlib import Path

    from tellapart.storage.atomic import refuse_unwritable_file
    from tellapart.text import counted, shown
    from tellapart.workflow.suggest import suggest as suggest_photos

    if csv_file:
        refuse_unwritable_file(Path(csv_file))
    with progress_bars() as progress:
        suggested = suggest_photos(model, photos, number, progress)
    rows = [suggestion.to_json() for suggestion in suggested.suggestions]
    if csv_file:
        write_table(csv_file, ["photo", "reason", "class_name", "confidence"], [list(row.values()) for row in rows])
    if as_json:
        counts = {"n_looked_at": suggested.n_looked_at, "n_copies": suggested.n_copies}
        print_json({"suggestions": rows, **counts, "skipped": [vars(skipped) for skipped in suggested.skipped]})
        return
    if csv_file:
        say(f"{counted(len(rows), 'photo')} to label: {csv_file}")
    else:
        width = max((len(shown(row["photo"])) for row in rows), default=1)
        for row in rows:
            say(f"{shown(row['photo']):<{width}}  {row['reason']}")
    for skipped in suggested.skipped[:SKIPPED_SHOWN]:
        say(f"{shown(skipped.photo)}: {skipped.reason}", fg="yellow", err=True)
    if len(suggested.skipped) > SKIPPED_SHOWN:
        more = counted(len(suggested.skipped) - SKIPPED_SHOWN, "more file")
        say(f"{more} could not be read (--json names all).", err=True)
    if len(rows) < number:
        n_far = suggested.n_looked_at - suggested.n_copies - len(rows)
        more = f", and {n_far:,} more are unlike your training photos" if n_far else ""
        say(
            f"That is all: of {counted(suggested.n_looked_at, 'photo')} {suggested.n_copies:,} repeat another{more}.",
            err=True,
        )

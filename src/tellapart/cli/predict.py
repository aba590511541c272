"""`predict`: what a model says about photos."""

import sys
from collections.abc import Iterable, Iterator
from typing import IO, TYPE_CHECKING

import click

from tellapart.cli.options import FILE_TO_WRITE, examples, progress_bars
from tellapart.cli.output import print_json, print_prediction, say_written, write_csv
from tellapart.cli.streams import is_stdout
from tellapart.errors import InputError

if TYPE_CHECKING:
    from tellapart.model.predictions import Prediction


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
@click.option("--csv", "csv_file", type=FILE_TO_WRITE, help="Write the answers to this CSV file; - prints it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a photo, a line each.")
def predict(model: str, photos: tuple[str, ...], top: int, csv_file: str | None, as_json: bool) -> None:
    """Ask MODEL what is in PHOTOS: files, folders, globs, or "-" for paths on standard input.

    MODEL is a folder that `tellapart train` wrote, or "imagenet" for the bundled network's 1,000 everyday classes.
    """
    from pathlib import Path

    from tellapart.data.meaning.named_photos import scan_photos
    from tellapart.model.naming import refuse_swapped
    from tellapart.model.prediction import load
    from tellapart.storage.atomic import refuse_unwritable_file
    from tellapart.text import counted, shown

    refuse_swapped(model, photos, "tellapart predict")
    if as_json and is_stdout(csv_file):
        raise InputError("--json and --csv cannot both print.", hint="Name a file for --csv.")
    if csv_file and csv_file != "-":
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
            if as_json:
                print_json(prediction.to_json(), indent=None)
            elif not csv_file:
                print_prediction(prediction, top, width)
    if csv_file:
        write_csv(csv_file, rows, predictor.class_names)
        if not as_json:
            say_written(f"{counted(len(rows), 'answer')}: {shown(csv_file)}", csv_file)
    if not n_answered:
        raise InputError("None of the photos could be read.", hint="Open one of them in a photo viewer.")


def _then_stdin(named: Iterable[str], stream: IO[str]) -> Iterator[str]:
    yield from named
    yield from (line.rstrip("\r\n") for line in stream if line.strip())

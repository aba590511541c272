"""`predict`: what a model says about photos."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import IO, TYPE_CHECKING

import click

from tellapart.cli.answers import Into, into_shards
from tellapart.cli.options import FILE_TO_WRITE, allow_private_option, examples, progress_bars, ray_option
from tellapart.cli.output import TAKEN, print_json, print_prediction, say, say_written, write_csv
from tellapart.cli.streams import is_stdout
from tellapart.errors import InputError, PhotoError

if TYPE_CHECKING:
    from tellapart.model.predictions import Prediction
    from tellapart.workflow.sorting import Sorter


@click.command(
    epilog=examples(
        """
tellapart predict burgers lunch.jpg album/ '*.png'
find . -name '*.jpg' | tellapart predict burgers - --json
tellapart predict burgers album/ --csv answers.csv
tellapart predict burgers album/ --sort-into sorted
tellapart predict burgers s3://bucket/new https://example.org/lunch.jpg   (pip install "tellapart[cloud]")
tellapart predict burgers album/ -o answers         parquet in shards, for very many; the same again goes on
tellapart predict burgers album/ -o answers --shard 1/2
tellapart predict /nas/burgers /nas/album -o /nas/answers --ray auto  on all machines of a Ray cluster
tellapart predict imagenet cat.jpg --top 5"""
    )
)
@click.argument("model", type=click.Path())
@click.argument("photos", nargs=-1, required=True)
@click.option("--top", type=click.IntRange(1), default=1, show_default=True, help="How many classes to print a photo.")
@click.option("--csv", "csv_file", type=FILE_TO_WRITE, help="Write the answers to this CSV file; - prints it.")
@click.option(
    "--sort-into", metavar="DIR", type=click.Path(),
    help="Copy each photo into a folder of its answer in DIR; nothing is moved or overwritten.",
)  # fmt: skip
@allow_private_option
@click.option(
    "-o", "--output", metavar="DEST", type=click.Path(),
    help="Write the answers on one folder of photos into DEST, as shards of parquet that any number of processes fill.",
)  # fmt: skip
@click.option("--shard", "part", metavar="I/N", help="With -o: make only part I of N of the shards, counted from 1.")
@click.option(
    "--shard-size", type=click.IntRange(1, 1_000_000), metavar="PHOTOS",
    help="With -o: photos in a shard, 4096 unless DEST has others.",
)  # fmt: skip
@click.option(
    "--workers", type=click.IntRange(1, 1024),
    help="With -o: threads, usually one a core. With --ray: cores of each of its workers, 2 unless told, or "
    "with cuda a GPU's share.",
)  # fmt: skip
@click.option(
    "--device", type=click.Choice(["cpu", "cuda"]), show_default="cpu",
    help="With -o: what computes. cuda: a GPU, by ONNX Runtime, once it agrees with the processor.",
)  # fmt: skip
@ray_option
@click.option("--retry-failed", is_flag=True, help="With -o: read once more what could not be read.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a photo, a line each.")
def predict(
    model: str,
    photos: tuple[str, ...],
    top: int,
    csv_file: str | None,
    sort_into: str | None,
    allow_private: bool,
    output: str | None,
    part: str | None,
    shard_size: int | None,
    workers: int | None,
    device: str | None,
    ray: str | None,
    retry_failed: bool,
    as_json: bool,
) -> None:
    """Ask MODEL what is in PHOTOS: files, folders, globs, addresses, tables of these, or "-" for standard input.

    MODEL is a folder that `tellapart train` wrote, or "imagenet" for the bundled network's 1,000 everyday classes.
    """
    from tellapart.data.remote.named import Named
    from tellapart.model.naming import refuse_swapped
    from tellapart.model.prediction import load
    from tellapart.text import counted, shown

    refuse_swapped(model, photos, "tellapart predict")
    how, others = Into(part, shard_size, workers, device, ray, retry_failed), bool(csv_file or sort_into or top > 1)
    if into_shards(model, photos, output, how, others=others, allow_private=allow_private, as_json=as_json):
        return
    _refuse_csv(csv_file, as_json=as_json)
    source, from_stdin = Named((p for p in photos if p != "-"), allow_private=allow_private), "-" in photos
    predictor = load(model)
    sorter = _sorter(sort_into, predictor.class_names)
    named = sorter.outside(source.photos) if sorter else source.photos
    paths: Iterable[str] = _then_stdin(named, sys.stdin, sorter) if from_stdin else named
    width = 0 if len(named) == 1 and not from_stdin else max((len(shown(name)) for name in named), default=1)
    rows: list[tuple[Prediction, tuple[str, str]]] = []
    n_answered = 0
    with progress_bars() as progress:
        for done, prediction in enumerate(predictor.predict_many(source.fetched(paths)), start=1):
            if sorter or (csv_file and not from_stdin):
                progress("predicting", done, done if from_stdin else len(named))
            n_answered += prediction.error is None
            if sorter:
                sorter.sort(prediction)
            if csv_file:
                rows.append((prediction, _taken(prediction, source.taken)))
            if as_json:
                facts = dict(zip(TAKEN, _taken(prediction, source.taken), strict=True))
                print_json(prediction.to_json() | facts, indent=None)
            elif not csv_file and (prediction.error is not None or not sorter):
                print_prediction(prediction, top, width)
    for line in sorter.sentences() if sorter else ():
        say(line, err=as_json or is_stdout(csv_file))
    if csv_file:
        write_csv(csv_file, [said for said, _ in rows], predictor.class_names, [taken for _, taken in rows])
        if not as_json:
            say_written(f"{counted(len(rows), 'answer')}: {shown(csv_file)}", csv_file)
    if not n_answered:
        raise InputError("None of the photos could be read.", hint="Open one of them in a photo viewer.")


def _refuse_csv(csv_file: str | None, *, as_json: bool) -> None:
    """Returns where the table can be written, before any photo is asked about."""
    from pathlib import Path

    from tellapart.storage.atomic import refuse_unwritable_file

    if as_json and is_stdout(csv_file):
        raise InputError("--json and --csv cannot both print.", hint="Name a file for --csv.")
    if csv_file and csv_file != "-":
        refuse_unwritable_file(Path(csv_file))


def _sorter(target: str | None, class_names: Sequence[str]) -> "Sorter | None":
    if target is None:
        return None
    from tellapart.workflow.sorting import sorter

    return sorter(target, class_names)


def _taken(prediction: "Prediction", known: Mapping[str, tuple[str, str]]) -> tuple[str, str]:
    """The day and the camera of a photo that was answered, as its EXIF says them."""
    from tellapart.data import photo
    from tellapart.formats.metadata import taken

    if prediction.error is not None:
        return "", ""
    if prediction.photo in known:
        return known[prediction.photo]
    with suppress(PhotoError):  # it is gone meanwhile
        return taken(photo.read(prediction.photo))
    return "", ""


def _then_stdin(named: Iterable[str], stream: IO[str], sorter: "Sorter | None") -> Iterator[str]:
    """The photos named, then those that lines name; but none that lies in the folders that are being filled."""
    yield from named
    for line in stream:
        path = line.rstrip("\r\n")
        if line.strip() and not (sorter and sorter.is_inside(path)):
            yield path

"""`suggest`: what to teach a model next."""

import click

from tellapart.cli.options import FILE_TO_WRITE, examples, json_option, progress_bars
from tellapart.cli.output import print_json, say, say_written, write_table
from tellapart.cli.streams import is_stdout
from tellapart.errors import InputError

SKIPPED_SHOWN = 5  # files that cannot be read; --json names all


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
@click.option("--csv", "csv_file", type=FILE_TO_WRITE, help="Write them to this CSV file; - prints it.")
@json_option
def suggest(model: str, photos: tuple[str, ...], number: int, csv_file: str | None, as_json: bool) -> None:
    """Say which unlabelled PHOTOS are worth labelling next to make MODEL better: close calls, and different ones."""
    from pathlib import Path

    from tellapart.model.naming import refuse_swapped
    from tellapart.storage.atomic import refuse_unwritable_file
    from tellapart.text import counted, shown
    from tellapart.workflow.suggest import suggest as suggest_photos

    refuse_swapped(model, photos, "tellapart suggest")
    if as_json and is_stdout(csv_file):
        raise InputError("--json and --csv cannot both print.", hint="Name a file for --csv.")
    if csv_file and csv_file != "-":
        refuse_unwritable_file(Path(csv_file))
    with progress_bars() as progress:
        suggested = suggest_photos(model, photos, number, progress)
    rows = [suggestion.to_json() for suggestion in suggested.suggestions]
    if csv_file:
        write_table(csv_file, ["photo", "reason", "class_name", "confidence"], [list(row.values()) for row in rows])
    if as_json:
        print_json(suggested.to_json())
        return
    if csv_file:
        say_written(f"{counted(len(rows), 'photo')} to label: {shown(csv_file)}", csv_file)
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
        repeat = f"{suggested.n_copies:,} {'repeats' if suggested.n_copies == 1 else 'repeat'}"
        say(
            f"That is all: of {counted(suggested.n_looked_at, 'photo')} {repeat} another{more}.",
            err=True,
        )

"""`name`: what a finished model and its classes are called."""

import click

from tellapart.cli.options import examples, json_option
from tellapart.cli.output import print_json, say
from tellapart.errors import InputError
from tellapart.text import quoted


@click.command(
    epilog=examples(
        """
tellapart name burgers --title "Hot dog or cheeseburger"
tellapart name burgers --class hot_dog='Hot dog' --class cheeseburger=Cheeseburger
tellapart name burgers --class hot_dog=Hotdog -o hamburg      a new folder; the old one stays"""
    )
)
@click.argument("model", type=click.Path())
@click.option("--title", help="What to call the model.")
@click.option(
    "--class", "classes", multiple=True, metavar="NAME=NEW", help="Call the class NAME otherwise; may be repeated."
)
@click.option("-o", "--output", type=click.Path(), help="Write a new model folder, and leave MODEL as it is.")
@json_option
def name(model: str, title: str | None, classes: tuple[str, ...], output: str | None, as_json: bool) -> None:
    """Call MODEL and its classes otherwise: in answers, pages, report, exports and card.

    Nothing is trained, and no probability changes: that is proven before the folder is written anew. Labelled photos
    are still known by the names that the classes had when the model was trained.
    """
    from tellapart.workflow.name import name as give_names

    if title is None and not classes:
        raise click.UsageError("Nothing to name: give --title or --class NAME=NEW.")
    named = give_names(model, title=title, class_names=_wanted(classes), output=output)
    if as_json:
        print_json(vars(named))
        return
    say(f"{named.title}: {', '.join(named.class_names)}", bold=True)
    for file in named.kept:
        say(f"{file} keeps the old names: its words are not those that tellapart writes today.")
    say(f"Written: {output or model}, asked again about {named.n_proven} photos.")


def _wanted(classes: tuple[str, ...]) -> dict[str, str]:
    """{a name of now: the new one}."""
    wanted: dict[str, str] = {}
    for each in classes:
        old, equals, new = each.partition("=")
        if not equals or not old or not new.strip():
            raise InputError(
                f"--class {quoted(each)} has no two names.", hint="Write it like --class hot_dog='Hot dog'."
            )
        if old in wanted:
            raise InputError(f"--class names {quoted(old)} twice.", hint="Give each class one new name.")
        wanted[old] = new
    return wanted

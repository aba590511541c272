"""`explain`: how a model comes to its answer about one photo."""

import click

from tellapart.cli.options import examples, force_option, json_option, progress_bars
from tellapart.cli.output import print_json, print_prediction, say


@click.command(
    epilog=examples(
        """
tellapart explain burgers lunch.jpg -o lunch             lunch/explanation.html, and its pictures
tellapart explain burgers lunch.jpg -o lunch --among photos/"""
    )
)
@click.argument("model", type=click.Path())
@click.argument("photo", type=click.Path())
@click.option("-o", "--output", required=True, type=click.Path(), help="Folder to write.")
@click.option(
    "--among", type=click.Path(),
    help="Look for similar photos here.  [default: the photos that MODEL learned from, where they still are]",
)  # fmt: skip
@force_option
@json_option
def explain(model: str, photo: str, output: str, among: str | None, force: bool, as_json: bool) -> None:
    """Show how MODEL comes to its answer about PHOTO: a page and its pictures.

    Where it looked, what it cannot do without, what its layers see, and which training photos look most alike to it.
    """
    from pathlib import Path

    from tellapart.model.naming import refuse_swapped
    from tellapart.report.inside_page import PAGE
    from tellapart.text import shown
    from tellapart.workflow.explain import explain as explain_answer

    refuse_swapped(model, [photo], "tellapart explain")
    with progress_bars() as progress:
        inside = explain_answer(model, photo, output=output, among=among, force=force, progress=progress)
    if as_json:
        print_json(inside.to_json())
        return
    print_prediction(inside.prediction, 1, 0)
    for one in inside.neighbours[:3]:
        say(f"  alike: {shown(one.path)}")
    say(f"Page: {shown(str(Path(output, PAGE)))}")

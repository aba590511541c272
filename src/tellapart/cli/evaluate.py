"""`evaluate`: how a model does on other photos."""

import click

from tellapart.cli.options import (
    examples,
    force_option,
    group_by_option,
    json_option,
    progress_bars,
    robustness_option,
)
from tellapart.cli.output import print_json, print_summary, say


@click.command(
    epilog=examples(
        """
tellapart evaluate burgers other-photos/
tellapart evaluate burgers other-photos/ -o second-opinion     with a report to read"""
    )
)
@click.argument("model", type=click.Path())
@click.argument("photos", type=click.Path())
@click.option("-o", "--output", type=click.Path(), help="Folder for report.html and evaluation.json.")
@group_by_option
@robustness_option
@force_option
@json_option
def evaluate(
    model: str,
    photos: str,
    output: str | None,
    group_by: str | None,
    robustness: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Score MODEL on labelled PHOTOS that are new to it; classes are matched by name."""
    from pathlib import Path

    from tellapart.model.naming import refuse_swapped
    from tellapart.text import shown
    from tellapart.workflow.evaluate import evaluate as evaluate_model

    refuse_swapped(model, [photos], "tellapart evaluate")
    with progress_bars() as progress:
        evaluation = evaluate_model(
            model, photos, output=output, force=force, robustness=robustness, group_by=group_by, progress=progress
        )
    if as_json:
        print_json(evaluation.to_json())
        return
    print_summary(evaluation)
    for sentence in evaluation.costs.sentences if evaluation.costs else ():
        say(sentence)
    if output:
        say(f"\nReport: {shown(str(Path(output, 'report.html')))}")

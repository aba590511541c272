"""`compare`: which of two models is better."""

import click

from tellapart.cli.options import examples, group_by_option, json_option, progress_bars
from tellapart.cli.output import print_json, say

DIFFERING_SHOWN = 10  # photos; --json lists all


@click.command(
    epilog=examples(
        """
tellapart compare burgers burgers-best other-photos/
tellapart compare old new photos/ --json"""
    )
)
@click.argument("model_a", type=click.Path())
@click.argument("model_b", type=click.Path())
@click.argument("photos", type=click.Path())
@group_by_option
@json_option
def compare(model_a: str, model_b: str, photos: str, group_by: str | None, as_json: bool) -> None:
    """Say which of two models gets more of the labelled PHOTOS right, and whether that could be chance.

    Photos that either model was trained on are left out.
    """
    from tellapart.model.naming import refuse_swapped_pair
    from tellapart.workflow.compare import compare as compare_models

    refuse_swapped_pair([model_a, model_b], photos, "tellapart compare")
    with progress_bars() as progress:
        compared = compare_models(model_a, model_b, photos, group_by=group_by, progress=progress)
    if as_json:
        print_json(compared)
        return
    say(compared["sentence"], bold=True)
    for model in (compared["a"], compared["b"]):
        low, high = (round(100 * model[end]) for end in ("low", "high"))
        say(f"  {model['name']}: {model['n_right']:,} of {compared['n']:,} right ({low} to {high} % is plausible)")
    for note in (*compared["notes"], *compared["looked_for"]):
        say(note)
    for row in compared["differing"][:DIFFERING_SHOWN]:
        say(f"  · {row['photo']} ({row['class_name']}): {row['answer_a']}  |  {row['answer_b']}")
    if len(compared["differing"]) > DIFFERING_SHOWN:
        say(f"  … and {len(compared['differing']) - DIFFERING_SHOWN:,} more answered differently (--json)")

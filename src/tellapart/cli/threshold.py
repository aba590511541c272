"""`threshold`: what a mistake costs, and other thresholds for a finished model."""

from typing import TYPE_CHECKING

import click

from tellapart.cli.options import examples, json_option
from tellapart.cli.output import print_json, say
from tellapart.cli.wishes_options import wishes_from, wishes_options

if TYPE_CHECKING:
    from tellapart.evaluation.costs import Costs


@click.command(
    epilog=examples(
        """
tellapart threshold parts                                what a mistake costs; changes nothing
tellapart threshold parts --never-miss defect=0.99       at most about 1 of 100 defects gets another name
tellapart threshold parts --answer 0.8 -o sure-parts     name only the surest 80 of 100; a new folder"""
    )
)
@click.argument("model", type=click.Path())
@wishes_options
@click.option("-o", "--output", type=click.Path(), help="Write a new model folder, and leave MODEL as it is.")
@json_option
def threshold(model: str, answer: float | None, never_miss: tuple[str, ...], output: str | None, as_json: bool) -> None:
    """Say what mistakes of MODEL cost, and set its decision thresholds anew.

    --never-miss defect=0.99 gives at most about 1 of 100 defects another class's name; false alarms rise. --answer 0.9
    names the surest 90 of 100 of your own photos; the others get "not sure" or "none of these".

    Without either it only shows what can be had. With either, both are set: what is not named is as if it had never
    been. The thresholds are ranks among out-of-fold values that the model keeps; no photo is read.
    """
    from tellapart.evaluation.coverage import plainly
    from tellapart.text import counted, shown
    from tellapart.workflow.threshold import threshold as set_thresholds

    asked = answer is not None or never_miss
    decided = set_thresholds(model, wishes_from(answer, never_miss) if asked else None, output=output)
    if as_json:
        print_json(decided.to_json())
        return
    for sentence in (decided.coverage.sentences[0], plainly(decided.coverage), *decided.costs.sentences):
        say(sentence)
    if decided.note:
        say(decided.note)
    _print_tables(decided.costs)
    if asked:
        say(f"\nWritten: {shown(output or model)}, asked again about {counted(decided.n_proven, 'photo')}.")


def _print_tables(costs: "Costs") -> None:
    from tellapart.evaluation.wishes import of_photos

    if costs.n_test:
        say(
            f"\n{'to be named':<14}{'named':>14}{'wrong':>8}{'withheld':>14}{'of a new class let through':>30}",
            bold=True,
        )
    for row in costs.named if costs.n_test else ():
        new = "" if row.left_out is None else f"{row.left_out:.0%}"
        say(
            f"{row.answer:<14.0%}{f'{row.n_named:,} of {costs.n_test:,}':>14}{row.n_wrong:>8,}"
            f"{f'{row.n_withheld:,} of {row.n_mistakes:,}':>14}{new:>30}"
        )
    for c in costs.classes:
        say(f"\n{c.class_name}", bold=True)
        for miss in c.rows:
            low, high = (miss.false_alarms.low or 0.0, miss.false_alarms.high or 0.0)
            say(
                f"  miss at most {of_photos(1 - miss.recall):<12} ({1 - miss.high:.1%} to {1 - miss.low:.1%}): "
                f"{miss.n_missed:,} of {c.n_own:,} missed, {miss.n_false_alarms:,} of {c.n_others:,} false alarms "
                f"({low:.1%} to {high:.1%})"
            )
        for need in c.needed:
            say(f"  miss at most {of_photos(1 - need.recall):<12} takes {need.n_more:,} more photos of it")

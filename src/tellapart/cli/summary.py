"""`summary`: a network, layer by layer."""

import click

from tellapart.cli.options import examples, json_option
from tellapart.cli.output import print_json, say
from tellapart.extras import require


@click.command(
    epilog=examples(
        """
tellapart summary first-cnn
tellapart summary resnet18 --classes 10
tellapart summary my_network.py:Net --px 96"""
    )
)
@click.argument("network")
@click.option("--classes", type=click.IntRange(min=2), default=2, show_default=True, help="How many classes it tells.")
@click.option("--px", type=int, help="Side of the square input; the network's own unless told.")
@json_option
def summary(network: str, classes: int, px: int | None, as_json: bool) -> None:
    """Print the layers of NETWORK: what each gives, and how many numbers it learns.

    NETWORK is one of `tellapart backbones`, or your own as package.module:Class or file.py:Class, which is run.
    """
    require("deep", "Networks need a part of tellapart that is not installed.")
    from tellapart.deep.networks import build
    from tellapart.deep.summary import as_text
    from tellapart.deep.summary import summary as summary_of

    built = build(network, classes, input_px=px)
    rows = summary_of(built.module, built.input_px)
    if as_json:
        print_json(
            {
                "name": built.name,
                "title": built.title,
                "input_px": built.input_px,
                "parameters": built.n_parameters,
                "layers": [vars(row) for row in rows],
            }
        )
        return
    say(f"{built.title}, {built.input_px} px, {classes} classes", bold=True)
    say(as_text(rows))

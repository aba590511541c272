"""`demo`: a first look."""

import click

from tellapart.cli.options import examples
from tellapart.cli.output import say


@click.command(epilog=examples("tellapart demo\ntellapart demo --keep my-demo"))
@click.option("--keep", type=click.Path(), help="Keep the photos, the model and the report in this folder.")
def demo(keep: str | None) -> None:
    """See it all in under a minute, offline, on real photos of garments that come with it."""
    from tellapart.cli.demo_tour import run_demo

    run_demo(keep, say)

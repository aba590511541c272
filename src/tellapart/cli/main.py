"""The command group. Each command imports what it needs when it runs, so that `tellapart --help` is instant."""

import click

from tellapart.cli.asking import info, predict, suggest
from tellapart.cli.checking import check
from tellapart.cli.door import Commands, examples
from tellapart.cli.explaining import explain
from tellapart.cli.exporting import export
from tellapart.cli.networks import backbones, summary
from tellapart.cli.serving import serve
from tellapart.cli.training import compare, evaluate, train
from tellapart.cli.upkeep import cache, demo


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        """
tellapart demo                            see it all on pictures that it draws
tellapart train photos/ -o burgers        one folder of photos a class
tellapart predict burgers lunch.jpg       ask the model
tellapart predict imagenet cat.jpg        1,000 everyday classes, no training"""
    ),
)
@click.version_option(package_name="tellapart", message="tellapart %(version)s")
def main() -> None:
    """A folder of photos in, a classifier you can trust out."""


COMMANDS = (
    train,
    predict,
    evaluate,
    compare,
    check,
    suggest,
    explain,
    info,
    serve,
    export,
    backbones,
    summary,
    cache,
    demo,
)
for command in COMMANDS:
    main.add_command(command)

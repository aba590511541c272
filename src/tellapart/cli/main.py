"""The command group. Each command imports what it needs when it runs, so that `tellapart --help` is instant."""

import click

from tellapart.cli.backbones import backbones
from tellapart.cli.cache import cache
from tellapart.cli.check import check
from tellapart.cli.collect import collect
from tellapart.cli.compare import compare
from tellapart.cli.demo import demo
from tellapart.cli.doctor import doctor
from tellapart.cli.embed import embed
from tellapart.cli.evaluate import evaluate
from tellapart.cli.explain import explain
from tellapart.cli.export import export
from tellapart.cli.info import info
from tellapart.cli.name import name
from tellapart.cli.options import Commands, examples
from tellapart.cli.predict import predict
from tellapart.cli.serve import serve
from tellapart.cli.similar import similar
from tellapart.cli.status import status
from tellapart.cli.studio import studio
from tellapart.cli.suggest import suggest
from tellapart.cli.summary import summary
from tellapart.cli.threshold import threshold
from tellapart.cli.train import train


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        """
tellapart demo                            see it all on photos that come with it
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
    threshold,
    name,
    collect,
    check,
    suggest,
    explain,
    info,
    serve,
    studio,
    export,
    backbones,
    summary,
    embed,
    status,
    similar,
    cache,
    doctor,
    demo,
)
for command in COMMANDS:
    main.add_command(command)

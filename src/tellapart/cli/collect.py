"""`collect`: photos from a list of addresses, with where each came from."""

import click

from tellapart.cli.options import INTERRUPTED, examples, json_option, progress_bars
from tellapart.cli.output import print_json, say
from tellapart.errors import InputError
from tellapart.text import counted, shown

REASONS_SHOWN = 5


@click.command(
    epilog=examples(
        """
tellapart collect hats.txt -o photos/hat            one address a line; the same again goes on where it stopped
tellapart collect all.csv -o photos                 columns url, label, licence: a folder a label
tellapart collect hats.txt -o photos/hat --retry-failed
tellapart collect hats.txt -o photos/hat --contact ada@example.org"""
    )
)
@click.argument("addresses", type=click.Path(dir_okay=False))
@click.option("-o", "--output", metavar="FOLDER", required=True, type=click.Path(file_okay=False),
              help="Folder of photos, new or to go on with.")  # fmt: skip
@click.option("--retry-failed", is_flag=True, help="Ask addresses once more that gave no photo before.")
@click.option(
    "--max-mb", type=click.FloatRange(0, 200, min_open=True), default=50.0, show_default=True, metavar="MB",
    help="Of one photo.",
)  # fmt: skip
@click.option(
    "--timeout", type=click.FloatRange(0, 3600, min_open=True), default=60.0, show_default=True, metavar="SECONDS",
    help="For one photo, from asking to its last byte.",
)  # fmt: skip
@click.option("--contact", metavar="TEXT", default="", help="Who asks, such as an e-mail address; hosts are told.")
@click.option("--allow-private", is_flag=True, help="Also ask hosts of this machine and of private networks.")
@json_option
def collect(
    addresses: str,
    output: str,
    retry_failed: bool,
    max_mb: float,
    timeout: float,
    contact: str,
    allow_private: bool,
    as_json: bool,
) -> None:
    """Fetch the photos that the file ADDRESSES lists into a folder.

    A table beside the folder, FOLDER.collected.csv, says of each address where its photo lies, where it came from,
    under which licence, when and with which hash, or why there is none. What was fetched is not fetched again, exact
    copies are stored once, and no file is ever replaced. At most two addresses of a host are asked at once.
    """
    from pathlib import Path

    import tellapart
    from tellapart.data.collecting.collect import collect, table_of
    from tellapart.data.collecting.fetching import Terms
    from tellapart.data.collecting.wanted import read_wanted

    if not (contact.isascii() and contact.isprintable()):
        raise InputError("--contact takes plain ASCII letters alone.", hint="An e-mail address or a web address does.")
    agent = f"tellapart/{tellapart.__version__} (photos for a classifier; {contact or 'run by one person'})"
    terms = Terms(int(max_mb * 1e6), timeout, agent, allow_private=allow_private)
    wanted = read_wanted(addresses)
    try:
        with progress_bars() as progress:
            done = collect(wanted, Path(output), terms, retry_failed=retry_failed, progress=progress)
    except KeyboardInterrupt:
        say("Stopped. What was fetched is kept; the same command goes on.", err=True)
        click.get_current_context().exit(INTERRUPTED)
    if as_json:
        print_json({**vars(done), "table": str(table_of(Path(output)))})
        return
    said = [f"{counted(done.new, 'new photo')} in {shown(output)}"]
    said += [f"{counted(done.copies, 'copy', 'copies')} of others stored once"] if done.copies else []
    said += [f"{counted(done.before, 'address', 'addresses')} done before"] if done.before else []
    say("; ".join(said) + ".", bold=True)
    refused = sum(done.refused.values())
    if refused:
        say(f"{counted(refused, 'address', 'addresses')} gave no photo:", err=True)
        for reason, number in list(done.refused.items())[:REASONS_SHOWN]:
            say(f"  {number:,} × {shown(reason)}", err=True)
        if len(done.refused) > REASONS_SHOWN:
            say(f"  and {counted(len(done.refused) - REASONS_SHOWN, 'other reason')}.", err=True)
        say("Each stands in the table. --retry-failed asks them once more.", err=True)
    say(f"Where each came from: {shown(str(table_of(Path(output))))}")

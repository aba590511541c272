"""`studio`: photos labelled on a page of this machine."""

import os
import sys
from typing import TYPE_CHECKING

import click

from tellapart.cli.address import open_browser, url
from tellapart.cli.listening import listener_at, log_to_stderr
from tellapart.cli.options import examples, progress_bars
from tellapart.cli.output import say
from tellapart.errors import InputError
from tellapart.extras import require

if TYPE_CHECKING:
    from pathlib import Path

    from tellapart.studio.session import Session

HOST = "127.0.0.1"
MAX_LABELS_BYTES = 200_000_000  # of a file of labels; an export of 100,000 photos from Label Studio is half of it
NEW = "studio"  # the folder that is made where none is named


@click.command(
    epilog=examples(
        """
tellapart studio photos/              a folder of photos, with or without class folders
tellapart studio photos/ -o burgers   the model that is made of them goes to ./burgers
tellapart studio photos.csv           the photos of a label file
tellapart studio                      begin anew, in ./studio
tellapart studio photos/ --labels export.json
                                      labels of Label Studio, FiftyOne or a table"""
    )
)
@click.argument("photos", type=click.Path(), required=False)
@click.option(
    "-o", "--output", type=click.Path(), metavar="MODEL", help="Folder for the model.  [default: PHOTOS.studio/model]"
)
@click.option(
    "--labels",
    type=click.Path(),
    metavar="FILE",
    help="Take the labels in FILE for photos that have none: a CSV, TSV or JSONL with path and label, or an export of "
    "Label Studio or FiftyOne.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0, the default, takes any that is free.")
@click.option("--no-browser", is_flag=True, help="Print the address, and open no browser.")
def studio(photos: str | None, output: str | None, labels: str | None, port: int, no_browser: bool) -> None:
    """Label PHOTOS on a page, mend what is doubtful, train, and share the model.

    In bulk, by mouse, touch or keys, with undo that outlives a restart. What you say is kept in PHOTOS.studio, a line
    for each action; the photos stay as and where they are until you ask for it, and nothing leaves this machine.
    Ctrl-C ends it.
    """
    import asyncio
    from functools import partial
    from pathlib import Path

    require("serve", "The studio needs a part of tellapart that is not installed.")
    from tellapart.server.shell.app import Settings
    from tellapart.server.shell.token import new_token
    from tellapart.studio.journal import open_journal
    from tellapart.studio.lifecycle import serve as run_server
    from tellapart.studio.place import is_beside, place_of
    from tellapart.studio.session import Session

    if photos is None:
        photos = NEW
        _make(Path(NEW))
    if not Path(photos).exists():
        raise InputError(f"There is no '{photos}'.", hint="Name a folder of photos, or none to begin anew.")
    folder, token = place_of(photos), new_token()
    beside = is_beside(folder, photos)
    try:
        with open_journal(folder) as journal, listener_at(HOST, port) as listener:
            session = Session(photos, folder, journal, beside=beside)
            with progress_bars() as progress:
                session.look(progress)
            taken = _take_labels(session, labels) if labels else []
            session.whole_as_sent()  # the first page is about to ask
            address = f"{url(HOST, listener.getsockname()[1])}/#token={token}"
            log_to_stderr(quiet=True)
            model = Path(output or folder / "model").absolute()
            told = partial(_tell, session, address, taken, not no_browser)
            asyncio.run(run_server(listener, session, model, Settings(token=token), told))
    except PermissionError as error:
        raise InputError(
            f"'{folder}' holds what was said of these photos, and may not be written to.",
            hint="Mend its permissions.",
        ) from error


def _make(folder: "Path") -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(
            f"The folder '{folder}' cannot be made here.", hint="Name a folder of photos: tellapart studio PHOTOS"
        ) from error


def _take_labels(session: "Session", path: str) -> list[str]:
    """Give the labels in a file to photos that have none; what was done, and what was not, in sentences."""
    from tellapart.studio.labels_in.taking import sentences

    try:
        with open(path, "rb") as file:
            content = file.read(MAX_LABELS_BYTES + 1)
    except (OSError, ValueError) as error:
        why = (getattr(error, "strerror", None) or "the system refused").lower()
        raise InputError(f"'{path}' cannot be read: {why}.", hint="Name a file of labels.") from error
    if len(content) > MAX_LABELS_BYTES:
        raise InputError(
            f"'{path}' is larger than {MAX_LABELS_BYTES // 10**6} MB.", hint="Divide it, and take one after the other."
        )
    return sentences(session.labels(content, path, "new", os.path.dirname(path) or "."), path)


def _tell(session: "Session", address: str, taken: list[str], opens: bool) -> None:
    """Where it is, and where what is said is kept, once it answers."""
    say(f"The studio of '{session.source}': {address}", bold=True)
    for sentence in (*session.heap.notes, *taken, session.described()):
        say(sentence)
    if not session.beside:
        say(f"There is no place for it beside the photos, so it is kept in {session.folder}.", fg="yellow")
    say("The photos are neither moved nor changed, and nothing leaves this machine. Ctrl-C ends it.")
    if opens and not open_browser(address):
        say("There is no browser to open here: open the address above.", fg="yellow", err=True)
    sys.stdout.flush()

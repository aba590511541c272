"""What every command shares: errors become exit codes, options mean the same everywhere, stages show bars."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import click

from tellapart.cli import streams
from tellapart.cli.interrupts import wait_for_imports
from tellapart.cli.output import say
from tellapart.cli.wrong_words import corrected
from tellapart.errors import (
    ArtifactError,
    InputError,
    MissingExtraError,
    NoClassesError,
    PhotoError,
    TellapartError,
    TrainingError,
)
from tellapart.extras import incomplete
from tellapart.text import shown, shown_lines

if TYPE_CHECKING:
    from tellapart.timing import Progress

# 2: the person can mend it; 1: we could not do it. A test requires every class of errors.py here.
EXIT_CODES: dict[type[TellapartError], int] = {
    TellapartError: 1,
    InputError: 2,
    NoClassesError: 2,
    PhotoError: 2,
    ArtifactError: 2,
    TrainingError: 1,
    MissingExtraError: 2,
}
INTERRUPTED = 130  # what shells report for Ctrl-C
FILE_TO_WRITE = click.Path(dir_okay=False, readable=False, allow_dash=True)  # or "-", standard output
SLOW_S = 0.5  # a stage that takes less shows no bar


class Commands(click.Group):
    """The command group: errors raised on purpose become a sentence, a hint and an exit code here."""

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """Read the group's own part of the command line."""
        with _visible():
            return super().make_context(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        wait_for_imports()
        streams.starting()
        try:
            with _visible(), _whole():
                return super().invoke(ctx)
        except TellapartError as error:
            say(f"Error: {shown(error.message)}", fg="red", err=True)
            if error.hint:
                say(f"Hint: {error.hint}", err=True)
            ctx.exit(EXIT_CODES[type(error)])
        except (KeyboardInterrupt, click.Abort):
            say("Stopped. No result was written.", err=True)
            ctx.exit(INTERRUPTED)
        finally:
            streams.started()

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the whole program: any letter can be printed, and an output that cannot be written gets a sentence."""
        streams.prepare()
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _show_warning
                return super().main(*args, **options)
        except OSError as error:
            said = streams.failed(error)
            if said is None:
                raise
            if said:
                with suppress(OSError):
                    say(f"Error: {said}", fg="red", err=True)
                    say("Hint: Choose another place, or make room and check the folder's permissions.", err=True)
            sys.exit(EXIT_CODES[TellapartError] if said else 0)  # a reader, such as `head`, has seen enough


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """A warning as a line for people, which nothing in it steers."""
    say(f"Note: {shown(str(message))}", err=True)


@contextmanager
def _visible() -> Iterator[None]:
    """Click's refusals hold parts of the command line, such as file names that a shell put in for a star.

    A reader that has seen enough, such as `head`, is no error; click would make it one.
    """
    try:
        yield
    except BrokenPipeError as error:
        streams.failed(error)
        raise click.exceptions.Exit(0) from error
    except click.UsageError as error:
        better = corrected(error)
        better.message = shown_lines(better.message)  # type: ignore[misc]
        raise better from error
    except click.ClickException as error:
        error.message = shown_lines(error.message)  # type: ignore[misc]
        raise


@contextmanager
def _whole() -> Iterator[None]:
    """A copy of tellapart that was made to answer alone, as in an exported container, says so."""
    try:
        yield
    except ModuleNotFoundError as error:
        lacking = incomplete(error)
        if lacking is None:
            raise
        raise lacking from error


def examples(text: str) -> str:
    """An epilog of example lines that click does not re-wrap."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in text.strip().splitlines())


@contextmanager
def progress_bars() -> Iterator["Progress"]:
    """Bars with rate and time left, one a stage; silent where standard error is not a terminal."""
    from tqdm import tqdm

    bars: dict[str, tqdm] = {}

    def report(stage: str, done: int, total: int) -> None:
        if stage not in bars:
            for bar in bars.values():
                bar.close()
            bars[stage] = tqdm(
                total=total,
                desc=shown(stage.capitalize()),
                unit=" photos" if total > 100 else "",
                delay=SLOW_S,
                leave=False,
                dynamic_ncols=True,
                disable=not sys.stderr.isatty(),
            )
        bars[stage].update(done - bars[stage].n)

    try:
        yield report
    finally:
        for bar in bars.values():
            bar.close()


quality_option = click.option(
    "--quality", type=click.Choice(["fast", "balanced", "best"]), default="balanced", show_default=True,
    help="Which bundled network looks at the photos.",
)  # fmt: skip
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
group_by_option = click.option(
    "--group-by", metavar="PATTERN",
    help="Keep photos of one group together, by a glob over paths with {group} in it, a column of a table, or none. "
    "A column group, scene, session, subject, patient or lot groups unasked.",
)  # fmt: skip
allow_private_option = click.option(
    "--allow-private", is_flag=True,
    help="Addresses may lead to hosts of this network.",
)  # fmt: skip
ray_option = click.option(
    "--ray", metavar="auto|HOST:PORT",
    help="Hand the shards out to all machines of the Ray cluster that this one belongs to, or to that of this head.",
)  # fmt: skip
force_option = click.option("--force", is_flag=True, help="Replace an existing folder once the new one is complete.")
robustness_option = click.option(
    "--robustness", is_flag=True,
    help="Also spoil up to 300 test photos (dark, blurred, noisy, …) and count right answers; 0.25 s a photo.",
)  # fmt: skip

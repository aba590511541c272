"""The options that say what a mistake costs, and the wishes that they make."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from tellapart.errors import InputError
from tellapart.text import quoted

if TYPE_CHECKING:
    from tellapart.recipe import Wishes

OPTIONS = (
    click.option(
        "--answer", type=float, metavar="SHARE", help="Share of own photos to be named; 0.95 unless told.",
    ),
    click.option(
        "--never-miss", multiple=True, metavar="CLASS=SHARE",
        help="As in defect=0.99; repeatable.",
    ),
)  # fmt: skip


def wishes_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` the options of what a mistake costs: `answer` and `never_miss`."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def wishes_from(answer: float | None, never_miss: Sequence[str]) -> "Wishes":
    """The wishes that the options name.

    Raises:
        InputError: a share is no number or out of range, or a class is named with two shares.
    """
    from tellapart.recipe import ANSWERED, Wishes

    shares: dict[str, float] = {}
    for text in never_miss:
        name, _, number = text.rpartition("=")
        try:
            share = float(number)
        except ValueError:
            share = None
        if not name or share is None:
            raise InputError(
                f"--never-miss must be a class and a share. Got {quoted(text)}.",
                hint="Such as --never-miss defect=0.99",
            )
        if shares.setdefault(name, share) != share:
            raise InputError(
                f"--never-miss names {quoted(name)} with two shares, {shares[name]:g} and {share:g}.",
                hint="Name each class once.",
            )
    return Wishes(ANSWERED if answer is None else answer, shares)

"""`status`: where a folder of shards stands."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from tellapart.cli.options import INTERRUPTED, examples, json_option, progress_bars
from tellapart.cli.output import print_json, say
from tellapart.text import counted, shown

if TYPE_CHECKING:
    from tellapart.shards.embedding import Filling
    from tellapart.shards.state import State
    from tellapart.shards.work import Embedded

SHOWN = 10  # reasons, and shards that are not done; --json has all


@click.command(epilog=examples("tellapart status shards\ntellapart status shards --json"))
@click.argument("dest", type=click.Path())
@json_option
def status(dest: str, as_json: bool) -> None:
    """Say what is done in DEST, a folder of shards, what was skipped and why, and which processors made it.

    Every file that was found is used, skipped or waiting.
    """
    from tellapart.data.remote.place import place_named
    from tellapart.shards.state import state_of

    state = state_of(place_named(dest))
    if as_json:
        print_json(state.to_json())
        return
    say(f"{state.done:,} of {counted(state.n_shards, 'shard')} done.", bold=True)
    for line in as_lines(state):
        say(line)


@contextmanager
def resumable() -> Iterator[None]:
    """Ctrl-C says how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        say("Stopped. Shards that are done are kept; the same command makes the others.", err=True)
        click.get_current_context().exit(INTERRUPTED)


def filled(job: "Filling", workers: int | None, ray: str | None) -> "Embedded":
    """Have a folder of shards filled, by this process or by the cluster that `ray` names."""
    with resumable(), progress_bars() as progress:
        if ray is None:
            return job.run(n_workers=workers, progress=progress)
        from tellapart.cluster.handing import hand_out

        return hand_out(job, ray, cores=workers, progress=progress)


def tell_made(done: "Embedded", output: str, *, as_json: bool, changed_hint: str = "") -> "State":
    """Say what a command has put into the folder of shards `output`, and where that stands now; which is returned."""
    from tellapart.data.remote.place import place_named
    from tellapart.shards.state import state_of

    if done.changed:
        files = counted(done.changed, "photo is", "photos are")
        say(f"Note: {files} new or gone since the list in {shown(output)} was made, which stays as it is.", err=True)
        if changed_hint:
            say(changed_hint, err=True)
    state = state_of(place_named(output))
    if as_json:
        print_json({"made": done.made, "changed": done.changed, **state.to_json()})
        return state
    say(f"{counted(done.made, 'shard')} of {counted(done.photos, 'photo')} made.", bold=True)
    for line in as_lines(state):
        say(line)
    return state


def as_lines(state: "State") -> Iterator[str]:
    """What a person must know, a line each."""
    waiting = f" + {state.waiting:,} waiting" if state.waiting else ""
    yield f"{counted(state.found, 'file')} found = {state.used:,} used + {state.skipped:,} skipped{waiting}."
    reasons = list(state.reasons.items())
    for why, n in reasons[:SHOWN]:
        yield f"  {n:,} × {why}"
    if len(reasons) > SHOWN:
        yield f"  … and {counted(len(reasons) - SHOWN, 'other reason')} (--json lists all)"
    if state.gone:
        yield f"{counted(state.gone, 'photo')} gone or changed since: marked in the list, and not used."
    if state.not_done:
        first = ", ".join(str(shard) for shard in state.not_done[:SHOWN])
        yield f"Not done: {first}{' …' if len(state.not_done) > SHOWN else ''}. The same command makes them."
    if len(state.processors) > 1:
        kinds = ", ".join(f"{name} ({counted(n, 'shard')})" for name, n in state.processors.items())
        yield (
            f"Made by {len(state.processors)} kinds of processor, which round differently: {kinds}. "
            "Features of the same photo differ by millionths."
        )

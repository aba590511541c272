"""What `predict -o DEST` does: answers on many photos, in shards."""

from functools import partial

import click

from tellapart.cli.options import INTERRUPTED, progress_bars
from tellapart.cli.output import class_columns, print_json, say
from tellapart.errors import InputError
from tellapart.text import counted, shown


def into_shards(
    model: str,
    photos: tuple[str, ...],
    output: str | None,
    how: tuple[str | None, int | None, int | None, bool],
    *,
    others: bool,
    allow_private: bool,
    as_json: bool,
) -> bool:
    """Fill the folder `output` with what `model` says of photos, and say where it stands; False where none is named.

    Args:
        model: a folder, or "imagenet".
        photos: one folder of photos, a zip or a table.
        output: the folder of shards.
        how: which part of the shards, photos in a shard, threads, and whether failures are tried again.
        others: whether options were given that go with printed answers alone.
        allow_private: whether addresses of the web may lead to hosts of this network.
        as_json: whether it is said for machines.

    Raises:
        InputError: the options do not go together.
    """
    if output is None:
        if any(how):
            raise InputError(
                "--shard, --shard-size, --workers and --retry-failed go with -o.", hint="Name a folder to fill with -o."
            )
        return False
    if others or len(photos) > 1 or photos[0] == "-":
        raise InputError(
            "-o goes with one folder of photos, and without --top, --csv and --sort-into.",
            hint="Ask about one folder after the other, each with its own -o.",
        )
    _fill(model, photos[0], output, how, allow_private=allow_private, as_json=as_json)
    return True


def _fill(
    model: str,
    source: str,
    output: str,
    how: tuple[str | None, int | None, int | None, bool],
    *,
    allow_private: bool,
    as_json: bool,
) -> None:
    from tellapart.cli.status import as_lines
    from tellapart.data.remote.place import place_named
    from tellapart.shards.embedding import Part
    from tellapart.shards.state import state_of
    from tellapart.workflow.many.answering import OWN, answer

    part, shard_size, workers, retry_failed = how
    own = Part.parse(part) if part else Part()
    try:
        with progress_bars() as progress:
            done = answer(
                model, source, place_named(output), partial(class_columns, beside=OWN), shard_size=shard_size, part=own,
                n_workers=workers, retry_failed=retry_failed, allow_private=allow_private, progress=progress,
            )  # fmt: skip
    except KeyboardInterrupt:
        say("Stopped. Shards that are done are kept; the same command makes the others.", err=True)
        click.get_current_context().exit(INTERRUPTED)
    if done.changed:
        files = counted(done.changed, "photo is", "photos are")
        say(f"Note: {files} new or gone since the list in {shown(output)} was made, which stays as it is.", err=True)
    state = state_of(place_named(output))
    if as_json:
        print_json({"made": done.made, "changed": done.changed, **state.to_json()})
        return
    say(f"{counted(done.made, 'shard')} of {counted(done.photos, 'photo')} made.", bold=True)
    for line in as_lines(state):
        say(line)

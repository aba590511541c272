"""What `predict -o DEST` does: answers on many photos, in shards."""

from functools import partial

from tellapart.cli.options import progress_bars
from tellapart.cli.output import class_columns
from tellapart.errors import InputError


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
    from tellapart.cli.status import resumable, tell_made
    from tellapart.data.remote.place import place_named
    from tellapart.shards.embedding import Part
    from tellapart.workflow.many.answering import OWN, answer

    part, shard_size, workers, retry_failed = how
    own = Part.parse(part) if part else Part()
    with resumable(), progress_bars() as progress:
        done = answer(
            model, source, place_named(output), partial(class_columns, beside=OWN), shard_size=shard_size, part=own,
            n_workers=workers, retry_failed=retry_failed, allow_private=allow_private, progress=progress,
        )  # fmt: skip
    tell_made(done, output, as_json=as_json)

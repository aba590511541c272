"""What `predict -o DEST` does: answers on many photos, in shards."""

from collections.abc import Sequence
from typing import NamedTuple

from tellapart.cli.output import class_columns
from tellapart.errors import InputError


class Into(NamedTuple):
    """Options that go with -o alone.

    Args:
        part: which part of the shards, as `--shard` has it.
        shard_size: photos in a shard.
        workers: threads.
        device: what computes; None is the processor.
        ray: the cluster that makes them.
        retry_failed: whether photos that could not be read are tried again.
    """

    part: str | None
    shard_size: int | None
    workers: int | None
    device: str | None
    ray: str | None
    retry_failed: bool


def into_shards(
    model: str,
    photos: tuple[str, ...],
    output: str | None,
    how: Into,
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
        how: options that go with it.
        others: whether options were given that go with printed answers alone.
        allow_private: whether addresses of the web may lead to hosts of this network.
        as_json: whether it is said for machines.

    Raises:
        InputError: the options do not go together.
    """
    if output is None:
        if any(how):
            raise InputError(
                "--shard, --shard-size, --workers, --device, --ray and --retry-failed go with -o.",
                hint="Name a folder to fill with -o.",
            )
        return False
    if others or len(photos) > 1 or photos[0] == "-":
        raise InputError(
            "-o goes with one folder of photos, and without --top, --csv and --sort-into.",
            hint="Ask about one folder after the other, each with its own -o.",
        )
    _fill(model, photos[0], output, how, allow_private=allow_private, as_json=as_json)
    return True


def _fill(model: str, source: str, output: str, how: Into, *, allow_private: bool, as_json: bool) -> None:
    from tellapart.cli.status import filled, tell_made
    from tellapart.data.remote.place import place_named
    from tellapart.shards.embedding import Part
    from tellapart.workflow.many.answering import AnswerJob

    part = Part.parse(how.part) if how.part else Part()
    place = place_named(output)
    job = AnswerJob(
        model, source, place, name_columns, how.shard_size, part, how.retry_failed, allow_private, how.device or "cpu"
    )  # fmt: skip
    tell_made(filled(job, how.workers, how.ray), output, as_json=as_json)


def name_columns(class_names: Sequence[str]) -> list[str]:
    """A column's name for each class, as `predict --csv` has it; other processes find it by its name."""
    from tellapart.workflow.many.answering import OWN

    return class_columns(class_names, OWN)

"""`embed`: features of many photos, in shards that any number of processes fill."""

from typing import TYPE_CHECKING, Any

import click

from tellapart.cli.options import (
    allow_private_option,
    examples,
    group_by_option,
    json_option,
    progress_bars,
    quality_option,
    ray_option,
)
from tellapart.cli.output import print_json, say
from tellapart.errors import InputError
from tellapart.text import counted, for_shell

if TYPE_CHECKING:
    from tellapart.data.preprocess import ResizeMode
    from tellapart.shards.embedding import Plan


@click.command(
    epilog=examples(
        """
tellapart embed photos/ --plan                      how many photos, how large, how many hours
tellapart embed photos/ -o shards                   the same again goes on where it was stopped
tellapart embed photos/ -o /nas/shards --shard 1/2  on one machine, 2/2 on another; or the same on both
tellapart embed /nas/photos -o /nas/shards --ray auto  on all machines of a Ray cluster
tellapart embed photos/ -o shards --retry-failed    once more the photos that could not be read
tellapart embed photos/ -o shards --update          photos that came since; those that went are marked
tellapart embed s3://bucket/photos -o s3://bucket/shards
tellapart embed 's3://bucket/train-{0000..0127}.tar' -o shards
tellapart status shards
tellapart train shards -o burgers"""
    )
)
@click.argument("photos", type=click.Path())
@click.option(
    "-o", "--output", metavar="DEST", type=click.Path(), help="Folder of shards, or its address; new or to go on with."
)
@quality_option
@click.option(
    "--fit", type=click.Choice(["crop", "squash"]), default="crop", show_default=True,
    help="crop: look at the middle square of a photo; squash: at all of it, out of shape.",
)  # fmt: skip
@click.option(
    "--precision", type=click.Choice(["float32", "float16"]), default="float32", show_default=True,
    help="Of the features; float16 takes half the room.",
)  # fmt: skip
@click.option(
    "--shard-size", type=click.IntRange(1, 1_000_000), show_default="4096, or that of DEST", metavar="PHOTOS",
    help="Photos in a shard; a stop costs the shard in work.",
)  # fmt: skip
@click.option("--shard", "part", metavar="I/N", help="Make only part I of N of the shards, counted from 1.")
@click.option(
    "--workers", type=click.IntRange(1, 1024), show_default="one a core",
    help="Threads that read photos and compute. With --ray: cores of each of its workers, of which there are then as "
    "many as there is room for; 2 unless told, or with cuda a GPU's share.",
)  # fmt: skip
@click.option(
    "--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True,
    help="cuda: a GPU, by ONNX Runtime, once it agrees with the processor. A folder holds features of one of both.",
)  # fmt: skip
@ray_option
@click.option(
    "--retry-failed", is_flag=True, help="Read once more what was skipped, and files that were empty when listed."
)
@click.option(
    "--update", is_flag=True,
    help="Add photos that are new or changed since DEST was begun, in shards of their own; mark those that are gone.",
)  # fmt: skip
@click.option("--plan", "only_plan", is_flag=True, help="Try 200 photos, say what all would take, and write nothing.")
@group_by_option
@allow_private_option
@json_option
def embed(
    photos: str,
    output: str | None,
    quality: str,
    fit: "ResizeMode",
    precision: str,
    shard_size: int | None,
    part: str | None,
    workers: int | None,
    device: str,
    ray: str | None,
    retry_failed: bool,
    update: bool,
    only_plan: bool,
    group_by: str | None,
    allow_private: bool,
    as_json: bool,
) -> None:
    """Compute the features of PHOTOS once and keep them in DEST, as shards that any number of processes fill.

    A shard is written when all of it is done, so a stop or a kill leaves whole shards, and the same command makes the
    others. PHOTOS is what `train` takes, or a folder of photos without classes, and both may lie elsewhere: s3://, gs://,
    az://, and for PHOTOS hf://, https:// and tars. Needs the extra shards, or cloud, and cluster for --ray.
    """
    from tellapart.cli.status import filled, tell_made
    from tellapart.data.remote.place import place_named
    from tellapart.shards.embedding import EmbedJob, How, Part, plan

    how = How(quality, fit, precision, shard_size, device)
    if only_plan:
        with progress_bars() as progress:
            planned = plan(photos, how, n_workers=workers, allow_private=allow_private, progress=progress)
        _print_plan(planned, as_json=as_json)
        return
    if output is None:
        raise InputError("There is no folder to write to.", hint="Name one with -o, or see what it takes with --plan.")
    own = Part.parse(part) if part else Part()
    job = EmbedJob(photos, place_named(output), how, own, retry_failed, group_by, allow_private, update)
    done = filled(job, workers, ray)
    state = tell_made(done, output, as_json=as_json, changed_hint="--update brings it up to date.")
    if not as_json and not state.not_done:
        say(f"\nTrain on them: tellapart train {for_shell(output)} -o MODEL{_same(quality, fit)}")


def _same(quality: str, fit: str) -> str:
    """The options by which `train` takes the same network."""
    chosen: dict[str, Any] = {"--quality": (quality, "balanced"), "--fit": (fit, "crop")}
    return "".join(f" {option} {value}" for option, (value, usual) in chosen.items() if value != usual)


def _print_plan(planned: "Plan", *, as_json: bool) -> None:
    if as_json:
        print_json({**vars(planned), "hours": planned.hours})
        return
    size = "of unknown size" if planned.bytes < 0 else f"of {_size(planned.bytes)}"
    say(f"{counted(planned.photos, 'photo')} {size}: {counted(planned.shards, 'shard')}, about "
        f"{_size(planned.shard_bytes)}.", bold=True)  # fmt: skip
    if planned.requests:
        say(f"About {counted(planned.requests, 'request')} to the storage.")
    took = f"{planned.hours:,.1f} hours" if planned.hours >= 1 else f"{planned.hours * 60:,.1f} minutes"
    say(f"{took} of this machine, at the {planned.rate:,.0f} photos/s of the {planned.tried:,} tried now.")


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:,.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:,.1f} MB"

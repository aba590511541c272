"""`similar`: the photos of a folder of shards that are likest to one."""

import click

from tellapart.cli.options import examples, json_option, progress_bars
from tellapart.cli.output import print_json, say
from tellapart.text import counted, quoted, shown


@click.command(
    epilog=examples(
        """
tellapart similar shards lunch.jpg           a file: is it, or something like it, among them?
tellapart similar shards soup/17.jpg -n 30   a photo of theirs, by its uri
tellapart similar shards lunch.jpg --json"""
    )
)
@click.argument("dest", type=click.Path())
@click.argument("photo", type=click.Path())
@click.option("-n", "n", type=click.IntRange(1, 10_000), default=10, show_default=True, help="How many photos.")
@json_option
def similar(dest: str, photo: str, n: int, as_json: bool) -> None:
    """Find the photos in DEST, a folder of shards, that are likest to PHOTO: a file, or the uri of a photo in DEST.

    Similarity is 1 for the same photo and about 0 for two that have nothing in common; from 0.92 on `check` calls two
    photos near copies. No photo in DEST is opened.
    """
    from tellapart.data.remote.place import place_named
    from tellapart.workflow.many.similar import similar as similar_photos

    with progress_bars() as progress:
        found = similar_photos(place_named(dest), photo, n, progress=progress)
    if as_json:
        photos = [one.to_json() for one in found.photos]
        print_json({"compared": found.compared, "not_done": found.not_done, "photos": photos})
        return
    width = max((len(shown(one.photo)) for one in found.photos), default=0)
    for one in found.photos:
        say(f"{one.similarity:.3f}  {shown(one.photo):<{width}}  {shown(one.label)}".rstrip())
    if not found.photos:
        say(f"There is no other photo in {quoted(shown(dest))}.")
    if found.not_done:
        say(f"Note: {counted(found.not_done, 'shard is', 'shards are')} not done, and not looked into.", err=True)

"""`cache`, `demo`: what is kept on this machine, and a first look."""

import click

from tellapart.cli.door import examples, json_option
from tellapart.cli.printing import print_json, say


@click.command(epilog=examples("tellapart cache\ntellapart cache --clear"))
@click.option(
    "--clear",
    is_flag=True,
    help="Forget all; training then reads every photo again, and exports and explanations lose theirs.",
)
@json_option
def cache(clear: bool, as_json: bool) -> None:
    """Show or clear what is remembered of photos already read."""
    from tellapart.engine.trial import forget_graphs
    from tellapart.features.cache import FeatureCache
    from tellapart.storage.photo_locations import forget

    store = FeatureCache()
    n_cleared = store.clear() if clear else 0
    if clear:
        forget()
        forget_graphs()
    state = store.state()
    store.close()
    if as_json:
        print_json({**vars(state), "path": str(state.path), "n_cleared": n_cleared})
        return
    if clear:
        say(f"Forgot {n_cleared:,} photos.")
    size, limit = state.size_bytes / 1e6, state.limit_bytes / 1e6
    say(f"{state.n_photos:,} photos, {size:,.1f} MB of at most {limit:,.0f} MB: {state.path}")


@click.command(epilog=examples("tellapart demo\ntellapart demo --keep my-demo"))
@click.option("--keep", type=click.Path(), help="Keep the photos, the model and the report in this folder.")
def demo(keep: str | None) -> None:
    """See it all in under a minute, offline, on pictures of shapes that it draws."""
    from tellapart.cli.demo import run_demo

    run_demo(keep, say)

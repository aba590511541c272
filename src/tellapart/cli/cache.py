"""`cache`: what is remembered on this machine."""

import click

from tellapart.cli.options import examples, json_option
from tellapart.cli.output import print_json, say
from tellapart.text import counted


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
    from tellapart.storage.cache_folder import NOWHERE
    from tellapart.storage.photo_locations import forget_locations

    store = FeatureCache()
    n_cleared = store.clear() if clear else 0
    if clear:
        forget_locations()
        forget_graphs()
    state = store.state()
    store.close()
    if as_json:
        print_json({**vars(state), "path": str(state.path), "n_cleared": n_cleared})
        return
    if NOWHERE in state.path.parents:
        say("Nothing is remembered, because this user has no home folder. Name one in TELLAPART_CACHE_DIR.")
        return
    if clear:
        say(f"Forgot {counted(n_cleared, 'photo')}.")
    size, limit = state.size_bytes / 1e6, state.limit_bytes / 1e6
    say(f"{counted(state.n_photos, 'photo')}, {size:,.1f} MB of at most {limit:,.0f} MB: {state.path}")

"""The life of a studio's server: it answers until a signal asks to end, and leaves the journal whole."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

from tellapart.parallel import n_cores
from tellapart.sandbox import jail
from tellapart.sandbox.decoder_pool import DecoderPool
from tellapart.server.shell import lifecycle
from tellapart.server.shell.app import Settings
from tellapart.studio.app import make_studio_app
from tellapart.studio.events import Events
from tellapart.studio.jobs import Jobs
from tellapart.studio.scoring import Scoring
from tellapart.studio.session import Session
from tellapart.studio.sharing import Sharing
from tellapart.studio.thumbnails import Thumbnails


async def serve(
    listener: socket.socket, session: Session, model: Path, settings: Settings, on_ready: Callable[[], None]
) -> None:
    """Serve until a signal asks to end.

    Args:
        listener: the socket that the browser connects to.
        session: the studio.
        model: the folder that its model is written to.
        settings: who may use it.
        on_ready: called when the page can be opened.
    """
    jail.guard()
    decoders = DecoderPool(n_cores())
    decoders.start()
    thumbnails, events = Thumbnails(session.folder, decoders), Events()
    jobs, sharing = Jobs(session, events), Sharing(model, session.folder)
    rest = asyncio.create_task(thumbnails.make_rest(lambda: session.heap.photos))
    scoring = Scoring(session, jobs, events)

    async def tell() -> None:
        on_ready()

    try:
        app = make_studio_app(session, thumbnails, jobs, sharing, scoring, events, decoders, settings)
        await lifecycle.serve(listener, app, starting=tell(), on_end=events.close)
    finally:
        rest.cancel()
        scoring.close()
        await jobs.close()
        await sharing.end()
        await decoders.close()
        thumbnails.close()

"""The life of the server of one model: compile it, ask the golden photo, answer, read the model again on SIGHUP."""

import asyncio
import logging
import socket
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from tellapart.errors import ArtifactError
from tellapart.parallel import n_cores
from tellapart.sandbox import jail
from tellapart.server.predict_api.app import make_model_app
from tellapart.server.predict_api.inference import Inference
from tellapart.server.predict_api.serving_model import ServingModel
from tellapart.server.shell import lifecycle
from tellapart.server.shell.app import Settings

log = logging.getLogger("tellapart.server")


async def serve(
    listener: socket.socket,
    opening: "Future[ServingModel]",
    folder: Path,
    settings: Settings,
    on_ready: Callable[[ServingModel], None],
) -> None:
    """Serve until a signal asks to end.

    Args:
        listener: the socket that clients connect to.
        opening: the model, once it is compiled.
        folder: where it comes from, to be read again on SIGHUP.
        settings: who may use it.
        on_ready: called when the self-test photo was answered as it must.

    Raises:
        ArtifactError: the model cannot be trusted or understood.
    """
    jail.guard()
    inference = Inference(folder, n_cores())
    inference.decoders.start()
    try:
        await lifecycle.serve(
            listener,
            make_model_app(inference, settings),
            proxies=settings.proxies,
            starting=_become_ready(inference, opening, on_ready),
            on_hangup=inference.reload,
        )
    finally:
        await inference.close()


async def _become_ready(
    inference: Inference, opening: "Future[ServingModel]", on_ready: Callable[[ServingModel], None]
) -> None:
    model = await asyncio.wrap_future(opening)
    if not await inference.serve(model):
        raise ArtifactError(
            "The model answers the golden photo otherwise here than it must.",
            hint="Run `tellapart evaluate` with it on this machine.",
        )
    on_ready(model)
    missing = inference.decoders.missing
    log.log(logging.WARNING if missing else logging.INFO, jail.describe(missing))
    if jail.runs_as_root():
        log.warning("The server runs as root: start it as a user who owns nothing.")

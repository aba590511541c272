"""The server's life: listen, become ready, answer, read the model again on SIGHUP, finish what is asked on SIGTERM."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

import uvicorn

from tellapart.errors import ArtifactError
from tellapart.parallel import n_cores
from tellapart.sandbox import jail
from tellapart.server.predict_api.app import Settings, make_app
from tellapart.server.predict_api.inference import Inference
from tellapart.server.predict_api.serving_model import ServingModel
from tellapart.server.shell.protocol import DeadlineProtocol

DRAIN_S: Final = 9  # for requests under way once the end is asked for; then they are cut off
KEEP_ALIVE_S: Final = 5  # an idle connection is kept open

log = logging.getLogger("tellapart.server")


class _Server(uvicorn.Server):
    """uvicorn's server, ending with our own return code rather than by the signal that asked for it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """From here to the end, SIGINT and SIGTERM ask for an orderly end."""
        before = {number: signal.signal(number, self._end) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _end(self, number: int, frame: FrameType | None) -> None:
        self.handle_exit(number, frame)


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
    server = _Server(_config(inference, settings))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    starting = asyncio.create_task(_become_ready(inference, opening, on_ready))
    _listen_for_hangup(inference, server)
    try:
        await asyncio.wait((serving, starting), return_when=asyncio.FIRST_COMPLETED)
        if starting.done() and starting.exception():
            server.should_exit = True
        await serving
        if starting.done():
            starting.result()
    finally:
        starting.cancel()
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


def _listen_for_hangup(inference: Inference, server: _Server) -> None:
    """SIGHUP reads the model again, but for the one that a closed terminal sends: that ends the server."""
    if not hasattr(signal, "SIGHUP"):
        return
    from_terminal = os.isatty(0)
    tasks: set[asyncio.Task[None]] = set()

    def hangup() -> None:
        if from_terminal and not os.isatty(0):
            server.should_exit = True
            return
        task = asyncio.ensure_future(inference.reload())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hangup)


def _config(inference: Inference, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        make_app(inference, settings),
        http=DeadlineProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=list(settings.proxies),
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_S,
    )

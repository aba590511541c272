"""A server's life: listen, become ready, answer, finish what is asked on SIGTERM."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

from tellapart.server.shell.behind_proxy import BehindProxy
from tellapart.server.shell.protocol import DeadlineProtocol

DRAIN_S: Final = 9  # for requests under way once the end is asked for; then they are cut off
KEEP_ALIVE_S: Final = 5  # an idle connection is kept open

Work = Coroutine[Any, Any, None]


class _Server(uvicorn.Server):
    """uvicorn's server, ending with our own return code rather than by the signal that asked for it."""

    on_end: Callable[[], object] | None = None

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
        if self.on_end is not None:
            self.on_end()


async def serve(
    listener: socket.socket,
    app: ASGIApp,
    *,
    proxies: Sequence[str] = (),
    starting: Work | None = None,
    on_hangup: Callable[[], Work] | None = None,
    on_end: Callable[[], None] | None = None,
) -> None:
    """Serve until a signal asks to end.

    Args:
        listener: the socket that visitors connect to.
        app: what answers.
        proxies: addresses of proxies that are believed when they say whom they ask for.
        starting: work beside the first answers; the server ends where it fails, and raises what it raised.
        on_hangup: what SIGHUP asks for; without it, that signal does what the system does.
        on_end: ends answers that would go on for ever, once the end is asked for.
    """
    server = _Server(_config(BehindProxy(app, proxies) if proxies else app, proxies))
    if on_end is not None:
        server.on_end = partial(asyncio.get_running_loop().call_soon_threadsafe, on_end)
    tasks = [asyncio.create_task(server.serve(sockets=[listener]))]
    if starting is not None:
        tasks.append(asyncio.create_task(starting))
    if on_hangup is not None:
        _listen_for_hangup(server, on_hangup)
    serving, others = tasks[0], tasks[1:]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if any(task.done() and task.exception() for task in others):
            server.should_exit = True
        await serving
        for task in others:
            if task.done():
                task.result()
    finally:
        for task in others:
            task.cancel()


def _listen_for_hangup(server: _Server, on_hangup: Callable[[], Work]) -> None:
    """SIGHUP asks for `on_hangup`, but for the one that a closed terminal sends: that ends the server."""
    if not hasattr(signal, "SIGHUP"):
        return
    from_terminal = os.isatty(0)
    tasks: set[asyncio.Task[None]] = set()

    def hangup() -> None:
        if from_terminal and not os.isatty(0):
            server.should_exit = True
            return
        task = asyncio.ensure_future(on_hangup())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hangup)


def _config(app: ASGIApp, proxies: Sequence[str]) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=DeadlineProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # `BehindProxy` reads them
        forwarded_allow_ips=list(proxies),  # for the protocol, which counts connections
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_S,
    )

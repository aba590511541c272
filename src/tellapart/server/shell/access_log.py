"""One line a request: what was asked, what was said, how long it took. No photo, no file name, no address."""

import logging
import time
from collections.abc import Container
from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tellapart.server.shell.counters import RequestCounters

OTHER: Final = "other"  # for whatever is no route of ours: its text is a stranger's
METHODS: Final = frozenset({"GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH"})
ABORTED: Final = 499  # the client went away before the answer

log = logging.getLogger("tellapart.requests")


class AccessLog:
    """ASGI middleware that writes down and counts every request.

    Args:
        app: what answers.
        counters: where to count.
        routes: paths that are written down as they are.
        parts: those of them that are counted alone while all is well: the files of a page would be 30 lines a visit.
    """

    def __init__(
        self, app: ASGIApp, counters: RequestCounters, routes: frozenset[str], parts: Container[str] = ()
    ) -> None:
        self._app = app
        self._counters = counters
        self._routes = routes
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and write down what became of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = ABORTED

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note)
        finally:
            seconds = time.perf_counter() - started
            route = scope["path"] if scope["path"] in self._routes else OTHER
            method = scope["method"] if scope["method"] in METHODS else OTHER
            self._counters.requests.labels(route, status).inc()
            self._counters.seconds.labels(route).observe(seconds)
            if route not in self._parts or status >= HTTPStatus.BAD_REQUEST:
                log.info("%s %s %d %.0f ms", method, route, status, 1000 * seconds)

"""Who may ask: the names this server answers to, the websites that may use it, and what browsers may do with answers.

A web page anywhere can make a visitor's browser send a form to this server, even on the visitor's own machine: CORS
only keeps the page from reading the answer. So a POST from another site is refused, unless its exact origin is on the
list. And a name that an attacker points at this machine (DNS rebinding) is not one of ours, so the Host header must be.
"""

import re
from collections.abc import Sequence
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tellapart.server.shell.problem import Problem

LOCAL: Final = ("localhost", "127.0.0.1", "[::1]")
PREFLIGHT_S: Final = 600  # how long a browser may remember what it was allowed
_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]/@\s]+?)\.?(?::\d{1,5})?")
_NOT_FOR_OTHERS: Final = ("/", "/embed", "/healthz", "/readyz", "/metrics", "/openapi.json")


class OriginCheck:
    """ASGI middleware.

    Args:
        app: what to protect.
        hosts: further names of this server; local ones, and the address that a visitor reached, are always known.
        origins: exact origins, such as `https://example.org`, of other websites that may use the API and the widget.
    """

    def __init__(self, app: ASGIApp, *, hosts: Sequence[str], origins: Sequence[str]) -> None:
        self._app = app
        self._hosts = {*LOCAL, *(host.lower() for host in hosts)}
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, then pass on; every answer gets the headers that browsers need."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        origin = ", ".join(value for name, value in headers if name == "origin")  # two are none that we know
        added = self._headers(scope["path"], origin)

        async def send_more(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *added]
            await send(message)

        try:
            self._check(scope, dict(headers), origin)
        except Problem as problem:
            await problem.response()(scope, receive, send_more)
            return
        if scope["method"] == "OPTIONS" and origin:
            await _preflight(send_more)
            return
        await self._app(scope, receive, send_more)

    def _check(self, scope: Scope, headers: dict[str, str], origin: str) -> None:
        """Raises the Problem with who asks, or whom."""
        host = headers.get("host", "").lower()
        match = _HOST.fullmatch(host)
        reached = str((scope.get("server") or [""])[0])
        if not match or match[1] not in self._hosts | {f"[{reached}]" if ":" in reached else reached}:
            raise Problem(
                421,
                "forbidden_host",
                "This server is not known by that name.",
                hint="Whoever runs it can add a name with --allow-host.",
            )
        if scope["method"] in ("GET", "HEAD") or origin in self._origins:
            return
        same = origin in (f"http://{host}", f"https://{host}")  # https: a proxy in front of us may speak it
        site = headers.get("sec-fetch-site", "same-origin" if same else "none")
        if (origin and not same) or site not in ("same-origin", "none"):
            raise Problem(
                403,
                "forbidden_origin",
                "This server does not answer other websites.",
                hint="Whoever runs it can add a website with --allow-origin.",
            )

    def _headers(self, path: str, origin: str) -> list[tuple[bytes, bytes]]:
        """What every answer carries, and what an allowed website needs to read this one."""
        added = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]
        if not self._origins or path in _NOT_FOR_OTHERS:
            return [*added, (b"cross-origin-resource-policy", b"same-origin")]
        added += [(b"cross-origin-resource-policy", b"cross-origin"), (b"vary", b"Origin")]
        if origin in self._origins:
            added += [(b"access-control-allow-origin", origin.encode("latin-1"))]
            added += [(b"access-control-expose-headers", b"Retry-After")]
        return added


async def _preflight(send: Send) -> None:
    """Answers a browser that asks before it sends another website's request."""
    allowed = [
        (b"access-control-allow-methods", b"GET, POST"),
        (b"access-control-allow-headers", b"content-type"),
        (b"access-control-max-age", str(PREFLIGHT_S).encode()),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": allowed})
    await send({"type": "http.response.body", "body": b""})

"""What a trusted proxy says of a request: whom it asks for, and by which name it was asked.

The address of the visitor is uvicorn's business (`X-Forwarded-For`). It overwrites the address that the request came
from, so the name has to be read before that.
"""

from collections.abc import Sequence
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from tellapart.server.shell.rate_limit import is_among

FORWARDED_HOST: Final = "tellapart.forwarded_host"  # in the scope, where a trusted proxy gave a name


class BehindProxy:
    """ASGI middleware; to be the outermost, because others see another address than the proxy's.

    Args:
        app: what answers.
        proxies: addresses, or networks such as 10.0.0.0/24, that are believed.
    """

    def __init__(self, app: ASGIApp, proxies: Sequence[str]) -> None:
        self._app: ASGIApp = ProxyHeadersMiddleware(app, list(proxies))  # type: ignore[arg-type,assignment]
        self._proxies = tuple(proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write down the name, where it is to be believed, and pass on."""
        if scope["type"] == "http":
            peer = scope.get("client")
            said = [value for name, value in scope["headers"] if name == b"x-forwarded-host"]
            # Proxies add to what they were told, and what came first may be the visitor's own.
            host = said[-1].decode("latin-1").rpartition(",")[2].strip() if said else ""
            if host and is_among(peer[0] if peer else None, self._proxies):
                scope = {**scope, FORWARDED_HOST: host}
        await self._app(scope, receive, send)

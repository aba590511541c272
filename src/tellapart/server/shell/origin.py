"""Who may ask: the names this server answers to, the websites that may use it, and what browsers may do with answers.

A web page anywhere can make a visitor's browser send a form to this server, even on the visitor's own machine: CORS
only keeps the page from reading the answer. So a POST from another site is refused, unless its exact origin is on the
list. And a name that an attacker points at this machine (DNS rebinding) is not one of ours, so the Host header must be.

Behind a proxy the Host header may name this machine and not the address in the visitor's browser. That is the one
that a trusted proxy gives as X-Forwarded-Host, or it has a name that whoever runs the server gave.
"""

import ipaddress
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tellapart.errors import InputError
from tellapart.server.shell.behind_proxy import FORWARDED_HOST
from tellapart.server.shell.problem import Problem

LOCAL: Final = ("localhost", "127.0.0.1", "[::1]")
PREFLIGHT_S: Final = 600  # how long a browser may remember what it was allowed
_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]/@\s]+?)\.?(?::(\d{1,5}))?")
_LABEL: Final = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"  # with an underscore, as containers are called
_NAME: Final = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*")
_ORIGIN: Final = re.compile(r"(https?)://([^/:?#@\[\]\s]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}  # browsers leave them out of an origin
MAX_PORT: Final = 65_535
_NOT_FOR_OTHERS: Final = ("/", "/embed", "/healthz", "/readyz", "/metrics", "/openapi.json")


class OriginCheck:
    """ASGI middleware.

    Args:
        app: what to protect.
        hosts: further names of this server, as `host_name` gives them; local ones, and the address that a visitor
            reached, are always known. A page that has one of these names is one's own, whatever the Host header says.
        origins: exact origins, such as `https://example.org`, of other websites that may use the API and the widget.
    """

    def __init__(self, app: ASGIApp, *, hosts: Sequence[str], origins: Sequence[str]) -> None:
        self._app = app
        self._named = frozenset(host.lower() for host in hosts) - frozenset(LOCAL)
        self._known = self._named | frozenset(LOCAL)
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
        forwarded = str(scope.get(FORWARDED_HOST, "")).lower()
        visited = forwarded or host  # what stands in the visitor's address bar, as far as it is known here
        if not self._is_known(visited, scope, is_forwarded=bool(forwarded)):
            raise Problem(
                421,
                "forbidden_host",
                "This server is not known by that name.",
                hint="Whoever runs it can add a name with --allow-host.",
            )
        if scope["method"] in ("GET", "HEAD") or origin in self._origins:
            return
        # https as well: a proxy in front of us may speak it. A name that was given counts with any port, because a
        # proxy that says the name may not say the port; browsers of today say themselves that a port is another's.
        own = {*self._named, *([_name_of(forwarded)] if forwarded else ())}
        spoken = {f"{scheme}://{name}" for scheme in ("http", "https") for name in (visited, host)}
        same = origin in spoken or _name_of_origin(origin) in own
        site = headers.get("sec-fetch-site", "same-origin" if same else "none")
        if (origin and not same) or site not in ("same-origin", "none"):
            raise Problem(
                403,
                "forbidden_origin",
                "This server does not answer other websites.",
                hint="Whoever runs it can add a website with --allow-origin.",
            )

    def _is_known(self, visited: str, scope: Scope, *, is_forwarded: bool) -> bool:
        """Whether the name is one of ours; where none was given, a trusted proxy's word is taken for it."""
        name = _name_of(visited)
        reached = str((scope.get("server") or [""])[0])
        return name is not None and (
            name in self._known
            or (not self._named if is_forwarded else name == (f"[{reached}]" if ":" in reached else reached))
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


def host_name(given: str) -> str:
    """The name of a server as a Host header has it, of what people copy: with a scheme, a port, a slash at the end.

    Raises:
        InputError: it is no name of one server.
    """
    text = re.sub(r"^https?://", "", given.strip().lower()).removesuffix("/")
    with suppress(ValueError):
        address = ipaddress.ip_address(text.removeprefix("[").removesuffix("]"))
        return f"[{address}]" if address.version == 6 else str(address)
    found = _HOST.fullmatch(text)
    with suppress(ValueError):
        if found and int(found[2] or 0) <= MAX_PORT:
            if found[1].startswith("["):
                return f"[{ipaddress.IPv6Address(found[1][1:-1])}]"
            name = found[1].encode("idna").decode("ascii")  # letters beyond ASCII as browsers send them
            if _NAME.fullmatch(name):
                return name
    raise InputError(
        f"'{given}' is not the name of a server.", hint="Write it like photos.example.org, each name by itself."
    )


def web_origin(given: str) -> str:
    """The origin of a website as a browser says it: small letters, no slash, no port that goes without saying.

    Raises:
        InputError: it is no origin of one website.
    """
    found = _ORIGIN.fullmatch(given.strip().lower().removesuffix("/"))
    with suppress(InputError):
        if found and int(found[3] or 0) <= MAX_PORT:
            port = int(found[3] or _DEFAULT_PORTS[found[1]])
            said = "" if port == _DEFAULT_PORTS[found[1]] else f":{port}"
            return f"{found[1]}://{host_name(found[2])}{said}"
    raise InputError(f"'{given}' is not the origin of a website.", hint="Write it like https://example.org.")


def _name_of(host: str) -> str | None:
    match = _HOST.fullmatch(host)
    return match[1] if match else None


def _name_of_origin(origin: str) -> str | None:
    match = _ORIGIN.fullmatch(origin)
    return match[2].removesuffix(".") if match else None


async def _preflight(send: Send) -> None:
    """Answers a browser that asks before it sends another website's request."""
    allowed = [
        (b"access-control-allow-methods", b"GET, POST"),
        (b"access-control-allow-headers", b"content-type"),
        (b"access-control-max-age", str(PREFLIGHT_S).encode()),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": allowed})
    await send({"type": "http.response.body", "body": b""})

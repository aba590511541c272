"""Files of the web, one an address, from hosts that a stranger may have chosen.

Each hop of a redirect is looked at by us, and each address that a name resolves to when it is connected to. Nothing is
unpacked on the way, no cookie is kept, no header of one host goes to another.
"""

import atexit
from contextlib import suppress
from importlib import import_module
from threading import Lock
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from tellapart.data.remote.address import WEB
from tellapart.data.remote.fault import Fault, RefusedError, WebError
from tellapart.data.remote.private import is_private

CONNECT_S: Final = 10  # until a host takes the connection
SILENCE_S: Final = 20  # until its next byte
MAX_HOPS: Final = 5  # redirects; browsers follow 20, photos need one or two
PIECE_BYTES: Final = 1 << 18  # read at once
CONNECTIONS: Final = 64  # in all
CONNECTIONS_PER_HOST: Final = 16  # what a small server bears
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})

PRIVATE: Final = Fault(
    "refused",
    "The address leads to a private address, which is not asked.",
    "If that host of your network is meant, say --allow-private.",
)
_TOO_MANY: Final = Fault("refused", f"The address leads on and on, more than {MAX_HOPS} times.")
_ELSEWHERE: Final = Fault("refused", "The address leads to something other than https://.")

_sessions: dict[bool, Any] = {}
_opening = Lock()


async def get(url: str, most: int, *, allow_private: bool) -> bytes:
    """The bytes at an address of the web, at most `most` + 1 of them.

    Raises:
        RefusedError: it leads where nothing is asked.
        WebError: the host answers something else.
        Exception: as aiohttp raises them.
    """
    encrypted = urlsplit(url).scheme == "https"
    for _ in range(MAX_HOPS + 1):
        proxy = await _refuse(url, encrypted=encrypted, allow_private=allow_private)
        session = _session(allow_private or proxy is not None)
        async with session.get(url, allow_redirects=False, proxy=proxy) as response:
            if response.status in _REDIRECTS and "Location" in response.headers:
                url = urljoin(url, response.headers["Location"])
                continue
            if response.status != 200:
                raise WebError(response.status)
            parts, size = [], 0
            while size <= most and (part := await response.content.read(PIECE_BYTES)):
                parts.append(part)
                size += len(part)
            return b"".join(parts)
    raise RefusedError(_TOO_MANY)


async def _refuse(url: str, *, encrypted: bool, allow_private: bool) -> str | None:
    """The proxy by which a hop is to be asked, None for none; refuses what is not asked at all.

    The proxy that the person's environment names may lie anywhere; what it is asked for is checked by name here, as far
    as this machine knows it, since the proxy alone connects there.
    """
    parts = urlsplit(url)
    if parts.scheme not in WEB or (encrypted and parts.scheme != "https") or not parts.hostname:
        raise RefusedError(_ELSEWHERE)
    request = import_module("urllib.request")
    proxy: str | None = request.getproxies().get(parts.scheme)
    if proxy is None or request.proxy_bypass(parts.hostname):
        return None
    if not allow_private:
        found: list[Any] = []
        with suppress(OSError):  # only the proxy knows this name
            found = await import_module("asyncio").get_running_loop().getaddrinfo(parts.hostname, None)
        if any(is_private(str(address[4][0])) for address in found):
            raise RefusedError(PRIVATE)
    return proxy


def _session(allow_private: bool) -> Any:
    """What holds connections open; made within the loop that it is used in."""
    with _opening:
        if not _sessions:
            atexit.register(_close)
        if allow_private not in _sessions:
            aiohttp = import_module("aiohttp")
            connector = aiohttp.TCPConnector(
                limit=CONNECTIONS,
                limit_per_host=CONNECTIONS_PER_HOST,
                happy_eyeballs_delay=None,  # one address after the other, so that the first that is private ends it
                socket_factory=_any_socket if allow_private else _public_socket,
            )
            _sessions[allow_private] = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENCE_S),
                headers={"Accept-Encoding": "identity", "User-Agent": "tellapart"},
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        return _sessions[allow_private]


def _any_socket(address: Any) -> Any:
    family, kind, protocol, _, _ = address
    return import_module("socket").socket(family, kind, protocol)


def _public_socket(address: Any) -> Any:
    """A socket for the very address that is about to be connected to.

    Raises:
        RefusedError: it is private.
    """
    if is_private(str(address[4][0])):
        raise RefusedError(PRIVATE)
    return _any_socket(address)


def _close() -> None:
    """Without it aiohttp complains at the end of the process."""
    with suppress(Exception):
        asyn = import_module("fsspec.asyn")
        for session in _sessions.values():
            asyn.sync(asyn.get_loop(), session.close, timeout=1)

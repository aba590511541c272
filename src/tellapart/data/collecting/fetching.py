"""One file of the web, from a host that a stranger may have chosen: within limits of bytes, time and redirects.

Python's own client, since nothing beside the core is needed for it. Each hop of a redirect is looked at here, and each
number that a name resolves to is checked as it is connected to: an answer that changes in between gains nothing.
"""

import http.client
import socket
import ssl
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Lock, Timer
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urljoin, urlsplit

from tellapart.data.remote.private import is_private

MAX_HOPS: Final = 5  # redirects; browsers follow 20, photos need one or two
PIECE_BYTES: Final = 1 << 16  # read at once
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})  # answers that may be others a little later
_TYPES: Final = ("image/", "application/octet-stream", "binary/octet-stream")  # of photos, and of servers that say none
_AS_IT_IS: Final = "%/:=&?~#+!$,;'@()*[]"  # of an address; the rest is escaped, for people paste what they see


@dataclass(frozen=True)
class Terms:
    """What one fetch may take, and who asks."""

    max_bytes: int
    timeout_s: float  # from the first connection to the last byte, redirects included
    agent: str  # the User-Agent header, printable ASCII
    allow_private: bool = False


class Fetched(NamedTuple):
    """What an address gave: its bytes, and the address that they came from in the end."""

    content: bytes
    final_url: str


class FetchError(Exception):
    """An address gave no photo.

    Args:
        reason: a plain sentence.
        again: whether a second try may succeed.
        wait_s: what the host asks to be left alone for, 0 where it says nothing.
    """

    def __init__(self, reason: str, *, again: bool = False, wait_s: float = 0) -> None:
        super().__init__(reason)
        self.reason, self.again, self.wait_s = reason, again, wait_s


class Fetches:
    """Fetches under way, each of which ends at its deadline or when all are stopped, whatever the host does."""

    def __init__(self) -> None:
        self._open: set[_Line] = set()
        self._lock = Lock()
        self._stopped = False

    def stop(self) -> None:
        """End all that are under way, and any that begins later."""
        with self._lock:
            self._stopped = True
            for line in self._open:
                line.cut()

    def fetch(self, url: str, terms: Terms) -> Fetched:
        """The bytes at an address of the web.

        Raises:
            FetchError: it gave none, with the reason.
        """
        line = _Line()
        timer = Timer(terms.timeout_s, line.cut)
        timer.daemon = True
        with self._lock:
            self._open.add(line)
            if self._stopped:
                line.cut()
        timer.start()
        try:
            return _followed(url, terms, line)
        except FetchError:
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _said(error, line, terms) from error
        finally:
            timer.cancel()
            with self._lock:
                self._open.discard(line)


class _Line:
    """The socket that a fetch has open, so that another thread can cut it."""

    def __init__(self) -> None:
        self.is_cut = False
        self._socket: socket.socket | None = None
        self._lock = Lock()

    def hold(self, opened: socket.socket) -> None:
        with self._lock:
            self._socket = opened
            if self.is_cut:
                raise TimeoutError

    def cut(self) -> None:
        with self._lock:
            self.is_cut = True
            if self._socket is not None:
                with suppress(OSError):  # it was closed meanwhile
                    self._socket.shutdown(socket.SHUT_RDWR)


def _followed(url: str, terms: Terms, line: _Line) -> Fetched:
    encrypted = urlsplit(url).scheme == "https"
    for _ in range(MAX_HOPS + 1):
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise FetchError("The address is none of the web: it begins with neither http:// nor https://.")
        if encrypted and parts.scheme != "https":
            raise FetchError("The address leads from https:// to http://, which is not followed.")
        with _asked(url, terms, line) as answer:
            goes_to = answer.getheader("Location")
            if answer.status in _REDIRECTS and goes_to:
                url = urljoin(url, goes_to)
                continue
            _refuse_answer(answer, terms)
            content = _body(answer, terms)
            if line.is_cut:  # then the end that was read may be ours
                raise TimeoutError
            return Fetched(content, url)
    raise FetchError(f"The address leads on and on, more than {MAX_HOPS} times.")


@contextmanager
def _asked(url: str, terms: Terms, line: _Line) -> Iterator[http.client.HTTPResponse]:
    """The answer to one request; the connection is closed behind it."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_AS_IT_IS)
    proxy = _proxy(parts.scheme, host)
    if proxy is None:
        connection = _connection(parts.scheme, host, port, terms, checked=not terms.allow_private)
    else:
        # The proxy of the person's own environment may lie anywhere, and alone connects to what it is asked for; a name
        # is checked here as far as this machine knows it.
        if not terms.allow_private:
            _refuse_known_private(host)
        at = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        connection = _connection(parts.scheme, at.hostname or "", at.port or 80, terms, checked=False)
        if parts.scheme == "https":
            connection.set_tunnel(host, port)
        else:
            target = f"http://{parts.netloc.rpartition('@')[2]}{target}"
    try:
        headers = {"User-Agent": terms.agent, "Accept": "image/*", "Accept-Encoding": "identity", "Connection": "close"}
        connection.connect()
        line.hold(connection.sock)  # only now: TLS takes the place of the plain one
        connection.request("GET", target, headers=headers)
        with connection.getresponse() as answer:
            yield answer
    finally:
        connection.close()


def _proxy(scheme: str, host: str) -> str | None:
    proxy = urllib.request.getproxies().get(scheme)
    return None if proxy is None or urllib.request.proxy_bypass(host) else proxy


def _connection(scheme: str, host: str, port: int | None, terms: Terms, *, checked: bool) -> http.client.HTTPConnection:
    kept: dict[str, Any] = {"timeout": terms.timeout_s}
    connection = (
        http.client.HTTPSConnection(host, port, context=ssl.create_default_context(), **kept)
        if scheme == "https"
        else http.client.HTTPConnection(host, port, **kept)
    )

    def connect(address: tuple[str, int], timeout: float, _source: object = None) -> socket.socket:
        return _connected(address, timeout, checked=checked)

    connection._create_connection = connect  # type: ignore[attr-defined]  # stands since Python 2.7
    return connection


def _connected(address: tuple[str, int], timeout: float, *, checked: bool) -> socket.socket:
    """A connection to the first number of a host that takes one.

    Raises:
        FetchError: one of its numbers is private.
        OSError: none of them can be reached.
    """
    host, port = address
    numbers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    if checked and any(is_private(str(number[4][0])) for number in numbers):
        raise _private()
    failed: OSError = OSError("no address")
    for family, kind, protocol, _, place in numbers:
        opened = socket.socket(family, kind, protocol)
        try:
            opened.settimeout(timeout)
            opened.connect(place)
        except OSError as error:
            opened.close()
            failed = error
        else:
            return opened
    raise failed


def _refuse_known_private(host: str) -> None:
    with suppress(OSError):  # only the proxy knows this name
        if any(is_private(str(number[4][0])) for number in socket.getaddrinfo(host, None)):
            raise _private()


def _private() -> FetchError:
    return FetchError("The address leads into a private network, which is not asked without --allow-private.")


def _refuse_answer(answer: http.client.HTTPResponse, terms: Terms) -> None:
    """Refuses what by its head alone is no photo, before its body is read."""
    if answer.status != 200:
        raise FetchError(
            f"The host answers {answer.status} {answer.reason}.".replace(" .", "."),
            again=answer.status in _AGAIN,
            wait_s=_seconds(answer.getheader("Retry-After")),
        )
    kind = answer.getheader("Content-Type", "").partition(";")[0].strip().lower()
    if kind and not kind.startswith(_TYPES):
        raise FetchError(f"The address gives {kind}, not a photo.")
    if answer.getheader("Content-Encoding", "identity").lower() != "identity":
        raise FetchError("The host packs the photo although it was asked not to.")
    if answer.length is not None and answer.length > terms.max_bytes:
        raise _too_large(terms)


def _body(answer: http.client.HTTPResponse, terms: Terms) -> bytes:
    expected = answer.length
    content = bytearray()
    while piece := answer.read1(PIECE_BYTES):
        content += piece
        if len(content) > terms.max_bytes:
            raise _too_large(terms)
    if expected is not None and len(content) < expected:
        raise http.client.IncompleteRead(b"", expected - len(content))
    return bytes(content)


def _too_large(terms: Terms) -> FetchError:
    return FetchError(f"The file is larger than {terms.max_bytes / 1e6:,.0f} MB.")


def _seconds(text: str | None) -> float:
    return float(text) if text and text.strip().isascii() and text.strip().isdigit() else 0.0


def _said(error: Exception, line: _Line, terms: Terms) -> FetchError:
    """The sentence for what went wrong on the way."""
    if line.is_cut:
        error = TimeoutError()
    late = f"The host did not send all of it within {terms.timeout_s:,.0f} s."
    for kind, reason, again in (
        (TimeoutError, late, True),
        (socket.gaierror, "There is no host of that name.", getattr(error, "errno", 0) == socket.EAI_AGAIN),
        (ssl.SSLCertVerificationError, "The host's certificate is not trusted.", False),
        (http.client.IncompleteRead, "The host stopped before the end of the file.", True),
        (ConnectionRefusedError, "The host takes no connection there.", True),
        (OSError, "The connection to the host failed.", True),
        (http.client.InvalidURL, "The address cannot be understood.", False),
        (http.client.HTTPException, "The host's answer is not one of the web.", False),
    ):
        if isinstance(error, kind):
            return FetchError(reason, again=again)
    return FetchError("The address cannot be understood.")

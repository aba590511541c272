"""HTTP with deadlines of its own: nobody holds a connection by sending, or reading, slowly.

A middleware sees a request only once its headers are there, so this is done where the bytes arrive.
"""

import asyncio
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from tellapart.server.shell.limits import MAX_BODY_BYTES
from tellapart.server.shell.problem import Problem, bad_request, busy, timeout
from tellapart.server.shell.rate_limit import client_of, is_among

HEADERS_S: Final = 5.0  # from a request's first byte, or the connection's start, to the end of its headers
BODY_S: Final = 15.0  # from the headers' end to the body's
READING_S: Final = 10.0  # for a client to take what was written
LINGER_S: Final = 1.0  # after a refusal, for the client to read it
MAX_CONNECTIONS: Final = 400  # each is a file; systems allow 1,024 unless told
CONNECTIONS_EACH: Final = MAX_CONNECTIONS // 4  # of one client
MAX_HEADER_BYTES: Final = 16_384
FREE_PIECES: Final = 1_000  # of a body, of any size; 15 ms of the event loop's time
PIECE_BYTES: Final = 512  # each of the others must have so many on average; a network's packets have 1,400


class _Connection(h11.Connection):
    """h11's connection, which refuses two kinds of requests more.

    A body in crumbs: each piece costs the same time, however small it is. And a length said in two ways: a proxy in
    front may believe the other one, and take what we read as a body for the next client's request.
    """

    def __init__(self) -> None:
        super().__init__(h11.SERVER, MAX_HEADER_BYTES)
        self._n_pieces = self._n_bytes = 0
        self.refusal: Problem | None = None  # what there is to say of a request beyond that it breaks the rules

    def next_event(self) -> Any:
        """The next thing that arrived.

        Raises:
            h11.RemoteProtocolError: it breaks the rules of HTTP, comes in crumbs or with two lengths.
        """
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._n_pieces = self._n_bytes = 0
            self._check_lengths(event)
        elif isinstance(event, h11.Data):
            self._n_pieces += 1
            self._n_bytes += len(event.data)
            if self._n_pieces > FREE_PIECES + self._n_bytes // PIECE_BYTES:
                raise h11.RemoteProtocolError("crumbs")
        return event

    def _check_lengths(self, request: h11.Request) -> None:
        names = [name for name, _ in request.headers]
        if b"transfer-encoding" not in names:
            return
        if b"content-length" in names:
            self.refusal = bad_request(
                "The request says its length in two ways.", hint="Send Content-Length, or chunks."
            )
            raise h11.RemoteProtocolError("two lengths")
        if request.http_version != b"1.1":  # who speaks 1.0 does not know chunks, so somebody between us added them
            raise h11.RemoteProtocolError("chunks in HTTP/1.0")


class DeadlineProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 with deadlines, and refusals in our own form.

    The deadlines in force follow from where h11 is in the request: before its headers' end, before its body's end, or
    after. A body that still comes after its refusal is thrown away for a while, so that the client reads the refusal
    rather than meeting a reset connection.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn = self._checked = _Connection()
        self._awaited: str | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._n_thrown_away = 0
        self._lingers = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the first deadline, or refuses the connection."""
        super().connection_made(transport)
        peer = self.client and self.client[0]
        self.client_address = None if self._is_trusted(peer) else client_of(peer)
        if len(self.connections) > MAX_CONNECTIONS or self._takes_too_many():
            self._refuse(busy(), linger=False)
            return
        self._await("headers")

    def _is_trusted(self, peer: str | None) -> bool:
        """Whether the other end is a proxy that is believed; it speaks for many, so it has no share."""
        trusted = self.config.forwarded_allow_ips
        networks = trusted.split(",") if isinstance(trusted, str) else trusted
        return is_among(peer, networks)

    def _takes_too_many(self) -> bool:
        """Whether this client has more than a share of all connections."""
        own = sum(getattr(other, "client_address", None) == self.client_address for other in self.connections)
        return self.client_address is not None and own > CONNECTIONS_EACH

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets all deadlines."""
        self._await(None)
        self._stop_unread()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Passes the bytes on; then a later part of the request may be awaited."""
        if self._lingers:
            return
        # h11 holds only headers that are not whole yet against their limit, so it gets them a piece at a time.
        size = MAX_HEADER_BYTES if self.conn.their_state is h11.IDLE else len(data)
        for at in range(0, len(data), size):
            if self._lingers or self.transport.is_closing():
                return
            super().data_received(data[at : at + size])
        state = self.conn.their_state
        if state is h11.IDLE:
            self._await("headers" if self.conn.trailing_data[0] or self._awaited == "headers" else None)
        elif state is h11.SEND_BODY:
            self._await("body")
            self._throw_away(len(data))
        else:
            self._await(None)

    def shutdown(self) -> None:
        """The server ends: whoever was refused need not read to the end."""
        if self._lingers:
            self.transport.abort()
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn says to what is no HTTP, in our form."""
        self._refuse(self._checked.refusal or bad_request("The request breaks the rules of HTTP."))

    def on_response_complete(self) -> None:
        """Gives the client a while to take the answer."""
        self._n_thrown_away = 0
        super().on_response_complete()
        if self.transport.get_write_buffer_size():
            self._start_unread()

    def pause_writing(self) -> None:
        """The client does not take what was written."""
        super().pause_writing()
        self._start_unread()

    def resume_writing(self) -> None:
        """The client does again."""
        super().resume_writing()
        self._stop_unread()

    def _await(self, what: str | None) -> None:
        """From now on `what` must arrive in time; a deadline already running for it goes on."""
        if what == self._awaited:
            return
        self._awaited = what
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if what is not None:
            seconds = HEADERS_S if what == "headers" else BODY_S
            self._deadline = self.loop.call_later(seconds, self._too_slow, seconds)

    def _too_slow(self, seconds: float) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        if self._awaited == "headers" and not self.conn.trailing_data[0]:
            self.transport.close()  # nothing was asked
            return
        self._refuse(timeout(seconds))

    def _throw_away(self, n_bytes: int) -> None:
        """Counts what arrives of a request that is answered already."""
        if self.cycle is not None and self.cycle.response_complete:
            self._n_thrown_away += n_bytes
            if self._n_thrown_away > MAX_BODY_BYTES:
                self.transport.abort()

    def _start_unread(self) -> None:
        if self._unread is None:
            self._unread = self.loop.call_later(READING_S, self._still_unread)

    def _stop_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _still_unread(self) -> None:
        self._unread = None
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def _refuse(self, problem: Problem, *, linger: bool = True) -> None:
        """Answer in the application's place, if nothing was answered yet, and close.

        What is not read when a connection is closed resets it, and the client may lose the refusal. So for a moment
        it is only half closed, and what still arrives is thrown away.
        """
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            response = problem.response()
            headers = [*response.raw_headers, (b"connection", b"close"), (b"x-content-type-options", b"nosniff")]
            events: list[Any] = [
                h11.Response(status_code=problem.status, headers=headers, reason=STATUS_PHRASES[problem.status]),
                h11.Data(data=bytes(response.body)),
                h11.EndOfMessage(),
            ]
            for event in events:
                self.transport.write(self.conn.send(event) or b"")
        if linger and self.transport.can_write_eof() and not self.transport.is_closing():
            self._lingers = True
            self.transport.write_eof()
            self.flow.resume_reading()
            self.loop.call_later(LINGER_S, self.transport.abort)
        else:
            self.transport.close()
            self._start_unread()

"""Deadlines and refusals below HTTP, met by raw sockets."""

import asyncio
import json
import socket
import threading
import time
from contextlib import contextmanager, suppress

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tellapart.server.shell import protocol
from tellapart.server.shell.protocol import DeadlineProtocol

BIG = 12_000_000  # more than the kernel holds
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"


class Host:
    """A server in a thread, with an application that says how long the body was."""

    def __init__(self):
        self.gone = 0
        routes = [
            Route("/", self.length, methods=["POST"]),
            Route("/big", self.big),
            Route("/no", self.no, methods=["POST"]),
        ]
        config = uvicorn.Config(
            Starlette(routes=routes), http=DeadlineProtocol, ws="none", lifespan="off", log_config=None,
            access_log=False, timeout_keep_alive=1,
        )  # fmt: skip
        self.server = uvicorn.Server(config)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1000)
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=lambda: asyncio.run(self.server.serve([self.listener])))

    async def length(self, request):
        try:
            return PlainTextResponse(str(len(await request.body())))
        except ClientDisconnect:
            self.gone += 1
            return Response(status_code=499)

    async def big(self, request):
        return PlainTextResponse(b"x" * BIG)

    async def no(self, request):
        return PlainTextResponse("no", 403)

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.settimeout(20)
        return connection


@contextmanager
def hosting():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(protocol, "HEADERS_S", 0.4)
        patch.setattr(protocol, "BODY_S", 0.8)
        patch.setattr(protocol, "READING_S", 0.5)
        patch.setattr(protocol, "MAX_CONNECTIONS", 50)
        host = Host()
        host.thread.start()
        while not host.server.started:
            time.sleep(0.01)
        yield host
        host.server.should_exit = True
        host.thread.join(10)


@pytest.fixture(scope="module")
def host():
    """A server that many tests ask one after the other: to stop one takes 0.2 s."""
    with hosting() as host:
        yield host


@pytest.fixture
def own_host():
    """A server that nobody else is connected to, for tests that count."""
    with hosting() as host:
        yield host


def read(connection):
    """Everything up to the end of the connection."""
    data = bytearray()
    with suppress(ConnectionResetError):
        while more := connection.recv(1 << 20):
            data += more
    return bytes(data)


def one_answer(connection):
    """Status and body of the next answer on a connection that stays open."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(1)
    [length] = [line.split()[1] for line in data.splitlines() if line.lower().startswith(b"content-length")]
    body = b""
    while len(body) < int(length):
        body += connection.recv(1)
    return int(data.split()[1]), body


def dribble(connection, data, every_s):
    """Sends byte after byte until the other side hangs up; the seconds that took, and what it said."""
    started = time.monotonic()
    connection.settimeout(every_s)
    said = b""
    for byte in data:
        try:
            connection.sendall(bytes([byte]))
            said += (more := connection.recv(1 << 16))
            if not more:
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - started, said


def refusal(said):
    head, _, body = said.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower()
    assert b"connection: close" in head.lower()
    return int(head.split()[1]), json.loads(body)["error"]


def test_a_request_in_time_is_answered(host):
    with host.connect() as connection:
        for _ in range(3):
            connection.sendall(POST + b"Content-Length: 3\r\n\r\n")
            time.sleep(0.2)
            connection.sendall(b"abc")
            assert one_answer(connection) == (200, b"3")


def test_a_connection_that_says_nothing_is_closed(host):
    started = time.monotonic()
    with host.connect() as connection:
        assert read(connection) == b""
    assert 0.3 < time.monotonic() - started < 3


def test_slow_headers_are_cut_off(host):
    with host.connect() as connection:
        seconds, said = dribble(connection, POST + b"X: " + b"y" * 1000, 0.05)
    assert seconds < 3
    assert refusal(said) == (408, "timeout")


def test_slow_headers_of_a_second_request_are_too(host):
    with host.connect() as connection:
        connection.sendall(POST + b"Content-Length: 0\r\n\r\n")
        assert one_answer(connection) == (200, b"0")
        seconds, said = dribble(connection, POST + b"X: " + b"y" * 1000, 0.05)
    assert seconds < 3
    assert refusal(said) == (408, "timeout")


@pytest.mark.parametrize("framing", [b"Content-Length: 1000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n"])
def test_slow_bodies_are_cut_off(own_host, framing):
    with own_host.connect() as connection:
        connection.sendall(POST + framing)
        seconds, said = dribble(connection, b"y" * 999, 0.05)
    assert seconds < 4
    assert refusal(said) == (408, "timeout")
    deadline = time.monotonic() + 5  # the application hears of it a moment later than the client
    while not own_host.gone and time.monotonic() < deadline:
        time.sleep(0.01)
    assert own_host.gone == 1


def test_a_body_that_never_comes_is_cut_off_after_continue(host):
    with host.connect() as connection:
        connection.sendall(POST + b"Content-Length: 9\r\nExpect: 100-continue\r\n\r\n")
        said = read(connection)
    assert said.startswith(b"HTTP/1.1 100")
    assert b"HTTP/1.1 408" in said


def test_whoever_does_not_read_is_cut_off(own_host):
    with own_host.connect() as connection:
        connection.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        deadline = time.monotonic() + 10
        while own_host.server.server_state.connections and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not own_host.server.server_state.connections
        assert not own_host.server.server_state.tasks


def test_a_large_answer_reaches_whoever_reads(host):
    with host.connect() as connection:
        connection.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert len(read(connection)) > BIG


def test_a_refusal_is_read_although_the_body_still_comes(host):
    with host.connect() as connection:
        connection.sendall(b"POST /no HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n")
        connection.sendall(b"x" * 5_000_000)
        assert one_answer(connection) == (403, b"no")
        connection.sendall(POST + b"Content-Length: 1\r\n\r\ny")
        assert one_answer(connection) == (200, b"1")


def test_a_refused_body_without_end_is_cut_off(host, monkeypatch):
    monkeypatch.setattr(protocol, "MAX_BODY_BYTES", 1_000_000)
    sent = 0
    with host.connect() as connection:
        connection.sendall(b"POST /no HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n")
        with suppress(OSError):
            while sent < 99_000_000:
                sent += connection.send(b"x" * 100_000)
    assert sent < 20_000_000  # what the kernel holds comes on top


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        POST + b"Content-Length: -1\r\n\r\n",
        POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        POST + b"Content-Length: +5\r\n\r\nabcde",
        POST + b"Content-Length: 5 5\r\n\r\nabcde",
        POST + b"Content-Length: 5\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc",
        POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\ny\r\n" * 20_000,
        POST + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
        POST + b"X: y\r\n" * 10_000 + b"\r\n",
    ],
)
def test_what_is_no_http_is_refused_in_our_form(host, nonsense):
    with host.connect() as connection:
        with suppress(OSError):
            connection.sendall(nonsense)
        said = read(connection)
    status, code = refusal(said)
    assert status in (400, 501)
    assert code == "bad_request"


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"POST", b"OPTIONS", b"PUT", b"DELETE", b"PATCH", b"PROPFIND"])
@pytest.mark.parametrize("path", [b"/", b"/big", b"/nowhere"])
@pytest.mark.parametrize(
    "lengths",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"transfer-encoding: chunked\r\ncontent-length: 5",
        b"Transfer-Encoding:\r\n chunked\r\nContent-Length: 0",
        b"Transfer-Encoding: CHUNKED\r\nContent-Length: 5\r\nContent-Length: 5",
    ],
)
def test_two_lengths_are_refused_and_nothing_after_them_is_read(host, method, path, lengths):
    hidden = b"0\r\n\r\nGET /big HTTP/1.1\r\nHost: x\r\n\r\n"
    with host.connect() as connection:
        connection.sendall(method + b" " + path + b" HTTP/1.1\r\nHost: x\r\n" + lengths + b"\r\n\r\n" + hidden)
        said = read(connection)
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"connection: close" in head.lower()
    assert said.count(b"HTTP/1.1 ") == 1
    if method != b"HEAD":
        assert json.loads(body)["message"] == "The request says its length in two ways."


def test_only_so_many_connections(own_host):
    held = [own_host.connect() for _ in range(protocol.MAX_CONNECTIONS)]
    deadline = time.monotonic() + 5
    while len(own_host.server.server_state.connections) < len(held) and time.monotonic() < deadline:
        time.sleep(0.01)
    with own_host.connect() as one_more:
        assert refusal(read(one_more)) == (503, "busy")
    for connection in held:
        connection.close()

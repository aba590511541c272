"""Files of the web, from a server on this machine that does what servers of strangers may."""

import gzip
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import pytest

from tellapart.data.photo import MAX_FILE_BYTES
from tellapart.data.remote import door, web
from tellapart.errors import PhotoError

pytest.importorskip("aiohttp", reason="aiohttp is not installed: pip install 'tellapart[cloud]'")
PHOTO = b"\xff\xd8\xff" + bytes(range(256)) * 40


class Server(ThreadingHTTPServer):
    """Answers by what the path says; `asked` has each path with what it was asked with."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked, self.done = [], threading.Event()
        self.at = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_):
        """Clients go away in the middle here."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.asked.append((self.path, dict(self.headers)))
        name, _, rest = self.path[1:].partition("/")
        getattr(self, f"say_{name}")(rest)

    def answer(self, status, data=b"", length=None, **headers):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        self.end_headers()
        self.wfile.write(data)

    def say_photo(self, _):
        self.answer(200, PHOTO, Set_Cookie="who=you")

    def say_status(self, status):
        self.answer(int(status))

    def say_once(self, _):
        n = sum(path == self.path for path, _ in self.server.asked)
        self.answer(503) if n < 3 else self.answer(200, PHOTO)

    def say_to(self, target):
        self.answer(302, Location=unquote(target))

    def say_round(self, _):
        self.answer(302, Location="/round/")

    def say_huge(self, _):
        self.answer(200, b"x" * 1000, length=10**12)
        for _ in range(1000):
            self.wfile.write(b"x" * 2_000_000)

    def say_slow(self, _):
        self.answer(200, b"x", length=10_000)
        while not self.server.done.wait(0.05):
            self.wfile.write(b"x")

    def say_silent(self, _):
        self.server.done.wait(20)

    def say_cut(self, _):
        self.answer(200, PHOTO[:100], length=len(PHOTO))
        self.close_connection = True

    def say_packed(self, _):
        self.answer(200, gzip.compress(bytes(10_000_000)), Content_Encoding="gzip")

    def say_empty(self, _):
        self.answer(200)


@pytest.fixture
def server():
    running = Server()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield running
    running.done.set()
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(door, "FIRST_PAUSE_S", 0.01)


@pytest.fixture
def public(monkeypatch):
    """As if 127.0.0.1 were of the public internet, and the rest of this machine were not."""
    monkeypatch.setattr(web, "is_private", lambda number: number != "127.0.0.1")


def refused(address, **options):
    with pytest.raises(PhotoError) as caught:
        door.read_photo(address, **options)
    assert "127.0.0" not in caught.value.message + caught.value.hint
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return caught.value.code, caught.value.message


def test_a_photo_is_read_whole_and_nothing_is_taken_along(server, public):
    assert door.read_photo(f"{server.at}/photo/1") == PHOTO
    assert door.read_photo(f"{server.at}/to/{server.at}/photo/2") == PHOTO
    assert door.read_photo(f"{server.at}/once/") == PHOTO
    assert not any("Cookie" in headers for _, headers in server.asked)
    assert door.read_photo(f"{server.at.replace('//', '//me:word@')}/to/{server.at}/photo/3")
    named = [headers.get("Authorization") for path, headers in server.asked if path.startswith("/to/")]
    assert named[-1].startswith("Basic ")
    assert server.asked[-1][1].get("Authorization") is None


def test_hosts_of_this_network_are_asked_only_where_a_person_says_so(server):
    port = server.server_address[1]
    for host in ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "127.1", "0.0.0.0", "2130706433"):
        assert refused(f"http://{host}:{port}/photo/")[0] in ("refused", "unreadable")
    assert server.asked == []
    assert door.read_photo(f"http://localhost:{port}/photo/", allow_private=True) == PHOTO


def test_a_redirect_to_a_private_address_is_not_followed(server, public):
    port = server.server_address[1]
    for host in ("127.0.0.2", "0.0.0.0", "[::1]", "[::ffff:127.0.0.2]"):
        code, said = refused(f"{server.at}/to/{server.at}/to/http://{host}:{port}/photo/")
        assert (code, said) == ("refused", "The address leads to a private address, which is not asked.")
    assert not any(path.startswith("/photo") for path, _ in server.asked)
    for target in ("file:///etc/passwd", "ftp://127.0.0.1/x", "s3://bucket/x"):
        assert refused(f"{server.at}/to/{target}")[0] == "refused"
    assert "more than 5 times" in refused(f"{server.at}/round/")[1]


def test_what_a_server_does_wrong_has_a_reason(server, public, monkeypatch):
    assert refused(f"{server.at}/status/404") == ("missing", "There is nothing at this address.")
    assert refused(f"{server.at}/status/403")[0] == "forbidden"
    assert refused(f"{server.at}/status/418") == ("unreadable", "The storage answers with HTTP 418.")
    assert refused(f"{server.at}/empty/") == ("empty", "The file is empty.")
    assert len(server.asked) == 4
    assert refused(f"{server.at}/status/500")[0] == "unreachable"
    assert len(server.asked) == 4 + door.ATTEMPTS
    assert refused(f"{server.at}/cut/") == ("unreachable", "The storage broke off in the middle.")
    assert door.read_photo(f"{server.at}/packed/").startswith(b"\x1f\x8b")  # not unpacked, so no photo later
    monkeypatch.setattr(door, "PATIENCE_S", 0.4)
    for way in ("slow", "silent"):
        started = time.monotonic()
        assert refused(f"{server.at}/{way}/") == ("unreachable", "The storage did not answer in time.")
        assert time.monotonic() - started < 5


def test_a_huge_body_is_left_where_it_is(server, public, monkeypatch):
    monkeypatch.setattr(door, "MAX_FILE_BYTES", 3_000_000)
    assert refused(f"{server.at}/huge/")[0] == "too_large"
    assert MAX_FILE_BYTES == 200_000_000


def test_a_proxy_that_the_person_set_is_asked_and_names_are_still_looked_at(server, monkeypatch):
    monkeypatch.setenv("http_proxy", server.at)
    monkeypatch.delenv("no_proxy", raising=False)
    assert refused("http://127.0.0.1:9/photo/")[0] == "refused"
    assert refused("http://localhost:9/photo/")[0] == "refused"
    assert server.asked == []
    refused("http://8.8.8.8/photo/")  # reaches the proxy, which does not know what to make of it
    assert server.asked[0][0] == "http://8.8.8.8/photo/"

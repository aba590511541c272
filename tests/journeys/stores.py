"""A store of S3 on this machine, by moto's server, and a proxy before it that is as bad as networks are."""

import http.client
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

KEY = "AKIDOFTHEPERSON"
SECRET = "SECRETOFTHEPERSON"
REGION = "us-east-1"
NOT_THERE = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
)  # fmt: skip


@dataclass
class Store:
    """A server, by its port."""

    port: int
    environment: dict[str, str] = field(default_factory=dict)

    def request(self, method: str, path: str, content: bytes = b"") -> bytes:
        """What it answers; whoever asks on this machine may do all."""
        headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={KEY}/20260101/{REGION}/s3/aws4_request"}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/{path}", content or None, headers, method=method
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            data: bytes = answer.read()
            return data

    def put(self, path: str, content: bytes) -> None:
        """An object."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {
            "Authorization": f"AWS4-HMAC-SHA256 Credential={KEY}/20260101/{REGION}/s3/aws4_request",
            "Content-Length": str(len(content)),
        }
        connection.request("PUT", f"/{path}", content, headers)
        assert connection.getresponse().status == 200
        connection.close()

    def fill(self, bucket: str, folder: Path) -> None:
        """All files of a folder, as objects."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(f"{bucket}/{path.relative_to(folder.parent).as_posix()}", path.read_bytes())

    def names(self, bucket: str, prefix: str) -> list[str]:
        """The objects that begin so."""
        said = self.request("GET", f"{bucket}?list-type=2&prefix={prefix}").decode()
        return re.findall(r"<Key>(.*?)</Key>", said)

    def content(self, bucket: str, prefix: str) -> dict[str, bytes]:
        """{name below the prefix: content}."""
        return {name[len(prefix) :]: self.request("GET", f"{bucket}/{name}") for name in self.names(bucket, prefix)}


@contextmanager
def moto() -> Iterator[Store]:
    """A store with nothing in it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            assert process.poll() is None
            assert time.monotonic() < deadline
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            time.sleep(0.05)
        yield Store(port, environment(port))
    finally:
        process.terminate()
        process.wait(20)


def environment(port: int) -> dict[str, str]:
    """How the driver is told of a store at this port, by its own ways."""
    return {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }


@dataclass
class Proxy:
    """What stands between.

    Attributes:
        port: where it listens.
        faults: {part of a path: what goes wrong, one answer after the other; the last for ever if it ends with "!"}.
        asked: "METHOD path range" of each request.
        released: set when silent answers may end.
    """

    port: int = 0
    faults: dict[str, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def environment(self) -> dict[str, str]:
        """How the driver is told to go through it."""
        return environment(self.port)

    def fault(self, path: str) -> str:
        """What is to go wrong with this request; "" for nothing."""
        with self.lock:
            for part, waiting in self.faults.items():
                if part in path and waiting:
                    return waiting[0].rstrip("!") if waiting[0].endswith("!") else waiting.pop(0)
        return ""


@contextmanager
def proxying(store: Store) -> Iterator[Proxy]:
    """A proxy before the store, which does as it is told by `faults`."""
    proxy = Proxy()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def pass_on(self) -> None:
            proxy.asked.append(f"{self.command} {self.path} {self.headers.get('Range', '')}".strip())
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fault = proxy.fault(self.path)
            if fault.isdecimal():
                self.refuse(int(fault))
                return
            if fault == "silence":
                proxy.released.wait(20)
                self.close_connection = True
                return
            connection = http.client.HTTPConnection("127.0.0.1", store.port, timeout=20)
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            data = answer.read()
            connection.close()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection", "content-length", "date", "server"):
                    self.send_header(name, value)
            self.send_header("Content-Length", answer.headers.get("Content-Length", str(len(data))))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if fault == "cut" else data)
            self.close_connection = self.close_connection or fault == "cut"

        def refuse(self, status: int) -> None:
            code = {403: "AccessDenied", 301: "PermanentRedirect", 503: "SlowDown", 500: "InternalError"}[status]
            data = (
                b"" if self.command == "HEAD" else f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
            )
            self.send_response(status)
            self.send_header("Content-Type", "application/xml")
            self.send_header("x-amz-bucket-region", "eu-west-3")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = pass_on

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    proxy.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield proxy
    finally:
        proxy.released.set()
        server.shutdown()
        thread.join()
        server.server_close()

"""Two `tellapart serve` behind one nginx, as docs/serving.md has it: one is drained, one is killed, nobody notices."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "serving.md"
BLOCKS = re.findall(r"```nginx\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
NAME = "photos.example.org"
VISITOR = "203.0.113.7"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


class Replica:
    """A server in a process of its own."""

    def __init__(self, tellapart, model, port=0):
        command = [Path(sys.executable).with_name("tellapart"), "serve", str(model), "--port", str(port)]
        self.process = subprocess.Popen(
            [*command, "--allow-host", NAME, "--trust-proxy", "127.0.0.1"],
            env=tellapart.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._port = port

    @property
    def port(self):
        """Waits until it answers."""
        if not self._port:
            self._port = int(re.search(r":(\d+)$", self.process.stdout.readline().strip())[1])
        return self._port

    def metric(self, name):
        text = httpx2.get(f"http://127.0.0.1:{self.port}/metrics").text
        return sum(float(line.split()[-1]) for line in text.splitlines() if re.match(rf"{name}(\{{| )", line))

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(20)
        self.process.stdout.close()


@pytest.fixture
def replicas(own_process, trained):
    running = [Replica(own_process, trained), Replica(own_process, trained)]
    yield running
    for one in running:
        one.end()


@pytest.fixture
def front(replicas, tmp_path):
    """The port of nginx with the page's own block, in front of both."""
    block = next(block for block in BLOCKS if block.startswith("upstream"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for given, own in zip(("10.0.0.11:8000", "10.0.0.12:8000"), replicas, strict=True):
        assert given in block
        block = block.replace(given, f"127.0.0.1:{own.port}")
    # For the one visitor of this test, who is no neighbour of the server: those are not limited.
    block = block.replace("listen 80;", f"listen 127.0.0.1:{port};").replace("$remote_addr", VISITOR)
    user = "user root;" if os.geteuid() == 0 else ""
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; {user} pid {tmp_path}/pid; error_log {tmp_path}/error.log; events {{}}\n"
        f"http {{ access_log off; client_body_temp_path {tmp_path}/body; proxy_temp_path {tmp_path}/kept;\n{block}\n}}"
    )
    process = subprocess.Popen([NGINX, "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")])
    end = time.monotonic() + 20
    while not (tmp_path / "pid").exists():
        assert process.poll() is None, (tmp_path / "error.log").read_text()
        assert time.monotonic() < end
        time.sleep(0.02)
    yield port
    process.terminate()
    process.wait(20)


def test_no_request_fails_while_one_is_drained_and_the_other_killed(
    front, replicas, tellapart, own_process, trained, fresh, asking_over_and_over
):
    path = sorted(fresh.rglob("*.jpg"))[0]
    expected = tellapart.lines("predict", trained, path)[0]
    drained, killed = replicas
    with httpx2.Client(base_url=f"http://127.0.0.1:{front}", timeout=30, headers={"host": NAME}) as client:
        assert client.get("/readyz").status_code == 200
        assert client.get("/metrics").status_code == 403
        too_large = path.read_bytes() + bytes(20_000_000)
        assert client.post("/v1/predict", files={"photos": too_large}).status_code == 413
    with asking_over_and_over(front, path.read_bytes(), host=NAME) as asking:
        asking.more(20)
        assert drained.metric("tellapart_photos_total") > 0
        assert killed.metric("tellapart_photos_total") > 0
        drained.process.send_signal(signal.SIGTERM)
        assert drained.process.wait(20) == 0
        asking.more(20)
        replicas.append(Replica(own_process, trained, drained.port))  # as whoever runs it would, in its place
        end = time.monotonic() + 30
        while not _has_answered(replicas[-1]):  # so nginx has taken it back
            assert time.monotonic() < end
            time.sleep(0.05)
        killed.process.kill()
        asking.more(20)
    assert {status for status, _ in asking.answers} == {200}
    (said,) = {text for _, text in asking.answers}  # the same from each, to the byte
    prediction = httpx2.Response(200, text=said).json()["predictions"][0]
    assert {name: prediction[name] for name in ("answer", "class_name", "confidence", "probs")} == {
        name: expected[name] for name in ("answer", "class_name", "confidence", "probs")
    }


def _has_answered(replica):
    try:
        return replica.metric("tellapart_photos_total") > 0
    except httpx2.TransportError:
        return False

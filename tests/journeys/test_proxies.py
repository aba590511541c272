"""`tellapart serve` behind nginx: as docs/serving.md has it, with TLS, and as people have it who changed nothing."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "serving.md"
NAME = "photos.example.org"
PLAIN = "server {{ listen {port}; location / {{ proxy_pass http://127.0.0.1:8000; }} }}"
BELOW = "server {{ listen {port}; location /photos/ {{ proxy_pass http://127.0.0.1:8000/; }} }}"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def serving(tellapart, trained):
    command = [Path(sys.executable).with_name("tellapart"), "serve", str(trained), "--port", "0"]
    process = subprocess.Popen(
        [*command, "--allow-host", NAME, "--trust-proxy", "127.0.0.1"],
        env=tellapart.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    yield int(re.search(r":(\d+)$", process.stdout.readline().strip())[1])
    process.terminate()
    process.wait(20)
    process.stdout.close()


@pytest.fixture
def proxy(serving, tmp_path):
    """`proxy(server)`: the port of an nginx with this server block."""
    running = []

    def start(block):
        port = free_port()
        block = block.replace("{port}", f"127.0.0.1:{port}").replace("{{", "{").replace("}}", "}")
        block = block.replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl").replace(
            "127.0.0.1:8000", f"127.0.0.1:{serving}"
        )
        block = re.sub(r"/etc/letsencrypt/live/\S+?/", f"{tmp_path}/", block)
        user = "user root;" if os.geteuid() == 0 else ""
        (tmp_path / "nginx.conf").write_text(
            f"daemon off; {user} pid {tmp_path}/pid; error_log {tmp_path}/error.log; events {{}}\n"
            f"http {{ access_log off; client_body_temp_path {tmp_path}/body; proxy_temp_path {tmp_path}/kept;\n"
            f"{block}\n}}"
        )
        running.append(subprocess.Popen([NGINX, "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]))
        for _ in range(100):
            if (tmp_path / "pid").exists():
                return port
            time.sleep(0.05)
        raise AssertionError((tmp_path / "error.log").read_text())

    yield start
    for one in running:
        one.terminate()
        one.wait(10)


def asked(client, photo, **headers):
    return client.post("/v1/predict", files={"photos": photo}, headers={"host": NAME, **headers})


@pytest.fixture
def photo(fresh):
    return sorted(fresh.rglob("*.jpg"))[0].read_bytes()


def test_as_the_page_on_serving_says_with_tls(proxy, photo, tmp_path):
    block = re.search(r"```nginx\n(.*?)```", PAGE.read_text(), re.DOTALL)[1]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={NAME}"]
    files = ["-keyout", tmp_path / "privkey.pem", "-out", tmp_path / "fullchain.pem"]
    subprocess.run([*command, *files], check=True, capture_output=True)
    port = proxy(block)
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    with httpx2.Client(base_url=f"https://127.0.0.1:{port}", verify=trusting, timeout=30) as client:
        assert client.get("/", headers={"host": NAME}).status_code == 200
        own = {"origin": f"https://{NAME}", "sec-fetch-site": "same-origin"}
        assert asked(client, photo, **own).status_code == 200
        assert asked(client, photo, origin="https://evil.example").status_code == 403
        large = photo + bytes(3_000_000)  # beyond what nginx takes unless told; what follows a JPEG's end is let be
        assert asked(client, large, **own).status_code == 200
        stranger = {"host": "evil.example", "origin": "https://evil.example", "sec-fetch-site": "same-origin"}
        assert client.post("/v1/predict", files={"photos": photo}, headers=stranger).status_code == 421


def test_a_plain_proxy_pass_answers_its_own_page(proxy, photo):
    with httpx2.Client(base_url=f"http://127.0.0.1:{proxy(PLAIN)}", timeout=30) as client:
        assert client.get("/", headers={"host": NAME}).status_code == 200
        for origin in (f"https://{NAME}", f"http://{NAME}", f"https://{NAME}:8443"):
            assert asked(client, photo, origin=origin, **{"sec-fetch-site": "same-origin"}).status_code == 200
        assert asked(client, photo, origin="https://evil.example").status_code == 403


def test_below_a_path_the_page_finds_its_parts_and_examples(proxy, open_browser):
    page = open_browser().new_page()
    missed = []
    page.on("response", lambda response: missed.append(response.url) if response.status >= 400 else None)
    page.goto(f"http://127.0.0.1:{proxy(BELOW)}/photos/")
    page.locator("tell-apart .examples li").nth(2).wait_for()
    page.wait_for_load_state("networkidle")
    assert page.locator("tell-apart .examples li").count() == 3
    assert missed == []

"""scripts/audit tells "vulnerable" from "could not ask", with real clients and services on the loopback."""

import gzip
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

from tellapart.export.runtime import PACKAGE, VERSION

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = [
    pytest.mark.skipif(find_spec("pip_audit") is None, reason="pip-audit is not installed"),
    pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed"),
]
OSV = {
    "id": "GHSA-xxxx-test",
    "summary": "a hole",
    "published": "2026-01-01T00:00:00Z",
    "affected": [
        {
            "package": {"name": "pillow", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.0"}]}],
            "versions": [version("pillow")],
        }
    ],
}
NPM = {
    "id": 7,
    "url": "https://example.org/GHSA-yyyy",
    "title": "a hole in the browser",
    "severity": "high",
    "vulnerable_versions": "<99.0.0",
    "cwe": [],
    "cvss": {"score": 9, "vectorString": None},
}


class Advisories(BaseHTTPRequestHandler):
    """Both services: OSV's query for one package, npm's for many."""

    holes: frozenset[str] = frozenset()
    asked: list[str] = []  # noqa: RUF012  # emptied by each test

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/v1/query":
            name = json.loads(body)["package"]["name"]
            self.asked.append(name)
            said = {"vulns": [OSV]} if name == "pillow" and "pillow" in self.holes else {}
        else:
            named = json.loads(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            self.asked += [f"npm:{name}@{','.join(versions)}" for name, versions in named.items()]
            said = {PACKAGE: [NPM]} if PACKAGE in self.holes else {}
        self.reply(200, said)

    def do_GET(self):
        self.reply(404, {"error": "not found"})

    def reply(self, status, said):
        content = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def services(monkeypatch):
    monkeypatch.setattr(Advisories, "asked", [])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Advisories)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def audit(port, tmp_path, *names):
    """(exit status, lines) of the script, which finds its services at this port, about these packages."""
    place = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PIP_AUDIT_OSV_URL": f"{place}/v1/query",
        "npm_config_registry": place,
        "npm_config_cache": str(tmp_path),
        "npm_config_fetch_retry_mintimeout": "10",
        "npm_config_fetch_retry_maxtimeout": "10",
        "PYTHONWARNINGS": "default",
    }
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "audit", *names],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout.splitlines()


@pytest.mark.slow
def test_without_a_network_it_says_that_it_could_not_ask(tmp_path):
    with socket.socket() as taken:  # bound and not listening: every connection is refused
        taken.bind(("127.0.0.1", 0))
        status, lines = audit(taken.getsockname()[1], tmp_path, "pillow")
    assert status == 2
    assert lines[0].startswith(
        ("Could not ask: pip-audit had no answer: ", "Could not ask: pip-audit is not installed.")
    )
    assert lines[1].startswith(
        ("Could not ask: npm audit had no answer: ", "Could not ask: npm audit is not installed.")
    )
    assert lines[2:] == ["So nobody knows whether this is safe. Try again where there is a network."]


@pytest.mark.slow
@pytest.mark.parametrize("holes", [(), ("pillow", PACKAGE)])
def test_what_the_services_know_is_said(tmp_path, services, monkeypatch, holes):
    for client in CLIENTS:
        if client.args[0]:
            pytest.skip(client.kwargs["reason"])
    monkeypatch.setattr(Advisories, "holes", frozenset(holes))
    status, lines = audit(services, tmp_path, "numpy", "pillow", "tellapart")
    wanted = {
        "pillow": f"Vulnerable: pillow {version('pillow')}: GHSA-xxxx-test; mended in 99.0",
        PACKAGE: f"Vulnerable: {PACKAGE} {VERSION}: a hole in the browser (https://example.org/GHSA-yyyy)",
    }
    assert (status, lines) == (1 if holes else 0, [wanted[name] for name in holes] or ["No known vulnerability."])
    assert set(Advisories.asked) == {"numpy", "pillow", f"npm:{PACKAGE}@{VERSION}"}

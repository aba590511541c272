"""What is no cluster is said in a sentence, and soon."""

import http.server
import os
import subprocess
import sys
import threading
from contextlib import closing
from socket import create_server

import pytest

from tellapart import extras
from tellapart.cluster import connection
from tellapart.errors import InputError, MissingExtraError

from .machines import OPEN, cluster

PROGRAM = """
import sys
from tellapart.cluster.connection import joined
from tellapart.errors import TellapartError
try:
    with joined(sys.argv[1]):
        print("joined")
except TellapartError as error:
    print(error, "|", error.hint)
"""
OTHER = """
import sys
import ray
ray.__version__ = "2.1.0"
from ray.scripts.scripts import main
sys.argv[0] = "ray"
main()
"""
needs_ray = pytest.mark.skipif(not extras.has("cluster"), reason="Ray is not installed")


def said(address, settings=OPEN):
    environment = {**os.environ, **settings}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, address], capture_output=True, text=True, check=False, env=environment
    )
    assert "Traceback" not in run.stderr
    return run.stdout + run.stderr


@pytest.mark.parametrize("address", ["ray://10.0.0.1:10001", "two words", "host:port", "", "host:1:2"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(InputError, match="no address of a Ray cluster") as raised, connection.joined(address):
        pass
    assert "HOST:PORT" in raised.value.hint


def test_an_address_may_lack_its_port():
    assert connection._understood("head.example") == "head.example:6379"
    assert connection._understood("[::1]:7") == "[::1]:7"


def test_without_ray_the_command_that_installs_it_is_said(monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "ray" else name)
    with pytest.raises(MissingExtraError) as raised, connection.joined("auto"):
        pass
    assert 'pip install "tellapart[cluster]"' in raised.value.hint


@needs_ray
def test_nobody_at_an_address(monkeypatch):
    monkeypatch.setattr(connection, "ray", lambda: None)
    with closing(create_server(("127.0.0.1", 0))) as listening:
        port = listening.getsockname()[1]
        assert connection.is_there(f"127.0.0.1:{port}")
    assert not connection.is_there(f"127.0.0.1:{port}")
    with pytest.raises(InputError, match="No Ray cluster answers at"), connection.joined(f"127.0.0.1:{port}"):
        pass


@needs_ray
@pytest.mark.thorough
def test_something_else_at_an_address():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    assert "No Ray cluster answers at" in said(f"127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()


@needs_ray
@pytest.mark.thorough
def test_a_cluster_of_another_ray():
    """A real one that says it was of another version, which is what Ray goes by."""
    with cluster(1, program=OTHER) as (head,):
        sentence = said(head.address)
    assert "has Ray 2.1.0 and Python" in sentence
    assert 'pip install "ray==2.1.0"' in sentence


@needs_ray
@pytest.mark.thorough
def test_a_cluster_that_asks_for_a_token(tmp_path):
    own, other = ({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": letter * 64} for letter in "ab")
    with cluster(1, settings=own) as (head,):
        assert said(head.address, own) == "joined\n"
        for settings in (other, OPEN):
            assert "asks for a token" in said(head.address, settings)

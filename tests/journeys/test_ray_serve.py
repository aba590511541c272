"""containers/ray-serve: replicas on a Ray of its own answer as `tellapart predict`, are drained, are killed."""

import json
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import httpx2
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "containers" / "ray-serve"
pytestmark = [
    pytest.mark.thorough,  # Ray takes a quarter of a minute to start
    pytest.mark.skipif(not all(map(find_spec, ("ray", "aiohttp"))), reason="ray[serve] is not installed"),
]


@pytest.fixture
def cluster(own_process, trained, tmp_path):
    """(port, ask): `ask("kill")` returns the names of the replicas that are there then."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    script = Path(__file__).with_name("on_ray.py")
    environment = own_process.environment(RAY_USAGE_STATS_ENABLED="0", OMP_NUM_THREADS="1")
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, script, FOLDER, trained, str(port)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )

    def ask(line=""):
        if line:
            process.stdin.write(f"{line}\n")
            process.stdin.flush()
        for said in process.stdout:  # Ray writes there too
            word, *names = said.split() or [""]
            if word in ("ready", "done"):
                return names
        raise AssertionError((tmp_path / "log").read_text())

    ask()
    yield port, ask
    process.stdin.close()
    process.wait(60)
    process.stdout.close()


def test_two_replicas_answer_as_predict_and_are_drained_and_killed(
    cluster, own_process, trained, fresh, asking_over_and_over
):
    port, ask = cluster
    paths = sorted(fresh.rglob("*.jpg"))[:4]
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        assert client.get("/readyz").json() == {"ready": True}
        assert "tell-apart" in client.get("/").text
        said = client.post("/v1/predict", files=[("photos", path.read_bytes()) for path in paths]).json()
        expected = own_process.lines("predict", trained, *paths)
        for one, other in zip(said["predictions"], expected, strict=True):
            assert {name: one[name] for name in ("answer", "confidence", "probs", "unknown_score")} == {
                name: other[name] for name in ("answer", "confidence", "probs", "unknown_score")
            }
        assert client.post("/v1/predict", files={"photos": bytes(20_000_001)}).status_code == 413
        evil = {"origin": "https://evil.example"}
        assert client.post("/v1/predict", files={"photos": b"x"}, headers=evil).status_code == 403
        assert client.get("/readyz", headers={"host": "evil.example"}).status_code == 421
    with asking_over_and_over(port, paths[0].read_bytes()) as asking:
        asking.more(20)
        assert len(ask("replicas 1")) == 1  # one was drained
        asking.more(20)
        assert {status for status, _ in asking.answers} == {200}
        ask("kill")
        n, end = len(asking.answers), time.monotonic() + 60
        while not any(status == 200 for status, _ in asking.answers[n:]):  # Ray starts another in its place
            assert time.monotonic() < end
            time.sleep(0.05)
    assert len({text for status, text in asking.answers if status == 200}) == 1


BAD = [
    ({}, "No model"),
    ({"model": "m", "replica": "2"}, "'replica'"),
    ({"model": "m", "replicas": "0"}, "'0'"),
    ({"model": "m", "cores": "two"}, "'two'"),
    ({"model": "m", "hosts": "*.example.org"}, "example.org"),
    ({"model": "m", "origins": "example"}, "'example'"),
    ({"model": "m", "proxies": "proxy"}, "'proxy'"),
]
TRY = """
import json, sys
from app import application
from tellapart.errors import InputError
for arguments in json.load(sys.stdin):
    try:
        print(application(arguments))
    except InputError as error:
        print(error.message, error.hint, sep="\\t")
"""


def test_bad_arguments_are_a_sentence_before_anything_starts():
    """In a process of its own: what Ray imports warns of itself."""
    asked = json.dumps([arguments for arguments, _ in BAD])
    done = subprocess.run(
        [sys.executable, "-c", TRY], cwd=FOLDER, input=asked, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for line, (_, says) in zip(done.stdout.splitlines(), BAD, strict=True):
        message, hint = line.split("\t")
        assert says in message
        assert hint

"""The shell carries an application without a model: a program of its own, on a real port, over HTTP."""

import signal
import subprocess
import sys

import httpx2
import pytest

from tellapart.errors import ArtifactError, InputError, PhotoError
from tellapart.server.shell.limits import MAX_BODY_BYTES
from tellapart.server.shell.problem import of_error

HELLO = """
import asyncio, socket, sys
from prometheus_client import CollectorRegistry
from starlette.routing import Route
from tellapart.errors import InputError
from tellapart.server.shell.app import Settings, make_app
from tellapart.server.shell.counters import as_text
from tellapart.server.shell.lifecycle import serve
from tellapart.server.shell.limits import Budget, Reservation, read_body
from tellapart.server.shell.problem import busy, json_response
from starlette.responses import PlainTextResponse

room, registry = Budget(), CollectorRegistry()

async def hello(_):
    return json_response({"hello": "world", "loaded": sorted(sys.modules)})

async def length(request):
    with Reservation(room, Budget()) as reservation:
        return json_response({"n_bytes": len(await read_body(request, reservation))})

async def wrong(_):
    raise InputError("There is no such folder.", hint="Name another.")

async def full(_):
    raise busy()

async def broken(_):
    raise RuntimeError("a secret")

async def metrics(_):
    return PlainTextResponse(as_text(registry))

async def start():
    print("started", flush=True)
    if "refuse" in sys.argv:
        raise InputError("It cannot start.")

async def again():
    print("again", flush=True)

pages = {"/hello": hello, "/wrong": wrong, "/full": full, "/broken": broken, "/metrics": metrics}
routes = [*(Route(path, page) for path, page in pages.items()), Route("/length", length, methods=["POST"])]
app = make_app(routes, Settings(origins=["https://friend.example"]), registry, {404: "See /hello."})
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
try:
    asyncio.run(serve(listener, app, starting=start(), on_hangup=again))
except InputError as error:
    sys.exit(error.message)
print("ended", flush=True)
"""
WITHOUT = (
    "tellapart.model",
    "tellapart.engine",
    "tellapart.server.predict_api",
    "openvino",
    "onnxruntime",
    "onnx",
    "torch",
)


@pytest.fixture(scope="module")
def program():
    child = subprocess.Popen(
        [sys.executable, "-c", HELLO], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )
    port = int(child.stdout.readline())
    assert child.stdout.readline() == "started\n"
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}") as client:
        yield child, client
    child.kill()
    child.communicate()


@pytest.fixture
def client(program):
    return program[1]


def refused(answer, status, code):
    said = answer.json()
    assert (answer.status_code, said["status"], said["error"]) == (status, status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    return said["message"], said["hint"]


def test_it_answers_and_has_loaded_no_model_and_no_engine(client):
    answer = client.get("/hello")
    assert (answer.status_code, answer.json()["hello"]) == (200, "world")
    assert answer.headers["referrer-policy"] == "no-referrer"
    loaded = answer.json()["loaded"]
    assert "tellapart.server.shell.protocol" in loaded
    assert [name for name in loaded if name in WITHOUT or name.startswith(tuple(f"{each}." for each in WITHOUT))] == []


def test_bodies_have_the_shells_limits(client):
    assert client.post("/length", content=b"x" * 5_000_000).json() == {"n_bytes": 5_000_000}
    refused(client.post("/length", content=b"x" * (MAX_BODY_BYTES + 1)), 413, "too_large")
    refused(client.post("/length", content=b"x", headers={"content-encoding": "gzip"}), 415, "wrong_type")


def test_other_websites_and_other_names_are_refused(client):
    evil, friend = (
        {"origin": f"https://{name}.example", "sec-fetch-site": "cross-site"} for name in ("evil", "friend")
    )
    refused(client.post("/length", content=b"x", headers=evil), 403, "forbidden_origin")
    allowed = client.post("/length", content=b"x", headers=friend)
    assert allowed.headers["access-control-allow-origin"] == "https://friend.example"
    refused(client.get("/hello", headers={"host": "evil.example"}), 421, "forbidden_host")


def test_whatever_goes_wrong_has_one_form(client):
    assert refused(client.get("/nothing"), 404, "not_found") == ("There is no such page.", "See /hello.")
    assert refused(client.get("/length"), 405, "not_allowed") == ("The page is not for this method.", "")
    assert refused(client.get("/wrong"), 422, "bad_input") == ("There is no such folder.", "Name another.")
    assert refused(client.get("/full"), 503, "busy")[0] == "The server is busy."
    assert "secret" not in str(refused(client.get("/broken"), 500, "internal"))
    assert client.get("/hello/").status_code == 404
    assert 'tellapart_requests_total{route="/wrong",status="422"} 1.0' in client.get("/metrics").text


def test_signals_are_obeyed(program):
    child, client = program
    assert client.get("/hello").status_code == 200
    child.send_signal(signal.SIGHUP)
    assert child.stdout.readline() == "again\n"
    child.send_signal(signal.SIGTERM)
    assert child.stdout.readline() == "ended\n"
    assert child.wait(20) == 0


def test_a_start_that_fails_ends_it():
    done = subprocess.run(
        [sys.executable, "-c", HELLO, "refuse"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (1, "It cannot start.\n")
    assert "ended" not in done.stdout


def test_what_the_visitor_can_mend_is_told_and_a_fault_of_ours_is_not():
    told = of_error(PhotoError("The file is empty.", code="empty", hint="Copy it again."))
    assert (told.status, told.code, told.message, told.hint) == (422, "empty", "The file is empty.", "Copy it again.")
    told = of_error(InputError("There is no such folder."))
    assert (told.status, told.code, told.message) == (422, "bad_input", "There is no such folder.")
    hidden = of_error(ArtifactError("The model's manifest is incomplete.", hint="Copy it again."))
    assert (hidden.status, hidden.code) == (500, "internal")
    assert "manifest" not in hidden.message + hidden.hint

"""Who may ask: names of the server, other websites, and what browsers are told."""

import anyio
import httpx2
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from tellapart.server.shell.origin import OriginCheck

FRIEND, STRANGER = "https://blog.example.org", "https://evil.example"


async def echo(request):
    return JSONResponse({"did": request.method})


def ask(method, path="/v1/predict", *, hosts=(), origins=(), base="http://127.0.0.1:8000", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    paths = ("/", "/embed", "/v1/predict", "/v1/model", "/tell-apart.js", "/metrics")
    app = OriginCheck(
        Starlette(routes=[Route(p, echo, methods=["GET", "POST"]) for p in paths]), hosts=hosts, origins=origins
    )

    async def go():
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=base) as client:
            return await client.request(method, path, headers=named)

    return anyio.run(go)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8000", "[::1]:8000", "localhost."])
def test_local_names_are_known(host):
    assert ask("GET", host=host).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost@evil", "", "localhost:99999999", "a b", "[::1", "127.1"],
)
def test_other_names_are_not(host):
    refused = ask("GET", host=host)
    assert refused.status_code == 421
    assert refused.json()["error"] == "forbidden_host"
    assert refused.headers["x-content-type-options"] == "nosniff"


def test_a_name_can_be_added():
    assert ask("GET", host="burgers.example", hosts=["Burgers.example"]).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://127.0.0.1:8000", "sec_fetch_site": "same-origin"},
        {"origin": "https://127.0.0.1:8000"},
        {"sec_fetch_site": "none"},
    ],
)
def test_our_own_page_and_programs_may_post(headers):
    assert ask("POST", **headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": STRANGER},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9000"},
        {"origin": "http://localhost:8000"},
        {"origin": f"{FRIEND}.evil.example"},
        {"origin": f"{FRIEND}, {FRIEND}"},
        {"origin": "http://blog.example.org"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": "http://127.0.0.1:8000", "sec_fetch_site": "cross-site"},
        {"origin": STRANGER, "cookie": "session=1"},
    ],
)
def test_other_websites_may_not(headers):
    refused = ask("POST", origins=[FRIEND], **headers)
    assert refused.status_code == 403
    assert refused.json()["error"] == "forbidden_origin"
    assert "access-control-allow-origin" not in refused.headers


def test_a_website_on_the_list_may_and_is_told_so_exactly():
    answer = ask("POST", origins=[FRIEND], origin=FRIEND, sec_fetch_site="cross-site")
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == FRIEND
    assert answer.headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in answer.headers


def test_the_browser_may_ask_first():
    asked = {"access_control_request_method": "POST"}
    answer = ask("OPTIONS", origins=[FRIEND], origin=FRIEND, **asked)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == FRIEND
    assert "POST" in answer.headers["access-control-allow-methods"]
    refused = ask("OPTIONS", origins=[FRIEND], origin=STRANGER, **asked)
    assert refused.status_code == 403
    assert "access-control-allow-origin" not in refused.headers


@pytest.mark.parametrize("path", ["/v1/model", "/tell-apart.js"])
def test_nobody_else_can_read_unless_listed(path):
    assert "access-control-allow-origin" not in ask("GET", path, origin=STRANGER).headers
    listed = ask("GET", path, origins=[FRIEND], origin=STRANGER)
    assert "access-control-allow-origin" not in listed.headers
    assert listed.headers["vary"] == "Origin"
    assert ask("GET", path, origins=[FRIEND], origin=FRIEND).headers["access-control-allow-origin"] == FRIEND


@pytest.mark.parametrize("path", ["/", "/embed", "/metrics"])
def test_pages_are_never_for_others_to_read(path):
    answer = ask("GET", path, origins=[FRIEND], origin=FRIEND)
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"

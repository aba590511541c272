"""Who may ask: names of the server, other websites, and what browsers are told."""

import anyio
import httpx2
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from tellapart.errors import InputError
from tellapart.server.shell.behind_proxy import BehindProxy
from tellapart.server.shell.origin import OriginCheck, host_name, web_origin

FRIEND, STRANGER = "https://blog.example.org", "https://evil.example"


async def echo(request):
    return JSONResponse({"did": request.method})


def ask(method, path="/v1/predict", *, hosts=(), origins=(), proxies=(), base="http://127.0.0.1:8000", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    paths = ("/", "/embed", "/v1/predict", "/v1/model", "/tell-apart.js", "/metrics")
    app = OriginCheck(
        Starlette(routes=[Route(p, echo, methods=["GET", "POST"]) for p in paths]), hosts=hosts, origins=origins
    )
    app = BehindProxy(app, proxies) if proxies else app

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


PUBLIC = "photos.example.org"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (PUBLIC, PUBLIC),
        ("https://photos.example.org", PUBLIC),
        ("HTTP://Photos.Example.org:8443/", PUBLIC),
        ("photos.example.org:8000", PUBLIC),
        ("photos.example.org.", PUBLIC),
        (" photos.example.org ", PUBLIC),
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("my_app:8000", "my_app"),
        ("192.168.1.5:8000", "192.168.1.5"),
        ("2001:DB8::0:1", "[2001:db8::1]"),
        ("https://[2001:db8::1]:8000", "[2001:db8::1]"),
    ],
)
def test_a_name_is_taken_as_people_copy_it(given, name):
    assert host_name(given) == name
    assert ask("GET", host=name, hosts=[host_name(given)]).status_code == 200


@pytest.mark.parametrize(
    "given",
    ["*.example.org", "*", "", "https://", "a b", "me@photos.example.org", "photos.example.org/app", "a..b", "-a.org",
     "photos.example.org:99999", "photos.example.org:x", "ftp://a.org", "[::x]", "a,b", ".example.org", "a" * 64],
)  # fmt: skip
def test_what_could_never_match_is_refused(given):
    with pytest.raises(InputError, match="is not the name of a server") as raised:
        host_name(given)
    assert raised.value.hint == "Write it like photos.example.org, each name by itself."


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("https://example.org", "https://example.org"),
        ("https://Example.org/", "https://example.org"),
        ("https://example.org:443", "https://example.org"),
        ("http://example.org:80", "http://example.org"),
        ("http://example.org:443", "http://example.org:443"),
        ("https://b\u00fccher.example:8443", "https://xn--bcher-kva.example:8443"),
        ("http://[2001:DB8::1]:8000", "http://[2001:db8::1]:8000"),
    ],
)
def test_an_origin_is_taken_as_browsers_say_it(given, origin):
    assert web_origin(given) == origin


@pytest.mark.parametrize(
    "given",
    [
        "*",
        "null",
        "example.org",
        "https://*.example.org",
        "https://example.org/blog",
        "https://a:99999",
        "https://a@b.org",
    ],
)
def test_what_no_browser_says_is_refused(given):
    with pytest.raises(InputError, match="is not the origin of a website"):
        web_origin(given)


OWN_PAGE = {"origin": f"https://{PUBLIC}", "sec_fetch_site": "same-origin"}


@pytest.mark.parametrize(
    ("settings", "headers"),
    [
        ({"hosts": [PUBLIC]}, {}),  # `proxy_pass` as it is: Host names this machine
        ({"hosts": [PUBLIC]}, {"host": PUBLIC}),
        ({"hosts": [PUBLIC]}, {"host": f"{PUBLIC}:443"}),  # $host:$server_port
        ({"hosts": [PUBLIC]}, {"host": PUBLIC, "origin": f"https://{PUBLIC}:8443"}),  # $host of another port
        ({"hosts": [PUBLIC], "proxies": ["127.0.0.1"]}, {"x_forwarded_host": PUBLIC}),
        ({"proxies": ["127.0.0.1"]}, {"x_forwarded_host": PUBLIC}),
        ({"proxies": ["127.0.0.1"]}, {"x_forwarded_host": PUBLIC, "host": PUBLIC}),  # as Caddy does
        ({"proxies": ["127.0.0.1"]}, {"x_forwarded_host": f"{PUBLIC}:8443", "origin": f"https://{PUBLIC}:8443"}),
        ({"proxies": ["127.0.0.1"]}, {"x_forwarded_host": f"evil.example, {PUBLIC}"}),
        ({"proxies": ["127.0.0.1"]}, {"x_forwarded_host": PUBLIC, "origin": "http://127.0.0.1:8000"}),  # not through it
    ],
)
def test_our_own_page_behind_a_proxy_may_post(settings, headers):
    assert ask("POST", **settings, **{**OWN_PAGE, **headers}).status_code == 200


@pytest.mark.parametrize(
    ("settings", "headers", "status"),
    [
        ({}, {"x_forwarded_host": PUBLIC}, 403),  # nobody is trusted
        ({"proxies": ["10.0.0.2"]}, {"x_forwarded_host": PUBLIC}, 403),  # another is
        ({"proxies": ["127.0.0.1"]}, {"x_forwarded_host": PUBLIC, "origin": STRANGER}, 403),
        ({"proxies": ["127.0.0.1"]}, {"x_forwarded_host": f"{PUBLIC}, evil.example"}, 403),
        ({"hosts": ["other.example"], "proxies": ["127.0.0.1"]}, {"x_forwarded_host": PUBLIC}, 421),
        ({"hosts": [PUBLIC], "proxies": ["127.0.0.1"]}, {"x_forwarded_host": "a b"}, 421),
        ({"hosts": [PUBLIC]}, {"origin": f"https://evil.{PUBLIC}"}, 403),
        ({"hosts": [PUBLIC]}, {"origin": f"https://{PUBLIC}.evil.example"}, 403),
        ({"hosts": [PUBLIC]}, {"origin": f"ftp://{PUBLIC}"}, 403),
        ({"hosts": [PUBLIC]}, {"sec_fetch_site": "cross-site"}, 403),
        ({"hosts": [PUBLIC]}, {"sec_fetch_site": "same-site"}, 403),  # another port of the name, say browsers
        ({"hosts": ["localhost"]}, {"origin": "http://localhost:9000"}, 403),  # whatever else runs on this machine
    ],
)
def test_no_other_page_behind_a_proxy_may(settings, headers, status):
    assert ask("POST", **settings, **{**OWN_PAGE, **headers}).status_code == status

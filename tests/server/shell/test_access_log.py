"""A line and a count for every request, without a word of a stranger's."""

import asyncio
import logging

import pytest
from prometheus_client import CollectorRegistry

from tellapart.server.shell.access_log import AccessLog
from tellapart.server.shell.counters import RequestCounters, as_text

PARTS = frozenset({"/app.js"})
ROUTES = frozenset({"/", "/v1/model"}) | PARTS


def counted(scope, app):
    """What is counted of one request."""
    registry = CollectorRegistry()

    async def send(message):
        pass

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.perf_counter", iter([1.0, 1.25]).__next__)
        asyncio.run(AccessLog(app, RequestCounters(registry), ROUTES, PARTS)(scope, None, send))
    return as_text(registry).decode()


def answering(status):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return app


@pytest.mark.parametrize(
    ("method", "path", "status", "line", "count"),
    [
        ("GET", "/v1/model", 200, "GET /v1/model 200 250 ms", 'route="/v1/model",status="200"'),
        ("POST", "/secret\r\nFAKE", 404, "POST other 404 250 ms", 'route="other",status="404"'),
        ("EVIL\r\n", "/", 405, "other / 405 250 ms", 'route="/",status="405"'),
    ],
)
def test_what_was_asked_and_said(caplog, method, path, status, line, count):
    caplog.set_level(logging.INFO, "tellapart.requests")
    said = counted({"type": "http", "method": method, "path": path}, answering(status))
    assert caplog.messages == [line]
    assert f"tellapart_requests_total{{{count}}} 1.0" in said
    assert 'tellapart_request_seconds_bucket{le="0.25"' in said


def test_what_a_page_consists_of_is_counted_and_written_down_only_when_it_fails(caplog):
    caplog.set_level(logging.INFO, "tellapart.requests")
    scope = {"type": "http", "method": "GET", "path": "/app.js"}
    assert 'route="/app.js",status="200"} 1.0' in counted(scope, answering(200))
    counted(scope, answering(304))
    assert caplog.messages == []
    counted(scope, answering(404))
    assert caplog.messages == ["GET /app.js 404 250 ms"]


def test_who_went_away_is_counted_too(caplog):
    caplog.set_level(logging.INFO, "tellapart.requests")

    async def gone(scope, receive, send):
        raise ConnectionError

    with pytest.raises(ConnectionError):
        counted({"type": "http", "method": "GET", "path": "/"}, gone)
    assert caplog.messages == ["GET / 499 250 ms"]


def test_what_is_no_request_is_passed_on(caplog):
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["type"])

    assert "status=" not in counted({"type": "lifespan"}, app)
    assert (seen, caplog.messages) == (["lifespan"], [])

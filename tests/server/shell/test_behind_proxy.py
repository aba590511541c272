"""Whom a trusted proxy asks for, and by which name."""

import asyncio

import pytest

from tellapart.server.shell.behind_proxy import FORWARDED_HOST, BehindProxy


def seen(peer, headers, proxies=("10.0.0.0/24",)):
    """(client, forwarded name) as the application sees them."""
    found = []

    async def app(scope, receive, send):
        found.append((scope["client"][0], scope.get(FORWARDED_HOST)))

    scope = {"type": "http", "client": (peer, 1), "scheme": "http", "headers": headers}
    asyncio.run(BehindProxy(app, proxies)(scope, None, None))
    return found[0]


FOR, HOST = (b"x-forwarded-for", b"203.0.113.7"), (b"x-forwarded-host", b"photos.example.org")


def test_a_trusted_proxy_says_who_asks_and_for_which_name():
    assert seen("10.0.0.2", [FOR, HOST]) == ("203.0.113.7", "photos.example.org")


def test_others_are_not_believed():
    assert seen("203.0.113.9", [FOR, HOST]) == ("203.0.113.9", None)
    assert seen("10.0.1.2", [FOR, HOST], ["10.0.0.2"]) == ("10.0.1.2", None)
    assert seen("not an address", [FOR, HOST])[1] is None


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ([b"mine.example, photos.example.org"], "photos.example.org"),
        ([b"mine.example", b"photos.example.org:8443"], "photos.example.org:8443"),
        ([b""], None),
        ([b"photos.example.org,"], None),
    ],
)
def test_the_last_word_is_the_proxy_s(values, name):
    assert seen("10.0.0.2", [(b"x-forwarded-host", value) for value in values])[1] == name

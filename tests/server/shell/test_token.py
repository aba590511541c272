"""Only who carries the word is answered, and the page's own files need none."""

import anyio
import httpx2
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tellapart.server.shell.token import LETTERS, WORD, TokenCheck, new_token


async def echo(request):
    return PlainTextResponse("asked")


def ask(path="/v1/model", headers=()):
    app = TokenCheck(Starlette(routes=[Route(p, echo) for p in ("/", "/v1/model")]), "s3cret-word", {"/"})

    async def go():
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1") as client:
            return await client.get(path, headers=list(headers))

    return anyio.run(go)


@pytest.mark.parametrize("said", ["Bearer s3cret-word", "bearer s3cret-word", "Bearer  s3cret-word"])
def test_who_knows_it_is_answered(said):
    assert ask(headers=[("authorization", said)]).text == "asked"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("authorization", "")],
        [("authorization", "Bearer")],
        [("authorization", "Bearer s3cret-wor")],
        [("authorization", "Bearer s3cret-word2")],
        [("authorization", "Bearer S3CRET-WORD")],
        [("authorization", "Basic s3cret-word")],
        [("authorization", "s3cret-word")],
        [("authorization", "Bearer s3cret-word"), ("authorization", "Bearer x")],
        [("cookie", "token=s3cret-word")],
    ],
)
def test_who_does_not_is_not(headers):
    refused = ask(headers=headers)
    assert refused.status_code == 401
    assert refused.json()["error"] == "needs_token"
    assert refused.headers["www-authenticate"] == "Bearer"


def test_a_file_of_the_page_needs_none_and_a_path_beside_it_does():
    assert ask("/").status_code == 200
    assert ask("/v1").status_code == 401
    assert ask("/v1/model?token=s3cret-word").status_code == 401  # what stands in an address stands in logs


def test_a_new_word_can_be_typed_and_is_new():
    words = {new_token() for _ in range(1000)}
    assert len(words) == 1000
    assert all(set(word) <= set(LETTERS) and WORD.fullmatch(word) for word in words)
    assert not set(LETTERS) & set("ilo01")

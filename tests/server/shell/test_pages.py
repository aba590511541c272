"""Static files: from memory, with the headers a browser needs, at literal paths."""

import anyio
import httpx2
import pytest
from starlette.applications import Starlette

from tellapart.server.shell.pages import read_pages, routes

FILES = {
    "index.html": b"<!doctype html><title>x</title>" + b"<p>word</p>" * 200,
    "embed.html": b"<!doctype html>",
    "app.js": b"export const x = 1;\n" * 100,
    "style.css": b"p { color: red }",
    "icons/logo.svg": b"<svg xmlns='http://www.w3.org/2000/svg'></svg>",
    ".hidden.js": b"no",
    "__init__.py": b"no",
    "notes.md": b"no",
}


@pytest.fixture
def folder(tmp_path):
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def get(folder, path, *, embedders=(), method="GET", **headers):
    app = Starlette(routes=routes(read_pages(folder, embedders=embedders)))
    named = {"accept-encoding": "identity"} | {name.replace("_", "-"): value for name, value in headers.items()}

    async def go():
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://x") as client:
            return await client.request(method, path, headers=named)

    return anyio.run(go)


def test_only_files_for_browsers_are_served(folder):
    assert {page.path for page in read_pages(folder)} == {"/", "/embed", "/app.js", "/style.css", "/icons/logo.svg"}


def test_a_folder_that_is_not_there_has_no_pages(tmp_path):
    assert read_pages(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("path", "name", "kind"),
    [
        ("/", "index.html", "text/html; charset=utf-8"),
        ("/app.js", "app.js", "text/javascript; charset=utf-8"),
        ("/style.css", "style.css", "text/css; charset=utf-8"),
        ("/icons/logo.svg", "icons/logo.svg", "image/svg+xml"),
    ],
)
def test_content_and_type(folder, path, name, kind):
    answer = get(folder, path)
    assert answer.content == FILES[name]
    assert answer.headers["content-type"] == kind
    assert get(folder, path, accept_encoding="gzip").content == FILES[name]
    assert get(folder, path, method="HEAD").content == b""


def test_packed_where_it_pays(folder):
    assert get(folder, "/app.js", accept_encoding="gzip").headers["content-encoding"] == "gzip"
    assert "content-encoding" not in get(folder, "/embed", accept_encoding="gzip").headers
    assert get(folder, "/app.js").headers["vary"] == "Accept-Encoding"


def test_a_page_that_did_not_change_is_not_sent_again(folder):
    tag = get(folder, "/app.js").headers["etag"]
    again = get(folder, "/app.js", if_none_match=f'"other", {tag}')
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == tag
    (folder / "app.js").write_bytes(b"changed")
    assert get(folder, "/app.js", if_none_match=tag).status_code == 200


def test_ranges_are_not_offered(folder):
    answer = get(folder, "/app.js", range="bytes=0-0," * 10_000)
    assert answer.status_code == 200
    assert answer.content == FILES["app.js"]
    assert "accept-ranges" not in answer.headers


def test_policies_of_the_two_pages(folder):
    page = get(folder, "/", embedders=["https://a.example"]).headers
    assert "frame-ancestors 'none'" in page["content-security-policy"]
    assert "default-src 'none'" in page["content-security-policy"]
    assert "unsafe" not in page["content-security-policy"]
    assert "camera=(self)" in page["permissions-policy"]
    frame = get(folder, "/embed", embedders=["https://a.example", "https://b.example"]).headers
    assert "frame-ancestors https://a.example https://b.example;" in frame["content-security-policy"]
    assert "frame-ancestors 'none'" in get(folder, "/embed").headers["content-security-policy"]


@pytest.mark.parametrize(
    "path", ["/..%2fstyle.css", "/icons/%2e%2e/app.js", "/index.html/", "/app.js%00", "/icons\\logo.svg"]
)
def test_a_path_is_never_a_file_name(folder, path):
    assert get(folder, path).status_code == 404

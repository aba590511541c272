"""The page, the widget and their files: read once, served from memory, each with the headers it needs."""

import gzip
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

CONTENT_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
PACKED: Final = (".css", ".html", ".js", ".json", ".svg", ".txt", ".webmanifest")  # the others are packed already
PATHS: Final = {"/index.html": "/", "/embed.html": "/embed"}
# Nothing from another host, nothing inline; `blob:` and `data:` are the visitor's own photos and our heatmaps.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "frame-ancestors {ancestors}; base-uri 'none'; form-action 'none'"
)


@dataclass(frozen=True)
class Page:
    """One file to serve.

    Args:
        path: where, such as `/app.js`.
        content: as it is.
        packed: the same by gzip, or None.
        headers: to send with it.
    """

    path: str
    content: bytes
    packed: bytes | None
    headers: dict[str, str]


def read_pages(folder: Traversable | None = None, *, embedders: Sequence[str] = ()) -> list[Page]:
    """Every file of `folder`, the package's own `web` unless told.

    Args:
        folder: where the files are; files of a kind that no browser loads are left out.
        embedders: exact origins that may show `/embed` in a frame.
    """
    root = folder or files("tellapart") / "web"
    return [_page(path, content, embedders) for path, content in _contents(root, "/")] if root.is_dir() else []


def routes(pages: Iterable[Page]) -> list[Route]:
    """A literal route for every page; nothing in a path is ever a file name."""
    return [Route(page.path, _endpoint(page), methods=["GET"]) for page in pages]


def _contents(folder: Traversable, path: str) -> Iterable[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.startswith((".", "_")):
            continue
        if entry.is_dir():
            yield from _contents(entry, f"{path}{entry.name}/")
        elif _suffix(entry.name) in CONTENT_TYPES:
            yield f"{path}{entry.name}", entry.read_bytes()


def _suffix(name: str) -> str:
    return f".{name.rpartition('.')[2].lower()}"


def _page(path: str, content: bytes, embedders: Sequence[str]) -> Page:
    suffix = _suffix(path)
    headers = {
        "content-type": CONTENT_TYPES[suffix],
        "cache-control": "no-cache",  # to be asked each time whether it changed, which costs no transfer
        "etag": f'W/"{hashlib.sha256(content).hexdigest()[:32]}"',  # weak: packed or not, it is the same page
    }
    served_at = PATHS.get(path, path)
    if suffix == ".html":
        ancestors = " ".join(embedders) if served_at == "/embed" else ""
        headers["content-security-policy"] = POLICY.format(ancestors=ancestors or "'none'")
        headers["permissions-policy"] = "camera=(self), microphone=(), geolocation=()"
        headers["cross-origin-opener-policy"] = "same-origin"
    packed = gzip.compress(content, mtime=0) if suffix in PACKED else None
    if packed is not None and len(packed) < len(content):
        headers["vary"] = "Accept-Encoding"
    else:
        packed = None
    return Page(served_at, content, packed, headers)


def _endpoint(page: Page) -> Callable[[Request], Awaitable[Response]]:
    """Answers with one page. Ranges are not offered: our files are small, and ranges have been a way to attack."""

    async def answer(request: Request) -> Response:
        known = [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]
        if page.headers["etag"] in known:
            return Response(status_code=304, headers={k: v for k, v in page.headers.items() if k != "content-type"})
        if page.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            return Response(page.packed, headers={**page.headers, "content-encoding": "gzip"})
        return Response(page.content, headers=page.headers)

    return answer

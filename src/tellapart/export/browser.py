"""A static page asked in a real browser: Chromium without a window, and a plain file server on this machine."""

import io
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Queue
from typing import Any

from PIL import Image

from tellapart.data.photo import decode
from tellapart.data.preprocess import Preprocess
from tellapart.errors import TrainingError
from tellapart.export.photos import ProofPhoto
from tellapart.export.proof import FROM_FILES, Answer

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
START_S = 90  # a cold browser on a busy machine, and the model's loading
PHOTO_S = 60
VISIT_S = 1800  # at most, whatever happens
KINDS = {  # that a stock nginx knows, and no more: what works here works on a plain host
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".json": "application/json",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
}
PROOF = "tellapart-proof"  # where the page below is served, beside the exported files
# The picture arrives when all is answered: until then the page counts as loading, and the browser stays.
PAGE = f"""<!doctype html><title>proof</title><script type="module" src="./{PROOF}.js"></script>
<img src="./{PROOF}.end" alt="">"""
# Asks for one photo after the other, through the same module that the page uses.
SCRIPT = f"""
import {{ connect }} from "./connect.js";
const tell = (said) => fetch("./{PROOF}.said", {{ method: "POST", body: JSON.stringify(said) }});
try {{
  const client = await connect("./model/");
  for (let i = 0; ; i += 1) {{
    const response = await fetch(`./{PROOF}.photo.${{i}}`);
    if (!response.ok) break;
    const photo = await response.blob();
    const started = performance.now();
    const [said] = await client.predict([photo]);
    const ms = performance.now() - started;
    await tell({{ ...said, probs: [...said.probs], ms }});
  }}
}} catch (error) {{
  await tell({{ failed: String(error?.message ?? error) }});
}}
"""


def find_chromium() -> str | None:
    """The path of a Chromium, if there is one."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


@dataclass(frozen=True)
class BrowserRunner:
    """A static page as an exported form.

    For root, Chromium works only without its sandbox, and a photo that took over a decoder there would have the whole
    machine. So it is then given no byte of a photo that is not ours: each is decoded here, as the model itself reads
    it, and handed over as a PNG of those pixels. What is proven is the page's resizing and the graph, on all photos;
    the browser's own decoding of JPEG, sizes and orientation on the generated ones alone.

    Args:
        files: {relative name: content} of the folder.
        program: path of the browser.
        preprocessing: how the model reads a photo.
        sandboxed: whether the browser keeps its sandbox.
        bound: the largest difference accepted.
    """

    files: Mapping[str, bytes]
    program: str
    preprocessing: Preprocess
    sandboxed: bool = field(default_factory=lambda: not _is_root())
    bound: float = FROM_FILES

    @property
    def through(self) -> str:
        """What runs it, for people."""
        plain = "Chromium, from a plain file server"
        return plain if self.sandboxed else f"{plain}; as root it has no sandbox, so photos went to it as PNG of ours"

    def handed(self, photo: ProofPhoto) -> bytes:
        """What the browser is given for a photo."""
        if self.sandboxed or photo.ours:
            return photo.data
        buffer = io.BytesIO()
        Image.fromarray(decode(photo.data, min_side_px=self.preprocessing.min_side_px)).save(
            buffer, "PNG", compress_level=1
        )
        return buffer.getvalue()

    def __call__(self, photos: Sequence[ProofPhoto]) -> Iterator[Answer]:
        """Answers in the order of `photos`; the first photo is asked once more ahead of all, to warm up."""
        visit = _Visit([self.handed(photo) for photo in (*photos[:1], *photos)], Queue(), threading.Event())
        pages = {f"{PROOF}.html": PAGE.encode(), f"{PROOF}.js": SCRIPT.encode()}
        server = _serve({**self.files, **pages}, visit)
        url = f"http://127.0.0.1:{server.server_port}/{PROOF}.html"
        browser = threading.Thread(
            target=_run, args=(self.program, url, self.sandboxed), name="proof-browser", daemon=True
        )
        browser.start()
        try:
            _next(visit.said, START_S)
            for _ in photos:
                yield _next(visit.said, PHOTO_S)
        finally:
            visit.over.set()
            browser.join(PHOTO_S)
            server.shutdown()
            server.server_close()


@dataclass(frozen=True)
class _Visit:
    """What the browser is asked, what it said, and whether it may leave."""

    asked: Sequence[bytes]
    said: "Queue[Any]"
    over: threading.Event


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _run(program: str, url: str, sandboxed: bool) -> None:
    """Runs the browser until the page has loaded, which is when the visit is over."""
    options = ["--headless", "--disable-gpu", "--no-first-run", "--dump-dom"]
    options += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    if not sandboxed:
        options.append("--no-sandbox")  # Chromium refuses to start for root with one; page and photos are our own
    with (
        tempfile.TemporaryDirectory(prefix="tellapart-", ignore_cleanup_errors=True) as profile,
        suppress(OSError, subprocess.SubprocessError),  # the visit then ends for want of answers
    ):
        command = [program, *options, f"--user-data-dir={profile}", url]
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=VISIT_S, check=False)  # noqa: S603


def _next(said: "Queue[Any]", patience_s: float) -> Answer:
    try:
        one = said.get(timeout=patience_s)
    except Empty as error:
        raise TrainingError(
            "The browser did not answer.", hint="Nothing was written. Is the machine very busy? Try again."
        ) from error
    if "failed" in one:
        raise TrainingError(f"The page does not work in the browser: {one['failed']}", hint="Nothing was written.")
    probs = {str(name): float(p) for name, p in one["probs"]}
    return Answer(one["answer"], probs, one["unknownScore"], one["ms"] / 1000)


def _serve(files: Mapping[str, bytes], visit: _Visit) -> ThreadingHTTPServer:
    """Serves `files` and the photos on this machine alone, and takes what the page tells."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.removeprefix("/").split("?")[0]
            index = name.removeprefix(f"{PROOF}.photo.")
            content = files.get(name)
            if index.isdecimal() and int(index) < len(visit.asked):
                content = visit.asked[int(index)]
            if name == f"{PROOF}.end":
                visit.over.wait(VISIT_S)
            self.send_response(404 if content is None else 200)
            suffix = os.path.splitext(name)[1]
            self.send_header("Content-Type", KINDS.get(suffix, "application/octet-stream"))
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def do_POST(self) -> None:
            visit.said.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name in the base class
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # the browser has left

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, name="proof-server", daemon=True).start()
    return server

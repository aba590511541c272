"""A real browser, real models behind real addresses, and a page that reports all that it should not do."""

import csv
import json
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page

import tellapart
from tellapart.model.prediction import Predictor
from tellapart.recipe import LinearProbe, Reading
from tellapart.workflow.train import train

WITH_CAMERA = ("--use-fake-device-for-media-stream=device-count=2", "--use-fake-ui-for-media-stream")
PATIENCE_MS = 10_000
QUICK_TO_DOUBT = 0.7
HOSTILE_NAMES = (
    "<img src=x onerror=alert(1)>",
    '"><script>alert(1)</script>',
    "__proto__",
    "\u05e9\u05dc\u05d5\u05dd",
    "10",
    "9",
)


@dataclass
class Visit:
    """A page and what it did."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE_MS)
        # A refused photo is a 4xx, which the browser reports as if it were a fault of the page.
        expected = "Failed to load resource"
        self.page.on("console", lambda m: m.text.startswith(expected) or self.complaints.append(m.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))

    @property
    def cards(self) -> Locator:
        return self.page.locator("tell-apart article")

    def card(self, number: int = 0) -> Locator:
        return self.cards.nth(number)

    def headline(self, number: int = 0) -> str:
        """The answer on a card, once it is there."""
        self.page.locator(f"tell-apart article >> nth={number} >> :scope:not([data-state=busy])").wait_for()
        return self.card(number).locator("h3").inner_text()

    def choose(self, *files: Any) -> None:
        with self.page.expect_file_chooser() as chooser:
            self.page.get_by_role("button", name="Choose photos").click()
        chooser.value.set_files(list(files))

    def until(self, script: str) -> None:
        """Waits for an expression to hold; Playwright's own way is forbidden by the page's security policy."""
        for _ in range(PATIENCE_MS // 50):
            if self.page.evaluate(script):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(script)

    def log(self) -> list[str]:
        """What a screen reader was told."""
        return self.page.locator("tell-apart [role=log] p").all_inner_texts()

    def leaves_no_trace(self, *allowed: str) -> None:
        assert self.complaints == []
        assert self.dialogs == []
        assert [url for url in self.requests if not url.startswith(allowed)] == []
        state = "[document.cookie, localStorage.length, sessionStorage.length]"
        assert self.page.evaluate(state) == ["", 0, 0]


@pytest.fixture(scope="module")
def browser(open_browser: Callable[..., Browser]) -> Browser:
    return open_browser(*WITH_CAMERA)


@pytest.fixture
def visit(browser: Any) -> Iterator[Any]:
    """Opens an address in a browser window of its own: `visit(url, **options of the window)`."""
    contexts = []

    def go(url: str, **options: Any) -> Visit:
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options}))
        visited = Visit(contexts[-1].new_page())
        visited.page.goto(url)
        return visited

    yield go
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def train_on(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Trains on `n_photos` a garment, each called as `names` says, and gives the model folder."""

    def run(folder: Path, n_photos: int, **names: str) -> Path:
        paths = {path: name for kind, name in names.items() for path in sorted((folder / kind).iterdir())[:n_photos]}
        table = tmp_path_factory.mktemp("web") / "labels.csv"
        with table.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("file", "label"), *((str(path), name) for path, name in paths.items())])
        model = table.with_name("garments")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TELLAPART_CACHE_DIR", str(table.parent))
            train(table, model, LinearProbe(Reading(quality="fast", test_share=0.15)))
        return model

    return run


@pytest.fixture(scope="session")
def garments(shared_data: Path, train_on: Callable[..., Path], made_once: Callable[..., Path]) -> Path:
    """A model of eight garments, quick to say "not sure" so that few photos are enough to see it do so."""
    kinds = ("dress", "hat", "longsleeve", "pants", "shirt", "shoes", "skirt", "t-shirt")

    def trained(folder: Path) -> None:
        model = train_on(shared_data / "clothing" / "train", 18, **{kind: kind for kind in kinds})
        manifest = json.loads((model / "manifest.json").read_text())
        manifest["thresholds"]["confidence"] = QUICK_TO_DOUBT
        (model / "manifest.json").write_text(json.dumps(manifest))
        folder.mkdir()
        model.rename(folder / model.name)

    return made_once("of-the-page", trained) / "garments"


@pytest.fixture(scope="session")
def foreign() -> Iterator["Foreign"]:
    """Another site, strict about what its pages may load."""
    site = Foreign()
    yield site
    site.stop()


@pytest.fixture(scope="session")
def site(garments: Path, foreign: "Foreign") -> Iterator["Served"]:
    """The page of the garments, which the foreign site may embed."""
    server = Served(garments, foreign.url)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def hostile_site(shared_data: Path, train_on: Callable[..., Path]) -> Iterator["Served"]:
    """The page of a model whose class names try everything."""
    kinds = ("dress", "hat", "pants", "shoes", "skirt", "t-shirt")
    names = dict(zip(kinds, HOSTILE_NAMES, strict=True))
    server = Served(train_on(shared_data / "clothing" / "train", 8, **names))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def early_site(early_model: Path) -> Iterator["Served"]:
    """The page of a model of too few photos for a promise."""
    server = Served(early_model)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def test_photos(shared_data: Path, garments: Path) -> dict[str, Path]:
    """{answer: a photo that gets it}, by the model itself."""
    test, cups = shared_data / "clothing" / "test", shared_data / "unknown" / "cups"
    kinds = (test / "hat", test / "shoes", test / "skirt", test / "shirt", cups)
    photos = [path for folder in kinds for path in sorted(folder.iterdir())[:12]]
    answers: dict[str, Path] = {}
    for path, said in zip(photos, tellapart.load(garments).predict(photos), strict=True):
        answers.setdefault(f"like {said.looks_like}" if said.looks_like else str(said.answer), path)
    return answers


class Served:
    """`tellapart serve` in a process of its own."""

    def __init__(self, model: Path, *allowed: str, token: str = "") -> None:
        command = [str(Path(sys.executable).with_name("tellapart")), "serve", str(model), "--port", "0"]
        for origin in allowed:
            command += ["--allow-origin", origin]
        command += ["--token", token] if token else []
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self._process.stdout is not None
        first = self._process.stdout.readline()
        assert "http://" in first, first
        self.url = first.split()[-1].partition("#")[0].rstrip("/")
        self.predictor: Predictor = tellapart.load(model)
        proof = {"Authorization": f"Bearer {token}"} if token else {}
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/v1/model", headers=proof)) as response:
            self.described: dict[str, Any] = json.load(response)
        self.examples = [path.read_bytes() for path in sorted((model / "examples").glob("*.jpg"))]

    def stop(self) -> None:
        """Nothing answers at the address afterwards."""
        self._process.terminate()
        self._process.communicate(timeout=15)


class Foreign:
    """Serves the pages in `pages`, {path: (HTML, content security policy)}."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[str, str]] = {}
        foreign = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None: ...

            def do_GET(self) -> None:
                html, policy = foreign.pages.get(self.path, ("", "default-src 'none'"))
                self.send_response(200 if html else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Security-Policy", policy)
                self.send_header("Content-Length", str(len(html.encode())))
                self.end_headers()
                self.wfile.write(html.encode())

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def add(self, path: str, body: str, policy: str) -> str:
        self.pages[path] = f"<!doctype html><html lang=en><title>blog</title><body>{body}</body></html>", policy
        return self.url + path

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

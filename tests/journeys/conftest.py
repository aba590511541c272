"""The command line as its users have it: real processes, but for `in_process`, real photos, a cache of their own."""

import base64
import contextlib
import hashlib
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import httpx2
import pytest
from click.testing import CliRunner
from uv import find_uv_bin

from tellapart.cli.main import main

REPOSITORY = Path(__file__).resolve().parents[2]
CLASSES = ("accordion", "banjo", "drum")
TIMEOUT_S = 150
# Waiting inside one evaluation: `wait_for_function` asks again by `eval`, which the page's policy forbids, so it fails
# wherever the model is not there at the first look.
LOADED = """async () => {
  while (!document.querySelector("tell-apart").model) await new Promise((look) => setTimeout(look, 20));
}"""
ANSWER = """async (photos) => {
  const element = document.querySelector("tell-apart");
  const answers = [];
  element.addEventListener("tell-apart-answer", (event) => answers.push(event.detail.prediction));
  for (const text of photos) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    await element.ask([new File([bytes], "photo")]);
  }
  return answers.map((said) => ({ ...said, probs: Object.fromEntries(said.probs) }));
}"""


class CommandLine:
    """Runs `tellapart` in a process, with a cache that belongs to the tests."""

    command = Path(sys.executable).with_name("tellapart")

    def __init__(self, cache: Path) -> None:
        self.cache = cache

    def environment(self, **more: str) -> dict[str, str]:
        return {**os.environ, "TELLAPART_CACHE_DIR": str(self.cache), **more}

    def __call__(
        self, *args: object, stdin: str = "", cwd: Path | None = None, **env: str
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [self.command, *map(str, args)],
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            cwd=cwd,
            env=self.environment(**env),
            timeout=TIMEOUT_S,
            check=False,
        )

    def start(self, *args: object, **options: Any) -> "subprocess.Popen[bytes]":
        env = self.environment(**options.pop("env", {}))
        return subprocess.Popen([self.command, *map(str, args)], env=env, **options)

    def works(self, *args: object, **options: Any) -> str:
        """Standard output of a run that must succeed quietly."""
        done = self(*args, **options)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done.stdout

    def json(self, *args: object, **options: Any) -> Any:
        return json.loads(self.works(*args, "--json", **options))

    def lines(self, *args: object, **options: Any) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.works(*args, "--json", **options).splitlines()]

    def refuses(self, *args: object, says: Sequence[str] = (), **options: Any) -> str:
        """Standard error of a run that must end with one plain sentence, a hint and exit code 2."""
        done = self(*args, **options)
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == 2, (done.returncode, done.stderr)
        error, hint, *_ = done.stderr.splitlines()
        assert error.startswith("Error: "), done.stderr
        assert error.endswith((".", "?", "!")), done.stderr
        assert hint.startswith("Hint: "), done.stderr
        assert len(error) < 320
        for words in says:
            assert words in done.stderr, done.stderr
        return done.stderr


class InProcess(CommandLine):
    """The same without a process of its own: importing PyTorch and timm takes each one many seconds.

    What is not seen here: what libraries write past Python, and how long a command takes.
    """

    def __call__(
        self, *args: object, stdin: str = "", cwd: Path | None = None, **env: str
    ) -> "subprocess.CompletedProcess[str]":
        interrupted = signal.getsignal(signal.SIGINT)
        with contextlib.chdir(cwd or Path.cwd()):
            done = CliRunner().invoke(main, [*map(str, args)], input=stdin, env=self.environment(**env))
        signal.signal(signal.SIGINT, interrupted)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return subprocess.CompletedProcess(args, done.exit_code, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def own_process(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """The command line, each time in a process of its own."""
    return CommandLine(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def in_process(own_process: CommandLine) -> InProcess:
    """The command line without a process of its own."""
    return InProcess(own_process.cache)


@pytest.fixture(scope="session")
def tellapart(thorough: bool, own_process: CommandLine, in_process: InProcess) -> CommandLine:
    """The command line in a process of its own where everything is tested, and in this one where time counts.

    What a test can see of a process (its signals, its time, what a library writes) takes `own_process`.
    """
    return own_process if thorough else in_process


@pytest.fixture(scope="session")
def photos(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three instruments, 14 photos each, a folder a class."""
    folder = tmp_path_factory.mktemp("journeys") / "photos"
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
        for photo in sorted((shared_data / "instruments" / name).iterdir())[:14]:
            shutil.copy(photo, folder / name)
    return folder


@pytest.fixture(scope="session")
def fresh(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Other photos of two of the three instruments."""
    folder = tmp_path_factory.mktemp("journeys") / "fresh"
    for name in CLASSES[1:]:
        (folder / name).mkdir(parents=True)
        for photo in sorted((shared_data / "instruments" / name).iterdir())[60:66]:
            shutil.copy(photo, folder / name)
    return folder


@pytest.fixture(scope="session")
def trained(tellapart: CommandLine, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder; tests must leave it as it is."""
    model = tmp_path_factory.mktemp("journeys") / "model"
    tellapart.works("train", photos, "-o", model, "--quality", "fast", "--test-share", 0.2)
    return model


@pytest.fixture
def model(trained: Path, tmp_path: Path) -> Path:
    """A model folder of one's own, to break."""
    return Path(shutil.copytree(trained, tmp_path / "model"))


@pytest.fixture(scope="session")
def snapshot() -> Callable[[Path], dict[str, bytes]]:
    """{relative name: content} of every file below a folder."""
    return lambda folder: {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


class PlainFiles(SimpleHTTPRequestHandler):
    """A plain file server that lets other sites fetch, as GitHub Pages does."""

    def end_headers(self) -> None:
        self.send_header("Access-Control-Allow-Origin", "*")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture(scope="session")
def plain_files() -> type[SimpleHTTPRequestHandler]:
    return PlainFiles


@contextlib.contextmanager
def _serving(handler: Callable[..., BaseHTTPRequestHandler], secured: ssl.SSLContext | None = None) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if secured:
        server.socket = secured.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http{'s' if secured else ''}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def serving() -> Callable[..., contextlib.AbstractContextManager[str]]:
    """Serves on this machine; gives the address. Another port is another site."""
    return _serving


@pytest.fixture(scope="session")
def ask_page() -> Callable[[Any, Sequence[bytes]], list[dict[str, Any]]]:
    """What the exported page, or a frame that holds it, answers about photos."""

    def ask(page: Any, photos: Sequence[bytes]) -> list[dict[str, Any]]:
        page.evaluate(LOADED)
        answers: list[dict[str, Any]] = page.evaluate(ANSWER, [base64.b64encode(data).decode() for data in photos])
        return answers

    return ask


def _install(python: Path, *what: str | Path) -> None:
    subprocess.run([find_uv_bin(), "pip", "install", "--quiet", "--python", python, *what], check=True)


@pytest.fixture(scope="session")
def install() -> Callable[..., None]:
    """Installs what is named, or as the options say, where a Python finds it."""
    return _install


@pytest.fixture(scope="session")
def installed() -> Callable[..., Path]:
    """The Python of an environment with exactly these, made once and kept beside the checkout's own."""

    def make(requirements: str, *options: str) -> Path:
        digest = hashlib.sha256("\n".join((sys.version, requirements, *options)).encode()).hexdigest()
        place = REPOSITORY / ".venv-tests" / digest[:16]
        if not place.is_dir():
            building = place.with_name(f"{place.name}.{os.getpid()}")
            shutil.rmtree(building, ignore_errors=True)
            subprocess.run([find_uv_bin(), "venv", "--quiet", "--python", sys.executable, building], check=True)
            wanted = building / "requirements.txt"
            wanted.write_text(requirements)
            _install(building / "bin" / "python", *options, "--requirement", wanted)
            building.rename(place)
        return place / "bin" / "python"

    return make


class Asking:
    """Asks about a photo over and over from several threads, until it is told to stop."""

    def __init__(self, port: int, photo: bytes, *, host: str = "localhost", n_threads: int = 3) -> None:
        self.answers: list[tuple[int, str]] = []
        self._stop, self._where = threading.Event(), {"base_url": f"http://127.0.0.1:{port}", "headers": {"host": host}}
        self._threads = [threading.Thread(target=self._ask, args=(photo,)) for _ in range(n_threads)]

    def _ask(self, photo: bytes) -> None:
        with httpx2.Client(**self._where, timeout=30) as client:
            while not self._stop.is_set():
                said = client.post("/v1/predict", files={"photos": photo})
                self.answers.append((said.status_code, said.text))

    def more(self, n: int) -> None:
        """Returns when so many more were answered."""
        wanted, end = len(self.answers) + n, time.monotonic() + 60
        while len(self.answers) < wanted:
            assert time.monotonic() < end
            time.sleep(0.01)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(40)


@pytest.fixture(scope="session")
def asking_over_and_over() -> type[Asking]:
    return Asking

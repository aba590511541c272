"""`tellapart export`: what visitors get answers as the model does, in a real browser and from a plain file server."""

import base64
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from uv import find_uv_bin

REPOSITORY = Path(__file__).resolve().parents[2]
posix = pytest.mark.skipif(os.name != "posix", reason="environments and users are made as on Linux")
TARGETS = ("space", "docker", "onnx", "openvino")
# Waiting inside one evaluation: `wait_for_function` asks again by `eval`, which the page's policy forbids, so it fails
# wherever the model is not there at the first look.
LOADED = """async () => {
  while (!document.querySelector("tell-apart").model) await new Promise((look) => setTimeout(look, 20));
}"""
ANSWER = """async (photos) => {
  const element = document.querySelector("tell-apart");
  const answers = [];
  element.addEventListener("tell-apart-answer", (event) => answers.push(event.detail.prediction));
  for (const [text, kind] of photos) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    await element.ask([new File([bytes], "photo", { type: kind })]);
  }
  return answers.map((said) => ({ ...said, probs: Object.fromEntries(said.probs) }));
}"""


class Quiet(SimpleHTTPRequestHandler):
    """A plain file server that lets other sites fetch, as GitHub Pages does."""

    def end_headers(self) -> None:
        self.send_header("Access-Control-Allow-Origin", "*")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def serving(handler: Callable[..., SimpleHTTPRequestHandler]) -> Iterator[str]:
    """The address of a server on this machine; another port is another site."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def site(tellapart: Any, trained: Path, fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page below a folder, as GitHub Pages serves projects."""
    if shutil.which("chromium") is None or shutil.which("npm") is None:
        pytest.skip("the page needs chromium and npm to be tried")
    folder = tmp_path_factory.mktemp("hosted") / "me" / "instruments"
    said = tellapart.works("export", trained, "--to", "web", "-o", folder, "--photos", fresh)
    assert "Same answer on 12 of 12 photos" in said
    assert "Chromium" in said
    return folder


@pytest.fixture(scope="module")
def host(site: Path) -> Iterator[str]:
    """The address of a plain file server two folders above the page."""
    with serving(functools.partial(Quiet, directory=str(site.parents[1]))) as address:
        yield address


@pytest.fixture(scope="module")
def browser(open_browser: Callable[[], Any]) -> Any:
    return open_browser()


def test_the_page_answers_as_the_command_line(
    tellapart: Any, trained: Path, fresh: Path, site: Path, host: str, browser: Any
) -> None:
    page = browser.new_page()
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"{host}/me/instruments/")
    page.evaluate(LOADED)
    photos = sorted(fresh.rglob("*.jpg"))
    answers = page.evaluate(ANSWER, [[_base64(photo.read_bytes()), "image/jpeg"] for photo in photos])
    expected = tellapart.lines("predict", trained, *photos)
    assert [said["answer"] for said in answers] == [known["answer"] for known in expected]
    for said, known in zip(answers, expected, strict=True):
        assert max(abs(said["probs"][name] - p) for name, p in known["probs"].items()) < 0.02
        assert said["unknownScore"] == pytest.approx(known["unknown_score"], abs=0.01)
        assert said["looksLike"] == known["looks_like"]
    assert complaints == []
    assert {url for url in requests if not url.startswith((f"{host}/me/instruments/", "data:", "blob:"))} == set()
    page.close()


def test_a_photo_that_is_none_gets_one_sentence(host: str, browser: Any) -> None:
    page = browser.new_page()
    page.goto(f"{host}/me/instruments/")
    page.evaluate(LOADED)
    heic = b"\0\0\0\x18ftypheic" + bytes(100)
    said = page.evaluate(ANSWER, [[_base64(data), ""] for data in (b"no photo at all", b"", heic)])
    assert [one["error"]["code"] for one in said] == ["not_a_photo", "empty", "unsupported"]
    assert all(one["error"]["message"].endswith(".") for one in said)
    page.close()


def test_the_widget_works_on_another_site_under_a_strict_policy(host: str, browser: Any) -> None:
    policy = (
        f"default-src 'none'; script-src {host} 'wasm-unsafe-eval'; connect-src {host}; img-src data: blob:; "
        "style-src 'self'"
    )
    html = (
        '<!doctype html><title>blog</title><link rel="icon" href="data:,">'
        f'<script type="module" src="{host}/me/instruments/tell-apart.js"></script>'
        f'<tell-apart src="{host}/me/instruments/model/" examples></tell-apart>'
    )

    class Blog(Quiet):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            self.wfile.write(html.encode())

    page = browser.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    with serving(Blog) as blog:
        page.goto(blog)
        page.locator("tell-apart .examples button").first.click()
        page.locator("tell-apart").locator("[data-state=named], [data-state=unsure], [data-state=none]").wait_for()
    assert complaints == []
    page.close()


@pytest.mark.parametrize("to", TARGETS)
def test_every_other_export_is_proven_and_written(tellapart: Any, trained: Path, tmp_path: Path, to: str) -> None:
    said = tellapart.json("export", trained, "--to", to, "-o", tmp_path / to)
    assert said["proof"]["n"] == said["proof"]["n_same"] > 6
    assert said["proof"]["largest_difference"] <= 0.001
    assert (tmp_path / to / "README.md").stat().st_size > 200
    assert json.loads((tmp_path / to / "export.json").read_text())["to"] == to


def test_the_test_photos_prove_it_where_they_still_are(tellapart: Any, photos: Path, tmp_path: Path) -> None:
    mine, model = tmp_path / "mine", tmp_path / "model"
    shutil.copytree(photos, mine)
    evaluation = tellapart.json("train", mine, "-o", model, "--quality", "fast", "--test-share", 0.3)
    said = tellapart.json("export", model, "--to", "onnx", "-o", tmp_path / "a")
    assert said["proof"]["photos"] == f"{evaluation['n_test']} test photos of the model and 6 generated images"
    assert said["proof"]["n_same"] == said["proof"]["n"] == evaluation["n_test"] + 6
    assert str(tmp_path) not in (tmp_path / "a" / "export.json").read_text()
    shutil.rmtree(mine)
    said = tellapart.json("export", model, "--to", "onnx", "-o", tmp_path / "b")
    assert "example photos of the model" in said["proof"]["photos"]


def test_bad_input_is_one_sentence(tellapart: Any, trained: Path, tmp_path: Path) -> None:
    tellapart.refuses("export", trained, "--to", "onnx", "-o", trained, says=["exists already"])
    tellapart.refuses("export", "nowhere", "--to", "onnx", "-o", tmp_path / "a", says=["no model folder 'nowhere'"])
    tellapart.refuses("export", trained, "--to", "onnx", "-o", tmp_path / "a", "--push", "me/it", says=["--to space"])
    tellapart.refuses("export", trained, "--to", "space", "-o", tmp_path / "a", "--push", "me", says=["user/name"])
    assert not (tmp_path / "a").exists()


def test_the_dockerfile_is_pinned_plain_and_not_root(tellapart: Any, trained: Path, tmp_path: Path) -> None:
    folder = tmp_path / "container"
    tellapart.works("export", trained, "--to", "docker", "-o", folder)
    text = (folder / "Dockerfile").read_text()
    steps = [line.split(None, 1) for line in text.replace("\\\n", " ").splitlines() if line and line[0] not in "# "]
    names = [name for name, _ in steps]
    assert names[0] == "FROM"
    assert re.fullmatch(r"python:\d+\.\d+\.\d+\S*-slim", steps[0][1])
    assert set(names) <= {"FROM", "ENV", "WORKDIR", "COPY", "RUN", "USER", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT"}
    assert names.index("USER") > max(i for i, name in enumerate(names) if name == "RUN")
    assert dict(steps)["USER"] == "10001"
    assert "/readyz" in dict(steps)["HEALTHCHECK"]
    for name, rest in steps:
        if name == "COPY":
            assert all((folder / source).exists() for source in rest.split()[:-1])
    assert json.loads(dict(steps)["ENTRYPOINT"])[:2] == ["tellapart", "serve"]
    assert ("RUN", "pip uninstall --yes openvino-telemetry") in [tuple(step) for step in steps]
    pinned = (folder / "requirements.txt").read_text().split()
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][\w.+-]*", line) for line in pinned)
    assert not [line for line in pinned if line.startswith(("torch", "scikit-learn"))]


def install(python: Path, *what: str | Path) -> None:
    """Install `what` where `python` finds it."""
    subprocess.run([find_uv_bin(), "pip", "install", "--quiet", "--python", python, *what], check=True)


def installed(*requirements: str) -> Path:
    """The Python of an environment with exactly these, made once and kept beside the checkout's own."""
    digest = hashlib.sha256("\n".join((sys.version, *requirements)).encode()).hexdigest()
    place = REPOSITORY / ".venv-tests" / digest[:16]
    if not place.is_dir():
        building = place.with_name(f"{place.name}.{os.getpid()}")
        shutil.rmtree(building, ignore_errors=True)
        subprocess.run([find_uv_bin(), "venv", "--quiet", "--python", sys.executable, building], check=True)
        install(building / "bin" / "python", *requirements)
        building.rename(place)
    return place / "bin" / "python"


@pytest.mark.slow
@posix
def test_the_space_answers_through_gradio_client(tellapart: Any, trained: Path, fresh: Path, tmp_path: Path) -> None:
    """As Hugging Face does it, but with uv: the pinned requirements and the front matter's Gradio, on their own."""
    folder = tmp_path / "space"
    tellapart.works("export", trained, "--to", "space", "-o", folder)
    gradio = re.search(r"^sdk_version: (\S+)$", (folder / "README.md").read_text(), re.MULTILINE)[1]
    python = installed(f"gradio=={gradio}", *(folder / "requirements.txt").read_text().split())
    photos = sorted(map(str, fresh.rglob("*.jpg")))
    script = """
import json, sys
import app
from gradio_client import Client, handle_file
_, address, _ = app.demo.launch(prevent_thread_lock=True, quiet=True)
client = Client(address, verbose=False)
print(json.dumps([client.predict(handle_file(photo), api_name="/predict")[2] for photo in sys.argv[1:]]))
"""
    environment = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False", "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [python, "-c", script, *photos], cwd=folder, capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    expected = tellapart.lines("predict", trained, *photos)
    assert [one["answer"] for one in said] == [known["answer"] for known in expected]
    for one, known in zip(said, expected, strict=True):
        assert max(abs(one["probs"][name] - p) for name, p in known["probs"].items()) < 0.02


def as_nobody(python: Path, place: Path, number: int) -> dict[str, int]:
    """How to start a process as this user, where we may and where that user may run this Python."""
    if os.getuid() != 0:
        return {}
    for above in [place, *place.parents][:4]:
        above.chmod(0o755)
    try:
        subprocess.run([python, "-c", ""], user=number, group=number, cwd=place, check=True)
    except PermissionError:
        return {}
    return {"user": number, "group": number}


@pytest.mark.slow
@posix
def test_the_container_s_steps_without_docker(tellapart: Any, trained: Path, fresh: Path, tmp_path: Path) -> None:
    """What the Dockerfile does, step by step, without Docker: install (with uv), become nobody, serve, be healthy."""
    folder = tmp_path / "container"
    tellapart.works("export", trained, "--to", "docker", "-o", folder)
    steps = dict(
        line.split(None, 1)
        for line in (folder / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
        if line.startswith(("HEALTHCHECK", "ENTRYPOINT", "USER"))
    )
    (wheel,) = folder.glob("*.whl")
    pins = (folder / "requirements.txt").read_text().split()
    python = installed(*pins)
    place = tmp_path / "app"
    install(python, "--no-deps", "--target", place, wheel)
    shutil.copytree(folder / "model", place / "model")
    command = json.loads(steps["ENTRYPOINT"])
    command[command.index("8000")] = "0"
    nobody = as_nobody(python, place, int(steps["USER"]))
    server = subprocess.Popen(
        [python, "-P", "-c", "from tellapart.cli.main import main; main()", *command[1:]],
        cwd=place,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        **nobody,
    )
    try:
        port = re.search(r":(\d+)$", server.stdout.readline().strip())[1]
        health = json.loads(steps["HEALTHCHECK"].partition(" CMD ")[2])
        subprocess.run([python, *health[1:-1], health[-1].replace("8000", port)], check=True)
        photos = sorted(map(str, fresh.rglob("*.jpg")))
        expected = tellapart.lines("predict", trained, *photos)
        for photo, known in zip(photos, expected, strict=True):
            sent = {"photos": Path(photo).read_bytes()}
            (said,) = httpx2.post(f"http://127.0.0.1:{port}/v1/predict", files=sent, timeout=30).json()["predictions"]
            assert (said["answer"], said["probs"]) == (known["answer"], known["probs"])
    finally:
        server.terminate()
        server.wait(20)
        server.stdout.close()


def _base64(data: bytes) -> str:

    return base64.b64encode(data).decode()

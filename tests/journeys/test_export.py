"""`tellapart export`: what visitors get answers as the model does, in a real browser and from a plain file server."""

import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tellapart.export.photos import generated

N_GENERATED = len(generated())
posix = pytest.mark.skipif(os.name != "posix", reason="environments and users are made as on Linux")


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
def host(site: Path, serving: Any, plain_files: Any) -> Iterator[str]:
    """The address of a plain file server two folders above the page."""
    with serving(functools.partial(plain_files, directory=str(site.parents[1]))) as address:
        yield address


@pytest.fixture(scope="module")
def browser(open_browser: Callable[[], Any]) -> Any:
    return open_browser()


def test_the_page_answers_as_the_command_line(
    tellapart: Any, trained: Path, fresh: Path, host: str, browser: Any, ask_page: Any
) -> None:
    page = browser.new_page()
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"{host}/me/instruments/")
    photos = sorted(fresh.rglob("*.jpg"))
    answers = ask_page(page, [photo.read_bytes() for photo in photos])
    expected = tellapart.lines("predict", trained, *photos)
    assert [said["answer"] for said in answers] == [known["answer"] for known in expected]
    for said, known in zip(answers, expected, strict=True):
        assert max(abs(said["probs"][name] - p) for name, p in known["probs"].items()) < 0.02
        assert said["unknownScore"] == pytest.approx(known["unknown_score"], abs=0.01)
        assert said["looksLike"] == known["looks_like"]
    assert complaints == []
    assert {url for url in requests if not url.startswith((f"{host}/me/instruments/", "data:", "blob:"))} == set()
    page.close()


def test_a_photo_that_is_none_gets_one_sentence(host: str, browser: Any, ask_page: Any) -> None:
    page = browser.new_page()
    page.goto(f"{host}/me/instruments/")
    heic = b"\0\0\0\x18ftypheic" + bytes(100)
    said = ask_page(page, [b"no photo at all", b"", heic])
    assert [one["error"]["code"] for one in said] == ["not_a_photo", "empty", "unsupported"]
    assert all(one["error"]["message"].endswith(".") for one in said)
    page.close()


def test_the_widget_works_on_another_site_under_a_strict_policy(
    host: str, browser: Any, serving: Any, plain_files: Any
) -> None:
    policy = (
        f"default-src 'none'; script-src {host} 'wasm-unsafe-eval'; connect-src {host}; img-src data: blob:; "
        "style-src 'self'"
    )
    html = (
        '<!doctype html><title>blog</title><link rel="icon" href="data:,">'
        f'<script type="module" src="{host}/me/instruments/tell-apart.js"></script>'
        f'<tell-apart src="{host}/me/instruments/model/" examples></tell-apart>'
    )

    class Blog(plain_files):
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


@pytest.fixture(scope="module")
def container(tellapart: Any, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A folder for Docker, made once for all tests of it, and what was said about it."""
    folder = tmp_path_factory.mktemp("docker") / "container"
    return folder, tellapart.json("export", trained, "--to", "docker", "-o", folder)


@pytest.mark.parametrize("to", ["docker", "onnx", "openvino"])  # the page and the Space have their own tests
def test_every_other_export_is_proven_and_written(
    request: pytest.FixtureRequest, tellapart: Any, trained: Path, tmp_path: Path, to: str
) -> None:
    if to == "docker":
        folder, said = request.getfixturevalue("container")
    else:
        folder, said = tmp_path / to, tellapart.json("export", trained, "--to", to, "-o", tmp_path / to)
    assert said["proof"]["n"] == said["proof"]["n_same"] > 6
    assert said["proof"]["largest_difference"] <= 0.001
    assert (folder / "README.md").stat().st_size > 200
    assert json.loads((folder / "export.json").read_text())["to"] == to


def test_the_test_photos_prove_it_where_they_still_are(tellapart: Any, photos: Path, tmp_path: Path) -> None:
    mine, model = tmp_path / "mine", tmp_path / "model"
    shutil.copytree(photos, mine)
    evaluation = tellapart.json("train", mine, "-o", model, "--quality", "fast", "--test-share", 0.3)
    said = tellapart.json("export", model, "--to", "onnx", "-o", tmp_path / "a")
    assert (
        said["proof"]["photos"] == f"{evaluation['n_test']} test photos of the model and {N_GENERATED} generated images"
    )
    assert said["proof"]["n_same"] == said["proof"]["n"] == evaluation["n_test"] + N_GENERATED
    assert str(tmp_path) not in (tmp_path / "a" / "export.json").read_text()
    shutil.rmtree(mine)
    said = tellapart.json("export", model, "--to", "onnx", "-o", tmp_path / "b")
    assert "example photos of the model" in said["proof"]["photos"]


def test_bad_input_is_one_sentence(tellapart: Any, trained: Path, tmp_path: Path) -> None:
    says = ["The model comes first", f"tellapart export {trained} --to web -o site"]
    tellapart.refuses("export", "site", "--to", "web", "-o", trained, says=says)
    tellapart.refuses("export", trained, "--to", "onnx", "-o", trained, says=["exists already"])
    tellapart.refuses("export", "nowhere", "--to", "onnx", "-o", tmp_path / "a", says=["no model folder 'nowhere'"])
    tellapart.refuses("export", trained, "--to", "onnx", "-o", tmp_path / "a", "--push", "me/it", says=["--to space"])
    tellapart.refuses("export", trained, "--to", "space", "-o", tmp_path / "a", "--push", "me", says=["user/name"])
    tellapart.refuses(
        "export", trained, "--to", "web", "-o", tmp_path / "a", "--sdk", "gradio", says=["--sdk goes with"]
    )
    assert not (tmp_path / "a").exists()


def test_the_dockerfile_is_pinned_plain_and_not_root(container: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = container
    text = (folder / "Dockerfile").read_text()
    steps = [line.split(None, 1) for line in text.replace("\\\n", " ").splitlines() if line and line[0] not in "# "]
    names = [name for name, _ in steps]
    assert names[0] == "FROM"
    assert re.fullmatch(r"python:\d+\.\d+-slim-[a-z]+", steps[0][1])
    assert set(names) <= {"FROM", "ENV", "WORKDIR", "COPY", "RUN", "USER", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT"}
    assert names.index("USER") > max(i for i, name in enumerate(names) if name == "RUN")
    assert dict(steps)["USER"] == "10001"
    assert "/readyz" in dict(steps)["HEALTHCHECK"]
    for name, rest in steps:
        if name == "COPY":
            assert all((folder / source).exists() for source in rest.split()[:-1])
    assert json.loads(dict(steps)["ENTRYPOINT"])[:2] == ["tellapart", "serve"]
    runs = [" ".join(rest.split()) for name, rest in steps if name == "RUN"]
    assert runs[0] == "apt-get update && apt-get upgrade --yes && rm -rf /var/lib/apt/lists/*"
    assert runs[1].endswith(" && pip uninstall --yes openvino-telemetry")
    (wheel,) = folder.glob("*.whl")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert f'pip install --no-deps --require-hashes "tellapart @ file:///app/{wheel.name}#sha256={digest}"' in runs[1]
    pinned = (folder / "requirements.txt").read_text().replace("\\\n", " ").splitlines()
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][\w.+-]*( +--hash=sha256:[0-9a-f]{64})*", line) for line in pinned)
    assert not [line for line in pinned if line.startswith(("torch", "scikit-learn"))]
    page = (folder / "README.md").read_text()
    assert "Rebuild monthly" in page
    hashed = all("--hash" in line for line in pinned)  # where an index can be asked
    assert ("pip install --require-hashes --only-binary :all: --requirement" in runs[1]) == hashed
    assert ("**There are no hashes.**" in page) != hashed


@pytest.mark.thorough  # tests/export/test_hashes.py
def test_without_an_index_the_container_says_that_it_has_no_hashes(
    tellapart: Any, trained: Path, tmp_path: Path
) -> None:
    apart = {"TELLAPART_CACHE_DIR": str(tmp_path / "cache"), "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1"}
    said = tellapart.works("export", trained, "--to", "docker", "-o", tmp_path / "out", PIP_FIND_LINKS="", **apart)
    assert "not to hashes: pip found no package index to ask. Export again where it does" in said
    text = (tmp_path / "out" / "Dockerfile").read_text()
    assert "\n# Without --require-hashes: pip found no package index" in text
    assert "RUN pip install --only-binary :all: --requirement requirements.txt \\\n" in text
    assert "**There are no hashes.**" in (tmp_path / "out" / "README.md").read_text()


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
def test_the_container_s_steps_without_docker(
    tellapart: Any,
    trained: Path,
    container: tuple[Path, dict[str, Any]],
    fresh: Path,
    tmp_path: Path,
    installed: Callable[..., Path],
    install: Callable[..., None],
) -> None:
    """What the Dockerfile does, step by step, without Docker: install (with uv), become nobody, serve, be healthy."""
    folder, _ = container
    steps = dict(
        line.split(None, 1)
        for line in (folder / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
        if line.startswith(("HEALTHCHECK", "ENTRYPOINT", "USER"))
    )
    (wheel,) = folder.glob("*.whl")
    held = "--require-hashes" in (folder / "Dockerfile").read_text().partition("tellapart @")[0]
    python = installed((folder / "requirements.txt").read_text(), *(["--require-hashes"] if held else []))
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

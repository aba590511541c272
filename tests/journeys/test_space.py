"""`tellapart export --to space`: in a frame on another site as Hugging Face shows it, and through Gradio itself."""

import functools
import io
import json
import os
import re
import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from PIL import Image

posix = pytest.mark.skipif(os.name != "posix", reason="environments are made as on Linux")
STORAGE = "us.aws.cdn.hf.co"  # one of Hugging Face's hosts for large files
LARGE = (".bin", ".wasm", ".jpg")  # what its repositories keep there
# What Hugging Face lets a Space's frame do.
SANDBOX = "allow-downloads allow-forms allow-modals allow-popups allow-same-origin allow-scripts"
# Probabilities differ by so much where a browser decodes; where we do, not at all but for the last digits.
DECODED_ELSEWHERE, DECODED_HERE = 0.02, 1e-6


@pytest.fixture(scope="module")
def kinds(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """One photo that is transparent, of 16 bits, of four inks, turned, and as it was."""
    folder = tmp_path_factory.mktemp("kinds")
    plain = sorted(fresh.rglob("*.jpg"))[0]
    image = Image.open(plain).convert("RGB")
    clear = image.copy()
    clear.putalpha(Image.radial_gradient("L").point([255 - level for level in range(256)]).resize(image.size))
    clear.save(folder / "transparent.png")
    grey = np.asarray(image.convert("L")).astype(np.uint16) * 257
    Image.fromarray(grey).save(folder / "sixteen-bit.png")
    image.convert("CMYK").save(folder / "inks.jpg", quality=95)
    exif = Image.Exif()
    exif[0x0112] = 6
    image.transpose(Image.Transpose.ROTATE_90).save(folder / "turned.jpg", exif=exif, quality=95)
    shutil.copy(plain, folder / "plain.jpg")
    return sorted(folder.iterdir())


def same(said: Any, known: Any, bound: float) -> None:
    assert said["answer"] == known["answer"]
    assert {name for name in known["probs"] if abs(said["probs"][name] - known["probs"][name]) > bound} == set()


def front_matter(folder: Path) -> dict[str, str]:
    """The front matter of README.md, which Hugging Face goes by."""
    _, matter, _ = (folder / "README.md").read_text().split("---\n", 2)
    return dict(re.findall(r'^(\w+): "?(.*?)"?$', matter, flags=re.M))


# --- the default: a page without a server ---


@pytest.fixture(scope="module")
def space(tellapart: Any, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("chromium") is None or shutil.which("npm") is None or shutil.which("openssl") is None:
        pytest.skip("the Space needs chromium, npm and openssl to be tried")
    folder = tmp_path_factory.mktemp("space") / "space"
    said = tellapart.json("export", trained, "--to", "space", "-o", folder)
    assert said["proof"]["n"] == said["proof"]["n_same"] > 6
    assert "Chromium" in said["proof"]["through"]
    return folder


@pytest.fixture(scope="module")
def storage(space: Path, serving: Any, plain_files: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The port of a server with TLS that holds the large files, and lets other sites fetch them."""
    place = tmp_path_factory.mktemp("certificate")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={STORAGE}"]
    files = ["-keyout", place / "key.pem", "-out", place / "cert.pem"]
    subprocess.run([*command, *files], check=True, capture_output=True)
    secured = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secured.load_cert_chain(place / "cert.pem", place / "key.pem")
    with serving(functools.partial(plain_files, directory=str(space)), secured) as address:
        yield address.rpartition(":")[2]


@pytest.fixture(scope="module")
def hosted(space: Path, storage: str, serving: Any, plain_files: Any) -> Iterator[str]:
    """The Space as its host may serve it: a script of its own in each page, large files sent for elsewhere."""

    class Host(plain_files):
        def do_GET(self) -> None:
            name = self.path.split("?")[0]
            if name.endswith(LARGE):
                self.send_response(302)
                self.send_header("Location", f"https://{STORAGE}{name}")
                self.end_headers()
            elif name == "/":
                page = (space / "index.html").read_text()
                page = page.replace("<head>", "<head><script>window.huggingface={variables:{}}</script>", 1)
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(page.encode())
            else:
                super().do_GET()

    with serving(functools.partial(Host, directory=str(space))) as address:
        yield address


@pytest.fixture(scope="module")
def browser(open_browser: Callable[..., Any], storage: str) -> Any:
    return open_browser(f"--host-resolver-rules=MAP {STORAGE}:443 127.0.0.1:{storage}", "--ignore-certificate-errors")


@pytest.fixture
def framed(hosted: str, browser: Any, serving: Any, plain_files: Any) -> Iterator[Callable[[int], Any]]:
    """Opens a page of another site, so many pixels wide, that shows the Space; gives the frame."""
    html = (
        '<!doctype html><title>huggingface.co</title><link rel="icon" href="data:,"><body style="margin:0">'
        f'<iframe src="{hosted}/" sandbox="{SANDBOX}" style="width:100%;height:1200px;border:0"></iframe>'
    )

    class Around(plain_files):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

    with serving(Around) as around:
        pages = []

        def open_at(width_px: int) -> Any:
            pages.append(browser.new_page(viewport={"width": width_px, "height": 1250}))
            pages[-1].goto(around)
            (_, frame) = pages[-1].frames
            return frame

        yield open_at
        for page in pages:
            page.close()


def test_a_static_space_runs_no_program_and_says_what_it_is(space: Path) -> None:
    known = front_matter(space)
    assert (known["sdk"], known["app_file"]) == ("static", "index.html")
    assert (space / known["app_file"]).is_file()
    assert len(known["short_description"]) <= 60
    assert not [
        path for path in space.rglob("*") if path.suffix in (".py", ".txt", ".whl") or path.name == "Dockerfile"
    ]


@pytest.mark.thorough  # the page alone does, tests/web
def test_in_a_frame_it_answers_every_kind_of_photo(
    tellapart: Any, trained: Path, kinds: list[Path], framed: Any, ask_page: Any
) -> None:
    answers = ask_page(framed(1280), [photo.read_bytes() for photo in kinds])
    for said, known in zip(answers, tellapart.lines("predict", trained, *kinds), strict=True):
        same(said, known, DECODED_ELSEWHERE)


@pytest.mark.parametrize("width_px", [390, pytest.param(1280, marks=pytest.mark.thorough)])
def test_in_a_frame_examples_can_be_clicked_and_bars_are_seen(trained: Path, framed: Any, width_px: int) -> None:
    frame = framed(width_px)
    examples = frame.locator("tell-apart .examples button")
    examples.first.wait_for()
    assert examples.count() == len(list((trained / "examples").iterdir()))
    for i in range(examples.count()):
        examples.nth(i).click()
    frame.locator("tell-apart article").nth(examples.count() - 1).wait_for()
    named = frame.locator("tell-apart article:is([data-state=named], [data-state=unsure])").first
    named.wait_for()
    bars = named.locator(".bars .track")
    assert bars.count() == len(list((trained / "examples").iterdir()))  # one a class
    assert all(bars.nth(i).bounding_box()["width"] > 50 for i in range(bars.count()))
    assert frame.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_it_lets_nobody_but_hugging_face_be_asked(space: Path, framed: Any, serving: Any, plain_files: Any) -> None:
    frame = framed(800)
    with serving(functools.partial(plain_files, directory=str(space))) as elsewhere:
        refused = f"fetch('{elsewhere}/model/model.json').then(() => false, () => true)"
        assert frame.evaluate(refused)
    assert frame.evaluate(f"fetch('https://{STORAGE}/model/model.json').then((said) => said.ok)")
    assert "no other site than Hugging Face is asked" in frame.locator("footer").inner_text()


# --- --sdk gradio: an app whose photos are decoded apart ---


@pytest.mark.thorough  # starts Gradio; the usual Space is the page
@pytest.mark.slow
@posix
def test_the_gradio_app_answers_as_the_command_line_and_opens_no_photo_itself(
    tellapart: Any, trained: Path, kinds: list[Path], shared_data: Path, tmp_path: Path, installed: Callable[..., Path]
) -> None:
    """As Hugging Face does it, but with uv: the pinned requirements and the front matter's Gradio, on their own."""
    folder = tmp_path / "space"
    tellapart.works("export", trained, "--to", "space", "--sdk", "gradio", "-o", folder)
    known = front_matter(folder)
    assert (known["sdk"], known["app_file"]) == ("gradio", "app.py")
    assert (folder / "tellapart" / "licenses" / "LICENSE").read_text().lstrip().startswith("Apache License")
    python = installed(f"gradio=={known['sdk_version']}\n{(folder / 'requirements.txt').read_text()}")
    hostile = [
        shared_data / "hostile" / "corkami" / "mini__photoshop.psd",
        tmp_path / "drawing.eps",
        tmp_path / "bomb.png",
    ]
    hostile[1].write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n")
    hostile[2].write_bytes(too_many_pixels())
    script = """
import json, sys
import app, PIL.Image
from gradio_client import Client, handle_file
opened, real = [], PIL.Image.open
PIL.Image.open = lambda *given, **more: opened.append(str(given[0])) or real(*given, **more)
_, address, _ = app.demo.launch(prevent_thread_lock=True, quiet=True)
client = Client(address, verbose=False)
asked = [client.predict(handle_file(photo), api_name="/predict") for photo in sys.argv[1:]]
print(json.dumps({"asked": asked, "opened": opened}))
"""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [python, "-c", script, *map(str, [*kinds, *hostile])]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["opened"] == []
    expected = tellapart.lines("predict", trained, *kinds)
    for (bars, _, whole, _), wanted in zip(said["asked"], expected, strict=False):
        same(whole, wanted, DECODED_HERE)
        assert {one["label"] for one in bars["confidences"]} == set(wanted["probs"])
    refused = [words for _, words, _, _ in said["asked"][len(kinds) :]]
    assert refused == [error(tellapart, trained, photo) for photo in hostile]


def error(tellapart: Any, trained: Path, photo: Path) -> str:
    """What the command line says of a photo that it cannot read."""
    said: str = json.loads(tellapart("predict", trained, photo, "--json").stdout.splitlines()[0])["error"]
    return said


def too_many_pixels() -> bytes:
    """A PNG of a few bytes whose head promises more pixels than we read."""
    buffer = io.BytesIO()
    Image.new("1", (1, 1)).save(buffer, "PNG")
    data = buffer.getvalue()
    head = b"IHDR" + (60_000).to_bytes(4) + (60_000).to_bytes(4) + data[24:29]
    return data[:12] + head + crc32(head).to_bytes(4) + data[33:]

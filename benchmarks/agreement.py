"""Whether every form of a model says the same about every test photo, and how long a page takes to say it.

    python benchmarks/agreement.py ../shared/data

One model of `clothing` and one of `hotdog`, and all of their test photos: asked from Python, from the command line,
over HTTP from `tellapart serve`, through the widget on a page of another site under a strict content security policy,
and on the exported page, which a plain file server gives to Chromium. Each is held against Python. Browsers decode
JPEGs with other libraries than we do; so the page is asked once more with PNGs of the same photos, which leave nothing
to differ.

Milliseconds are the page's own, from the files being given to the element to its answer being shown.
"""

import base64
import functools
import json
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import measure
from serve import FORM, Client, form, serving

SETS = ("clothing", "hotdog")
WITHIN, WITHIN_SAME_PIXELS = 0.02, 0.001
MS = 150
STATIC = "static page"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
ASK = """async ([text, kind]) => {
  const element = document.querySelector("tell-apart");
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const answer = new Promise((done) => element.addEventListener("tell-apart-answer", done, { once: true }));
  const started = performance.now();
  void element.ask([new File([bytes], "photo", { type: kind })]);
  const { prediction } = (await answer).detail;
  const ms = performance.now() - started;
  return { ...prediction, probs: Object.fromEntries(prediction.probs), ms };
}"""
LOADED = """async () => {
  while (!document.querySelector("tell-apart")?.model) await new Promise((go) => setTimeout(go, 20));
}"""
# Run as a script of its own: imports tellapart, which this process must not (measure.py says why).
PYTHON = """
import json, sys
from tellapart.model.prediction import load
model = load(sys.argv[1])
for said in model.predict(sys.stdin.read().splitlines()):
    print(json.dumps(said.to_json()))
"""
PNGS = """
import sys
from pathlib import Path
from PIL import Image
from tellapart.data.photo import decode_careful
for i, path in enumerate(sys.stdin.read().splitlines()):
    Image.fromarray(decode_careful(Path(path).read_bytes())).save(Path(sys.argv[1], f"{i:05}.png"), compress_level=1)
"""

Answer = dict[str, Any]


def script(text: str, argument: Path, photos: Sequence[Path]) -> list[str]:
    command = [sys.executable, "-c", text, str(argument)]
    listed = "\n".join(map(str, photos))
    return subprocess.run(command, input=listed, capture_output=True, text=True, check=True).stdout.splitlines()


def from_python(model: Path, photos: Sequence[Path]) -> list[Answer]:
    return [json.loads(line) for line in script(PYTHON, model, photos)]


def from_command_line(model: Path, photos: Sequence[Path]) -> list[Answer]:
    ran = measure.run(measure.tellapart("predict", model, *photos, "--json"))
    return [json.loads(line) for line in ran.output.splitlines()]


def from_http(port: int, photos: Sequence[Path]) -> list[Answer]:
    client = Client(port)
    said = [client.request(b"POST", b"/v1/predict", FORM, form(b"photos", photo.read_bytes())) for photo in photos]
    client.close()
    return [json.loads(one)["predictions"][0] for one in said]


def from_page(browser: Any, url: str, photos: Sequence[Path]) -> list[Answer]:
    page = browser.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(url)
    page.evaluate(LOADED)
    files = [(photo.read_bytes(), f"image/{photo.suffix[1:].replace('jpg', 'jpeg')}") for photo in photos]
    given = [[base64.b64encode(data).decode(), kind] for data, kind in files]
    page.evaluate(ASK, given[0])
    said = [page.evaluate(ASK, one) for one in given]
    page.close()
    if complaints:
        raise SystemExit(f"{url} complains: {complaints[0]}")
    return said


@contextmanager
def file_server(folder: Path, headers: Mapping[str, str]) -> Iterator[str]:
    """The address of a plain file server that sends `headers`, also those added later; another port is another site."""

    class Handler(SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            for name, value in headers.items():
                self.send_header(name, value)
            super().end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def row(name: str, form_name: str, said: Sequence[Answer], known: Sequence[Answer], within: float) -> measure.Row:
    differences = [abs(one["probs"][c] - p) for one, k in zip(said, known, strict=True) for c, p in k["probs"].items()]
    same = sum(one["answer"] == k["answer"] for one, k in zip(said, known, strict=True))
    most = max(differences)
    for i, (one, k) in enumerate(zip(said, known, strict=True)):
        if one["answer"] != k["answer"]:
            print(f"  {name} {form_name} {i}: {one}, not {k}", file=sys.stderr, flush=True)
    made: measure.Row = {
        "Photos": f"{name}, {len(known)}",
        "Asked through": form_name,
        "Same answer": f"{same} of {len(known)}",
        "Largest difference": f"{most:.6f}",
        "Goal": measure.goal(same == len(known) and most <= within, f"all, within {within}"),
    }
    if times := sorted(one["ms"] for one in said if "ms" in one):
        middle = times[len(times) // 2]
        made |= {"ms, median": f"{middle:.0f}", "ms, 95 %": f"{times[int(0.95 * len(times))]:.0f}"}
        if form_name == STATIC:
            made["Goal, ms"] = measure.goal(middle <= MS, f"at most {MS}")
    return made


def every_form(browser: Any, name: str, model: Path, photos: Sequence[Path], work: Path) -> list[measure.Row]:
    known = from_python(model, photos)
    rows = [row(name, "command line", from_command_line(model, photos), known, 0)]
    (work / "blog").mkdir()
    headers: dict[str, str] = {}
    with file_server(work / "blog", headers) as site, serving(model, "--allow-origin", site) as (port, _, _):
        rows.append(row(name, "HTTP", from_http(port, photos), known, 0))
        server = f"http://127.0.0.1:{port}"
        headers["Content-Security-Policy"] = f"default-src 'none'; script-src {server}; connect-src {server}"
        (work / "blog" / "index.html").write_text(
            f'<!doctype html><script type="module" src="{server}/tell-apart.js"></script>'
            f'<tell-apart src="{server}/"></tell-apart>',
            encoding="utf-8",
        )
        rows.append(row(name, "widget on another site", from_page(browser, site, photos), known, 0))

    measure.run(measure.tellapart("export", model, "--to", "web", "-o", work / "page"))
    (work / "png").mkdir()
    script(PNGS, work / "png", photos)
    pngs = sorted((work / "png").iterdir())
    with file_server(work / "page", {}) as site:
        rows.append(row(name, STATIC, from_page(browser, site, photos), known, WITHIN))
        same_pixels = from_page(browser, site, pngs)
        rows.append(row(name, "static page, PNGs", same_pixels, from_python(model, pngs), WITHIN_SAME_PIXELS))
    return rows


def main() -> None:
    options = measure.arguments(
        __doc__, repeats=1, more=lambda parser: parser.add_argument("--quality", default="balanced")
    )
    from playwright.sync_api import sync_playwright

    rows: list[measure.Row] = []
    with sync_playwright() as playwright, tempfile.TemporaryDirectory(prefix="tellapart-bench-") as place:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        for name in SETS:
            work = Path(place, name)
            work.mkdir()
            train = measure.tellapart("train", options.data / name, "-o", work / "model", "--quality", options.quality)
            measure.run([*train, "--json"], cache=Path(place, "cache"))
            photos = sorted((options.data / name / "test").rglob("*.jpg"))
            rows += every_form(browser, name, work / "model", photos[:: 10 if options.quick else 1], work)
        browser.close()
    measure.report(options, {"Every form against Python": rows}, quality=options.quality)


if __name__ == "__main__":
    main()

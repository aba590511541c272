"""The exported page on hosts that people have: nginx as it comes, IIS, strict policies, frames, and no host at all."""

import base64
import functools
import shutil
import subprocess
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tellapart.export.folder import export

NGINX = "/etc/nginx/mime.types"
ASK = """async (photo) => {
  const element = document.querySelector("tell-apart");
  while (!element.model) await new Promise((look) => setTimeout(look, 20));
  const bytes = Uint8Array.from(atob(photo), (letter) => letter.charCodeAt(0));
  await element.ask([new File([bytes], "photo")]);
  return element.shadowRoot.querySelector(".quietly").textContent;
}"""
WASM = (
    "photo: No answer. The policy of this site forbids the program that runs the model. Whoever runs it can allow that "
    "in its Content-Security-Policy: script-src 'wasm-unsafe-eval'"
)
HIDDEN = (
    "photo: No answer. This browser hides the pixels of photos from pages. Allow canvas for this site, or open it in "
    "another browser."
)


@pytest.fixture(scope="module")
def page(model, tmp_path_factory):
    """The page, with the real runtime in it."""
    if shutil.which("chromium") is None or shutil.which("npm") is None:
        pytest.skip("the page needs chromium and npm to be tried")
    folder = tmp_path_factory.mktemp("hosts") / "site"
    export(model, folder, "web")
    return folder


@pytest.fixture(scope="module")
def browser(open_browser):
    return open_browser()


@pytest.fixture
def window(browser):
    opened = browser.new_page()
    opened.set_default_timeout(20_000)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def photo(clothing_folder):
    return base64.b64encode(sorted((clothing_folder / "hat").iterdir())[0].read_bytes()).decode()


@pytest.fixture
def hosted(page):
    """`hosted(headers, without)`: the address of a host with these headers, which gives no file of these endings."""
    servers = []

    def start(headers=(), without=()):
        class Host(SimpleHTTPRequestHandler):
            def end_headers(self):
                for name, value in headers:
                    self.send_header(name, value)
                super().end_headers()

            def do_GET(self):
                if self.path.split("?")[0].endswith(tuple(without) or ("\0",)):
                    self.send_error(404)
                else:
                    super().do_GET()

            def log_message(self, *_):
                pass

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Host, directory=str(page))))
        threading.Thread(target=servers[-1].serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def nginx(page, tmp_path):
    """The address of nginx as Debian ships it, with its own types."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if program is None:
        pytest.skip("nginx is not installed")
    with ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as free:
        port = free.server_port
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/error.log; user root;\n"
        f"events {{}} http {{ include {NGINX}; default_type application/octet-stream; access_log off;\n"
        f"client_body_temp_path {tmp_path}; server {{ listen 127.0.0.1:{port}; root {page}; }} }}\n"
    )
    running = subprocess.Popen([program, "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")])
    try:
        for _ in range(100):
            if (tmp_path / "pid").exists():
                break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/"
    finally:
        running.terminate()
        running.wait(10)


def test_a_stock_nginx(nginx, window, photo):
    window.goto(nginx)
    assert window.evaluate(ASK, photo).startswith("photo: hat.")


def test_iis_which_gives_no_file_of_a_kind_that_it_does_not_know(hosted, window, photo):
    window.goto(hosted(without=(".mjs", ".onnx")))
    assert window.evaluate(ASK, photo).startswith("photo: hat.")


def test_a_file_that_a_host_does_not_give_is_named(hosted, window, photo):
    window.goto(hosted(without=(".wasm",)))
    assert window.evaluate(ASK, photo) == (
        "photo: No answer. The host does not give ort.wasm (HTTP 404). Whoever runs it can upload the folder again, "
        "and let it send files ending in .wasm."
    )


def test_a_program_that_a_host_sends_as_something_else_is_named(hosted, window, photo):
    address = hosted()
    window.route("**/runtime/ort.js*", lambda route: route.fulfill(content_type="application/octet-stream", body="x"))
    window.goto(address)
    assert window.evaluate(ASK, photo) == (
        "photo: No answer. The host sends ort.js as application/octet-stream, and browsers run no script of that kind. "
        "Whoever runs it can send files ending in .js as text/javascript."
    )


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("default-src 'self'; script-src 'self'", WASM),
        pytest.param("script-src 'self'", WASM, marks=pytest.mark.thorough),
        pytest.param("default-src 'self'", WASM, marks=pytest.mark.thorough),
        ("require-trusted-types-for 'script'", "photo: hat."),
        ("script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; object-src 'none'", "photo: hat."),
        pytest.param("style-src 'self'; img-src 'none'", "photo: hat.", marks=pytest.mark.thorough),
    ],
)
def test_a_host_s_own_policy_is_told_from_an_old_browser(hosted, window, photo, policy, said):
    window.goto(hosted([("Content-Security-Policy", policy)]))
    assert window.evaluate(ASK, photo).startswith(said)


def test_a_policy_that_only_reports_is_no_reason(hosted, window, photo):
    window.goto(hosted([("Content-Security-Policy-Report-Only", "default-src 'none'")]))
    assert window.evaluate(ASK, photo).startswith("photo: hat.")


def test_a_policy_that_forbids_to_ask_names_its_rule(hosted, window):
    address = hosted([("Content-Security-Policy", "connect-src 'none'")])
    window.goto(address)
    window.get_by_text("The policy of this site forbids to load model.json.").wait_for()
    window.get_by_text(f"in its Content-Security-Policy: connect-src {address.rstrip('/')}").wait_for()


def test_a_policy_that_forbids_all_scripts_leaves_true_words(hosted, window):
    window.goto(hosted([("Content-Security-Policy", "script-src 'none'")]))
    window.get_by_text("a site whose policy lets its scripts run").wait_for()


@pytest.mark.parametrize("name", ["index.html", "embed.html"])
def test_opened_with_a_double_click(page, window, name):
    window.goto((page / name).as_uri())
    window.get_by_text("A page opened from a file cannot load the model. Put its folder on a web server").wait_for()


@pytest.mark.parametrize("name", ["", "embed.html"])
def test_in_a_sandbox(hosted, window, name):
    window.set_content(f'<iframe src="{hosted()}{name}" sandbox="allow-scripts"></iframe>')
    inside = window.frame_locator("iframe")
    inside.get_by_text("This page is in a sandbox in which it can load nothing.").wait_for()


def test_a_policy_that_is_a_sandbox(hosted, window):
    window.goto(hosted([("Content-Security-Policy", "sandbox allow-scripts")]))
    window.get_by_text("Whoever shows it can allow it: allow-same-origin.").wait_for()


NOISES = {
    "random": "image.data[i] = 255 * Math.random()",
    "white": "image.data[i] = 255",
    "nothing": "image.data[i] = 0",
    "strong": "image.data[i] += 24 * (Math.random() < 0.5 ? 1 : -1)",
    "mostly": "if (Math.random() < 0.3) image.data[i] = 255 * Math.random()",
    "one channel": "if (i % 4 === 1) image.data[i] = 255 * Math.random()",
}
HIDE = """for (const brush of [OffscreenCanvasRenderingContext2D, CanvasRenderingContext2D]) {
  const read = brush.prototype.getImageData;
  brush.prototype.getImageData = function (...box) {
    const image = read.apply(this, box);
    for (let i = 0; i < image.data.length; i += 1) if (i %% 4 !== 3) { %s; }
    return image;
  };
}"""


@pytest.mark.parametrize(
    "noise",
    [name if name in ("random", "strong") else pytest.param(name, marks=pytest.mark.thorough) for name in NOISES],
)
def test_a_browser_that_hides_pixels_is_told_from_a_strange_photo(hosted, window, photo, noise):
    window.add_init_script(HIDE % NOISES[noise])
    window.goto(hosted())
    assert window.evaluate(ASK, photo) == HIDDEN


def test_a_browser_that_refuses_pixels_is_told_too(hosted, window, photo):
    window.add_init_script(
        "OffscreenCanvasRenderingContext2D.prototype.getImageData = () => { throw new Error('no'); }"
    )
    window.goto(hosted())
    assert window.evaluate(ASK, photo) == HIDDEN


def test_a_browser_that_turns_last_bits_answers(hosted, window, photo):
    """As Brave does for everybody: no answer depends on that."""
    window.add_init_script(HIDE % "if (Math.random() < 0.3) image.data[i] ^= 1")
    window.goto(hosted())
    assert window.evaluate(ASK, photo).startswith("photo: hat.")


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (7, 5000)])
def test_photos_of_any_shape_pass_where_nothing_is_hidden(hosted, window, size):
    window.goto(hosted())
    said = window.evaluate(
        """async ([width, height]) => {
          const { readProbed } = await import("/probe.js");
          const brush = new OffscreenCanvas(width, height + 8).getContext("2d", { alpha: false });
          brush.fillStyle = "#123456";
          brush.fillRect(0, 0, width, height);
          const pixels = readProbed(brush, width, height);
          return [pixels.length, ...pixels.slice(-4)];
        }""",
        size,
    )
    assert said == [4 * size[0] * size[1], 0x12, 0x34, 0x56, 255]

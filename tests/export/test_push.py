"""A Space is made of the kind that its folder is; the hub here is a server on this machine."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tellapart.errors import InputError
from tellapart.export import push

SCRIPT = """
import sys
from pathlib import Path
from tellapart.errors import InputError
from tellapart.export.push import push, require_hub
require_hub("me/it")
for sdk in ("static", "gradio"):
    try:
        push(Path(sys.argv[1]), "me/it", sdk)
    except InputError as error:
        print(error.message)
"""


@pytest.mark.parametrize("name", ["", "me", "a/b/c", "/b", "a/"])
def test_a_space_needs_a_user_and_a_name(name):
    with pytest.raises(InputError, match="does not name a Space"):
        push.require_hub(name)


def test_a_space_is_made_of_its_kind_and_a_refusal_is_one_sentence(tmp_path):
    made = []

    class Hub(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            known = self.path == "/api/repos/create"
            if known:
                made.append(json.loads(body))
            self.send_response(200 if known else 403)
            self.end_headers()
            self.wfile.write(b'{"url": "http://127.0.0.1/spaces/me/it"}' if known else b"{}")

        def do_GET(self):
            self.send_response(403)
            self.end_headers()

        def log_message(self, format, *args):  # noqa: A002
            pass

    (tmp_path / "README.md").write_text("---\nsdk: static\n---\n")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub = {
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_TOKEN": "hf_none",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path], env={**os.environ, **hub}, capture_output=True, text=True, check=True
    )
    server.shutdown()
    server.server_close()
    assert [(one["name"], one["type"], one["sdk"]) for one in made] == [
        ("it", "space", kind) for kind in ("static", "gradio")
    ]
    assert done.stdout.splitlines() == ["The Space 'me/it' could not be uploaded."] * 2

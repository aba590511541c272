"""Photos are collected from real hosts on this machine, which lie, dawdle and break off."""

import csv
import io
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from tellapart.data.collecting.collect import AT_ONCE_A_HOST, collect, table_of
from tellapart.data.collecting.fetching import Terms
from tellapart.data.collecting.wanted import Wanted
from tellapart.data.spreadsheet import unguarded
from tellapart.errors import InputError

TERMS = Terms(1_000_000, 20, "tellapart/test", allow_private=True)


def jpeg(colour):
    file = io.BytesIO()
    Image.new("RGB", (32, 24), colour).save(file, "JPEG")
    return file.getvalue()


RED, BLUE = jpeg("red"), jpeg("blue")


class Host(BaseHTTPRequestHandler):
    """Answers by path; counts what it was asked, and how many at once."""

    def do_GET(self):
        server = self.server
        with server.lock:
            server.asked.append((self.path, self.headers["User-Agent"]))
            server.now += 1
            server.most = max(server.most, server.now)
        try:
            self.answer(self.path.partition("?")[0])
        except OSError:  # who asked has gone
            pass
        finally:
            with server.lock:
                server.now -= 1

    def answer(self, path):
        if path == "/html":
            self.send(b"<html></html>", kind="text/html")
        elif path == "/lie":
            self.send(b"<!DOCTYPE html><html>no photo</html>")
        elif path == "/empty":
            self.send(b"")
        elif path == "/half":
            self.send(RED[: len(RED) // 2])
        elif path == "/cut":
            self.send(RED[:-100], length=len(RED))
        elif path == "/large":
            self.send(b"", length=1_000_000_000)
        elif path == "/endless":
            self.send(b"\xff\xd8\xff" * 500_000, length=None)
        elif path in {"/slow", "/slow-of-any-length"}:
            self.send(RED, length=len(RED) + 1 if path == "/slow" else None)
            self.server.released.wait(60)
        elif path == "/missing":
            self.send(b"", status=404)
        elif path == "/busy":
            n_asked = sum(asked == self.path for asked, _ in self.server.asked)
            self.send(BLUE, status=503 if n_asked < 3 else 200)
        elif path == "/loop":
            self.send(b"", status=302, goes_to="/loop")
        elif path == "/to-file":
            self.send(b"", status=302, goes_to="file:///etc/passwd")
        elif path == "/moved":
            self.send(b"", status=301, goes_to="/new%20place/hat.jpg")
        elif path.startswith("/many"):
            time.sleep(0.02)
            self.send(jpeg((int(path[5:]), 0, 0)))
        else:
            self.send(BLUE if "blue" in path else RED)

    def send(self, body, *, kind="image/jpeg", status=200, goes_to=None, length=-1):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if goes_to:
            self.send_header("Location", goes_to)
        if length is not None:
            self.send_header("Content-Length", str(len(body) if length < 0 else length))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_):
        pass


@contextmanager
def host():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    server.asked, server.now, server.most = [], 0, 0
    server.lock, server.released = threading.Lock(), threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def server():
    with host() as server:
        yield server


def run(server, paths, output, terms=TERMS, **how):
    wanted = [path if isinstance(path, Wanted) else Wanted(server.url + path) for path in paths]
    return collect(wanted, output, terms, backoff_s=0.01, **how)


def rows(output):
    with table_of(output).open(encoding="utf-8", newline="") as file:
        lines = [dict(zip(row, map(unguarded, row.values()), strict=True)) for row in csv.DictReader(file)]
        return {row["url"].partition("/")[2].partition("/")[2].partition("/")[2]: row for row in lines}


def files(output):
    return sorted(path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file())


def test_photos_lie_whole_beside_where_they_came_from(server, tmp_path):
    output = tmp_path / "hat"
    wanted = [Wanted(server.url + "/red.jpg?size=1", "", "CC BY 4.0, =SUM(1)"), "/moved", "/blue.png", "/busy"]
    done = run(server, wanted, output)
    assert (done.new, done.copies, done.refused) == (2, 2, {})
    found = rows(output)
    assert {(output / row["file"]).read_bytes() for row in found.values()} == {RED, BLUE}
    assert len(files(output)) == 2
    assert found["moved"]["final_url"] == server.url + "/new%20place/hat.jpg"
    assert found["red.jpg?size=1"]["licence"] == "CC BY 4.0, =SUM(1)"
    assert all(int(row["bytes"]) == (output / row["file"]).stat().st_size for row in found.values())
    assert {agent for _, agent in server.asked} == {"tellapart/test"}


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("/html", "text/html"),
        ("/lie", "web page"),
        ("/empty", "empty"),
        ("/half", "missing"),
        ("/cut", "stopped before the end"),
        ("/large", "larger than 1 MB"),
        ("/endless", "larger than 1 MB"),
        ("/missing", "404"),
        ("/loop", "on and on"),
        ("/to-file", "none of the web"),
    ],
)
def test_what_is_no_photo_is_listed_with_the_reason(server, tmp_path, path, word):
    done = run(server, [path], tmp_path / "hat")
    assert done.new == 0
    assert word in rows(tmp_path / "hat")[path[1:]]["reason"]
    assert files(tmp_path / "hat") == []


@pytest.mark.parametrize("path", ["/slow", "/slow-of-any-length"])
def test_a_host_that_dawdles_is_left_at_its_deadline(server, tmp_path, path):
    run(server, [path], tmp_path / "hat", Terms(1_000_000, 0.3, "tellapart/test", allow_private=True))
    assert "within" in rows(tmp_path / "hat")[path[1:]]["reason"]


def test_a_private_host_is_not_asked(server, tmp_path):
    done = run(server, ["/red.jpg"], tmp_path / "hat", Terms(1_000_000, 5, "tellapart/test"))
    assert "private network" in next(iter(done.refused))
    assert server.asked == []


@pytest.mark.parametrize("address", ["ftp://example.org/a.jpg", "data:image/png;base64,AAAA", "hat.jpg", "http://[::1"])
def test_what_is_no_address_is_listed(server, tmp_path, address):
    done = run(server, [Wanted(address)], tmp_path / "hat")
    assert sum(done.refused.values()) == 1


def test_the_same_command_goes_on_and_asks_nothing_twice(server, tmp_path):
    output = tmp_path / "hat"
    run(server, ["/red.jpg", "/missing"], output)
    asked = len(server.asked)
    again = run(server, ["/red.jpg", "/missing", "/blue.jpg"], output)
    assert (again.new, again.before, len(server.asked)) == (1, 2, asked + 1)
    run(server, ["/red.jpg", "/missing"], output, retry_failed=True)
    assert [path for path, _ in server.asked[asked + 1 :]] == ["/missing"]
    (output / rows(output)["red.jpg"]["file"]).unlink()
    assert run(server, ["/red.jpg"], output).new == 1


def test_a_row_that_was_cut_off_is_asked_again_and_its_photo_found(server, tmp_path):
    output = tmp_path / "hat"
    run(server, ["/red.jpg", "/blue.jpg"], output)
    before = files(output)
    content = table_of(output).read_bytes()
    table_of(output).write_bytes(content[:-20])
    run(server, ["/red.jpg", "/blue.jpg"], output)
    assert files(output) == before
    assert len(rows(output)) == 2


def test_nothing_is_replaced(server, tmp_path):
    output = tmp_path / "hat"
    run(server, ["/red.jpg"], output)
    name = files(output)[0]
    table_of(output).unlink()
    (output / name).write_bytes(b"somebody's own")
    run(server, ["/red.jpg"], output)
    assert (output / name).read_bytes() == b"somebody's own"
    assert (output / rows(output)["red.jpg"]["file"]).read_bytes() == RED


def test_labels_are_folders_and_none_leads_out(server, tmp_path):
    output = tmp_path / "photos"
    labels = {"/red.jpg": "hat", "/blue.jpg": "../out", "/blue2.jpg": "shoe", "/red2.jpg": "shoe"}
    run(server, [Wanted(server.url + path, label) for path, label in labels.items()], output)
    found = rows(output)
    assert found["red.jpg"]["file"].startswith("hat/") or found["red2.jpg"]["file"].startswith("shoe/")
    assert "folder" in found["blue.jpg"]["reason"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "photos.collected.csv"]
    assert sum("another class" in row["reason"] for row in found.values()) == 1  # red is of two classes


def test_a_host_is_asked_by_two_at_once(server, tmp_path):
    run(server, [f"/many{number * 5}" for number in range(12)], tmp_path / "hat")
    assert server.most <= AT_ONCE_A_HOST
    assert len(files(tmp_path / "hat")) == 12


def test_another_table_is_not_written_to(server, tmp_path):
    (tmp_path / "hat.collected.csv").write_text("path,label\na.jpg,hat\n")
    with pytest.raises(InputError, match="not a table that collect wrote"):
        run(server, ["/red.jpg"], tmp_path / "hat")
    assert (tmp_path / "hat.collected.csv").read_text() == "path,label\na.jpg,hat\n"


def test_a_kill_in_the_middle_loses_nothing_that_was_said(server, tmp_path):
    output, listed = tmp_path / "hat", tmp_path / "urls.txt"
    listed.write_text(f"{server.url}/red.jpg\n{server.url}/slow\n# not this\n")
    command = [sys.executable, "-m", "tellapart", "collect", str(listed), "-o", str(output), "--allow-private"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while not (files(output) and "red.jpg" in rows(output)) and time.monotonic() < until:
        time.sleep(0.02)
    child.send_signal(2)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "goes on" in said
    assert list(rows(output)) == ["red.jpg"]
    assert run(server, ["/red.jpg", "/blue.jpg"], output).before == 1

"""How many photos a second `tellapart serve` answers, how long clients wait, and what it takes.

    python benchmarks/serve.py ../shared/data

Clients are threads with one kept connection each, in a process of its own; every request carries one real JPEG of the
`clothing` test photos. Against 8 of them stands the same pipeline without a server, `Predictor.predict_many` over the
same bytes in memory, and, where they are installed (`--peers`), the same model behind Gradio, LitServe and a
plain FastAPI app with ONNX Runtime: benchmarks/serve_peers.py. All take turns. A client of Gradio uploads, asks and
listens, three requests a photo, as its API asks for.

Waiting is measured at half load: requests come at half the rate just measured, whether or not the last was answered.
Memory is what the kernel counts for the server and its decoding processes, shared pages split (PSS), after a warm-up of
500 requests and after all; the server hides its memory, so this runs as root. Ready is the time from the command's
start to the self-test photo's right answer.
"""

import argparse
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import measure

CLIENTS = 8
PHOTOS = 600  # a round of one way
SOAK, WARM_UP = 10_000, 500
BOUNDARY = b"tellapart-bench"
PEERS = {"gradio": "Gradio", "litserve": "LitServe", "fastapi": "FastAPI + ONNX Runtime"}
PIPELINE = """
import sys, time
from pathlib import Path
from tellapart.model.prediction import load
photos = [Path(line).read_bytes() for line in sys.stdin.read().splitlines()]
predictor = load(sys.argv[1])
list(predictor.predict_many(photos[:32]))
n = int(sys.argv[2])
started = time.perf_counter()
for _ in predictor.predict_many((photos * (n // len(photos) + 1))[:n]):
    pass
print(n / (time.perf_counter() - started))
"""


class Client:
    """One kept connection. HTTP by hand: a client library would take more of the cores than the server's own."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connection = socket.create_connection(("127.0.0.1", port))
        self.reader = self.connection.makefile("rb")

    def request(self, method: bytes, path: bytes, kind: bytes = b"", body: bytes = b"") -> bytes:
        head = method + b" " + path + b" HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % self.port
        if body:
            head += b"Content-Type: " + kind + b"\r\nContent-Length: %d\r\n" % len(body)
        self.connection.sendall(head + b"\r\n" + body)
        status = self.reader.readline()
        length, chunked = 0, False
        while (line := self.reader.readline().lower()) not in (b"\r\n", b""):
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
            chunked |= line.startswith(b"transfer-encoding: chunked")
        answer = b"".join(self._chunks()) if chunked else self.reader.read(length)
        if b" 200 " not in status:
            raise SystemExit(f"{path.decode()} answered {status.decode().strip()}: {answer[:300].decode()}")
        return answer

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.reader.readline(), 16):
            yield self.reader.read(size)
            self.reader.readline()
        self.reader.readline()

    def close(self) -> None:
        self.reader.close()
        self.connection.close()


def form(field: bytes, photo: bytes) -> bytes:
    disposition = b'Content-Disposition: form-data; name="' + field + b'"; filename="photo.jpg"\r\n'
    start = b"--" + BOUNDARY + b"\r\n" + disposition + b"Content-Type: image/jpeg\r\n\r\n"
    return start + photo + b"\r\n--" + BOUNDARY + b"--\r\n"


FORM = b"multipart/form-data; boundary=" + BOUNDARY


def ask_form(path: bytes) -> Callable[[Client, bytes], None]:
    return lambda client, photo: void(client.request(b"POST", path, FORM, form(b"photos", photo)))


def ask_gradio(client: Client, photo: bytes) -> None:
    [place] = json.loads(client.request(b"POST", b"/gradio_api/upload", FORM, form(b"files", photo)))
    given = {"data": [{"path": place, "meta": {"_type": "gradio.FileData"}}]}
    said = client.request(b"POST", b"/gradio_api/call/predict", b"application/json", json.dumps(given).encode())
    told = client.request(b"GET", b"/gradio_api/call/predict/" + json.loads(said)["event_id"].encode())
    if b"event: complete" not in told:
        raise SystemExit(f"Gradio answered {told[:300].decode()}")


def void(_: object) -> None:
    pass


def crowd(n_clients: int, port: int, n: int, visit: Callable[[Client, int], None]) -> None:
    """Clients with a kept connection each share the turns 0 to n - 1; a turn begins when its client is free."""
    turns, lock = iter(range(n)), threading.Lock()

    def stay() -> None:
        client = Client(port)
        while True:
            with lock:
                turn = next(turns, None)
            if turn is None:
                break
            visit(client, turn)
        client.close()

    with ThreadPoolExecutor(n_clients) as executor:
        for stayed in [executor.submit(stay) for _ in range(n_clients)]:
            stayed.result()


def at_once(port: int, ask: Callable[[Client, bytes], None], photos: list[bytes], n: int) -> float:
    """Photos/s that `CLIENTS` get who each ask again as soon as they are answered."""
    started = time.perf_counter()
    crowd(CLIENTS, port, n, lambda client, turn: ask(client, photos[turn % len(photos)]))
    return n / (time.perf_counter() - started)


def at_rate(port: int, ask: Callable[[Client, bytes], None], photos: list[bytes], n: int, rate: float) -> list[float]:
    """Seconds from when each of `n` requests was due, at `rate` a second, to its answer; sorted."""
    started = time.perf_counter() + 0.1
    waited: list[float] = []

    def visit(client: Client, turn: int) -> None:
        due = started + turn / rate
        time.sleep(max(0.0, due - time.perf_counter()))
        ask(client, photos[turn % len(photos)])
        waited.append(time.perf_counter() - due)

    crowd(4 * CLIENTS, port, n, visit)
    return sorted(waited)


def lags(port: int, ask: Callable[[Client, bytes], None], photos: list[bytes], n: int) -> list[float]:
    """Seconds that `/healthz`, which needs nothing but the event loop, takes while the crowd asks; sorted."""
    client, took = Client(port), []
    with ThreadPoolExecutor(1) as beside:
        busy = beside.submit(at_once, port, ask, photos, n)
        while not busy.done():
            started = time.perf_counter()
            client.request(b"GET", b"/healthz")
            took.append(time.perf_counter() - started)
            time.sleep(0.01)
    client.close()
    return sorted(took)


@contextmanager
def serving(model: Path, *more: str) -> Iterator[tuple[int, int, float]]:
    """Port and process id of a server that is ready, and the seconds that took."""
    started = time.perf_counter()
    server = subprocess.Popen(
        [os.fspath(part) for part in measure.tellapart("serve", model, "--port", "0", *more)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout
    said = server.stdout.readline()
    seconds = time.perf_counter() - started
    found = re.search(r":(\d+)$", said.strip())
    if not found:
        raise SystemExit(f"The server did not start: {said}")
    try:
        yield int(found[1]), server.pid, seconds
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


@contextmanager
def peer(kind: str, python: str, model: Path) -> Iterator[int]:
    """The port of a peer that answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    script = Path(__file__).with_name("serve_peers.py")
    server = subprocess.Popen(
        [python, str(script), kind, str(model), str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # LitServe's workers do not end with it
        env=os.environ | {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"},
    )
    try:
        end = time.monotonic() + 90
        while time.monotonic() < end and server.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.2)
        time.sleep(5)  # LitServe listens before its workers have the model
        yield port
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, 15)
        server.wait()


def installed(python: str, kind: str) -> bool:
    done = subprocess.run([python, "-c", f"import {kind}, onnxruntime, PIL"], capture_output=True, check=False)
    return done.returncode == 0


def memory_mb(pid: int) -> float:
    """MB of the process and its children, shared pages split among those who share them."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    texts = [Path(f"/proc/{p}/smaps_rollup").read_text(encoding="utf-8") for p in (str(pid), *children)]
    return sum(int(kb) for text in texts for kb in re.findall(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)) / 1000


def more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--peers", default=sys.executable, help="a Python that has gradio, litserve, onnxruntime")
    parser.add_argument("--quality", default="balanced", help="balanced unless told")


def main() -> None:
    options = measure.arguments(__doc__, repeats=5, more=more)
    n, n_soak, warm_up = (60, 300, 100) if options.quick else (PHOTOS, SOAK, WARM_UP)
    files = sorted((options.data / "clothing" / "test").rglob("*.jpg"))
    photos = [path.read_bytes() for path in files]
    ours = ask_form(b"/v1/predict")

    with tempfile.TemporaryDirectory(prefix="tellapart-bench-") as folder:
        model = Path(folder, "garments")
        source = options.data / "clothing"
        measure.run(
            measure.tellapart("train", source, "-o", model, "--quality", options.quality, "--json"),
            cache=Path(folder, "cache"),
        )
        starts = []
        for _ in range(1 if options.quick else 9):
            with serving(model) as (_, _, seconds):
                starts.append(seconds)

        def pipeline() -> float:
            command = [sys.executable, "-c", PIPELINE, str(model), str(n)]
            listed = "\n".join(map(str, files))
            return float(subprocess.run(command, input=listed, capture_output=True, text=True, check=True).stdout)

        def server() -> float:
            with serving(model) as (port, _, _):
                at_once(port, ours, photos, 40)
                return at_once(port, ours, photos, n)

        def other(kind: str) -> Callable[[], float]:
            ask = ask_gradio if kind == "gradio" else ask_form(b"/predict")

            def way() -> float:
                with peer(kind, options.peers, model) as port:
                    at_once(port, ask, photos, 40)
                    return at_once(port, ask, photos, max(60, n // 3))

            return way

        ways = {"the pipeline without a server": pipeline, "`tellapart serve`": server}
        ways |= {name: other(kind) for kind, name in PEERS.items() if installed(options.peers, kind)}
        rates = {way: measure.spread(values) for way, values in measure.interleaved(ways, options.repeats).items()}

        with serving(model) as (port, pid, _):
            at_once(port, ours, photos, warm_up)
            before = memory_mb(pid)
            waited = at_rate(port, ours, photos, n, rates["`tellapart serve`"].median / 2)
            lag = lags(port, ours, photos, n)
            at_once(port, ours, photos, n_soak - warm_up - n)
            after = memory_mb(pid)

    measured = rates["`tellapart serve`"].median
    times_ours = {"Gradio": 5, "LitServe": 2, "FastAPI + ONNX Runtime": 2}
    throughput: list[measure.Row] = []
    for way, s in rates.items():
        row: measure.Row = {"Way": way, "Photos/s": s.text(), "Ours against it": f"{measured / s.median:.2f} times"}
        if way == "the pipeline without a server":
            row["Goal"] = measure.goal(measured >= 0.85 * s.median, "at least 0.85")
        elif way in times_ours:
            row["Goal"] = measure.goal(measured >= times_ours[way] * s.median, f"at least {times_ours[way]}")
        throughput.append(row)
    p50, p99 = waited[len(waited) // 2], waited[int(0.99 * len(waited))]
    start = measure.spread(starts)
    others: list[measure.Row] = [
        {"What": "half load, p50", "Value": f"{1000 * p50:.0f} ms"},
        {"What": "half load, p99", "Value": f"{1000 * p99:.0f} ms", "Goal": measure.goal(p99 < 4 * p50, "under 4 p50")},
        {
            "What": f"the event loop's answer while {CLIENTS} ask, p99",
            "Value": f"{1000 * lag[int(0.99 * len(lag))]:.0f} ms",
            "Goal": measure.goal(lag[int(0.99 * len(lag))] <= 0.05, "at most 50 ms"),
        },
        {
            "What": "start to ready",
            "Value": start.text(" s", 2),
            "Goal": measure.goal(start.median < 1.5, "under 1.5 s"),
        },
        {
            "What": f"memory after {n_soak:,} requests",
            "Value": f"{after:.0f} MB",
            "Goal": measure.goal(after < 400, "under 400 MB"),
        },
        {
            "What": f"memory gained since request {warm_up:,}",
            "Value": f"{after - before:.1f} MB",
            "Goal": measure.goal(after - before < 20, "under 20 MB"),
        },
    ]
    tables = {f"{CLIENTS} visitors at once": throughput, "Waiting, starting, memory": others}
    measure.report(options, tables, photos=n, quality=options.quality)


if __name__ == "__main__":
    main()

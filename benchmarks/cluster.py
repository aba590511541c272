"""Shards on a cluster: photos a second beside one machine and beside others, when work starts, the driver's memory.

    python benchmarks/cluster.py ../shared/data                       # the first three pieces; for all, see --peers
    python benchmarks/cluster.py ../shared/data --only memory         # one piece; the record keeps the others
    python benchmarks/cluster.py ../shared/data --only rates --photos 2200 --repeats 5
    python benchmarks/cluster.py ../shared/data --only peers --peers PYTHON   # of an environment with daft, ray[data]

Photos are those of `clothing`, repeated under different bytes as in `scale.py`. The cluster is one node of Ray with two
cores on this machine, made anew for each run. Ways take turns. Seconds are from when the command begins to its end,
with starting Python, listing and compiling in them, for all ways alike. Time of processors is that of a way and of what
its cluster does meanwhile; on a machine with other work it says more than seconds. Memory is the largest sum, over the
processes of a way and of its cluster, of their share of memory (PSS), looked at four times a second. The driver's
memory is measured with a network of no cost: no photo is read, and each row says so, while list, shards and what is
sent are real; files are hard links to one photo.
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Event, Thread

import measure
from scale import plant

PIECES = ("rates", "start", "memory", "peers")
N_PHOTOS = 2200
SIZES = (10_000, 100_000, 1_000_000)
SHARD = 256
RAY = "import sys; from ray.scripts.scripts import main; sys.argv[0] = 'ray'; main()"
WAYS = Path(__file__).with_name("cluster_ways.py")
os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
ENVIRONMENT = dict(os.environ)


def below(pids: list[int]) -> list[int]:
    """These processes and all that came of them."""
    parents = {}
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError, IndexError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = list(pids)
    for one in found:
        found += [child for child, parent in parents.items() if parent == one and child not in found]
    return found


def share_bytes(pids: list[int]) -> int:
    """The memory of these processes and all that came of them; what several hold counts once."""
    total = 0
    for pid in below(pids):
        with suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


@contextmanager
def node(folder: Path, cores: int = 2):
    """A head of Ray on this machine, and where it is; ended with all that came of it."""
    port = random.randint(20_000, 30_000)
    options = ["--head", "--block", f"--port={port}", f"--num-cpus={cores}", "--include-dashboard=false"]
    options += ["--disable-usage-stats", "--object-store-memory=80000000", f"--temp-dir={folder / 'r'}"]
    options += ["--node-ip-address=127.0.0.1"]
    log = folder / f"ray-{port}.log"
    with log.open("wb") as file:
        ray = subprocess.Popen(
            [sys.executable, "-c", RAY, "start", *options], stdout=file, stderr=file, env=ENVIRONMENT
        )
    while b"--block" not in log.read_bytes():
        if ray.poll() is not None:
            raise SystemExit(log.read_text())
        time.sleep(0.05)
    try:
        yield ray.pid, f"127.0.0.1:{port}"
    finally:
        for pid in below([ray.pid]):
            with suppress(OSError):
                os.kill(pid, 9)
        ray.wait()


def processor_s(pids: list[int]) -> dict[int, float]:
    """Seconds of a processor of each of these processes and all that came of them."""
    found = {}
    for pid in below(pids):
        with suppress(OSError, IndexError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            found[pid] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


def watched(command: list[object], also: list[int] | None = None) -> tuple[float, float, int, str]:
    """Seconds of a command; those of a processor, and the most memory, of it and of `also`; and what it printed."""
    most, ended = 0, Event()
    before, used = processor_s(also or []), {}
    started = time.perf_counter()
    run = subprocess.Popen([str(word) for word in command], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)

    def look() -> None:
        nonlocal most
        while not ended.wait(0.25):
            most = max(most, share_bytes([run.pid, *(also or [])]))
            used.update(processor_s([run.pid, *(also or [])]))

    looking = Thread(target=look)
    looking.start()
    output = run.communicate()[0]
    seconds = time.perf_counter() - started
    ended.set()
    looking.join()
    if run.returncode:
        raise SystemExit(f"{command} ended with {run.returncode}:\n{output}")
    return seconds, sum(s - before.get(pid, 0.0) for pid, s in used.items()), most, output


def embed(photos: Path, out: Path, *more: object) -> list[object]:
    """The command."""
    return [*measure.tellapart("embed", photos, "-o", out, "--shard-size", str(SHARD)), *more]


class Round:
    """One turn of each way, each into a folder of its own."""

    def __init__(self, folder: Path, photos: Path, n: int, peers: str) -> None:
        self._folder, self._photos, self._n, self._peers = folder, photos, n, peers
        self.most: dict[str, list[int]] = {}
        self.used: dict[str, list[float]] = {}  # ms of a processor a photo

    def ways(self, names: tuple[str, ...]) -> dict[str, Callable[[], float]]:
        """{name: photos a second of one run}."""
        return {name: partial(self._run, name) for name in names}

    def _run(self, name: str) -> float:
        out = self._folder / f"{name}-{time.time_ns()}"
        if name == "ray":
            with node(self._folder) as (pid, address):
                seconds, used, most, _ = watched(embed(self._photos, out, "--ray", address), [pid])
        elif name == "workers":
            seconds, used, most, _ = watched(embed(self._photos, out, "--workers", "2"))
        else:
            python = sys.executable if name == "extract" else self._peers
            seconds, used, most, output = watched([python, WAYS, name, self._photos, out])
            if int(output.split()[-2]) != self._n:
                raise SystemExit(f"{name} made {output} of {self._n} photos")
        self.most.setdefault(name, []).append(most)
        self.used.setdefault(name, []).append(1000 * used / self._n)
        return self._n / seconds


NAMES = {
    "extract": "Extractor.extract",
    "workers": "tellapart embed --workers 2",
    "ray": "tellapart embed --ray",
    "ray_data": "Ray Data, read_images → map_batches",
    "daft": "Daft, from_glob_path → decode → class",
}


def rates(folder: Path, options, names: tuple[str, ...], bars: dict[str, float]) -> tuple[list[measure.Row], int]:
    """Photos a second, and memory, of each way."""
    n = 60 if options.quick else options.photos
    photos = folder / "photos"
    sources = sorted((options.data / "clothing").rglob("*.jpg"))
    random.Random(0).shuffle(sources)
    with ProcessPoolExecutor() as pool:
        list(pool.map(partial(plant, photos, sources), range(n), chunksize=50))
    turn = Round(folder, photos, n, options.peers)
    measured = measure.interleaved(turn.ways(names), options.repeats)
    own = measure.spread(measured["extract" if "extract" in names else "ray"]).median
    rows: list[measure.Row] = []
    for name in names:
        found = measure.spread(measured[name])
        share = found.median / own
        rows.append(
            {
                "Way": NAMES[name],
                "Photos/s": found.text(),
                "Of the first": f"{share:.0%}",
                "Goal": measure.goal(share >= bars[name], f"≥ {bars[name]:.0%}") if name in bars else "",
                "Processor, ms a photo": measure.spread(turn.used[name]).text(),
                "Peak memory, MB": measure.spread(b / 1e6 for b in turn.most[name]).text(digits=0),
            }
        )
    return rows, n


def start(folder: Path, options) -> list[measure.Row]:
    """How long from `ray start` to the first shard in work."""
    photos = folder / "few"
    sources = sorted((options.data / "clothing").rglob("*.jpg"))
    for i in range(64):
        plant(photos, sources, i)
    up, begun = [], []
    for i in range(options.repeats):
        before = time.perf_counter()
        with node(folder) as (pid, address):
            up.append(time.perf_counter() - before)
            out = folder / f"start-{i}"
            run = subprocess.Popen(list(map(str, embed(photos, out, "--ray", address))), env=ENVIRONMENT,
                                   stdout=subprocess.DEVNULL)  # fmt: skip
            while not any(_title(one).startswith("ray::Worker.make") for one in below([pid])):
                if run.poll() is not None:
                    raise SystemExit("nothing was made")
                time.sleep(0.02)
            begun.append(time.perf_counter() - before - up[-1])
            run.wait()
    whole = measure.spread(begun)
    return [
        {
            "`ray start`, s": measure.spread(up).text(),
            "then from the command to the first shard in work, s": whole.text(),
            "Goal": measure.goal(whole.median < 10, "< 10 s"),
        }
    ]


def _title(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    return ""


def memory(folder: Path, options) -> list[measure.Row]:
    """The driver's memory, for more and more photos of no cost."""
    one = min((options.data / "clothing").rglob("*.jpg"))
    rows: list[measure.Row] = []
    for n in (1000, 2000) if options.quick else options.sizes:
        photos = folder / f"n{n}"
        for i in range(n):
            if i % 1000 == 0:
                into = photos / f"class{i // 1000 % 2}" / f"{i // 1000}"
                into.mkdir(parents=True)
                first = into / "first"
                first.write_bytes(one.read_bytes())  # a file may have some ten thousand names, and no more
            os.link(first, into / f"{i}.jpg")
            if i % 1000 == 999 or i == n - 1:
                first.unlink()
        with node(folder) as (_, address):
            os.environ["RAY_ADDRESS"] = address
            ran = measure.run([sys.executable, WAYS, "memory", photos, folder / f"out{n}"])
        made, seconds = ran.output.split()[-2:]
        if int(made) != n:
            raise SystemExit(f"{made} of {n} rows")
        peak = ran.peak_bytes
        rows.append({"Photos": f"{n:,}", "Driver, MB": f"{peak / 1e6:.0f}", "Seconds": f"{float(seconds):.0f}",
                     "Goal": measure.goal(peak < 500e6, "< 500 MB")})  # fmt: skip
    return rows


def refuse_absent_peers(python: str) -> None:
    """Returns where this Python has what is measured beside ours; else ends with a sentence that says what to name."""
    try:
        needed = [python, "-c", "import daft, ray.data, tellapart"]
        subprocess.run(needed, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        what = f"'{python}' is none" if python else "none is named"
        raise SystemExit(
            f"The piece peers needs a Python that has daft, ray[data] and tellapart; {what}. Make an environment with "
            'pip install daft "ray[data]" "tellapart[cluster]", and name its Python: --only peers --peers PYTHON'
        ) from error


def main() -> None:
    """Every piece, or one."""

    def more(parser) -> None:
        parser.add_argument("--only", choices=PIECES, help="one piece")
        parser.add_argument("--photos", type=int, default=N_PHOTOS)
        parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
        parser.add_argument("--peers", default="", help="a Python that has daft, ray[data] and tellapart")

    options = measure.arguments(__doc__, repeats=3, more=more)
    if options.only == "peers" or options.peers:
        refuse_absent_peers(options.peers)
    for piece in [options.only] if options.only else [p for p in PIECES if p != "peers" or options.peers]:
        with tempfile.TemporaryDirectory(prefix="ttb", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            facts: dict[str, object] = {"load_after": None}
            if piece == "rates":
                bars = {"workers": 0.95, "ray": 0.9}
                rows, facts["photos"] = rates(folder, options, ("extract", "workers", "ray"), bars)
                tables = {"Photos a second": rows}
            elif piece == "peers":
                rows, facts["photos"] = rates(folder, options, ("ray", "ray_data", "daft"), {})
                tables = {"Beside others on the same two cores": rows}
            elif piece == "start":
                tables = {"Until work starts": start(folder, options)}
            else:
                tables = {"The driver's memory, with a network of no cost": memory(folder, options)}
        facts["load_after"] = round(os.getloadavg()[0], 1)
        measure.report_piece(options, PIECES, piece, tables, **facts)


if __name__ == "__main__":
    main()

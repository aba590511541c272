"""What every benchmark needs: interleaved repeats, median and spread, a child's seconds and peak memory, a record.

Imports the standard library only: a child's peak memory, as Linux counts it, is never below what its parent held when
it was started, so a benchmark that measures children must stay small itself.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
Row = dict[str, object]


@dataclass(frozen=True)
class Spread:
    """What n repeats gave: the median, and the least and the most."""

    median: float
    low: float
    high: float
    n: int

    def text(self, unit: str = "", digits: int = 1) -> str:
        """Such as `12.3 s (12.1 to 12.9, n = 5)`."""
        middle = f"{self.median:.{digits}f}{unit}"
        return middle if self.n == 1 else f"{middle} ({self.low:.{digits}f} to {self.high:.{digits}f}, n = {self.n})"


def spread(values: Iterable[float]) -> Spread:
    """The median, least and most of `values`."""
    every = list(values)
    return Spread(statistics.median(every), min(every), max(every), len(every))


def goal(met: bool, wanted: str) -> str:
    """Such as `≥ 85 %: met`."""
    return f"{wanted}: {'met' if met else 'missed'}"


def interleaved(ways: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, list[float]]:
    """What each of `ways` returns in `repeats` rounds A B C, A B C, …, so that a slow minute hits all alike."""
    values: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats):
        for name, way in ways.items():
            values[name].append(way())
            print(f"  round {turn + 1}/{repeats}  {name}: {values[name][-1]:.3f}", file=sys.stderr, flush=True)
    return values


@dataclass(frozen=True)
class Ran:
    """A finished child process.

    Args:
        seconds: from its start to its end, interpreter start-up included.
        peak_bytes: the largest resident set of it or of any child it waited for.
        output: what it printed.
        processor_s: of a core, it and what it waited for; on a machine with other work it says more than seconds.
    """

    seconds: float
    peak_bytes: int
    output: str
    processor_s: float = 0.0


def run(command: list[str | os.PathLike[str]], *, cache: Path | None = None) -> Ran:
    """Run `command` to its end; `cache` is the folder of tellapart's feature cache for it.

    Raises:
        SystemExit: it failed.
    """
    environment = dict(os.environ) | ({"TELLAPART_CACHE_DIR": str(cache)} if cache else {})
    started = time.perf_counter()
    child = subprocess.Popen(
        [os.fspath(part) for part in command],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    output = child.stdout.read() if child.stdout else ""
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} ended with {child.returncode}:\n{output}")
    peak_bytes = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Ran(seconds, peak_bytes, output, usage.ru_utime + usage.ru_stime)


def tellapart(*arguments: str | os.PathLike[str]) -> list[str | os.PathLike[str]]:
    """The command `tellapart` of this environment, as a person would run it."""
    script = Path(sys.executable).parent / "tellapart"
    start = [script] if script.exists() else [sys.executable, "-c", "from tellapart.cli.main import main; main()"]
    return [*start, *arguments]


def hardware() -> str:
    """Such as `Intel(R) Xeon(R) Device, 2 cores, Linux x86_64, Python 3.12.3`."""
    name = platform.processor() or platform.machine()
    if (info := Path("/proc/cpuinfo")).exists():
        lines = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line[:10] == "model name"]
        name = lines[0] if lines else name
    n = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    system = f"{platform.system()} {platform.machine()}"
    return f"{name}, {n} cores, {system}, Python {platform.python_version()}"


def commit() -> str:
    """The commit measured, with `+` where the working tree differs from it."""
    try:
        said = subprocess.run(
            ["git", "describe", "--always", "--dirty=+"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return said.stdout.strip()


def arguments(
    description: str | None, *, repeats: int, more: Callable[[argparse.ArgumentParser], object] | None = None
):
    """The options that every benchmark has: the data folder, --repeats, --quick, --json."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder of photo sets, ../shared/data")
    parser.add_argument("--repeats", type=int, default=repeats, help=f"rounds; {repeats} unless told")
    parser.add_argument("--quick", action="store_true", help="one small round, to see that it works; no number to keep")
    parser.add_argument("--json", type=Path, help="write the rows here")
    if more:
        more(parser)
    options = parser.parse_args()
    if options.quick:
        options.repeats = 1
    return options


def report(options: argparse.Namespace, tables: Mapping[str, list[Row]], **facts: object) -> None:
    """Print every row as one line of JSON, and keep all with the command, the hardware and the date.

    Args:
        options: from `arguments`.
        tables: {title: rows}; a row's keys are its column headings.
        facts: further lines for the record, such as the number of photos.
    """
    _write(options, _record(options, tables, facts))


def report_piece(
    options: argparse.Namespace, pieces: Iterable[str], piece: str, tables: Mapping[str, list[Row]], **facts: object
) -> None:
    """The same of one of the `pieces` of a benchmark; what the record holds of the others is left alone."""
    found = _record(options, tables, facts)
    if options.json:
        record = json.loads(options.json.read_text(encoding="utf-8")) if options.json.exists() else {"pieces": {}}
        known = record["pieces"] | {piece: found}
        _write(options, {"pieces": {name: known[name] for name in pieces if name in known}})


def _record(
    options: argparse.Namespace, tables: Mapping[str, list[Row]], facts: Mapping[str, object]
) -> dict[str, object]:
    for title, rows in tables.items():
        for row in rows:
            print(json.dumps({"table": title, **row}, ensure_ascii=False), flush=True)
    name = Path(sys.argv[0]).name
    flags = [a.partition("=")[0] for a in sys.argv[1:] if a.startswith("--")]
    values = {flag: getattr(options, flag.lstrip("-")) for flag in flags if flag != "--json"}
    values = {flag: " ".join(map(str, v)) if isinstance(v, list) else v for flag, v in values.items()}
    given = [flag if value is True else f"{flag} {value}" for flag, value in values.items()]
    return {
        "command": " ".join(["python", f"benchmarks/{name}", "../shared/data", *given]),
        "hardware": hardware(),
        "load_before": LOAD_BEFORE,
        "measured": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "repeats": options.repeats,
        "quick": options.quick,
        **facts,
        "tables": tables,
    }


def _write(options: argparse.Namespace, record: Mapping[str, object]) -> None:
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


# Processes that wanted a core in the minute before: above about 0.3, the machine was not idle.
LOAD_BEFORE = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None

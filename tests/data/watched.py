"""A child process that scans data sets and tells what each did: what it opened, whom it asked, how it ended.

Standard input: a line of JSON for each case, {"source", "folder", "cwd"}. Standard output: a line of JSON each.
"""

import json
import os
import sys
import sysconfig
from pathlib import Path
from typing import Any

STARTS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork"}
ASKS = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}
seen: list[str] = []
allowed: list[str] = []  # nothing is watched while it is empty


def watch(event: str, args: tuple[Any, ...]) -> None:
    if not allowed:
        return
    if event in STARTS or event in ASKS:
        seen.append(f"{event} {args[1:] if event in ASKS else args}"[:200])
    if event in {"open", "os.listdir", "os.scandir"} and isinstance(args[0], str | bytes):
        path = os.path.abspath(os.fsdecode(args[0]))
        if path == os.getcwd() and event != "open":  # pathlib resolves a relative name
            return
        if not any((path + os.sep).startswith(place) for place in allowed):
            seen.append(f"{event} {path}")


def scan_one(source: str) -> dict[str, Any]:
    """How scanning ended: photos read and failed, with names of classes, or the sentence; else the trace."""
    from tellapart.data.source import scan
    from tellapart.errors import PhotoError, TellapartError

    try:
        dataset = scan(source)
        read, failed = [], []
        for index in range(dataset.n):
            try:
                read.append(dataset.read(index).hex()[:40])
            except PhotoError as error:
                failed.append(error.message)
    except TellapartError as error:
        return {"refused": error.message, "hint": error.hint}
    except BaseException as error:  # noqa: BLE001 - a trace is what must never be seen
        return {"trace": f"{type(error).__name__}: {error}"}
    return {"read": read, "failed": failed, "classes": dataset.class_names}


def main() -> None:
    for case in map(json.loads, sys.stdin):
        os.chdir(case["cwd"])
        own = [case["folder"], os.environ["HF_HOME"], "/proc", "/dev", "/sys", "/etc/localtime", "/usr"]
        own += [sys.prefix, sys.base_prefix, sysconfig.get_path("stdlib"), str(Path(__file__).parents[2] / "src")]
        if case.get("watch", True):
            allowed[:] = [os.path.realpath(place).rstrip(os.sep) + os.sep for place in own if place]
        seen.clear()
        ended = scan_one(case["source"])
        allowed.clear()
        print(json.dumps({**ended, "seen": sorted(set(seen))}), flush=True)


if __name__ == "__main__":
    sys.addaudithook(watch)
    main()

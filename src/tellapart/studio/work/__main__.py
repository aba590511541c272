"""The child of a studio: JSON objects, one a line. What is asked for comes in; how it goes on, and its end, go out.

    in    {"do": "read", …, "heap": [[ID, NAME, PLACE, …], …]}    the heap where it is another than before
    out   {"progress": [STAGE, DONE, TOTAL]}
          {"first": …}                                            of the result what is known before the rest
          {"result": …}  or  {"refused": [MESSAGE, HINT]}         the last one

It ends when nobody can ask it any more.
"""

import json
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from tellapart.errors import TellapartError
from tellapart.studio.work.desk import Desk
from tellapart.studio.work.tasks import TASKS

NICE: Final = 5  # where cores are few, the page and its thumbnails come first
TOLD_EVERY_S: Final = 0.1  # of progress; an event for each photo would keep a page busy


def main() -> None:
    """Do what is asked until the asker is gone."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    if hasattr(os, "nice"):
        os.nice(NICE)
    asked: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, asked), daemon=True).start()
    with Desk(Path(sys.argv[1]), sys.argv[2]) as desk:
        desk.tell_first = lambda part: _say(out, {"first": part})
        while True:
            _say(out, _answer(desk, asked.get(), out))


def _listen(lines: BinaryIO, asked: "queue.SimpleQueue[dict[str, Any]]") -> None:
    try:
        for line in lines:
            asked.put(json.loads(line))
    finally:  # the studio is gone, perhaps killed in the middle of a line: nobody waits for what is being done
        os._exit(0)


def _answer(desk: Desk, asked: Mapping[str, Any], out: BinaryIO) -> dict[str, Any]:
    last, stage_before = 0.0, ""

    def progress(stage: str, done: int, total: int) -> None:
        nonlocal last, stage_before
        now = time.monotonic()
        if stage != stage_before or now - last > TOLD_EVERY_S:
            last, stage_before = now, stage
            _say(out, {"progress": [stage, done, total]})

    try:
        desk.take(asked.get("heap"))
        task = TASKS.get(asked["do"])
        if task is None:
            return {"refused": ["The page asks for work that this version does not know.", "Reload the page."]}
        return {"result": task(desk, asked, progress)}
    except TellapartError as error:
        return {"refused": [error.message, error.hint or ""]}
    except Exception:  # noqa: BLE001  # the next job may go well
        traceback.print_exc()
        return {"refused": ["The studio could not do this: the terminal that it was started in says why.", ""]}


def _say(out: BinaryIO, value: Mapping[str, Any]) -> None:
    out.write(json.dumps(value, separators=(",", ":")).encode() + b"\n")
    out.flush()


if __name__ == "__main__":
    main()

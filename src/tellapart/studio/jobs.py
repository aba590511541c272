"""Work that takes its time, in a child process beside the page: a job at a time, with progress, cancelled at will.

The child (`studio/work/`) stays, so that what it has read is at hand for the next job. A cancelled job is ended by
ending the child: whatever it writes, it writes atomically. It is started again for the next job.
"""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from tellapart.errors import InputError
from tellapart.studio.events import Events
from tellapart.studio.session import Session

CHILD: Final = "tellapart.studio.work"
MAX_LINE_BYTES: Final = 256_000_000  # of what the child says; the answers about 100,000 photos are some 20 MB
KEPT: Final = 20  # jobs whose results can still be asked for
WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"


@dataclass
class Job:
    """One piece of work.

    Attributes:
        number: counted from 1.
        do: which work, a name that `studio/work` knows.
        asked: what belongs to it, as JSON.
        state: waiting, running, done, failed or cancelled.
        stage: what it is at, in words; with `done` of `total` of it.
        result: what it found, once it is done; of a score, the number before that.
        message: why it failed; `hint`: what to do then.
        quiet: not told of: it is over at once, and whoever asked waits.
    """

    number: int
    do: str
    asked: Mapping[str, Any]
    state: str = WAITING
    stage: str = ""
    done: int = 0
    total: int = 0
    result: Any = None
    message: str = ""
    hint: str = ""
    quiet: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def told(self) -> dict[str, Any]:
        """Where it stands, without its result, which may be large."""
        keys = ("number", "do", "state", "stage", "done", "total", "message", "hint")
        return {key: getattr(self, key) for key in keys}


class Jobs:
    """The jobs of one studio.

    Args:
        session: the studio; the child follows its journal.
        events: where it is told how a job goes on.

    Attributes:
        on_first: called with a job that goes on, when part of its result is known.
        on_end: called with each job that has ended, before a page is told.
    """

    def __init__(self, session: Session, events: Events) -> None:
        self._session = session
        self._events = events
        self._jobs: OrderedDict[int, Job] = OrderedDict()
        self._number = 0
        self._turn = asyncio.Lock()
        self._child: Process | None = None
        self._sent: object = None  # the heap that the child knows
        self._tasks: set[asyncio.Task[None]] = set()
        self.on_first: Callable[[Job], None] = lambda job: None
        self.on_end: Callable[[Job], None] = lambda job: None

    def start(self, do: str, asked: Mapping[str, Any] | None = None, *, quiet: bool = False) -> Job:
        """Put a job into the queue; it is told of by events, and `wait` waits for it."""
        self._number += 1
        job = Job(self._number, do, dict(asked or {}), quiet=quiet)
        self._jobs[job.number] = job
        while len(self._jobs) > KEPT and next(iter(self._jobs.values())).ended.is_set():
            self._jobs.popitem(last=False)
        task = asyncio.get_running_loop().create_task(self._run(job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    async def wait(self, job: Job) -> Any:
        """What the job found.

        Raises:
            InputError: it failed, or was cancelled.
        """
        await job.ended.wait()
        if job.state != DONE:
            raise InputError(job.message or "It was cancelled.", hint=job.hint)
        return job.result

    def find(self, number: int) -> Job | None:
        """The job of that number, as long as it is remembered."""
        return self._jobs.get(number)

    def unended(self) -> list[Job]:
        """Jobs that run or wait."""
        return [job for job in self._jobs.values() if not job.ended.is_set() and not job.quiet]

    async def cancel(self, job: Job) -> None:
        """End a job; one that has ended stays as it is."""
        if job.ended.is_set():
            return
        running = job.state == RUNNING
        self._end(job, CANCELLED)
        if running:
            await self._drop_child()

    async def close(self) -> None:
        """End all of them."""
        for job in [*self._jobs.values()]:
            self._end(job, CANCELLED)
        await self._drop_child()
        for task in [*self._tasks]:
            task.cancel()

    async def _run(self, job: Job) -> None:
        async with self._turn:
            if job.ended.is_set():
                return
            job.state = RUNNING
            self._tell(job)
            try:
                await self._ask_child(job)
            except (OSError, ValueError, asyncio.IncompleteReadError):
                await self._drop_child()
                why = "The process that does the work of the studio ended before it was done."
                self._end(job, FAILED, why, "Perhaps the memory was full. Nothing is lost: try again.")

    async def _ask_child(self, job: Job) -> None:
        child = self._child
        if child is None or child.returncode is not None:
            child = await self._start_child()
        heap = self._session.heap
        asked: dict[str, Any] = {**job.asked, "do": job.do}
        if self._sent is not heap:
            asked["heap"] = [list(photo) for photo in heap.photos]
            self._sent = heap
        if child.stdin is None or child.stdout is None:
            raise ValueError  # both are pipes
        child.stdin.write(json.dumps(asked, separators=(",", ":")).encode() + b"\n")
        await child.stdin.drain()
        while not job.ended.is_set():
            said = json.loads(await child.stdout.readuntil(b"\n"))
            if "progress" in said:
                job.stage, job.done, job.total = said["progress"]
                self._tell(job)
            elif "first" in said:
                job.result = said["first"]
                self.on_first(job)
            elif "refused" in said:
                self._end(job, FAILED, *said["refused"])
            else:
                job.result = said["result"]
                self._end(job, DONE)

    async def _start_child(self) -> Process:
        folder, name = str(self._session.folder), self._session.source
        command = [sys.executable, "-m", CHILD, folder, name]
        self._child = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, limit=MAX_LINE_BYTES)
        self._sent = None
        return self._child

    async def _drop_child(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()

    def _end(self, job: Job, state: str, message: str = "", hint: str = "") -> None:
        if not job.ended.is_set():
            job.state, job.message, job.hint = state, message, hint
            job.ended.set()
            self.on_end(job)
            self._tell(job)

    def _tell(self, job: Job) -> None:
        if not job.quiet:
            self._events.publish({"job": job.told()})

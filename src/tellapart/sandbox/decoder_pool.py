"""Photos decoded by other processes, one photo each at a time, replaced when they die.

What a child says is not trusted either: it may have been taken over by a photo. Its answers have a fixed size or are
short texts, and a child that breaks the rules is ended. Why processes, and what they may do: decoding_child.py.
"""

import asyncio
import json
import logging
import os
import re
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from tellapart.data.preprocess import RESIZE_MODES, Preprocess
from tellapart.errors import PhotoError
from tellapart.sandbox import jail
from tellapart.sandbox.decoder import ANSWERED, ASKED, PIXELS, READY, REFUSED, SHAPE, WHOLE

PATIENCE_S: Final = 15.0  # for one photo on a machine that is busy; the child's own limit is in processor time
START_S: Final = 30.0  # for a child to be ready; it takes 0.2 s
RETRY_S: Final = 1.0  # between starts of children that never become ready
MAX_WORDS_BYTES: Final = 2_000
_CHUNK_BYTES: Final = 1 << 18  # sent at a time, so that a photo is not held twice
_TRIM_BYTES: Final = 4 << 20  # free memory that a child keeps; glibc's own rule lets it keep a large photo's 10 MB
_CHILD_ENV: Final = {
    "OPENBLAS_NUM_THREADS": "1",  # it computes no matrices, and Landlock holds for one thread
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_TRIM_THRESHOLD_": str(_TRIM_BYTES),
    "MALLOC_MMAP_THRESHOLD_": str(_TRIM_BYTES),  # else what is left at the heap's top decides whether each photo's
    # pixels are mapped and unmapped, at 1 ms of 3
}
# By path, because an exported Space carries the package beside its app, where `-m` would not look. At the end of the
# list, so that nothing there can stand for a module of Python's own.
_START: Final = (
    f"import sys; sys.path.append({str(Path(__file__).parents[2])!r}); "
    "from tellapart.sandbox.decoder import main; main()"
)
_CODE: Final = re.compile(r"[a-z_]{1,32}")

Photo = bytes | bytearray | memoryview
Charge = Callable[[float], None]  # told the seconds that some work took

log = logging.getLogger("tellapart.server")


class _DiedError(Exception):
    """The child ended, or broke the rules."""


class _Child:
    """One decoding process."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.stdin = cast(asyncio.StreamWriter, process.stdin)
        self.stdout = cast(asyncio.StreamReader, process.stdout)
        self.ready = False
        self.missing: tuple[str, ...] = ()

    @property
    def alive(self) -> bool:
        return self.process.returncode is None and not self.stdout.at_eof()

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            self.process.kill()

    async def wait_ready(self) -> None:
        """Raises _DiedError if it does not get there."""
        try:
            async with asyncio.timeout(START_S):
                status, content = await self._answer(0)
        except TimeoutError as error:
            raise _DiedError from error
        if status != READY:
            raise _DiedError
        self.missing = tuple(json.loads(content))  # it has read no photo yet, so it is believed
        self.ready = True

    async def decode(self, data: Photo, preprocessing: Preprocess) -> NDArray[np.uint8]:
        """Raises PhotoError, or _DiedError."""
        shape = (preprocessing.input_px, preprocessing.input_px, 3)
        content = await self._pixels(data, shape[0], RESIZE_MODES.index(preprocessing.resize_mode), int(np.prod(shape)))
        if len(content) != np.prod(shape):
            raise _DiedError
        return np.frombuffer(content, np.uint8).reshape(shape)

    async def decode_whole(self, data: Photo, longest_px: int) -> NDArray[np.uint8]:
        """Raises PhotoError, or _DiedError."""
        content = await self._pixels(data, longest_px, WHOLE, SHAPE.size + 3 * longest_px**2)
        height_px, width_px = SHAPE.unpack_from(content) if len(content) > SHAPE.size else (0, 0)
        pixels = content[SHAPE.size :]
        if not 0 < max(height_px, width_px) <= longest_px or len(pixels) != 3 * height_px * width_px:
            raise _DiedError
        return np.frombuffer(pixels, np.uint8).reshape(height_px, width_px, 3)

    async def _pixels(self, data: Photo, px: int, fit: int, most_bytes: int) -> bytes:
        """What the child answers when it is asked for pixels; raises PhotoError, or _DiedError."""
        view = memoryview(data)
        try:
            self.stdin.write(ASKED.pack(len(view), px, fit))
            for at in range(0, len(view), _CHUNK_BYTES):
                self.stdin.write(view[at : at + _CHUNK_BYTES])
                await self.stdin.drain()
        except OSError as error:
            raise _DiedError from error
        status, content = await self._answer(most_bytes)
        if status == PIXELS:
            return content
        raise _refusal(content)

    async def _answer(self, n_pixel_bytes: int) -> tuple[int, bytes]:
        try:
            status, n_bytes = ANSWERED.unpack(await self.stdout.readexactly(ANSWERED.size))
            if n_bytes > {PIXELS: n_pixel_bytes, REFUSED: MAX_WORDS_BYTES, READY: MAX_WORDS_BYTES}.get(status, 0):
                raise _DiedError
            return status, await self.stdout.readexactly(n_bytes)
        except (asyncio.IncompleteReadError, OSError) as error:
            raise _DiedError from error


def _refusal(content: bytes) -> PhotoError:
    """The child's reason, if it is one; raises _DiedError otherwise."""
    try:
        said = json.loads(content)
        code, message, hint = str(said["code"]), str(said["message"]), str(said["hint"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _DiedError from error
    if not _CODE.fullmatch(code) or not message.isprintable() or not hint.isprintable():
        raise _DiedError
    return PhotoError(message, code=code, hint=hint)


_Work = Callable[[_Child], Coroutine[Any, Any, NDArray[np.uint8]]]


class DecoderPool:
    """Children that decode, as many as `size`; to be made and used within one event loop."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.n_deaths = 0
        self.missing: tuple[str, ...] = ()  # walls that the jail of a child lacks, in words, once one is ready
        self._children: set[_Child] = set()
        self._idle: asyncio.Queue[_Child] = asyncio.Queue()
        self._tasks: set[asyncio.Task[object]] = set()
        self._keepers: list[asyncio.Task[None]] = []

    @property
    def n_ready(self) -> int:
        """How many children are alive and ready."""
        return sum(child.ready and child.alive for child in self._children)

    def start(self) -> None:
        """Start the children; photos may be given at once, and wait until one is ready."""
        self._keepers = [asyncio.create_task(self._keep_one()) for _ in range(self.size)]

    async def close(self) -> None:
        """End the children."""
        for task in (*self._keepers, *self._tasks):
            task.cancel()
        await asyncio.gather(*self._keepers, *self._tasks, return_exceptions=True)
        for child in self._children:
            child.kill()
        await asyncio.gather(*(child.process.wait() for child in self._children))

    async def decode(self, data: Photo, preprocessing: Preprocess, charge: Charge | None = None) -> NDArray[np.uint8]:
        """The (px, px, 3) uint8 pixels that a network gets for a photo's bytes, in the order of asking.

        Whoever is cancelled while waiting frees the place. A photo that is being decoded is finished all the same,
        because a child cannot be interrupted but by ending it; `charge` is told what that took.

        Raises:
            PhotoError: the photo cannot be read, or decoding it ended the child.
        """
        return await self._next(lambda child: child.decode(data, preprocessing), charge)

    async def decode_whole(self, data: Photo, longest_px: int) -> NDArray[np.uint8]:
        """The (H, W, 3) uint8 pixels of a whole photo for people to look at, neither side above `longest_px`.

        Raises:
            PhotoError: the photo cannot be read, or decoding it ended the child.
        """
        return await self._next(lambda child: child.decode_whole(data, longest_px), None)

    async def _next(self, work: _Work, charge: Charge | None) -> NDArray[np.uint8]:
        """What the next child that is idle makes of it."""
        while not (child := await self._idle.get()).alive:
            pass
        task = asyncio.create_task(self._use(child, work(child), charge))
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return await asyncio.shield(task)

    def _finished(self, task: "asyncio.Task[NDArray[np.uint8]]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever asked may be gone

    async def _use(
        self, child: _Child, work: Coroutine[Any, Any, NDArray[np.uint8]], charge: Charge | None
    ) -> NDArray[np.uint8]:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(PATIENCE_S):
                pixels = await work
        except PhotoError:
            self._idle.put_nowait(child)
            raise
        except (_DiedError, TimeoutError) as error:
            child.kill()
            raise PhotoError(
                "The photo could not be decoded.", code="damaged", hint="Save it again, for instance as a JPEG."
            ) from error
        except BaseException:  # nobody knows what this child will say next
            child.kill()
            raise
        finally:
            if charge:
                charge(time.perf_counter() - started)
        self._idle.put_nowait(child)
        return pixels

    async def _keep_one(self) -> None:
        """Keep one child alive."""
        while True:
            child = await self._start_one()
            try:
                await child.wait_ready()
            except _DiedError:
                child.kill()
            else:
                self.missing = child.missing
                self._idle.put_nowait(child)
            await child.process.wait()
            self._children.discard(child)
            self.n_deaths += 1
            log.warning("A decoding process ended and is replaced.")
            if not child.ready:
                await asyncio.sleep(RETRY_S)

    async def _start_one(self) -> _Child:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-c",
            _START,
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            limit=1 << 20,  # a whole answer
            env=jail.environment(os.environ) | _CHILD_ENV,
            close_fds=False,  # the child does: a process whose memory is hidden may not list what it has open
        )
        child = _Child(process)
        self._children.add(child)
        return child

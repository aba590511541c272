"""One process of the cluster: it holds the compiled network, makes a shard at a time, and gives back numbers."""

import os
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path
from typing import Final, NamedTuple

from tellapart.data.remote.place import Place
from tellapart.errors import TellapartError
from tellapart.shards.work import Begun, Job, Maker

LOOK_S: Final = 1.0  # between two looks at whether another process was quicker
PACKAGES: Final = ("tellapart", "numpy", "openvino", "pillow", "pyarrow")  # the bytes of a shard follow from these
GPU_PACKAGES: Final = ("onnxruntime-gpu", "onnxruntime")  # two names of one library, by which a GPU computes


class Ready(NamedTuple):
    """A worker that can begin.

    Args:
        machine: its name.
        versions: {package: release}, of those that are installed.
    """

    machine: str
    versions: dict[str, str]


class Refused(NamedTuple):
    """A worker that cannot go on, in words.

    Args:
        machine: where it is.
        error: why.
    """

    machine: str
    error: TellapartError


class _QuickerError(Exception):
    """Another process has made the shard."""


class Worker:
    """Calls come one at a time, but for `so_far`, which comes in between.

    Args:
        job: the work.
        begun: what there is to do.
        n_workers: threads.
    """

    def __init__(self, job: Job, begun: Begun, n_workers: int) -> None:
        self._job, self._begun, self._n_workers = job, begun, n_workers
        self._stack = ExitStack()
        self._maker: Maker | None = None
        self._shard, self._n = -1, 0

    def ready(self) -> Ready | Refused:
        """Get everything ready, such as the network, and say what with."""
        try:
            self._opened()
        except TellapartError as error:
            return Refused(socket.gethostname(), error)
        return Ready(socket.gethostname(), versions(on_gpu=self._job.on_gpu))

    def make(self, shard: int) -> bool | Refused:
        """Make a shard, unless it is done; whether this process wrote it."""
        self._shard, self._n = shard, 0
        try:
            maker = self._opened()
            if maker.is_done(shard):
                return False
            maker.make(shard, self._watching(maker.place(shard)))
        except _QuickerError:
            return False
        except TellapartError as error:
            return Refused(socket.gethostname(), error)
        finally:
            self._shard = -1
        return True

    def so_far(self) -> tuple[int, int]:
        """The shard in work, -1 for none, and how many of its photos are done."""
        return self._shard, self._n

    def _watching(self, place: Place) -> Callable[[int], None]:
        """What notes how far a shard is, and ends it where its file has come from elsewhere."""
        before, looked = _state(place), time.monotonic()

        def tell(n: int) -> None:
            nonlocal looked
            self._n = n
            if time.monotonic() - looked >= LOOK_S:
                looked = time.monotonic()
                if _state(place) != before:
                    raise _QuickerError

        return tell

    def _opened(self) -> Maker:
        if self._maker is None:
            self._maker = self._stack.enter_context(self._job.maker(self._begun, self._n_workers))
        return self._maker


def versions(*, on_gpu: bool) -> dict[str, str]:
    """{package: release} of what makes the bytes of a shard; a machine that only deals them out may lack some."""
    releases = {name: _release(name) for name in PACKAGES}
    if on_gpu:
        releases["onnxruntime"] = next(filter(None, map(_release, GPU_PACKAGES)), None)
    return {name: release for name, release in releases.items() if release is not None}


def _release(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def begin(job: Job) -> Begun | Refused:
    """The beginning of a job, in a process of its own: whoever waits need not hold the memory for a list of photos."""
    try:
        return job.begin()
    except TellapartError as error:
        return Refused(socket.gethostname(), error)


def _state(place: Place) -> tuple[int, int] | None:
    """What changes when a file is written anew; elsewhere nothing, for asking costs a request."""
    if not isinstance(place, Path):
        return None
    try:
        said = os.stat(place)
    except OSError:
        return None
    return said.st_ino, said.st_mtime_ns

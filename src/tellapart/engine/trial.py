"""Whether the graph of a stranger's model may run here: tried once in a process with limits, then remembered.

Which graphs passed is remembered in the cache folder by their hash, so that only the first command that names a model
waits for the trial; what was trained here is remembered from the start. docs/decisions/0012 says why it is so.
"""

import hashlib
import json
import os
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tellapart.errors import ArtifactError
from tellapart.sandbox import jail
from tellapart.storage.cache_folder import cache_folder

RULES: Final = 2  # to be raised when the trial asks for more than it did
CPU_S: Final = 20  # of the trial of a small graph; ours take 1 to 3
CPU_S_A_GB: Final = 120  # more for a large one: VGG16, 0.27 GB, takes 4 in all
MEMORY_BYTES: Final = 1_000_000_000  # beyond the start; our bundled ones take 0.5
MEMORY_OF_FILE: Final = 12  # more for each byte of the file; VGG16 takes 6
WAIT: Final = 10  # times the processor seconds, on a busy machine
MOST_REMEMBERED: Final = 1_000  # empty files; those that passed longest ago are forgotten
OUT_OF_SECONDS: Final = (9, 24)  # SIGKILL and SIGXCPU of Linux, which end a process at its limit
PACKAGE: Final = Path(__file__).parents[2]  # where `tellapart` is found
# What the child's engine goes by, beside what any child is given.
ENGINES: Final = ("ONEDNN_", "OMP_", "OPENVINO_", "TBB_", "OPENBLAS_", "NPY_")


def try_graph(model: bytes, model_sha256: str, *, n_classes: int, input_px: int) -> None:
    """Returns when this graph was run, now or earlier, in a process of its own and answered as a classifier does.

    Args:
        model: a serialised graph that `refuse_unsafe` let through.
        model_sha256: its hash.
        n_classes: C, how many probabilities it must give.
        input_px: px, the side of its square input.

    Raises:
        ArtifactError: it ended the process, took too long or too much memory, cannot be run, or answers nonsense.
    """
    with suppress(OSError):  # a cache that this user may not look into knows nothing
        if _place(model_sha256, n_classes, input_px).exists():
            return
    gigabytes = len(model) / 1e9
    cpu_s = CPU_S + int(CPU_S_A_GB * gigabytes)
    limits = {"cpu_s": cpu_s, "memory_bytes": MEMORY_BYTES + MEMORY_OF_FILE * len(model)}
    asked = json.dumps({"n_classes": n_classes, "input_px": input_px, **limits}).encode() + b"\n"
    said = _run(asked + model, WAIT * cpu_s)
    if "message" in said:
        raise ArtifactError(str(said["message"]), hint=str(said["hint"]))
    remember_graph(model_sha256, n_classes=n_classes, input_px=input_px)


def remember_graph(model_sha256: str, *, n_classes: int, input_px: int) -> None:
    """Keep in mind that this graph may run here."""
    place = _place(model_sha256, n_classes, input_px)
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
        by_age = sorted(place.parent.iterdir(), key=lambda path: path.stat().st_mtime)
        for old in by_age[:-MOST_REMEMBERED]:
            old.unlink()


def forget_graphs() -> None:
    """Forget all of them; each is tried again."""
    with suppress(OSError):
        for place in _folder().iterdir():
            place.unlink()


def _folder() -> Path:
    return cache_folder() / "graphs"


def _place(model_sha256: str, n_classes: int, input_px: int) -> Path:
    made_of = f"{RULES} {model_sha256} {n_classes} {input_px} {version('openvino')}"
    return _folder() / hashlib.sha256(made_of.encode()).hexdigest()


def _run(asked: bytes, patience_s: float) -> dict[str, object]:
    """What the child says.

    Raises:
        ArtifactError: it said nothing.
    """
    command = [sys.executable, "-P", "-m", "tellapart.engine.trial_child"]
    environment = jail.environment(os.environ, also=ENGINES)
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(PACKAGE), os.environ.get("PYTHONPATH", ""))))
    environment["MALLOC_ARENA_MAX"] = "2"  # else each thread reserves 64 MB, which count against the limit
    try:
        done = subprocess.run(  # noqa: S603  # this Python and our own module
            command, input=asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment,
            timeout=patience_s, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise _too_slow() from error
    except OSError as error:
        raise _untried() from error
    ready, _, verdict = done.stdout.partition(b"\n")
    if ready != b"READY":
        raise _untried()
    with suppress(ValueError):
        said: dict[str, object] = json.loads(verdict)
        return said
    if -done.returncode in OUT_OF_SECONDS:
        raise _too_slow()
    raise ArtifactError("The model's graph ends the process that runs it.", hint="Do not use this model.")


def _too_slow() -> ArtifactError:
    return ArtifactError("The model's graph takes too long to load.", hint="Do not use this model.")


def _untried() -> ArtifactError:
    return ArtifactError(
        "The model's graph could not be tried in a process of its own.",
        hint="Is there memory for one more? Try again.",
    )

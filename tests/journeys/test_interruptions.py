"""Ctrl-C and kills: the old model or the new one, never a mix, nothing left lying about."""

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

N_MORE_KILLS = 10  # near the end, where the files are written


@pytest.fixture
def many(shared_data: Path, tmp_path: Path) -> Path:
    """Enough photos that reading them takes a while."""
    folder = tmp_path / "photos"
    for name in ("banjo", "drum", "violin", "guitar", "flute"):
        shutil.copytree(shared_data / "instruments" / name, folder / name)
    return folder


@pytest.mark.parametrize("moment", ["numpy", "openvino", "reading photos"])
def test_ctrl_c_says_so_and_leaves_nothing(own_process, many, tmp_path, moment):
    cache = tmp_path / "cache"
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    env = {"TELLAPART_CACHE_DIR": str(cache), "TMPDIR": str(temporary)}
    (tmp_path / "out").mkdir()
    run = own_process.start("train", many, "-o", tmp_path / "out" / "model", env=env, stderr=subprocess.PIPE,
                          stdout=subprocess.PIPE)  # fmt: skip
    if moment == "reading photos":
        wait_for_rows(cache / "features.sqlite-wal", run)
    else:
        wait_for_library(moment, run)
    run.send_signal(signal.SIGINT)
    sent = time.monotonic()
    out, err = run.communicate(timeout=60)
    assert run.returncode == 130, err.decode()
    assert time.monotonic() - sent < 15
    assert err.decode() == "Stopped. No result was written.\n"
    assert out == b""
    assert list((tmp_path / "out").iterdir()) == []
    assert list(temporary.iterdir()) == []


def wait_for_library(name: str, run: "subprocess.Popen[bytes]") -> None:
    """Returns when the first compiled part of a library is mapped, so that its import is under way."""
    maps = Path(f"/proc/{run.pid}/maps")
    wait_until(lambda: f"/{name}/" in maps.read_text(), run, every_s=0.001)


def wait_for_rows(log: Path, run: "subprocess.Popen[bytes]") -> None:
    """Returns when the first features are in the cache, so that the run is in the middle of reading photos."""
    wait_until(lambda: log.exists() and log.stat().st_size > 100_000, run, every_s=0.02)


def wait_until(happened: Callable[[], bool], run: "subprocess.Popen[bytes]", *, every_s: float) -> None:
    """Returns as soon as it has happened; fails where the run ends before."""
    deadline = time.monotonic() + 60
    while not happened():
        assert run.poll() is None
        assert time.monotonic() < deadline
        time.sleep(every_s)


def test_kill_9_at_any_moment_leaves_the_old_or_the_new_model(
    own_process, tellapart, photos, trained, model, snapshot, thorough
):
    """Kills land from the first import to the last rename; the photos are in the cache, so a run is short."""
    before = snapshot(model)["model.onnx"]
    command = ["train", photos, "-o", model, "--quality", "fast", "--seed", "5", "--force"]
    started = time.monotonic()
    own_process.works(*command)
    whole_s = time.monotonic() - started
    after = snapshot(model)["model.onnx"]
    assert before != after
    ask = photos / "drum" / "0005.jpg"
    moments = [whole_s * share for share in (0.2, 0.6, 0.9, 1.0)]  # imports, fitting, writing, the last rename
    if thorough:
        random.seed(0)
        moments += [whole_s * (0.8 + 0.3 * random.random()) for _ in range(N_MORE_KILLS)]
    from tellapart.model.artifact import load_artifact

    for moment in moments:
        shutil.rmtree(model)
        shutil.copytree(trained, model)
        run = own_process.start(*command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(moment)
        run.send_signal(signal.SIGKILL)
        run.wait(30)
        assert load_artifact(model).model in (before, after)
    tellapart.works("predict", model, ask)
    tellapart.works(*command)
    assert snapshot(model)["model.onnx"] == after
    assert not [name for name in os.listdir(model.parent) if name.endswith("previous")]

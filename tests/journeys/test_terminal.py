"""Bars for people at a terminal, silence for everything else."""

import fcntl
import os
import pty
import select
import shutil
import struct
import subprocess
import termios
import time
from pathlib import Path

import pytest


def at_a_terminal(own_process, *args: object, **env: str) -> str:
    """Everything that a person sees on an 80-column terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    run = own_process.start(*args, stdin=theirs, stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    seen, deadline = b"", time.monotonic() + 120
    while time.monotonic() < deadline:
        ready, _, _ = select.select([ours], [], [], 0.2)
        if ready:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # how Linux says that the other end is closed
                break
            if not chunk:
                break
            seen += chunk
    os.close(ours)
    assert run.wait(30) == 0, seen.decode()
    return seen.decode()


@pytest.fixture
def many(shared_data: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for name in ("banjo", "drum", "violin"):
        shutil.copytree(shared_data / "instruments" / name, folder / name)
    return folder


def test_a_terminal_shows_bars_with_rate_and_time_left(own_process, many, tmp_path):
    seen = at_a_terminal(own_process, "train", many, "-o", tmp_path / "model", "--quality", "fast",
                         TELLAPART_CACHE_DIR=str(tmp_path / "cache"))  # fmt: skip
    assert "Reading photos:" in seen
    assert "photos/s" in seen
    assert "<" in seen  # time left
    last = seen.rsplit("\r", 1)[-1]
    assert "Reading photos" not in last  # bars vanish when they are done
    assert "test photos right" in seen


@pytest.mark.thorough  # a terminal is the harder half, above
def test_a_pipe_shows_none(own_process, photos, tmp_path):
    said = own_process.works("train", photos, "-o", tmp_path / "model", "--quality", "fast",
                           TELLAPART_CACHE_DIR=str(tmp_path / "cache"))  # fmt: skip
    assert "\r" not in said
    assert "\x1b" not in said


def test_a_reader_that_has_seen_enough_is_no_error(own_process, trained, photos):
    command = ("predict", trained, *[photos] * 40, "--json")
    with own_process.start(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        run.stdout.readline()
        run.stdout.close()
        assert run.stderr.read() == b""
        assert run.wait(60) == 0

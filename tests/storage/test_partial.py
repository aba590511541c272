"""What was being written when its process died is swept at the next write; what a living one makes stays."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tellapart.storage.atomic import write_file, write_folder
from tellapart.storage.partial import DAY_S, beside, partial_file, partial_folder, sweep

WRITER = """
import sys, time
from pathlib import Path
from tellapart.storage.partial import partial_file, partial_folder
target = Path(sys.argv[1])
with partial_folder(target) as folder, partial_file(target, 0o666) as file:
    (folder / "model.onnx").write_bytes(b"half")
    print(folder.name, file.name, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def start_writer():
    """Starts processes that are in the middle of a write, and ends those that still are."""
    children = []

    def start(target):
        child = subprocess.Popen([sys.executable, "-c", WRITER, str(target)], stdout=subprocess.PIPE, text=True)
        children.append(child)
        return child, child.stdout.readline().split()

    yield start
    for child in children:
        child.kill()
        child.wait()
        child.stdout.close()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("other", ["model", "another"])
def test_what_a_kill_left_goes_at_the_next_write_of_any_name(tmp_path, start_writer, other):
    killed, left = start_writer(tmp_path / "model")
    living, kept = start_writer(tmp_path / "model")
    stopped, kept_too = start_writer(tmp_path / "model")
    stopped.send_signal(signal.SIGSTOP)
    killed.kill()
    killed.wait()
    assert names(tmp_path) == {*left, *kept, *kept_too}
    write_folder(tmp_path / other, {"a": b"1"})
    assert names(tmp_path) == {*kept, *kept_too, other}
    living.kill()
    living.wait()
    write_file(tmp_path / "page.html", b"")
    assert names(tmp_path) == {*kept_too, other, "page.html"}


def test_writes_of_this_process_at_the_same_time_stay(tmp_path):
    with partial_folder(tmp_path / "a") as one, partial_file(tmp_path / "a", 0o666) as two:
        sweep(tmp_path / "a")
        assert one.is_dir()
        assert two.is_file()
    assert names(tmp_path) == set()


def test_sweeps_of_others_take_nothing_that_is_just_being_made(tmp_path):
    """Each write sweeps the folder first: between making a partial and holding it, another's sweep may come."""
    failures, done = [], threading.Event()

    def sweeping():
        while not done.is_set():
            sweep(tmp_path / "a")

    def writing(name):
        try:
            for n in range(300):
                with partial_file(tmp_path / name, 0o666) as path:
                    path.write_bytes(b"%d" % n)
                    path.replace(tmp_path / name)
        except BaseException as error:  # noqa: BLE001  # whatever it is, the test shows it
            failures.append(error)

    sweepers = [threading.Thread(target=sweeping) for _ in range(2)]
    writers = [threading.Thread(target=writing, args=(name,)) for name in ("one", "two")]
    for thread in (*sweepers, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in sweepers:
        thread.join()
    assert failures == []
    assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == {"one": b"299", "two": b"299"}


def test_what_former_releases_left_goes_once_it_is_old(tmp_path):
    (tmp_path / ".model.partial-abcd_123").mkdir()
    (tmp_path / ".model.partial-abcd_123" / "x").write_bytes(b"")
    sweep(tmp_path / "model")
    assert names(tmp_path) == {".model.partial-abcd_123"}
    os.utime(tmp_path / ".model.partial-abcd_123", (time.time() - DAY_S,) * 2)
    sweep(tmp_path / "mode")
    assert names(tmp_path) == {".model.partial-abcd_123"}
    sweep(tmp_path / "model")
    assert names(tmp_path) == set()


def test_what_is_not_ours_stays(tmp_path):
    for name in (".a.partial-tellapart-0123456g", "a.partial-tellapart-01234567", ".a.partial", ".partial-01234567"):
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (0, 0))
    (tmp_path / ".a.partial-tellapart-01234567").symlink_to("a.partial-tellapart-01234567")
    os.mkfifo(tmp_path / ".b.partial-tellapart-01234567")
    before = names(tmp_path)
    sweep(tmp_path / "a")
    assert names(tmp_path) == before


@pytest.mark.parametrize("name", ["m" * 255, "é" * 127, "猫" * 85])
def test_the_longest_names_can_be_written(tmp_path, name):
    for content in (b"one", b"two"):
        write_folder(tmp_path / name, {"a": content})
        assert (tmp_path / name / "a").read_bytes() == content
    write_file(tmp_path / name[:-1], b"three")
    assert (tmp_path / name[:-1]).read_bytes() == b"three"
    assert beside(tmp_path / name, ".previous") != beside(tmp_path / name[:-1], ".previous")
    assert len(names(tmp_path)) == 2

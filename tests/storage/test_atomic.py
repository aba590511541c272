"""The old folder or the new one, whatever happens in between."""

import builtins
import errno
import io
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from tellapart.errors import InputError
from tellapart.storage import atomic
from tellapart.storage.atomic import restore, write_file, write_folder

NAMES = ("manifest.json", "model.onnx", "README.md", "examples/1.jpg", "examples/2.jpg")


def version(number, n_bytes=2000):
    return {name: f"{number} {name} ".encode() * (n_bytes // 20) for name in NAMES}


def content(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def which(folder):
    """The number of the version that the folder holds as a whole; fails on a mix."""
    restore(folder)
    found = content(folder)
    number = int(found["model.onnx"].split()[0])
    assert found == version(number)
    return number


def leftovers(folder):
    return sorted(p.name for p in folder.parent.iterdir() if p.name != folder.name)


@pytest.fixture
def target(tmp_path):
    return tmp_path / "place" / "model"


def test_a_folder_is_replaced_as_a_whole(target):
    write_folder(target, version(1) | {"extra.txt": b"of the first version"})
    write_folder(target, version(2))
    assert content(target) == version(2)
    assert leftovers(target) == []
    assert target.stat().st_mode & 0o777 == 0o755


def test_a_file_is_replaced_as_a_whole(target):
    write_file(target, b"one")
    write_file(target, b"two")
    assert target.read_bytes() == b"two"
    assert leftovers(target) == []
    assert target.stat().st_mode & 0o777 == 0o644


WRITER = """
    import sys
    from pathlib import Path
    from tellapart.storage.atomic import write_folder
    NAMES = {names}
    def version(number, n_bytes=2000):
        return {{name: f"{{number}} {{name}} ".encode() * (n_bytes // 20) for name in NAMES}}
    print("started", flush=True)
    number = int(sys.argv[2])
    while True:
        number += 1
        write_folder(Path(sys.argv[1]), version(number))
"""


def start_writer(target, number):
    code = textwrap.dedent(WRITER.format(names=NAMES))
    child = subprocess.Popen([sys.executable, "-c", code, str(target), str(number)], stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"started\n"
    return child


def test_a_kill_at_any_moment_leaves_the_old_or_the_new(target):
    write_folder(target, version(0))
    rng = random.Random(0)
    last = 0
    for _ in range(20):
        child = start_writer(target, last)
        time.sleep(rng.uniform(0, 0.08))
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        child.stdout.close()
        number = which(target)
        assert number >= last
        last = number
    assert last >= 3  # or it never wrote at all
    write_folder(target, version(1))
    assert which(target) == 1


@pytest.mark.slow
def test_a_reader_sees_whole_folders_while_another_process_replaces_them(target):
    """A reader that looks between two renames must neither fail nor make the writer fail."""
    write_folder(target, version(0))
    child = start_writer(target, 0)
    seen, until = set(), time.monotonic() + 1.5
    while time.monotonic() < until:
        restore(target)
        try:
            seen.add(int((target / "model.onnx").read_bytes().split()[0]))
        except FileNotFoundError:
            continue  # between two renames
    assert child.poll() is None  # still writing
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert len(seen) > 3


class Failing:
    """Lets the n-th call of the operations that write fail."""

    def __init__(self, monkeypatch, n, code):
        self.n, self.code, self.calls = n, code, []
        for owner, name in (
            (os, "open"),
            (os, "fsync"),
            (os, "rename"),
            (os, "replace"),
            (os, "mkdir"),
            (os, "chmod"),
            (io, "open"),
            (builtins, "open"),
        ):
            self.wrap(monkeypatch, owner, name)

    def wrap(self, monkeypatch, owner, name):
        real = getattr(owner, name)

        def call(*args, **kwargs):
            self.calls.append(name)
            if len(self.calls) == self.n:
                raise OSError(self.code, os.strerror(self.code))
            return real(*args, **kwargs)

        monkeypatch.setattr(owner, name, call)


def fail_at_each_call(work, check, monkeypatch, code=errno.ENOSPC):
    """Run `work` with the n-th call failing, n = 1, 2, … until nothing fails; returns all calls of the last run."""
    for n in range(1, 200):
        with monkeypatch.context() as patch:
            failing = Failing(patch, n, code)
            try:
                work()
                failed = False
            except InputError as error:
                failed = error
        check(failed)
        if len(failing.calls) < n:
            assert not failed
            return failing.calls
    raise AssertionError("it never succeeded")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES])
def test_a_failure_at_any_call_leaves_the_old_or_the_new_folder(target, monkeypatch, code):
    write_folder(target, version(1))

    def check(failed):
        number = which(target)
        assert number == 2 or failed
        if failed:
            assert failed.message == f"'{target}' cannot be written: {os.strerror(code).lower()}."
        assert not [name for name in leftovers(target) if "partial" in name]
        if number == 2:
            write_folder(target, version(1))

    calls = fail_at_each_call(lambda: write_folder(target, version(2)), check, monkeypatch, code)
    assert calls.count("fsync") >= len(NAMES) + 3
    assert calls.count("rename") == 2


def test_a_failure_at_any_call_of_a_first_write_leaves_nothing_or_all(target, monkeypatch):
    def check(failed):
        if not target.exists():
            assert failed
            return
        assert which(target) == 2
        write_folder(target, {})
        target.rmdir()

    fail_at_each_call(lambda: write_folder(target, version(2)), check, monkeypatch)


def test_a_failure_at_any_call_leaves_the_old_or_the_new_file(target, monkeypatch):
    write_file(target, b"old")

    def check(failed):
        found = target.read_bytes()
        assert found == b"new" or (failed and found == b"old")
        assert leftovers(target) == []
        if found == b"new":
            write_file(target, b"old")

    calls = fail_at_each_call(lambda: write_file(target, b"new"), check, monkeypatch)
    assert calls.count("fsync") == 2


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_other_exceptions_pass_and_leave_the_old_folder(target, monkeypatch, error):
    write_folder(target, version(1))
    real = os.fsync

    def raising(handle, calls=[]):  # noqa: B006  # counts its calls
        calls.append(handle)
        if len(calls) == 3:
            raise error
        return real(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", raising)
        with pytest.raises(error):
            write_folder(target, version(2))
    assert which(target) == 1
    assert leftovers(target) == []


def test_everything_is_on_disk_before_it_gets_its_name(target, monkeypatch):
    """Files, then every folder that holds one, then the renames, then the folder above."""
    write_folder(target, version(1))
    events = []
    real_sync, real_rename = os.fsync, os.rename
    monkeypatch.setattr(
        os, "fsync", lambda h: events.append(("sync", os.readlink(f"/proc/self/fd/{h}"))) or real_sync(h)
    )
    monkeypatch.setattr(os, "rename", lambda a, b: events.append(("rename", str(b))) or real_rename(a, b))
    write_folder(target, version(2))
    renames = [i for i, (kind, _) in enumerate(events) if kind == "rename"]
    synced = [path for _, path in events[: renames[0]]]
    partial = os.path.commonpath(synced)
    assert set(synced) == {partial, f"{partial}/examples", *(f"{partial}/{name}" for name in NAMES)}
    assert synced.index(partial) > max(synced.index(f"{partial}/{name}") for name in NAMES)
    assert events[renames[-1]] == ("rename", str(target))
    assert ("sync", str(target.parent)) in events[renames[-1] :]


def test_a_replacement_killed_between_two_renames_is_undone(target):
    write_folder(target, version(1))
    target.rename(target.parent / ".model.previous")
    restore(target)
    assert which(target) == 1
    restore(target)
    assert which(target) == 1
    assert leftovers(target) == []


def test_what_an_earlier_kill_left_is_no_obstacle(target):
    write_folder(target, version(1))
    (target.parent / ".model.previous").mkdir()
    (target.parent / ".model.previous" / "half").write_bytes(b"")
    write_folder(target, version(2))
    assert which(target) == 2
    assert leftovers(target) == []


def test_a_place_below_a_file_cannot_be_written(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for write in (lambda t: write_folder(t, version(1)), lambda t: write_file(t, b"x")):
        with pytest.raises(InputError) as caught:
            write(tmp_path / "file" / "model")
        assert caught.value.message.startswith(f"'{tmp_path}/file/model' cannot be written: ")
    assert (tmp_path / "file").read_bytes() == b""


def test_two_writers_leave_one_of_their_versions(target):
    failures = []

    def work(number):
        for _ in range(10):
            try:
                write_folder(target, version(number))
            except InputError:
                pass  # the other was in the way; nothing is mixed
            except BaseException as error:  # noqa: BLE001  # whatever it is, the test shows it
                failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert which(target) in (1, 2)


def test_relative_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_folder(Path("model"), version(3))
    assert which(tmp_path / "model") == 3
    write_file(Path("answers.csv"), b"a")
    assert atomic.restore(Path()) is None

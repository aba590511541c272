"""The old folder or the new one, whatever happens in between."""

import builtins
import errno
import io
import os
import random
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from tellapart.errors import InputError
from tellapart.storage import atomic
from tellapart.storage.atomic import refuse_unwritable, refuse_unwritable_file, restore, write_file, write_folder

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


def umask():
    now = os.umask(0)
    os.umask(now)
    return now


@pytest.fixture
def target(tmp_path):
    return tmp_path / "place" / "model"


def test_a_folder_is_replaced_as_a_whole(target):
    write_folder(target, version(1) | {"extra.txt": b"of the first version"})
    write_folder(target, version(2))
    assert content(target) == version(2)
    assert leftovers(target) == []
    assert target.stat().st_mode & 0o777 == 0o777 & ~umask()


def test_a_file_is_replaced_as_a_whole(target):
    write_file(target, b"one")
    write_file(target, b"two")
    assert target.read_bytes() == b"two"
    assert leftovers(target) == []
    assert target.stat().st_mode & 0o777 == 0o666 & ~umask()


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


@pytest.mark.parametrize("mask", [0o002, 0o022, 0o077])
def test_what_is_new_honours_the_umask_and_what_was_there_keeps_its_mode(target, mask):
    before = os.umask(mask)
    try:
        page = target.parent / "page.html"
        for content_now in (b"one", b"two"):
            write_file(page, content_now)
            write_folder(target, version(1))
            assert page.stat().st_mode & 0o777 == 0o666 & ~mask
            assert target.stat().st_mode & 0o777 == 0o777 & ~mask
            assert (target / "model.onnx").stat().st_mode & 0o777 == 0o666 & ~mask
        page.chmod(0o640)
        target.chmod(0o750)
        (target / "model.onnx").chmod(0o604)
        write_file(page, b"three")
        write_folder(target, version(2))
    finally:
        os.umask(before)
    assert page.stat().st_mode & 0o777 == 0o640
    assert target.stat().st_mode & 0o777 == 0o750
    assert (target / "model.onnx").stat().st_mode & 0o777 == 0o604


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives a file to another")
def test_what_is_replaced_keeps_its_owner(target):
    for write in (lambda: write_file(target, b"x"), lambda: write_folder(target, version(1))):
        write()
        os.chown(target, 12345, 23456)
        write()
        assert (target.stat().st_uid, target.stat().st_gid) == (12345, 23456)
        target.unlink() if target.is_file() else None


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path):
    (tmp_path / "real.csv").write_bytes(b"old")
    (tmp_path / "link.csv").symlink_to("real.csv")
    (tmp_path / "two.csv").symlink_to("link.csv")
    (tmp_path / "new.csv").symlink_to("made.csv")
    refuse_unwritable_file(tmp_path / "two.csv")
    write_file(tmp_path / "two.csv", b"new")
    write_file(tmp_path / "new.csv", b"first")
    assert [os.readlink(tmp_path / name) for name in ("link.csv", "two.csv", "new.csv")] == [
        "real.csv", "link.csv", "made.csv",
    ]  # fmt: skip
    assert (tmp_path / "real.csv").read_bytes() == b"new"
    assert (tmp_path / "made.csv").read_bytes() == b"first"


def test_a_linked_folder_stays_a_link_and_its_target_is_replaced(tmp_path):
    write_folder(tmp_path / "model-1", version(1))
    (tmp_path / "latest").symlink_to("model-1")
    refuse_unwritable(tmp_path / "latest", force=True, ours=frozenset({*NAMES, "examples"}))
    write_folder(tmp_path / "latest", version(2))
    assert os.readlink(tmp_path / "latest") == "model-1"
    assert which(tmp_path / "model-1") == 2
    (tmp_path / "model-1").rename(tmp_path / ".model-1.previous")  # as a kill between two renames leaves it
    restore(tmp_path / "latest")
    assert which(tmp_path / "latest") == 2


def test_links_in_a_circle_get_a_sentence(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for write in (refuse_unwritable_file, lambda t: write_file(t, b"x")):
        with pytest.raises(InputError, match=r"a' cannot be written: too many levels of symbolic links\."):
            write(tmp_path / "a")


def test_a_pipe_is_written_into(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    heard = []
    reader = threading.Thread(target=lambda: heard.append(pipe.read_bytes()))
    reader.start()
    refuse_unwritable_file(pipe)
    write_file(pipe, b"answers" * 20_000)
    reader.join()
    assert heard == [b"answers" * 20_000]
    assert pipe.is_fifo()


def test_a_device_is_written_into_and_a_disk_or_socket_is_not(tmp_path):
    null = os.stat("/dev/null")
    refuse_unwritable_file(Path("/dev/null"))
    write_file(Path("/dev/null"), b"x")
    assert os.stat("/dev/null").st_rdev == null.st_rdev
    assert Path("/dev/null").is_char_device()
    with pytest.raises(InputError, match=r"'/dev/full' cannot be written: no space left on device\."):
        write_file(Path("/dev/full"), b"x")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "s"))
    with listening:
        for write in (refuse_unwritable_file, lambda t: write_file(t, b"x")):
            with pytest.raises(InputError, match=r"s' is a socket, which no file is written to\."):
                write(tmp_path / "s")


OWN_OUTPUT = """
import sys
from pathlib import Path
from tellapart.storage.atomic import refuse_unwritable_file, write_file
print("before")
refuse_unwritable_file(Path(sys.argv[1]))
write_file(Path(sys.argv[1]), b"answers\\n")
print("after")
"""


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "out.txt"])
def test_our_own_output_goes_on_whatever_name_it_has(tmp_path, name):
    """Also where a shell has sent it to a file: replaced, that would hold nothing of what is printed later."""
    command = [sys.executable, "-c", OWN_OUTPUT.replace("\\\\", "\\"), name]
    with (tmp_path / "out.txt").open("wb") as out:
        subprocess.run(command, stdout=out, cwd=tmp_path, check=True)
    assert (tmp_path / "out.txt").read_text() == "before\nanswers\nafter\n"
    if name != "out.txt":
        assert subprocess.run(command, capture_output=True, check=True).stdout == b"before\nanswers\nafter\n"


def test_a_dash_is_no_folder():
    with pytest.raises(InputError, match=r"'-' is not a name for a new folder\."):
        refuse_unwritable(Path("-"), force=True)

"""The jail that photos are decoded in, seen from inside by code that took over, and its filter, step by step."""

import asyncio
import ctypes
import json
import os
import platform
import runpy
import signal
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tellapart.data import photo
from tellapart.data.preprocess import Preprocess, preprocess
from tellapart.errors import PhotoError
from tellapart.sandbox import jail, seccomp
from tellapart.sandbox.decoder_pool import DecoderPool
from tellapart.server.predict_api.self_test import self_test_photo

PREPROCESSING = Preprocess(64)
if sys.platform != "linux":
    pytest.skip("only Linux has these walls", allow_module_level=True)
HOSTILE = Path(__file__).with_name("hostile_codec.py")
DEEDS, NOBODY, ORDER = (runpy.run_path(str(HOSTILE))[name] for name in ("DEEDS", "NOBODY", "ORDER"))
filtered = pytest.mark.skipif(
    platform.machine() not in seccomp.AUDIT_ARCH, reason="no filter of system calls is written for this processor"
)
NOTHING = ("EPERM", "ENOSYS")  # said to everybody: the kernel lacks it, or this user may not


@contextmanager
def hostile(mode, uid):
    process = subprocess.Popen(
        [sys.executable, str(HOSTILE), mode, str(uid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        text=True,
    )

    def ask(order):
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    with process:
        yield process, ask
        process.stdin.close()


@contextmanager
def victim(uid, folder, mode="victim"):
    """A process of the same user with a secret, as the server is one; it must still have it at the end."""
    with hostile(mode, uid) as (process, ask):
        yield {**json.loads(process.stdout.readline()), "folder": str(folder)}, ask


def all_deeds(mode, uid, folder):
    with victim(uid, folder) as (seen, _), hostile(mode, uid) as (_, ask):
        return ask({"deed": "all", "victim": seen})


@pytest.fixture(scope="module")
def taken(tmp_path_factory):
    """A real pool with a real child whose codec was taken over before it read its first photo, and what it did."""
    folder = tmp_path_factory.mktemp("taken")
    (folder / "sitecustomize.py").write_text("import hostile_codec\nhostile_codec.infect()\n")
    with pytest.MonkeyPatch.context() as patched, victim(os.getuid(), folder) as (seen, still):
        old = os.environ.get("PYTHONPATH")
        patched.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(folder), str(HOSTILE.parent), old))))
        patched.setenv("HF_TOKEN", "hf_secret")
        patched.setenv("HTTPS_PROXY", "https://user:password@proxy.example.org")
        yield asyncio.run(_take_over(seen, still))


async def _take_over(seen, still):
    pool = DecoderPool(1)
    pool.start()

    async def order(**order):
        with pytest.raises(PhotoError) as said:
            await pool.decode(ORDER + json.dumps(order).encode(), PREPROCESSING)
        return json.loads(said.value.message) if said.value.code == "obeyed" else said.value.code

    try:
        return {
            "deeds": await order(deed="all", victim=seen),
            "sweep": await order(deed="sweep", allowed=_not_swept()),
            "environment": await order(deed="environment"),
            "pixels": await pool.decode(self_test_photo(), PREPROCESSING),
            "deaths": pool.n_deaths,
            "secret": still(""),
            "missing": pool.missing,
        }
    finally:
        await pool.close()


def _not_swept():
    """What is allowed, and two of x86-64 that the kernel answers before any filter, by ending whoever is no probe."""
    column = list(seccomp.AUDIT_ARCH).index(platform.machine())
    return [*(numbers[column] for numbers in (*seccomp.ALLOWED.values(), seccomp.CLONE3)), 335, 336]


@pytest.fixture(scope="module")
def free(tmp_path_factory):
    """What the same code does without a jail."""
    return all_deeds("free", os.getuid(), tmp_path_factory.mktemp("free"))["said"]


@pytest.fixture(scope="module")
def nobodies(tmp_path_factory):
    """The same two for an ordinary user, as in most containers."""
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    free, jailed = (all_deeds(mode, NOBODY, tmp_path_factory.mktemp(mode)) for mode in ("free", "jailed"))
    return free["said"], jailed


def assert_refused(deed, jailed, free):
    assert jailed in (NOTHING if deed == "clone3" else ("EPERM",))
    if free in NOTHING:
        pytest.skip(f"refused without a jail too, on this kernel and to this user: {free}")


@filtered
@pytest.mark.parametrize("deed", DEEDS)
def test_a_codec_that_was_taken_over_can_do_nothing(deed, taken, free):
    assert_refused(deed, taken["deeds"][deed], free[deed])


@filtered
@pytest.mark.parametrize("deed", DEEDS)
def test_nor_can_one_of_an_ordinary_user(deed, nobodies):
    free, jailed = nobodies
    assert_refused(deed, jailed["said"][deed], free[deed])


@filtered
def test_every_other_call_is_refused(taken):
    assert taken["sweep"] == []


@filtered
def test_nothing_changed(taken):
    assert taken["secret"] is True
    assert taken["deaths"] == 0
    assert np.array_equal(
        taken["pixels"],
        preprocess(photo.decode(self_test_photo(), min_side_px=PREPROCESSING.min_side_px), PREPROCESSING),
    )


@filtered
@pytest.mark.skipif(platform.machine() != "x86_64", reason="this processor has one kind of program")
@pytest.mark.parametrize("deed", ["x32", "int 0x80"])
def test_calls_of_another_kind_of_program_end_the_process(deed):
    for mode, ended in (("free", 0), ("jailed", -signal.SIGSYS)):
        done = subprocess.run(
            [sys.executable, HOSTILE, mode, str(os.getuid())],
            input=json.dumps({"deed": deed}).encode(),
            capture_output=True,
            check=False,
        )
        assert done.returncode == ended


def test_a_child_knows_no_secret(taken):
    assert "PATH" in taken["environment"]
    assert {"HF_TOKEN", "HTTPS_PROXY"}.isdisjoint(taken["environment"])
    assert set(taken["environment"]) <= jail.ENVIRONMENT | {
        *("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"),
        *("MALLOC_ARENA_MAX", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"),
        "LC_CTYPE",  # Python's own, where no language is set
    }


@pytest.mark.parametrize("hidden", [False, True])
def test_a_hidden_process_cannot_be_read_by_others_of_its_user(hidden, tmp_path):
    """The server hides its memory; another process of its user is refused even without a jail."""
    uid = NOBODY if os.getuid() == 0 else os.getuid()
    with victim(uid, tmp_path, "hidden" if hidden else "victim") as (seen, _), hostile("free", uid) as (_, ask):
        said = ask({"deed": "all", "victim": seen})["said"]
    deeds = ("read the victim's memory", "write the victim's memory", "ptrace", "the victim's memory as a file")
    if not hidden and any(said[deed] != "done" for deed in deeds):
        pytest.skip(f"this kernel refuses it for every process: {[said[deed] for deed in deeds]}")
    assert [said[deed] for deed in deeds] == (["EPERM", "EPERM", "EPERM", "EACCES"] if hidden else ["done"] * 4)


def test_a_jail_says_what_it_lacks(nobodies):
    _, jailed = nobodies
    abi = ctypes.CDLL(None).syscall(444, None, 0, 1)
    assert jailed["missing"] == ([] if abi > 0 else ["the kernel has no Landlock"])


def test_without_a_filter_no_process_is_started_and_it_says_so():
    """As on a processor that the filter is not written for."""
    script = """
        import os, platform
        from tellapart.sandbox import decoder
        platform.machine = lambda: "riscv64"
        if os.getuid() == 0:
            os.setgroups([]), os.setgid(65534), os.setuid(65534)
        print(decoder._lock_up()[0], flush=True)
        try:
            os.fork()
        except OSError as error:
            print(type(error).__name__)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    lacks = "no filter of system calls is written for this processor (riscv64), and HEIC is refused"
    assert done.stdout.splitlines() == [lacks, "BlockingIOError"]


def test_what_is_said():
    everything = "can open no file, reach no network, start no program and touch no other process"
    assert jail.describe(()) == f"Photos are decoded in processes that {everything}."
    said = "The processes that photos are decoded in lack walls here: the kernel has no Landlock; so."
    assert jail.describe(("the kernel has no Landlock", "so")) == said

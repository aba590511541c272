"""Decoding in other processes: the same pixels, and nothing that a photo does there reaches us."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.data import photo
from tellapart.data.preprocess import Preprocess, preprocess
from tellapart.errors import PhotoError
from tellapart.sandbox import decoder_pool as decoding
from tellapart.sandbox.decoder import ANSWERED, ASKED, PIXELS, READY, REFUSED
from tellapart.sandbox.decoder_pool import DecoderPool
from tellapart.server.predict_api.self_test import self_test_photo

PREPROCESSING = Preprocess(64)
FORMATS = {
    "JPEG": {"progressive": True},
    "PNG": {},
    "WEBP": {"quality": 50},
    "GIF": {},
    "BMP": {},
    "TIFF": {"compression": "tiff_adobe_deflate"},
    "AVIF": {"speed": 10},
}
linux = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the kernel is not Linux")


def here(data, preprocessing):
    return preprocess(photo.decode(data, min_side_px=preprocessing.min_side_px), preprocessing)


def with_pool(size, test):
    async def go():
        pool = DecoderPool(size)
        pool.start()
        try:
            return await test(pool)
        finally:
            await pool.close()

    return asyncio.run(go())


async def until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


def pids(pool):
    return {child.process.pid for child in pool._children if child.alive and child.ready}


def test_the_same_pixels_in_the_order_of_asking(shared_data):
    files = sorted((shared_data / "clothing" / "test").rglob("*.jpg"))[:20]
    data = [self_test_photo(), *[path.read_bytes() for path in files]]

    async def ask(pool):
        return await asyncio.gather(
            *(
                pool.decode(d, preprocessing)
                for d in data
                for preprocessing in (PREPROCESSING, Preprocess(96, "squash"))
            )
        )

    got = with_pool(2, ask)
    expected = [here(d, preprocessing) for d in data for preprocessing in (PREPROCESSING, Preprocess(96, "squash"))]
    assert all(np.array_equal(a, b) for a, b in zip(got, expected, strict=True))


@pytest.mark.thorough
def test_the_same_pixels_of_every_format(shared_data):
    """In the jail too: large photos, and HEIC, whose codec starts a thread for each."""
    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    image = Image.fromarray(noise).resize((1600, 1200))
    data = [path.read_bytes() for path in sorted((shared_data / "hostile" / "libheif").glob("colors*.heic"))]
    for kind, options in FORMATS.items():
        buffer = BytesIO()
        image.save(buffer, kind, **options)
        data.append(buffer.getvalue())

    async def ask(pool):
        got = [await pool.decode(d, PREPROCESSING) for d in data * 2]
        assert pool.n_deaths == 0
        return got

    assert len(data) == len(FORMATS) + 2
    for got, expected in zip(with_pool(1, ask), [here(d, PREPROCESSING) for d in data] * 2, strict=True):
        assert np.array_equal(got, expected)


def test_the_same_refusal():
    async def ask(pool):
        for data in (b"", b"no photo", self_test_photo()[:2000]):
            with pytest.raises(PhotoError) as there:
                await pool.decode(bytearray(data), PREPROCESSING)
            with pytest.raises(PhotoError) as expected:
                here(data, PREPROCESSING)
            assert (there.value.code, there.value.message) == (expected.value.code, expected.value.message)
        return pool.n_deaths

    assert with_pool(1, ask) == 0


def test_a_child_killed_at_work_costs_one_photo():
    async def ask(pool):
        await pool.decode(self_test_photo(), PREPROCESSING)
        [pid] = pids(pool)
        os.kill(pid, signal.SIGSTOP)  # as if the photo took long
        task = asyncio.create_task(pool.decode(self_test_photo(), PREPROCESSING))
        await asyncio.sleep(0.1)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(PhotoError, match="could not be decoded"):
            await task
        killed = time.monotonic()
        again = await pool.decode(self_test_photo(), PREPROCESSING)
        assert np.array_equal(again, here(self_test_photo(), PREPROCESSING))
        assert pool.n_deaths == 1
        return time.monotonic() - killed

    assert with_pool(1, ask) < 2.0


def test_children_killed_while_idle_cost_nothing():
    async def ask(pool):
        await until(lambda: pool.n_ready == 2)
        killed = pids(pool)
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        await until(lambda: killed.isdisjoint(pids(pool)))
        return await pool.decode(self_test_photo(), PREPROCESSING)

    assert np.array_equal(with_pool(2, ask), here(self_test_photo(), PREPROCESSING))


def test_whoever_waits_can_leave():
    async def ask(pool):
        await pool.decode(self_test_photo(), PREPROCESSING)
        [pid] = pids(pool)
        os.kill(pid, signal.SIGSTOP)
        at_work = asyncio.create_task(pool.decode(self_test_photo(), PREPROCESSING))
        await asyncio.sleep(0.05)
        waiting = [asyncio.create_task(pool.decode(self_test_photo(), PREPROCESSING)) for _ in range(5)]
        await asyncio.sleep(0.05)
        for task in [at_work, *waiting[:-1]]:
            task.cancel()
        os.kill(pid, signal.SIGCONT)
        pixels = await waiting[-1]
        assert pool.n_deaths == 0
        return pixels

    assert np.array_equal(with_pool(1, ask), here(self_test_photo(), PREPROCESSING))


def test_nothing_is_left_running():
    async def ask(pool):
        await until(lambda: pool.n_ready == 2)
        return pids(pool)

    for pid in with_pool(2, ask):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@linux
@pytest.mark.parametrize(
    ("deed", "error"),
    [
        ("open('/etc/hostname').read()", "OSError"),
        ("open('evil', 'w')", "OSError"),
        ("socket.socket()", "OSError"),
        ("subprocess.run(['true'])", "OSError"),
        ("os.pipe()", "OSError"),
        ("bytearray(2_000_000_000)", "MemoryError"),
        ("np.ones(1_500_000_000, np.uint8)", "MemoryError"),
    ],
)
def test_the_kernel_refuses_a_child_what_it_does_not_need(deed, error, tmp_path):
    script = f"""
        import os, socket, subprocess
        import numpy as np
        from tellapart.sandbox import decoder
        decoder._warm_up()
        decoder._lock_up()
        try:
            {deed}
        except Exception as e:
            print(*(c.__name__ for c in type(e).__mro__))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert error in done.stdout.split(), (done.stdout, done.stderr)
    assert list(tmp_path.iterdir()) == []


@linux
def test_the_kernel_ends_a_child_that_computes_for_ever():
    script = "from tellapart.sandbox import decoder as c\nc._allow_cpu(0)\nwhile True: pass"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGXCPU


@pytest.mark.parametrize(
    "said", [b"[" * 2000, b"\xff", b"3", b"{}", b'{"code": "Not A Code", "message": "", "hint": ""}']
)
def test_a_refusal_that_is_none_ends_the_child(said):
    with pytest.raises(decoding._DiedError):
        decoding._refusal(said)


def test_a_child_starts_where_a_library_is_outdated_and_refuses_its_format():
    """As in the Gradio app, whose Pillow brings a libtiff below our floor."""
    script = """
        from dataclasses import replace
        from tellapart.formats import codecs
        codecs.LIBRARIES = tuple(replace(one, floor="99") if one.name == "libtiff" else one for one in codecs.LIBRARIES)
        from tellapart.sandbox import decoder
        decoder.main()
    """
    asked = b""
    for kind in ("TIFF", "PNG"):
        file = BytesIO()
        Image.new("RGB", (8, 8), "red").save(file, kind)
        asked += ASKED.pack(len(file.getvalue()), PREPROCESSING.input_px, 0) + file.getvalue()
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], input=asked, capture_output=True, check=True)
    said, at = [], 0
    while at < len(done.stdout):
        status, n_bytes = ANSWERED.unpack_from(done.stdout, at)
        said.append((status, done.stdout[at + ANSWERED.size : at + ANSWERED.size + n_bytes]))
        at += ANSWERED.size + n_bytes
    assert [status for status, _ in said] == [READY, REFUSED, PIXELS], done.stderr
    assert json.loads(said[1][1])["code"] == "outdated"

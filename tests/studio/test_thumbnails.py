"""Thumbnails: made once for each content, by another process, and never of another photo."""

import asyncio
import io
import os

import pytest
from PIL import Image

from tellapart.errors import PhotoError
from tellapart.sandbox.decoder_pool import DecoderPool
from tellapart.studio.heap import identity, read_heap
from tellapart.studio.thumbnails import LARGE_PX, NAME, SIDE_PX, Thumbnails


async def here():
    return False


def made(folder, *asked, gone=here):
    """The thumbnails of (identity, place), or what was raised."""

    async def run():
        pool = DecoderPool(1)
        pool.start()
        thumbnails = Thumbnails(folder, pool)
        try:
            return [await asyncio.gather(thumbnails.get(*one, gone), return_exceptions=True) for one in asked]
        finally:
            thumbnails.close()
            await pool.close()

    return [one for (one,) in asyncio.run(run())]


@pytest.fixture
def photo(photos):
    path = photos / "0.jpg"
    return identity(path.read_bytes()), str(path)


def test_it_is_small_and_made_once(photo, tmp_path):
    (jpeg,) = made(tmp_path, photo)
    assert Image.open(io.BytesIO(jpeg)).size == (SIDE_PX, SIDE_PX)
    os.unlink(photo[1])
    assert made(tmp_path, photo) == [jpeg]


def test_of_another_photo_in_its_place_there_is_none(photo, photos, tmp_path):
    (photos / "1.jpg").replace(photo[1])
    (error,) = made(tmp_path, photo)
    assert isinstance(error, PhotoError)
    assert (error.code, error.message) == ("changed", "The file holds another photo than before.")


def test_a_photo_that_cannot_be_read_says_why(photos, tmp_path):
    path = photos / "0.jpg"
    path.write_bytes(path.read_bytes()[:900])
    broken = (identity(path.read_bytes()), str(path))
    gone = ("0" * 32, str(photos / "gone.jpg"))
    errors = made(tmp_path, broken, gone)
    assert [error.code for error in errors] == ["truncated", "missing"]


def test_nothing_is_made_for_a_page_that_scrolled_on(photo, tmp_path):
    async def left():
        return True

    assert made(tmp_path, photo, gone=left) == [None]


@pytest.mark.parametrize("spoiled", [b"garbage" * 200, None])
def test_a_store_that_cannot_be_used_costs_time_alone(photo, tmp_path, spoiled):
    if spoiled:
        (tmp_path / NAME).write_bytes(spoiled)
    else:
        (tmp_path / NAME).mkdir()
    (jpeg,) = made(tmp_path, photo)
    assert jpeg[:2] == b"\xff\xd8"


def test_those_that_nobody_has_asked_for_are_made_as_well(photos, tmp_path):
    (photos / "broken.jpg").write_bytes((photos / "0.jpg").read_bytes()[:200])
    heap = read_heap(str(photos), tmp_path / "state").photos

    async def run():
        pool = DecoderPool(1)
        pool.start()
        thumbnails = Thumbnails(tmp_path, pool)
        rest = asyncio.create_task(thumbnails.make_rest(lambda: heap))
        while len(thumbnails._kept()) < len(heap) - 1:
            await asyncio.sleep(0.02)
        rest.cancel()
        await asyncio.gather(rest, return_exceptions=True)
        thumbnails.close()
        await pool.close()

    asyncio.run(run())
    for photo in heap:
        if photo.name != "broken.jpg":
            os.unlink(photo.place)
            assert made(tmp_path, (photo.id, photo.place))[0][:2] == b"\xff\xd8"


def test_a_large_one_keeps_its_shape_and_is_no_larger_than_it_may_be(tmp_path):
    Image.effect_noise((4_000, 1_000), 60).convert("RGB").save(tmp_path / "wide.png")
    Image.effect_noise((30, 50), 60).convert("RGB").save(tmp_path / "tiny.png")

    async def run():
        pool = DecoderPool(1)
        pool.start()
        thumbnails = Thumbnails(tmp_path, pool)
        places = [tmp_path / "wide.png", tmp_path / "tiny.png"]
        try:
            return [await thumbnails.large(identity(place.read_bytes()), str(place)) for place in places]
        finally:
            thumbnails.close()
            await pool.close()

    wide, tiny = asyncio.run(run())
    assert Image.open(io.BytesIO(wide)).size == (LARGE_PX, LARGE_PX // 4)
    assert Image.open(io.BytesIO(tiny)).size == (30, 50)

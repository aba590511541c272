"""Room for requests, bytes and photos: taken, refused when full, always given back."""

import pytest

from tellapart.server import limits
from tellapart.server.limits import MAX_HELD_BYTES, MAX_PHOTOS, MAX_REQUESTS, MAX_WAITING_PHOTOS, Room
from tellapart.server.problem import Problem


def assert_busy(do):
    with pytest.raises(Problem) as caught:
        do()
    assert caught.value.status == 503
    assert int(caught.value.headers["retry-after"]) >= 1


def test_it_is_given_back_whatever_happens():
    room = Room()

    def fail():
        with room.request() as hold:
            hold.add_bytes(10)
            hold.add_photos(3)
            assert (room.requests, room.photos, room.held_bytes) == (1, 3, 10)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert room == Room()


def test_requests_have_an_end():
    room = Room(requests=MAX_REQUESTS - 1)
    with room.request():
        assert_busy(lambda: room.request().__enter__())
    with room.request():
        pass


def test_bytes_have_an_end():
    room = Room()
    with room.request() as hold:
        hold.add_bytes(MAX_HELD_BYTES)
        assert_busy(lambda: hold.add_bytes(1))
    assert room == Room()


def test_photos_have_an_end_but_one_request_always_fits():
    assert MAX_PHOTOS <= MAX_WAITING_PHOTOS
    room = Room()
    with room.request() as first, room.request() as second:
        first.add_photos(MAX_WAITING_PHOTOS - 1)
        second.add_photos(1)
        assert_busy(lambda: second.add_photos(1))
    assert room == Room()


def test_a_full_request_is_far_below_all_of_them():
    assert limits.MAX_BODY_BYTES * 4 <= MAX_HELD_BYTES
